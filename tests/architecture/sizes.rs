//! How large a file or a function may be, what it may be called, and what may not stand in it.

use super::source::Source;
use super::{agree, files, text};

/// Lines of a file. Far above what is usual here: a file of this length holds two things. The limit
/// must not shape the code, only stop what nobody would defend.
const FILE: usize = 700;
/// Lines of a function; the same is true of it.
const FUNCTION: usize = 100;
/// Names that say nothing.
const NAMES: [&str; 7] = [
    "utils", "util", "helpers", "helper", "common", "misc", "manager",
];

fn rust_files() -> Vec<String> {
    ["src", "tests", "examples"]
        .iter()
        .flat_map(|folder| files(folder, &["rs"]))
        .collect()
}

#[test]
fn no_file_is_longer_than_it_can_be_read() {
    let mut complaints = Vec::new();
    for file in rust_files().into_iter().chain(files("shaders", &["wgsl"])) {
        let lines = text(&file).lines().count();
        if lines > FILE {
            complaints.push(format!("{file}: {lines} lines, more than {FILE}"));
        }
    }
    agree(&complaints);
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut complaints = Vec::new();
    for file in rust_files() {
        let source = Source::read(&file, &text(&file));
        for function in source.functions.iter().filter(|f| f.lines > FUNCTION) {
            let (name, line, lines) = (&function.name, function.line, function.lines);
            complaints.push(format!(
                "{file}:{line}: {name} has {lines} lines, more than {FUNCTION}"
            ));
        }
    }
    agree(&complaints);
}

#[test]
fn the_length_of_a_function_is_counted_wherever_it_stands() {
    let body = "let x = 1;\n".repeat(FUNCTION - 1);
    let long = |around: &str| around.replace("BODY", &body);
    for around in [
        "fn f() {\nBODY}",
        "impl X { fn f() {\nBODY} }",
        "trait X { fn f() {\nBODY} }",
        "#[cfg(test)] mod tests { #[test] fn f() {\nBODY} }",
        "mod inner { fn g() { fn f() {\nBODY} } }",
    ] {
        let source = Source::read("src/x.rs", &long(around));
        let f = source.functions.iter().find(|f| f.name == "f");
        assert_eq!(f.map(|f| f.lines), Some(FUNCTION + 1), "{around}");
    }
}

#[test]
fn every_name_says_something() {
    let mut complaints = Vec::new();
    for file in rust_files().into_iter().chain(files("shaders", &["wgsl"])) {
        let mut names = file.split(['/', '.']);
        if let Some(name) = names.find(|name| NAMES.contains(name)) {
            complaints.push(format!("{file}: `{name}` says nothing about what is in it"));
        }
    }
    agree(&complaints);
}

#[test]
fn every_file_opens_with_what_it_holds() {
    let mut complaints = Vec::new();
    for file in files("src", &["rs"])
        .into_iter()
        .chain(files("shaders", &["wgsl"]))
    {
        let open = if file.ends_with("rs") { "//! " } else { "// " };
        if !text(&file).starts_with(open) {
            complaints.push(format!(
                "{file}: does not open with `{open}` and a sentence"
            ));
        }
    }
    agree(&complaints);
}

#[test]
fn no_test_is_ignored() {
    let mut complaints = Vec::new();
    for file in rust_files() {
        for line in Source::read(&file, &text(&file)).ignored {
            complaints.push(format!("{file}:{line}: an ignored test is run by nobody"));
        }
    }
    agree(&complaints);
}
