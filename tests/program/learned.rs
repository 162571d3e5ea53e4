//! A run that learns nothing says so.

use std::process::Command;

/// Standard output and standard error of a run at a constant rate, which must end with status 0.
fn trained(lr: &str) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[data]\nbatch = 32\n[model]\nlayers = [\"flatten\", {{ linear = 16 }}, \"relu\", {{ linear = 10 }}]\n\
         [schedule]\npolicy = \"constant\"\nlr = {lr}\n[train]\nsteps = 60\n"
    );
    std::fs::write(folder.path().join("mine.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    let command = command
        .args(["train", "mine.toml"])
        .current_dir(folder.path());
    let out = command.output().unwrap();
    let told = [&out.stdout, &out.stderr].map(|part| String::from_utf8_lossy(part).into_owned());
    assert!(out.status.success(), "{told:?}");
    told
}

#[test]
fn a_rate_far_too_high_ends_with_a_note() {
    let [summary, notes] = trained("1000");
    assert!(summary.contains("\nchance    the test "), "{summary}");
    assert!(
        notes.contains("nothing was learned that shows") && notes.contains("wavetrain find"),
        "{notes}"
    );
}

#[test]
fn a_run_that_learns_ends_without_one() {
    let [summary, notes] = trained("0.05");
    assert!(!summary.contains("\nchance "), "{summary}");
    assert!(!notes.contains("nothing was learned"), "{notes}");
}
