//! What a file of weights says about its network: enough to build it again and to use it.
//!
//! It stands as one JSON string under the key `wavetrain` of the file's metadata. Neither time nor
//! path is in it, so that the same weights give the same file. A mean image lies in a file of its
//! own beside it, which is named with its checksum.

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::Network;
use super::network::LARGEST_SAMPLE;
use crate::args::{Args, Entry};
use crate::data::{Normalization, Normalize, Storage, Table, Task, Units};
use crate::error::{Error, Result};
use crate::layer::{Layer, Layers};
use crate::loss::Loss;
use crate::shape::Shape;

/// The key of the metadata.
pub(super) const KEY: &str = "wavetrain";
/// The file with the mean image, beside the file of weights.
pub const MEAN_IMAGE: &str = "mean_image.safetensors";
/// The version of what is written.
const FORMAT: u32 = 1;
/// Most numbers of a normalisation in the JSON itself; longer lists lie beside.
const MOST_NUMBERS: usize = 4096;

/// A network's layers, what goes in, and what its outputs mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Shape of one sample: `[channels, height, width]`, `[features]`, `[steps, features]`; of tokens
    /// `[steps]`.
    pub input: Vec<usize>,
    /// Whether samples are bytes (pixels), floats or tokens.
    pub values: Storage,
    /// Number of symbols that tokens are of; 0 for other samples.
    pub symbols: usize,
    /// How values become the network's input.
    pub normalize: Normalize,
    /// The same in numbers.
    pub normalization: Normalization,
    /// The layers as in `model.layers`, with all arguments.
    pub layers: toml::Value,
    /// The table `[loss]`.
    pub loss: toml::Table,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Whether there is an output for each at each position of a sequence.
    pub positions: bool,
    /// How the numbers that it predicts became what it learned; empty where it tells classes apart.
    pub units: Units,
    /// How rows of a table become samples, where they are such.
    pub table: Option<Table>,
    /// The table `[data]` of the training, without paths.
    pub data: toml::Table,
}

/// The JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    format: u32,
    input: Input,
    normalization: WrittenNormalization,
    layers: toml::Value,
    loss: toml::Table,
    classes: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    positions: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    units: Units,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<Table>,
    data: toml::Table,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_none(units: &Units) -> bool {
    units.width() == 0
}

#[derive(Debug, Serialize, Deserialize)]
struct Input {
    shape: Vec<usize>,
    values: Storage,
    #[serde(default, skip_serializing_if = "is_zero")]
    symbols: usize,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// x = (value - mean) * scale in f32; one mean and scale for each channel, or all of them beside.
#[derive(Debug, Serialize, Deserialize)]
struct WrittenNormalization {
    kind: Normalize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mean: Vec<f32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scale: Vec<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

impl Description {
    /// The description as text, and the bytes of [`MEAN_IMAGE`] where that file is needed.
    ///
    /// # Errors
    /// Never for a network that trains.
    pub fn write(&self) -> Result<(String, Option<Vec<u8>>)> {
        let short = self.by_channel();
        let beside = match short {
            Some(_) => None,
            None => Some(self.arrays()?),
        };
        let (mean, scale) = short.unwrap_or_default();
        let written = Written {
            format: FORMAT,
            input: Input {
                shape: self.input.clone(),
                values: self.values,
                symbols: self.symbols,
            },
            normalization: WrittenNormalization {
                kind: self.normalize,
                mean,
                scale,
                file: beside.as_ref().map(|_| MEAN_IMAGE.to_owned()),
                checksum: beside.as_deref().map(checksum),
            },
            layers: self.layers.clone(),
            loss: self.loss.clone(),
            classes: self.classes.clone(),
            positions: self.positions,
            units: self.units.clone(),
            table: self.table.clone(),
            data: self.data.clone(),
        };
        let text = serde_json::to_string(&written)
            .map_err(|error| wrong(Path::new(KEY), format!("cannot be written: {error}")))?;
        Ok((text, beside))
    }

    /// One mean and one scale for each channel, if that says it all in few numbers.
    fn by_channel(&self) -> Option<(Vec<f32>, Vec<f32>)> {
        let channels = *self.input.first()?;
        let size = self.input.iter().skip(1).product::<usize>().max(1);
        if channels > MOST_NUMBERS {
            return None;
        }
        let of = |values: &[f32]| {
            let even = |part: &[f32]| part.iter().all(|v| v.to_bits() == part[0].to_bits());
            let parts = values.chunks_exact(size);
            parts
                .clone()
                .all(even)
                .then(|| parts.map(|p| p[0]).collect())
        };
        Some((
            of(&self.normalization.mean)?,
            of(&self.normalization.scale)?,
        ))
    }

    /// Mean and scale as a safetensors file.
    fn arrays(&self) -> Result<Vec<u8>> {
        let pair = [
            ("mean", &self.normalization.mean),
            ("scale", &self.normalization.scale),
        ];
        let file = Path::new(MEAN_IMAGE);
        let views = pair.map(|(name, values)| {
            let bytes = bytemuck::cast_slice(values);
            TensorView::new(Dtype::F32, self.input.clone(), bytes).map(|view| (name, view))
        });
        let views: Vec<_> = views
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(file, error.to_string()))?;
        safetensors::serialize(views, None).map_err(|error| wrong(file, error.to_string()))
    }

    /// Reads what [`Description::write`] gave; `file` is the file of weights, for messages.
    ///
    /// # Errors
    /// [`Error::Weights`] says what is wrong: no JSON of this form, a newer one, numbers that do not
    /// fit the shape, or a mean image that is missing or another one.
    pub fn read(text: &str, beside: Option<&[u8]>, file: &Path) -> Result<Self> {
        let form = format!("its metadata `{KEY}`");
        let version: Version = serde_json::from_str(text)
            .map_err(|error| wrong(file, format!("{form} is no description: {error}")))?;
        if version.format != FORMAT {
            return Err(Error::Weights {
                file: file.to_owned(),
                problem: format!(
                    "{form} has the format {}, expected {FORMAT}",
                    version.format
                ),
                help: "use a version of wavetrain as new as the one that wrote the file".into(),
            });
        }
        let written: Written = serde_json::from_str(text)
            .map_err(|error| wrong(file, format!("{form} is no description: {error}")))?;
        let shape = &written.input.shape;
        let elements = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        if !matches!(shape.len(), 1..=3)
            || !elements.is_some_and(|n| (1..=LARGEST_SAMPLE).contains(&n))
        {
            let problem = format!(
                "{form} has the input shape {shape:?}, expected [features], [steps, features] or \
                 [channels, height, width], each at least 1, and at most {LARGEST_SAMPLE} numbers"
            );
            return Err(wrong(file, problem));
        }
        if written.classes.is_empty() {
            return Err(wrong(file, format!("{form} names no class")));
        }
        check_table(&written).map_err(|problem| wrong(file, format!("{form} {problem}")))?;
        check_units(&written).map_err(|problem| wrong(file, format!("{form} {problem}")))?;
        let normalization = numbers(&written, beside)
            .map_err(|problem| wrong(file, format!("{form}: {problem}")))?;
        Ok(Self {
            input: written.input.shape,
            values: written.input.values,
            symbols: written.input.symbols,
            normalize: written.normalization.kind,
            normalization,
            layers: written.layers,
            loss: written.loss,
            classes: written.classes,
            positions: written.positions,
            units: written.units,
            table: written.table,
            data: written.data,
        })
    }

    /// What a sample is; nothing for dimensions that make none.
    #[must_use]
    pub fn shape(&self) -> Option<Shape> {
        self.values.shape(&self.input, self.symbols)
    }

    /// What it learned.
    #[must_use]
    pub fn task(&self) -> Task {
        let names = self.classes.clone();
        match (self.positions, self.units.width()) {
            (true, _) => Task::Tokens(names),
            (false, 0) => Task::Classes(names),
            (false, _) => Task::Numbers(names),
        }
    }

    /// The layers that are described, of the table `entries`.
    ///
    /// # Errors
    /// [`Error::Weights`] for a layer that is unknown or has wrong arguments.
    pub fn layers(
        &self,
        file: &Path,
        entries: &'static [Entry<dyn Layer>],
    ) -> Result<Vec<Box<dyn Layer>>> {
        const LIST: &str = "layers";
        let text = toml::Table::from_iter([(LIST.to_owned(), self.layers.clone())]).to_string();
        let layers = Args::parse(&text).and_then(|args| {
            let list = args.among(entries).take(LIST);
            list.map_or_else(|| Ok(Layers::default()), |list| Layers::read(&list))
        });
        let layers = layers.map_err(|error| {
            let problem = format!("its layers cannot be made: {}", error.message());
            wrong(file, problem)
        })?;
        Ok(layers.0)
    }

    /// The network of these layers with the input that is described.
    ///
    /// # Errors
    /// [`Error::Shape`] for layers that do not fit.
    pub fn network(&self, layers: &[Box<dyn Layer>]) -> Result<Network> {
        let network = Network::of(layers, &self.input, self.shape())?;
        network.check_output(&self.task())?;
        Ok(network)
    }

    /// The loss that it was trained with, of the table `entries`.
    ///
    /// # Errors
    /// [`Error::Weights`] for one that is unknown or has wrong arguments.
    pub fn loss(&self, file: &Path, entries: &'static [Entry<dyn Loss>]) -> Result<Box<dyn Loss>> {
        let loss = self.make_loss(entries);
        loss.map_err(|problem| wrong(file, problem))
    }

    fn make_loss(&self, entries: &'static [Entry<dyn Loss>]) -> Result<Box<dyn Loss>, String> {
        let mut arguments = self.loss.clone();
        let kind = arguments.remove("kind");
        let kind = kind.as_ref().and_then(toml::Value::as_str).unwrap_or("");
        let Some(entry) = entries.iter().find(|entry| entry.name == kind) else {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
            return Err(format!(
                "its loss is {kind:?}, expected one of {}",
                names.join(", ")
            ));
        };
        let text = arguments.to_string();
        let loss = Args::parse(&text).and_then(entry.parse);
        let loss = loss.map_err(|error| format!("its loss {kind}: {}", error.message()))?;
        loss.validate()
            .map_err(|invalid| format!("its loss {kind}: {} {}", invalid.key, invalid.message))?;
        Ok(loss)
    }
}

/// Refuses a table whose rows are not the samples.
fn check_table(written: &Written) -> Result<(), String> {
    match &written.table {
        Some(table) if written.input.shape != [table.width()] => Err(format!(
            "has a table of {} features, expected samples of as many, not {:?}",
            table.width(),
            written.input.shape
        )),
        _ => Ok(()),
    }
}

/// Refuses units that are not those of the numbers that are named.
fn check_units(written: &Written) -> Result<(), String> {
    let Units { mean, deviation } = &written.units;
    let named = written.classes.len();
    if mean.is_empty() && deviation.is_empty() {
        return Ok(());
    }
    if written.positions || mean.len() != named || deviation.len() != named {
        return Err(format!(
            "has {} means and {} deviations of numbers, expected one for each of the {named} that \
             have names",
            mean.len(),
            deviation.len()
        ));
    }
    let wrong = |(mean, deviation): &(&f64, &f64)| {
        !mean.is_finite() || !deviation.is_finite() || **deviation <= 0.0
    };
    match mean.iter().zip(deviation).find(wrong) {
        None => Ok(()),
        Some((mean, deviation)) => Err(format!(
            "has a number with mean {mean} and deviation {deviation}, expected finite ones, and a \
             deviation above 0"
        )),
    }
}

/// What every version has.
#[derive(Debug, Deserialize)]
struct Version {
    format: u32,
}

/// Mean and scale of each element.
fn numbers(written: &Written, beside: Option<&[u8]>) -> Result<Normalization, String> {
    let shape = &written.input.shape;
    let normalization = &written.normalization;
    let size = shape.iter().skip(1).product::<usize>();
    let (mean, scale) = match &normalization.file {
        None => {
            let spread = |name: &str, values: &[f32]| {
                if values.len() != shape[0] {
                    return Err(format!(
                        "{} numbers of `{name}`, expected {}, one for each channel",
                        values.len(),
                        shape[0]
                    ));
                }
                let each = values.iter().flat_map(|v| std::iter::repeat_n(*v, size));
                Ok(each.collect::<Vec<f32>>())
            };
            (
                spread("mean", &normalization.mean)?,
                spread("scale", &normalization.scale)?,
            )
        }
        Some(_) => {
            let bytes = beside.ok_or_else(|| {
                format!("{MEAN_IMAGE}, which it needs, does not lie beside it; copy both files")
            })?;
            let (found, expected) = (checksum(bytes), &normalization.checksum);
            if Some(&found) != expected.as_ref() {
                let expected = expected.as_deref().unwrap_or("a checksum");
                return Err(format!(
                    "{MEAN_IMAGE} beside it has the checksum {found}, expected {expected}: it \
                     belongs to another model"
                ));
            }
            let tensors = SafeTensors::deserialize(bytes)
                .map_err(|error| format!("{MEAN_IMAGE} is no valid safetensors file: {error}"))?;
            (
                array(&tensors, "mean", shape)?,
                array(&tensors, "scale", shape)?,
            )
        }
    };
    match mean.iter().chain(&scale).all(|value| value.is_finite()) {
        true => Ok(Normalization { mean, scale }),
        false => Err("a number of its normalisation is not finite".into()),
    }
}

fn array(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    match tensors.tensor(name) {
        Ok(view) if view.dtype() == Dtype::F32 && view.shape() == shape => {
            Ok(bytemuck::pod_collect_to_vec(view.data()))
        }
        _ => Err(format!(
            "{MEAN_IMAGE} has no tensor `{name}` of type F32 and shape {shape:?}"
        )),
    }
}

fn checksum(bytes: &[u8]) -> String {
    crate::data::checksum(bytes)
}

fn wrong(file: &Path, problem: String) -> Error {
    Error::Weights {
        file: file.to_owned(),
        problem,
        help: "give the model.safetensors of a run as `wavetrain train` wrote it, with the files \
               beside it"
            .into(),
    }
}
