//! Layers of configuration and how a later one changes an earlier one.
//!
//! The order is: the defaults, the preset or the file, the arguments. A later value of a key
//! replaces an earlier one, and more than that where keys belong together:
//! - naming `schedule.policy`, `loss.kind`, `optimizer.kind` or `data.source`, even the same one,
//!   drops what earlier layers said in that table, so that no key of another entry is left to
//!   complain about; the defaults hold again;
//! - `train.steps` and `train.epochs` replace each other; both in one layer is a mistake.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// What holds when nobody says anything: the first value of each key. The arguments of policies,
/// losses and optimizers have their defaults where they are defined.
pub(super) const DEFAULTS: &str = r#"
seed = 1

[data]
source = "glyphs"
seed = 0
subset = 1.0
validation = 0.0
batch = 128
shuffle = true
drop_last = false
normalize = "unit"
cache = "auto"

[augment]
horizontal_flip = 0.0
vertical_flip = 0.0
shift = 0
padding = "reflect"
rotation = 0.0
scale = [1.0, 1.0]
shear = 0.0
cutout = 0
brightness = 0.0
contrast = 0.0
saturation = 0.0

[model]
layers = [
    "flatten",
    { linear = 256 },
    "relu",
    { linear = { out_features = 10, bias = true, init = "torch" } },
]

[loss]
kind = "cross_entropy"

[optimizer]
kind = "sgd"

[schedule]
policy = "triangular"

[train]
epochs = 1
accumulate = 1
eval_every = "1 epoch"
early_stop = 0
log_every = 100
chunk = "auto"

[cycle_end]
snapshot = false
average = false

[checkpoint]
every = "auto"
keep = 2
"#;

/// The defaults of the table `name`.
pub(super) fn defaults(name: &str) -> Option<DeTable<'static>> {
    let mut defaults = DeTable::parse(DEFAULTS).ok()?.into_inner();
    match name {
        "" => Some(defaults),
        name => match defaults.remove(name)?.into_inner() {
            DeValue::Table(table) => Some(table),
            _ => None,
        },
    }
}

/// The tables whose other keys depend on one key: naming it makes the table new.
pub(super) const SELECTORS: [(&str, &str); 4] = [
    ("data", "source"),
    ("loss", "kind"),
    ("optimizer", "kind"),
    ("schedule", "policy"),
];

/// Lays `later` over `base`; `defaults` is what a table falls back to when it is made new.
pub(super) fn stack<'t>(
    base: &mut DeTable<'t>,
    later: DeTable<'t>,
    defaults: &DeTable<'t>,
) -> Result<(), Problem> {
    for (table, key) in SELECTORS {
        if table_of(&later, table).is_some_and(|t| t.contains_key(key))
            && let Some((name, default)) = defaults.get_key_value(table)
        {
            base.insert(name.clone(), default.clone());
        }
    }
    assign(base, later)
}

/// Lays `later` over `base` without making tables new: what several arguments do to each other.
pub(super) fn assign<'t>(base: &mut DeTable<'t>, later: DeTable<'t>) -> Result<(), Problem> {
    if let Some(train) = table_of(&later, "train") {
        match (train.get_key_value("epochs"), train.get_key_value("steps")) {
            (Some((epochs, _)), Some((steps, _))) => {
                return Err(Problem::new(
                    "train.steps",
                    "train.epochs and train.steps are both set; they say the same thing twice",
                )
                .at(steps.span())
                .and(epochs.span(), "the other key")
                .help("keep one of them"));
            }
            (None, None) => {}
            _ => {
                if let Some(DeValue::Table(before)) = base.get_mut("train").map(Spanned::get_mut) {
                    before.remove("epochs");
                    before.remove("steps");
                }
            }
        }
    }
    merge_tables(base, later);
    Ok(())
}

/// Lays `later` over `base`, key by key; each value keeps the place where it was written last.
pub(super) fn merge_tables<'t>(base: &mut DeTable<'t>, later: DeTable<'t>) {
    for (key, value) in later {
        let merged = match (base.remove(key.get_ref().as_ref()), value) {
            (Some(before), value) if before.get_ref().is_table() && value.get_ref().is_table() => {
                // A table that a document opened is shown there, whoever added to it.
                let in_defaults = before.span().start <= DEFAULTS.len();
                let span = if in_defaults {
                    value.span()
                } else {
                    before.span()
                };
                match (before.into_inner(), value.into_inner()) {
                    (DeValue::Table(mut under), DeValue::Table(over)) => {
                        merge_tables(&mut under, over);
                        Spanned::new(span, DeValue::Table(under))
                    }
                    (_, over) => Spanned::new(span, over),
                }
            }
            (_, value) => value,
        };
        base.insert(key, merged);
    }
}

/// The value of a dotted key.
pub(super) fn get<'a, 't>(table: &'a DeTable<'t>, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
    match key.split_once('.') {
        None => table.get(key),
        Some((first, rest)) => get(table_of(table, first)?, rest),
    }
}

fn table_of<'a, 't>(table: &'a DeTable<'t>, key: &str) -> Option<&'a DeTable<'t>> {
    table.get(key)?.get_ref().as_table()
}

/// Whether two plain values mean the same.
pub(super) fn same(a: &DeValue<'_>, b: &DeValue<'_>) -> bool {
    match (a, b) {
        (DeValue::String(a), DeValue::String(b)) => a == b,
        (DeValue::Integer(a), DeValue::Integer(b)) => {
            super::value::integer(a) == super::value::integer(b)
        }
        _ => false,
    }
}
