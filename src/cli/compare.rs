//! `wavetrain compare`: policies, or values of any key, side by side over seeds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::find::{provisional, watch};
use super::loading;
use super::options::{ConfigOptions, Globals, as_flag};
use super::output::{self, Output};
use crate::config::{Bounds, Config, Settled};
use crate::data::{Dataset, Judge};
use crate::draw::plot;
use crate::error::{Error, Result};
use crate::lab::compare::{self, Settings, Store, Target, Variant};
use crate::lab::find::{self, RangeTest};
use crate::page::comparison::Comparison;
use crate::report::folder::RunFolder;
use crate::schedule::{Policy, Span};

/// Compares policies, or values of any key, over seeds: what the data show and what they do not
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigOptions,
    /// The policies; differences are against the first
    #[arg(
        long,
        value_name = "A,B,...",
        value_delimiter = ',',
        default_value = "constant,step,triangular,one_cycle,cosine",
        conflicts_with = "vary"
    )]
    policies: Vec<String>,
    /// Compare values of this key instead; differences are against the first
    #[arg(long, value_name = "KEY=V1,V2,...")]
    vary: Option<String>,
    /// Runs of each, with their own initial weights and order
    #[arg(
        long,
        value_name = "K",
        default_value_t = 3,
        allow_negative_numbers = true
    )]
    seeds: u64,
    /// The accuracy to reach, as a share, or loss=LOSS [default: what the first ends with]
    #[arg(long, value_name = "ACC", allow_negative_numbers = true)]
    target: Option<String>,
    /// Steps of each run [default: those of the configuration]
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true)]
    budget: Option<u64>,
    /// Runs side by side
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u16,
    /// The folder; one that holds this comparison already is gone on with [default: a new one
    /// under runs/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    check(arguments)?;
    let written = load(arguments, &[])?;
    let dataset = loading::load(&written)?;
    let range = range_test(arguments, globals, &written, &dataset)?;
    let (range, found) = range.map_or((None, None), |(range, found)| (Some(range), Some(found)));
    let base = written.settle(dataset.train.extent(), found.as_ref())?;
    let steps = match &arguments.vary {
        Some(_) => arguments.budget.unwrap_or(base.total_steps),
        None => compare::budget(&base, arguments.budget),
    };
    let settings = settings(arguments, steps, dataset.task.judge())?;
    let variants = match &arguments.vary {
        Some(vary) => varied(arguments, vary, globals, (&base, found.as_ref()), &dataset)?,
        None => policies(arguments, &base, found.as_ref(), &dataset, steps)?,
    };
    let folder = match &arguments.out {
        Some(path) => RunFolder::create(path, true)?,
        None => RunFolder::fresh(Path::new("runs"), &format!("compare-{}", dataset.name))?,
    };
    let store = Store::new(folder.path());
    store.begin(&variants, &settings)?;
    let workers = usize::from(arguments.jobs.max(1));
    let open = || globals.open();
    let records = compare::run(
        &variants,
        &settings,
        &store,
        workers,
        &open,
        &|done, all, next| {
            output::status(&format!("run {} of {all}: {next}", done + 1));
        },
    );
    output::clear_status();
    let records = records?;
    let takes = variants.iter().map(|v| (v.name.clone(), v.takes.clone()));
    let adapter = globals.open()?.description().name.clone();
    let comparison = Comparison::new(
        dataset.name.clone(),
        adapter,
        settings,
        range,
        takes.collect(),
        records,
    );
    let schedules: Vec<&dyn Policy> = variants.iter().map(|v| &*v.settled.schedule).collect();
    let page = comparison.write(&folder, &schedules, &base.to_toml())?;
    tell(arguments, &comparison, &page, output)?;
    Ok(ExitCode::SUCCESS)
}

/// What can be told at once, before any data are read.
fn check(arguments: &Arguments) -> Result<()> {
    settings(arguments, arguments.budget.unwrap_or(1), Judge::Accuracy)?;
    match &arguments.vary {
        Some(vary) => several(&values(vary)?.1, "--vary")?,
        None => names(&arguments.policies)?,
    }
    if let Some(path) = arguments.out.as_deref().filter(|path| !Store::exists(path)) {
        RunFolder::refuse_occupied(path)?;
    }
    if arguments.seeds == 1 {
        output::note(&["one seed allows no interval; --seeds 5 would".into()]);
    }
    Ok(())
}

/// What all runs have in common, refused by the names of the flags.
fn settings(arguments: &Arguments, steps: u64, judge: Judge) -> Result<Settings> {
    let target = arguments.target.as_deref().map(Target::parse).transpose();
    let settings = target.and_then(|target| Settings::new(arguments.seeds, steps, target, judge));
    settings.map_err(|error| as_flag(error, &[("steps", "--budget")]))
}

/// A policy between bounds, refused by the names of the flags.
fn take(name: &str, takes: &Span) -> Result<Box<dyn Policy>> {
    let policy = compare::take(name, takes);
    policy.map_err(|error| match as_flag(error, &[]) {
        Error::Argument {
            what,
            found,
            expected,
            help,
        } => Error::Argument {
            help: format!("{help} (--budget, --vary schedule.KEY=V1,V2)"),
            what,
            found,
            expected,
        },
        error => error,
    })
}

/// The configuration with some further keys, and a part of the training set held out.
fn load(arguments: &Arguments, set: &[String]) -> Result<Config> {
    let mut options = arguments.config.clone();
    options.set(set);
    let mut config = options.load()?;
    if config.data.validation == 0.0 {
        config.data.validation = compare::VALIDATION;
    }
    Ok(config)
}

/// One range test gives everything its bounds, unless the configuration has numbers.
fn range_test(
    arguments: &Arguments,
    globals: &Globals,
    base: &Config,
    dataset: &Dataset,
) -> Result<Option<(RangeTest, Bounds)>> {
    let numbers = bounds(base).is_some();
    if numbers || (arguments.vary.is_some() && !base.schedule.wants_bounds()) {
        return Ok(None);
    }
    let mut trainer = provisional(base, globals.open()?, dataset.clone())?;
    let options = find::RangeTestOptions::default();
    let test = find::find(&mut trainer, &options, &mut |seed, step| {
        watch(&options, seed, step);
    })?;
    output::clear_status();
    let Some(found) = test.as_bounds(&options) else {
        return Err(Error::RangeTest {
            says: format!("{} ({})", test.says, test.verdict.name()),
            help: "give the bounds as numbers: --set schedule.policy=triangular --set \
                   schedule.base_lr=LR --set schedule.max_lr=LR"
                .into(),
        });
    };
    Ok(Some((test, found)))
}

/// The bounds that a configuration holds as numbers.
fn bounds(config: &Config) -> Option<[f64; 2]> {
    let arguments = config.schedule.arguments();
    let number = |key: &str| arguments.get(key).and_then(toml::Value::as_float);
    Some([number("base_lr")?, number("max_lr")?])
}

/// A variant for each policy, all between the same bounds.
fn policies(
    arguments: &Arguments,
    base: &Settled,
    found: Option<&Bounds>,
    dataset: &Dataset,
    steps: u64,
) -> Result<Vec<Variant>> {
    let found = found.map(|bounds| [bounds.base_lr, bounds.max_lr]);
    let [base_lr, max_lr] = found.or_else(|| bounds(&base.config)).unwrap_or([0.0, 1.0]);
    let takes = Span {
        base_lr,
        max_lr,
        steps,
        half: compare::half_cycle(base, steps),
    };
    let variant = |name: &String| {
        let mut config = base.config.clone();
        config.schedule = take(name, &takes)?.into();
        let settled = config.settle(dataset.train.extent(), None)?;
        Ok(Variant {
            name: name.clone(),
            takes: settled.schedule.describe(),
            settled,
            dataset: dataset.clone(),
        })
    };
    arguments.policies.iter().map(variant).collect()
}

/// A variant for each value of a key. Bounds of a range test hold for the optimizer that it was made
/// with: a variant with another has a test of its own.
fn varied(
    arguments: &Arguments,
    vary: &str,
    globals: &Globals,
    (base, found): (&Settled, Option<&Bounds>),
    dataset: &Dataset,
) -> Result<Vec<Variant>> {
    let (key, values) = values(vary)?;
    let variant = |value: &String| {
        let set = format!("{key}={value}");
        let config = load(arguments, std::slice::from_ref(&set))?;
        let dataset = match key.starts_with("data.") {
            true => loading::load(&config)?,
            false => dataset.clone(),
        };
        let same = config.optimizer.name() == base.config.optimizer.name();
        let found = match same {
            true => found.cloned(),
            false => range_test(arguments, globals, &config, &dataset)?.map(|(_, found)| found),
        };
        let settled = config.settle(dataset.train.extent(), found.as_ref())?;
        Ok(Variant {
            takes: settled.schedule.describe(),
            name: set,
            settled,
            dataset,
        })
    };
    values.iter().map(variant).collect()
}

/// The key and the values of `KEY=V1,V2,...`.
fn values(vary: &str) -> Result<(&str, Vec<String>)> {
    let (key, values) = vary.split_once('=').ok_or_else(|| Error::Argument {
        what: "--vary".into(),
        found: format!("{vary:?}, which has no `=`"),
        expected: "KEY=V1,V2,...".into(),
        help: "for example --vary optimizer.momentum=0.8,0.9".into(),
    })?;
    // As TOML, so that commas within arrays and strings part nothing; or else words.
    let array = format!("x = [{values}]").parse::<toml::Table>().ok();
    let array = array.and_then(|table| table.get("x").and_then(|x| x.as_array().cloned()));
    let values: Vec<String> = match array {
        Some(array) => array.iter().map(toml::Value::to_string).collect(),
        None => values.split(',').map(str::to_owned).collect(),
    };
    Ok((key, values))
}

/// Refuses names that are no policies, before anything is loaded.
fn names(policies: &[String]) -> Result<()> {
    let some = Span {
        base_lr: 0.01,
        max_lr: 0.1,
        steps: 1000,
        half: 250,
    };
    for name in policies {
        take(name, &some)?;
    }
    several(policies, "--policies")
}

/// Refuses fewer than two, and one that is there twice.
fn several(values: &[String], what: &str) -> Result<()> {
    let twice = (1..values.len()).find(|i| values[..*i].contains(&values[*i]));
    let found = match twice {
        Some(i) => format!("{} twice", values[i]),
        None if values.len() < 2 => format!("{} alone", values.join("")),
        None => return Ok(()),
    };
    Err(Error::Argument {
        what: what.into(),
        found,
        expected: "two or more different things to compare".into(),
        help: "part them by commas: --policies constant,triangular".into(),
    })
}

fn tell(
    arguments: &Arguments,
    comparison: &Comparison,
    page: &Path,
    output: &mut Output,
) -> Result<()> {
    if arguments.json {
        output.json(comparison)?;
    } else {
        output.text(&shown(comparison, output))?;
        output.text(&format!("files     {}\n", page.display()))?;
    }
    Ok(())
}

fn shown(comparison: &Comparison, output: &Output) -> String {
    let style = plot::Style {
        colour: output.colour,
        ..plot::Style::default()
    };
    let chart = comparison.curves(false);
    let plot = plot::draw(&chart, output.width.min(100), 16, style);
    format!("{plot}\n{}", comparison.text())
}
