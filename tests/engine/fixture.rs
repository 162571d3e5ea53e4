//! Small data sets, configurations and observers.

use std::sync::Arc;

use wavetrain::Config;
use wavetrain::config::Schedule;
use wavetrain::data::{Dataset, Samples};
use wavetrain::gpu::{ClassName, Gpu, Selection};
use wavetrain::rng::{Key, Stream};
use wavetrain::schedule::Policy;
use wavetrain::train::{Evaluation, Event, Flow, Observer, StepRecord, Summary, Trainer};

use super::adapter;

#[path = "../support/given.rs"]
mod given;

/// The device with the class that the adapter would get.
pub(crate) fn gpu() -> Arc<Gpu> {
    let adapters = wavetrain::gpu::list(&Selection::default());
    let chosen = adapters.iter().find(|adapter| adapter.chosen);
    adapter::gpu(chosen.map_or(ClassName::LanesPlain, |adapter| adapter.class)).unwrap()
}

/// Devices of all classes that the adapter runs.
pub(crate) fn gpus() -> Vec<Arc<Gpu>> {
    let all: Vec<Arc<Gpu>> = ClassName::ALL
        .into_iter()
        .filter_map(adapter::gpu)
        .filter(|gpu| given::is_given(gpu))
        .collect();
    assert!(all.len() >= 2);
    all
}

/// Classes of the made-up data.
pub(crate) const CLASSES: usize = 4;

/// Made-up samples of `[features]` bytes: a noisy pattern for each class.
pub(crate) fn samples(seed: u64, count: usize, features: usize) -> Samples {
    let patterns = Key::new(1, Stream::Bench, 0);
    let noise = Key::new(seed, Stream::Bench, 1);
    let mut bytes = Vec::with_capacity(count * features);
    let mut labels = Vec::with_capacity(count);
    for n in 0..count {
        let label = (noise.words(n as u32, 1)[0] % CLASSES as u32) as usize;
        for f in 0..features {
            let pattern = patterns.words((label * features + f) as u32, 0)[0] % 180;
            let noise = noise.words((n * features + f) as u32, 0)[0] % 76;
            bytes.push((pattern + noise) as u8);
        }
        labels.push(label as u32);
    }
    Samples::from_bytes(&[features], bytes, labels).unwrap()
}

/// A data set of `train` training samples.
pub(crate) fn data(train: usize, features: usize) -> Dataset {
    let (train, test) = (samples(2, train, features), samples(3, 50, features));
    Dataset::new("made up", train, test, CLASSES).unwrap()
}

/// A small net with dropout under a triangular rate; `{}` of its tables can be added to.
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) data: String,
    pub(crate) layers: String,
    pub(crate) loss: String,
    pub(crate) optimizer: String,
    pub(crate) schedule: String,
    pub(crate) train: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 5,
            data: "batch = 16".into(),
            layers: r#"[{ linear = 24 }, "relu", { dropout = 0.3 }, { linear = 4 }]"#.into(),
            loss: "kind = \"cross_entropy\"".into(),
            optimizer: "kind = \"sgd\"".into(),
            schedule: "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.2\nstep_size_up = 5"
                .into(),
            train: "steps = 40\neval_every = \"1 epoch\"".into(),
        }
    }
}

impl Setup {
    pub(crate) fn text(&self) -> String {
        format!(
            "seed = {}\n[data]\n{}\n[model]\nlayers = {}\n[loss]\n{}\n[optimizer]\n{}\n[schedule]\n{}\n[train]\n{}\n",
            self.seed, self.data, self.layers, self.loss, self.optimizer, self.schedule, self.train
        )
    }

    pub(crate) fn config(&self) -> Config {
        Config::parse("setup", &self.text()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The schedule, which is the same in every run.
    pub(crate) fn policy(&self) -> Box<dyn Policy> {
        match self.config().schedule {
            Schedule::Fixed(policy) => policy,
            Schedule::Open(open) => panic!("a run decides {open:?}"),
        }
    }

    pub(crate) fn trainer(&self, gpu: Arc<Gpu>, data: Dataset) -> Trainer {
        Trainer::new(gpu, self.config(), data).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// An observer that keeps everything, and answers what it is told to.
#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) names: Vec<String>,
    pub(crate) records: Vec<StepRecord>,
    /// Lengths of the chunks.
    pub(crate) chunks: Vec<usize>,
    pub(crate) evaluations: Vec<Evaluation>,
    /// Step, accuracy and number of tensors of each best evaluation.
    pub(crate) bests: Vec<(u64, f64, usize)>,
    pub(crate) summary: Option<Summary>,
    /// The event at which to answer, and the answer.
    pub(crate) answer: Option<(&'static str, Flow)>,
}

impl Observer for Keeper {
    fn on(&mut self, event: &Event<'_>) -> wavetrain::error::Result<Flow> {
        let name = match event {
            Event::Started(_) => "started".into(),
            Event::Steps(records) => {
                self.records.extend_from_slice(records);
                self.chunks.push(records.len());
                "steps".into()
            }
            Event::Evaluated(evaluation) => {
                self.evaluations.push(**evaluation);
                format!("evaluated at {}", evaluation.step)
            }
            Event::CycleEnded { cycle, step } => format!("cycle {cycle} ended at {step}"),
            Event::EpochEnded { epoch, step } => format!("epoch {epoch} ended at {step}"),
            Event::Diverged { step, .. } => format!("diverged at {step}"),
            Event::Trained(_) => "trained".into(),
            Event::Finished(summary) => {
                self.summary = Some((*summary).clone());
                "finished".into()
            }
            Event::Best(evaluation, weights) => {
                let tensors = weights.tensors.len();
                self.bests
                    .push((evaluation.step, evaluation.accuracy, tensors));
                return Ok(Flow::Continue);
            }
            _ => "another".into(),
        };
        let answer = self.answer.filter(|(at, _)| *at == name);
        self.names.push(name);
        Ok(answer.map_or(Flow::Continue, |(_, flow)| flow))
    }
}

/// Bits of everything that the records hold.
pub(crate) fn bits(records: &[StepRecord]) -> Vec<[u64; 7]> {
    let bits = |r: &StepRecord| {
        let floats = [r.lr, r.momentum, r.loss, r.accuracy, r.grad_norm].map(f64::to_bits);
        let [lr, momentum, loss, accuracy, norm] = floats;
        [r.step, r.epoch, lr, momentum, loss, accuracy, norm]
    };
    records.iter().map(bits).collect()
}

/// Bits of the trainer's weights, by name.
pub(crate) fn weight_bits(trainer: &Trainer) -> Vec<(String, Vec<u32>)> {
    let weights = trainer.weights().unwrap();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect();
    let tensors = weights.tensors.iter();
    tensors
        .map(|(name, t)| (name.clone(), bits(&t.values)))
        .collect()
}
