//! `wavetrain plan`: the dispatches of a training step.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::loading;
use super::options::{ConfigOptions, Globals};
use super::output::Output;
use crate::error::Result;
use crate::kernel::plan::{Dispatch, Op, Plan};
use crate::kernel::program::mebibytes;
use crate::train::Trainer;

/// Prints the dispatches of a training step, in order, and the memory that it needs
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let config = arguments.config.load()?;
    let dataset = loading::load(&config)?;
    let gpu = globals.open()?;
    let plan = Trainer::plan_of(&gpu, &config, &dataset)?;
    if arguments.json {
        output.json(&as_json(&plan))?;
    } else {
        output.text(&as_text(&plan))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The phases with their names.
fn phases(plan: &Plan) -> Vec<(&'static str, &[Op])> {
    let mut phases: Vec<(&str, &[Op])> = vec![
        ("forward", &plan.forward),
        ("backward", &plan.backward),
        ("accumulate", &plan.accumulate),
        ("update", &plan.update),
    ];
    // Only an update of several batches has sums to add.
    phases.retain(|(name, ops)| *name != "accumulate" || !ops.is_empty());
    phases
}

/// Bytes of global memory for each operation: what decides whether a kernel waits for memory.
fn intensity(dispatch: &Dispatch) -> f64 {
    dispatch.flops as f64 / dispatch.bytes.max(1) as f64
}

fn as_json(plan: &Plan) -> serde_json::Value {
    let phase = |(name, ops): (&str, &[Op])| {
        let ops: Vec<_> = ops
            .iter()
            .map(|op| match op {
                Op::Dispatch(dispatch) => {
                    let kernel = &plan.kernels[dispatch.kernel];
                    json!({
                        "op": "dispatch",
                        "label": dispatch.label,
                        "kernel": kernel.shader.name,
                        "entry": kernel.entry,
                        "shape": dispatch.shape,
                        "grid": dispatch.grid,
                        "flops": dispatch.flops,
                        "bytes": dispatch.bytes,
                    })
                }
                Op::CopyToImage { image, .. } => {
                    let image = &plan.images[*image];
                    json!({"op": "copy to texture", "label": image.name, "bytes": image.bytes()})
                }
            })
            .collect();
        (name.to_owned(), json!(ops))
    };
    let memory: serde_json::Map<String, serde_json::Value> = plan
        .memory()
        .into_iter()
        .map(|(name, bytes)| (name, json!(bytes)))
        .collect();
    let phases: serde_json::Map<_, _> = phases(plan).into_iter().map(phase).collect();
    json!({
        "batch": plan.batch,
        "class": plan.target.class.name().as_str(),
        "flops": plan.flops(),
        "dispatches": plan.dispatches().count(),
        "phases": phases,
        "memory": memory,
    })
}

fn as_text(plan: &Plan) -> String {
    let mut text = format!(
        "a step of {} samples, kernels `{}`: {} dispatches, {:.1} MFLOP\n",
        plan.batch,
        plan.target.class.name().as_str(),
        plan.dispatches().count(),
        plan.flops() as f64 / 1e6
    );
    let longest = |lengths: Vec<usize>| lengths.into_iter().max().unwrap_or(0) + 2;
    let first = longest(plan.dispatches().map(|d| d.label.len()).collect());
    let heading = first + 2;
    let kernels = plan.kernels.iter().map(|k| k.shader.name.len());
    let kernels = kernels.chain(plan.images.iter().map(|image| image.name.len()));
    let second = longest(kernels.collect());
    for (name, ops) in phases(plan) {
        let _ = writeln!(
            text,
            "\n{name:<heading$}{:<second$}{:<18}{:>10}{:>10}{:>11}{:>10}",
            "kernel", "shape", "grid", "MFLOP", "bytes", "flop/byte"
        );
        for op in ops {
            text += &line(plan, op, (first, second));
        }
    }
    text += "\nmemory\n";
    let memory = plan.memory();
    for (name, bytes) in &memory {
        let _ = writeln!(text, "  {name:<26}{:>12}", mebibytes(*bytes));
    }
    let total = memory.iter().map(|(_, bytes)| bytes).sum();
    let _ = writeln!(text, "  {:<26}{:>12}", "in all", mebibytes(total));
    text
}

/// A command of the plan; `widths` are those of its first two columns.
fn line(plan: &Plan, op: &Op, (first, second): (usize, usize)) -> String {
    match op {
        Op::Dispatch(dispatch) => {
            let kernel = &plan.kernels[dispatch.kernel];
            let [x, y, _] = dispatch.grid;
            format!(
                "  {:<first$}{:<second$}{:<18}{:>10}{:>10.2}{:>11}{:>10.1}\n",
                dispatch.label,
                kernel.shader.name,
                dispatch.shape,
                format!("{x}x{y}"),
                dispatch.flops as f64 / 1e6,
                mebibytes(dispatch.bytes),
                intensity(dispatch),
            )
        }
        Op::CopyToImage { image, .. } => {
            let image = &plan.images[*image];
            format!(
                "  {:<first$}{:<second$}{:<18}{:>10}{:>10}{:>11}\n",
                "copy to texture",
                image.name,
                format!("{}x{}", image.height, 4 * image.width),
                "",
                "",
                mebibytes(image.bytes()),
            )
        }
    }
}
