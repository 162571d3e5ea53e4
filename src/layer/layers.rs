//! Layers inside a layer: a list as it is written, read and refused.

use serde::{Serialize, Serializer};

use super::{Args, Entry, Invalid, LAYERS, Layer};

/// Layers inside a layer, written as in `model.layers`.
#[derive(Debug, Clone, Default)]
pub struct Layers(pub Vec<Box<dyn Layer>>);

impl Layers {
    /// The layers of an array, each a name or a table with the name as its only key, from the table
    /// that the layer around them is from.
    ///
    /// # Errors
    /// What is no list of layers, with its place.
    pub fn read(list: &Args<'_>) -> Result<Self, toml::de::Error> {
        let entries = list.entries::<dyn Layer>().unwrap_or(LAYERS);
        let Some(elements) = list.elements() else {
            return Err(list.refuse("is no list; expected layers, such as [\"tanh\"]"));
        };
        let layers = elements.into_iter().map(|layer| read(layer, entries));
        layers.collect::<Result<_, _>>().map(Self)
    }

    /// The layers of the argument `key`, taken out of `args`; `None` where it is not given.
    ///
    /// # Errors
    /// As [`Layers::read`].
    pub(super) fn take(args: &mut Args<'_>, key: &str) -> Result<Option<Self>, toml::de::Error> {
        args.take(key).map(|list| Self::read(&list)).transpose()
    }

    /// Refuses arguments of one of them that make no layer; `key` is the argument that holds them.
    ///
    /// # Errors
    /// The first that is wrong, with its position in the list.
    pub(super) fn validate(&self, key: &'static str) -> Result<(), Invalid> {
        for (position, layer) in self.0.iter().enumerate() {
            layer.validate().map_err(|invalid| Invalid {
                key,
                message: format!(
                    "[{position}] ({}): {} {}",
                    layer.name(),
                    invalid.key,
                    invalid.message
                ),
            })?;
        }
        Ok(())
    }
}

impl Serialize for Layers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.0.iter().map(|layer| {
            let arguments = layer.arguments();
            if arguments.is_empty() {
                return toml::Value::String(layer.name().to_owned());
            }
            let mut table = toml::Table::new();
            table.insert(layer.name().to_owned(), toml::Value::Table(arguments));
            toml::Value::Table(table)
        });
        serializer.collect_seq(written)
    }
}

/// One layer.
fn read(
    written: Args<'_>,
    entries: &'static [Entry<dyn Layer>],
) -> Result<Box<dyn Layer>, toml::de::Error> {
    let named = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name);
        entry.ok_or_else(|| {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
            let names = names.join(", ");
            written.refuse(format!("no layer is called `{name}`; there are {names}"))
        })
    };
    if let Some(name) = written.text() {
        return (named(name)?.parse)(written.emptied());
    }
    let Some((name, arguments)) = written.only() else {
        return Err(written.refuse("is no layer; expected \"relu\" or { linear = 10 }"));
    };
    let entry = named(name)?;
    (entry.parse)(arguments.long_form(entry.short)?)
}
