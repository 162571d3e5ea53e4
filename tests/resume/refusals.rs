//! What cannot be gone on from is refused in a sentence, and nothing is touched.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wavetrain::report::folder::checkpoints;

use super::fixture::{config, program, refused, run, start, succeed, train};

#[test]
fn what_cannot_be_gone_on_from_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 40);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let name = path.to_str().unwrap();
    let resume = |more: &[&str]| program(&[&["train", "--resume", name], more].concat());
    let set = |set: &str, more: &[&str]| resume(&[&["--set", set], more].concat());
    let longer = ["--set", "train.steps=60"];

    refused(resume(&[]), &path, &["is done: all its 40 steps"]);
    refused(train(&config, &path), &path, &["is done: all its 40 steps"]);
    refused(set("train.steps=30", &[]), &path, &["is done"]);
    for (other, words) in [
        ("seed=6", "seed: 6; expected 5"),
        ("data.batch=8", "data.batch: 8; expected 16"),
        ("data.validation=0.3", "data.validation: 0.3"),
        (
            "model.layers=[\"flatten\", { linear = 4 }]",
            "model.layers: [",
        ),
        ("optimizer.weight_decay=0.5", "optimizer.weight_decay: 0.5"),
        (
            "optimizer.lr_mult={ \"*.bias\" = 2.0 }",
            "optimizer.lr_mult",
        ),
        ("model.freeze=[\"*.bias\"]", "model.freeze"),
    ] {
        refused(set(other, &longer), &path, &[words, "as the run in"]);
        refused(
            set(other, &["--set", "train.steps=60", "--allow-changed"]),
            &path,
            &[words],
        );
    }
    refused(
        set("schedule.max_lr=0.02", &longer),
        &path,
        &["schedule.max_lr: 0.02; expected 0.01", "--allow-changed"],
    );
    refused(
        resume(&["--out", "elsewhere"]),
        &path,
        &["cannot be used with"],
    );
    refused(resume(&["--force"]), &path, &["cannot be used with"]);
    refused(
        set("checkpoint.every=often", &[]),
        &path,
        &["checkpoint.every is the string \"often\""],
    );
    refused(
        set("checkpoint.every=1.5", &[]),
        &path,
        &["checkpoint.every"],
    );
    refused(
        set("checkpoint.every=0 epochs", &[]),
        &path,
        &["checkpoint.every"],
    );
    refused(
        set("checkpoint.keep=0", &[]),
        &path,
        &["checkpoint.keep is 0"],
    );
    let elsewhere = folder.path().to_str().unwrap();
    refused(
        program(&["train", "--resume", elsewhere]),
        &path,
        &["is not a run: it has no run.json"],
    );
    refused(
        program(&["train", "--resume", "/no/such"]),
        &path,
        &["does not exist"],
    );
}

#[test]
fn checkpoints_that_are_not_whole_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 40);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let name = path.to_str().unwrap();
    let resume = |more: &[&str]| program(&[&["train", "--resume", name], more].concat());
    let longer = ["--set", "train.steps=60"];
    // Checkpoints that are cut, flipped, of another version, or none.
    let kept = path.join("checkpoints");
    let files: Vec<PathBuf> = fs::read_dir(&kept)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let spoil = |how: &dyn Fn(&[u8]) -> Vec<u8>| {
        for (file, bytes) in files.iter().zip(&whole) {
            fs::write(file, how(bytes)).unwrap();
        }
    };
    spoil(&|bytes| bytes[..bytes.len() - 1].to_vec());
    refused(
        resume(&longer),
        &path,
        &["has no whole checkpoint", "step-40.safetensors"],
    );
    spoil(&|bytes| {
        let mut flipped = bytes.to_vec();
        flipped[bytes.len() / 3] ^= 4;
        flipped
    });
    refused(resume(&longer), &path, &["has no whole checkpoint"]);
    spoil(&|_| b"not at all".to_vec());
    refused(train(&config, &path), &path, &["has no whole checkpoint"]);
    for file in &files {
        fs::remove_file(file).unwrap();
    }
    refused(resume(&longer), &path, &["is done and has no checkpoint"]);
    spoil(&<[u8]>::to_vec);
    succeed(resume(&longer));
}

/// Every checkpoint of a run is written again, changed.
fn rewrite(run: &Path, change: &dyn Fn(&[u8]) -> Vec<u8>) {
    for entry in fs::read_dir(run.join("checkpoints")).unwrap() {
        let file = entry.unwrap().path();
        fs::write(&file, change(&fs::read(&file).unwrap())).unwrap();
    }
}

#[test]
fn a_checkpoint_of_another_version_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let own = env!("CARGO_PKG_VERSION");
    let other = own.replace(|c: char| c.is_ascii_digit(), "9");
    rewrite(&path, &|bytes| {
        // The version stands in the text in front of the arrays; the hash is the last 32 bytes.
        let from = format!("\\\"version\\\":\\\"{own}");
        let to = from.replace(own, &other);
        let at = bytes
            .windows(from.len())
            .position(|part| part == from.as_bytes());
        let mut changed = bytes.to_vec();
        let at = at.expect("the version");
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        let end = changed.len() - 32;
        let hash = Sha256::digest(&changed[..end]);
        changed[end..].copy_from_slice(&hash);
        changed
    });
    let name = path.to_str().unwrap();
    let longer = ["train", "--resume", name, "--set", "train.steps=30"];
    let words = format!("is of version {other} (form 1); expected {own} (form 1)");
    refused(
        program(&longer),
        &path,
        &["has no whole checkpoint", &words],
    );
}

#[test]
fn other_first_weights_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    succeed(train(&config, &first));
    let mut other = train(&config, &second);
    other.args(["--seed", "8"]);
    succeed(other);
    let [one, two] = [&first, &second].map(|run| run.join("model.safetensors"));
    let copy = folder.path().join("copy.safetensors");
    fs::copy(&one, &copy).unwrap();

    let longer = |init: Option<&Path>, steps: &str| {
        let path = folder.path().join("run");
        let mut command = train(&config, &path);
        command.args(["--set", steps]);
        if let Some(init) = init {
            command.args(["--init", init.to_str().unwrap()]);
        }
        command
    };
    let path = folder.path().join("run");
    succeed(longer(Some(&one), "train.steps=20"));
    let init = |run: &Path| {
        let about = fs::read_to_string(run.join("config.toml")).unwrap();
        about.contains(&format!("init = \"{}\"", one.display()))
    };
    assert!(init(&path));
    let words = ["--init: ", "second", "first", "as the run in"];
    refused(longer(Some(&two), "train.steps=30"), &path, &words);
    let words = ["--init: no file", "first", "as the run in"];
    refused(longer(None, "train.steps=30"), &path, &words);
    // The same weights from elsewhere are the same.
    succeed(longer(Some(&copy), "train.steps=30"));
    assert!(init(&path));
    // A run from drawn weights takes none.
    let mut more = train(&config, &first);
    more.args(["--set", "train.steps=30", "--init", two.to_str().unwrap()]);
    refused(
        more,
        &first,
        &["--init: ", "second", "no file, weights that are drawn"],
    );
}

#[test]
fn a_checkpoint_of_another_run_is_not_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    succeed(train(&config, &one));
    let mut other = train(&config, &two);
    other.args(["--seed", "9"]);
    succeed(other);
    for (_, file) in checkpoints(&one) {
        fs::remove_file(file).unwrap();
    }
    let (_, file) = checkpoints(&two).last().cloned().unwrap();
    let place = one.join("checkpoints").join(file.file_name().unwrap());
    fs::copy(file, place).unwrap();
    let longer = ["--set", "train.steps=30"];
    let resume = program(&[&["train", "--resume", one.to_str().unwrap()], &longer[..]].concat());
    let words = ["is a checkpoint of another run: seed is 9; expected 5"];
    refused(resume, &one, &words);
    let mut again = train(&config, &one);
    again.args(longer);
    refused(again, &one, &words);
}

/// A run that is being trained is not swept away by a range test into its folder.
#[test]
fn a_range_test_leaves_a_run_in_use_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let held = wavetrain::report::folder::RunFolder::claim(&path, true).unwrap();
    let find = [
        "find",
        config.to_str().unwrap(),
        "--steps",
        "10",
        "--force",
        "--out",
    ];
    let find = program(&[&find[..], &[path.to_str().unwrap()]].concat());
    refused(find, &path, &["is in use"]);
    drop(held);
}

/// Whoever has the folder keeps it; the others say so.
#[test]
fn two_at_once_do_not_get_through_together() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 300);
    let path = folder.path().join("run");
    let children: Vec<_> = (0..3)
        .map(|_| train(&config, &path).spawn().unwrap())
        .collect();
    let mut through = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => through += 1,
            Some(2) => assert!(
                ["is in use: another process", "is done", "holds another run",]
                    .iter()
                    .any(|reason| words.contains(reason)),
                "{words}"
            ),
            other => panic!("{other:?}: {words}"),
        }
    }
    assert_eq!(through, 1);
    let text = fs::read_to_string(path.join("metrics.jsonl")).unwrap();
    assert_eq!(
        text.lines()
            .filter(|line| line.contains("\"type\":\"step\""))
            .count(),
        300
    );

    // A process that was killed leaves no lock behind.
    let path = folder.path().join("killed");
    let mut child = start(train(&config, &path));
    while !path.join("checkpoints").exists() {
        assert!(child.try_wait().unwrap().is_none());
    }
    let (status, words) = run(program(&["train", "--resume", path.to_str().unwrap()]));
    assert!(
        status == 2 && words.contains("another process is training in it"),
        "{words}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    succeed(train(&config, &path));
}
