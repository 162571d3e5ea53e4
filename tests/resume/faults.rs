//! A disk on which every write, sync and rename fails once in turn; files that are cut at every
//! length; bits that flip.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wavetrain::disk::Disk;
use wavetrain::error::Error;
use wavetrain::model::Weights;
use wavetrain::page::PageWriter;
use wavetrain::report::checkpoints::newest;
use wavetrain::report::folder::RunFolder;
use wavetrain::report::folder::checkpoints as list;
use wavetrain::report::metrics::Metrics;
use wavetrain::report::record::Recorder;
use wavetrain::report::summary::StoredSummary;
use wavetrain::report::tensorboard::TensorBoard;
use wavetrain::train::event::RunInfo;
use wavetrain::train::{Checkpoint, Summary, Trainer};
use wavetrain::{Config, Result};

use super::files::{contents, same};
use super::library::{folder, gpu, trainer};

/// Trains into a folder from its newest checkpoint, or from the start.
fn go(trainer: &mut Trainer, folder: &RunFolder) -> Result<Summary> {
    let mut recorder = Recorder::new(folder.clone());
    let mut tensorboard = TensorBoard::new(folder);
    let mut page = PageWriter::new(folder.clone());
    let observers: &mut [&mut dyn wavetrain::train::Observer] =
        &mut [&mut recorder, &mut tensorboard, &mut page];
    match newest(folder).found {
        Some((checkpoint, _)) => trainer.resume(&checkpoint, observers),
        None => {
            let schedule = "[schedule]\npolicy = \"triangular\"\nbase_lr = 0.001\nmax_lr = 0.01\n\
                            step_size_up = 15\n";
            let schedule = Config::parse("the fixture's schedule", schedule)?;
            trainer.begin(trainer.seed(), schedule.settle(330, None)?.schedule)?;
            trainer.run(observers)
        }
    }
}

/// A disk whose operation `fails` (from 0) fails as a full one does; counts them.
fn full(fails: usize, count: &Arc<AtomicUsize>) -> Disk {
    let count = Arc::clone(count);
    count.store(0, Ordering::SeqCst);
    Disk::failing(
        move |_, _| match count.fetch_add(1, Ordering::SeqCst) == fails {
            true => Err(ErrorKind::StorageFull.into()),
            false => Ok(()),
        },
    )
}

#[test]
fn every_write_that_fails_is_named_and_the_run_goes_on_later() {
    let data = tempfile::tempdir().unwrap();
    let mut trainer = trainer(&gpu(), data.path(), 32, &[]);
    let count = Arc::new(AtomicUsize::new(0));
    let whole = folder(data.path().join("whole")).on(full(usize::MAX, &count));
    go(&mut trainer, &whole).unwrap();
    let expected = contents(whole.path());
    let operations = count.load(Ordering::SeqCst);
    assert!(operations > 50, "{operations}");
    for fails in 0..operations {
        let path = data.path().join("run");
        let run = folder(path.clone()).on(full(fails, &count));
        let error = go(&mut trainer, &run).unwrap_err();
        let text = error.to_string();
        let Error::Io { path: file, .. } = &error else {
            panic!("operation {fails}: {text}");
        };
        assert!(
            file.starts_with(&path) && !error.is_users_mistake(),
            "{text}"
        );
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(name) && text.contains(" failed: "), "{text}");
        let run = folder(path.clone());
        assert!(newest(&run).skipped.is_empty(), "operation {fails}, {text}");
        go(&mut trainer, &run).unwrap_or_else(|error| panic!("operation {fails}: {error}"));
        same(run.path(), &expected);
        fs::remove_dir_all(path).unwrap();
    }
    println!("{operations} operations, each failed once");
}

/// How the program reads each file of a run.
fn load(file: &Path, run: &RunFolder) -> Result<()> {
    let name = file.file_name().unwrap().to_str().unwrap();
    match name {
        "config.toml" => Config::load(Some(file), &Default::default()).map(drop),
        "run.json" => run.read_json::<RunInfo>("run.json").map(drop),
        "summary.json" => StoredSummary::read(run).map(drop),
        "metrics.jsonl" => Metrics::read(file).map(drop),
        _ if file.parent().unwrap().ends_with("checkpoints") => Checkpoint::read(file).map(drop),
        _ if name.ends_with(".safetensors") => Weights::read(file).map(drop),
        // The page, the table and TensorBoard's file are for others.
        _ => Ok(()),
    }
}

/// A run with little in it, so that all lengths can be tried.
fn small(data: &Path) -> RunFolder {
    let layers = "model.layers=[{ avg_pool2d = { kernel_size = 8 } }, \"batch_norm2d\", \"flatten\", { linear = 4 }]";
    let mut trainer = trainer(&gpu(), data, 12, &[layers, "train.eval_every=6"]);
    let run = folder(data.join("small"));
    go(&mut trainer, &run).unwrap();
    run
}

#[test]
fn every_prefix_of_every_file_loads_or_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let run = small(data.path());
    let folders = [
        run.path().to_owned(),
        run.file("checkpoints"),
        run.file("snapshots"),
    ];
    let mut tried = 0;
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let file = entry.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            if file.is_dir() || name == "report.html" {
                continue;
            }
            let bytes = fs::read(&file).unwrap();
            load(&file, &run).unwrap();
            for length in 0..bytes.len() {
                fs::write(&file, &bytes[..length]).unwrap();
                if let Err(error) = load(&file, &run) {
                    let text = error.to_string();
                    // A configuration that is cut is told by the key that it lacks.
                    let named = text.contains(name) || name == "config.toml";
                    assert!(named, "{length} bytes of {name}: {text}");
                }
                tried += 1;
            }
            fs::write(&file, &bytes).unwrap();
        }
    }
    println!("{tried} prefixes");
}

#[test]
fn a_bit_that_flips_is_found_wherever_it_is() {
    let data = tempfile::tempdir().unwrap();
    let run = small(data.path());
    let (_, file) = list(run.path()).pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    Checkpoint::from_bytes(&bytes).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        Checkpoint::from_bytes(&flipped).unwrap_err();
    }
    println!("{} bits", 8 * bytes.len());
}

/// What a newer checkpoint lacks, an older one has.
#[test]
fn a_checkpoint_that_is_not_whole_is_skipped_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let mut trainer = trainer(&gpu(), data.path(), 32, &[]);
    let run = folder(data.path().join("run"));
    go(&mut trainer, &run).unwrap();
    let expected = contents(run.path());
    let kept = list(run.path());
    assert_eq!(
        kept.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [30, 32]
    );
    let (_, file) = &kept[1];
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    let found = newest(&run);
    assert_eq!(found.found.as_ref().unwrap().0.step(), 30);
    let reason = found.skipped[0].to_string();
    assert!(
        reason.contains("step-32.safetensors: is no whole checkpoint"),
        "{reason}"
    );
    go(&mut trainer, &run).unwrap();
    same(run.path(), &expected);
    // A record that ends before a checkpoint was taken does not carry it.
    let metrics = run.file("metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    // The last line is of the test set, which is read behind the checkpoint.
    let (at, _) = text.match_indices('\n').nth_back(2).unwrap();
    fs::write(&metrics, &text[..=at]).unwrap();
    let found = newest(&run);
    let reason = found.skipped[0].to_string();
    assert!(reason.contains("metrics.jsonl: has "), "{reason}");
    go(&mut trainer, &run).unwrap();
    same(run.path(), &expected);
}
