//! A network, its data and a device: what trains. Its parts own their plans and buffers; here they
//! are put together.

mod measure;
mod resume;
mod state;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::augment::Strip;
use super::chunk::{InFlight, Rates, Steps};
use super::describe::Described;
use super::evaluate::{EVALUATION_SLOTS, Pass};
use super::feed::{Feed, write_class_weights};
use super::generate::Generator;
use super::low_point::Statistics;
use super::record::{Augmented, RunInfo, StepRecord};
use super::setup::{self, Layout, Pace};
use crate::config::{Config, Settled};
use crate::data::{Dataset, Extent, Normalization, Task, Units};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::Plan;
use crate::kernel::plan::Key;
use crate::kernel::program::Workshop;
use crate::loss::Loss;
use crate::model::{Network, Tensor, Training, Weights, plan};
use crate::optim::Optimizer;
use crate::schedule::Policy;

/// Submissions in flight: one runs while the next is prepared.
pub(in crate::train) use measure::Tested;

pub(super) const IN_FLIGHT: usize = 2;

/// A network, its data and a device: what trains.
#[derive(Debug)]
pub struct Trainer {
    workshop: Workshop,
    training: Training,
    feed: Feed,
    steps: Steps,
    evaluation: Pass,
    /// The gathering with and without random changes, where samples are changed.
    strip: Option<Strip>,
    /// What renews running statistics, where an average of weights needs it.
    statistics: Option<Statistics>,
    schedule: Box<dyn Policy>,
    /// What the schedule was told of evaluations: steps done, and the bits of the loss.
    observed: Vec<(u64, u64)>,
    seed: u64,
    done: u64,
    /// How far the optimizer's count of updates, which starts where its states are zero, is ahead
    /// of the steps (modulo 2^64, so it may be behind).
    ahead: u64,
    pace: Pace,
    info: RunInfo,
    /// The table `[run]` of the run's `config.toml`.
    about: toml::Table,
    described: Described,
    settled: Settled,
    /// What goes on with texts, once it was asked to.
    generator: Option<Generator>,
    /// How many training samples there are, those of the validation set included.
    extent: Extent,
}

impl Trainer {
    /// The plan of a training step, without laying anything out on the device.
    ///
    /// # Errors
    /// As [`Trainer::new`], but for what the adapter cannot hold.
    pub fn plan_of(gpu: &Gpu, config: &Config, dataset: &Dataset) -> Result<Plan> {
        let layout = Layout::new(gpu, config, dataset)?;
        plan(&layout.training, gpu, &layout.train)
    }

    /// [`Trainer::settled`] for a configuration in which nothing is `"auto"`.
    ///
    /// # Errors
    /// As [`Config::settle`] and [`Trainer::settled`].
    pub fn new(gpu: impl Into<Arc<Gpu>>, config: Config, dataset: Dataset) -> Result<Self> {
        dataset.check()?;
        let settled = config.settle(dataset.train.extent(), None)?;
        Self::settled(gpu, settled, dataset)
    }

    /// Lays out everything that training needs: after this nothing is allocated, compiled or
    /// decided. `data.source` is not read: `dataset` is what trains.
    ///
    /// # Errors
    /// Layers that do not fit, a data set without a batch, an adapter that cannot hold the plan.
    pub fn settled(gpu: impl Into<Arc<Gpu>>, settled: Settled, dataset: Dataset) -> Result<Self> {
        let gpu = gpu.into();
        let config = &settled.config;
        let layout = Layout::new(&gpu, config, &dataset)?;
        let about = setup::about(&gpu, &dataset)?;
        let info = setup::run_info(&gpu, &layout, &settled, (&dataset, &about));
        let pace = Pace::new(&settled);
        let normalization =
            Normalization::new(config.data.normalize, &dataset.train, &layout.split.train)?;
        let units = Units::new(&dataset.train, &layout.split.train);
        let described = Described::new(
            config,
            &dataset,
            &normalization,
            &units,
            layout.training.loss.clone(),
        )?;
        let training = layout.training;
        let (network, loss) = (&training.network, &*training.loss);
        let slots = layout.train.slots.max(EVALUATION_SLOTS);
        let mut workshop = Workshop::new(Arc::clone(&gpu), slots);
        let steps = Steps::new(&mut workshop, &training, layout.train)?;
        // Members of an ensemble need them, and what is told of numbers, of single classes and samples.
        let told = units.width() > 0 || matches!(dataset.task, Task::Classes(_));
        let outputs = pace.cycle_end.snapshot || told;
        let evaluation = Pass::new(&mut workshop, (network, loss), layout.evaluation, outputs)?;
        let strip = Strip::new(&mut workshop, network, &layout.train)?;
        let statistics = match pace.cycle_end.average {
            true => Statistics::new(&mut workshop, (network, loss), &layout.train)?,
            false => None,
        };
        let extent = dataset.train.extent();
        let dataset = Dataset {
            train: units.standardised(&dataset.train)?,
            test: units.standardised(&dataset.test)?,
            ..dataset
        };
        let fed = (&config.data, layout.train.accumulate, pace.total_steps);
        let weights = loss.class_weights().to_vec();
        let feed = Feed::new(&workshop, (dataset, units), (layout.split, weights), fed)?;
        let multipliers = network.multipliers(config.decay_on);
        let tables: [(Key, &[u8]); 3] = [
            (Key::Mean, bytemuck::cast_slice(&normalization.mean)),
            (Key::Scale, bytemuck::cast_slice(&normalization.scale)),
            (Key::Multipliers, bytemuck::cast_slice(&multipliers)),
        ];
        write_class_weights(&workshop, loss)?;
        for (key, bytes) in tables {
            workshop.write(&key, bytes)?;
        }
        let weights = network.initial_weights(config.seed);
        let info = RunInfo {
            residence: feed.describe(),
            ..info
        };
        let mut trainer = Self {
            workshop,
            training,
            feed,
            steps,
            evaluation,
            strip,
            statistics,
            schedule: settled.schedule.clone(),
            observed: Vec::new(),
            seed: config.seed,
            done: 0,
            ahead: 0,
            pace,
            info,
            about,
            described,
            settled,
            generator: None,
            extent,
        };
        trainer.set_weights(&weights, Path::new("initial weights"))?;
        Ok(trainer)
    }

    /// Everything that is known before the first step.
    #[must_use]
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// The plan of a training step.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.steps.plan
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.training.network
    }

    /// What the network's outputs are measured by.
    #[must_use]
    pub fn loss(&self) -> &dyn Loss {
        &*self.training.loss
    }

    /// How gradients change the parameters.
    #[must_use]
    pub fn optimizer(&self) -> &dyn Optimizer {
        &*self.training.optimizer
    }

    /// How long a run is, and where something besides training happens.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Most steps of a chunk.
    pub(super) fn longest_chunk(&self) -> usize {
        self.steps.request.slots / self.batches_per_step()
    }

    /// Batches of a step, at most.
    pub(super) fn batches_per_step(&self) -> usize {
        self.steps.request.accumulate
    }

    /// Submits the steps `first .. first + count`, at most `most` batches at a time.
    pub(super) fn submit(&mut self, first: u64, count: usize, most: usize) -> Result<InFlight> {
        let rates = Rates {
            seed: self.seed,
            schedule: &*self.schedule,
            optimizer: &*self.training.optimizer,
            ahead: self.ahead,
        };
        let (workshop, feed) = (&mut self.workshop, &mut self.feed);
        self.steps
            .submit(workshop, feed, &rates, (first, count, most))
    }

    /// Waits for a chunk; what the device recorded.
    pub(super) fn collect(&mut self, chunk: InFlight) -> Result<Vec<StepRecord>> {
        self.steps.collect(&mut self.workshop, chunk)
    }

    /// How long the device had nothing to do because samples were not there; nothing where all lie on it.
    pub(super) fn waited(&self) -> Option<Duration> {
        self.feed.waited()
    }

    /// Counts steps as done.
    pub(super) fn set_done(&mut self, done: u64) {
        self.done = done;
    }

    /// Trains `steps` steps in chunks of at most `chunk`, without evaluating anything and without
    /// observers: for measurements and for those who write their own loop.
    ///
    /// # Errors
    /// A device that fails. A loss that is not finite is in the records.
    pub fn advance(&mut self, steps: u64, chunk: usize) -> Result<Vec<StepRecord>> {
        let end = self.done.saturating_add(steps);
        let chunk = chunk.clamp(1, self.longest_chunk());
        let mut submitted = self.done;
        let mut in_flight = VecDeque::new();
        let mut records = Vec::new();
        while self.done < end {
            while submitted < end && in_flight.len() < IN_FLIGHT {
                let count = (end - submitted).min(chunk as u64) as usize;
                in_flight.push_back(self.submit(submitted, count, usize::MAX)?);
                submitted += count as u64;
            }
            let Some(chunk) = in_flight.pop_front() else {
                break;
            };
            let collected = self.collect(chunk)?;
            self.done += collected.len() as u64;
            records.extend(collected);
        }
        Ok(records)
    }

    /// Trains one step and gives the seconds of each command of [`Trainer::plan`], in order, from
    /// timestamps of the device; a copy's are `None` where the adapter times passes only. The
    /// weights become the same bits as by [`Trainer::advance`].
    ///
    /// # Errors
    /// As [`Trainer::advance`]; an adapter that cannot time passes.
    pub fn advance_timed(&mut self) -> Result<Vec<Option<f64>>> {
        let rates = Rates {
            seed: self.seed,
            schedule: &*self.schedule,
            optimizer: &*self.training.optimizer,
            ahead: self.ahead,
        };
        let (workshop, feed) = (&mut self.workshop, &mut self.feed);
        let times = self.steps.time(workshop, feed, &rates, self.done)?;
        self.done += 1;
        Ok(times)
    }

    /// The first samples of the first step, each as it is and as the first steps would change it,
    /// made by the kernel that the steps run; none where nothing is changed.
    ///
    /// # Errors
    /// A device that fails.
    pub fn augmented(&mut self) -> Result<Vec<Augmented>> {
        match &self.strip {
            Some(strip) => strip.examples(&mut self.workshop, &mut self.feed, self.seed),
            None => Ok(Vec::new()),
        }
    }

    /// The weights as they are on the device now.
    ///
    /// # Errors
    /// A device that fails.
    pub fn weights(&self) -> Result<Weights> {
        let bytes = self.workshop.read(&Key::Parameters)?;
        let flat: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let mut weights = Weights::from_flat(&self.training.network, &flat);
        for state in self.training.network.states() {
            let bytes = self.workshop.read(&Key::State(state.name.clone()))?;
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            let tensor = Tensor {
                shape: vec![state.len],
                values: values[..state.len].to_vec(),
            };
            weights.tensors.insert(state.name.clone(), tensor);
        }
        weights.counters = self
            .training
            .network
            .counters(self.feed.order.batches(self.done));
        weights.add_twins(&self.training.network);
        self.described.describe(&mut weights);
        Ok(weights)
    }

    /// Replaces the weights; `file` is named in errors.
    ///
    /// # Errors
    /// [`crate::error::Error::Weights`] for a tensor that is missing, extra or misshapen, or not finite.
    pub fn set_weights(&mut self, weights: &Weights, file: &Path) -> Result<()> {
        weights.check(&self.training.network, file)?;
        let flat = weights.flat(&self.training.network);
        for state in self.training.network.states() {
            let values = &weights.tensors[&state.name].values;
            let key = Key::State(state.name.clone());
            self.workshop.write(&key, bytemuck::cast_slice(values))?;
        }
        self.workshop
            .write(&Key::Parameters, bytemuck::cast_slice(&flat))
    }

    /// The gradients of the last step, by the parameters' names.
    ///
    /// # Errors
    /// A device that fails.
    pub fn gradients(&self) -> Result<Weights> {
        let bytes = self.workshop.read(&Key::Gradients)?;
        let flat: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        Ok(Weights::from_flat(&self.training.network, &flat))
    }
}
