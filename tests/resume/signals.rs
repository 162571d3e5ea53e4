//! Ctrl-C and SIGTERM: the chunk is finished, everything is written, and the run goes on later.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use super::files::{contents, same};
use super::fixture::{config, program, run, start, succeed, train};

/// Waits until a run has trained some steps.
fn wait_for_steps(run: &Path, child: &mut Child) {
    while fs::metadata(run.join("metrics.jsonl")).map_or(0, |file| file.len()) < 2000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_signal_leaves_a_whole_run_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 2000);
    succeed(train(&config, &folder.path().join("whole")));
    let whole = contents(&folder.path().join("whole"));
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let path = folder.path().join(name);
        let mut child = train(&config, &path).spawn().unwrap();
        wait_for_steps(&path, &mut child);
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        let words = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(status), "{words}");
        let way = format!("wavetrain train --resume {}", path.display());
        assert!(words.contains(&way), "{words}");
        for file in [
            "model.safetensors",
            "report.html",
            "summary.json",
            "metrics.csv",
        ] {
            assert!(path.join(file).exists(), "{file}");
        }
        let words = succeed(program(&["train", "--resume", path.to_str().unwrap()]));
        assert!(words.contains("the run goes on from step"), "{words}");
        same(&path, &whole);
    }
}

#[test]
fn a_second_signal_leaves_at_once_and_corrupts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 2000);
    succeed(train(&config, &folder.path().join("whole")));
    let path = folder.path().join("twice");
    let mut child = start(train(&config, &path));
    wait_for_steps(&path, &mut child);
    signal(&child, "TERM");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    succeed(train(&config, &path));
    same(&path, &contents(&folder.path().join("whole")));
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_that_was_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 300);
    let path = folder.path().join("ignoring");
    let mut command = Command::new("sh");
    let line = "trap '' INT HUP; exec \"$0\" train \"$1\" --out \"$2\"";
    command
        .args(["-c", line, env!("CARGO_BIN_EXE_wavetrain")])
        .args([&config, &path]);
    let mut child = start(command);
    wait_for_steps(&path, &mut child);
    signal(&child, "INT");
    signal(&child, "HUP");
    assert!(child.wait().unwrap().success());
    let (status, words) = run(train(&config, &path));
    assert!(status == 2 && words.contains("is done"), "{words}");
}

/// Waits until a process listens for Ctrl-C.
#[cfg(target_os = "linux")]
fn wait_until_it_listens(child: &mut Child) {
    let file = format!("/proc/{}/status", child.id());
    loop {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        let status = fs::read_to_string(&file).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
        if caught & 0b10 != 0 {
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn range_tests_end_with_a_signal_wherever_they_run_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let auto = "[data]\nbatch = 128\n[model]\nlayers = [\"flatten\", { linear = 16 }, \"relu\", \
        { linear = 10 }]\n[schedule]\npolicy = \"triangular\"\nbase_lr = \"auto\"\nmax_lr = \"auto\"\n\
        step_size_up = 15\n[train]\nsteps = 100000\n";
    let config = folder.path().join("auto.toml");
    fs::write(&config, auto).unwrap();
    let config = config.to_str().unwrap();
    let out = folder.path().join("out");
    let into = ["--out", out.to_str().unwrap()];
    for (arguments, name, status) in [
        (&["find", config, "--steps", "1000000"][..], "INT", 130),
        (&["find", config, "--steps", "1000000"], "TERM", 143),
        (&["train", config], "INT", 130),
        (&["compare", config, "--vary", "seed=1,2"], "TERM", 143),
    ] {
        let mut child = program(&[arguments, &into].concat()).spawn().unwrap();
        wait_until_it_listens(&mut child);
        signal(&child, name);
        let ended = child.wait_with_output().unwrap();
        let words = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(status), "{arguments:?} {words}");
        assert!(
            words.contains("was interrupted; nothing of it is kept"),
            "{words}"
        );
        assert!(!out.exists(), "{arguments:?}");
    }
}
