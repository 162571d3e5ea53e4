//! The error type of the whole crate.
//!
//! Every message is written for the person who can fix it: what failed, what was found, what was
//! expected, what to do. [`Error::is_users_mistake`] decides the program's exit status (2 or 1).

pub mod shown;

use std::path::{Path, PathBuf};

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by what has to be fixed.
/// Shown by `{:?}` it is the same text as by `{}`: `fn main() -> wavetrain::Result<()>` prints a message.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration (file, preset or `--set`) is wrong; `rendered` shows the place with a caret.
    #[error("{rendered}")]
    Config {
        /// The dotted key that is wrong, where one is (`schedule.max_lr`).
        key: Option<String>,
        /// One sentence without the place.
        message: String,
        /// The full text for a person: message, file, line, caret, help.
        rendered: String,
    },
    /// An argument of the program or of a library call is wrong.
    #[error("{what}: {found}; expected {expected}\nhelp: {help}")]
    Argument {
        /// The argument's name.
        what: String,
        /// What was given.
        found: String,
        /// What would be accepted.
        expected: String,
        /// What to do.
        help: String,
    },
    /// A data file or data set is wrong.
    #[error("{}: {problem}\nhelp: {help}", printable(file))]
    Data {
        /// The file or folder.
        file: PathBuf,
        /// What is wrong with it: found and expected.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A file could not be downloaded.
    #[error("{what}: {problem}\nhelp: {help}")]
    Download {
        /// The address, or the file where the disk is at fault.
        what: String,
        /// What happened: found and expected.
        problem: String,
        /// What to do.
        help: String,
    },
    /// Layers do not fit each other or the data.
    #[error("model.layers[{position}] ({layer}): {problem}\nhelp: {help}")]
    Shape {
        /// Position in `model.layers`, from 0.
        position: usize,
        /// The layer's name.
        layer: String,
        /// Both shapes and the rule that is broken.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A file of weights does not fit the model.
    #[error("{}: {problem}\nhelp: {help}", printable(file))]
    Weights {
        /// The file.
        file: PathBuf,
        /// Which tensor is wrong, found and expected.
        problem: String,
        /// What to do.
        help: String,
    },
    /// The output folder cannot be used.
    #[error("output folder {}: {problem}\nhelp: {help}", path.display())]
    Output {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// No adapter can be used.
    #[error("no usable adapter: {problem}\nhelp: {help}")]
    NoAdapter {
        /// What was looked for and what exists.
        problem: String,
        /// What to install or choose.
        help: String,
    },
    /// The adapter cannot hold or run what is asked for; found before anything was allocated.
    #[error("{what} needs {needed}, but {adapter} offers {available}\nhelp: {help}")]
    Capacity {
        /// What does not fit.
        what: String,
        /// How much it needs, with its unit.
        needed: String,
        /// How much there is, with its unit.
        available: String,
        /// The adapter's name.
        adapter: String,
        /// What lowers the need.
        help: String,
    },
    /// The loss became NaN or infinite.
    #[error("training diverged: {what} at step {step} (learning rate {lr}){last}\nhelp: {help}")]
    Diverged {
        /// First step with a loss, or a norm that gradients are clipped by, that is not finite.
        step: u64,
        /// The rate of that step.
        lr: f64,
        /// What became what (`the loss became NaN`).
        what: String,
        /// The last finite loss as text, or nothing.
        last: String,
        /// What to do.
        help: String,
    },
    /// Weights, or what a network makes with them, are not finite: a training that diverged left them.
    #[error("{what}; expected finite numbers\nhelp: {help}")]
    NotFinite {
        /// What holds which value, and where.
        what: String,
        /// What to do.
        help: String,
    },
    /// Somebody ended what would have to be begun anew.
    #[error("{what} was interrupted; nothing of it is kept")]
    Interrupted {
        /// What.
        what: String,
    },
    /// A range test whose curve gives no bounds, where training needs them.
    #[error(
        "the range test found no bounds for schedule rates that are \"auto\": {says}\nhelp: {help}"
    )]
    RangeTest {
        /// What the curve showed, in a sentence.
        says: String,
        /// What to do.
        help: String,
    },
    /// The device is gone (its driver was reset or updated, or it was destroyed): nothing that lay on it
    /// is left, and another one has to be opened. What had a checkpoint goes on from there.
    #[error("{adapter}: the device was lost: {reason}\nhelp: {help}")]
    DeviceLost {
        /// The adapter's name.
        adapter: String,
        /// The driver's words.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The device failed while running: a driver's or wgpu's error.
    #[error("{adapter}: {problem}\nhelp: {help}")]
    Device {
        /// The adapter's name.
        adapter: String,
        /// What happened.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A shader or its bindings are wrong: a defect in a kernel (own layers can cause it).
    #[error("kernel {kernel}: {problem}")]
    Kernel {
        /// The kernel's name.
        kernel: String,
        /// The problem, with the true file and line where naga gives them.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{}: {action} failed: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `reading`, `writing`, `creating` ...
        action: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A path as a terminal may have it: without what would move its cursor.
fn printable(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        match character.is_control() {
            true => text.extend(character.escape_unicode()),
            false => text.push(character),
        }
    }
    text
}

impl Error {
    /// Whether the user's input is at fault (exit status 2) rather than the run (exit status 1).
    #[must_use]
    pub fn is_users_mistake(&self) -> bool {
        match self {
            Self::Config { .. }
            | Self::Argument { .. }
            | Self::Data { .. }
            | Self::Shape { .. }
            | Self::Weights { .. }
            | Self::Output { .. }
            | Self::NoAdapter { .. }
            | Self::Capacity { .. } => true,
            Self::Download { .. }
            | Self::Diverged { .. }
            | Self::NotFinite { .. }
            | Self::Interrupted { .. }
            | Self::RangeTest { .. }
            | Self::DeviceLost { .. }
            | Self::Device { .. }
            | Self::Kernel { .. }
            | Self::Io { .. } => false,
        }
    }

    /// An [`Error::Data`]: what is wrong with `file`, and what to do.
    pub(crate) fn data(file: &Path, problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Data {
            file: file.into(),
            problem: problem.into(),
            help: help.into(),
        }
    }

    /// An [`Error::NotFinite`]: what holds which value.
    pub(crate) fn not_finite(what: impl Into<String>) -> Self {
        Self::NotFinite {
            what: what.into(),
            help: "the weights have diverged: use those of another run, or train at lower rates"
                .into(),
        }
    }

    /// An [`Error::Io`] for `path`; for use with `map_err`.
    pub fn io(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_moves_the_cursor_of_a_terminal() {
        let path = Path::new("wolves\n\u{1b}[2J/W\u{f6}lfe.png");
        let error = Error::data(path, "is cut", "leave it out").to_string();
        let (first, help) = error.split_once('\n').unwrap_or_default();
        assert_eq!(first, "wolves\\u{a}\\u{1b}[2J/W\u{f6}lfe.png: is cut");
        assert_eq!(help, "help: leave it out");
    }
}
