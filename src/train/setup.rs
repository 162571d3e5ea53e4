//! What follows from a configuration and a data set on a device, before anything is laid out there.

use super::evaluate::{EVALUATION_SLOTS, evaluation_batch};
use super::event::RunInfo;
use super::feed::is_resident;
use crate::config::{self, Chunk, Config, CycleEnd, Length};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::Mode;
use crate::layer::Layer;
use crate::loss::Loss;
use crate::model::{Network, PlanRequest};
use crate::optim::Optimizer;
use crate::schedule::Policy;

/// Most batches of a chunk where the engine chooses: their uniforms and results are small.
const AUTO_SLOTS: usize = 64;
/// Most batches of a chunk, but for those of a single step.
const MOST_SLOTS: usize = 65_536;

/// How long a run is, and where something besides training happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) total_steps: u64,
    /// Steps between evaluations.
    pub(super) eval_every: u64,
    /// Evaluations without a better loss that end a run; 0: none.
    pub(super) early_stop: u64,
    pub(super) chunk: Chunk,
    pub(super) cycle_end: CycleEnd,
}

/// What follows from a configuration and a data set on a device.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) network: Network,
    pub(super) split: data::Split,
    pub(super) steps_per_epoch: u64,
    pub(super) train: PlanRequest,
    pub(super) evaluation: PlanRequest,
}

impl Layout {
    /// Takes layers, loss and optimizer out of `parts`.
    pub(super) fn new(
        gpu: &Gpu,
        parts: Parts,
        settings: &Settings,
        dataset: &Dataset,
    ) -> Result<Self> {
        dataset.check()?;
        settings.augment.check(dataset.train.shape())?;
        let network = Network::new(
            parts.layers,
            parts.loss,
            parts.optimizer,
            dataset.train.shape(),
            dataset.task.outputs(),
        )?;
        let count = dataset.train.len();
        let data = &settings.data;
        let split = data::Split::new(count, data.validation, data.seed)?;
        check_last_batch(&network, split.train.len(), data)?;
        let accumulate = settings.train.accumulate;
        let most = match settings.train.chunk {
            Chunk::Auto => AUTO_SLOTS,
            Chunk::Fixed(steps) => (steps as usize).saturating_mul(accumulate),
        };
        // Whole steps, and no more than a ring holds.
        let slots = most.min(MOST_SLOTS).max(accumulate) / accumulate * accumulate;
        let evaluation_batch = evaluation_batch(data.batch);
        let listed = (slots * data.batch).max(EVALUATION_SLOTS * evaluation_batch);
        let train = PlanRequest {
            mode: Mode::Train,
            batch: data.batch,
            accumulate,
            slots,
            storage: dataset.train.storage(),
            samples: match is_resident(gpu, dataset) {
                true => count + dataset.test.len(),
                false => listed,
            },
            augment: settings.augment,
        };
        Ok(Self {
            steps_per_epoch: data.steps_per_epoch(split.train.len(), accumulate)?,
            network,
            split,
            train,
            evaluation: PlanRequest {
                mode: Mode::Evaluate,
                batch: evaluation_batch,
                accumulate: 1,
                slots: EVALUATION_SLOTS,
                ..train
            },
        })
    }

    /// How long a run under `settings` is.
    pub(super) fn pace(&self, settings: &Settings) -> Pace {
        let train = &settings.train;
        Pace {
            total_steps: self.steps(train.length()),
            eval_every: self.steps(train.eval_every),
            early_stop: train.early_stop,
            chunk: train.chunk,
            cycle_end: settings.cycle_end,
        }
    }

    fn steps(&self, length: Length) -> u64 {
        match length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(self.steps_per_epoch),
        }
    }
}

/// The parts of a configuration that a network is made of.
pub(super) struct Parts {
    layers: Vec<Box<dyn Layer>>,
    loss: Box<dyn Loss>,
    optimizer: Box<dyn Optimizer>,
}

/// The rest of a configuration.
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) data: config::Data,
    pub(super) augment: data::Augment,
    pub(super) schedule: Box<dyn Policy>,
    pub(super) train: config::Train,
    pub(super) cycle_end: config::CycleEnd,
    pub(super) text: String,
    /// Where the schedule's bounds come from.
    pub(super) bounds: Option<String>,
}

pub(super) fn take_apart(config: Config) -> (Parts, Settings) {
    let text = config.to_toml();
    let parts = Parts {
        layers: config.layers,
        loss: config.loss,
        optimizer: config.optimizer,
    };
    let settings = Settings {
        seed: config.seed,
        data: config.data,
        augment: config.augment,
        schedule: config.schedule,
        train: config.train,
        cycle_end: config.cycle_end,
        text,
        bounds: config.bounds.map(|bounds| bounds.describe()),
    };
    (parts, settings)
}

pub(super) fn run_info(
    gpu: &Gpu,
    layout: &Layout,
    settings: &Settings,
    dataset: &Dataset,
) -> Result<RunInfo> {
    let adapter = gpu.description().summary(gpu.class());
    let about = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("adapter", adapter.name.clone()),
        ("driver", adapter.driver.clone()),
        ("kernels", adapter.class.clone()),
        ("data", dataset.fingerprint()?),
    ];
    let bounds = settings.bounds.clone().map(|text| ("bounds", text));
    let run: toml::Table = about
        .into_iter()
        .chain(bounds)
        .map(|(key, value)| (key.to_owned(), toml::Value::String(value)))
        .collect();
    Ok(RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        adapter,
        data: dataset.name.clone(),
        sample_shape: dataset.train.shape().to_vec(),
        samples: [
            layout.split.train.len(),
            layout.split.validation.len(),
            dataset.test.len(),
        ],
        classes: dataset.classes().to_vec(),
        layers: layout.network.rows(),
        augment: settings.augment.describe(),
        schedule: settings.schedule.describe(),
        period: settings.schedule.period(),
        batch: settings.data.batch,
        accumulate: settings.train.accumulate,
        steps_per_epoch: layout.steps_per_epoch,
        total_steps: layout.steps(settings.train.length()),
        config: format!("{}\n[run]\n{run}", settings.text),
    })
}

/// Refuses a last, smaller batch that a layer cannot train on: a batch norm over one value.
fn check_last_batch(network: &Network, samples: usize, data: &config::Data) -> Result<()> {
    let rest = samples % data.batch.max(1);
    let smallest = if rest == 0 || data.drop_last {
        data.batch
    } else {
        rest
    };
    for (position, layer) in network.layers().iter().enumerate() {
        let least = layer.least_samples(&network.shapes()[position]);
        if smallest < least {
            return Err(Error::Shape {
                position,
                layer: layer.name().to_owned(),
                problem: format!(
                    "needs at least {least} samples in a batch, but the smallest batch of {samples} training samples has {smallest}"
                ),
                help: "set data.drop_last = true, or choose another data.batch".into(),
            });
        }
    }
    Ok(())
}
