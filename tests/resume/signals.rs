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
