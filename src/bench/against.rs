//! This program against another version of it: both run in turn, in child processes, so that a
//! machine whose speed drifts slows both.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde::Serialize;

use super::child::Program;
use super::median;
use super::models::{BenchModel, chosen};
use crate::error::{Error, Result, shown};
use crate::gpu::Gpu;

/// Rounds at least: fewer would say too little about 3 %.
pub const LEAST_ROUNDS: usize = 30;

/// The ratio of times that must not be reached: 3 % slower.
pub const LIMIT: f64 = 1.03;

/// What to run, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgainstOptions {
    /// Rounds: in each, both programs measure everything once.
    pub rounds: usize,
    /// Seconds that a program measures the steps of one model in a round, about.
    pub seconds: u64,
    /// Names of the models, all where empty.
    pub models: Vec<String>,
    /// Whether to measure first steps.
    pub first_steps: bool,
}

/// What is measured of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// A training step, in milliseconds.
    Step,
    /// From process start to the end of the first step, with an empty shader cache, in seconds.
    FirstCold,
    /// The same at the second start.
    FirstWarm,
}

impl Quantity {
    /// Its name and unit for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Step => "step, ms",
            Self::FirstCold => "first step cold, s",
            Self::FirstWarm => "first step warm, s",
        }
    }
}

/// What an interval says about [`LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgainstVerdict {
    /// The whole interval lies below it.
    Below,
    /// The interval holds it, or there are too few rounds for one: more rounds would tell.
    Open,
    /// The whole interval lies above it.
    Above,
}

/// The times of both programs for one quantity of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstComparison {
    /// The model's name.
    pub model: String,
    /// What was measured.
    pub quantity: Quantity,
    /// Median time of the other program.
    pub other: f64,
    /// Median time of this program.
    pub this: f64,
    /// Median over the rounds of this program's time over the other's.
    pub ratio: f64,
    /// An interval that holds the true median ratio with a probability of 95 % at least; nothing
    /// with fewer than six rounds.
    pub interval: Option<[f64; 2]>,
    /// What it says about [`LIMIT`].
    pub verdict: AgainstVerdict,
}

/// Both programs' figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The other program.
    #[serde(serialize_with = "shown::path")]
    pub other: PathBuf,
    /// Rounds.
    pub rounds: usize,
    /// The ratio that must not be reached.
    pub limit: f64,
    /// For each model its quantities.
    pub comparisons: Vec<AgainstComparison>,
    /// The worst of all.
    pub verdict: AgainstVerdict,
}

/// Another version of this program, found to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// As it was named.
    named: PathBuf,
    /// Where it lies: a name without a folder would be looked for in `PATH`.
    path: PathBuf,
}

impl Other {
    /// Asks the program at `file` for its version.
    ///
    /// # Errors
    /// A file that is not there, cannot be started, or is no wavetrain.
    pub fn find(file: &Path) -> Result<Self> {
        let path = std::path::absolute(file).map_err(|error| refused(file, &error.to_string()))?;
        identify(&path).map_err(|problem| refused(file, &problem))?;
        Ok(Self {
            named: file.to_owned(),
            path,
        })
    }
}

fn refused(file: &Path, problem: &str) -> Error {
    Error::Argument {
        what: "the other program".into(),
        found: format!("{} {problem}", file.display()),
        expected: "another version of wavetrain that runs here".into(),
        help: "name the program's file, such as target/release/wavetrain of another checkout"
            .into(),
    }
}

/// Bytes of its version that a program may say.
const VERSION_BYTES: u64 = 200;

/// Whether the file is a program that says it is a wavetrain; else why not.
fn identify(path: &Path) -> Result<(), String> {
    if !path.is_file() {
        return Err("is no file".into());
    }
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be started ({error})"))?;
    let mut line = Vec::new();
    if let Some(out) = child.stdout.take() {
        // What says something else may say it for ever, and in no encoding.
        let _ = BufReader::new(out.take(VERSION_BYTES)).read_until(b'\n', &mut line);
    }
    let _ = child.kill();
    let _ = child.wait();
    let line = String::from_utf8_lossy(&line);
    match line.starts_with(concat!(env!("CARGO_PKG_NAME"), " ")) {
        true => Ok(()),
        false => Err(format!("says `{}` as its version", line.trim())),
    }
}

/// Runs this program and the other one in turn; `progress` is told what is going on.
///
/// # Errors
/// An unknown model, or a program that fails.
pub fn run(
    gpu: &Arc<Gpu>,
    other: &Other,
    options: &AgainstOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Against> {
    let models = chosen(&options.models)?;
    let programs = [Program::at(other.path.clone(), gpu), Program::this(gpu)?];
    let times = turns(&programs, &models, options, progress).map_err(|(of, problem)| match of {
        0 => refused(&other.named, &problem),
        _ => gpu.failure(format!("this program {problem}")),
    })?;
    let comparisons = times.comparisons();
    let verdict = comparisons.iter().map(|comparison| comparison.verdict);
    Ok(Against {
        other: other.named.clone(),
        rounds: options.rounds,
        limit: LIMIT,
        verdict: verdict.max().unwrap_or(AgainstVerdict::Open),
        comparisons,
    })
}

/// All rounds; which program failed, and how.
fn turns(
    programs: &[Program; 2],
    models: &[&'static BenchModel],
    options: &AgainstOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Times, (usize, String)> {
    let mut times = Times::new(models, options.first_steps);
    for round in 0..options.rounds {
        for model in models {
            let (at, all) = (round + 1, options.rounds);
            progress(&format!("round {at} of {all}: {}", model.name));
            // The first of a pair finds another machine than the second: both take turns at it.
            for of in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let measured = times.measure(&programs[of], of, model, options);
                measured.map_err(|problem| (of, problem))?;
            }
        }
    }
    Ok(times)
}

/// The measurements: for each model and quantity the times of the other program and of this one.
struct Times(Vec<(&'static BenchModel, Quantity, [Vec<f64>; 2])>);

impl Times {
    fn new(models: &[&'static BenchModel], first_steps: bool) -> Self {
        let quantities: &[Quantity] = match first_steps {
            true => &[Quantity::Step, Quantity::FirstCold, Quantity::FirstWarm],
            false => &[Quantity::Step],
        };
        let mut all = Vec::new();
        for model in models {
            all.extend(quantities.iter().map(|q| (*model, *q, <_>::default())));
        }
        Self(all)
    }

    fn push(&mut self, of: usize, model: &BenchModel, quantity: Quantity, time: f64) {
        for (m, q, times) in &mut self.0 {
            if m.name == model.name && *q == quantity {
                times[of].push(time);
            }
        }
    }

    /// One program's share of a round.
    fn measure(
        &mut self,
        program: &Program,
        of: usize,
        model: &BenchModel,
        options: &AgainstOptions,
    ) -> Result<(), String> {
        let step = program.step(model.name, options.seconds)?;
        self.push(of, model, Quantity::Step, step);
        if options.first_steps {
            let cache = tempfile::tempdir().map_err(|error| format!("has no cache: {error}"))?;
            for quantity in [Quantity::FirstCold, Quantity::FirstWarm] {
                let (time, _) = program.first_step(model.name, cache.path(), false)?;
                self.push(of, model, quantity, time);
            }
        }
        Ok(())
    }

    fn comparisons(&self) -> Vec<AgainstComparison> {
        let of = |(model, quantity, [other, this]): &(&BenchModel, Quantity, [Vec<f64>; 2])| {
            let ratios: Vec<f64> = this.iter().zip(other).map(|(a, b)| a / b).collect();
            let interval = median_interval(&ratios);
            AgainstComparison {
                model: model.name.into(),
                quantity: *quantity,
                other: median(other),
                this: median(this),
                ratio: median(&ratios),
                interval,
                verdict: verdict(interval),
            }
        };
        self.0.iter().map(of).collect()
    }
}

fn verdict(interval: Option<[f64; 2]>) -> AgainstVerdict {
    match interval {
        Some([_, high]) if high < LIMIT => AgainstVerdict::Below,
        Some([low, _]) if low > LIMIT => AgainstVerdict::Above,
        _ => AgainstVerdict::Open,
    }
}

/// An interval that holds the median of the distribution that `values` come from with a probability
/// of 95 % at least; nothing with fewer than six values.
///
/// It reaches from the k-th smallest to the k-th largest value, with the largest k for which
/// P(B < k) <= 2.5 %, where B counts tosses of a fair coin, one for each value: the values below the
/// median. That is the sign test turned around, and supposes nothing about the distribution but that
/// the values are independent. Source: W. J. Conover, Practical Nonparametric Statistics, 3rd
/// edition, 1999, section 3.2.
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<[f64; 2]> {
    let n = values.len();
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut k = 0;
    // ln of P(B = k): a power of one half alone would be zero for many values.
    let mut log_p = -(n as f64) * std::f64::consts::LN_2;
    let mut below = log_p.exp();
    while below <= 0.025 && k < n / 2 {
        log_p += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
        below += log_p.exp();
        k += 1;
    }
    (k > 0).then(|| [sorted[k - 1], sorted[n - k]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of published tables (Conover, table A3; also R's `MedianCI(method = "exact")`).
    #[test]
    fn the_interval_has_the_ranks_of_the_sign_test() {
        for (n, low, high) in [
            (6, 1, 6),
            (8, 1, 8),
            (9, 2, 8),
            (10, 2, 9),
            (15, 4, 12),
            (20, 6, 15),
            (25, 8, 18),
            (30, 10, 21),
            (50, 18, 33),
            (100, 40, 61),
        ] {
            let values: Vec<f64> = (1..=n).rev().map(f64::from).collect();
            let expected = [low, high].map(f64::from);
            assert_eq!(median_interval(&values), Some(expected), "{n}");
        }
        for n in 0..6 {
            assert_eq!(median_interval(&vec![1.0; n]), None, "{n}");
        }
        // Beyond the smallest power of one half that a float holds.
        let values: Vec<f64> = (1..=3000).map(f64::from).collect();
        let [low, high] = median_interval(&values).unwrap();
        assert!((low - 1446.0).abs() < 3.0 && (high - 1555.0).abs() < 3.0);
    }

    /// A program that answers as `bench` does, and adds a letter to the file `log` at each start.
    #[cfg(unix)]
    fn fake(folder: &Path, letter: &str, bench: &str) -> PathBuf {
        use std::io::Write;
        let path = folder.join(letter);
        let log = folder.join("log");
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo wavetrain 0.0.1; exit; fi\n\
             printf {letter} >> '{}'\ncase \"$*\" in\n*--first-step*) echo done; echo '{{\"loss\": 1.0}}' ;;\n\
             *) {bench} ;;\nesac\n",
            log.display()
        );
        // Written by a process of its own: a file that this one has open for writing while another
        // test starts a child cannot be started.
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = writer.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        assert!(writer.wait().unwrap().success());
        path
    }

    #[cfg(unix)]
    fn fakes(folder: &Path, bench: [&str; 2]) -> [Program; 2] {
        let gpu = Gpu::noop(crate::gpu::Class::Tiled).unwrap();
        let paths = [fake(folder, "a", bench[0]), fake(folder, "b", bench[1])];
        paths.map(|path| Program::at(path, &gpu))
    }

    #[cfg(unix)]
    const OPTIONS: AgainstOptions = AgainstOptions {
        rounds: 6,
        seconds: 1,
        models: Vec::new(),
        first_steps: false,
    };

    #[cfg(unix)]
    #[test]
    fn programs_take_turns_and_a_slower_one_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let told = |ms: f64| {
            format!("echo '{{\"steps\": [{{\"model\": \"mlp-64\", \"ms\": {ms}, \"else\": 1}}]}}'")
        };
        let programs = fakes(folder.path(), [&told(10.0), &told(12.0)]);
        let models = chosen(&["mlp-64".into()]).unwrap();
        let times = turns(&programs, &models, &OPTIONS, &mut |_| ()).unwrap();
        let [step] = &times.comparisons()[..] else {
            panic!("one model, one quantity");
        };
        assert_eq!((step.other, step.this, step.ratio), (10.0, 12.0, 1.2));
        assert_eq!(step.interval, Some([1.2, 1.2]));
        assert_eq!(step.verdict, AgainstVerdict::Above);
        let log = folder.path().join("log");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "abbaabbaabba");

        std::fs::remove_file(&log).unwrap();
        let options = AgainstOptions {
            rounds: 2,
            first_steps: true,
            ..OPTIONS
        };
        let times = turns(&programs, &models, &options, &mut |_| ()).unwrap();
        let quantities = times.comparisons().into_iter().map(|c| c.quantity);
        let all = [Quantity::Step, Quantity::FirstCold, Quantity::FirstWarm];
        assert!(quantities.eq(all));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "aaabbbbbbaaa");
    }

    #[cfg(unix)]
    #[test]
    fn programs_that_fail_are_named_with_what_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let good = "echo '{\"steps\": [{\"model\": \"mlp-64\", \"ms\": 1}]}'";
        let models = chosen(&["mlp-64".into()]).unwrap();
        for (bench, words) in [
            ("echo no such model >&2; exit 2", "no such model"),
            ("echo nothing", "tells no figures"),
            ("echo '{\"steps\": []}'", "tells no time of mlp-64"),
            (
                "echo '{\"steps\": [{\"model\": \"mlp-64\", \"ms\": 0}]}'",
                "tells no time of mlp-64",
            ),
            ("kill -9 $$", "ended with signal: 9"),
        ] {
            for of in [0, 1] {
                let bench = if of == 0 {
                    [bench, good]
                } else {
                    [good, bench]
                };
                let programs = fakes(folder.path(), bench);
                let outcome = turns(&programs, &models, &OPTIONS, &mut |_| ());
                let (found, problem) = outcome.err().unwrap();
                assert_eq!(found, of, "{problem}");
                assert!(problem.contains(words), "{words}: {problem}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_that_are_no_wavetrain_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "nothing").unwrap();
        for (file, words) in [
            (folder.path().join("nowhere"), "is no file"),
            (folder.path().to_owned(), "is no file"),
            (text, "cannot be started"),
            ("/bin/sh".into(), "as its version"),
            ("/usr/bin/yes".into(), "as its version"),
        ] {
            let error = Other::find(&file).unwrap_err();
            let message = error.to_string();
            assert!(
                error.is_users_mistake() && message.contains(words),
                "{message}"
            );
            assert!(message.contains("\nhelp: "), "{message}");
        }
        assert!(Other::find(&fake(folder.path(), "a", "true")).is_ok());
    }

    #[test]
    fn an_interval_that_holds_the_limit_says_nothing() {
        for (interval, expected) in [
            (Some([0.9, 1.029]), AgainstVerdict::Below),
            (Some([0.9, 1.03]), AgainstVerdict::Open),
            (Some([1.02, 1.04]), AgainstVerdict::Open),
            (Some([1.031, 1.04]), AgainstVerdict::Above),
            (None, AgainstVerdict::Open),
        ] {
            assert_eq!(verdict(interval), expected, "{interval:?}");
        }
        assert!(
            AgainstVerdict::Below < AgainstVerdict::Open
                && AgainstVerdict::Open < AgainstVerdict::Above
        );
    }
}
