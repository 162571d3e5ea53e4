//! One name for one public thing.

use std::collections::BTreeMap;

use super::{agree, files, text};

/// Names that mean two things, and why they stay.
const EXCUSED: [(&str, &str); 6] = [
    ("Key", "of a buffer in a plan, and of the random generator"),
    ("Linear", "a policy and a layer, both PyTorch's names"),
    (
        "Split",
        "the part of an evaluation, and the parts themselves",
    ),
    ("Storage", "of samples, and of parameters"),
    ("Target", "of a comparison, and of a plan"),
    (
        "Variant",
        "of a comparison, and of the kernels of attention",
    ),
];

/// The name of the public type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub ")?;
    let (kind, rest) = rest.split_once(' ')?;
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    ["struct", "enum", "trait", "type"]
        .contains(&kind)
        .then(|| &rest[..end])
}

#[test]
fn public_types_have_names_of_their_own() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files("src", &["rs"]) {
        for name in text(&file).lines().filter_map(declared) {
            places
                .entry(name.to_owned())
                .or_default()
                .push(file.clone());
        }
    }
    assert!(places.len() > 200 && places.contains_key("Trainer"));
    let mut complaints = Vec::new();
    for (name, files) in &places {
        let excused = EXCUSED.iter().any(|(other, _)| other == name);
        match (files.len() > 1, excused) {
            (true, false) => complaints.push(format!("`{name}` is in {}", files.join(" and "))),
            (false, true) => complaints.push(format!("`{name}` is one thing after all")),
            _ => {}
        }
    }
    agree(&complaints);
    assert_eq!(declared("    pub enum Op {"), Some("Op"));
    assert_eq!(declared("pub(super) struct Op;"), None);
}
