//! `--set KEY=VALUE`, `--data DIR`, `--seed N`: the last layer of a configuration.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::layers;
use super::problem::Problem;
use super::text::{Origin, Text, Texts, shift};

/// What stands above the preset or the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `KEY=VALUE` each: a dotted key and a TOML value; what is not TOML is a string. A key given
    /// twice takes the last value.
    pub set: Vec<String>,
    /// `data.dir`.
    pub data: Option<PathBuf>,
    /// `seed`.
    pub seed: Option<u64>,
}

impl Overrides {
    /// The arguments as they are typed, each a text of its own.
    pub(super) fn add_to(&self, texts: &mut Texts) -> Result<(), Problem> {
        for set in &self.set {
            texts.add(Origin::Argument, format!("{SET}{set}"));
        }
        if let Some(dir) = &self.data {
            let Some(dir) = dir.to_str() else {
                return Err(Problem::new(
                    "data.dir",
                    format!("--data {} is not UTF-8 text", dir.display()),
                )
                .help("rename the folder, or reach it through a link with a plain name"));
            };
            texts.add(Origin::Argument, format!("{DATA}{dir}"));
        }
        if let Some(seed) = self.seed {
            texts.add(Origin::Argument, format!("{SEED}{seed}"));
        }
        Ok(())
    }
}

const SET: &str = "--set ";
const DATA: &str = "--data ";
const SEED: &str = "--seed ";

/// One layer made of all arguments: among `--set`, the last wins; a flag and a `--set` of the same
/// key must agree.
pub(super) fn layer<'t>(texts: &'t Texts) -> Result<DeTable<'t>, Vec<Problem>> {
    let mut layer = DeTable::new();
    let mut problems = Vec::new();
    for text in texts.iter().filter(|t| t.origin == Origin::Argument) {
        let added = if let Some(set) = text.text.strip_prefix(SET) {
            assignment(text, set).and_then(|table| layers::assign(&mut layer, table))
        } else {
            flag(text, &mut layer)
        };
        problems.extend(added.err());
    }
    if problems.is_empty() {
        Ok(layer)
    } else {
        Err(problems)
    }
}

/// The table that one `KEY=VALUE` stands for: `a.b=1` is `{ a = { b = 1 } }`.
fn assignment<'t>(text: &'t Text, set: &'t str) -> Result<DeTable<'t>, Problem> {
    let whole = text.start + SET.len()..text.start + text.text.len();
    let Some((key, value)) = set.split_once('=') else {
        return Err(Problem::keyless(format!("--set {set} has no `=`"))
            .at(whole)
            .help("write --set KEY=VALUE, for example --set schedule.max_lr=0.1"));
    };
    let value_at = text.start + SET.len() + key.len() + 1;
    let path = key_path(key).map_err(|why| {
        Problem::keyless(format!("--set {set}: {why}"))
            .at(whole.start..whole.start + key.len())
            .help("a key is a dotted name, for example schedule.max_lr")
    })?;
    // Spaces around the value belong to the shell's quotes, not to the value.
    let trimmed = value.trim();
    let value_at = value_at + (value.len() - value.trim_start().len());
    let value = DeValue::parse(trimmed)
        .unwrap_or_else(|_| Spanned::new(0..trimmed.len(), DeValue::String(trimmed.into())));
    let value = shift(value, value_at);
    Ok(nest(path, &(whole.start..whole.start + key.len()), value))
}

/// `{ a = { b = value } }` for the path `a.b`.
fn nest<'t>(
    path: Vec<DeString<'t>>,
    key_span: &Range<usize>,
    value: Spanned<DeValue<'t>>,
) -> DeTable<'t> {
    let mut value = value;
    for part in path.into_iter().rev() {
        let table = DeTable::from_iter([(Spanned::new(key_span.clone(), part), value)]);
        value = Spanned::new(key_span.clone(), DeValue::Table(table));
    }
    match value.into_inner() {
        DeValue::Table(table) => table,
        // Only an empty path comes here, and no key is empty.
        _ => DeTable::new(),
    }
}

/// The parts of a dotted key.
fn key_path(key: &str) -> Result<Vec<DeString<'static>>, String> {
    if key.trim().is_empty() {
        return Err("the key before `=` is empty".to_owned());
    }
    if key.contains(['\n', '\r', '#']) {
        return Err(format!("{key:?} is not a key"));
    }
    let document = format!("{key}=0");
    let mut table = DeTable::parse(&document)
        .map_err(|error| format!("`{key}` is not a key ({})", error.message()))?
        .into_inner();
    let mut path = Vec::new();
    // One assignment gives tables of one key each.
    while let Some((key, value)) = table.into_iter().next() {
        path.push(key.into_inner().into_owned().into());
        match value.into_inner() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    Ok(path)
}

/// `--data` and `--seed`.
fn flag<'t>(text: &'t Text, layer: &mut DeTable<'t>) -> Result<(), Problem> {
    let (flag, key) = if text.text.starts_with(DATA) {
        (DATA, "data.dir")
    } else {
        (SEED, "seed")
    };
    let given = &text.text[flag.len()..];
    let value = match DeValue::parse(given) {
        Ok(number) if flag == SEED => number.into_inner(),
        _ => DeValue::String(given.into()),
    };
    let value_span = text.start + flag.len()..text.start + text.text.len();
    let flag_span = text.start..text.start + flag.len();
    let flag = flag.trim_end();
    if let Some(before) = layers::get(layer, key)
        && !layers::same(before.get_ref(), &value)
    {
        return Err(
            Problem::new(key, format!("{flag} and --set {key} disagree"))
                .at(value_span)
                .and(before.span(), "the other value")
                .help(format!("give one of them: {flag} sets {key}")),
        );
    }
    let path = key.split('.').map(Into::into).collect();
    let table = nest(path, &flag_span, Spanned::new(value_span, value));
    layers::merge_tables(layer, table);
    Ok(())
}
