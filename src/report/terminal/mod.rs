//! What a person sees who waits for a run: what will run, how it goes, how it ended.
//!
//! On a terminal a progress bar, otherwise plain lines without control characters. Everything else
//! is the same text, written to the writer that the program hands over. An error of that writer (a
//! closed pipe) does not end the run: nobody is there to read.

mod header;
mod state;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::{Result, shown};
use crate::lab::learned::nothing_learned;
use crate::train::event::{
    Ended, Evaluation, Event, Flow, LowPoint, Observer, RunInfo, StepRecord, Summary,
};

use super::folder::{CONFIG, METRICS, MODEL, PAGE};
use crate::draw::plot;
use crate::draw::words::{duration, loss, percent, quoted, rate, things};
use state::State;

/// How the steps of a run are shown.
#[derive(Debug)]
pub enum Progress {
    /// A bar, for a terminal.
    Bar(ProgressDrawTarget),
    /// A line every so many steps (0: none).
    Lines(u64),
}

/// How a [`Terminal`] talks.
#[derive(Debug)]
pub struct TerminalOptions {
    /// How the steps are shown.
    pub progress: Progress,
    /// Whether text is coloured by ANSI escape sequences (a terminal, and no `NO_COLOR`).
    pub colour: bool,
    /// Width of the plot of the loss at the end in characters and its look; nothing draws none.
    pub plot: Option<(usize, plot::Style)>,
    /// The run folder, named at the end.
    pub folder: Option<PathBuf>,
}

/// An observer for people.
pub struct Terminal<'w> {
    out: &'w mut dyn Write,
    options: TerminalOptions,
    clock: Box<dyn FnMut() -> Duration + 'w>,
    run: Option<State>,
}

impl std::fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Colours of text.
#[derive(Debug, Clone, Copy)]
enum Ink {
    Label,
    Warning,
    Good,
    Bad,
}

impl<'w> Terminal<'w> {
    /// An observer that writes to `out`.
    #[must_use]
    pub fn new(out: &'w mut dyn Write, options: TerminalOptions) -> Self {
        let start = Instant::now();
        Self::with_clock(out, options, Box::new(move || start.elapsed()))
    }

    /// The same with a clock of one's own (the time since any fixed moment), for text that does not
    /// depend on the machine's speed.
    #[must_use]
    pub fn with_clock(
        out: &'w mut dyn Write,
        options: TerminalOptions,
        clock: Box<dyn FnMut() -> Duration + 'w>,
    ) -> Self {
        Self {
            out,
            options,
            clock,
            run: None,
        }
    }

    /// Writes lines; with a bar, above it.
    fn say(&mut self, text: &str) {
        let bar = self.run.as_ref().and_then(|run| run.bar.as_ref());
        let mut write = || {
            let _ = self.out.write_all(text.as_bytes());
            let _ = self.out.flush();
        };
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.options.colour => return text.into(),
            Ink::Label => "1",
            Ink::Warning => "33",
            Ink::Good => "32",
            Ink::Bad => "31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A line that starts with a label; what stands in it may come from files.
    fn line(&self, label: &str, text: &str) -> String {
        self.line_in(Ink::Label, label, text)
    }

    /// The same with a label in the colour of what it says; a label longer than its column keeps its blank.
    fn line_in(&self, ink: Ink, label: &str, text: &str) -> String {
        let padded = format!("{label:<9} ");
        let text = shown::line(text);
        format!("{}{text}\n", self.paint(ink, &padded))
    }

    fn started(&mut self, info: &RunInfo) {
        let text = self.header(info);
        self.say(&text);
        let bar = match &mut self.options.progress {
            Progress::Lines(_) => None,
            Progress::Bar(target) => {
                let target = std::mem::replace(target, ProgressDrawTarget::hidden());
                Some(bar(target, info.total_steps, self.options.colour))
            }
        };
        self.run = Some(State::new(info, bar, (self.clock)()));
    }

    fn steps(&mut self, steps: &[StepRecord]) {
        let now = (self.clock)();
        let every = match self.options.progress {
            Progress::Lines(every) => every,
            Progress::Bar(_) => 0,
        };
        let (Some(run), Some(last)) = (&mut self.run, steps.last().map(|step| step.step)) else {
            return;
        };
        run.time(steps.len(), now);
        let mut lines = String::new();
        for step in steps {
            let smooth = run.record(step);
            if every > 0 && (step.step + 1).is_multiple_of(every) {
                lines.push_str(&run.line(step, smooth));
            }
            if step.step == last {
                run.draw(step, smooth);
            }
        }
        if !lines.is_empty() {
            self.say(&lines);
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        let now = (self.clock)();
        let Some(run) = &mut self.run else { return };
        run.since = now;
        let line = run.evaluation(evaluation);
        self.say(&line);
    }

    /// A text that the network made, on one line.
    fn text(&mut self, prompt: &str, text: &str) {
        let line = self.line("text", &format!("{prompt}|{text}"));
        self.say(&line);
        if let Some(run) = &mut self.run {
            run.since = (self.clock)();
        }
    }

    fn low_point(&mut self, point: &LowPoint) {
        if let Some(run) = &mut self.run {
            run.since = (self.clock)();
        }
        let mut text = format!(
            "{} at step {}: {} {}",
            point.cycle,
            point.step,
            self.run.as_ref().map_or("accuracy", |run| run.share_name()),
            percent(point.single)
        );
        for (name, accuracy) in [("ensemble", point.ensemble), ("average", point.average)] {
            if let Some(accuracy) = accuracy {
                text.push_str(&format!(", {name} {}", percent(accuracy)));
            }
        }
        let line = self.line("cycle", &text);
        self.say(&line);
    }

    fn early_stop(&mut self, step: u64, best: f64) {
        let line = format!(
            "train.early_stop after step {step}: no evaluation was better than the loss {}",
            loss(best)
        );
        let line = self.line("stopping", &line);
        self.say(&line);
    }

    fn finished(&mut self, summary: &Summary) {
        if let Some(bar) = self.run.as_mut().and_then(|run| run.bar.take()) {
            bar.finish_and_clear();
        }
        let mut text = String::from("\n");
        if let (Some((width, style)), Some(run)) = (self.options.plot, &self.run)
            && run.curve.len() > 1
        {
            text.push_str(&plot::draw(&run.chart(), width, 14, style));
            text.push('\n');
        }
        let ink = match summary.ended {
            Ended::Done => Ink::Good,
            Ended::Stopped | Ended::Interrupted => Ink::Warning,
            Ended::Diverged => Ink::Bad,
        };
        let waited = summary.waited.map(|share| {
            let share = percent(share);
            format!(", of which the device waited {share} for samples")
        });
        let how = format!(
            "{} in {}, {} steps/s without evaluations{}",
            things(summary.steps, "step"),
            duration(summary.seconds),
            rate(summary.steps_per_second),
            waited.unwrap_or_default()
        );
        text.push_str(&self.line_in(ink, summary.ended.name(), &how));
        for e in &summary.evaluations {
            let mut result = match e.errors {
                Some(errors) => format!("{}, loss {}", state::off(&errors, ", "), loss(e.loss)),
                None => format!("accuracy {}, loss {}", percent(e.accuracy), loss(e.loss)),
            };
            if let (Some(perplexity), Some(bits)) = (e.perplexity, e.bits) {
                let [perplexity, bits] = [perplexity, bits].map(loss);
                result.push_str(&format!(", perplexity {perplexity}, {bits} bits"));
            }
            if let Some(share) = e.sequences {
                result.push_str(&format!(", whole sequences {}", percent(share)));
            }
            text.push_str(&self.line(e.split.name(), &result));
        }
        let run = self.run.as_ref();
        if let Some(why) = run.and_then(|run| nothing_learned(&run.info, summary)) {
            text.push_str(&self.line("chance", &why));
        }
        if let Some(folder) = &self.options.folder {
            // A diverged run writes no weights.
            let written = |file: &str| file != MODEL || summary.ended != Ended::Diverged;
            let files = FILES.iter().filter(|(file, _)| written(file));
            for (i, (file, what)) in files.enumerate() {
                let again = run.filter(|_| *file == CONFIG);
                let what = again.map_or((*what).to_owned(), |run| trains_again(&run.info));
                let label = if i == 0 { "files" } else { "" };
                let path = folder.join(file).display().to_string();
                let wide = folder.join(MODEL).display().to_string().chars().count();
                text.push_str(&self.line(label, &format!("{path:<wide$}  {what}")));
            }
        }
        self.say(&text);
    }
}

/// What the configuration is for: of a run that was changed on its way, or began with weights, it is not
/// all that there is to it.
fn trains_again(info: &RunInfo) -> String {
    let of_length = |key: &str| ["train.epochs", "train.steps", "adapter"].contains(&key);
    if let Some(change) = info.changes.iter().find(|change| !of_length(&change.key)) {
        return format!("what the run ended with: it was changed {change}");
    }
    let new_head = if info.new_head { " --new-head" } else { "" };
    match &info.init {
        Some(file) => format!(
            "trains the same again with --init {}{new_head}",
            quoted(&file.display().to_string())
        ),
        None => "trains the same again".into(),
    }
}

/// The files of a run and what they are for.
const FILES: [(&str, &str); 4] = [
    (PAGE, "the curves and the mistakes; open it in a browser"),
    (MODEL, "the weights, as PyTorch loads them"),
    (METRICS, "every step and every evaluation"),
    (CONFIG, "trains the same again"),
];

impl Observer for Terminal<'_> {
    fn shows_texts(&self) -> bool {
        true
    }

    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        match event {
            Event::Started(info) => self.started(info),
            Event::Resumed(checkpoint) => {
                self.started(&checkpoint.info);
                let line = self.line("resumed", &format!("from step {}", checkpoint.step()));
                self.say(&line);
            }
            Event::Steps(steps) => self.steps(steps),
            Event::Evaluated(evaluation) => self.evaluated(evaluation),
            Event::Text { prompt, text, .. } => self.text(prompt, text),
            Event::LowPoint { point, .. } => self.low_point(point),
            Event::EarlyStop { step, best } => self.early_stop(*step, *best),
            Event::Finished(summary) => self.finished(summary),
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

fn bar(target: ProgressDrawTarget, steps: u64, colour: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    let template = if colour {
        "{bar:20.blue} {pos}/{len}  {wide_msg}"
    } else {
        "{bar:20} {pos}/{len}  {wide_msg}"
    };
    // A template that does not parse would leave the default style; a test draws this one.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar
}
