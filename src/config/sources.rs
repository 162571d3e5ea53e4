//! The table `[data]`: the source and its keys beside those that all have.

use toml::de::DeTable;

use super::Data;
use super::problem::{Problem, Problems, keep};
use super::section;
use super::suggest;
use super::tables::Tables;
use super::value::{Section, Value};
use crate::args::stated;
use crate::picture::Resize;
use crate::source::{self, Options};

pub(super) fn data_section(section: &Section<'_, '_>, tables: &Tables) -> Result<Data, Problems> {
    let own = stated::<Options>().names;
    let part = |wanted: &dyn Fn(&str) -> bool| {
        let pairs = section.table.iter();
        let part = pairs.filter(|(key, _)| wanted(key.get_ref().as_ref()));
        part.map(|(key, value)| (key.clone(), value.clone()))
            .collect::<DeTable<'_>>()
    };
    let mut problems = Problems::new();
    let source = section
        .need("source")
        .and_then(|value| value.pick(tables.sources, |source| source.name, "source"))
        .map_err(|problem| vec![problem]);
    let options = source.as_ref().ok().and_then(|source| {
        let table = part(&|key| own.contains(&key));
        let options = options(&with_table(section, &table), source, tables);
        keep(options, &mut problems)
    });
    let source = keep(source, &mut problems);
    let table = part(&|key| key != "source" && !own.contains(&key));
    let data: Option<Data> = keep(section::read(&with_table(section, &table)), &mut problems);
    match (source, options, data) {
        (Some(source), Some(options), Some(data)) => Ok(Data {
            source,
            options,
            ..data
        }),
        _ => Err(problems),
    }
}

/// The same section with some of its keys.
fn with_table<'a, 't>(section: &Section<'_, 't>, table: &'a DeTable<'t>) -> Section<'a, 't> {
    Section {
        name: section.name,
        table,
        span: section.span.clone(),
        texts: section.texts,
    }
}

/// The keys that only some sources have; one that the chosen source has not is a mistake.
fn options(
    section: &Section<'_, '_>,
    source: &source::Entry,
    tables: &Tables,
) -> Result<Options, Problems> {
    let mut problems = Problems::new();
    let mut table = section.table.clone();
    for key in stated::<Options>().names {
        if let Some(value) = section.get(key).filter(|_| !source.keys.contains(key)) {
            problems.push(not_of(&value, key, source, tables));
            table.remove(*key);
        }
    }
    let options: Option<Options> = keep(section::read(&with_table(section, &table)), &mut problems);
    if let (Some(options), Some(value)) = (&options, section.get("resize"))
        && problems.is_empty()
        && options.size.is_none()
        && options.resize != Resize::None
    {
        let problem = value.refuse("is set, but data.size does not say to which size");
        problems.push(problem.help("add data.size, for example data.size = 32"));
    }
    match options {
        Some(options) if problems.is_empty() => Ok(options),
        _ => Err(problems),
    }
}

/// A key of another source.
fn not_of(value: &Value<'_, '_>, key: &str, source: &source::Entry, tables: &Tables) -> Problem {
    let name = source.name;
    let problem = Problem::new(
        value.key.clone(),
        format!("{} is set, but source {name} does not take it", value.key),
    )
    .at(value.value.span());
    let owners = tables
        .sources
        .iter()
        .filter(|entry| entry.keys.contains(&key));
    let owners: Vec<&str> = owners.map(|entry| entry.name).collect();
    if owners.is_empty() {
        return problem.help("leave it out");
    }
    problem.help(format!("{key} belongs to {}", suggest::list(owners, "and")))
}
