//! What is compared: the configuration, others, policies between bounds, other values of keys.

use super::same::{self, Side};
use super::{Arguments, checks};
use crate::cli::find::{provisional, watch};
use crate::cli::loading;
use crate::cli::options::{ConfigOptions, Globals};
use crate::cli::output;
use crate::cli::signals::Signals;
use crate::config::{Bounds, Config, Settled};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::lab::compare::{self, Between, Variant};
use crate::lab::find::{self, RangeTest};

/// What is compared, the baseline first.
pub(super) struct Chosen {
    /// The configuration that the command names.
    pub(super) base: Settled,
    pub(super) variants: Vec<Variant>,
    /// The range test that gave it its bounds, where there was one.
    pub(super) range: Option<RangeTest>,
}

impl Chosen {
    /// The data set's name.
    pub(super) fn data(&self) -> &str {
        &self.variants[0].dataset.name
    }
}

pub(super) fn choose(
    arguments: &Arguments,
    (globals, signals): (&Globals, &Signals),
) -> Result<Chosen> {
    let written = load(&arguments.config, &[])?;
    checks::ignored_in(&arguments.config.name(), &written)?;
    let others = arguments.and.iter();
    let others: Vec<(String, Config)> = others
        .map(|path| {
            let options = arguments.config.of(path);
            let config = load(&options, &[])?;
            checks::ignored_in(&options.name(), &config)?;
            Ok((options.name(), config))
        })
        .collect::<Result<_>>()?;
    let dataset = loading::load(&written)?;
    let own_name = arguments.config.name();
    let others: Vec<(String, Config, Dataset)> = others
        .into_iter()
        .map(|(name, config)| {
            let own = loading::load(&config)?;
            let one = Side::new(&own_name, &written, &dataset);
            let other = Side::new(&name, &config, &own);
            same::check(&one, &other, "--and")?;
            Ok((name, config, own))
        })
        .collect::<Result<_>>()?;
    let policies = checks::policies(arguments);
    let (range, found) = match checks::bounds(arguments)? {
        Some(given) if policies.is_empty() && !written.schedule.wants_bounds() => {
            return Err(nothing_between(&given));
        }
        Some(given) => (None, Some(given)),
        None => range_test((globals, signals), &written, &dataset, !policies.is_empty())?
            .map_or((None, None), |(range, found)| (Some(range), Some(found))),
    };
    let base = written.settle(dataset.train.extent(), found.as_ref())?;
    let own = Variant {
        name: stem(&arguments.config.name()),
        config: written.clone(),
        found: found.clone(),
        policy: None,
        dataset: dataset.clone(),
    };
    let mut variants = Vec::new();
    if checks::has_own_baseline(arguments) {
        variants.push(own.clone());
    }
    for (name, config, dataset) in others {
        let found = match checks::bounds(arguments)? {
            Some(given) => Some(given),
            None => {
                range_test((globals, signals), &config, &dataset, false)?.map(|(_, found)| found)
            }
        };
        variants.push(Variant {
            name: stem(&name),
            found,
            config,
            policy: None,
            dataset,
        });
    }
    let between = match policies.is_empty() {
        true => [0.0, 1.0],
        false => between(arguments, &written, found.as_ref())?,
    };
    variants.extend(policies.into_iter().map(|policy| Variant {
        name: policy.clone(),
        policy: Some(Between {
            policy,
            bounds: between,
            factors: Vec::new(),
        }),
        ..own.clone()
    }));
    variants.extend(varied(arguments, (globals, signals), &own)?);
    name(arguments, &mut variants)?;
    Ok(Chosen {
        base,
        variants,
        range,
    })
}

fn nothing_between(given: &Bounds) -> Error {
    Error::Argument {
        what: "--bounds".into(),
        found: format!("{},{}", given.base_lr, given.max_lr),
        expected: "policies between them, or rates that are \"auto\"".into(),
        help: "add --policies triangular,one_cycle, or leave it out".into(),
    }
}

/// A variant for each combination of values. Bounds of a range test hold for the optimizer that it was made
/// with: a variant with another has a test of its own.
fn varied(
    arguments: &Arguments,
    (globals, signals): (&Globals, &Signals),
    own: &Variant,
) -> Result<Vec<Variant>> {
    let mut variants = Vec::new();
    for combined in checks::combined(arguments)? {
        let config = load(&arguments.config, &combined.set)?;
        checks::refuse_ignored_in(&combined.name, &config)?;
        let dataset = match combined.set.iter().any(|set| is_of_data(set)) {
            true => loading::load(&config)?,
            false => own.dataset.clone(),
        };
        let one = Side::new(&own.name, &own.config, &own.dataset);
        let other = Side::new(&combined.name, &config, &dataset);
        same::check(&one, &other, "--vary")?;
        let same =
            config.optimizer.name() == own.config.optimizer.name() || !arguments.bounds.is_empty();
        let found = match same && own.found.is_some() {
            true => own.found.clone(),
            false => {
                range_test((globals, signals), &config, &dataset, false)?.map(|(_, found)| found)
            }
        };
        variants.push(Variant {
            name: combined.name,
            config,
            found,
            policy: None,
            dataset,
        });
    }
    Ok(variants)
}

/// Whether a `KEY=VALUE` sets something in `[data]`, or all of it.
fn is_of_data(set: &str) -> bool {
    let key = set.split('=').next().unwrap_or_default();
    key.split('.')
        .next()
        .is_some_and(|section| section.trim() == "data")
}

/// Gives the variants the names of `--name`, and refuses one that is there twice.
fn name(arguments: &Arguments, variants: &mut [Variant]) -> Result<()> {
    for (variant, name) in variants.iter_mut().zip(&arguments.name) {
        name.trim().clone_into(&mut variant.name);
    }
    let names: Vec<&str> = variants.iter().map(|variant| &variant.name[..]).collect();
    checks::different(&names)
}

/// A file's name without folder and ending; a preset's as it is.
fn stem(name: &str) -> String {
    let stem = std::path::Path::new(name).file_stem();
    stem.map_or_else(
        || name.to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

/// The configuration with some further keys, and a part of the training set held out.
fn load(options: &ConfigOptions, set: &[String]) -> Result<Config> {
    let mut options = options.clone();
    options.set(set);
    let mut config = options.load()?;
    if config.data.validation == 0.0 {
        config.data.validation = compare::VALIDATION;
    }
    Ok(config)
}

/// One range test gives everything its bounds, unless the configuration has numbers.
fn range_test(
    (globals, signals): (&Globals, &Signals),
    base: &Config,
    dataset: &Dataset,
    policies: bool,
) -> Result<Option<(RangeTest, Bounds)>> {
    let open = base.schedule.wants_bounds();
    let has_both = rates(base).iter().all(Option::is_some);
    if !(open || policies && !has_both) {
        return Ok(None);
    }
    let mut trainer = provisional(base, globals.open()?, dataset.clone())?;
    let options = find::RangeTestOptions::default();
    let test = find::find(&mut trainer, &options, &mut |progress| {
        watch(&options, progress);
        signals.check("the range test before the comparison")
    })?;
    output::clear_status();
    let Some(found) = test.as_bounds(&options) else {
        return Err(Error::RangeTest {
            says: format!("{} ({})", test.says, test.verdict.name()),
            help: "give the bounds as numbers: --bounds BASE_LR,MAX_LR".into(),
        });
    };
    Ok(Some((test, found)))
}

/// The bounds that policies are made between: those of `--bounds`, or what the configuration has as numbers
/// with the rest as the range test `found` it.
fn between(arguments: &Arguments, config: &Config, found: Option<&Bounds>) -> Result<[f64; 2]> {
    let given = match arguments.bounds.is_empty() {
        true => rates(config),
        false => [None; 2],
    };
    let found = found.map_or([0.0, 1.0], |bounds| [bounds.base_lr, bounds.max_lr]);
    let [base, max] = [0, 1].map(|end| given[end].unwrap_or(found[end]));
    match base < max {
        true => Ok([base, max]),
        false => Err(Error::Argument {
            what: "schedule".into(),
            found: format!("base_lr = {base} and max_lr = {max}, of which a range test gave one"),
            expected: "the lower rate first".into(),
            help: "give both: --bounds BASE_LR,MAX_LR".into(),
        }),
    }
}

/// A number, written whole or not.
fn number(value: &toml::Value) -> Option<f64> {
    value
        .as_float()
        .or(value.as_integer().map(|whole| whole as f64))
}

/// `base_lr` and `max_lr` of a schedule that has both, as far as they are numbers.
fn rates(config: &Config) -> [Option<f64>; 2] {
    let arguments = config.schedule.arguments();
    let values = ["base_lr", "max_lr"].map(|key| arguments.get(key));
    match values.iter().all(Option::is_some) {
        true => values.map(|value| value.and_then(number)),
        false => [None; 2],
    }
}
