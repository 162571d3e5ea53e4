//! Who may use whom: rooms of the house, crates, the terminal, the environment, panics.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{self, Room};
use super::source::{Named, Source};
use super::{agree, sources, text};

/// Panics that no file, flag or driver of a user can reach, and why.
const PANICS: &[(&str, &str, &str)] = &[
    (
        "src/kernel/builder.rs",
        "unreachable",
        "`shared` gives buffers",
    ),
    (
        "src/product/matmul/plan.rs",
        "unreachable",
        "each caller in `layer` states both operands",
    ),
    (
        "src/kernel/shaders.rs",
        "panic",
        "names are literals in the layers; the proofs ask for all",
    ),
    (
        "src/rng.rs",
        "expect",
        "sets of samples are checked to have fewer than 2^32",
    ),
];

fn rooms() -> Vec<Room> {
    page::rooms(&text("ARCHITECTURE.md"))
}

fn floor_of<'a>(rooms: &'a [Room], name: &str) -> Option<&'a Room> {
    rooms.iter().find(|room| room.name == name)
}

/// What breaks the floors in one file.
fn trespasses(source: &Source, rooms: &[Room]) -> Vec<String> {
    let Some(here) = floor_of(rooms, source.room()) else {
        return vec![format!("{}: no room of the table", source.file)];
    };
    let mut complaints = Vec::new();
    for (path, line) in source.own_modules() {
        let Some(name) = path.first() else {
            continue;
        };
        let Some(there) = floor_of(rooms, name) else {
            // The crate's root re-exports what users want; inside, the room is named.
            complaints.push(format!("{}:{line}: `{name}` is no room", source.file));
            continue;
        };
        if there.name != here.name && !here.may_use.contains(&there.name) {
            complaints.push(format!(
                "{}:{line}: `{}` (floor {}) may not use `{}` (floor {})",
                source.file, here.name, here.floor, there.name, there.floor
            ));
        }
    }
    complaints
}

#[test]
fn the_floors_are_floors() {
    let rooms = rooms();
    let roof = rooms.iter().map(|room| room.floor).max();
    for room in &rooms {
        for used in &room.may_use {
            let used = floor_of(&rooms, used).unwrap_or_else(|| panic!("no room `{used}`"));
            let below = used.floor < room.floor || Some(room.floor) == roof;
            assert!(below, "{} is not above {}", room.name, used.name);
        }
    }
}

#[test]
fn every_room_uses_only_what_the_table_says() {
    let rooms = rooms();
    let sources = sources();
    let complaints: Vec<String> = sources.iter().flat_map(|s| trespasses(s, &rooms)).collect();
    agree(&complaints);
}

#[test]
fn every_room_of_the_table_exists() {
    let sources = sources();
    let there: BTreeSet<&str> = sources.iter().map(Source::room).collect();
    let listed = rooms();
    let listed: BTreeSet<&str> = listed.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(there, listed);
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    let rooms = rooms();
    let planted = [
        "use crate::train::event::Event;",
        "use crate::{error::Result, train::{self, Flow}};",
        "fn f() -> crate::train::Trainer { todo() }",
        "fn f() { let x = super::super::train::event::null(); }",
        "fn f() { assert_eq!(1, crate::train::STEPS); }",
        "impl crate::train::Observer for u8 {}",
        "mod inner { use super::super::super::train as t; }",
        "pub use crate::train::*;",
    ];
    for code in planted {
        let source = Source::read("src/gpu/device.rs", code);
        let found = trespasses(&source, &rooms);
        assert!(!found.is_empty(), "{code}");
        assert!(
            found[0].contains("`gpu` (floor ") && found[0].contains("may not use `train` (floor "),
            "{found:?}"
        );
    }
    let through_the_root = Source::read("src/gpu/device.rs", "use crate::Trainer;");
    assert_eq!(trespasses(&through_the_root, &rooms).len(), 1);
    let allowed = "use crate::error::Result; use super::wait; #[cfg(test)] mod tests { use crate::train::X; }";
    assert_eq!(
        trespasses(&Source::read("src/gpu/device.rs", allowed), &rooms),
        [""; 0]
    );
}

/// The crates that Cargo.toml names, as Rust writes them.
fn dependencies() -> Vec<String> {
    let manifest: toml::Table = text("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let table = manifest["dependencies"].as_table().expect("a table");
    table.keys().cloned().collect()
}

/// Where each path's first segment is used: (file, line) by room.
fn users<'a>(sources: &'a [Source], name: &str) -> BTreeMap<&'a str, (&'a str, usize)> {
    let name = name.replace('-', "_");
    let mut users = BTreeMap::new();
    for source in sources {
        // A word alone is a variable of that name: a crate is used by a path into it.
        let into = |named: &&Named| named.path[0] == name && named.path.len() > 1;
        for named in source.named.iter().filter(into) {
            users
                .entry(source.room())
                .or_insert((source.file.as_str(), named.line));
        }
    }
    users
}

#[test]
fn every_crate_stays_in_its_rooms() {
    let sources = sources();
    let homes = page::crates(&text("ARCHITECTURE.md"));
    let mut complaints = Vec::new();
    for name in dependencies() {
        let Some(rooms) = homes.get(&name) else {
            complaints.push(format!(
                "Cargo.toml: `{name}` is not in the table of crates"
            ));
            continue;
        };
        let users = users(&sources, &name);
        if users.is_empty() {
            complaints.push(format!("Cargo.toml: nothing uses `{name}`"));
        }
        let Some(rooms) = rooms else { continue };
        for (room, (file, line)) in &users {
            if !rooms.iter().any(|home| home == room) {
                complaints.push(format!("{file}:{line}: `{name}` lives in {rooms:?} only"));
            }
        }
        for room in rooms
            .iter()
            .filter(|room| !users.contains_key(room.as_str()))
        {
            complaints.push(format!("ARCHITECTURE.md: `{room}` does not use `{name}`"));
        }
    }
    for name in homes.keys().filter(|name| !dependencies().contains(name)) {
        complaints.push(format!("ARCHITECTURE.md: no dependency is called `{name}`"));
    }
    agree(&complaints);
}

/// Complaints about everything named that `is_it` and that is in none of `rooms`.
fn kept(rooms: &[&str], what: &str, is_it: impl Fn(&Named) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources() {
        if rooms.contains(&source.room()) {
            continue;
        }
        for named in source.named.iter().filter(|named| is_it(named)) {
            let (file, line, path) = (&source.file, named.line, named.path.join("::"));
            complaints.push(format!("{file}:{line}: {path}: {what}"));
        }
    }
    complaints
}

fn ends_with(named: &Named, end: &[&str]) -> bool {
    let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
    path.ends_with(end)
}

#[test]
fn only_the_roof_prints() {
    agree(&kept(&["cli"], "only `cli` prints", |named| {
        ["print", "println", "eprint", "eprintln", "dbg"]
            .iter()
            .any(|name| ends_with(named, &[name, "!"]))
            || ["stdout", "stderr"]
                .iter()
                .any(|name| ends_with(named, &["io", name]))
    }));
}

#[test]
fn only_three_rooms_read_the_environment() {
    let rooms = ["gpu", "config", "cli"];
    agree(&kept(&rooms, "reads the environment", |named| {
        ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"]
            .iter()
            .any(|name| ends_with(named, &["env", name]))
            || ends_with(named, &["from_env"]) && named.path[0] == "wgpu"
    }));
}

#[test]
fn pollster_waits_in_one_function() {
    let sources = sources();
    let mut calls = sources
        .iter()
        .flat_map(|s| &s.named)
        .filter(|n| n.path[0] == "pollster");
    assert!(calls.next().is_some());
    assert_eq!(calls.next(), None);
}

#[test]
fn nothing_panics_that_is_not_listed_with_its_reason() {
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        for named in &source.named {
            let is_method = ["unwrap", "expect", "unwrap_err", "expect_err"]
                .iter()
                .any(|name| named.path == [".", name]);
            let is_macro = ["panic", "unreachable", "todo", "unimplemented"]
                .iter()
                .any(|name| ends_with(named, &[name, "!"]));
            if !is_method && !is_macro {
                continue;
            }
            let what = named
                .path
                .iter()
                .find(|n| *n != "." && *n != "!")
                .expect("a name");
            let listed = PANICS
                .iter()
                .position(|(file, name, _)| *file == source.file && name == what);
            match listed {
                Some(at) => _ = used.insert(at),
                None => complaints.push(format!(
                    "{}:{}: `{what}`: give an error, or list the panic with its reason",
                    source.file, named.line
                )),
            }
        }
    }
    for (at, (file, name, _)) in PANICS.iter().enumerate() {
        if !used.contains(&at) {
            complaints.push(format!(
                "{file} has no `{name}` any more: take it from the list"
            ));
        }
    }
    agree(&complaints);
}

#[test]
fn the_reader_sees_macros_methods_and_environment() {
    let code = "fn f() { let x = vec![Some(1).unwrap()]; println!(\"{}\", std::env::var(\"A\").expect(\"b\")); }";
    let source = Source::read("src/data/mod.rs", code);
    let has = |path: &[&str]| source.named.iter().any(|named| named.path == path);
    assert!(has(&[".", "unwrap"]) && has(&[".", "expect"]) && has(&["println", "!"]));
    assert!(
        source
            .named
            .iter()
            .any(|named| ends_with(named, &["env", "var"]))
    );
}
