//! No circles: of two files side by side, at most one knows the other, directly or through others.
//!
//! What counts is whose names a file writes down. A name that a `mod.rs` hands on belongs to the file
//! that it comes from. A `mod.rs` and a file beside it count as one: it holds the trait and the table
//! of its entries. A folder counts as one with all that is in it, and its own files are looked at by
//! themselves. Rooms cannot form circles, because floors only look down.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Reexport, Source};
use super::{agree, sources};

/// The modules of the crate, and what each hands on from its own.
struct Modules {
    /// A module and, for a name that it hands on, the path of it.
    handed_on: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

impl Modules {
    fn of(sources: &[Source]) -> Self {
        let mut handed_on: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for source in sources {
            let names = handed_on.entry(source.module().to_vec()).or_default();
            for Reexport { name, path } in &source.reexports {
                names.insert(name.clone(), path.clone());
            }
        }
        Self { handed_on }
    }

    /// The module that defines what the path (from the crate's root) names.
    fn home(&self, path: &[String]) -> Vec<String> {
        let mut path = path.to_vec();
        // Each turn follows one `pub use`; longer chains are nobody's.
        for _ in 0..8 {
            let depth = (0..=path.len())
                .rev()
                .find(|n| self.handed_on.contains_key(&path[..*n]));
            let (module, rest) = path.split_at(depth.unwrap_or(0));
            let names = self.handed_on.get(module);
            let Some(next) = rest.first().and_then(|name| names?.get(name)) else {
                return module.to_vec();
            };
            path = next.iter().chain(&rest[1..]).cloned().collect();
        }
        path
    }
}

/// Who knows whom among the neighbours of each folder, with the line that shows it.
type Known = BTreeMap<Vec<String>, BTreeMap<String, BTreeMap<String, String>>>;

fn known(sources: &[Source]) -> Known {
    let modules = Modules::of(sources);
    let mut known = Known::new();
    for source in sources {
        let here = source.module();
        for (path, line) in source.own_modules() {
            let there = modules.home(path);
            let common = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (here.get(common), there.get(common)) else {
                // One is the `mod.rs` of the other, or both are one.
                continue;
            };
            if common == 0 {
                continue;
            }
            let folder = known.entry(here[..common].to_vec()).or_default();
            let knows = folder.entry(from.clone()).or_default();
            let line = format!("{}:{line}", source.file);
            knows.entry(to.clone()).or_insert(line);
        }
    }
    known
}

/// A way from `from` to `to` among neighbours, as lines.
fn way(
    folder: &BTreeMap<String, BTreeMap<String, String>>,
    from: &str,
    to: &str,
    seen: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if !seen.insert(from.to_owned()) {
        return None;
    }
    for (next, line) in folder.get(from).into_iter().flatten() {
        let step = format!("{line} ({from} -> {next})");
        if next == to {
            return Some(vec![step]);
        }
        if let Some(rest) = way(folder, next, to, seen) {
            return Some([vec![step], rest].concat());
        }
    }
    None
}

/// A complaint for each folder with a circle: its lines, one after the other.
fn circles(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, folder) in &known(sources) {
        let found = folder.keys().find_map(|name| {
            let circle = way(folder, name, name, &mut BTreeSet::new())?;
            Some(format!("src/{}: {}", path.join("/"), circle.join(", ")))
        });
        complaints.extend(found);
    }
    complaints
}

#[test]
fn no_files_know_each_other_in_a_circle() {
    agree(&circles(&sources()));
}

#[test]
fn a_circle_is_found_however_long_and_through_whichever_mod_rs() {
    let read = |files: &[(&str, &str)]| {
        let read = |(file, text): &(&str, &str)| Source::read(file, text);
        circles(&files.iter().map(read).collect::<Vec<_>>())
    };
    let root = (
        "src/room/mod.rs",
        "mod a; mod b; mod c; pub use a::A; pub trait T {}",
    );
    let a = (
        "src/room/a.rs",
        "use super::T; use super::b::B; pub struct A;",
    );
    let b = ("src/room/b.rs", "pub struct B;");
    assert_eq!(read(&[root, a, b]), [""; 0]);
    for back in [
        "use super::a::A;",
        "use super::A;",
        "fn f(_: crate::room::A) {}",
    ] {
        let found = read(&[root, a, ("src/room/b.rs", back)]);
        assert_eq!(found.len(), 1, "{back}");
        assert!(
            found[0].contains("a -> b") && found[0].contains("b -> a"),
            "{found:?}"
        );
    }
    let long = read(&[
        root,
        a,
        ("src/room/b.rs", "use super::c::inner::C;"),
        ("src/room/c/mod.rs", "pub mod inner;"),
        (
            "src/room/c/inner.rs",
            "use crate::room::a::A; pub struct C;",
        ),
    ]);
    assert_eq!(long.len(), 1, "{long:?}");
    let tested = (
        "src/room/b.rs",
        "#[cfg(test)] mod tests { use super::super::a::A; }",
    );
    assert_eq!(read(&[root, a, tested]), [""; 0]);
}
