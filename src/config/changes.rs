//! What differs between two configurations, and what that means for a run that goes on under the
//! second one.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::layers::SELECTORS;
use super::write::inline;

/// A key with two values.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigDifference {
    /// The key: a section's and its own name (`schedule.max_lr`), or one of the top (`seed`).
    pub key: String,
    /// The value before; `None` where the key was not there.
    pub from: Option<Value>,
    /// The value now.
    pub to: Option<Value>,
}

/// What a difference means for a run that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing that is trained changes.
    Nothing,
    /// The run gets another length.
    Length,
    /// What is trained from here on changes.
    Change,
    /// It would be another run: what was trained so far does not fit.
    AnotherRun,
}

impl ConfigDifference {
    /// What it means.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let (section, name) = self.key.split_once('.').unwrap_or((&self.key, ""));
        match (section, name) {
            ("train", "epochs" | "steps") => Meaning::Length,
            ("train", "log_every" | "chunk") | ("checkpoint", _) => Meaning::Nothing,
            // The samples are told apart by themselves, wherever they lie.
            ("data", "dir" | "train" | "test") => Meaning::Nothing,
            ("seed" | "data" | "model" | "optimizer", _) | ("train", "accumulate") => {
                Meaning::AnotherRun
            }
            _ => Meaning::Change,
        }
    }

    /// Both values as TOML, on one line each.
    #[must_use]
    pub fn texts(&self) -> [String; 2] {
        let or_nothing = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), text);
        [or_nothing(&self.from), or_nothing(&self.to)]
    }
}

/// A value as TOML on one line.
#[must_use]
pub fn text(value: &Value) -> String {
    inline(value)
}

/// The keys in which two configurations differ ([`super::Config::to_toml`]), by their names.
#[must_use]
pub fn differences(from: &str, to: &str) -> Vec<ConfigDifference> {
    let [mut from, mut to] = [from, to].map(leaves);
    let keys: Vec<String> = from.keys().chain(to.keys()).cloned().collect();
    let mut found = BTreeMap::new();
    for key in keys {
        let (from, to) = (from.remove(&key), to.remove(&key));
        if from != to {
            let difference = ConfigDifference {
                key: key.clone(),
                from,
                to,
            };
            found.insert(key, difference);
        }
    }
    found.into_values().collect()
}

/// Whether other keys of its section follow from a key: the kind of an optimizer, the policy of a schedule.
#[must_use]
pub fn selects(key: &str) -> bool {
    SELECTORS
        .iter()
        .any(|(table, selector)| key.split_once('.') == Some((*table, *selector)))
}

/// What lays `differences` over a configuration: values of [`super::Overrides::set`]. `to` is the
/// configuration that they lead to.
#[must_use]
pub fn sets(differences: &[ConfigDifference], to: &str) -> Vec<String> {
    let set = |key: &str, value: &Value| format!("{key}={}", inline(value));
    let mut sets = Vec::new();
    let all = leaves(to);
    let renewed: Vec<&str> = SELECTORS
        .iter()
        .filter(|(table, key)| {
            differences
                .iter()
                .any(|d| d.key == format!("{table}.{key}"))
        })
        .map(|(table, _)| *table)
        .collect();
    // A section of another entry has other keys: all of them are named.
    for table in &renewed {
        let keys = all.iter().filter(|(key, _)| section(key) == *table);
        sets.extend(keys.map(|(key, value)| set(key, value)));
    }
    for ConfigDifference { key, to, .. } in differences {
        if let (Some(value), false) = (to, renewed.contains(&section(key))) {
            sets.push(set(key, value));
        }
    }
    sets
}

fn section(key: &str) -> &str {
    key.split_once('.').map_or(key, |(section, _)| section)
}

/// The values of all keys of a configuration; what is not TOML has none.
pub(crate) fn leaves(text: &str) -> BTreeMap<String, Value> {
    let table: Table = text.parse().unwrap_or_default();
    let mut leaves = BTreeMap::new();
    for (section, value) in table.into_iter().filter(|(section, _)| section != "run") {
        match value {
            Value::Table(keys) => {
                let keys = keys.into_iter();
                leaves.extend(keys.map(|(key, value)| (format!("{section}.{key}"), value)));
            }
            value => {
                leaves.insert(section, value);
            }
        }
    }
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn config(set: &[&str]) -> Config {
        let overrides = Overrides {
            set: set.iter().map(|set| (*set).to_owned()).collect(),
            ..Overrides::default()
        };
        let base = "[schedule]\npolicy = \"triangular\"\nbase_lr = 0.1\nmax_lr = 0.2\n";
        Config::read("base", base, &overrides, &crate::config::Tables::default()).unwrap()
    }

    #[test]
    fn differences_lead_from_one_configuration_to_the_other() {
        let base = config(&[]).to_toml();
        assert!(differences(&base, &base).is_empty());
        for set in [
            &["train.epochs=7"][..],
            &["train.steps=7", "schedule.max_lr=0.5"],
            &["schedule.policy=constant", "schedule.lr=0.3", "seed=4"],
            &["loss.kind=mse", "checkpoint.every=1 epoch"],
            &[
                "optimizer.lr_mult={ \"0.*\" = 0.1 }",
                "augment.contrast=0.2",
            ],
        ] {
            let other = config(set).to_toml();
            let found = differences(&base, &other);
            let keys: Vec<&str> = found.iter().map(|d| d.key.as_str()).collect();
            for key in set.iter().filter_map(|set| set.split('=').next()) {
                assert!(keys.contains(&key), "{keys:?} without {key}");
            }
            let sets = sets(&found, &other);
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            assert_eq!(config(&sets).to_toml(), other, "{sets:?}");
        }
    }

    #[test]
    fn what_they_mean_follows_from_the_key() {
        let base = config(&[]).to_toml();
        let meaning = |set: &str| {
            let found = differences(&base, &config(&[set]).to_toml());
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].meaning()
        };
        assert_eq!(meaning("train.epochs=2"), Meaning::Length);
        assert_eq!(meaning("train.log_every=5"), Meaning::Nothing);
        assert_eq!(meaning("checkpoint.keep=5"), Meaning::Nothing);
        assert_eq!(meaning("data.dir=elsewhere"), Meaning::Nothing);
        assert_eq!(meaning("schedule.max_lr=0.3"), Meaning::Change);
        assert_eq!(meaning("augment.shift=1"), Meaning::Change);
        for set in [
            "seed=2",
            "data.batch=5",
            "model.layers=[\"flatten\", { linear = 10 }]",
            "optimizer.momentum=0.5",
            "optimizer.lr_mult={ 0-5 = 0.1 }",
        ] {
            assert_eq!(meaning(set), Meaning::AnotherRun, "{set}");
        }
    }
}
