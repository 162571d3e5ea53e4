//! Comparisons that are interrupted, lose their device, or run out of time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wavetrain::error::Error;
use wavetrain::gpu::{Gpu, Selection};
use wavetrain::lab::compare::statistics::{ContrastVerdict, looks};
use wavetrain::lab::compare::{self, ComparisonEnded, Outcomes, Watch, Work};

use super::{Laid, compared, timeless};
use crate::fixture::gpu;

/// Interrupts after some questions.
struct Impatient(AtomicUsize);

impl Watch for Impatient {
    fn interrupted(&self) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst) >= 6
    }
}

#[test]
fn an_interruption_keeps_the_run_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1"];
    let laid = Laid::new(folder.path(), &rates, &[24]);
    let watch = Impatient(AtomicUsize::new(0));
    let (records, ended) = compare::conduct(&laid.work(), &laid.store, None, &watch).unwrap();
    assert_eq!((records.len(), ended), (0, ComparisonEnded::Interrupted));
    assert!(folder.path().join("runs/01-01.safetensors").exists());
    let whole = compared(tempfile::tempdir().unwrap().path(), &rates);
    assert_eq!(compared(folder.path(), &rates), whole);
}

/// Gives the device that was opened last up at some questions.
struct Loser {
    opened: Mutex<Vec<Arc<Gpu>>>,
    asked: AtomicUsize,
    at: &'static [usize],
    told: AtomicUsize,
}

impl Loser {
    fn new(at: &'static [usize]) -> Self {
        Self {
            opened: Mutex::default(),
            asked: AtomicUsize::new(0),
            at,
            told: AtomicUsize::new(0),
        }
    }

    fn open(&self) -> wavetrain::Result<Arc<Gpu>> {
        let class = Some(gpu().class().name());
        let gpu = Arc::new(Gpu::open(&Selection {
            class,
            ..Selection::default()
        })?);
        self.opened.lock().unwrap().push(Arc::clone(&gpu));
        Ok(gpu)
    }
}

impl Watch for Loser {
    fn interrupted(&self) -> bool {
        if self.at.contains(&self.asked.fetch_add(1, Ordering::SeqCst)) {
            self.opened.lock().unwrap().last().unwrap().destroy();
        }
        false
    }

    fn device_lost(&self, lost: &Error) {
        assert!(matches!(lost, Error::DeviceLost { .. }), "{lost}");
        self.told.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_lost_device_is_opened_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1"];
    let whole = compared(folder.path(), &rates);
    for (at, opened) in [(&[][..], 1), (&[11], 2), (&[3, 20], 2)] {
        let folder = tempfile::tempdir().unwrap();
        let laid = Laid::new(folder.path(), &rates, &[24]);
        let loser = Loser::new(at);
        let open = || loser.open();
        let work = Work {
            open: &open,
            ..laid.work()
        };
        let outcome = compare::run(&work, &laid.store, 2, &loser);
        assert_eq!(loser.opened.lock().unwrap().len(), opened, "{at:?}");
        assert_eq!(loser.told.load(Ordering::SeqCst), opened - 1);
        match outcome {
            Ok((records, _)) if at.len() < 2 => assert_eq!(timeless(&records), whole, "{at:?}"),
            // Not twice; the same comparison goes on later.
            Err(Error::DeviceLost { .. }) if at.len() == 2 => {
                assert_eq!(timeless(&laid.run().unwrap()), whole);
            }
            outcome => panic!("{at:?}: {outcome:?}"),
        }
    }
}

/// Whose time is up from the beginning, or never.
struct Clock(f64);

impl Watch for Clock {
    fn time_left(&self) -> Option<f64> {
        Some(self.0)
    }
}

#[test]
fn a_comparison_ends_where_all_is_settled_or_the_time_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut laid = Laid::new(folder.path(), &["0.05", "1e-9"], &[24]);
    laid.plan.looks = looks::planned(None);
    let conduct =
        |seconds| compare::conduct(&laid.work(), &laid.store, None, &Clock(seconds)).unwrap();
    let (records, ended) = conduct(0.0);
    assert_eq!((records.len(), ended), (0, ComparisonEnded::Late));
    // A rate at which nothing is learned is worse, as some look shows.
    let (records, ended) = conduct(1e9);
    assert_eq!(ended, ComparisonEnded::Settled);
    assert!(records.len() < 40);
    let outcomes = Outcomes::of(&laid.plan, &records);
    let verdict = outcomes.arms[1]
        .against
        .as_ref()
        .unwrap()
        .judgement
        .unwrap()
        .verdict;
    assert_eq!(
        (verdict, outcomes.is_settled()),
        (ContrastVerdict::Worse, true)
    );
    // More seeds than the plan has are said to be beyond it.
    laid.plan.looks = looks::fixed(2);
    assert!(Outcomes::of(&laid.plan, &records).beyond);
}
