//! A configuration as text again, with nothing left to a default.

use std::fmt::Write;

use toml::{Table, Value};

use super::augment::padding_name;
use super::sources::{normalize_name, resize_name};
use super::{Chunk, Config, Length};
use crate::layer::{LAYERS, Layer};
use crate::loss::LOSSES;
use crate::optim::OPTIMIZERS;
use crate::schedule::POLICIES;

impl Config {
    /// The whole configuration as TOML, all defaults spelled out, in a stable order; reading it
    /// again gives an equal configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        line(&mut out, "seed", &whole(self.seed));
        self.write_data(&mut out);
        self.write_augment(&mut out);

        out.push_str("\n[model]\nlayers = [\n");
        for layer in &self.layers {
            let _ = writeln!(out, "    {},", layer_text(layer.as_ref()));
        }
        out.push_str("]\n");

        let order = |entry: Option<&'static [&'static str]>| entry.unwrap_or_default();
        let (loss, optimizer, policy) = (&self.loss, &self.optimizer, &self.schedule);
        let known = LOSSES.iter().find(|e| e.name == loss.name());
        section(&mut out, "loss", "kind", loss.name());
        arguments(
            &mut out,
            &loss.arguments(),
            order(known.map(|e| e.arguments)),
        );
        let known = OPTIMIZERS.iter().find(|e| e.name == optimizer.name());
        section(&mut out, "optimizer", "kind", optimizer.name());
        arguments(
            &mut out,
            &optimizer.arguments(),
            order(known.map(|e| e.arguments)),
        );
        let known = POLICIES.iter().find(|e| e.name == policy.name());
        section(&mut out, "schedule", "policy", policy.name());
        if let Some(bounds) = &self.bounds {
            let _ = writeln!(out, "# {}", bounds.describe());
        }
        arguments(
            &mut out,
            &policy.arguments(),
            order(known.map(|e| e.arguments)),
        );
        self.write_train(&mut out);
        out.push_str("\n[cycle_end]\n");
        let cycle_end = self.cycle_end;
        line(&mut out, "snapshot", &Value::Boolean(cycle_end.snapshot));
        line(&mut out, "average", &Value::Boolean(cycle_end.average));
        out
    }

    /// [`Config::to_toml`] with a table `[run]` at the end: version, adapter, driver and whatever
    /// else is worth knowing about one run. It is ignored when the text is read again.
    #[must_use]
    pub fn to_toml_with_run(&self, run: &Table) -> String {
        let mut out = self.to_toml();
        out.push_str("\n[run]  # about the run that wrote this file; ignored when read\n");
        arguments(&mut out, run, &[]);
        out
    }

    fn write_data(&self, out: &mut String) {
        let data = &self.data;
        section(out, "data", "source", data.source.name);
        if let Some(dir) = &data.dir {
            line(
                out,
                "dir",
                &Value::String(dir.to_string_lossy().into_owned()),
            );
        }
        line(out, "seed", &whole(data.seed));
        line(out, "validation", &Value::Float(data.validation));
        line(out, "batch", &whole(data.batch as u64));
        line(out, "shuffle", &Value::Boolean(data.shuffle));
        line(out, "drop_last", &Value::Boolean(data.drop_last));
        line(out, "normalize", &normalize_name(data.normalize).into());
        self.write_options(out);
    }

    /// The keys that only some sources have, those of this one.
    fn write_options(&self, out: &mut String) {
        let options = &self.data.options;
        let path = |path: &std::path::Path| Value::String(path.to_string_lossy().into_owned());
        for key in self.data.source.keys {
            let value = match *key {
                "size" => options.size.map(|[height, width]| {
                    Value::Array(vec![whole(height as u64), whole(width as u64)])
                }),
                "resize" => Some(resize_name(options.resize).into()),
                "test_share" => Some(Value::Float(options.test_share)),
                "train" => options.train.as_deref().map(path),
                "test" => options.test.as_deref().map(path),
                _ => None,
            };
            if let Some(value) = value {
                line(out, key, &value);
            }
        }
    }

    fn write_augment(&self, out: &mut String) {
        let augment = &self.augment;
        out.push_str("\n[augment]\n");
        let padding = padding_name(augment.padding);
        line(
            out,
            "horizontal_flip",
            &Value::Float(augment.horizontal_flip),
        );
        line(out, "shift", &whole(augment.shift as u64));
        line(out, "padding", &padding.into());
        line(out, "rotation", &Value::Float(augment.rotation));
        let scale = augment.scale.map(Value::Float).to_vec();
        line(out, "scale", &Value::Array(scale));
        line(out, "shear", &Value::Float(augment.shear));
        line(out, "cutout", &whole(augment.cutout as u64));
    }

    fn write_train(&self, out: &mut String) {
        out.push_str("\n[train]\n");
        match self.train.length {
            Length::Epochs(epochs) => line(out, "epochs", &whole(epochs)),
            Length::Steps(steps) => line(out, "steps", &whole(steps)),
        }
        let eval_every = match self.train.eval_every {
            Length::Epochs(1) => "1 epoch".into(),
            Length::Epochs(epochs) => format!("{epochs} epochs").into(),
            Length::Steps(steps) => whole(steps),
        };
        line(out, "eval_every", &eval_every);
        line(out, "early_stop", &whole(self.train.early_stop));
        line(out, "log_every", &whole(self.train.log_every));
        let chunk = match self.train.chunk {
            Chunk::Auto => "auto".into(),
            Chunk::Fixed(steps) => whole(u64::from(steps)),
        };
        line(out, "chunk", &chunk);
    }
}

/// `"relu"` or `{ linear = { out_features = 10, bias = true } }`.
fn layer_text(layer: &dyn Layer) -> String {
    let table = layer.arguments();
    let name = layer.name();
    if table.is_empty() {
        return inline(&name.into());
    }
    let order = LAYERS.iter().find(|e| e.name == name).map(|e| e.arguments);
    let pairs: Vec<String> = ordered(&table, order.unwrap_or_default())
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

/// Seeds and counts are at most `i64::MAX` when they were read; others are cut, never wrapped.
fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A value on one line. Floats are written as short as they can be read back (`1e-5`, not
/// `0.00001`, and `1e300` not as three hundred digits); the rest is the TOML writer's.
fn inline(value: &Value) -> String {
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
