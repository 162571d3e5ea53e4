//! Skips that are seen: the test runner hides what a test prints when it passes.

use std::fs::OpenOptions;
use std::io::Write;

/// Says on the terminal that something is skipped, and why; and, for the end of `scripts/test`, in
/// the file that `WAVETRAIN_SKIPPED` names.
pub(crate) fn skipped(what: &str, why: &str) {
    let line = format!("skipped: {what}: {why}\n");
    // Not a print macro: those are what the runner hides.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(file) = std::env::var_os("WAVETRAIN_SKIPPED") {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        file.write_all(line.as_bytes()).unwrap();
    }
}
