//! The rules of the house, read from `ARCHITECTURE.md` and held against the sources: floors,
//! crates, tables, sizes, names. A rule that is broken fails with file and line.
#![allow(missing_docs)]

mod circles;
mod crates;
mod golden;
mod imports;
mod names;
mod page;
mod sizes;
mod source;
mod tables;

use std::path::{Path, PathBuf};

use source::Source;

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under `folder` with one of the endings, sorted, from the repository's root.
fn files(folder: &str, endings: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = walkdir::WalkDir::new(root().join(folder))
        .into_iter()
        .map(|entry| entry.expect("the folder can be read").into_path())
        .filter(|path| path.is_file() && endings.contains(&ending(path)))
        .map(|path| from_root(&path))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no {endings:?} in {folder}");
    found
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

fn from_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("below the root");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn text(file: &str) -> String {
    let path: PathBuf = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The sources of the library and the program.
fn sources() -> Vec<Source> {
    files("src", &["rs"])
        .iter()
        .map(|file| Source::read(file, &text(file)))
        .collect()
}

/// Fails with all complaints at once.
fn agree(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
