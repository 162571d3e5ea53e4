//! What can be refused at once, before any data are read.

use std::path::Path;

use super::{Arguments, TUNING, flagged, wishes};
use crate::cli::options::as_flag;
use crate::cli::output;
use crate::config::{Bounds, Config, Length};
use crate::data::{Judge, Task};
use crate::error::{Error, Result};
use crate::lab::compare::{
    Combined, Store, Varied, Wishes, check_budgets, check_rates, check_seeds, combinations, take,
};
use crate::report::folder::RunFolder;
use crate::schedule::{self, Span};

/// Policies that are compared where nothing else is.
const POLICIES: [&str; 5] = ["constant", "step", "triangular", "one_cycle", "cosine"];
/// Keys of a configuration that a comparison has its own of.
const IGNORED: [(&str, &str); 9] = [
    (
        "train.eval_every",
        "runs are evaluated as often as costs a quarter of the time",
    ),
    (
        "train.test_every",
        "the test set is read once, at the end of each run",
    ),
    ("train.early_stop", "all runs have the same steps"),
    ("train.log_every", "single steps are not shown"),
    ("train.chunk", "submissions have a length of their own"),
    (
        "cycle_end.snapshot",
        "the network of the last step is compared",
    ),
    (
        "cycle_end.average",
        "the network of the last step is compared",
    ),
    (
        "checkpoint.every",
        "runs are kept as often as costs 2 % of the time",
    ),
    ("checkpoint.keep", "a run is kept until it is over"),
];

pub(super) fn check(arguments: &Arguments) -> Result<Wishes> {
    let wishes = wishes(arguments).map_err(flagged)?;
    let checked = wishes
        .check()
        .and_then(|()| check_rates(arguments.tune.unwrap_or(0)));
    checked.map_err(flagged)?;
    if !arguments.budget.is_empty() {
        check_budgets(&arguments.budget).map_err(flagged)?;
    }
    // With minutes, one seed is a beginning.
    match (arguments.seeds, arguments.minutes) {
        (Some(1), Some(_)) => {}
        (seeds, _) => check_seeds(seeds).map_err(flagged)?,
    }
    if let Some(minutes) = arguments.minutes.filter(|m| !(*m > 0.0 && m.is_finite())) {
        return Err(Error::Argument {
            what: "--minutes".into(),
            found: minutes.to_string(),
            expected: "a time above 0".into(),
            help: "for example --minutes 10".into(),
        });
    }
    bounds(arguments)?;
    let combined = combined(arguments)?;
    let policies = policies(arguments);
    for name in &policies {
        take(name, &SOME, schedule::POLICIES).map_err(|error| with_flags(&error))?;
    }
    several(arguments, &policies, &combined)?;
    let varied = arguments
        .vary
        .iter()
        .filter_map(|vary| vary.split_once('='));
    let set = arguments
        .config
        .sets()
        .iter()
        .filter_map(|set| set.split_once('='));
    for (flag, (key, _)) in set
        .map(|set| ("--set", set))
        .chain(varied.map(|v| ("--vary", v)))
    {
        ignored(arguments, flag, key.trim())?;
    }
    tuning(arguments, &policies)?;
    if let Some(path) = arguments
        .out
        .as_deref()
        .filter(|path| !holds_comparison(path))
    {
        // There is no --force here.
        RunFolder::refuse_occupied(path).map_err(|error| match error {
            Error::Output { path, problem, .. } => Error::Output {
                path,
                problem,
                help: "choose another output folder".into(),
            },
            other => other,
        })?;
    }
    Ok(wishes)
}

/// Refuses to choose rates where there is no policy whose rates could be chosen.
fn tuning(arguments: &Arguments, policies: &[String]) -> Result<()> {
    match arguments.tune.filter(|rates| *rates > 0) {
        Some(rates) if policies.is_empty() => Err(Error::Argument {
            what: "--tune".into(),
            found: format!("{rates}, without --policies"),
            expected: "policies whose rates are chosen".into(),
            help: "leave it out: configurations and --vary keep the rates that they have".into(),
        }),
        _ => Ok(()),
    }
}

/// Refuses lengths that hold the same whole cycles.
pub(super) fn whole_cycles(arguments: &Arguments, budgets: &[u64]) -> Result<()> {
    let mut pairs = budgets.windows(2).zip(arguments.budget.windows(2));
    match pairs.find(|(whole, _)| whole[0] >= whole[1]) {
        None => Ok(()),
        Some((whole, wanted)) => Err(Error::Argument {
            what: "--budget".into(),
            found: format!(
                "{} and {}, which hold the same whole cycles, of {} steps",
                wanted[0], wanted[1], whole[0]
            ),
            expected: "lengths that differ by a cycle at least".into(),
            help: "for example 250,500,1000,2000; leave it out for the length of the configuration"
                .into(),
        }),
    }
}

/// Refuses an accuracy for a target where there is none.
pub(super) fn target(wishes: &Wishes, task: &Task) -> Result<()> {
    match (wishes.target, task) {
        (Some(target), Task::Numbers(_)) if target.of == Judge::Accuracy => Err(Error::Argument {
            what: "--target".into(),
            found: format!(
                "an accuracy of {}, of numbers, which have none",
                target.value
            ),
            expected: "a loss".into(),
            help: "write --target loss=LOSS".into(),
        }),
        _ => Ok(()),
    }
}

/// The bounds of `--bounds`.
pub(super) fn bounds(arguments: &Arguments) -> Result<Option<Bounds>> {
    let refuse = |found: String, expected: &str| Error::Argument {
        what: "--bounds".into(),
        found,
        expected: expected.into(),
        help: "for example --bounds 0.001,0.1".into(),
    };
    let words = || arguments.bounds.iter().map(f64::to_string);
    match arguments.bounds[..] {
        [] => Ok(None),
        [base_lr, max_lr] if 0.0 <= base_lr && base_lr < max_lr && (max_lr as f32).is_finite() => {
            Ok(Some(Bounds {
                base_lr,
                max_lr,
                intervals: None,
                from: "--bounds".into(),
            }))
        }
        _ => Err(refuse(
            words().collect::<Vec<_>>().join(","),
            "two finite rates, the lower first",
        )),
    }
}

/// Any bounds and length, to see which policies they make.
const SOME: Span = Span {
    base_lr: 0.01,
    max_lr: 0.1,
    steps: 1000,
    half: 250,
};

fn holds_comparison(folder: &Path) -> bool {
    Store::exists(folder) || Store::exists(&folder.join(TUNING))
}

/// The policies that are compared.
pub(super) fn policies(arguments: &Arguments) -> Vec<String> {
    let others = !arguments.and.is_empty() || !arguments.vary.is_empty();
    match arguments.policies.is_empty() && !others {
        true => POLICIES.map(str::to_owned).to_vec(),
        false => arguments.policies.clone(),
    }
}

/// The combinations of `--vary`.
pub(super) fn combined(arguments: &Arguments) -> Result<Vec<Combined>> {
    let varied = arguments.vary.iter().map(|vary| Varied::parse(vary));
    let varied = varied.collect::<Result<Vec<Varied>>>();
    let combined = varied.and_then(|varied| combinations(&varied, arguments.zip));
    combined.map_err(flagged)
}

/// Whether the configuration itself is the baseline.
pub(super) fn has_own_baseline(arguments: &Arguments) -> bool {
    arguments.config.is_file() || !arguments.and.is_empty()
}

/// Refuses a name that is there twice.
pub(super) fn different(names: &[&str]) -> Result<()> {
    match (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
        None => Ok(()),
        Some(i) => Err(Error::Argument {
            what: "--name".into(),
            found: format!("{} twice", names[i]),
            expected: "a name of its own for each variant".into(),
            help: "name them in their order: --name before,after".into(),
        }),
    }
}

/// Refuses names that cannot be given to `variants` variants.
fn check_names(names: &[String], variants: usize) -> Result<()> {
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    let refuse = |found: String| {
        Err(Error::Argument {
            what: "--name".into(),
            found,
            expected: format!("at most {variants} names, one for each variant in their order"),
            help: "for example --name before,after".into(),
        })
    };
    if names.len() > variants {
        return refuse(format!("{} names", names.len()));
    }
    if names.iter().any(|name| name.is_empty()) {
        return refuse("an empty name".into());
    }
    if let Some(name) = names.iter().find(|name| name.contains(char::is_control)) {
        return refuse(format!("{name:?}, of several lines"));
    }
    different(&names)
}

/// Refuses fewer than two variants, one that is there twice, and names that do not fit.
fn several(arguments: &Arguments, policies: &[String], combined: &[Combined]) -> Result<()> {
    let own = usize::from(has_own_baseline(arguments));
    let all = own + arguments.and.len() + policies.len() + combined.len();
    let refuse = |what: &str, found: String, help: &str| {
        Err(Error::Argument {
            what: what.into(),
            found,
            expected: "two or more different things to compare".into(),
            help: help.into(),
        })
    };
    if let Some(i) = (1..policies.len()).find(|i| policies[..*i].contains(&policies[*i])) {
        let help = "part different policies by commas: --policies constant,triangular";
        return refuse("--policies", format!("{} twice", policies[i]), help);
    }
    if all >= 2 {
        return check_names(&arguments.name, all);
    }
    match (policies, combined) {
        ([one], _) => refuse(
            "--policies",
            format!("{one} alone"),
            "part them by commas: --policies constant,triangular; or compare one with a file of yours",
        ),
        (_, [one]) => refuse(
            "--vary",
            format!("{} alone", one.name),
            "part values by commas: --vary optimizer.momentum=0.8,0.9",
        ),
        _ => refuse(
            "compare",
            "nothing to compare".into(),
            "add --and, --policies or --vary",
        ),
    }
}

/// Refuses a key that a comparison would ignore, and a whole table that may hold one.
fn ignored(arguments: &Arguments, flag: &str, key: &str) -> Result<()> {
    if ["train", "cycle_end", "checkpoint"].contains(&key) {
        return Err(Error::Argument {
            what: flag.to_owned(),
            found: format!("{key}, a whole table, of which compare would ignore some keys"),
            expected: "keys that a comparison reads".into(),
            help: format!("name the keys: {flag} {key}.KEY=VALUE"),
        });
    }
    let policies_only = !has_own_baseline(arguments) && !policies(arguments).is_empty();
    let momentum = ["cycle_momentum", "base_momentum", "max_momentum"];
    let of_schedule = key.strip_prefix("schedule.");
    if policies_only && of_schedule.is_some_and(|key| momentum.contains(&key)) {
        return Err(Error::Argument {
            what: flag.to_owned(),
            found: format!("{key}, which compare would ignore: policies are made from bounds and a length"),
            expected: "keys that a comparison reads".into(),
            help: "write the schedule into a file and compare it: wavetrain compare mine.toml --policies A,B".into(),
        });
    }
    let length = ["train.steps", "train.epochs"].contains(&key);
    let why = match () {
        () if length && flag == "--vary" => "all runs have the same steps; --budget takes several",
        () if length && !arguments.budget.is_empty() => "--budget says how long runs are",
        () => match IGNORED.iter().find(|(ignored, _)| *ignored == key) {
            Some((_, why)) => why,
            None => return Ok(()),
        },
    };
    Err(Error::Argument {
        what: flag.to_owned(),
        found: format!("{key}, which compare would ignore: {why}"),
        expected: "keys that a comparison reads".into(),
        help: "leave it out".into(),
    })
}

/// Refuses what is on in a configuration and would change what is compared; says what is not used.
pub(super) fn ignored_in(name: &str, config: &Config) -> Result<()> {
    refuse_ignored_in(name, config)?;
    let reads = config.schedule.sample().reads_evaluations();
    if !reads && config.train.eval_every != Length::Epochs(1) {
        output::note(&[format!(
            "train.eval_every of {name} is not used: {}",
            IGNORED[0].1
        )]);
    }
    Ok(())
}

/// Refuses what is on in a configuration and would change what is compared.
pub(super) fn refuse_ignored_in(name: &str, config: &Config) -> Result<()> {
    let tests = config.train.test_every.is_some();
    let on = [
        ("train.test_every", tests, ""),
        ("train.early_stop", config.train.early_stop > 0, "0"),
        ("cycle_end.snapshot", config.cycle_end.snapshot, "false"),
        ("cycle_end.average", config.cycle_end.average, "false"),
    ];
    let Some((key, _, off)) = on.into_iter().find(|(_, on, _)| *on) else {
        return Ok(());
    };
    let why = IGNORED.iter().find(|(ignored, _)| *ignored == key);
    Err(Error::Argument {
        what: name.to_owned(),
        found: format!(
            "{key}, which compare would ignore: {}",
            why.map_or("", |(_, why)| why)
        ),
        expected: "a configuration of which all is compared".into(),
        help: match off {
            "" => format!("leave {key} out"),
            off => format!("set {key} = {off} in the file"),
        },
    })
}

/// What a policy is refused for, by the names of the flags.
pub(super) fn with_flags(error: &Error) -> Error {
    match error {
        Error::Argument {
            what,
            found,
            expected,
            help,
        } => {
            let error = Error::Argument {
                what: what.clone(),
                found: found.clone(),
                expected: expected.clone(),
                help: format!("{help} (--budget, --vary schedule.KEY=V1,V2)"),
            };
            as_flag(error, &[])
        }
        _ => Error::Argument {
            what: "--policies".into(),
            found: error.to_string(),
            expected: "policies that bounds and a length make".into(),
            help: "choose others".into(),
        },
    }
}
