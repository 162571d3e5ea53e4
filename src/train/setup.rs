//! What follows from a configuration and a data set on a device, before anything is laid out there.

use super::evaluate::{EVALUATION_SLOTS, evaluation_batch};
use super::feed::is_resident;
use super::record::RunInfo;
use crate::config::{self, Checkpoints, Chunk, Config, CycleEnd, Settled};
use crate::data::{self, Dataset};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::Mode;
use crate::layer::Layer;
use crate::model::{Network, PlanRequest, Training};

/// Most batches of a chunk where the engine chooses: their uniforms and results are small.
const AUTO_SLOTS: usize = 64;
/// Most rows of the batches of a submission, unless one batch has more: each leaves a pair of floats.
const MOST_ROWS: usize = 1 << 20;
/// Bytes of samples that lie on the device at a time where not all do, unless one batch has more.
const STREAMED: usize = 32 << 20;
/// Most batches of a chunk, but for those of a single step.
const MOST_SLOTS: usize = 65_536;

/// How long a run is, and where something besides training happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) total_steps: u64,
    /// Steps between evaluations.
    pub(super) eval_every: u64,
    /// Steps between evaluations of the test set where there is a validation set; 0: once, at the end.
    pub(super) test_every: u64,
    /// Evaluations without a better loss that end a run; 0: none.
    pub(super) early_stop: u64,
    pub(super) chunk: Chunk,
    pub(super) cycle_end: CycleEnd,
    pub(super) checkpoint: Checkpoints,
}

/// What follows from a configuration and a data set on a device.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) training: Training,
    pub(super) split: data::Split,
    pub(super) train: PlanRequest,
    pub(super) evaluation: PlanRequest,
}

impl Layout {
    pub(super) fn new(gpu: &Gpu, config: &Config, dataset: &Dataset) -> Result<Self> {
        dataset.check()?;
        config
            .augment
            .check(dataset.train.shape(), dataset.train.storage())?;
        let mut network = network(config, dataset)?;
        network.freeze(&config.freeze)?;
        network.scale_rates(&config.lr_mult)?;
        network.check_output(&dataset.task)?;
        config.loss.takes(&network.output(), &dataset.task)?;
        let data = &config.data;
        let extent = dataset.train.extent();
        let split = data::Split::new(extent, data.validation, data.seed)?;
        let per_epoch = data.samples_per_epoch(extent)?;
        check_streams(&split, dataset, data)?;
        check_last_batch(&network, per_epoch, data)?;
        let mut loss = config.loss.clone();
        loss.suit(&dataset.task, &dataset.samples_of_classes(&split.train))?;
        let accumulate = config.train.accumulate;
        let rows = |batch: usize| batch.saturating_mul(network.positions().max(1)).max(1);
        let most = match config.train.chunk {
            Chunk::Auto => AUTO_SLOTS.min(MOST_ROWS / rows(data.batch)),
            Chunk::Fixed(steps) => (steps as usize).saturating_mul(accumulate),
        };
        // Whole steps, and no more than a ring holds.
        let slots = most.min(MOST_SLOTS).max(accumulate) / accumulate * accumulate;
        let evaluation_batch = match data.streams() {
            Some(streams) => streams,
            None => evaluation_batch(data.batch, &network),
        };
        let evaluation_slots = EVALUATION_SLOTS.min((MOST_ROWS / rows(evaluation_batch)).max(1));
        let listed = (slots * data.batch).max(evaluation_slots * evaluation_batch);
        let streamed = gpu.max_binding_bytes().min(gpu.max_buffer_bytes());
        let streamed = STREAMED.min(streamed as usize) / (dataset.train.sample_bytes() + 1);
        let train = PlanRequest {
            mode: Mode::Train,
            batch: data.batch,
            accumulate,
            slots,
            positions: network.positions(),
            numbers: dataset.train.targets().width(),
            class_weights: loss.class_weights().len(),
            storage: dataset.train.storage(),
            samples: match is_resident(gpu, dataset) {
                true => dataset.train.places() + dataset.test.places(),
                false => listed.min(streamed.max(data.batch).max(evaluation_batch)),
            },
            augment: config.augment,
            clip_norm: config.clip_norm,
        };
        data.steps_per_epoch(per_epoch, accumulate)?;
        Ok(Self {
            training: Training {
                network,
                loss,
                optimizer: config.optimizer.clone(),
            },
            split,
            train,
            evaluation: PlanRequest {
                mode: Mode::Evaluate,
                batch: evaluation_batch,
                accumulate: 1,
                slots: evaluation_slots,
                ..train
            },
        })
    }
}

/// Refuses parts of a text that do not fill one batch of streams: nothing would be evaluated.
fn check_streams(split: &data::Split, dataset: &Dataset, data: &config::Data) -> Result<()> {
    let Some(streams) = data.streams() else {
        return Ok(());
    };
    let parts = [
        ("validation", split.validation.len()),
        ("test", dataset.test.len()),
    ];
    // Without a share there is no validation set.
    let mut parts = parts.iter().filter(|(_, windows)| *windows > 0);
    match parts.find(|(_, windows)| *windows < streams) {
        None => Ok(()),
        Some((part, windows)) => Err(Error::Argument {
            what: "data.batch".to_owned(),
            found: format!(
                "{streams} streams, with {windows} windows of {} tokens in the {part} part",
                dataset.test.positions()
            ),
            expected: "a window for each stream in every part".to_owned(),
            help: "lower data.batch or data.context, or give that part more of the text".to_owned(),
        }),
    }
}

/// The layers of a configuration, which take from the data what was left to them.
pub(super) fn layers(config: &Config, dataset: &Dataset) -> Vec<Box<dyn Layer>> {
    let mut layers = config.layers.clone();
    let outputs = dataset.task.outputs();
    layers.iter_mut().for_each(|layer| layer.suit(outputs));
    layers
}

/// The layers, of which recurrent ones carry their states on.
pub(super) fn carrying(layers: &[Box<dyn Layer>]) -> Vec<Box<dyn Layer>> {
    let mut layers = layers.to_vec();
    layers.iter_mut().for_each(|layer| layer.carry());
    layers
}

/// The network, whose recurrent layers carry their states on where `data.stateful` says so.
fn network(config: &Config, dataset: &Dataset) -> Result<Network> {
    let layers = layers(config, dataset);
    if !config.data.stateful() {
        return Network::of_samples(&layers, &dataset.train);
    }
    let network = Network::of_samples(&carrying(&layers), &dataset.train)?;
    match network.carries() {
        true => Ok(network),
        false => Err(Error::Argument {
            what: "data.stateful".to_owned(),
            found: "true, for a network without a recurrent layer".to_owned(),
            expected: "a layer that has a state to carry on: rnn, lstm or gru".to_owned(),
            help: "set data.stateful = false".to_owned(),
        }),
    }
}

impl Pace {
    pub(super) fn new(settled: &Settled) -> Self {
        let config = &settled.config;
        Self {
            total_steps: settled.total_steps,
            eval_every: settled.eval_every,
            test_every: settled.test_every,
            early_stop: config.train.early_stop,
            chunk: config.train.chunk,
            cycle_end: config.cycle_end,
            checkpoint: config.checkpoint,
        }
    }
}

/// The key in `[run]` of what tells the samples apart from others.
const FINGERPRINT: &str = "data";

/// What is worth knowing about a run besides its configuration: the table `[run]` of its
/// `config.toml`.
pub(super) fn about(gpu: &Gpu, dataset: &Dataset) -> Result<toml::Table> {
    let adapter = gpu.description().summary(gpu.class());
    let about = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("adapter", adapter.name),
        ("driver", adapter.driver),
        ("kernels", adapter.class),
        (FINGERPRINT, dataset.fingerprint()?),
    ];
    let skipped = dataset.train.origin().skipped.clone();
    let skipped = skipped.map(|skipped| ("skipped", skipped));
    let about = about.into_iter().chain(skipped);
    Ok(about
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect())
}

/// The text of a run's `config.toml`.
pub(super) fn config_text(settled: &Settled, about: &toml::Table) -> String {
    let mut run = about.clone();
    let bounds = settled.bounds.as_ref();
    run.extend(bounds.map(|bounds| ("bounds".to_owned(), bounds.describe().into())));
    format!("{}\n[run]\n{run}", settled.to_toml())
}

pub(super) fn run_info(
    gpu: &Gpu,
    layout: &Layout,
    settled: &Settled,
    (dataset, about): (&Dataset, &toml::Table),
) -> RunInfo {
    let config = &settled.config;
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        adapter: gpu.description().summary(gpu.class()),
        data: dataset.name.clone(),
        sample_shape: dataset.train.shape().to_vec(),
        samples: [
            layout.split.train.len(),
            layout.split.validation.len(),
            dataset.test.len(),
        ],
        classes: dataset.task.names().to_vec(),
        numbers: matches!(dataset.task, data::Task::Numbers(_)),
        guessing: layout.training.loss.of_guessing(dataset.task.outputs()),
        positions: dataset.train.positions(),
        layers: layout.training.network.rows(),
        augment: config.augment.describe(),
        residence: String::new(),
        schedule: settled.schedule.describe(),
        period: settled.schedule.period(),
        batch: config.data.batch,
        accumulate: config.train.accumulate,
        steps_per_epoch: settled.steps_per_epoch,
        total_steps: settled.total_steps,
        config: config_text(settled, about),
        asked: config.to_toml(),
        init: None,
        init_fingerprint: None,
        new_head: false,
        fingerprint: about[FINGERPRINT].as_str().unwrap_or_default().into(),
        changes: Vec::new(),
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
    for (position, node) in network.nodes().iter().enumerate() {
        let least = node.least_samples();
        if smallest < least {
            return Err(Error::Shape {
                position,
                layer: node.layer.name().to_owned(),
                problem: format!(
                    "needs at least {least} samples in a batch, but the smallest batch of {samples} training samples has {smallest}"
                ),
                help: "set data.drop_last = true, or choose another data.batch".into(),
            });
        }
    }
    Ok(())
}
