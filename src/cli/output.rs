//! Standard output and standard error: the only place where something is printed.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::path::Path;

use super::flags;
use crate::disk::Disk;
use crate::error::{Error, Result, shown};
use crate::lab::lint::{Finding, Severity};
use crate::report::folder::plain;

/// The path that errors of writing results carry.
pub(super) const STDOUT: &str = "standard output";

/// Where results go.
#[derive(Debug)]
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    /// Whether the reader went away (`wavetrain runs | head`): a mistake of nobody, which neither ends what
    /// is under way nor changes its exit status.
    closed: bool,
    /// Columns of the terminal; 80 where there is none.
    pub(crate) width: usize,
    /// Whether escape sequences for colours may be written.
    pub(crate) colour: bool,
}

impl Output {
    /// Standard output as it is.
    pub(crate) fn stdout() -> Self {
        let terminal = console::Term::stdout();
        let columns = terminal.size_checked().map(|(_, columns)| columns);
        Self {
            out: BufWriter::new(io::stdout()),
            closed: false,
            width: columns.filter(|c| *c > 0).map_or(80, usize::from),
            colour: may_colour(io::stdout().is_terminal()),
        }
    }

    /// Writes text for people: of what a terminal would obey only colours, where they may be written.
    pub(crate) fn text(&mut self, text: &str) -> Result<()> {
        let text = shown::text(text, self.colour);
        self.write(|out| out.write_all(text.as_bytes()))
    }

    /// Writes a value as indented JSON, the whole of it or nothing.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from);
        self.write(|out| {
            out.write_all(shown::json(&text?).as_bytes())?;
            out.write_all(b"\n")
        })
    }

    /// Writes piece by piece, until nobody reads any more.
    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written.map_err(Error::io(STDOUT, "writing")),
        }
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes text for people to `file`, or else to standard output.
    pub(crate) fn text_to(&mut self, file: Option<&Path>, text: &str) -> Result<()> {
        match file {
            None => self.text(text),
            Some(_) => {
                let text = shown::text(text, false);
                self.write_to(file, |out| out.write_all(text.as_bytes()))
            }
        }
    }

    /// Writes piece by piece to `file` (whole or not at all), or else to standard output.
    pub(crate) fn write_to(
        &mut self,
        file: Option<&Path>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        match file {
            None => self.write(write),
            Some(path) => self.write_file("--output", path, write),
        }
    }

    /// Writes piece by piece to the file that `flag` names, whole or not at all.
    pub(crate) fn write_file(
        &mut self,
        flag: &str,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        // A device or a pipe cannot be replaced by a renamed file.
        let special =
            std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        if special {
            let opened = std::fs::File::create(path).map(BufWriter::new);
            let written = opened.and_then(|mut file| write(&mut file).and_then(|()| file.flush()));
            return written.map_err(|error| cannot_write(flag, path, error));
        }
        Disk::default()
            .replace_with(path, write)
            .map_err(|error| match error {
                Error::Io { source, .. } => cannot_write(flag, path, source),
                other => other,
            })
    }

    /// Hands everything over to the system.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write(|out| out.flush())
    }
}

/// A name that cannot be written to is a mistake; a disk that is full or fails is none.
fn cannot_write(flag: &str, path: &Path, error: io::Error) -> Error {
    let of_the_name = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
    );
    if !of_the_name {
        return Error::io(path, "writing")(error);
    }
    Error::Argument {
        what: flag.to_owned(),
        found: format!("{} cannot be written ({})", path.display(), plain(&error)),
        expected: "a file in a folder that exists and can be written to".to_owned(),
        help: match flag {
            "--output" => "choose another name, or leave --output out to print".to_owned(),
            _ => "choose another name".to_owned(),
        },
    }
}

/// Whether colours are wanted: on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
fn may_colour(terminal: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    terminal && !refused && !dumb
}

/// Shows what is going on, on one line of the terminal; nothing where there is none.
pub(super) fn status(doing: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\u{1b}[K{} ...", shown::line(doing));
    }
}

/// Takes the line of [`status`] away.
pub(super) fn clear_status() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\u{1b}[K");
    }
}

/// A line on standard error: how far something is, where there is no terminal.
pub(super) fn line(line: &str) {
    let _ = writeln!(io::stderr(), "{}", shown::line(line));
}

/// Tells the person something about the run, on standard error.
pub(super) fn note(notes: &[String]) {
    for note in notes {
        let _ = writeln!(io::stderr(), "note: {}", shown::message(note));
    }
}

/// Tells the person that a device was lost, and that it is opened once more.
pub(super) fn opened_once_more(lost: &Error) {
    let words = lost.to_string();
    let first = words.lines().next().unwrap_or_default();
    note(&[format!("{first}; it is opened once more")]);
}

/// Tells the person what the linter found, on standard error; with `strict` a warning is an error.
pub(super) fn findings(findings: &[Finding], strict: bool) -> Result<()> {
    for finding in findings {
        let word = match finding.severity {
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let Finding {
            rule,
            message,
            mend,
            ..
        } = finding;
        let said = format!("{word}: {message} [{rule}]\nhelp: {mend}");
        let _ = writeln!(io::stderr(), "{}", shown::message(&said));
    }
    let warnings = findings.iter().filter(|f| f.severity == Severity::Warning);
    match warnings.count() {
        count if count > 0 && strict => Err(Error::Argument {
            what: "--strict".into(),
            found: match count {
                1 => "a warning about the schedule (above)".into(),
                _ => format!("{count} warnings about the schedule (above)"),
            },
            expected: "none".into(),
            help: "fix them, or leave --strict out".into(),
        }),
        _ => Ok(()),
    }
}

/// Says that the first signal was heard.
pub(super) fn interrupting() {
    let _ = writeln!(
        io::stderr(),
        "\ninterrupted: finishing this chunk and writing checkpoint, model and report; once more leaves at once"
    );
}

/// Tells the person what went wrong, on standard error.
pub(super) fn complain(error: &Error) {
    let colour = may_colour(io::stderr().is_terminal());
    let word = if colour {
        "\u{1b}[1;31merror\u{1b}[0m"
    } else {
        "error"
    };
    // Nothing is left to do where standard error is closed, too.
    let said = shown::message(&flags::named(&error.to_string()));
    let _ = writeln!(io::stderr(), "{word}: {said}");
}

/// Tells the person what is wrong with the arguments, in the words of their reader.
pub(super) fn complain_of_arguments(error: &clap::Error) {
    let said = error.render().to_string();
    let _ = writeln!(io::stderr(), "{}", shown::message(said.trim_end()));
}
