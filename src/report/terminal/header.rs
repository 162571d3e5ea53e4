//! What is told before the first step.

use super::{Ink, Terminal};
use crate::draw::chart::count;
use crate::draw::words::{batches_of, lengths, shape, shortened, things};
use crate::train::event::RunInfo;

impl Terminal<'_> {
    /// Adapter, data, model, schedule, length.
    pub(super) fn header(&self, info: &RunInfo) -> String {
        let adapter = &info.adapter;
        let mut text = self.line(
            "adapter",
            &format!(
                "{}, {}, {}, {}, kernels {}",
                adapter.name, adapter.backend, adapter.kind, adapter.driver, adapter.class
            ),
        );
        if adapter.kind.contains("software") {
            let warning = self.paint(Ink::Warning, "warning");
            text.push_str(&format!(
                "{warning}   this adapter is software: the processor does the work, and a GPU would \
                 be much faster\n"
            ));
        }
        let [train, validation, test] = info.samples.map(|n| count(n as u64));
        let validation = match info.samples[1] {
            0 => String::new(),
            _ => format!("{validation} validation, "),
        };
        let what = format!(
            "{}: {train} training, {validation}{test} test samples of {}, {}{}",
            info.data,
            shape(&info.sample_shape, "x"),
            things(
                info.classes.len() as u64,
                if info.positions > 1 {
                    "symbol"
                } else if info.numbers {
                    "number"
                } else {
                    "class"
                }
            ),
            if info.numbers { " to predict" } else { "" },
        );
        text.push_str(&self.line("data", &what));
        if !info.residence.is_empty() {
            text.push_str(&self.line("samples", &info.residence));
        }
        if !info.augment.is_empty() {
            text.push_str(&self.line("augment", &info.augment));
        }
        text.push_str(&self.model(info));
        text.push_str(&self.line("schedule", &shortened(&info.schedule)));
        let mut length = format!(
            "{} of {}, {} an epoch ({}",
            things(info.total_steps, "step"),
            batches_of(info.accumulate, info.batch),
            count(info.steps_per_epoch),
            lengths(info.total_steps, info.steps_per_epoch, "epoch"),
        );
        if let Some(period) = info.period.filter(|period| *period > 0) {
            let cycles = lengths(info.total_steps, period, "cycle");
            length.push_str(&format!(", {cycles}"));
        }
        text.push_str(&self.line("training", &format!("{length})")));
        text
    }

    /// The table of layers.
    fn model(&self, info: &RunInfo) -> String {
        let rows: Vec<[String; 3]> = (info.layers.iter())
            .map(|row| {
                let parameters = count(row.parameters as u64);
                let layer = format!("{} {}", row.position, row.layer);
                [layer, shape(&row.output, "x"), parameters]
            })
            .collect();
        let all = info.layers.iter().map(|row| row.parameters as u64).sum();
        let total = ["all".into(), String::new(), count(all)];
        let head = ["layer", "output", "parameters"].map(String::from);
        let table = || [&head].into_iter().chain(&rows).chain([&total]);
        let wide = |column: usize| {
            let cells = table().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let (layer, output, parameters) = (wide(0), wide(1), wide(2));
        let mut text = String::new();
        for (i, [name, shape, number]) in table().enumerate() {
            let label = if i == 0 { "model" } else { "" };
            let row = format!("{name:<layer$}  {shape:<output$}  {number:>parameters$}");
            text.push_str(&self.line(label, &row));
        }
        text
    }
}
