//! One run of a comparison.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Job, Point, Record, Settings, Store, Variant};
use crate::data::Judge;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::train::{Split, Trainer};

/// Runs jobs one after the other; a variant's trainer is kept for its next seed.
pub(super) struct Worker<'a> {
    variants: &'a [Variant],
    settings: &'a Settings,
    open: &'a (dyn Fn() -> Result<Arc<Gpu>> + Sync),
    gpu: Option<Arc<Gpu>>,
    trainer: Option<(usize, Trainer)>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        variants: &'a [Variant],
        settings: &'a Settings,
        open: &'a (dyn Fn() -> Result<Arc<Gpu>> + Sync),
    ) -> Self {
        Self {
            variants,
            settings,
            open,
            gpu: None,
            trainer: None,
        }
    }

    /// Does a job, from where the store has kept it in the middle.
    pub(super) fn run(&mut self, job: Job, store: &Store) -> Result<Record> {
        let (variant, seed) = job;
        let settled = &self.variants[variant].settled;
        let (first, order) = (settled.config.seed, settled.config.data.seed);
        let settings = *self.settings;
        let trainer = self.trainer(variant)?;
        trainer.begin(first.wrapping_add(seed), settled.schedule.clone())?;
        trainer.set_order_seed(order.wrapping_add(seed));
        let classes = trainer.info().classes.len().max(1);
        // A loss that is a target has to be seen.
        let by_loss = [settings.judge, settings.target_of].contains(&Judge::Loss);
        let mut record = Record {
            variant,
            seed_number: seed,
            curve: Vec::new(),
            test: Judge::Accuracy.of_chance(classes),
            test_loss: by_loss.then(|| Judge::Loss.of_chance(classes)),
            diverged: None,
        };
        if let Some((state, half)) = store.half(job) {
            trainer.restore(&state)?;
            record = half;
        }
        let (mut kept, mut took) = (Instant::now(), Duration::ZERO);
        while trainer.done() < settings.steps && record.diverged.is_none() {
            // Kept runs cost 2 % at most.
            if trainer.done() > 0 && kept.elapsed() > took * 50 {
                let begun = Instant::now();
                store.keep_half(&trainer.state()?, &record)?;
                (kept, took) = (Instant::now(), begun.elapsed());
            }
            let steps = settings.every.min(settings.steps - trainer.done());
            let records = trainer.advance(steps, CHUNK)?;
            let bad = records.iter().find(|record| !record.is_finite());
            record.diverged = bad.map(|record| record.step);
            if record.diverged.is_none() {
                let (evaluation, _) = trainer.evaluate(Split::Validation)?;
                trainer.observe(evaluation.loss);
                record.curve.push(Point {
                    step: trainer.done(),
                    accuracy: evaluation.accuracy,
                    loss: by_loss.then_some(evaluation.loss),
                });
            }
        }
        if record.diverged.is_none() {
            let (evaluation, _) = trainer.evaluate(Split::Test)?;
            record.test = evaluation.accuracy;
            record.test_loss = by_loss.then_some(evaluation.loss);
        }
        Ok(record)
    }

    fn trainer(&mut self, variant: usize) -> Result<&mut Trainer> {
        let kept = self.trainer.take().filter(|(kept, _)| *kept == variant);
        let kept = match kept {
            Some(kept) => kept,
            None => {
                let gpu = match &self.gpu {
                    Some(gpu) => Arc::clone(gpu),
                    None => (self.open)()?,
                };
                self.gpu = Some(Arc::clone(&gpu));
                let Variant {
                    settled, dataset, ..
                } = &self.variants[variant];
                let (settled, dataset) = (settled.clone(), dataset.clone());
                (variant, Trainer::settled(gpu, settled, dataset)?)
            }
        };
        Ok(&mut self.trainer.insert(kept).1)
    }
}

/// Steps of a submission, at most: short on every adapter for the nets that are compared.
const CHUNK: usize = 8;
