//! A machine whose memory runs out under a run.

use std::fs;
use std::process::Command;

/// The memory that the system lets the program have, in MiB: too little to open a device, too little
/// for the network, too little for what the network's weights are made in.
const LIMITS: std::ops::RangeInclusive<u32> = 450..=6000;

/// Three buffers of 120 MiB, small activations.
const CONFIG: &str = "[data]\nsource = \"glyphs\"\nbatch = 16\n[model]\nlayers = [\"flatten\", \
    { linear = 14000 }, \"relu\", { linear = 1400 }, \"relu\", { linear = 10 }]\n[schedule]\n\
    policy = \"constant\"\nlr = 0.01\n[train]\nsteps = 1\n";

/// The end of a run under a limit: its status, and what it said.
fn run(folder: &std::path::Path, mib: u32) -> (Option<i32>, String) {
    let kib = mib * 1024;
    let ended = Command::new("sh")
        .args(["-c", &format!("ulimit -v {kib}; exec \"$@\""), "sh"])
        .args([env!("CARGO_BIN_EXE_wavetrain"), "train", "large.toml"])
        .args(["--out", "run"])
        // What each thread sets aside would count, and machines have few or many of them.
        .envs([
            ("LP_NUM_THREADS", "1"),
            ("RAYON_NUM_THREADS", "1"),
            ("MALLOC_ARENA_MAX", "1"),
        ])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code(), said)
}

#[test]
fn memory_that_a_device_does_not_have_is_an_error_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large.toml"), CONFIG).unwrap();
    let mut found = 0;
    for mib in LIMITS.step_by(75) {
        let (status, said) = run(folder.path(), mib);
        assert!(!said.contains("panicked"), "{mib} MiB: {said}");
        if said.contains("no memory is left for") {
            assert_eq!(status, Some(1), "{mib} MiB: {said}");
            assert!(said.contains("use a smaller data.batch"), "{said}");
            assert!(!folder.path().join("run").exists());
            found += 1;
        }
        // More is not too little either.
        if found == 2 || status == Some(0) {
            break;
        }
    }
    // How much a driver takes for itself differs; the steps are smaller than the three buffers.
    assert!(found >= 2, "{found}");
}
