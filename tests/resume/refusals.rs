//! What cannot be gone on from is refused in a sentence, and nothing is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use wavetrain::report::folder::checkpoints;
use wavetrain::train::Checkpoint;

use super::fixture::{config, program, run, start, succeed, train};

/// Every file of a folder with its bytes.
fn all(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(all(&path)),
            false => {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Refused with exit status 2 and these words, with nothing touched.
fn refused(command: Command, folder: &Path, words: &[&str]) {
    let before = all(folder);
    let (status, said) = run(command);
    assert_eq!(status, 2, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(
        all(folder).keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(all(folder) == before, "files were changed");
}

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
fn another_adapter_goes_on_with_a_note_and_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let mut own = String::new();
    for (_, file) in checkpoints(&path) {
        let mut checkpoint = Checkpoint::read(&file).unwrap();
        own.clone_from(&checkpoint.info.adapter.name);
        checkpoint.info.adapter.name = "Elsewhere 9000".into();
        checkpoint.info.adapter.driver = "of another machine".into();
        fs::write(&file, checkpoint.to_bytes().unwrap()).unwrap();
    }
    let name = path.to_str().unwrap();
    let longer = ["train", "--resume", name, "--set", "train.steps=30"];
    refused(
        program(&[&longer[..], &["--strict"]].concat()),
        &path,
        &[
            "--strict",
            "Elsewhere 9000, of another machine",
            "other adapters give other bits",
        ],
    );
    let words = succeed(program(&longer));
    let note = format!("from step 20 on the run has another adapter: {own}");
    assert!(words.contains(&note), "{words}");
    let about = fs::read_to_string(path.join("config.toml")).unwrap();
    let record = "from step 20 on: adapter Elsewhere 9000, of another machine";
    assert!(about.contains(record), "{about}");
    // The record stays where the run goes on once more, and nothing is said twice.
    let words = succeed(program(&[
        "train",
        "--resume",
        name,
        "--set",
        "train.steps=40",
    ]));
    assert!(!words.contains("another adapter"), "{words}");
    let about = fs::read_to_string(path.join("config.toml")).unwrap();
    assert_eq!(about.matches(record).count(), 1, "{about}");
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
fn a_run_that_goes_on_says_where_its_bounds_are_from() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let path = folder.path().join("run");
    let mut command = train(&config, &path);
    command.args([
        "--set",
        "schedule.base_lr=auto",
        "--set",
        "schedule.max_lr=auto",
    ]);
    succeed(command);
    let comment = |run: &Path| {
        let text = fs::read_to_string(run.join("config.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with("# auto: from "));
        line.map(str::to_owned)
    };
    let before = comment(&path);
    assert!(before.is_some());
    let name = path.to_str().unwrap();
    let longer = ["train", "--resume", name, "--set", "train.steps=30"];
    succeed(program(&longer));
    assert_eq!(comment(&path), before);
    // Rates of somebody else are not from the range test.
    let lower = [
        "--set",
        "train.steps=40",
        "--set",
        "schedule.max_lr=0.0123",
        "--allow-changed",
    ];
    succeed(program(
        &[&["train", "--resume", name][..], &lower].concat(),
    ));
    assert_eq!(comment(&path), None);
}

#[test]
fn a_longer_run_is_the_run_that_was_longer_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (short, long) = (config(folder.path(), 35), config(folder.path(), 70));
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    succeed(train(&long, &one));
    succeed(train(&short, &other));
    let name = other.to_str().unwrap();
    // What the schedule makes of it is said in the linter's words.
    let words = succeed(program(&[
        "train",
        "--resume",
        name,
        "--set",
        "train.steps=70",
    ]));
    assert!(words.contains("the run goes on from step 35"), "{words}");
    let metrics = |run: &Path| fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert_eq!(metrics(&one), metrics(&other));
    assert_eq!(
        fs::read(one.join("model.safetensors")).unwrap(),
        fs::read(other.join("model.safetensors")).unwrap()
    );
    let about = fs::read_to_string(other.join("config.toml")).unwrap();
    assert!(
        about.contains("from step 35 on: train.steps 35 -> 70"),
        "{about}"
    );
    // And once more, at another rate.
    let more = [
        "--set",
        "train.steps=80",
        "--set",
        "schedule.max_lr=0.002",
        "--allow-changed",
    ];
    succeed(program(&[&["train", "--resume", name][..], &more].concat()));
    let about = fs::read_to_string(other.join("config.toml")).unwrap();
    assert!(
        about.contains("from step 70 on: schedule.max_lr 0.01 -> 0.002"),
        "{about}"
    );
    let text = fs::read_to_string(other.join("metrics.jsonl")).unwrap();
    let steps = text
        .lines()
        .filter(|line| line.contains("\"type\":\"step\""))
        .count();
    assert_eq!(steps, 80);
    let (status, words) = run(program(&["replay", name]));
    assert!(
        status == 2 && words.contains("was changed from step 70 on"),
        "{words}"
    );
}

/// From its first step on, a run that goes on under other values is known by these, even if it is killed at
/// once.
#[test]
fn what_a_run_was_changed_to_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 40);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let steps = fs::metadata(path.join("metrics.jsonl")).unwrap().len();
    let set = [
        "train.steps=200000",
        "schedule.max_lr=0.005",
        "checkpoint.every=100000",
    ];
    let set = set.map(|set| format!("--set={set}"));
    let name = path.to_str().unwrap();
    let begun = ["train", "--allow-changed", "--resume", name];
    let set: Vec<&str> = begun
        .into_iter()
        .chain(set.iter().map(|set| &set[..]))
        .collect();
    let mut child = start(program(&set));
    while fs::metadata(path.join("metrics.jsonl")).unwrap().len() <= steps {
        assert!(child.try_wait().unwrap().is_none());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (step, file) = checkpoints(&path).last().cloned().unwrap();
    assert_eq!(step, 40);
    let kept = Checkpoint::read(&file).unwrap();
    assert!(kept.info.asked.contains("200000"), "{}", kept.info.asked);
    // What goes on now, is the changed run.
    let shorter = program(&["train", "--resume", name, "--set", "train.steps=50"]);
    let words = succeed(shorter);
    assert!(words.contains("goes on from step 40"), "{words}");
    let about = fs::read_to_string(path.join("config.toml")).unwrap();
    assert!(about.contains("max_lr = 0.005"), "{about}");
    assert!(about.contains("schedule.max_lr 0.01 -> 0.005"), "{about}");
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

#[test]
fn a_run_goes_on_without_the_file_for_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let events = path.join(wavetrain::report::folder::TENSORBOARD);
    for left in [None, Some(10)] {
        match left {
            None => fs::remove_file(&events).unwrap(),
            Some(bytes) => {
                let file = fs::OpenOptions::new().write(true).open(&events).unwrap();
                file.set_len(bytes).unwrap();
            }
        }
        let steps = if left.is_none() {
            "train.steps=30"
        } else {
            "train.steps=40"
        };
        succeed(program(&[
            "train",
            "--resume",
            path.to_str().unwrap(),
            "--set",
            steps,
        ]));
        assert!(fs::metadata(&events).unwrap().len() > 100);
    }
}

#[test]
fn a_renewed_head_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let [first, path] = ["first", "run"].map(|name| folder.path().join(name));
    succeed(train(&config, &first));
    let with = |more: &[&str]| {
        let mut command = train(&config, &path);
        command.args(["--init", first.to_str().unwrap()]).args(more);
        command
    };
    succeed(with(&["--new-head"]));
    let longer = ["--set", "train.steps=30"];
    refused(
        with(&longer),
        &path,
        &["--new-head: not given; expected given"],
    );
    succeed(with(&["--new-head", longer[0], longer[1]]));
    let about = fs::read_to_string(path.join("config.toml")).unwrap();
    assert!(about.contains("new_head = true"), "{about}");
    succeed(program(&["replay", path.to_str().unwrap()]));
    // Other weights under the same name are no other bits.
    let model = first.join("model.safetensors");
    let mut other = train(&config, &folder.path().join("other"));
    other.args(["--seed", "9"]);
    succeed(other);
    fs::copy(folder.path().join("other/model.safetensors"), model).unwrap();
    let words = ["weights with the fingerprint", "from which the run began"];
    refused(program(&["replay", path.to_str().unwrap()]), &path, &words);
}

/// What is held out because early stopping wants it, stays held out without it.
#[test]
fn early_stopping_ends_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("validation = 0.2\n", "")).unwrap();
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let mut on = train(&config, &path);
    on.args([
        "--allow-changed",
        "--set",
        "train.early_stop=0",
        "--set",
        "train.steps=30",
    ]);
    succeed(on);
    let about = fs::read_to_string(path.join("config.toml")).unwrap();
    assert!(about.contains("validation = 0.1\n"), "{about}");
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

/// As after a kill between the first two files of a run.
#[test]
fn a_run_with_nothing_but_its_description_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 20);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let model = fs::read(path.join("model.safetensors")).unwrap();
    let run = fs::read(path.join("run.json")).unwrap();
    fs::remove_dir_all(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("run.json"), run).unwrap();
    let words = succeed(train(&config, &path));
    assert!(words.contains("it begins anew"), "{words}");
    assert_eq!(fs::read(path.join("model.safetensors")).unwrap(), model);
}

#[test]
fn a_run_without_a_checkpoint_begins_anew_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 40);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let model = fs::read(path.join("model.safetensors")).unwrap();
    // As after a kill before the first one.
    fs::remove_dir_all(path.join("checkpoints")).unwrap();
    fs::remove_file(path.join("summary.json")).unwrap();
    let name = path.to_str().unwrap();
    let words = ["has no checkpoint"];
    refused(program(&["train", "--resume", name]), &path, &words);
    let mut other = train(&config, &path);
    other.args(["--seed", "9"]);
    refused(other, &path, &["seed: 9; expected 5"]);
    let words = succeed(train(&config, &path));
    assert!(
        words.contains("ended before its first checkpoint: it begins anew"),
        "{words}"
    );
    assert_eq!(fs::read(path.join("model.safetensors")).unwrap(), model);
}

#[test]
fn a_run_that_diverged_says_where_it_was_good_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 60);
    let path = folder.path().join("run");
    let mut command = train(&config, &path);
    // A rate that is fine at first and explodes in the end.
    let points = "schedule.points=[[0, 0.01], [20, 0.01], [21, 1e30]]";
    command.args(["--set", "schedule.policy=piecewise", "--set", points]);
    let (status, words) = run(command);
    assert_eq!(status, 1, "{words}");
    assert!(
        words.contains("the last good checkpoint is of step 20"),
        "{words}"
    );
    let (_, line) = words.split_once("at half the rates: wavetrain ").unwrap();
    let line = line.lines().next().unwrap();
    let set = "--allow-changed --set 'schedule.points=[[0, 0.005], [20, 0.005], [21, 5e29]]'";
    assert!(line.contains(set), "{line}");
    let name = path.to_str().unwrap();
    refused(
        program(&["train", "--resume", name]),
        &path,
        &["diverged after step 20, and would again"],
    );
    let lower = "schedule.points=[[0, 0.005], [20, 0.005], [21, 0.001]]";
    succeed(program(&[
        "train",
        "--resume",
        name,
        "--allow-changed",
        "--set",
        lower,
    ]));
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
