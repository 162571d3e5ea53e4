//! A fixed section from its table: a serde struct, read as the arguments of an entry are, with every
//! wrong value told and not only the first.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::explain::told;
use super::layers;
use super::problem::Problem;
use super::text::Texts;
use super::value::{Section, misread, unquoted};
use crate::args::{Args, stated};

/// Reads `section` into the struct whose fields are its keys.
pub(super) fn read<T: DeserializeOwned>(section: &Section<'_, '_>) -> Result<T, Vec<Problem>> {
    let defaults = layers::defaults(section.name);
    let mut table = section.table.clone();
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    loop {
        let value = Spanned::new(section.span.clone(), DeValue::Table(table.clone()));
        let error = match Args::new(value).read() {
            Ok(read) if problems.is_empty() => return Ok(read),
            Ok(_) => break,
            Err(error) => error,
        };
        let key = wrong_key(&table, &error);
        let position = stated::<T>().names.iter().position(|name| *name == key);
        problems.push((
            position.unwrap_or(usize::MAX),
            problem(section, &table, &error),
        ));
        // The default in its place, to see what else is wrong.
        let before = table.remove(key.as_str());
        match (
            before,
            defaults
                .as_ref()
                .and_then(|d| d.get_key_value(key.as_str())),
        ) {
            (Some(_), Some((key, default))) => {
                table.insert(key.clone(), default.clone());
            }
            (Some(_), None) => {}
            (None, _) => break,
        }
    }
    problems.sort_by_key(|(position, _)| *position);
    Err(problems.into_iter().map(|(_, problem)| problem).collect())
}

/// The key whose value `error` is about; no key's name if it is about none.
fn wrong_key(table: &DeTable<'_>, error: &toml::de::Error) -> String {
    let span = error.span().unwrap_or_default();
    let mut pairs = table.iter();
    let within =
        pairs.find(|(_, value)| value.span().start <= span.start && span.end <= value.span().end);
    within.map_or_else(String::new, |(key, _)| key.get_ref().to_string())
}

fn problem(section: &Section<'_, '_>, table: &DeTable<'_>, error: &toml::de::Error) -> Problem {
    let told = told(section.name, table, &section.span, error);
    let found = told.found;
    let mut problem = told.problem;
    let texts: &Texts = section.texts;
    if let (Some(value), Some(span)) = (found, &problem.span) {
        let help = match told.expected {
            Some(_) if value.is_str() => misread(texts, span, value),
            Some(expected) if wants_string(expected) => unquoted(texts, span, value),
            _ => None,
        };
        problem.help.extend(help);
    }
    problem
}

/// Whether a string is expected.
fn wants_string(expected: &str) -> bool {
    expected.ends_with("as a string") || expected.contains("`")
}
