//! A policy that waits for its run: lengths in epochs, `"auto"`, defaults that depend on the run.

use toml::Table;
use toml::de::{DeTable, DeValue};

use crate::args::{AUTO, Args, Entry, Invalid, Scope};
use crate::schedule::{Policy, Rate};

/// A policy as it was written, with something left open. [`Policy::settle`] makes the policy that
/// was meant; until then its rate is 0 at every step, so that nothing can be trained under it.
#[derive(Debug, Clone)]
pub(super) struct Open {
    entry: &'static Entry<dyn Policy>,
    written: Table,
    /// The policy in some run: for what does not depend on the run.
    sample: Box<dyn Policy>,
}

impl Open {
    pub(super) fn new(
        entry: &'static Entry<dyn Policy>,
        arguments: &DeTable<'_>,
        sample: Box<dyn Policy>,
    ) -> Self {
        let value = plain(&DeValue::Table(arguments.clone()));
        Self {
            entry,
            written: value.as_table().cloned().unwrap_or_default(),
            sample,
        }
    }

    /// The argument that `error` is about: by its place, or by its name in the words.
    fn argument(&self, text: &str, error: &toml::de::Error) -> &'static str {
        let span = error.span().unwrap_or_default();
        let table = DeTable::parse(text).map(toml::Spanned::into_inner);
        let at = table.ok().and_then(|table| {
            let mut pairs = table.iter();
            let within = |value: &toml::Spanned<DeValue<'_>>| {
                value.span().start <= span.start && span.end <= value.span().end
            };
            let (key, _) = pairs.find(|(_, value)| within(value))?;
            let mut arguments = self.entry.arguments.iter();
            arguments.find(|name| **name == key.get_ref().as_ref())
        });
        at.copied().unwrap_or("policy")
    }
}

/// A value without its place.
fn plain(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => super::value::integer(number)
            .and_then(|n| i64::try_from(n).ok())
            .map_or_else(|| number.to_string().into(), toml::Value::Integer),
        DeValue::Float(number) => super::value::float(number).unwrap_or(f64::NAN).into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(date) => (*date).into(),
        DeValue::Array(array) => {
            let elements = array.iter().map(|element| plain(element.get_ref()));
            toml::Value::Array(elements.collect())
        }
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())))
                .collect(),
        ),
    }
}

/// Whether a value is `"auto"`, or one within it.
fn has_auto(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => text == AUTO,
        toml::Value::Array(array) => array.iter().any(has_auto),
        toml::Value::Table(table) => table.values().any(has_auto),
        _ => false,
    }
}

impl Policy for Open {
    fn name(&self) -> &'static str {
        self.entry.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.sample.validate()
    }

    fn at(&self, _step: u64) -> Rate {
        Rate::new(0.0)
    }

    fn momentum_range(&self) -> Option<[f64; 2]> {
        self.sample.momentum_range()
    }

    fn reads_evaluations(&self) -> bool {
        self.sample.reads_evaluations()
    }

    fn describe(&self) -> String {
        let named = self.entry.arguments.iter();
        let given = named.filter_map(|name| Some(format!("{name} = {}", self.written.get(*name)?)));
        let given: Vec<String> = given.collect();
        format!("{} with {}", self.entry.name, given.join(", "))
    }

    fn arguments(&self) -> Table {
        self.written.clone()
    }

    fn settle(&self, run: Scope) -> Option<Result<Box<dyn Policy>, Invalid>> {
        let text = self.written.to_string();
        let made = Args::parse(&text).and_then(|args| (self.entry.parse)(args.within(run)));
        let made = made.map_err(|error| Invalid {
            key: self.argument(&text, &error),
            message: error.message().to_owned(),
        });
        Some(made.and_then(|policy| policy.validate().map(|()| policy)))
    }

    fn is_open(&self) -> bool {
        true
    }

    fn wants_bounds(&self) -> bool {
        self.written.values().any(has_auto)
    }
}
