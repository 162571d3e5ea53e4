//! What a run that goes on is told, keeps and says: changes, records, commands.

use std::fs;
use std::path::Path;

use wavetrain::report::folder::checkpoints;
use wavetrain::train::Checkpoint;

use super::fixture::{config, program, refused, run, start, succeed, train};

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
