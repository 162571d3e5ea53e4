//! `wavetrain bench --against`: this program and another version of it in turn.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::Arguments;
use crate::bench::against::{
    self, Against, AgainstComparison, AgainstOptions, AgainstVerdict, LEAST_ROUNDS, Other,
};
use crate::cli::output::{self, Output};
use crate::error::Result;
use crate::gpu::Gpu;

/// Seconds of a model in a round: many short rounds say more than few long ones.
const SECONDS: u64 = 1;

pub(super) fn run(
    arguments: &Arguments,
    other: &Other,
    gpu: &Arc<Gpu>,
    output: &mut Output,
) -> Result<ExitCode> {
    let rounds = arguments.rounds.map(|rounds| rounds as usize);
    let options = AgainstOptions {
        rounds: rounds.unwrap_or(LEAST_ROUNDS),
        seconds: arguments.seconds.unwrap_or(SECONDS),
        models: arguments.models.clone(),
        first_steps: !arguments.no_first_steps,
    };
    let against = against::run(gpu, other, &options, &mut |doing| output::status(doing))?;
    output::clear_status();
    match arguments.json {
        true => output.json(&against)?,
        false => output.text(&as_text(&against))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(against: &Against) -> String {
    let Against { rounds, limit, .. } = against;
    let mut text = format!(
        "this program against {}, {rounds} rounds in turn\n\n{:<36}{:>9}{:>9}{:>8}   {:<17}below {limit}\n",
        against.other.display(),
        "",
        "other",
        "this",
        "ratio",
        "95 % interval"
    );
    for comparison in &against.comparisons {
        text += &line(comparison);
    }
    let sentence = match against.verdict {
        AgainstVerdict::Below => format!("Nothing takes {limit} times as long as before."),
        AgainstVerdict::Open => {
            format!(
                "Not all intervals stay below {limit}: more --rounds narrow those that say `open`."
            )
        }
        AgainstVerdict::Above => {
            format!("Something takes more than {limit} times as long as before.")
        }
    };
    let _ = writeln!(
        text,
        "\n{sentence}\nratio: the median over the rounds of this program's time over the other's; its interval is that of \
         the sign test\n(order statistics; Conover, Practical Nonparametric Statistics, 1999, section 3.2)."
    );
    text
}

fn line(comparison: &AgainstComparison) -> String {
    let AgainstComparison {
        model,
        quantity,
        other,
        this,
        ratio,
        ..
    } = comparison;
    let what = format!("{model}: {}", quantity.describe());
    let interval = comparison.interval.map_or_else(
        || "-".to_owned(),
        |[low, high]| format!("{low:.3} to {high:.3}"),
    );
    let says = match comparison.verdict {
        AgainstVerdict::Below => "yes",
        AgainstVerdict::Open => "open",
        AgainstVerdict::Above => "no",
    };
    format!("{what:<36}{other:>9.3}{this:>9.3}{ratio:>8.3}   {interval:<17}{says}\n")
}
