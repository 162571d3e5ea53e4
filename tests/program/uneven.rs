//! Classes of very different sizes are told of where something can be done about it.

use std::fmt::Write;
use std::process::Command;

/// What `train --dry-run` says of a table of 100 cats and `dogs` dogs.
fn told(dogs: usize, set: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut table = "size,kind\n".to_owned();
    for row in 0..100 + dogs {
        let kind = if row < 100 { "cat" } else { "dog" };
        writeln!(table, "{row}.5,{kind}").unwrap();
    }
    std::fs::write(folder.path().join("pets.csv"), table).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command.current_dir(folder.path());
    command.args(["train", "table-classify", "--dry-run", "--data", "pets.csv"]);
    let set = [
        "data.target=kind",
        "data.test_share=0.5",
        "data.validation=0",
    ]
    .iter()
    .chain(set);
    command.args(set.map(|set| format!("--set={set}")));
    let out = command.output().unwrap();
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{told}");
    told
}

#[test]
fn a_class_of_a_tenth_of_another_is_named() {
    let note = "note: the classes that are trained on differ much in size: \"cat\" has 50 samples and \"dog\" 5; \
                set loss.class_weights = \"balanced\" to let all classes count alike";
    let few = told(10, &[]);
    assert_eq!(few.matches(note).count(), 1, "{few}");
    for quiet in [told(14, &[]), told(10, &["loss.class_weights=balanced"])] {
        assert!(!quiet.contains("differ much in size"), "{quiet}");
    }
}
