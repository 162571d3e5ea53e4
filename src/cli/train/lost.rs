//! A device that is lost in the middle of a run.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::Arguments;
use super::going_on::{self, Start};
use crate::cli::options::ConfigOptions;
use crate::cli::output::{self, Output};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::report::folder::{RunFolder, checkpoints};

/// Gives a device.
pub(super) type Open<'a> = &'a dyn Fn() -> Result<Arc<Gpu>>;

/// How training ended.
pub(super) enum Trained {
    /// With an exit status.
    Over(ExitCode),
    /// The device was lost; what the run in this folder has left goes on.
    Lost(PathBuf, Error),
}

/// Trains; where the device is lost and the run has a checkpoint, opens it once more and goes on.
pub(super) fn through_loss(
    arguments: &Arguments,
    open: Open<'_>,
    output: &mut Output,
) -> Result<ExitCode> {
    let trained = match going_on::start(arguments)? {
        Start::Anew(folder) => super::anew(arguments, open, output, folder)?,
        Start::From(going) => super::go_on(arguments, open, output, *going)?,
    };
    let (run, lost) = match trained {
        Trained::Over(status) => return Ok(status),
        Trained::Lost(run, lost) => (run, lost),
    };
    if checkpoints(&run).is_empty() {
        return Err(lost);
    }
    output::opened_once_more(&lost);
    let again = arguments.to_go_on_with(run);
    let going = match going_on::start(&again)? {
        Start::From(going) => *going,
        Start::Anew(_) => return Err(lost),
    };
    match super::go_on(&again, open, output, going)? {
        Trained::Over(status) => Ok(status),
        Trained::Lost(run, lost) => {
            going_on::after_interruption(&RunFolder::open(&run)?);
            Err(lost)
        }
    }
}

impl Arguments {
    /// The same wishes about a run that goes on in its folder as it is.
    fn to_go_on_with(&self, run: PathBuf) -> Self {
        Self {
            config: ConfigOptions::default(),
            out: None,
            resume: Some(run),
            allow_changed: false,
            force: false,
            init: None,
            new_head: false,
            strict: self.strict,
            tensorboard: self.tensorboard,
            dry_run: false,
            json: self.json,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::error::Error;
    use crate::gpu::Selection;
    use crate::report::folder::{METRICS, MODEL};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn arguments(out: &Path) -> Arguments {
        let sets = [
            "train.steps=600",
            "checkpoint.every=20",
            "model.layers=['flatten', { linear = 10 }]",
            "schedule.base_lr=0.01",
            "schedule.max_lr=0.1",
        ]
        .map(|set| format!("--set={set}"));
        let out = format!("--out={}", out.display());
        let line = ["train", "glyphs", "--json", &out].map(str::to_owned);
        Line::parse_from(line.into_iter().chain(sets)).arguments
    }

    /// Trains on devices of which the first `losses` are destroyed in the middle of the run: at the
    /// first checkpoint that was not there when they were opened. How many were opened.
    fn train(out: &Path, losses: usize) -> (Result<ExitCode>, usize) {
        let opened = Cell::new(0);
        let run = out.to_owned();
        let open = || {
            let gpu = Arc::new(Gpu::open(&Selection::default())?);
            if opened.replace(opened.get() + 1) < losses {
                let (gpu, run) = (Arc::clone(&gpu), run.clone());
                let before = checkpoints(&run).last().cloned();
                std::thread::spawn(move || {
                    while checkpoints(&run).last().cloned() == before {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    gpu.destroy();
                });
            }
            Ok(gpu)
        };
        let ended = through_loss(&arguments(out), &open, &mut Output::stdout());
        (ended, opened.get())
    }

    #[test]
    fn a_run_goes_on_when_its_device_is_lost_once() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, lost) = (folder.path().join("whole"), folder.path().join("lost"));
        let (ended, opened) = train(&whole, 0);
        assert_eq!((ended.unwrap(), opened), (ExitCode::SUCCESS, 1));
        let (ended, opened) = train(&lost, 1);
        assert_eq!((ended.unwrap(), opened), (ExitCode::SUCCESS, 2));
        for name in [MODEL, METRICS] {
            let bytes = |run: &Path| std::fs::read(run.join(name)).unwrap();
            assert!(bytes(&whole) == bytes(&lost), "{name} differs");
        }
    }

    #[test]
    fn a_device_that_is_lost_again_ends_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let (ended, opened) = train(&folder.path().join("lost"), 2);
        let error = ended.unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert_eq!(opened, 2);
    }
}
