//! Who watches a comparison: the terminal or plain lines, the clock, and signals.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::output;
use crate::cli::signals::Signals;
use crate::draw::words::{duration, quoted};
use crate::error::Error;
use crate::lab::compare::{ComparisonProgress, Watch};
use crate::report::folder::RunFolder;

/// Time between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// The terminal, the clock and the signals.
pub(super) struct Watching<'a> {
    signals: &'a Signals,
    deadline: Option<Instant>,
    told: Mutex<Option<Instant>>,
}

impl<'a> Watching<'a> {
    pub(super) fn new(signals: &'a Signals, minutes: Option<f64>) -> Self {
        let seconds = minutes.and_then(|m| Duration::try_from_secs_f64(60.0 * m).ok());
        Self {
            signals,
            deadline: seconds.and_then(|seconds| Instant::now().checked_add(seconds)),
            told: Mutex::new(None),
        }
    }

    /// Says where the comparison is, and how it goes on.
    pub(super) fn interrupted(&self, folder: &RunFolder) {
        let path = folder.path().display().to_string();
        let arguments = std::env::args_os().skip(1);
        let arguments: Vec<String> = arguments
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let mut command: Vec<String> = arguments.iter().map(|a| quoted(a)).collect();
        let has_folder = |a: &String| a == "--out" || a.starts_with("--out=");
        if !arguments.iter().any(has_folder) {
            command.extend(["--out".into(), quoted(&path)]);
        }
        output::note(&[
            format!("interrupted: what was trained is in {path}"),
            format!("this goes on: wavetrain {}", command.join(" ")),
        ]);
    }
}

impl Watch for Watching<'_> {
    fn progress(&self, progress: &ComparisonProgress) {
        let ComparisonProgress {
            runs: [done, all],
            next,
            left,
        } = progress;
        let left = left.map_or_else(String::new, |left| {
            format!("; about {} left", duration(left))
        });
        let line = format!("run {} of {all}: {next}{left}", done + 1);
        if stderr().is_terminal() {
            output::status(&line);
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= LINES) {
            *told = Some(Instant::now());
            output::line(&line);
        }
    }

    fn device_lost(&self, lost: &Error) {
        output::opened_once_more(lost);
    }

    fn interrupted(&self) -> bool {
        self.signals.is_heard()
    }

    fn time_left(&self) -> Option<f64> {
        let deadline = self.deadline?;
        Some(
            deadline
                .saturating_duration_since(Instant::now())
                .as_secs_f64(),
        )
    }
}
