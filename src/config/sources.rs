//! The table `[data]`: the source with its own keys, and those that all have.

use toml::de::DeTable;

use super::Data;
use super::entries::{self, Family};
use super::problem::{Problems, keep};
use super::section;
use super::tables::Tables;
use super::value::Section;
use crate::args::stated;

pub(super) fn data_section(section: &Section<'_, '_>, tables: &Tables) -> Result<Data, Problems> {
    let fixed = stated::<Data>().names;
    let family = Family {
        what: "source",
        selector: "source",
        beside: fixed,
    };
    let mut problems = Problems::new();
    let source = entries::select(section, family, tables.sources, |source| source.validate());
    let source = keep(source, &mut problems);
    let pairs = section.table.iter();
    let pairs = pairs.filter(|(key, _)| {
        let key: &str = key.get_ref();
        key != family.selector && fixed.contains(&key)
    });
    let table: DeTable<'_> = pairs.map(|(k, v)| (k.clone(), v.clone())).collect();
    let data: Option<Data> = keep(section::read(&with_table(section, &table)), &mut problems);
    match (source, data) {
        (Some(source), Some(data)) => Ok(Data { source, ..data }),
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
