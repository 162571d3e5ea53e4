//! `[schedule]` as written: a policy, or one that a run has to decide (lengths in epochs, rates that
//! are `"auto"`, defaults that are the run's length).

use toml::Table;
use toml::de::{DeTable, DeValue};

use crate::args::{AUTO, Args, Entry, Invalid, Scope};
use crate::schedule::Policy;

/// `[schedule]` as written.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// A policy that is the same in every run.
    Fixed(Box<dyn Policy>),
    /// One that a run decides.
    Open(Open),
}

/// A policy with something that a run decides.
#[derive(Debug, Clone)]
pub struct Open {
    entry: &'static Entry<dyn Policy>,
    /// The table that it is from, for policies within it.
    entries: &'static [Entry<dyn Policy>],
    written: Table,
    sample: Box<dyn Policy>,
}

impl<P: Policy + 'static> From<P> for Schedule {
    fn from(policy: P) -> Self {
        Self::Fixed(Box::new(policy))
    }
}

impl From<Box<dyn Policy>> for Schedule {
    fn from(policy: Box<dyn Policy>) -> Self {
        Self::Fixed(policy)
    }
}

impl Schedule {
    /// The policy, where it is the same in every run.
    #[must_use]
    pub fn policy(&self) -> Option<&dyn Policy> {
        match self {
            Self::Fixed(policy) => Some(&**policy),
            Self::Open(_) => None,
        }
    }

    /// The policy, in some run: for what no run changes, such as its name and its momenta.
    #[must_use]
    pub fn sample(&self) -> &dyn Policy {
        match self {
            Self::Fixed(policy) => &**policy,
            Self::Open(open) => &*open.sample,
        }
    }

    /// The arguments as written, and of a fixed policy all, defaults included.
    #[must_use]
    pub fn arguments(&self) -> Table {
        match self {
            Self::Fixed(policy) => policy.arguments(),
            Self::Open(open) => open.written.clone(),
        }
    }

    /// Whether a rate is `"auto"`.
    #[must_use]
    pub fn wants_bounds(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Open(open) => open.written.values().any(has_auto),
        }
    }

    /// The policy in a known run.
    ///
    /// # Errors
    /// An argument that makes no schedule in this run.
    pub fn in_run(&self, run: Scope) -> Result<Box<dyn Policy>, Invalid> {
        match self {
            Self::Fixed(policy) => Ok(policy.clone()),
            Self::Open(open) => open.in_run(run),
        }
    }
}

impl Open {
    /// The policy of `entry`, one of `entries`, with these arguments, which are right in the run of `sample`.
    pub(super) fn new(
        entry: &'static Entry<dyn Policy>,
        entries: &'static [Entry<dyn Policy>],
        arguments: &DeTable<'_>,
        sample: Box<dyn Policy>,
    ) -> Self {
        let value = plain(&DeValue::Table(arguments.clone()));
        Self {
            entry,
            entries,
            written: value.as_table().cloned().unwrap_or_default(),
            sample,
        }
    }

    fn in_run(&self, run: Scope) -> Result<Box<dyn Policy>, Invalid> {
        let text = self.written.to_string();
        let made = Args::parse(&text)
            .and_then(|args| (self.entry.parse)(args.within(run).among(self.entries)));
        let policy = made.map_err(|error| Invalid {
            key: self.argument(&text, &error),
            message: error.message().to_owned(),
        })?;
        policy.validate().map(|()| policy)
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
