//! `wavetrain compare`: configurations, policies, or values of any key, side by side over seeds.

mod checks;
mod same;
mod variants;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::options::{ConfigOptions, Globals, as_flag};
use super::output::{self, Output};
use super::signals::Signals;
use crate::config::Settled;
use crate::data::{Split, Task};
use crate::draw::plot;
use crate::draw::words::{quoted, things};
use crate::error::{Error, Result};
use crate::lab::compare::statistics::looks;
use crate::lab::compare::{
    self, Along, Arm, ComparisonEnded, ComparisonPlan, Pace, Settings, Store, TUNING, Target,
    Tuned, Variant, Wishes, Work,
};
use crate::lab::find::RangeTest;
use crate::page::comparison::Comparison;
use crate::report::folder::{BETTER, RunFolder};
use crate::schedule::Policy;
use variants::Chosen;
use watch::Watching;

/// Rates that are tried where nobody says how many.
const RATES: u64 = 3;
/// Seeds where neither seeds nor minutes are given.
const SEEDS: u64 = 5;

/// Compares configurations, policies, or values of any key, over seeds: what is better, and what is not shown
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first variant is the baseline: with a file it is the file as it stands, or \
                        else the first policy, or the first values of --vary."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigOptions,
    /// Compare this preset or file, too; may be repeated
    #[arg(long, value_name = "PRESET | CONFIG.toml")]
    and: Vec<PathBuf>,
    /// Compare policies between the bounds that the configuration has, or that a range test finds
    /// [default, where there is no --and and no --vary: constant,step,triangular,one_cycle,cosine]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    policies: Vec<String>,
    /// The bounds of --policies, and of rates that are "auto", instead of a range test's
    #[arg(
        long,
        value_name = "BASE_LR,MAX_LR",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    bounds: Vec<f64>,
    /// Compare values of this key; of several keys all combinations
    #[arg(long, value_name = "KEY=V1,V2,...")]
    vary: Vec<String>,
    /// Take the first values of each --vary together, the second ones, and so on
    #[arg(long, requires = "vary")]
    zip: bool,
    /// Names for the variants, in their order
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    name: Vec<String>,
    /// Rates that are tried for each policy before: half, once and twice what the bounds give; 0: none
    /// [default: 3]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    tune: Option<u64>,
    /// Runs of each, with their own initial weights and order [default: 5, or as the minutes allow]
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    seeds: Option<u64>,
    /// Go on, seed by seed, until every question is settled or this time is up
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    minutes: Option<f64>,
    /// What counts as a difference: points of accuracy, or percent of the loss [default: 0.3, or 2]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    margin: Option<f64>,
    /// The accuracy to reach, as a share, or loss=LOSS [default: what the baseline ends with]
    #[arg(long, value_name = "ACC", allow_negative_numbers = true)]
    target: Option<String>,
    /// Steps of each run; several lengths show the frontier [default: those of the configuration]
    #[arg(
        long,
        value_name = "STEPS,...",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    budget: Vec<u64>,
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
    let wishes = checks::check(arguments)?;
    let signals = Signals::listen();
    let watching = Watching::new(&signals, arguments.minutes);
    let chosen = match variants::choose(arguments, (globals, &signals)) {
        Err(error) => return signals.status_of(error),
        Ok(chosen) => chosen,
    };
    let prepared = prepare(arguments, globals, &wishes, &chosen)?;
    let folder = match &arguments.out {
        Some(path) => RunFolder::create(path, true)?,
        None => RunFolder::fresh(Path::new("runs"), &format!("compare-{}", chosen.data()))?,
    };
    let begun = begin(arguments, globals, prepared, chosen, (&folder, &watching))?;
    let Some(begun) = begun else {
        output::clear_status();
        watching.interrupted(&folder);
        return Ok(signals.status());
    };
    let Begun {
        plan,
        arms,
        tuned,
        range,
        base,
    } = begun;
    let store = Store::new(folder.path());
    let open = || globals.open();
    let work = Work {
        arms: &arms,
        plan: &plan,
        workers: usize::from(arguments.jobs.max(1)),
        open: &open,
    };
    let conducted = compare::conduct(&work, &store, arguments.seeds, &watching);
    output::clear_status();
    let (records, ended) = conducted?;
    let names = (
        arms[0].dataset.name.clone(),
        globals.open()?.description().name.clone(),
    );
    let comparison = Comparison::new(names, plan, (range, tuned), (records, ended));
    let schedules: Vec<&dyn Policy> = arms.iter().map(|arm| &*arm.settled.schedule).collect();
    let page = comparison.write(&folder, &schedules, &base.to_toml())?;
    tell(arguments, &comparison, &page, output)?;
    if ended == ComparisonEnded::Interrupted {
        watching.interrupted(&folder);
        return Ok(signals.status());
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known before the folder is made, so that what is refused leaves none.
struct Prepared {
    settings: Settings,
    along: Along,
}

/// Lengths, what runs are judged by, and how often they are evaluated.
fn prepare(
    arguments: &Arguments,
    globals: &Globals,
    wishes: &Wishes,
    chosen: &Chosen,
) -> Result<Prepared> {
    let Chosen { base, variants, .. } = chosen;
    // A file's own length stays as it is.
    let whole_cycles = variants.iter().any(|variant| variant.policy.is_some())
        && !checks::has_own_baseline(arguments);
    let budgets = compare::budgets(base, &arguments.budget, whole_cycles);
    checks::whole_cycles(arguments, &budgets)?;
    let task = &variants[0].dataset.task;
    checks::target(wishes, task)?;
    let judged = (
        task.judge(),
        variants.iter().map(Variant::answered).min().unwrap_or(0),
        match task {
            Task::Numbers(_) => 0,
            task => task.names().len(),
        },
    );
    let settings = Settings::new(budgets, wishes, judged).map_err(flagged)?;
    let arms = compare::arms(variants, &settings.budgets).map_err(flagged)?;
    let kept = arguments.out.as_deref().map(|out| Store::new(out).plan());
    let along = match kept.transpose()?.flatten() {
        Some(plan) => plan.along,
        None => along(arguments, globals, (variants, &arms, &settings))?,
    };
    Ok(Prepared { settings, along })
}

/// What a comparison begins with.
struct Begun {
    plan: ComparisonPlan,
    arms: Vec<Arm>,
    tuned: Vec<Tuned>,
    range: Option<RangeTest>,
    base: Settled,
}

/// Chooses the rates, and makes the plan. `None` where it was interrupted.
fn begin(
    arguments: &Arguments,
    globals: &Globals,
    prepared: Prepared,
    chosen: Chosen,
    (folder, watching): (&RunFolder, &Watching<'_>),
) -> Result<Option<Begun>> {
    let Chosen {
        base,
        mut variants,
        range,
    } = chosen;
    let Prepared { settings, along } = prepared;
    let open = || globals.open();
    let tuning = (
        &Store::new(&folder.path().join(TUNING)),
        usize::from(arguments.jobs.max(1)),
    );
    let rates = (&settings, &along, arguments.tune.unwrap_or(RATES));
    let (tuned, ended) = compare::tune(&mut variants, rates, tuning, &open, watching)?;
    match ended {
        ComparisonEnded::Done => {}
        ComparisonEnded::Late => return Err(too_late(arguments, folder)),
        _ => return Ok(None),
    }
    let arms = compare::arms(&variants, &settings.budgets).map_err(flagged)?;
    let looks = match (arguments.seeds, arguments.minutes) {
        (seeds, Some(_)) => looks::planned(seeds),
        (seeds, None) => looks::fixed(seeds.unwrap_or(SEEDS)),
    };
    let store = Store::new(folder.path());
    let plan = store.begin(ComparisonPlan::new(&arms, settings, along, looks))?;
    if let (None, Some(_), [look]) = (arguments.seeds, arguments.minutes, &plan.looks[..]) {
        output::note(&[format!(
            "{} was planned for one look, at {}: it ends there, whatever the minutes; --seeds K goes on \
             beyond the plan",
            folder.path().display(),
            things(look.seeds, "seed")
        )]);
    }
    Ok(Some(Begun {
        plan,
        arms,
        tuned,
        range,
        base,
    }))
}

/// The time was up before all rates were chosen.
fn too_late(arguments: &Arguments, folder: &RunFolder) -> Error {
    let minutes = arguments.minutes.unwrap_or_default();
    Error::Argument {
        what: "--minutes".into(),
        found: format!("{minutes}, which were over before all rates were chosen"),
        expected: "time for that, and for three seeds of all to see anything".into(),
        help: format!(
            "the same command with --out {} goes on where it was; --tune 0 leaves this out",
            quoted(&folder.path().display().to_string())
        ),
    }
}

/// How often runs are evaluated, from what steps and evaluations take here; refuses minutes that do not
/// hold the choice of rates and one run.
fn along(
    arguments: &Arguments,
    globals: &Globals,
    (variants, arms, settings): (&[Variant], &[Arm], &Settings),
) -> Result<Along> {
    output::status("timing steps and evaluations");
    let pace = Pace::measure(arms, &globals.open()?)?;
    output::clear_status();
    let run = pace.run(&settings.budgets, settings.samples);
    let is_policy = |arm: &&Arm| variants[arm.variant].policy.is_some();
    let policies = arms.iter().filter(is_policy);
    let each = policies.map(|arm| pace.run(&[arm.steps], settings.samples));
    let rates = arguments.tune.unwrap_or(RATES) as f64 / f64::from(arguments.jobs.max(1));
    // What was chosen before is not chosen again.
    let chosen = arguments.out.as_deref();
    let chosen = chosen.is_some_and(|out| Store::exists(&out.join(TUNING)));
    let tuning = if chosen {
        0.0
    } else {
        rates * each.sum::<f64>()
    };
    let needed = run + tuning;
    if let Some(minutes) = arguments.minutes.filter(|minutes| 60.0 * minutes < needed) {
        let before = match tuning > 0.0 {
            true => format!(", and choosing the rates before about {:.2}", tuning / 60.0),
            false => String::new(),
        };
        return Err(Error::Argument {
            what: "--minutes".into(),
            found: format!(
                "{minutes}, and one run takes about {:.2} minutes here{before}",
                run / 60.0
            ),
            expected: "time for one run at least, and for three seeds of all to see anything"
                .into(),
            help: "give it more minutes, or fewer steps by --budget, or less to choose by --tune"
                .into(),
        });
    }
    let whole = arms
        .iter()
        .any(|arm| arm.settled.config.data.streams().is_some());
    let validation = arms.iter().map(validation).collect::<Result<Vec<_>>>()?;
    let validation = validation.into_iter().min().unwrap_or(0);
    Ok(Along::new(pace, &settings.budgets, validation, whole))
}

/// Samples that are held out.
fn validation(arm: &Arm) -> Result<usize> {
    let data = &arm.settled.config.data;
    let split = Split::new(arm.dataset.train.extent(), data.validation, data.seed)?;
    Ok(data.evaluated(split.validation.len()))
}

/// What the library refuses, by the names of the flags.
fn flagged(error: Error) -> Error {
    as_flag(error, &[("steps", "--budget"), ("policies", "--policies")])
}

/// What was chosen, before anything is loaded.
fn wishes(arguments: &Arguments) -> Result<Wishes> {
    let target = arguments.target.as_deref().map(Target::parse);
    Ok(Wishes {
        target: target.transpose()?,
        margin: arguments.margin,
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
        if let Some(better) = comparison.better() {
            let file = page.with_file_name(BETTER);
            output.text(&format!(
                "\n# the schedule of {} as code for PyTorch (or keras)\nwavetrain schedule {} --format torch\n",
                better.name,
                quoted(&file.display().to_string())
            ))?;
        }
    }
    Ok(())
}

fn shown(comparison: &Comparison, output: &Output) -> String {
    let style = plot::Style {
        colour: output.colour,
        ..plot::Style::default()
    };
    let width = output.width.min(100);
    let curves = comparison.curves();
    let plot = curves.map(|chart| plot::draw(&chart, width, 16, style) + "\n");
    plot.unwrap_or_default() + &comparison.text(width)
}
