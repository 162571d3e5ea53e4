//! Reads the tables of `ARCHITECTURE.md`: what they say is what holds.

use std::collections::BTreeMap;

use super::{agree, files, root, text};

/// A room of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) floor: u32,
    pub(crate) name: String,
    /// Rooms that it may use.
    pub(crate) may_use: Vec<String>,
}

/// The floors, from the table below the heading "The floors".
pub(crate) fn rooms(page: &str) -> Vec<Room> {
    let rows = table(page, "## The floors");
    let names: Vec<String> = rows.iter().map(|row| code(&row[1]).remove(0)).collect();
    rows.iter()
        .map(|row| Room {
            floor: row[0].parse().expect("a floor is a number"),
            name: code(&row[1]).remove(0),
            may_use: match row[3].as_str() {
                "all" => names.clone(),
                listed => code(listed),
            },
        })
        .collect()
}

/// Rooms by crate, from the table below the heading "The crates"; none for one that is used
/// anywhere.
pub(crate) fn crates(page: &str) -> BTreeMap<String, Option<Vec<String>>> {
    table(page, "## The crates")
        .into_iter()
        .map(|row| {
            let rooms = (row[1] != "anywhere").then(|| code(&row[1]));
            (code(&row[0]).remove(0), rooms)
        })
        .collect()
}

/// The rows of the first table below a heading, cell by cell.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let after = page.lines().skip_while(|line| *line != heading);
    let rows: Vec<Vec<String>> = after
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect();
    assert!(!rows.is_empty(), "no table below `{heading}`");
    rows
}

/// The words between backticks.
fn code(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Folders whose files are named in pages and comments.
const FOLDERS: [&str; 6] = [
    "src/",
    "shaders/",
    "tests/",
    "examples/",
    "scripts/",
    "assets/",
];

/// The paths between backticks that are no patterns.
fn paths(text: &str) -> Vec<String> {
    let is_pattern = |word: &str| word.contains(['*', ' ', '$', '{']) || word.contains("NAME");
    text.lines()
        .flat_map(code)
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !is_pattern(word))
        .collect()
}

#[test]
fn pages_and_comments_name_files_that_exist() {
    let mut complaints = Vec::new();
    let mut texts = files("src", &["rs"]);
    texts.extend(files("shaders", &["wgsl"]));
    texts.extend(["ARCHITECTURE.md", "README.md"].map(str::to_owned));
    for file in texts {
        for path in paths(&text(&file)) {
            if !root().join(&path).exists() {
                complaints.push(format!("{file}: there is no `{path}`"));
            }
        }
    }
    agree(&complaints);
}

#[test]
fn paths_are_found_between_backticks() {
    let found = paths("see `src/a.rs` and `src/NAME.rs`,\n`cargo test`, `shaders/b.wgsl`");
    assert_eq!(found, ["src/a.rs", "shaders/b.wgsl"]);
}
