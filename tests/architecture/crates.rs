//! What the library alone needs.

use super::root;
use std::collections::BTreeSet;
use std::process::Command;

/// The crates of a program that only trains, without the program's own features.
const MOST: usize = 121;

#[test]
fn the_library_alone_needs_few_crates() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--no-default-features", "--format", "{p}"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let text = String::from_utf8_lossy(&tree.stdout);
    let crates: BTreeSet<&str> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.starts_with("wavetrain "))
        .collect();
    assert!(crates.len() > 50, "{text}");
    assert!(crates.len() <= MOST, "{} crates: {crates:?}", crates.len());
    for of_the_program in ["clap", "indicatif", "console", "env_logger", "signal-hook"] {
        let there = |line: &&str| line.starts_with(&format!("{of_the_program} "));
        assert!(!crates.iter().any(there), "{of_the_program}");
    }
}
