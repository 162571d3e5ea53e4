//! What variants have in common: the test samples that they answer, and the measure that they are judged by.

use crate::config::Config;
use crate::config::changes;
use crate::data::{Dataset, Judge, Samples, Split, Task, Units};
use crate::error::{Error, Result};

/// The keys that say where samples come from, and what draws and splits them.
const ORIGINS: [&str; 6] = [
    "data.source",
    "data.dir",
    "data.train",
    "data.test",
    "data.test_share",
    "data.seed",
];

/// A variant as far as it is looked at here.
pub(super) struct Side<'a> {
    name: &'a str,
    config: &'a Config,
    dataset: &'a Dataset,
}

impl<'a> Side<'a> {
    pub(super) fn new(name: &'a str, config: &'a Config, dataset: &'a Dataset) -> Self {
        Self {
            name,
            config,
            dataset,
        }
    }
}

/// Refuses what cannot be compared; `flag` is where `other` comes from.
pub(super) fn check(own: &Side<'_>, other: &Side<'_>, flag: &str) -> Result<()> {
    same_samples(own, other, flag)?;
    match own.dataset.task.judge() {
        Judge::Accuracy => Ok(()),
        Judge::Loss => same_measure(own, other, flag),
    }
}

/// Refuses test samples that are not the same for both: nothing could be paired.
fn same_samples(own: &Side<'_>, other: &Side<'_>, flag: &str) -> Result<()> {
    let outputs = |side: &Side<'_>| {
        let task = &side.dataset.task;
        (std::mem::discriminant(task), task.names().to_vec())
    };
    if outputs(own) == outputs(other) && are_same(own, other)? {
        return Ok(());
    }
    let words = |side: &Side<'_>| {
        let test = side.dataset.test.len();
        let outputs = side.dataset.task.names().len();
        let (name, data) = (side.name, &side.dataset.name);
        format!("{name} ({data}, {test} test samples, {outputs} outputs)")
    };
    Err(Error::Argument {
        what: flag.into(),
        found: format!(
            "{} and {}, other data or other outputs",
            words(own),
            words(other)
        ),
        expected: "variants that answer the same test samples".into(),
        help: "give both the same [data], its seed included".into(),
    })
}

/// Whether both answer the same samples, which may come in another size, or with other features.
fn are_same(own: &Side<'_>, other: &Side<'_>) -> Result<bool> {
    let [one, two] = [own, other].map(|side| &side.dataset.test);
    if one.len() != two.len() || one.targets() != two.targets() {
        return Ok(false);
    }
    // Where they come from, and what draws and splits them.
    let texts = [own, other].map(|side| side.config.to_toml());
    let differences = changes::differences(&texts[0], &texts[1]);
    let alike = !differences.iter().any(|d| ORIGINS.contains(&&d.key[..]));
    // Of sequences of symbols the inputs are what is answered; pictures have names in whatever size.
    let tokens = matches!(own.dataset.task, Task::Tokens(_));
    let resized = one.shape() != two.shape() && has_names(one) && names(one) == names(two);
    let known = !tokens && (alike || resized);
    Ok(known || one.fingerprint()? == two.fingerprint()?)
}

/// The names of samples, as far as they have any.
fn names(samples: &Samples) -> Vec<Option<&str>> {
    (0..samples.len() as u32)
        .map(|at| samples.name(at))
        .collect()
}

fn has_names(samples: &Samples) -> bool {
    samples.name(0).is_some()
}

/// Refuses losses of two kinds, or in two units: the one is not the better for being the smaller.
fn same_measure(own: &Side<'_>, other: &Side<'_>, flag: &str) -> Result<()> {
    let loss = |side: &Side<'_>| (side.config.loss.name(), side.config.loss.arguments());
    let words = |side: &Side<'_>| {
        let (kind, arguments) = loss(side);
        let arguments = arguments
            .iter()
            .map(|(key, value)| format!(", {key} = {value}"));
        format!("{} ({kind}{})", side.name, arguments.collect::<String>())
    };
    if loss(own) != loss(other) {
        return Err(Error::Argument {
            what: flag.into(),
            found: format!("{} and {}, other losses", words(own), words(other)),
            expected: "one loss for all, which is what they are judged by".into(),
            help: "give all the same [loss]; of classes, which are judged by the accuracy, losses may differ"
                .into(),
        });
    }
    if deviations(own)? == deviations(other)? {
        return Ok(());
    }
    Err(Error::Argument {
        what: flag.into(),
        found: format!(
            "{} and {}, whose losses count in other deviations of the numbers",
            own.name, other.name
        ),
        expected: "the same training samples for all".into(),
        help: "give all the same data.validation, data.subset and data.seed".into(),
    })
}

/// The units of the numbers that are predicted, which follow from what is trained on.
fn deviations(side: &Side<'_>) -> Result<Vec<f64>> {
    let data = &side.config.data;
    let train = &side.dataset.train;
    let split = Split::new(train.extent(), data.validation, data.seed)?;
    Ok(Units::new(train, &split.train).deviation)
}
