//! Policies, layers, losses and optimizers from their TOML: the name is looked up in the family's
//! table, the arguments are checked against the entry's, and whatever the entry itself refuses
//! gets its place in the text back.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::explain::{Site, explain, one_line};
use super::problem::Problem;
use super::schedule::{Open, Schedule};
use super::suggest;
use super::text::Origin;
use super::value::{Section, Value, describe};
use crate::args::{Args, Entry, Invalid, Scope};
use crate::schedule::Policy;

/// A family of entries, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// `policy`, `loss`, `optimizer`: what one is called.
    pub(super) what: &'static str,
    /// The key that names one.
    pub(super) selector: &'static str,
    /// Keys of the section that are not the entry's: the same for all.
    pub(super) beside: &'static [&'static str],
}

/// The entry that a section names.
pub(super) fn select<T: ?Sized + 'static>(
    section: &Section<'_, '_>,
    family: Family,
    entries: &'static [Entry<T>],
    validate: fn(&T) -> Result<(), Invalid>,
) -> Result<Box<T>, Vec<Problem>> {
    named(section, family, entries, |site, entry| {
        build(site, entry, entries, validate, None)
    })
}

/// The policy that a section names. What can be told only of a known run (lengths in epochs,
/// `"auto"`) is left open if it would be right in one of `runs`, which must not be empty.
pub(super) fn policy(
    section: &Section<'_, '_>,
    family: Family,
    entries: &'static [Entry<dyn Policy>],
    runs: &[Scope],
) -> Result<Schedule, Vec<Problem>> {
    named(section, family, entries, |site, entry| {
        let make = |run| build(site, entry, entries, |policy| policy.validate(), run);
        let mut problems = match make(None) {
            Ok(policy) => return Ok(Schedule::Fixed(policy)),
            Err(problems) => problems,
        };
        for (tried, run) in runs.iter().enumerate() {
            match make(Some(*run)) {
                Ok(sample) => {
                    return Ok(Schedule::Open(Open::new(
                        entry, entries, site.table, sample,
                    )));
                }
                Err(found) if tried == 0 => problems = found,
                Err(_) => {}
            }
        }
        Err(problems)
    })
}

/// The entry that a section names, made from the arguments in the section's other keys.
fn named<T: ?Sized, M>(
    section: &Section<'_, '_>,
    family: Family,
    entries: &'static [Entry<T>],
    make: impl Fn(&Site<'_, '_>, &'static Entry<T>) -> Result<M, Vec<Problem>>,
) -> Result<M, Vec<Problem>> {
    let selector = section.need(family.selector).map_err(one)?;
    let entry = selector
        .pick(entries, |entry| entry.name, family.what)
        .map_err(one)?;
    let mut table = section.table.clone();
    for key in family.beside.iter().chain([&family.selector]) {
        table.remove(*key);
    }
    let site = Site {
        path: section.name.to_owned(),
        what: family.what,
        table: &table,
        span: section.span.clone(),
        home: home(section, &selector),
        beside: family.beside,
    };
    make(&site, entry)
}

/// One element of `model.layers`.
pub(super) fn layer<T: ?Sized + 'static>(
    value: &Value<'_, '_>,
    entries: &'static [Entry<T>],
    validate: fn(&T) -> Result<(), Invalid>,
) -> Result<Box<T>, Vec<Problem>> {
    let (entry, table, span) = match value.value.get_ref() {
        DeValue::String(_) => {
            let entry = value
                .pick(entries, |entry| entry.name, "layer")
                .map_err(one)?;
            (entry, DeTable::new(), value.value.span())
        }
        DeValue::Table(table) => {
            let (name, argument) = only_key(value, table).map_err(one)?;
            let key = Spanned::new(name.span(), DeValue::String(name.get_ref().clone()));
            let named = Value {
                key: value.key.clone(),
                value: &key,
                texts: value.texts,
            };
            let entry = named
                .pick(entries, |entry| entry.name, "layer")
                .map_err(one)?;
            let table = long_form(value, entry, argument).map_err(one)?;
            (entry, table, argument.span())
        }
        _ => {
            let expected = "a layer: a name, { name = value } or { name = { argument = value } }";
            return Err(one(value.wrong(expected)));
        }
    };
    let site = Site {
        path: format!("{}.{}", value.key, entry.name),
        what: "layer",
        table: &table,
        home: span.clone(),
        span,
        beside: &[],
    };
    build(&site, entry, entries, validate, None)
}

/// The entry from its arguments, all that is wrong with them found.
fn build<T: ?Sized + 'static>(
    site: &Site<'_, '_>,
    entry: &Entry<T>,
    entries: &'static [Entry<T>],
    validate: fn(&T) -> Result<(), Invalid>,
    run: Option<Scope>,
) -> Result<Box<T>, Vec<Problem>> {
    unknown_arguments(site, entry, entries)?;
    let value = Spanned::new(site.span.clone(), DeValue::Table(site.table.clone()));
    let mut args = Args::new(value).among(entries);
    if let Some(run) = run {
        args = args.within(run);
    }
    let made = (entry.parse)(args).map_err(|error| one(explain(site, entry, entries, &error)))?;
    validate(&made).map_err(|invalid| one(refused(site, &invalid)))?;
    Ok(made)
}

/// Where a section's entry was named, or else where its table was opened.
fn home(section: &Section<'_, '_>, selector: &Value<'_, '_>) -> Range<usize> {
    let named = selector.value.span();
    match section.texts.find(&named) {
        Some((text, _)) if text.origin != Origin::Defaults => named,
        _ => section.span.clone(),
    }
}

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

type Pair<'a, 't> = (&'a Spanned<DeString<'t>>, &'a Spanned<DeValue<'t>>);

/// The one key of a layer's table, and what it is set to.
fn only_key<'a, 't>(
    value: &Value<'a, 't>,
    table: &'a DeTable<'t>,
) -> Result<Pair<'a, 't>, Problem> {
    let mut keys = table.iter();
    match (keys.next(), keys.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(value.refuse("is an empty table; expected { name = value }")),
        (Some(_), Some(_)) => Err(value
            .refuse("has more than one key; a layer's table has one, its name")
            .help("arguments stand in an inner table: { linear = { out_features = 10, bias = true } }")),
    }
}

/// The table of arguments that `{ linear = argument }` stands for.
fn long_form<'t, T: ?Sized>(
    value: &Value<'_, '_>,
    entry: &Entry<T>,
    argument: &Spanned<DeValue<'t>>,
) -> Result<DeTable<'t>, Problem> {
    match (argument.get_ref(), entry.short) {
        (DeValue::Table(table), _) => Ok(table.clone()),
        (_, Some(short)) => {
            let key = Spanned::new(argument.span(), short.into());
            Ok(DeTable::from_iter([(key, argument.clone())]))
        }
        (found, None) => {
            let key = format!("{}.{}", value.key, entry.name);
            let message = format!("{key} is {}; this layer has no short form", describe(found));
            let help = if entry.arguments.is_empty() {
                format!("write \"{}\"; it has no arguments", entry.name)
            } else {
                format!(
                    "write {{ {} = {{ {} }} }}",
                    entry.name,
                    one_line(entry.example)
                )
            };
            Err(Problem::new(key, message).at(argument.span()).help(help))
        }
    }
}

/// A problem for each key that is no argument of the entry.
fn unknown_arguments<T: ?Sized>(
    site: &Site<'_, '_>,
    entry: &Entry<T>,
    entries: &[Entry<T>],
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for key in site.table.keys() {
        let name: &str = key.get_ref();
        if entry.arguments.contains(&name) {
            continue;
        }
        let (what, path) = (site.what, format!("{}.{name}", site.path));
        let message = format!("unknown key {path}; {what} {} does not take it", entry.name);
        let mut problem = Problem::new(path, message).at(key.span());
        let known = entry.arguments.iter().chain(site.beside).copied();
        if let Some(near) = suggest::nearest(name, known) {
            problem = problem.help(format!("did you mean `{near}`?"));
        }
        let owners = entries.iter().filter(|e| e.arguments.contains(&name));
        let owners: Vec<&str> = owners.map(|e| e.name).collect();
        if !owners.is_empty() {
            problem = problem.help(format!(
                "{name} belongs to {}",
                suggest::list(owners, "and")
            ));
        }
        let takes = entry.arguments.iter().chain(site.beside).copied();
        let takes = suggest::list(takes, "and");
        let nothing = entry.arguments.is_empty() && site.beside.is_empty();
        problems.push(problem.help(if nothing {
            format!("{what} {} takes no arguments", entry.name)
        } else {
            format!("{what} {} takes {takes}", entry.name)
        }));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// A value that the entry itself refuses.
fn refused(site: &Site<'_, '_>, invalid: &Invalid) -> Problem {
    let key = format!("{}.{}", site.path, invalid.key);
    let place = layers_get(site.table, invalid.key).unwrap_or_else(|| site.home.clone());
    Problem::new(key, invalid.within(&site.path)).at(place)
}

fn layers_get(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    super::layers::get(table, key).map(Spanned::span)
}
