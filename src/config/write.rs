//! A configuration as text again, with nothing left to a default.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::sections::Top;
use super::{Bounds, Config, Data, Settled};
use crate::args::Entry;
use crate::layer::{LAYERS, Layer};
use crate::loss::LOSSES;
use crate::optim::decay_on::{self, DecayOn};
use crate::optim::{OPTIMIZERS, clip_norm, lr_mult};
use crate::schedule::POLICIES;
use crate::source::SOURCES;

impl Config {
    /// The whole configuration as TOML, all defaults spelled out, in a stable order; reading it
    /// again gives an equal configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let schedule = &self.schedule;
        self.written(schedule.sample().name(), &schedule.arguments(), None)
    }

    fn written(&self, policy: &str, schedule: &Table, bounds: Option<&Bounds>) -> String {
        let mut out = String::new();
        lines(&mut out, &pairs(&Top { seed: self.seed }));
        out.push_str("\n[data]\n");
        lines(&mut out, &self.data.pairs());
        out.push_str("\n[augment]\n");
        lines(&mut out, &pairs(&self.augment));
        out.push_str("\n[model]\nlayers = [\n");
        for layer in &self.layers {
            let _ = writeln!(out, "    {},", layer_text(layer.as_ref()));
        }
        out.push_str("]\n");
        if !self.freeze.is_empty() {
            let names = self.freeze.iter().cloned().map(Value::String);
            line(&mut out, "freeze", &Value::Array(names.collect()));
        }
        let (loss, optimizer) = (&self.loss, &self.optimizer);
        section(&mut out, "loss", "kind", loss.name());
        arguments(&mut out, &loss.arguments(), order(LOSSES, loss.name()));
        section(&mut out, "optimizer", "kind", optimizer.name());
        let known = order(OPTIMIZERS, optimizer.name());
        arguments(&mut out, &optimizer.arguments(), known);
        if let Some(norm) = self.clip_norm {
            line(&mut out, clip_norm::KEY, &Value::Float(norm));
        }
        if self.decay_on != DecayOn::All {
            let name = self.decay_on.name().to_owned();
            line(&mut out, decay_on::KEY, &Value::String(name));
        }
        if !self.lr_mult.is_empty() {
            let factors = self.lr_mult.iter();
            let factors = factors.map(|(pattern, factor)| (pattern.clone(), (*factor).into()));
            line(&mut out, lr_mult::KEY, &Value::Table(factors.collect()));
        }
        out.push('\n');
        out += &schedule_text(policy, schedule, bounds);
        out.push_str("\n[train]\n");
        lines(&mut out, &pairs(&self.train));
        out.push_str("\n[cycle_end]\n");
        lines(&mut out, &pairs(&self.cycle_end));
        out.push_str("\n[checkpoint]\n");
        lines(&mut out, &pairs(&self.checkpoint));
        out
    }

    /// `[data]` as a table.
    #[must_use]
    pub fn data_table(&self) -> Table {
        self.data.pairs().into_iter().collect()
    }

    /// `model.layers` as a list: a name, or a table with the name as its only key, for each.
    #[must_use]
    pub fn layers_value(&self) -> Value {
        let layers = self.layers.iter().map(|layer| {
            let arguments = layer.arguments();
            if arguments.is_empty() {
                return layer.name().into();
            }
            Table::from_iter([(layer.name().to_owned(), Value::Table(arguments))]).into()
        });
        Value::Array(layers.collect())
    }

    /// `[loss]` as a table.
    #[must_use]
    pub fn loss_table(&self) -> Table {
        let kind = ("kind".to_owned(), self.loss.name().into());
        std::iter::once(kind).chain(self.loss.arguments()).collect()
    }
}

impl Settled {
    /// The whole configuration as TOML, as [`Config::to_toml`] writes it, with the schedule in
    /// numbers and a comment that says where bounds come from: reading it again trains the same.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let (policy, bounds) = (&self.schedule, self.bounds.as_ref());
        let arguments = policy.arguments();
        self.config.written(policy.name(), &arguments, bounds)
    }

    /// The table `[schedule]` of [`Settled::to_toml`] alone, to be pasted into a file.
    #[must_use]
    pub fn schedule_toml(&self) -> String {
        let (policy, bounds) = (&self.schedule, self.bounds.as_ref());
        schedule_text(policy.name(), &policy.arguments(), bounds)
    }

    /// [`Settled::to_toml`] and, in the table `[run]`, where bounds come from, so that
    /// [`Config::bounds`] has them again.
    #[must_use]
    pub fn to_toml_with_bounds(&self) -> String {
        let mut text = self.to_toml();
        if let Some(bounds) = &self.bounds {
            text.push_str("\n[run]\n");
            line(&mut text, "bounds", &Value::String(bounds.describe()));
        }
        text
    }
}

/// `[schedule]` with a comment that says where bounds come from.
fn schedule_text(policy: &str, schedule: &Table, bounds: Option<&Bounds>) -> String {
    let mut out = format!("[schedule]\npolicy = \"{policy}\"\n");
    if let Some(bounds) = bounds {
        let _ = writeln!(out, "# {}", bounds.describe());
    }
    arguments(&mut out, schedule, order(POLICIES, policy));
    out
}

/// The order in which the arguments of an entry are shown.
fn order<T: ?Sized>(entries: &'static [Entry<T>], name: &str) -> &'static [&'static str] {
    let entry = entries.iter().find(|entry| entry.name == name);
    entry.map(|entry| entry.arguments).unwrap_or_default()
}

/// `"relu"` or `{ linear = { out_features = 10, bias = true } }`.
fn layer_text(layer: &dyn Layer) -> String {
    let table = layer.arguments();
    let name = layer.name();
    if table.is_empty() {
        return inline(&name.into());
    }
    let pairs: Vec<String> = ordered(&table, order(LAYERS, name))
        .map(|(key, value)| format!("{} = {}", key_text(key), inline(value)))
        .collect();
    format!("{{ {} = {{ {} }} }}", key_text(name), pairs.join(", "))
}

fn section(out: &mut String, name: &str, selector: &str, selected: &str) {
    let _ = writeln!(out, "\n[{name}]");
    line(out, selector, &selected.into());
}

fn arguments(out: &mut String, table: &Table, order: &[&str]) {
    for (key, value) in ordered(table, order) {
        line(out, key, value);
    }
}

/// The pairs in the order of `order`, then the others by name.
fn ordered<'a>(
    table: &'a Table,
    order: &'a [&'a str],
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let listed = order
        .iter()
        .filter_map(|key| Some((*key, table.get(*key)?)));
    let others = table.iter().map(|(key, value)| (key.as_str(), value));
    listed.chain(others.filter(|(key, _)| !order.contains(key)))
}

fn line(out: &mut String, key: &str, value: &Value) {
    let _ = writeln!(out, "{} = {}", key_text(key), inline(value));
}

impl Data {
    /// The keys of `[data]` with their values, the source's own at the end.
    fn pairs(&self) -> Vec<(String, Value)> {
        let mut all = vec![("source".to_owned(), self.source.name().into())];
        all.extend(pairs(self));
        let arguments = self.source.arguments();
        let own = ordered(&arguments, order(SOURCES, self.source.name()));
        all.extend(own.map(|(key, value)| (key.to_owned(), value.clone())));
        all
    }
}

/// The keys of a fixed section with their values, in the order of the struct's fields.
fn pairs(section: &impl Serialize) -> Vec<(String, Value)> {
    // TOML's own tables would be sorted by name, and refuse numbers above 2^63 - 1.
    match serde_json::to_value(section) {
        Ok(Json::Object(pairs)) => {
            let pairs = pairs.into_iter();
            pairs
                .filter_map(|(key, value)| Some((key, plain(value)?)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A value of a section in TOML; seeds and counts are at most `i64::MAX` when they were read, and
/// others are cut, never wrapped.
fn plain(value: Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::String(text) => Value::String(text),
        Json::Number(number) if number.is_f64() => Value::Float(number.as_f64()?),
        Json::Number(number) => Value::Integer(number.as_i64().unwrap_or(i64::MAX)),
        Json::Array(array) => Value::Array(array.into_iter().filter_map(plain).collect()),
        Json::Object(table) => {
            let pairs = table.into_iter();
            Value::Table(pairs.filter_map(|(k, v)| Some((k, plain(v)?))).collect())
        }
    })
}

fn lines(out: &mut String, pairs: &[(String, Value)]) {
    for (key, value) in pairs {
        line(out, key, value);
    }
}

/// A value on one line. Floats are written as short as they can be read back (`1e-5`, not
/// `0.00001`, and `1e300` not as three hundred digits); the rest is the TOML writer's.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::Float(number) => format!("{number:?}"),
        Value::Array(array) => {
            let all: Vec<String> = array.iter().map(inline).collect();
            format!("[{}]", all.join(", "))
        }
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let pairs = table
                .iter()
                .map(|(k, v)| format!("{} = {}", key_text(k), inline(v)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A key, in quotes where it needs them.
fn key_text(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}
