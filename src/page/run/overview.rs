//! The top of the page: what ran, how it ended, the final figures.

use std::fmt::Write as _;

use super::contents::{Ending, Run};
use crate::draw::chart::{count, number};
use crate::draw::svg::escape;
use crate::draw::words::{digits, duration, lengths, loss, percent, rate, things};
use crate::train::Errors;
use crate::train::event::Split;

/// The page's heading, as plain text.
pub(super) fn heading(run: &Run) -> String {
    let data = &run.info.data;
    let steps = things(run.steps(), "step");
    match (run.ending(), run.last(Split::Test)) {
        (Ending::Diverged(Some((step, _))), _) => {
            format!("{data}: diverged at step {}", count(step))
        }
        (Ending::Diverged(None), _) => format!("{data}: diverged"),
        (Ending::Unfinished, _) => format!("{data}: not finished, {steps} so far"),
        (Ending::Interrupted, _) => format!("{data}: interrupted after {steps}"),
        (_, Some(test)) => {
            let figure = match (test.sequences, test.perplexity) {
                _ if test.errors.is_some() => off(test.errors),
                (Some(share), _) => format!("{} of the sequences right", percent(share)),
                (None, Some(perplexity)) => format!("perplexity {}", loss(perplexity)),
                (None, None) => percent(test.accuracy),
            };
            format!("{data}: {figure} on the test set")
        }
        (_, None) => format!("{data}: {steps}"),
    }
}

/// The run in one sentence, as HTML.
pub(super) fn lead(run: &Run) -> String {
    let info = &run.info;
    let mut text = format!(
        "A network of {} with {} trained for {} on {} samples of {}",
        things(info.layers.len() as u64, "layer"),
        things(run.parameters() as u64, "parameter"),
        things(run.steps(), "step"),
        count(info.samples[0] as u64),
        info.data,
    );
    if let Some(test) = run.last(Split::Test) {
        let samples = count(info.samples[2] as u64);
        let share = percent(test.share());
        let samples = match run.is_text() {
            true => format!("the symbols of {samples}"),
            false => samples,
        };
        let _ = if run.is_numbers() {
            let when = match test.step == run.steps() {
                true => String::new(),
                false => format!(" after {}", things(test.step, "step")),
            };
            write!(
                text,
                "; its predictions explain {share} of the variance of {samples} test samples{when}"
            )
        } else if test.step == run.steps() {
            write!(
                text,
                " and classifies {share} of {samples} test samples correctly"
            )
        } else {
            let when = things(test.step, "step");
            write!(
                text,
                " and classified {share} of {samples} test samples correctly after {when}"
            )
        };
    }
    if let Some(summary) = &run.summary {
        let _ = write!(text, ", in {}", duration(summary.seconds));
    }
    let _ = write!(text, " on {}", info.adapter.name);
    format!("{}.", escape(&text))
}

/// A sentence at the top where a run did not end as planned.
pub(super) fn banner(run: &Run) -> String {
    let planned = run.info.total_steps;
    let done = format!(
        "{} of {} steps were done",
        count(run.steps()),
        count(planned)
    );
    let (class, title, text) = match run.ending() {
        Ending::Done => return String::new(),
        Ending::Stopped => ("note", "Stopped early", format!("{done}.")),
        Ending::Interrupted => (
            "warning",
            "Interrupted",
            format!("{done}; what follows shows the run up to there."),
        ),
        Ending::Unfinished => (
            "warning",
            "Not finished",
            format!(
                "The folder has no summary, because the run was killed or still goes on: {}, \
                 as far as is recorded.",
                done.replace("were", "are")
            ),
        ),
        Ending::Diverged(place) => ("error", "Diverged", diverged(run, place)),
    };
    format!(
        "<p class=\"banner {class}\" role=\"status\"><strong>{title}.</strong> {}</p>",
        escape(&text)
    )
}

fn diverged(run: &Run, place: Option<(u64, f64)>) -> String {
    let bad = run.metrics.steps.iter().find(|step| !step.is_finite());
    let what = match bad {
        Some(step) if step.loss.is_finite() => "The gradient's norm became too large to clip by",
        _ => "The loss became NaN or infinite",
    };
    let Some((step, lr)) = place else {
        return format!("{what}.");
    };
    let mut text = format!(
        "{what} at step {}, at a learning rate of {}",
        count(step),
        number(f64::from(lr as f32))
    );
    let before = run.metrics.steps.iter().take_while(|s| s.is_finite());
    if let Some(last) = before.last() {
        let _ = write!(text, "; the last finite loss was {}", loss(last.loss));
    }
    text.push_str(". A lower peak of the rate, or a longer way up to it, is the usual remedy.");
    text
}

/// A final figure: its name, its value, a note below it.
type Tile = (&'static str, String, String);

/// The final figures.
pub(super) fn tiles(run: &Run, last_loss: Option<f64>) -> String {
    let accuracies = [
        accuracy(run, Split::Test, "Test accuracy", run.info.samples[2]),
        accuracy(
            run,
            Split::Validation,
            "Validation accuracy",
            run.info.samples[1],
        ),
    ];
    let tiles = accuracies.into_iter().flatten().chain(tokens(run));
    let tiles = tiles.chain(numbers(run));
    let mut html = String::new();
    for (name, value, note) in tiles
        .chain(final_loss(run, last_loss))
        .chain(length_tiles(run))
    {
        let [value, note] = [value, note].map(|text| escape(&text));
        let _ = writeln!(
            html,
            "<li><span class=\"name\">{name}</span> <strong>{value}</strong> <span class=\"note\">{note}</span></li>"
        );
    }
    html
}

/// What there is to say of tokens besides.
fn tokens(run: &Run) -> Vec<Tile> {
    let Some(test) = run.last(Split::Test) else {
        return Vec::new();
    };
    let mut tiles = Vec::new();
    if let (Some(perplexity), Some(bits)) = (test.perplexity, test.bits) {
        let note = format!("{} bits a symbol", loss(bits));
        tiles.push(("Test perplexity", loss(perplexity), note));
    }
    if let Some(share) = test.sequences {
        let note = "of the test set, right as a whole".into();
        tiles.push(("Whole sequences", percent(share), note));
    }
    tiles
}

/// How far predictions are off, in a figure: `RMSE 3.1`.
fn off(errors: Option<Errors>) -> String {
    let rmse = errors.map_or(f64::NAN, |errors| errors.rmse);
    format!("RMSE {}", digits(rmse))
}

/// What there is to say of predicted numbers.
fn numbers(run: &Run) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let parts = [
        (Split::Test, ["Test RMSE", "Test MAE", "Test R²"]),
        (
            Split::Validation,
            ["Validation RMSE", "Validation MAE", "Validation R²"],
        ),
    ];
    for (split, names) in parts {
        let Some(errors) = run.last(split).and_then(|last| last.errors) else {
            continue;
        };
        let note = || "in the numbers' own units".to_owned();
        tiles.push((names[0], digits(errors.rmse), note()));
        tiles.push((names[1], digits(errors.mae), note()));
        tiles.push((
            names[2],
            percent(errors.r2),
            "of the variance explained".into(),
        ));
    }
    tiles
}

fn accuracy(run: &Run, split: Split, name: &'static str, samples: usize) -> Option<Tile> {
    let last = run.last(split).filter(|last| last.errors.is_none())?;
    let wrong = ((1.0 - last.accuracy) * samples as f64).round();
    let note = if run.is_text() {
        "of the symbols".into()
    } else if last.step == run.steps() {
        format!("{} of {} wrong", count(wrong as u64), count(samples as u64))
    } else {
        format!("after {}", things(last.step, "step"))
    };
    Some((name, percent(last.accuracy), note))
}

fn final_loss(run: &Run, last: Option<f64>) -> Option<Tile> {
    const NAME: &str = "Training loss";
    if matches!(run.ending(), Ending::Diverged(_)) {
        let before = last.map(|last| format!("before: {}", loss(last)));
        return Some((NAME, "not finite".into(), before.unwrap_or_default()));
    }
    let note = match run.last(Split::Test) {
        Some(test) => format!("test: {}", loss(test.loss)),
        None => "smoothed".into(),
    };
    Some((NAME, loss(last?), note))
}

/// Steps, cycles, time.
fn length_tiles(run: &Run) -> Vec<Tile> {
    let steps = run.steps();
    let epochs = lengths(steps, run.info.steps_per_epoch, "epoch");
    let mut tiles = vec![("Steps", count(steps), epochs)];
    if let Some(period) = run.info.period.filter(|period| *period > 0) {
        let note = format!("of {} each", things(period, "step"));
        let cycles = (steps as f64 / period as f64 * 100.0).round() / 100.0;
        tiles.push(("Cycles", number(cycles), note));
    }
    if let Some(summary) = &run.summary {
        let note = "evaluations included".into();
        tiles.push(("Time", duration(summary.seconds), note));
        let speed = summary.steps_per_second;
        let samples = speed * run.info.samples_per_step() as f64;
        let mut note = format!("{} samples/s, without evaluations", count(samples as u64));
        if let Some(share) = summary.waited {
            note += &format!(", waited {} for samples", percent(share));
        }
        tiles.push(("Steps per second", rate(speed), note));
    }
    tiles
}

/// What the vertical marks in the charts are.
pub(super) fn cycles(run: &Run) -> String {
    match run.info.period {
        Some(_) if run.cycle_ends().is_empty() => String::new(),
        Some(_) => "Dotted lines mark the ends of cycles.".into(),
        None => String::new(),
    }
}
