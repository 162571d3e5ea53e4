//! What cycles between multiples of the bounds came to, for people.

use std::fmt::Write as _;

use super::frame::{capital, row, table};
use crate::draw::chart::number;
use crate::draw::svg::escape;
use crate::draw::words::{loss, things};
use crate::lab::find::{Confirmation, Multiple, Trials};

/// The lines of trial cycles in the terminal.
pub(super) fn trials_text(trials: &Trials) -> String {
    format!(
        "trials    {}\n{}",
        tried(trials),
        rows_text(&trials.multiples)
    )
}

fn tried(trials: &Trials) -> String {
    format!(
        "triangular cycles of {} up to multiples of what the curves give, {}",
        things(trials.cycle_steps, "step"),
        things(seeds(&trials.multiples) as u64, "seed")
    )
}

fn seeds(multiples: &[Multiple]) -> usize {
    let seeds = multiples.iter().map(|multiple| multiple.losses.len());
    seeds.max().unwrap_or(0)
}

/// Whether some were trained with fewer seeds than others, which a column says then.
fn differ(multiples: &[Multiple]) -> bool {
    multiples.iter().any(|m| m.losses.len() < seeds(multiples))
}

fn rows_text(multiples: &[Multiple]) -> String {
    let heads = ["times", "base_lr", "max_lr", "loss", "regret", "seeds"].map(str::to_owned);
    let rows = std::iter::once(heads).chain(multiples.iter().map(cells));
    let lines = rows.map(|[times, base, max, loss, regret, seeds]| {
        let seeds = if differ(multiples) { &seeds } else { "" };
        let line =
            format!("          {times:<6} {base:<10} {max:<10} {loss:<8} {regret:<8} {seeds}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

fn rows_table(multiples: &[Multiple]) -> String {
    let columns = if differ(multiples) { 6 } else { 5 };
    let rows = multiples.iter().map(|multiple| {
        let [times, rest @ ..] = cells(multiple);
        row(&times, &rest[..columns - 1])
    });
    let heads = [
        "times",
        "base_lr",
        "max_lr",
        "loss at the end",
        "regret",
        "seeds",
    ];
    table("Multiples", &heads[..columns], &rows.collect::<String>())
}

/// The section of trial cycles on the page.
pub(super) fn trials_section(trials: &Trials) -> String {
    format!(
        "<section id=\"trials\" aria-labelledby=\"trials-title\">\n<h2 id=\"trials-title\">Trial \
         cycles</h2>\n<p>{}. The least multiple that ends about as low as the best one counts: {}.</p>\n\
         {}</section>\n",
        escape(&capital(&tried(trials))),
        trials.factor,
        rows_table(&trials.multiples)
    )
}

/// The lines of a confirmation in the terminal.
pub(super) fn text(confirmation: &Confirmation) -> String {
    let mut text = format!("confirm   {}\n", what(confirmation));
    text += &rows_text(&confirmation.multiples);
    let _ = writeln!(text, "          {}", confirmation.says);
    if let Some(line) = difference(confirmation) {
        let _ = writeln!(text, "          {line}");
    }
    text
}

/// The section of a confirmation on the page.
pub(super) fn section(confirmation: &Confirmation) -> String {
    let difference = difference(confirmation).map_or(String::new(), |line| capital(&line) + ".");
    format!(
        "<section id=\"confirm\" aria-labelledby=\"confirm-title\">\n<h2 id=\"confirm-title\">What \
         the bounds cost</h2>\n<p>{}. {}</p>\n<p>{}. The loss is the mean over the last tenth of \
         the cycle's batches; the regret is its distance from the lowest, as a share of the whole \
         fall from {}.</p>\n{}</section>\n",
        escape(&capital(&confirmation.says)),
        escape(&difference),
        escape(&capital(&what(confirmation))),
        loss(confirmation.first_loss),
        rows_table(&confirmation.multiples)
    )
}

fn what(confirmation: &Confirmation) -> String {
    format!(
        "a triangular cycle of {} between multiples of the bounds, {}",
        things(confirmation.cycle_steps, "step"),
        things(confirmation.seeds, "seed")
    )
}

/// `that is 0.1542 lower (95 % over all multiples: 0.0439 to 0.2645)`.
fn difference(confirmation: &Confirmation) -> Option<String> {
    let difference = confirmation.difference?;
    let known = match difference.interval {
        Some([low, high]) => format!(
            " (95 % over all multiples: {} to {})",
            loss(low),
            loss(high)
        ),
        None => String::new(),
    };
    Some(format!("that is {} lower{known}", loss(difference.mean)))
}

fn cells(multiple: &Multiple) -> [String; 6] {
    let trained = multiple.losses.len();
    let diverged = || format!("{} of {trained} diverged", multiple.diverged());
    let regret = multiple
        .regret
        .map(|regret| format!("{:.1} %", 100.0 * regret));
    [
        multiple.factor.to_string(),
        rate(multiple.base_lr),
        rate(multiple.max_lr),
        multiple.loss().map_or_else(diverged, loss),
        regret.unwrap_or_else(|| "-".to_owned()),
        trained.to_string(),
    ]
}

/// Three digits: halves of what has two.
fn rate(rate: f64) -> String {
    number(format!("{rate:.2e}").parse().unwrap_or(rate))
}
