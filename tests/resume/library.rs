//! The same through the library, without a program.

use std::sync::Arc;

use wavetrain::Config;
use wavetrain::error::Error;
use wavetrain::gpu::{ClassName, Gpu, Selection};
use wavetrain::report::checkpoints::newest;
use wavetrain::report::folder::RunFolder;
use wavetrain::report::folder::checkpoints as list;
use wavetrain::report::record::Recorder;
use wavetrain::train::{Checkpoint, Ended, Event, Flow, Observer, Trainer};

use super::adapter;
use super::files::{contents, same};
use super::fixture::text;

#[path = "../support/given.rs"]
mod given;

/// Devices of all classes that the adapter runs, the plainest first.
fn gpus() -> impl Iterator<Item = Arc<Gpu>> {
    let classes = ClassName::ALL.into_iter().rev();
    let gpus = classes.filter_map(adapter::gpu);
    gpus.filter(|gpu| given::is_given(gpu))
}

pub(crate) fn gpu() -> Arc<Gpu> {
    gpus().next().expect("a class that every adapter runs")
}

/// A trainer of the fixture's configuration, with lines behind it.
pub(crate) fn trainer(
    gpu: &Arc<Gpu>,
    folder: &std::path::Path,
    steps: u64,
    set: &[&str],
) -> Trainer {
    let overrides = wavetrain::config::Overrides {
        set: set.iter().map(|set| (*set).to_owned()).collect(),
        ..Default::default()
    };
    let tables = wavetrain::config::Tables::default();
    let config = Config::read("fixture", &text(folder, steps), &overrides, &tables).unwrap();
    let data = config.load_data().unwrap();
    Trainer::new(Arc::clone(gpu), config, data).unwrap()
}

/// Whether an event is the one to interrupt at.
type Moment<'a> = &'a dyn Fn(&Event<'_>) -> bool;

/// Interrupts at a certain event.
struct Interrupter<'a>(Moment<'a>);

impl Observer for Interrupter<'_> {
    fn on(&mut self, event: &Event<'_>) -> wavetrain::Result<Flow> {
        Ok(if (self.0)(event) {
            Flow::Interrupt
        } else {
            Flow::Continue
        })
    }
}

pub(crate) fn folder(path: std::path::PathBuf) -> RunFolder {
    RunFolder::create(path, true).unwrap()
}

fn latest(folder: &RunFolder) -> Checkpoint {
    newest(folder).found.unwrap().0
}

/// Wherever it is interrupted, also between the steps and the evaluation that belongs to them.
#[test]
fn a_run_goes_on_from_wherever_it_was_interrupted() {
    let data = tempfile::tempdir().unwrap();
    let gpu = gpu();
    let whole = folder(data.path().join("whole"));
    let mut first = trainer(&gpu, data.path(), 50, &[]);
    first.run(&mut [&mut Recorder::new(whole.clone())]).unwrap();
    let expected = contents(whole.path());
    let after = |done: u64| move |event: &Event<'_>| matches!(event, Event::Steps(steps) if steps.last().unwrap().step + 1 >= done);
    let moments: [(&str, Moment<'_>); 6] = [
        ("a start", &|event| matches!(event, Event::Started(_))),
        ("within an epoch", &after(11)),
        ("an evaluation that is due", &after(28)),
        ("a low point that is due", &after(30)),
        (
            "an evaluation",
            &|event| matches!(event, Event::Evaluated(e) if e.step == 35),
        ),
        ("a low point", &|event| {
            matches!(event, Event::LowPoint { .. })
        }),
    ];
    for (name, moment) in moments {
        let run = folder(data.path().join(name));
        let mut recorder = Recorder::new(run.clone());
        let mut interrupter = Interrupter(moment);
        let mut trainer = trainer(&gpu, data.path(), 50, &[]);
        let summary = trainer.run(&mut [&mut interrupter, &mut recorder]).unwrap();
        assert_eq!(summary.ended, Ended::Interrupted, "{name}");
        // In a trainer that knows nothing of it.
        let mut other = self::trainer(&gpu, data.path(), 50, &[]);
        let summary = other.resume(&latest(&run), &mut [&mut Recorder::new(run.clone())]);
        let summary = summary.unwrap();
        assert_eq!((summary.ended, summary.steps), (Ended::Done, 50), "{name}");
        same(run.path(), &expected);
        assert_eq!(other.state().unwrap(), first.state().unwrap());
    }
}

/// In any format of serde: as the bytes of its file.
#[test]
fn a_checkpoint_is_serialisable() {
    let data = tempfile::tempdir().unwrap();
    let run = folder(data.path().join("run"));
    let mut one = trainer(&gpu(), data.path(), 20, &[]);
    one.run(&mut [&mut Recorder::new(run.clone())]).unwrap();
    let checkpoint = latest(&run);
    let text = serde_json::to_string(&checkpoint).unwrap();
    let back: Checkpoint = serde_json::from_str(&text).unwrap();
    assert_eq!(back, checkpoint);
    let cut: Result<Checkpoint, _> = serde_json::from_str("[1, 2, 3]");
    assert!(cut.unwrap_err().to_string().contains("no whole checkpoint"));
}

/// Everything that is asked of a device that is gone says so; what was kept goes on with another.
#[test]
fn a_run_whose_device_is_lost_goes_on_with_another() {
    let data = tempfile::tempdir().unwrap();
    let whole = folder(data.path().join("whole"));
    let own = || {
        let class = Some(gpu().class().name());
        let selection = Selection {
            class,
            ..Selection::default()
        };
        Arc::new(Gpu::open(&selection).unwrap())
    };
    let mut first = trainer(&own(), data.path(), 50, &[]);
    first.run(&mut [&mut Recorder::new(whole.clone())]).unwrap();
    let run = folder(data.path().join("run"));
    let gpu = own();
    let mut losing = trainer(&gpu, data.path(), 50, &[]);
    let mut loser = Loser(Arc::clone(&gpu));
    let error = losing
        .run(&mut [&mut loser, &mut Recorder::new(run.clone())])
        .unwrap_err();
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    for error in [
        losing.state().unwrap_err(),
        losing.advance(1, 1).unwrap_err(),
        losing.weights().unwrap_err(),
    ] {
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    }
    let mut other = trainer(&own(), data.path(), 50, &[]);
    other
        .resume(&latest(&run), &mut [&mut Recorder::new(run.clone())])
        .unwrap();
    same(run.path(), &contents(whole.path()));
}

/// Gives the device up after 23 steps.
struct Loser(Arc<Gpu>);

impl Observer for Loser {
    fn on(&mut self, event: &Event<'_>) -> wavetrain::Result<Flow> {
        if matches!(event, Event::Steps(steps) if steps.last().unwrap().step >= 23) {
            self.0.destroy();
        }
        Ok(Flow::Continue)
    }
}

/// The state is logical: another class of kernels takes it up.
#[test]
fn another_class_of_kernels_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let run = folder(data.path().join("run"));
    let gpus: Vec<Arc<Gpu>> = gpus().collect();
    let mut one = trainer(&gpus[0], data.path(), 30, &[]);
    one.run(&mut [&mut Recorder::new(run.clone())]).unwrap();
    for (class, gpu) in gpus.iter().enumerate() {
        let mut other = trainer(gpu, data.path(), 45, &[]);
        let folder = folder(data.path().join(format!("class-{class}")));
        let metrics = "metrics.jsonl";
        std::fs::copy(run.file(metrics), folder.file(metrics)).unwrap();
        let checkpoint = latest(&run);
        assert_eq!(checkpoint.step(), 30);
        let mut recorder = Recorder::new(folder);
        let summary = other.resume(&checkpoint, &mut [&mut recorder]).unwrap();
        assert_eq!(summary.steps, 45);
        let judge = summary.evaluations.iter().all(|e| e.loss.is_finite());
        assert!(judge, "{:?}", summary.evaluations);
    }
}

#[test]
fn as_many_are_kept_as_were_asked_for() {
    let data = tempfile::tempdir().unwrap();
    for (set, steps) in [
        (&["checkpoint.keep=1"][..], &[50][..]),
        (&["checkpoint.keep=3"], &[30, 40, 50]),
        (
            &["checkpoint.every=1 cycle", "checkpoint.keep=9"],
            &[30, 50],
        ),
        (
            &["checkpoint.every=2 epochs", "checkpoint.keep=9"],
            &[34, 50],
        ),
        (&["checkpoint.every=0"], &[]),
    ] {
        let run = folder(data.path().join("run"));
        let mut trainer = trainer(&gpu(), data.path(), 50, set);
        trainer.run(&mut [&mut Recorder::new(run.clone())]).unwrap();
        let kept: Vec<u64> = list(run.path()).into_iter().map(|(step, _)| step).collect();
        assert_eq!(kept, steps, "{set:?}");
    }
}

/// A run whose last steps are bad keeps none of them.
#[test]
fn weights_that_are_not_finite_make_no_checkpoint() {
    let data = tempfile::tempdir().unwrap();
    let run = folder(data.path().join("run"));
    let set = ["schedule.max_lr=1e30", "checkpoint.every=1"];
    let mut trainer = trainer(&gpu(), data.path(), 50, &set);
    trainer
        .run(&mut [&mut Recorder::new(run.clone())])
        .unwrap_err();
    if let Some((checkpoint, _)) = newest(&run).found {
        assert!(checkpoint.state.is_finite());
        assert!(checkpoint.run.last_finite.is_some());
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let run = folder(data.path().join("run"));
    let mut one = trainer(&gpu(), data.path(), 10, &[]);
    one.run(&mut [&mut Recorder::new(run.clone())]).unwrap();
    let checkpoint = latest(&run);
    let wider = "model.layers=[\"flatten\", { linear = 5 }, { linear = 4 }]";
    for (set, what) in [
        (wider, "state, tensor `"),
        ("data.batch=8", "checkpoint, batch"),
        ("data.validation=0.3", "checkpoint, batch"),
    ] {
        let mut other = trainer(&gpu(), data.path(), 20, &[set]);
        let before = other.state().unwrap();
        let error = other.resume(&checkpoint, &mut []).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(other.state().unwrap(), before);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(
        data.path().join("train.safetensors"),
        elsewhere.path().join("test.safetensors"),
    )
    .unwrap();
    std::fs::copy(
        data.path().join("train.safetensors"),
        elsewhere.path().join("train.safetensors"),
    )
    .unwrap();
    let mut other = trainer(&gpu(), elsewhere.path(), 20, &[]);
    let error = other.resume(&checkpoint, &mut []).unwrap_err();
    assert!(error.to_string().contains("checkpoint, data"), "{error}");
}
