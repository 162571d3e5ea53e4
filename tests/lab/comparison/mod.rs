//! Comparisons: runs that are alike but for what is compared, kept as they end; and statements that
//! are right about data whose truth is known.

mod folder;
mod interrupted;
mod runs;
mod wishes;

use std::path::Path;

use wavetrain::data::Judge;
use wavetrain::lab::compare::statistics::looks;
use wavetrain::lab::compare::{
    self, Along, Arm, ComparisonPlan, Record, Settings, Store, Variant, Watch, Wishes, Work,
};

use crate::fixture::{Setup, data, gpu};

fn variant(name: &str, schedule: &str) -> Variant {
    let setup = Setup {
        data: "batch = 16\nvalidation = 0.2".into(),
        schedule: schedule.into(),
        ..Setup::default()
    };
    Variant {
        name: name.into(),
        config: setup.config(),
        found: None,
        policy: None,
        dataset: data(200, 40),
    }
}

fn constant(rate: &str) -> Variant {
    variant(
        &format!("lr {rate}"),
        &format!("policy = \"constant\"\nlr = {rate}"),
    )
}

/// A comparison of constant rates, laid out in `folder`.
struct Laid {
    arms: Vec<Arm>,
    plan: ComparisonPlan,
    store: Store,
}

impl Laid {
    fn new(folder: &Path, rates: &[&str], budgets: &[u64]) -> Self {
        let variants: Vec<Variant> = rates.iter().map(|rate| constant(rate)).collect();
        Self::of(folder, &variants, budgets).unwrap()
    }

    fn of(folder: &Path, variants: &[Variant], budgets: &[u64]) -> wavetrain::error::Result<Self> {
        let arms = compare::arms(variants, budgets)?;
        let test = variants[0].dataset.test.len();
        let judged = (Judge::Accuracy, test, 4);
        let settings = Settings::new(budgets.to_vec(), &Wishes::default(), judged)?;
        let along = Along {
            samples: 20,
            every: budgets.iter().map(|steps| steps.div_ceil(8)).collect(),
        };
        let store = Store::new(folder);
        let plan = store.begin(ComparisonPlan::new(&arms, settings, along, looks::fixed(2)))?;
        Ok(Self { arms, plan, store })
    }

    fn work(&self) -> Work<'_> {
        Work {
            arms: &self.arms,
            plan: &self.plan,
            workers: 1,
            open: &|| Ok(gpu()),
        }
    }

    /// Trains two seeds.
    fn run(&self) -> wavetrain::error::Result<Vec<Record>> {
        Ok(compare::run(&self.work(), &self.store, 2, &Nobody)?.0)
    }
}

struct Nobody;

impl Watch for Nobody {}

/// The runs without what a clock says.
fn timeless(records: &[Record]) -> Vec<Record> {
    let mut records = records.to_vec();
    for record in &mut records {
        (record.seconds, record.evaluating) = (0.0, 0.0);
    }
    records
}

fn compared(folder: &Path, rates: &[&str]) -> Vec<Record> {
    timeless(&Laid::new(folder, rates, &[24]).run().unwrap())
}
