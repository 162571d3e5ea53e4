//! The tables of `wavetrain bench --kernels-table` as text.

use std::fmt::Write;

use crate::bench::kernels::{KernelTable, KernelTables};

/// All tables, under the adapter's limits.
pub(super) fn as_text(tables: &KernelTables) -> String {
    let adapter = &tables.adapter;
    let mut text = format!(
        "{} ({}), {}, kernels `{}`\n\nmultiply-add in registers {:>8.1} GFLOP/s\ncopy through \
         memory {:>14.1} GB/s\n",
        adapter.name,
        adapter.kind,
        adapter.driver,
        adapter.class,
        tables.fma_gflops,
        tables.copy_gbs
    );
    for table in &tables.models {
        text += &model(table);
    }
    text += "\nof limit: the least time that the two rates above leave to the arithmetic and the bytes \
             of a kernel, over its time; above 100 % where its data lie in caches\n";
    text
}

fn model(table: &KernelTable) -> String {
    let mut text = format!(
        "\n{}, batch {}: {:.3} ms in the commands of a step, median of {} steps\n",
        table.model, table.batch, table.ms, table.steps
    );
    text += "      us   share   GFLOP/s    GB/s   of limit   kernel\n";
    for row in &table.kernels {
        let us = row
            .us
            .map_or_else(|| "-".to_owned(), |us| format!("{us:.1}"));
        let _ = writeln!(
            text,
            "{us:>8}{:>6.1} %{:>10.1}{:>8.2}{:>9.0} %   {} ({}, {})",
            100.0 * row.share,
            row.gflops,
            row.gbs,
            100.0 * row.of_limit,
            row.label,
            row.kernel,
            row.shape,
        );
    }
    text
}
