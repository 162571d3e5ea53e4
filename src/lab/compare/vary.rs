//! Variants by other values of keys: their combinations, and their names in words.

use crate::error::{Error, Result};

/// A key with the values that it takes in turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Varied {
    /// The key, with its section: `optimizer.momentum`.
    pub key: String,
    /// The values, as TOML or as plain words.
    pub values: Vec<String>,
}

/// One combination of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    /// What differs, in words: `momentum 0.8, batch 32`.
    pub name: String,
    /// `KEY=VALUE`, as [`crate::config::Overrides::set`] takes them.
    pub set: Vec<String>,
}

impl Varied {
    /// The key and the values of `KEY=V1,V2,...`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a text without key and values, and for a value that is there twice.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |found: String, expected: &str| Error::Argument {
            what: "vary".into(),
            found,
            expected: expected.into(),
            help: "for example optimizer.momentum=0.8,0.9".into(),
        };
        let (key, values) = text
            .split_once('=')
            .filter(|(key, values)| !key.is_empty() && !values.is_empty())
            .ok_or_else(|| refuse(format!("{text:?}"), "KEY=V1,V2,..."))?;
        // As TOML, so that commas within arrays and strings part nothing; or else words.
        let array = format!("x = [{values}]").parse::<toml::Table>().ok();
        let array = array.and_then(|table| table.get("x").and_then(|x| x.as_array().cloned()));
        let values: Vec<String> = match array {
            Some(array) => array.iter().map(toml::Value::to_string).collect(),
            None => values
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
        };
        match (1..values.len()).find(|i| values[..*i].contains(&values[*i])) {
            Some(i) => Err(refuse(
                format!("{} twice", words((key, true), &values[i], i)),
                "different values",
            )),
            None => Ok(Self {
                key: key.to_owned(),
                values,
            }),
        }
    }
}

/// All combinations of the values, or with `zip` the first values together, the second ones, and so on.
///
/// # Errors
/// [`Error::Argument`] for a key that is there twice, and for values to zip that are not equally many.
pub fn combinations(varied: &[Varied], zip: bool) -> Result<Vec<Combined>> {
    let refuse = |what: &str, found: String, expected: &str, help: &str| {
        Err(Error::Argument {
            what: what.into(),
            found,
            expected: expected.into(),
            help: help.into(),
        })
    };
    let twice = (1..varied.len()).find(|i| varied[..*i].iter().any(|v| v.key == varied[*i].key));
    if let Some(i) = twice {
        let found = format!("{} twice", varied[i].key);
        let help = "give a key all its values at once, parted by commas";
        return refuse("vary", found, "a key once", help);
    }
    let counts: Vec<usize> = varied.iter().map(|varied| varied.values.len()).collect();
    if zip && counts.windows(2).any(|pair| pair[0] != pair[1]) {
        let found = varied
            .iter()
            .map(|varied| format!("{} values of {}", varied.values.len(), varied.key));
        let found = found.collect::<Vec<_>>().join(", ");
        let help = "leave it out for all combinations";
        return refuse("zip", found, "equally many values of each key", help);
    }
    let all: usize = match zip {
        true => counts.first().copied().unwrap_or(0),
        false => counts.iter().product(),
    };
    // Without keys there is nothing to combine.
    let all = if varied.is_empty() { 0 } else { all };
    let combined = (0..all).map(|mut at| {
        let mut chosen = Vec::new();
        // The last key turns fastest.
        for (varied, count) in varied.iter().zip(&counts).rev() {
            chosen.push((varied, at % count));
            at = if zip { at } else { at / count };
        }
        chosen.reverse();
        let name = |(one, at): &(&Varied, usize)| {
            let mut others = varied.iter().filter(|other| other.key != one.key);
            let alone = others.all(|other| last(&other.key) != last(&one.key));
            words((&one.key, alone), &one.values[*at], *at)
        };
        let set =
            |(varied, at): &(&Varied, usize)| format!("{}={}", varied.key, varied.values[*at]);
        Combined {
            name: chosen.iter().map(name).collect::<Vec<_>>().join(", "),
            set: chosen.iter().map(set).collect(),
        }
    });
    Ok(combined.collect())
}

/// The last part of a key.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// A key with a value in words: `momentum 0.8`, with its section where it is not `alone` in having that
/// last part; of lists and tables, which no title holds, the number.
fn words((key, alone): (&str, bool), value: &str, at: usize) -> String {
    let last = last(key);
    let name = if alone { last } else { key }.replace('_', " ");
    let value = value.trim_matches('"');
    if value.starts_with(['[', '{']) {
        return format!("{name} {}", at + 1);
    }
    match last {
        "policy" | "kind" | "source" => value.to_owned(),
        _ => format!("{name} {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str], zip: bool) -> Result<Vec<String>> {
        let varied: Result<Vec<Varied>> = texts.iter().map(|text| Varied::parse(text)).collect();
        let combined = combinations(&varied?, zip)?.into_iter();
        Ok(combined
            .map(|c| format!("{}: {}", c.name, c.set.join(" ")))
            .collect())
    }

    #[test]
    fn values_are_combined_and_named_in_words() {
        let both = ["optimizer.momentum=0.8,0.9", "data.batch=32,64"];
        assert_eq!(
            all(&both, false).unwrap(),
            [
                "momentum 0.8, batch 32: optimizer.momentum=0.8 data.batch=32",
                "momentum 0.8, batch 64: optimizer.momentum=0.8 data.batch=64",
                "momentum 0.9, batch 32: optimizer.momentum=0.9 data.batch=32",
                "momentum 0.9, batch 64: optimizer.momentum=0.9 data.batch=64",
            ]
        );
        assert_eq!(
            all(&both, true).unwrap(),
            [
                "momentum 0.8, batch 32: optimizer.momentum=0.8 data.batch=32",
                "momentum 0.9, batch 64: optimizer.momentum=0.9 data.batch=64",
            ]
        );
        assert_eq!(
            all(
                &["model.layers=[\"flatten\", { linear = 10 }],[\"flatten\"]"],
                false
            )
            .unwrap()[1],
            "layers 2: model.layers=[\"flatten\"]"
        );
        assert_eq!(
            all(&["optimizer.kind=sgd,adamw"], false).unwrap()[1],
            "adamw: optimizer.kind=adamw"
        );
        assert_eq!(
            all(&["seed=1,2", "data.seed=1,2"], true).unwrap()[1],
            "seed 2, data.seed 2: seed=2 data.seed=2"
        );
    }

    #[test]
    fn what_makes_no_variants_is_refused() {
        for (texts, zip, sentence) in [
            (&["optimizer.momentum"][..], false, "KEY=V1,V2"),
            (&["seed=1,1"], false, "seed 1 twice"),
            (&["seed=1,2", "seed=3"], false, "a key once"),
            (&["seed=1,2", "data.batch=3"], true, "equally many"),
        ] {
            let error = all(texts, zip).unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
    }
}
