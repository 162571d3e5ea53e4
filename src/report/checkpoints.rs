//! The checkpoints in a run's folder: `checkpoints/step-1200.safetensors` and so on.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{
    AVERAGE, BEST, CHECKPOINTS, CSV, METRICS, MODEL, PAGE, RUN, RunFolder, SUMMARY,
};
use super::folder::{TENSORBOARD, checkpoints as list, snapshots};
use crate::error::{Error, Result};
use crate::train::Checkpoint;
use crate::train::event::RunInfo;

/// The files beside checkpoints that grow while a run goes on.
const GROWING: [&str; 2] = [METRICS, TENSORBOARD];

/// What a run's folder has to go on from.
#[derive(Debug)]
pub struct Newest {
    /// The newest checkpoint that is whole, and its file; `None` where there is none.
    pub found: Option<(Checkpoint, PathBuf)>,
    /// Newer ones, and what is wrong with them.
    pub skipped: Vec<Error>,
}

/// The newest whole checkpoint of a run.
#[must_use]
pub fn newest(folder: &RunFolder) -> Newest {
    let mut skipped = Vec::new();
    let run: Option<RunInfo> = folder.read_json(RUN).ok();
    for (_, path) in list(folder.path()).into_iter().rev() {
        let read = Checkpoint::read(&path);
        let own = read.and_then(|checkpoint| match &run {
            Some(run) => of_run(run, checkpoint, &path),
            None => Ok(checkpoint),
        });
        match own.and_then(|checkpoint| reached(folder, checkpoint)) {
            Ok(checkpoint) => {
                let found = Some((checkpoint, path));
                return Newest { found, skipped };
            }
            Err(error) => skipped.push(error),
        }
    }
    Newest {
        found: None,
        skipped,
    }
}

/// Refuses a checkpoint of another run than the folder's.
fn of_run(run: &RunInfo, checkpoint: Checkpoint, file: &Path) -> Result<Checkpoint> {
    match checkpoint.differs_from(run) {
        None => Ok(checkpoint),
        Some([key, found, expected]) => Err(Error::Data {
            file: file.to_owned(),
            problem: format!(
                "is a checkpoint of another run: {key} is {found}; expected {expected}"
            ),
            help: "take it out of the folder".into(),
        }),
    }
}

/// Refuses a checkpoint of steps that the file of all steps beside it does not have. TensorBoard's may be
/// thrown away.
fn reached(folder: &RunFolder, checkpoint: Checkpoint) -> Result<Checkpoint> {
    let length = checkpoint.files.get(METRICS).copied().unwrap_or(0);
    let file = folder.file(METRICS);
    let found = fs::metadata(&file).map_or(0, |found| found.len());
    if found < length {
        return Err(Error::Data {
            problem: format!(
                "has {found} bytes; expected {length} at step {}",
                checkpoint.step()
            ),
            file,
            help: "take the file from a copy of the run folder, or train again".into(),
        });
    }
    Ok(checkpoint)
}

/// Writes a checkpoint, after what it counts on; then removes older ones until `keep` are left.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; the older ones are still there then.
pub(super) fn keep(folder: &RunFolder, checkpoint: &Checkpoint, keep: u64) -> Result<()> {
    let disk = folder.disk();
    let mut checkpoint = checkpoint.clone();
    for name in GROWING {
        if let Some(length) = disk.settle(&folder.file(name))? {
            checkpoint.files.insert(name.to_owned(), length);
        }
    }
    let place = folder.file(CHECKPOINTS);
    disk.make_folder(&place)?;
    let step = checkpoint.step();
    let file = place.join(format!("step-{step}.safetensors"));
    disk.replace(&file, &checkpoint.to_bytes()?)?;
    let older = list(folder.path()).into_iter().rev();
    let older = older.filter(|(number, _)| *number < step);
    let kept = usize::try_from(keep.max(1) - 1).unwrap_or(usize::MAX);
    for (_, path) in older.skip(kept) {
        disk.remove(&path)?;
    }
    Ok(())
}

/// Brings the folder back to where a checkpoint was taken: what belongs to later steps is removed or
/// written again, and so is what is only there once a run has ended. The files that grow are cut by
/// those who write them.
pub(super) fn rewind(folder: &RunFolder, checkpoint: &Checkpoint) -> Result<()> {
    let disk = folder.disk();
    folder.sweep()?;
    for name in [SUMMARY, PAGE, MODEL, CSV] {
        disk.remove(&folder.file(name))?;
    }
    let later = list(folder.path()).into_iter();
    for (_, path) in later.filter(|(number, _)| *number > checkpoint.step()) {
        disk.remove(&path)?;
    }
    let points = usize::try_from(checkpoint.low_points()).unwrap_or(usize::MAX);
    for path in snapshots(folder.path()).into_iter().skip(points) {
        disk.remove(&path)?;
    }
    let weights = [
        (BEST, checkpoint.run.best_weights.as_ref()),
        (AVERAGE, checkpoint.average()),
    ];
    for (name, weights) in weights {
        let file = folder.file(name);
        match weights {
            None => disk.remove(&file)?,
            Some(weights) => {
                let bytes = weights.to_safetensors()?;
                if fs::read(&file).is_ok_and(|found| found == bytes) {
                    continue;
                }
                disk.replace(&file, &bytes)?;
            }
        }
    }
    Ok(())
}
