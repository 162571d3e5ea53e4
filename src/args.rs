//! How an entry of a table (policy, layer, loss, optimizer) is made from its TOML arguments
//!.
//!
//! The tables must not know where a value was written, and the configuration must not know the
//! fields of each entry: [`Args`] stands between them. An entry calls [`Args::read`] with its own
//! serde struct; the configuration makes the arguments and turns a failure, which keeps its place,
//! into a diagnostic that points into the file.

mod among;
mod refusal;
mod scope;
mod stated;
mod values;

use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use among::Among;
use refusal::Refusal;
use scope::Stretch;
pub use scope::{Scope, Steps};
pub use stated::{Stated, stated};
pub use values::{
    MOST, choice, counted, is_below_one, is_f32, list, number, one_of, some_whole, whole,
};

/// One line of a table of policies, layers, losses or optimizers (`T` is the family's trait).
///
/// The table of a family (in its `mod.rs`) is the only place that lists names: parsing, help,
/// documentation and the proofs loop over it.
#[derive(Debug)]
pub struct Entry<T: ?Sized> {
    /// The name in the configuration.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Its arguments, in the order in which they are shown.
    pub arguments: &'static [&'static str],
    /// The argument that the short form sets: `{ linear = 256 }` sets `out_features`.
    pub short: Option<&'static str>,
    /// An example: the table's contents as TOML lines (`out_features = 10`).
    pub example: &'static str,
    /// Makes the entry from its arguments.
    pub parse: for<'a> fn(Args<'a>) -> Result<Box<T>, toml::de::Error>,
}

/// A value that an entry refuses: the argument's name and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The argument's name (`max_lr`).
    pub key: &'static str,
    /// What was found, what is expected (`is 0.01, below base_lr = 0.1; ...`).
    pub message: String,
}

impl Invalid {
    /// The refusal in words, for arguments that are called `path`: `schedule.max_lr is 0.01, below
    /// base_lr`. A member of a list goes on with its number and its own key.
    #[must_use]
    pub fn within(&self, path: &str) -> String {
        let Self { key, message } = self;
        let gap = if message.starts_with(['[', '.']) {
            ""
        } else {
            " "
        };
        format!("{path}.{key}{gap}{message}")
    }
}

/// The string that stands for a rate which a range test finds.
pub const AUTO: &str = "auto";

/// The arguments of one entry as written in TOML, with the places of the values kept.
#[derive(Debug, Clone)]
pub struct Args<'a> {
    value: Spanned<DeValue<'a>>,
    scope: Option<Scope>,
    /// The arguments that may be `"auto"`: the low rate, the high rate.
    bounds: [&'static str; 2],
    /// The table that the entry is from, for entries within it.
    among: Option<Among>,
}

impl<'a> Args<'a> {
    /// Arguments from a parsed value (a table).
    #[must_use]
    pub fn new(value: Spanned<DeValue<'a>>) -> Self {
        Self {
            value,
            scope: None,
            bounds: ["base_lr", "max_lr"],
            among: None,
        }
    }

    /// Arguments from TOML text (`out_features = 10`), for tests and library users.
    ///
    /// # Errors
    /// If the text is not TOML.
    pub fn parse(text: &'a str) -> Result<Self, toml::de::Error> {
        let table = DeTable::parse(text)?;
        let span = table.span();
        Ok(Self::new(Spanned::new(
            span,
            DeValue::Table(table.into_inner()),
        )))
    }

    /// The same arguments in a known run: lengths may be given in epochs, rates as `"auto"`.
    #[must_use]
    pub fn within(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// The same arguments for an entry of the table `entries`: what is nested in it is chosen from
    /// there, too.
    #[must_use]
    pub fn among<T: ?Sized + 'static>(mut self, entries: &'static [Entry<T>]) -> Self {
        self.among = Some(Among::new(entries));
        self
    }

    /// The table that an entry of the family `T` within this one is chosen from; `None` for the
    /// family's own.
    #[must_use]
    pub fn entries<T: ?Sized + 'static>(&self) -> Option<&'static [Entry<T>]> {
        self.among.as_ref().and_then(Among::entries)
    }

    /// The run, where it is known.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// The same arguments, of which `low` and `high` may be `"auto"` (`base_lr` and `max_lr` where
    /// nothing is said; an empty name is none).
    #[must_use]
    pub fn with_bounds(mut self, low: &'static str, high: &'static str) -> Self {
        self.bounds = [low, high];
        self
    }

    /// Reads the arguments into the entry's own struct. In a known run `"4 epochs"` is read as the
    /// steps that it is (by [`Steps`]), and `"auto"` as a number.
    ///
    /// # Errors
    /// A missing, unknown or mistyped argument, with its place.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, toml::de::Error> {
        let mut value = self.value;
        let Some(scope) = self.scope else {
            return T::deserialize(value.into_deserializer());
        };
        if let Some(per_epoch) = scope.steps_per_epoch {
            count_epochs(&mut value, per_epoch);
        }
        let rates = scope.bounds.map(|bounds| bounds.map(|b| format!("{b:?}")));
        if let DeValue::Table(table) = value.get_mut() {
            for (key, rate) in self.bounds.iter().zip(rates.iter().flatten()) {
                let auto = table.get_mut(*key).filter(|v| is_auto(v.get_ref()));
                if let (Some(auto), Ok(rate)) = (auto, DeValue::parse(rate)) {
                    *auto = Spanned::new(auto.span(), rate.into_inner());
                }
            }
        }
        T::deserialize(value.into_deserializer())
    }

    /// Takes the argument `key` out: what is left is read without it. In its turn it can be the
    /// arguments of an entry, in the same run.
    pub fn take(&mut self, key: &str) -> Option<Self> {
        let DeValue::Table(table) = self.value.get_mut() else {
            return None;
        };
        let value = table.remove(key)?;
        Some(self.with_value(value))
    }

    /// The name and the value of a table that has one key only; `None` for anything else.
    #[must_use]
    pub fn only(&self) -> Option<(&str, Self)> {
        let mut pairs = self.value.get_ref().as_table()?.iter();
        let (name, value) = pairs.next()?;
        let only = pairs.next().is_none();
        only.then(|| (name.get_ref().as_ref(), self.with_value(value.clone())))
    }

    /// A table of arguments as it is; anything else as the argument `short`, or refused where there
    /// is none.
    ///
    /// # Errors
    /// A value that is no table, where there is no short form.
    pub fn long_form(self, short: Option<&'static str>) -> Result<Self, toml::de::Error> {
        if self.value.get_ref().is_table() {
            return Ok(self);
        }
        let Some(short) = short else {
            return Err(self.refuse("has no short form; expected a table of arguments"));
        };
        let span = self.value.span();
        let key = Spanned::new(span.clone(), short.into());
        let table = DeTable::from_iter([(key, self.value.clone())]);
        Ok(self.with_value(Spanned::new(span, DeValue::Table(table))))
    }

    /// No arguments, at this place.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let table = DeValue::Table(DeTable::new());
        self.with_value(Spanned::new(self.value.span(), table))
    }

    /// The elements of an array; `None` for anything else.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Self>> {
        let array = self.value.get_ref().as_array()?;
        let elements = array.iter().map(|value| self.with_value(value.clone()));
        Some(elements.collect())
    }

    /// The characters of a string; `None` for anything else.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.value.get_ref().as_str()
    }

    /// An error at the place of these arguments (or of this one value).
    #[must_use]
    pub fn refuse(&self, message: impl Into<String>) -> toml::de::Error {
        // Errors get their place where a deserializer makes them.
        let value = self.value.clone().into_deserializer();
        match Refusal(message.into()).deserialize(value) {
            Ok(never) => never,
            Err(error) => error,
        }
    }

    /// An error at the place of the argument `key`, if it is given, or else of all.
    #[must_use]
    pub fn refuse_key(&self, key: &str, message: impl Into<String>) -> toml::de::Error {
        let table = self.value.get_ref().as_table();
        match table.and_then(|table| table.get(key)) {
            Some(value) => self.with_value(value.clone()).refuse(message),
            None => self.refuse(message),
        }
    }

    fn with_value(&self, value: Spanned<DeValue<'a>>) -> Self {
        Self {
            scope: self.scope,
            among: self.among.clone(),
            ..Self::new(value)
        }
    }
}

/// Whether a value is the string `"auto"`.
#[must_use]
pub(crate) fn is_auto(value: &DeValue<'_>) -> bool {
    value.as_str() == Some(AUTO)
}

/// Writes lengths in epochs as lengths in steps; which arguments may be lengths is their type's
/// affair.
fn count_epochs(value: &mut Spanned<DeValue<'_>>, per_epoch: u64) {
    match value.get_mut() {
        DeValue::String(text) => {
            if let Some(stretch @ Stretch::Epochs(_)) = Stretch::parse(text)
                && let Some(steps) = stretch.steps(per_epoch)
            {
                *text = format!("{steps} steps").into();
            }
        }
        DeValue::Array(array) => {
            for value in array.iter_mut() {
                count_epochs(value, per_epoch);
            }
        }
        DeValue::Table(table) => {
            for (_, value) in table.iter_mut() {
                count_epochs(value, per_epoch);
            }
        }
        _ => {}
    }
}
