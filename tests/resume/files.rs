//! What the folders of two runs have in common.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files of a run that tell what was trained, with the times taken out of them; of TensorBoard's
/// records, which hold times, the length.
pub(crate) fn contents(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["", "snapshots"] {
        for entry in fs::read_dir(run.join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(
                !name.starts_with(".wavetrain-"),
                "{} is left",
                path.display()
            );
            let bytes = || fs::read(&path).unwrap();
            let bytes = match name.as_str() {
                "metrics.jsonl" => without_times(&bytes()),
                name if name.ends_with(".safetensors") => bytes(),
                "metrics.csv" | "config.toml" => bytes(),
                name if name.starts_with("events.out") => bytes().len().to_string().into_bytes(),
                _ => continue,
            };
            found.insert(format!("{folder}/{name}"), bytes);
        }
    }
    found
}

/// Lines of low points say how long the run has trained.
fn without_times(metrics: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(metrics).unwrap();
    let lines = text
        .split_inclusive('\n')
        .map(|line| match line.split_once("\"seconds\":") {
            None => line.to_owned(),
            Some((before, after)) => {
                let (_, after) = after.split_once(',').unwrap();
                format!("{before}{after}")
            }
        });
    lines.collect::<String>().into_bytes()
}

/// Fails at the first file in which two runs differ.
pub(crate) fn same(found: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    let found = contents(found);
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected));
    for (name, bytes) in expected {
        if found[name] != *bytes {
            let at = found[name].iter().zip(bytes).position(|(a, b)| a != b);
            panic!(
                "{name} differs at {at:?}; {} bytes, expected {}",
                found[name].len(),
                bytes.len()
            );
        }
    }
}
