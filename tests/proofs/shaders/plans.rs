//! Plans of all presets, and of a network with every layer, without an adapter.

use std::sync::Arc;

use wavetrain::args::{Args, Entry};
use wavetrain::config::Config;
use wavetrain::config::presets::PRESETS;
use wavetrain::data::{Samples, Storage, Targets, Task};
use wavetrain::gpu::{Class, Gpu};
use wavetrain::kernel::{Mode, Plan};
use wavetrain::layer::{LAYERS, Layer};
use wavetrain::loss::LOSSES;
use wavetrain::model::{Network, PlanRequest, Training, evaluation_plan, plan};
use wavetrain::shape::Shape;

const fn lanes(lanes: u32, subgroups: bool) -> Class {
    Class::Lanes { lanes, subgroups }
}

/// Every class, with every subgroup size that an adapter may have.
pub(crate) const CLASSES: [Class; 9] = [
    Class::Tiled,
    lanes(4, true),
    lanes(8, true),
    lanes(16, true),
    lanes(32, true),
    lanes(4, false),
    lanes(8, false),
    lanes(16, false),
    lanes(32, false),
];

/// A device that validates everything and runs nothing.
pub(crate) fn gpu(class: Class) -> Arc<Gpu> {
    Arc::new(Gpu::noop(class).unwrap())
}

/// A configuration as text, and what its source would say of its samples.
pub(crate) struct Preset {
    pub(crate) name: String,
    text: String,
    shape: Vec<usize>,
    classes: usize,
    storage: Storage,
}

/// Layers of the table, written as in `model.layers`, by whether they take lists, pictures and sequences;
/// of those for pictures or sequences alone the one that ends with a list last.
fn layers(takes: [bool; 3]) -> String {
    let fits = |entry: &&Entry<dyn Layer>| {
        let layer = (entry.parse)(Args::parse(entry.example).unwrap()).unwrap();
        let shapes = [&[3][..], &[3, 9, 7], &[9, 20]];
        let other = ["linear", "flatten", "image_rows"].contains(&entry.name);
        !other && takes == shapes.map(|dims| layer.fit(&Shape::of(dims).unwrap()).is_ok())
    };
    let mut entries: Vec<_> = LAYERS.iter().filter(fits).collect();
    entries.sort_by_key(|entry| ["global_avg_pool", "last"].contains(&entry.name));
    let entries = entries.into_iter();
    let written = entries.map(|entry| match entry.example {
        "" => format!("\"{}\"", entry.name),
        example => format!(
            "{{ {} = {{ {} }} }}",
            entry.name,
            example.replace('\n', ", ")
        ),
    });
    written.collect::<Vec<_>>().join(", ")
}

impl Preset {
    /// All presets; pictures whose colours change; and for each loss a network with every layer of the table, in front of a
    /// flatten and behind it, that trains on floats.
    pub(crate) fn all() -> Vec<Self> {
        let presets = PRESETS.iter().map(|preset| {
            let config = Config::parse(preset.name, preset.text).unwrap();
            let known = config.data.source.known();
            // Sources of tokens do not state their symbols.
            let is_table = config.data.source.name() == "csv";
            let (classes, storage) = match config.data.source.name() {
                "text" => (65, Storage::Tokens),
                "numbers" => (30, Storage::Tokens),
                "sums" => (12, Storage::Tokens),
                "csv" => (3, Storage::Floats),
                _ => (known.classes.len(), Storage::Bytes),
            };
            Self {
                name: preset.name.to_owned(),
                text: preset.text.to_owned(),
                // A table has columns and classes as its file has.
                shape: if is_table { vec![11] } else { known.shape },
                classes,
                storage,
            }
        });
        let lists = layers([true, false, true]);
        let each = layers([true, true, true]);
        let nets = [
            format!(
                "{each}, {pictures}, \"flatten\", {{ linear = 300 }}, {each}, {lists}",
                pictures = layers([false, true, false]),
            ),
            format!(
                "\"image_rows\", {{ linear = 20 }}, {each}, {lists}, {sequences}",
                sequences = layers([false, false, true]),
            ),
        ];
        let nets = ["every layer", "every layer of sequences"]
            .into_iter()
            .zip(nets);
        let all = nets.flat_map(|net| LOSSES.iter().map(move |loss| (net.clone(), loss)));
        let everything = all.map(|((name, net), loss)| Self {
            name: format!("{name}, {}", loss.name),
            text: format!(
                "[model]\nlayers = [{net}, {{ linear = 11 }}]\n\
                 [loss]\nkind = \"{}\"\n[schedule]\npolicy = \"constant\"\nlr = 0.1\n[data]\nbatch = 130",
                loss.name,
            ),
            shape: vec![3, 9, 7],
            classes: 11,
            storage: Storage::Floats,
        });
        let coloured = Self {
            name: "pictures in other colours".to_owned(),
            text: "[model]\nlayers = [{ avg_pool2d = 50 }, \"flatten\", { linear = 11 }]\n\
                   [augment]\nbrightness = 0.2\ncontrast = 0.2\nsaturation = 0.2\n\
                   [schedule]\npolicy = \"constant\"\nlr = 0.1\n[data]\nbatch = 1"
                .to_owned(),
            shape: vec![3, 200, 200],
            classes: 11,
            storage: Storage::Bytes,
        };
        presets.chain(everything).chain([coloured]).collect()
    }

    /// The plans of training and of evaluation.
    pub(crate) fn plans(&self, gpu: &Gpu) -> Vec<Plan> {
        let mut config = Config::parse(&self.name, &self.text)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        config
            .layers
            .iter_mut()
            .for_each(|layer| layer.suit(self.classes));
        let batch = config.data.batch;
        let names = (0..self.classes).map(|class| class.to_string()).collect();
        let (network, task) = match (self.storage, &self.shape[..]) {
            (Storage::Tokens, &[steps]) => {
                let values = vec![0; steps];
                let targets = Targets::Positions { steps, values };
                let tokens = vec![0; steps];
                let samples = Samples::from_tokens([steps, self.classes], tokens, targets);
                let network = Network::of_samples(&config.layers, &samples.unwrap());
                (network, Task::Tokens(names))
            }
            (_, shape) => (Network::new(&config.layers, shape), Task::Classes(names)),
        };
        let network = network.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        network.check_output(&task).unwrap();
        let training = Training {
            network,
            loss: config.loss,
            optimizer: config.optimizer,
        };
        // What takes both is planned for both.
        let takes = |task: &Task| {
            training
                .loss
                .takes(&training.network.output(), task)
                .is_ok()
        };
        let numbers = takes(&Task::Numbers(task.names().to_vec())).then_some(self.classes);
        // And what takes weights of classes with and without them.
        let weighted = takes(&task) && training.loss.arguments().contains_key("label_smoothing");
        let plain = takes(&task).then_some((0, 0));
        let kinds = plain
            .into_iter()
            .chain(weighted.then_some((0, self.classes)))
            .chain(numbers.map(|numbers| (numbers, 0)));
        let modes =
            kinds.flat_map(|numbers| [Mode::Train, Mode::Evaluate].map(|mode| (mode, numbers)));
        modes
            .map(|(mode, numbers)| {
                let request = PlanRequest {
                    mode,
                    batch,
                    accumulate: 1,
                    slots: 32,
                    positions: training.network.positions(),
                    numbers: numbers.0,
                    class_weights: numbers.1,
                    storage: self.storage,
                    samples: 1000,
                    augment: config.augment,
                    clip_norm: config.clip_norm,
                };
                let (network, loss) = (&training.network, &*training.loss);
                match mode {
                    Mode::Train => plan(&training, gpu, &request),
                    _ => evaluation_plan(network, loss, gpu, &request, false),
                }
                .unwrap()
            })
            .collect()
    }
}
