//! Output that nobody reads ends no run and hides no exit status.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a command whose standard output is closed from the start; gives its exit status.
fn unread(folder: &Path, arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait().unwrap().code()
}

#[test]
fn a_run_ends_as_if_somebody_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = |schedule: &str| {
        format!(
            "[data]\nbatch = 64\n[model]\nlayers = [\"flatten\", {{ linear = 8 }}, \"relu\", {{ linear = 10 }}]\n\
             [schedule]\n{schedule}\n[train]\nsteps = 20\n"
        )
    };
    let auto = "policy = \"triangular\"\nbase_lr = \"auto\"\nmax_lr = \"auto\"\nstep_size_up = 10";
    fs::write(folder.join("auto.toml"), text(auto)).unwrap();
    let wild = "policy = \"constant\"\nlr = 1e38";
    fs::write(folder.join("wild.toml"), text(wild)).unwrap();
    for (json, out) in [(&[][..], "a"), (&["--json"][..], "b")] {
        let train = |config, out| [&["train", config, "--out", out], json].concat();
        assert_eq!(unread(folder, &train("auto.toml", out)), Some(0));
        let summary = fs::read_to_string(folder.join(out).join("summary.json")).unwrap();
        assert!(summary.contains("\"done\""), "{summary}");
        let wild = format!("{out}-wild");
        assert_eq!(unread(folder, &train("wild.toml", &wild)), Some(1));
    }
    // The range is too short to give bounds.
    let find = [
        "find",
        "auto.toml",
        "--to",
        "2e-5",
        "--steps",
        "30",
        "--out",
        "f",
    ];
    assert_eq!(unread(folder, &find), Some(1));
    assert!(folder.join("f/range.json").exists());
    assert_eq!(unread(folder, &["runs", "."]), Some(0));
    assert_eq!(
        unread(
            folder,
            &[
                "schedule",
                "./wild.toml",
                "--steps",
                "100000000",
                "--format",
                "csv"
            ]
        ),
        Some(0)
    );
    assert_eq!(unread(folder, &["runs", "nowhere"]), Some(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure_and_no_mistake() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command.args([
        "schedule",
        "mnist-mlp",
        "--format",
        "csv",
        "-o",
        "/dev/full",
    ]);
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("/dev/full: writing failed: No space left"),
        "{said}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command.args([
        "schedule",
        "mnist-mlp",
        "--format",
        "csv",
        "-o",
        "/nowhere/at/all.csv",
    ]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}
