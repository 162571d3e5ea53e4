//! The words of serde, which knows types and not people, in the words of this program.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::suggest;
use super::value::describe;
use crate::args::{Entry, is_auto};

/// Where the arguments of an entry were written.
pub(super) struct Site<'a, 't> {
    /// The dotted key of the table with the arguments (`schedule`, `model.layers[3].linear`).
    pub(super) path: String,
    /// `policy`, `layer` ...
    pub(super) what: &'static str,
    pub(super) table: &'a DeTable<'t>,
    pub(super) span: Range<usize>,
    /// What is pointed at when something is missing.
    pub(super) home: Range<usize>,
    /// Keys that stand beside those of the entry.
    pub(super) beside: &'static [&'static str],
}

/// A failure of serde to make `entry`, one of `entries`, from the arguments at `site`.
pub(super) fn explain<T: ?Sized>(
    site: &Site<'_, '_>,
    entry: &Entry<T>,
    entries: &[Entry<T>],
    error: &toml::de::Error,
) -> Problem {
    let message = error.message().trim_end();
    if let Some(missing) = message.strip_prefix("missing field ") {
        return missing_argument(site, entry, missing.trim_matches('`'));
    }
    if site.what == "policy"
        && let Some(span) = error.span()
        && let (key, Some(found)) = locate(&site.path, site.table, &span)
        && is_auto(found)
    {
        return no_bounds(key, entry, entries).at(span);
    }
    told(&site.path, site.table, &site.home, error).problem
}

/// A failure of serde in words.
pub(super) struct Told<'a, 't> {
    pub(super) problem: Problem,
    /// The value that it is about.
    pub(super) found: Option<&'a DeValue<'t>>,
    /// What serde expected instead, where it is a matter of the value's type or size.
    pub(super) expected: Option<&'a str>,
}

/// A failure of serde to read `table`, which is called `path` and stands at `home`.
pub(super) fn told<'a, 't>(
    path: &str,
    table: &'a DeTable<'t>,
    home: &Range<usize>,
    error: &'a toml::de::Error,
) -> Told<'a, 't> {
    let message = error.message().trim_end();
    let Some(span) = error.span() else {
        let text = format!("{path}: {message}");
        return Told {
            problem: Problem::new(path, text).at(home.clone()),
            found: None,
            expected: None,
        };
    };
    let (key, value) = match message.starts_with("invalid type: map") {
        true => table_at(path, table, &span),
        false => None,
    }
    .map_or_else(
        || locate(path, table, &span),
        |(key, value)| (key, Some(value)),
    );
    let found = value.map_or_else(|| "not readable".to_owned(), describe);
    let (before, expected) = message
        .split_once(", expected ")
        .or_else(|| message.split_once("; expected "))
        .unwrap_or((message, "something else"));
    let invalid = message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    let text = if message.starts_with("unknown variant ") {
        format!("{key} is {found}; expected {expected}")
    } else if message.starts_with("unknown field ") {
        format!("unknown key {key}; expected {expected}")
    } else if invalid {
        format!("{key} is {found}; expected {}", plain(expected))
    } else if message.ends_with("number overflowed") {
        format!("{key} is {found}; expected a number that 64 bits hold")
    } else {
        // Own deserializers follow the convention of `Invalid`: `is 0; expected ...`.
        let follows = message.starts_with("is ") || message.starts_with("has ");
        let colon = if follows { "" } else { ":" };
        format!("{key}{colon} {message}")
    };
    let meant = if message.starts_with("unknown ") {
        quoted(before).first().copied()
    } else if before.contains(", which is no ") {
        value.and_then(|value| value.as_str())
    } else {
        None
    };
    let mut problem = Problem::new(key, text).at(span);
    if let Some(near) = meant.and_then(|word| suggest::nearest(word, quoted(expected))) {
        problem = problem.help(format!("did you mean `{near}`?"));
    }
    Told {
        problem,
        found: value,
        expected: invalid.then_some(expected),
    }
}

fn missing_argument<T: ?Sized>(site: &Site<'_, '_>, entry: &Entry<T>, name: &str) -> Problem {
    let key = format!("{}.{name}", site.path);
    let text = format!("{key} is missing; {} {} needs it", site.what, entry.name);
    let table = if site.path.contains('.') {
        site.path.clone()
    } else {
        format!("[{}]", site.path)
    };
    Problem::new(key, text).at(site.home.clone()).help(format!(
        "for example, in {table}: {}",
        one_line(entry.example)
    ))
}

/// `"auto"` where no range test finds anything.
fn no_bounds<T: ?Sized>(key: String, entry: &Entry<T>, entries: &[Entry<T>]) -> Problem {
    let bounded = entries.iter().filter(|e| e.arguments.contains(&"max_lr"));
    let bounded = suggest::list(bounded.map(|e| e.name), "and");
    let message = format!(
        "{key} is \"auto\", but a range test finds no such bound for policy {}; expected a number",
        entry.name
    );
    Problem::new(key, message).help(format!(
        "\"auto\" stands for the bounds of a cycle: base_lr and max_lr of {bounded}"
    ))
}

/// What serde expects, in words.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        struct_name if struct_name.starts_with("struct ") => "a table",
        "a map" => "a table",
        "a sequence" => "an array",
        other => other,
    }
}

/// The words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The dotted key and the outermost table at `span`: all keys of an argument such as `--set a.b=1`
/// have one place.
fn table_at<'a, 't>(
    path: &str,
    table: &'a DeTable<'t>,
    span: &Range<usize>,
) -> Option<(String, &'a DeValue<'t>)> {
    table.iter().find_map(|(key, value)| {
        let (here, inner) = (dotted(path, key.get_ref()), value.get_ref().as_table()?);
        if value.span() == *span {
            return Some((here, value.get_ref()));
        }
        table_at(&here, inner, span)
    })
}

fn dotted(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// The dotted key and the innermost value at `span`.
fn locate<'a, 't>(
    path: &str,
    table: &'a DeTable<'t>,
    span: &Range<usize>,
) -> (String, Option<&'a DeValue<'t>>) {
    for (key, value) in table {
        let here = dotted(path, key.get_ref());
        if key.span() == *span && value.span() != *span {
            return (here, Some(value.get_ref()));
        }
        if let DeValue::Array(array) = value.get_ref() {
            for (position, element) in array.iter().enumerate() {
                if element.span() == *span && !element.get_ref().is_table() {
                    return (format!("{here}[{position}]"), Some(element.get_ref()));
                }
                if let DeValue::Table(inner) = element.get_ref() {
                    let (found, value) = locate(&format!("{here}[{position}]"), inner, span);
                    if value.is_some() {
                        return (found, value);
                    }
                }
            }
        }
        let within = value.span().start <= span.start && span.end <= value.span().end;
        // A table opened by dotted keys has the place of its first key only.
        match value.get_ref() {
            DeValue::Table(inner) => {
                let (found, value) = locate(&here, inner, span);
                if value.is_some() {
                    return (found, value);
                }
            }
            found if within => return (here, Some(found)),
            _ => {}
        }
        if within {
            return (here, Some(value.get_ref()));
        }
    }
    (path.to_owned(), None)
}

/// An example's TOML lines as the inside of an inline table.
pub(super) fn one_line(example: &str) -> String {
    let lines = example
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(", ")
}
