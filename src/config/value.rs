//! Reading single values: what was found, what was expected, where.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::problem::Problem;
use super::suggest;
use super::text::{Origin, Texts};
use crate::args::one_of;

/// A value with its dotted key.
#[derive(Debug, Clone)]
pub(super) struct Value<'a, 't> {
    pub(super) key: String,
    pub(super) value: &'a Spanned<DeValue<'t>>,
    pub(super) texts: &'t Texts,
}

/// One table of the configuration, whose keys are known.
#[derive(Debug, Clone)]
pub(super) struct Section<'a, 't> {
    pub(super) name: &'static str,
    pub(super) table: &'a DeTable<'t>,
    pub(super) span: Range<usize>,
    pub(super) texts: &'t Texts,
}

impl<'a, 't> Section<'a, 't> {
    /// The section `name` of the merged configuration.
    pub(super) fn of(
        merged: &'a DeTable<'t>,
        name: &'static str,
        texts: &'t Texts,
    ) -> Result<Self, Problem> {
        let Some(value) = merged.get(name) else {
            return Err(Problem::new(name, format!("the table [{name}] is missing")));
        };
        let value = Value {
            key: name.to_owned(),
            value,
            texts,
        };
        match value.value.get_ref() {
            DeValue::Table(table) => Ok(Self {
                name,
                table,
                span: value.value.span(),
                texts,
            }),
            _ => Err(value.wrong("a table").help(format!(
                "write [{name}] and its keys below, or --set {name}.KEY=VALUE"
            ))),
        }
    }

    /// The value of `key`, if it is given.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a, 't>> {
        self.table.get(key).map(|value| Value {
            key: format!("{}.{key}", self.name),
            value,
            texts: self.texts,
        })
    }

    /// The value of `key`.
    pub(super) fn need(&self, key: &str) -> Result<Value<'a, 't>, Problem> {
        self.get(key).ok_or_else(|| {
            let key = format!("{}.{key}", self.name);
            Problem::new(key.clone(), format!("{key} is missing")).at(self.span.clone())
        })
    }
}

impl<'t> Value<'_, 't> {
    /// A problem with this value: found against expected.
    pub(super) fn wrong(&self, expected: &str) -> Problem {
        let found = describe(self.value.get_ref());
        let problem = Problem::new(
            self.key.clone(),
            format!("{} is {found}; expected {expected}", self.key),
        )
        .at(self.value.span());
        match self.misread() {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    /// A problem with this value in own words, which follow the key's name.
    pub(super) fn refuse(&self, why: &str) -> Problem {
        Problem::new(self.key.clone(), format!("{} {why}", self.key)).at(self.value.span())
    }

    /// Why a value of `--set` became a string although no quotes were typed, or something else
    /// than the string that was meant.
    fn misread(&self) -> Option<String> {
        misread(self.texts, &self.value.span(), self.value.get_ref())
    }

    /// A string.
    pub(super) fn text(&self, expected: &str) -> Result<&str, Problem> {
        self.value.get_ref().as_str().ok_or_else(|| {
            let mut problem = self.wrong(expected);
            let help = unquoted(self.texts, &self.value.span(), self.value.get_ref());
            problem.help.extend(help);
            problem
        })
    }

    /// The one of `all` whose name is given; `what` one of them is called.
    pub(super) fn pick<'e, E>(
        &self,
        all: &'e [E],
        name: impl Fn(&E) -> &'static str,
        what: &str,
    ) -> Result<&'e E, Problem> {
        let names: Vec<&str> = all.iter().map(&name).collect();
        let expected = one_of(names.iter().copied());
        let word = self.text(&expected)?;
        let found = all.iter().find(|one| name(one) == word);
        found.ok_or_else(|| {
            let problem = self.refuse(&format!(
                "is {word:?}, which is no {what}; expected {expected}"
            ));
            match suggest::nearest(word, names) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            }
        })
    }
}

/// Why a value of `--set` at `span` became a string although no quotes were typed.
pub(super) fn misread(texts: &Texts, span: &Range<usize>, found: &DeValue<'_>) -> Option<String> {
    let (text, _) = texts.find(span)?;
    if text.origin != Origin::Argument {
        return None;
    }
    let typed = texts.slice(span)?;
    let quoted = typed.starts_with(['"', '\'']);
    (found.is_str() && !quoted)
        .then(|| format!("`{typed}` is not a TOML value, so it was read as a string"))
}

/// How a value at `span` would be a string.
pub(super) fn unquoted(texts: &Texts, span: &Range<usize>, found: &DeValue<'_>) -> Option<String> {
    let typed = texts.slice(span)?;
    (!typed.contains(['"', '\n']) && !found.is_table())
        .then(|| format!("a string stands in quotes: \"{typed}\""))
}

/// What a value is, for a sentence: `0`, `the string "abc"`, `a table`.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > 60 => "a long string".to_owned(),
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The value of an integer, if 128 bits hold it.
pub(super) fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The value of a float; `None` if it is too large for 64 bits.
pub(super) fn float(number: &DeFloat<'_>) -> Option<f64> {
    let text = number.as_str();
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || text.contains("inf") || text.contains("nan")).then_some(value)
}
