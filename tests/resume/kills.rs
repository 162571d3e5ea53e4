//! Killing the program at any moment, and going on.
//!
//! `WAVETRAIN_KILLS=100 cargo test --test resume kills -- --nocapture` (`scripts/kills`) kills a
//! hundred times; without the variable ten times.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use wavetrain::rng::{Key, Stream};

use super::files::{contents, same};
use super::fixture::{config, program, start, succeed, train};

/// Steps of the run that is killed.
const STEPS: u64 = 900;

/// What was seen of the kills.
#[derive(Debug, Default)]
struct Seen {
    kills: usize,
    /// After which a checkpoint was there.
    after_a_checkpoint: usize,
    /// Which left a checkpoint half-written.
    while_one_was_written: usize,
    thrice: usize,
    /// Runs that were over before the signal came.
    missed: usize,
}

/// When a run is killed.
enum Moment {
    /// So long after its start.
    After(Duration),
    /// Once a checkpoint is being written, so long after the start.
    Writing(Duration),
}

fn half_written(run: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(".wavetrain-")
    })
}

/// Kills a run; whether it was still there.
fn kill(mut child: Child, run: &Path, moment: &Moment, seen: &mut Seen) -> bool {
    let begun = Instant::now();
    let over = |child: &mut Child| child.try_wait().unwrap().is_some();
    match moment {
        Moment::After(time) => {
            while begun.elapsed() < *time && !over(&mut child) {
                sleep(Duration::from_millis(1));
            }
        }
        Moment::Writing(time) => {
            while !over(&mut child) && (begun.elapsed() < *time || half_written(run).is_none()) {
                std::hint::spin_loop();
            }
        }
    }
    if over(&mut child) {
        seen.missed += 1;
        return false;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = fs::read_dir(run.join("checkpoints"))
        .into_iter()
        .flatten()
        .flatten();
    let whole = kept.filter(|e| e.path().extension().is_some_and(|e| e == "safetensors"));
    seen.kills += 1;
    seen.after_a_checkpoint += usize::from(whole.count() > 0);
    seen.while_one_was_written += usize::from(half_written(run).is_some());
    true
}

#[test]
fn a_run_that_is_killed_goes_on_to_the_same_bits() {
    let wanted = std::env::var("WAVETRAIN_KILLS")
        .ok()
        .and_then(|text| text.parse().ok());
    let wanted: usize = wanted.unwrap_or(10);
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), STEPS);
    let whole = folder.path().join("whole");
    let begun = Instant::now();
    succeed(train(&config, &whole));
    let length = begun.elapsed();
    let whole = contents(&whole);
    let mut seen = Seen::default();
    let mut number = 0;
    let enough = |seen: &Seen| {
        seen.kills >= wanted
            && seen.after_a_checkpoint >= wanted * 6 / 10
            && seen.while_one_was_written >= wanted / 5
            && seen.thrice >= wanted / 5
    };
    while !enough(&seen) {
        number += 1;
        let run = folder.path().join(format!("run-{number}"));
        let key = Key::new(number, Stream::Bench, 7);
        let random = |at: u32| f64::from(key.words(at, 0)[0]) / 2_f64.powi(32);
        let times = if number % 2 == 0 { 3 } else { 1 };
        let mut killed = 0;
        for time in 0..times {
            // A run that is killed three times is killed in each third of it.
            let after = length.mul_f64(random(time) / f64::from(times));
            let writing = seen.while_one_was_written < wanted / 5 && random(10 + time) < 0.7;
            let moment = match writing {
                true => Moment::Writing(after),
                false => Moment::After(after),
            };
            let command = match time {
                // Both ways to go on.
                1 if run.join("checkpoints").exists() => {
                    program(&["train", "--resume", run.to_str().unwrap()])
                }
                _ => train(&config, &run),
            };
            killed += usize::from(kill(start(command), &run, &moment, &mut seen));
        }
        seen.thrice += usize::from(killed == 3);
        // The kill that came too late leaves a run that is done.
        if !run.join("summary.json").exists() {
            succeed(train(&config, &run));
        }
        same(&run, &whole);
        fs::remove_dir_all(&run).unwrap();
        println!("run {number}: {seen:?}");
    }
    println!("{number} runs of {length:.1?}, all to the same bits: {seen:?}");
}
