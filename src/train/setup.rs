//! Everything that is laid out once, before the first step.

use std::path::Path;
use std::sync::Arc;

use super::augment::Strip;
use super::describe::Described;
use super::evaluate::{EVALUATION_BATCH, EVALUATION_SLOTS, fitting};
use super::event::{RunInfo, Split};
use super::low_point::{evaluation_plan, statistics_program};
use super::order::Order;
use crate::config::{self, Chunk, Config, Length};
use crate::data::{self, Dataset, Normalization, Samples, Values};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::plan::Key;
use crate::kernel::program::{Program, Workshop};
use crate::kernel::{Mode, Plan};
use crate::layer::Layer;
use crate::loss::Loss;
use crate::model::{Network, PlanRequest, Storage, Tensor, Weights, plan};
use crate::optim::Optimizer;
use crate::schedule::Policy;

/// Most steps of a chunk where the engine chooses: their uniforms and results are small.
const AUTO_SLOTS: usize = 64;

/// How the samples get to the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Residence {
    /// All samples lie on the device.
    Device,
    /// Each chunk's samples are gathered on the host: they do not fit into one binding.
    Host,
}

/// A network, its data and a device: what trains.
#[derive(Debug)]
pub struct Trainer {
    pub(super) workshop: Workshop,
    pub(super) network: Network,
    pub(super) schedule: Box<dyn Policy>,
    /// What the schedule was told of evaluations: steps done, and the bits of the loss.
    pub(super) observed: Vec<(u64, u64)>,
    pub(super) dataset: Dataset,
    pub(super) order: Order,
    /// The samples of each part that is evaluated, as positions in the device's list.
    pub(super) parts: Vec<(Split, Vec<u32>)>,
    pub(super) residence: Residence,
    pub(super) train_plan: Plan,
    pub(super) train_program: Program,
    pub(super) train_request: PlanRequest,
    pub(super) strip: Option<Strip>,
    pub(super) evaluation_program: Program,
    pub(super) evaluation_request: PlanRequest,
    pub(super) seed: u64,
    pub(super) total_steps: u64,
    pub(super) eval_every: u64,
    /// Evaluations without a better loss that end a run; 0: none.
    pub(super) early_stop: u64,
    pub(super) chunk: Chunk,
    pub(super) cycle_end: config::CycleEnd,
    /// What renews running statistics, where an average of weights needs it.
    pub(super) statistics: Option<Program>,
    pub(super) done: u64,
    pub(super) info: RunInfo,
    described: Described,
}

/// What follows from a configuration and a data set on a device.
#[derive(Debug)]
struct Layout {
    network: Network,
    split: data::Split,
    steps_per_epoch: u64,
    residence: Residence,
    train: PlanRequest,
    evaluation: PlanRequest,
}

impl Layout {
    /// Takes layers, loss and optimizer out of `parts`.
    fn new(gpu: &Gpu, parts: Parts, settings: &Settings, dataset: &Dataset) -> Result<Self> {
        dataset.check()?;
        settings.augment.check(&dataset.train.shape)?;
        let network = Network::new(
            parts.layers,
            parts.loss,
            parts.optimizer,
            &dataset.train.shape,
            dataset.classes.len(),
        )?;
        let count = dataset.train.labels.len();
        let data = &settings.data;
        let split = data::Split::new(count, data.validation, data.seed)?;
        check_last_batch(&network, split.train.len(), data)?;
        let residence = residence(gpu, dataset);
        let slots = match settings.train.chunk {
            Chunk::Auto => AUTO_SLOTS,
            Chunk::Fixed(steps) => steps as usize,
        };
        let evaluation_batch = data.batch.max(EVALUATION_BATCH);
        let listed = (slots * data.batch).max(EVALUATION_SLOTS * evaluation_batch);
        let train = PlanRequest {
            mode: Mode::Train,
            batch: data.batch,
            slots,
            storage: match dataset.train.values {
                Values::Bytes(_) => Storage::Bytes,
                Values::Floats(_) => Storage::Floats,
            },
            samples: match residence {
                Residence::Device => count + dataset.test.labels.len(),
                Residence::Host => listed,
            },
            augment: settings.augment,
        };
        Ok(Self {
            steps_per_epoch: data.steps_per_epoch(split.train.len())?,
            network,
            split,
            residence,
            train,
            evaluation: PlanRequest {
                mode: Mode::Evaluate,
                batch: evaluation_batch,
                slots: EVALUATION_SLOTS,
                ..train
            },
        })
    }

    fn steps(&self, length: Length) -> u64 {
        match length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(self.steps_per_epoch),
        }
    }
}

/// The parts of a configuration that a network is made of.
struct Parts {
    layers: Vec<Box<dyn Layer>>,
    loss: Box<dyn Loss>,
    optimizer: Box<dyn Optimizer>,
}

/// The rest of a configuration.
struct Settings {
    seed: u64,
    data: config::Data,
    augment: data::Augment,
    schedule: Box<dyn Policy>,
    train: config::Train,
    cycle_end: config::CycleEnd,
    text: String,
    /// Where the schedule's bounds come from.
    bounds: Option<String>,
}

fn take_apart(config: Config) -> (Parts, Settings) {
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

impl Trainer {
    /// The plan of a training step, without laying anything out on the device.
    ///
    /// # Errors
    /// As [`Trainer::new`], but for what the adapter cannot hold.
    pub fn plan_of(gpu: &Gpu, config: Config, dataset: &Dataset) -> Result<Plan> {
        let (parts, settings) = take_apart(config);
        let layout = Layout::new(gpu, parts, &settings, dataset)?;
        plan(&layout.network, gpu, &layout.train)
    }

    /// Lays out everything that training needs: after this nothing is allocated, compiled or
    /// decided. `config.data.source` is not read: `dataset` is what trains.
    ///
    /// # Errors
    /// Layers that do not fit, a data set without a batch, an adapter that cannot hold the plan, a
    /// schedule whose bounds were left to a range test that nobody ran ([`Config::settle`]).
    pub fn new(gpu: impl Into<Arc<Gpu>>, mut config: Config, dataset: Dataset) -> Result<Self> {
        let gpu = gpu.into();
        config.settle(dataset.train.labels.len())?;
        let (parts, settings) = take_apart(config);
        let layout = Layout::new(&gpu, parts, &settings, &dataset)?;
        let info = run_info(&gpu, &layout, &settings, &dataset);
        let wanted = settings.cycle_end;
        let train_plan = plan(&layout.network, &gpu, &layout.train)?;
        let (evaluation_request, evaluation_plan) = fitting(&gpu, layout.evaluation, |r| {
            evaluation_plan(&layout.network, &gpu, r, wanted)
        })?;
        let slots = layout.train.slots.max(EVALUATION_SLOTS);
        let mut workshop = Workshop::new(Arc::clone(&gpu), slots);
        let train_program = workshop.realize(&train_plan)?;
        let evaluation_program = workshop.realize(&evaluation_plan)?;
        let (network, request) = (&layout.network, &layout.train);
        let strip = Strip::new(&mut workshop, network, &gpu, request)?;
        let statistics = statistics_program(&mut workshop, network, &gpu, request, wanted)?;
        let normalization =
            Normalization::new(settings.data.normalize, &dataset.train, &layout.split.train)?;
        let described = Described::new(&settings.text, &settings.data, &dataset, &normalization)?;
        let mut trainer = Self {
            described,
            total_steps: layout.steps(settings.train.length),
            eval_every: layout.steps(settings.train.eval_every),
            early_stop: settings.train.early_stop,
            parts: parts_to_evaluate(&layout.split, &dataset),
            order: Order::new(layout.split.train, &settings.data, layout.steps_per_epoch),
            residence: layout.residence,
            train_plan,
            train_program,
            train_request: layout.train,
            strip,
            evaluation_program,
            evaluation_request,
            schedule: settings.schedule,
            observed: Vec::new(),
            seed: settings.seed,
            chunk: settings.train.chunk,
            cycle_end: wanted,
            statistics,
            done: 0,
            info,
            workshop,
            network: layout.network,
            dataset,
        };
        trainer.upload(&normalization)?;
        let weights = trainer.network.initial_weights(trainer.seed);
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
        &self.train_plan
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The weights as they are on the device now.
    ///
    /// # Errors
    /// A device that fails.
    pub fn weights(&self) -> Result<Weights> {
        let bytes = self.workshop.read(&Key::Parameters)?;
        let flat: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let mut weights = Weights::from_flat(&self.network, &flat);
        for state in self.network.states() {
            let bytes = self.workshop.read(&Key::State(state.name.clone()))?;
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            let tensor = Tensor {
                shape: vec![state.len],
                values: values[..state.len].to_vec(),
            };
            weights.tensors.insert(state.name.clone(), tensor);
        }
        weights.counters = self.network.counters(self.done);
        self.described.describe(&mut weights);
        Ok(weights)
    }

    /// Replaces the weights; `file` is named in errors.
    ///
    /// # Errors
    /// [`crate::error::Error::Weights`] for a tensor that is missing, extra, misshapen or not finite.
    pub fn set_weights(&mut self, weights: &Weights, file: &Path) -> Result<()> {
        weights.check(&self.network, file)?;
        let flat = weights.flat(&self.network);
        for state in self.network.states() {
            let values = &weights.tensors[&state.name].values;
            self.workshop.write(
                &Key::State(state.name.clone()),
                bytemuck::cast_slice(values),
            )?;
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
        Ok(Weights::from_flat(&self.network, &flat))
    }

    /// Fills the tables, and puts all samples on the device, the test set behind the training set;
    /// then the host's copy of the training set is forgotten.
    fn upload(&mut self, normalization: &Normalization) -> Result<()> {
        let multipliers = self.network.multipliers();
        let tables: [(Key, &[u8]); 3] = [
            (Key::Mean, bytemuck::cast_slice(&normalization.mean)),
            (Key::Scale, bytemuck::cast_slice(&normalization.scale)),
            (Key::Multipliers, bytemuck::cast_slice(&multipliers)),
        ];
        for (key, bytes) in tables {
            self.workshop.write(&key, bytes)?;
        }
        if self.residence == Residence::Host {
            return Ok(());
        }
        let mut labels = self.dataset.train.labels.clone();
        labels.extend_from_slice(&self.dataset.test.labels);
        self.workshop
            .write(&Key::Targets, bytemuck::cast_slice(&labels))?;
        let mut bytes = Vec::new();
        for samples in [&self.dataset.train, &self.dataset.test] {
            bytes.extend_from_slice(value_bytes(samples));
        }
        self.workshop.write(&Key::Samples, &bytes)?;
        self.dataset.train.values = Values::Bytes(Vec::new());
        Ok(())
    }
}

/// The parts of the data that are evaluated, as positions in the device's list of samples.
fn parts_to_evaluate(split: &data::Split, dataset: &Dataset) -> Vec<(Split, Vec<u32>)> {
    let train = dataset.train.labels.len() as u32;
    let test = train + dataset.test.labels.len() as u32;
    let mut parts = Vec::new();
    if !split.validation.is_empty() {
        parts.push((Split::Validation, split.validation.clone()));
    }
    parts.push((Split::Test, (train..test).collect()));
    parts
}

fn run_info(gpu: &Gpu, layout: &Layout, settings: &Settings, dataset: &Dataset) -> RunInfo {
    let adapter = gpu.description().summary(gpu.class());
    let about = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("adapter", adapter.name.clone()),
        ("driver", adapter.driver.clone()),
        ("kernels", adapter.class.clone()),
        ("data", dataset.fingerprint()),
    ];
    let bounds = settings.bounds.clone().map(|text| ("bounds", text));
    let run: toml::Table = about
        .into_iter()
        .chain(bounds)
        .map(|(key, value)| (key.to_owned(), toml::Value::String(value)))
        .collect();
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        adapter,
        data: dataset.name.clone(),
        sample_shape: dataset.train.shape.clone(),
        samples: [
            layout.split.train.len(),
            layout.split.validation.len(),
            dataset.test.labels.len(),
        ],
        classes: dataset.classes.clone(),
        layers: layout.network.rows(),
        augment: settings.augment.describe(),
        schedule: settings.schedule.describe(),
        period: settings.schedule.period(),
        batch: settings.data.batch,
        steps_per_epoch: layout.steps_per_epoch,
        total_steps: layout.steps(settings.train.length),
        config: format!("{}\n[run]\n{run}", settings.text),
    }
}

/// The values of samples as the device gets them.
pub(super) fn value_bytes(samples: &Samples) -> &[u8] {
    match &samples.values {
        Values::Bytes(bytes) => bytes,
        Values::Floats(floats) => bytemuck::cast_slice(floats),
    }
}

/// Whether all samples fit into one binding of the device.
fn residence(gpu: &Gpu, dataset: &Dataset) -> Residence {
    let bytes = value_bytes(&dataset.train).len() + value_bytes(&dataset.test).len();
    let most = gpu.max_binding_bytes().min(gpu.max_buffer_bytes());
    if bytes as u64 + 64 <= most {
        Residence::Device
    } else {
        log::info!(
            "the data set ({bytes} bytes) is larger than one binding: streamed from the host"
        );
        Residence::Host
    }
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
