//! Inputs with damage in them: files of data, pictures, models, configurations, run folders, comparisons,
//! arguments. Whatever they are, the program ends by itself with a status that its help names, says what
//! is wrong in a message that somebody reads, and panics never.
//!
//! Mutants are drawn from their numbers, so each can be made again. The suite takes some hundred;
//! `WAVETRAIN_MUTANTS=10000 cargo test --release --test mutants` takes ten thousand of all kinds together.
#![allow(missing_docs)]
#![cfg(unix)]

mod fixture;
mod mutation;

use std::fs;
use std::path::Path;

use fixture::Judge;
use mutation::Damage;

/// Mutants of each kind: all that are wanted, over the kinds.
fn count() -> u64 {
    let all = std::env::var("WAVETRAIN_MUTANTS").ok();
    let all = all.map_or(300, |all| all.parse().expect("a number of mutants"));
    u64::max(all / 10, 1)
}

/// Damages one of the files below `good` in a copy, number by number, and judges the commands.
fn files(kind: &str, good: &Path, names: &[&str], commands: &[&[&str]]) {
    let whole = Judge::new(kind, u64::MAX);
    fixture::copy(good, whole.folder());
    commands.iter().for_each(|command| whole.run_whole(command));
    for number in 0..count() {
        let judge = Judge::new(kind, number);
        fixture::copy(good, judge.folder());
        let mut damage = Damage::new(kind, number);
        let name = names[damage.below(names.len())];
        let path = judge.folder().join(name);
        let bytes = damage.apply(fs::read(&path).unwrap());
        fs::write(&path, bytes).unwrap();
        for command in commands {
            let _ = judge.run(command);
        }
    }
}

#[test]
fn idx() {
    let good = tempfile::tempdir().unwrap();
    let names = fixture::write_idx(good.path());
    let train = [
        "train",
        "mnist-mlp",
        "--data",
        ".",
        "--dry-run",
        "--adapter",
        "nowhere",
    ];
    files("idx", good.path(), &names, &[&train]);
}

/// The archive is damaged, or the tar file in it.
#[test]
fn cifar_archive() {
    let train = [
        "train",
        "cifar10-quick",
        "--data",
        ".",
        "--dry-run",
        "--adapter",
        "nowhere",
    ];
    let tar = fixture::cifar_tar();
    let whole = Judge::new("cifar", u64::MAX);
    fs::write(
        whole.folder().join("cifar-10-binary.tar.gz"),
        fixture::gzip(&tar),
    )
    .unwrap();
    whole.run_whole(&train);
    for number in 0..count() {
        let judge = Judge::new("cifar", number);
        let mut damage = Damage::new("cifar", number);
        let bytes = match damage.below(3) {
            0 => damage.apply(fixture::gzip(&tar)),
            _ => fixture::gzip(&damage.apply(tar.clone())),
        };
        fs::write(judge.folder().join("cifar-10-binary.tar.gz"), bytes).unwrap();
        let _ = judge.run(&train);
    }
}

#[test]
fn pictures() {
    let good = tempfile::tempdir().unwrap();
    let names = fixture::write_pictures(good.path());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let source = ["--set", "data.source=image_folder", "--set", "data.size=8"];
    let rest = ["--data", ".", "--dry-run", "--adapter", "nowhere"];
    let train = [&["train"][..], &source, &rest].concat();
    files("pictures", good.path(), &names, &[&train]);
}

#[test]
fn safetensors() {
    let good = tempfile::tempdir().unwrap();
    fixture::write_samples(good.path());
    let names = ["train.safetensors", "test.safetensors"];
    let train = ["train", "./own.toml", "--dry-run", "--adapter", "nowhere"];
    files("safetensors", good.path(), &names, &[&train]);
}

/// Read from the archive, or from what is unpacked of it.
#[test]
fn arrays() {
    let good = tempfile::tempdir().unwrap();
    fixture::write_arrays(good.path());
    let source = ["--set", "data.source=numpy", "--set", "data.cache=disk"];
    let rest = ["--set", "data.cache_dir=.", "--data", "all.npz"];
    let end = ["--dry-run", "--adapter", "nowhere"];
    let train = [&["train"][..], &source, &rest, &end].concat();
    files("arrays", good.path(), &["all.npz"], &[&train]);
}

#[test]
fn models() {
    let good = fixture::run_folder();
    let export = ["export", "run/model.safetensors", "--onnx", "out.onnx"];
    let init = [
        "train",
        "./own.toml",
        "--init",
        "run/model.safetensors",
        "--dry-run",
        "--adapter",
        "nowhere",
    ];
    files(
        "models",
        good,
        &["run/model.safetensors"],
        &[&export, &init],
    );
}

#[test]
fn configurations() {
    let good = fixture::run_folder();
    let schedule = ["schedule", "./own.toml", "--format", "json"];
    let plan = ["train", "./own.toml", "--dry-run", "--adapter", "nowhere"];
    files("toml", good, &["own.toml"], &[&schedule, &plan]);
}

#[test]
fn run_folders() {
    let good = fixture::run_folder();
    let names = ["run.json", "summary.json", "metrics.jsonl", "config.toml"];
    let checkpoints = fs::read_dir(good.join("run/checkpoints")).unwrap();
    let checkpoints = checkpoints.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let checkpoints = checkpoints.map(|name| format!("run/checkpoints/{name}"));
    let names = names
        .map(|name| format!("run/{name}"))
        .into_iter()
        .chain(checkpoints);
    let names: Vec<String> = names.collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let resume = [
        "train",
        "--resume",
        "run",
        "--set",
        "train.steps=40",
        "--adapter",
        "nowhere",
    ];
    files(
        "runs",
        good,
        &names,
        &[&["report", "run"], &["runs", ".", "--json"], &resume],
    );
}

#[test]
fn comparisons() {
    let good = fixture::run_folder();
    let mut names = Vec::new();
    fixture::below(&good.join("compared"), &mut names);
    let names: Vec<&str> = names
        .iter()
        .filter_map(|path| path.strip_prefix(good).unwrap().to_str())
        .filter(|name| name.ends_with(".json") || name.ends_with(".toml"))
        .collect();
    assert!(names.len() > 2, "{names:?}");
    let again = [&fixture::COMPARE[..], &["--adapter", "nowhere"]].concat();
    files("comparisons", good, &names, &[&again]);
}

#[test]
fn arguments() {
    for number in 0..count() {
        let judge = Judge::new("arguments", number);
        let mut damage = Damage::new("arguments", number);
        let arguments = damage.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let _ = judge.run(&arguments);
    }
}
