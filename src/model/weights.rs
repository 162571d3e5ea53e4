//! Weights outside of the device: named tensors in PyTorch's layout, and the file that holds them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::Network;
use super::description::{KEY, MEAN_IMAGE};
use crate::data::{bfloat16, binary16, checksum, foreign};
use crate::error::{Error, Result};

/// A tensor in logical order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

impl Tensor {
    /// Where its first value is that is not finite, in words.
    fn first_not_finite(&self, name: &str) -> Option<String> {
        let at = self.values.iter().position(|value| !value.is_finite())?;
        Some(format!("tensor `{name}` holds {} at {at}", self.values[at]))
    }
}

/// Named tensors: `1.weight` is the weight of the layer at position 1, as in the equivalent
/// torch.nn.Sequential.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Whole numbers by name (`3.num_batches_tracked`), as PyTorch keeps them.
    pub counters: BTreeMap<String, i64>,
    /// What the file says about its network ([`super::Description`]), where it says anything.
    pub description: Option<String>,
    /// The bytes of the file beside it that the description needs ([`MEAN_IMAGE`]).
    pub beside: Option<Arc<[u8]>>,
}

/// Largest header that is read: a file of weights has a few hundred bytes for each tensor.
const MAX_HEADER_BYTES: u64 = 16 << 20;

impl Weights {
    /// What tells them apart from other weights.
    ///
    /// # Errors
    /// As [`Weights::to_safetensors`].
    pub fn fingerprint(&self) -> Result<String> {
        self.to_safetensors().map(|bytes| checksum(&bytes))
    }

    /// The bytes of a safetensors file, the same for the same weights. What is to lie beside it is
    /// in [`Weights::beside`].
    ///
    /// # Errors
    /// Never for weights of a network; the format's own limits else.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let tensors = self.tensors.iter().map(|(name, tensor)| {
            let bytes = bytemuck::cast_slice(&tensor.values);
            TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map(|view| (name, view))
        });
        let counters = self.counters.iter().map(|(name, counter)| {
            let bytes = bytemuck::bytes_of(counter);
            TensorView::new(Dtype::I64, Vec::new(), bytes).map(|view| (name, view))
        });
        let views: Vec<(&String, TensorView<'_>)> = tensors
            .chain(counters)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(Path::new("model.safetensors"), error.to_string()))?;
        // One key at a time: the order of a map of several is another in each process.
        let format = HashMap::from([(FORMAT.0.to_owned(), FORMAT.1.to_owned())]);
        let bytes = safetensors::serialize(views, Some(format))
            .map_err(|error| wrong(Path::new("model.safetensors"), error.to_string()))?;
        match &self.description {
            None => Ok(bytes),
            Some(text) => described(&bytes, text).ok_or_else(|| {
                let problem = "its header cannot be written".to_owned();
                wrong(Path::new("model.safetensors"), problem)
            }),
        }
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// A file that cannot be read, is no safetensors file, or holds tensors that are neither f32 nor of
    /// half precision (f16, bf16), which becomes f32.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).map_err(|error| wrong(path, format!("cannot be read: {error}")))?;
        check_header(&bytes).map_err(|problem| wrong(path, problem))?;
        let invalid = |error| wrong(path, format!("is no valid safetensors file: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(invalid)?;
        let file = SafeTensors::deserialize(&bytes).map_err(invalid)?;
        let description = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
        let mut weights = Self {
            description: description.cloned(),
            ..Self::default()
        };
        if weights
            .description
            .as_deref()
            .is_some_and(|text| text.contains(MEAN_IMAGE))
        {
            let beside = std::fs::read(path.with_file_name(MEAN_IMAGE));
            // Whoever needs it says that it is missing.
            weights.beside = beside.ok().map(Arc::from);
        }
        for (name, view) in file.tensors() {
            if let (Dtype::I64, Some(bytes)) = (view.dtype(), view.data().first_chunk::<8>()) {
                weights.counters.insert(name, i64::from_le_bytes(*bytes));
                continue;
            }
            let Some(values) = floats(view.dtype(), view.data()) else {
                let problem = format!(
                    "tensor `{name}` has the type {:?}, expected F32, F16 or BF16",
                    view.dtype()
                );
                return Err(wrong(path, problem));
            };
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                values,
            };
            weights.tensors.insert(name, tensor);
        }
        Ok(weights)
    }

    /// Gives tied parameters all their names, as the state_dict of a torch.nn.Module has them.
    pub fn add_twins(&mut self, network: &Network) {
        for (name, other) in network.twins() {
            if let Some(tensor) = self.tensor(network, other).cloned() {
                for name in [name, other] {
                    self.tensors.insert(name.to_owned(), tensor.clone());
                }
            }
        }
    }

    /// The tensor of a parameter or state of `network`: under its name, or under one that is tied to it.
    fn tensor(&self, network: &Network, name: &str) -> Option<&Tensor> {
        let twins = network.twins().filter(|(_, other)| *other == name);
        let names = std::iter::once(name).chain(twins.map(|(twin, _)| twin));
        names.filter_map(|name| self.tensors.get(name)).next()
    }

    /// Refuses tensors that are tied and differ.
    fn check_twins(&self, network: &Network, file: &Path) -> Result<()> {
        for (name, other) in network.twins() {
            if let (Some(twin), Some(tensor)) =
                (self.tensors.get(name), self.tensor(network, other))
                && twin != tensor
            {
                let problem = format!(
                    "tensor `{name}` is not `{other}`, to which this model ties it: both must be equal, or \
                     one of them left out"
                );
                return Err(wrong(file, problem));
            }
        }
        Ok(())
    }

    /// Checks that the tensors are those of `network`: every name and shape, none missing (of tied ones
    /// one is enough), none more, all values finite.
    ///
    /// # Errors
    /// [`Error::Weights`] names the first tensor that is wrong.
    pub fn check(&self, network: &Network, file: &Path) -> Result<()> {
        let parameters = network.parameters();
        let parameters = parameters.map(|p| (&p.name, p.spec.shape.clone()));
        let states = network.states().map(|s| (&s.name, vec![s.len]));
        let expected: Vec<(&String, Vec<usize>)> = parameters.chain(states).collect();
        for (name, expected) in &expected {
            let name: &String = name;
            let Some(tensor) = self.tensor(network, name) else {
                let has: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
                let problem = format!(
                    "tensor `{name}` of shape {expected:?} is missing; the file has {}",
                    if has.is_empty() {
                        "none".into()
                    } else {
                        has.join(", ")
                    }
                );
                return Err(wrong(file, problem));
            };
            if &tensor.shape != expected {
                let problem = format!(
                    "tensor `{name}` has the shape {:?}, expected {expected:?}",
                    tensor.shape
                );
                return Err(wrong(file, problem));
            }
            if let Some(found) = tensor.first_not_finite(name) {
                return Err(Error::Weights {
                    file: file.to_owned(),
                    problem: format!("{found}; expected finite numbers"),
                    help: "the training that left them diverged: give other weights, or train again at lower rates"
                        .into(),
                });
            }
        }
        self.check_twins(network, file)?;
        let known = |name: &String| {
            let mut twins = network.twins();
            expected.iter().any(|(known, _)| *known == name) || twins.any(|(twin, _)| twin == name)
        };
        let counters = network.counters(0);
        let mut names = self.tensors.keys().filter(|name| !known(name));
        let mut others = self
            .counters
            .keys()
            .filter(|name| !counters.contains_key(*name));
        match names.next().or(others.next()) {
            None => Ok(()),
            Some(extra) => Err(wrong(
                file,
                format!("tensor `{extra}` belongs to no layer of this model"),
            )),
        }
    }

    /// Where the first value is that is not finite, in words (``tensor `0.bias` holds NaN at 3``).
    #[must_use]
    pub fn first_not_finite(&self) -> Option<String> {
        let mut tensors = self.tensors.iter();
        tensors.find_map(|(name, tensor)| tensor.first_not_finite(name))
    }

    /// The flat parameter buffer of `network`, padding included. Check the weights before.
    #[must_use]
    pub fn flat(&self, network: &Network) -> Vec<f32> {
        let mut flat = vec![0.0; network.floats()];
        for parameter in network.parameters() {
            if let Some(tensor) = self.tensor(network, &parameter.name) {
                let place = parameter.place;
                let spec = &parameter.spec;
                let stored = spec.storage.store(&spec.shape, &tensor.values);
                flat[place.offset..place.offset + stored.len()].copy_from_slice(&stored);
            }
        }
        flat
    }

    /// The parameters of a flat buffer of `network`.
    #[must_use]
    pub fn from_flat(network: &Network, flat: &[f32]) -> Self {
        let tensors = network.parameters().map(|parameter| {
            let place = parameter.place;
            let stored = &flat[place.offset..place.offset + place.matrix.floats()];
            let tensor = Tensor {
                shape: parameter.spec.shape.clone(),
                values: parameter.spec.storage.load(&parameter.spec.shape, stored),
            };
            (parameter.name.clone(), tensor)
        });
        Self {
            tensors: tensors.collect(),
            ..Self::default()
        }
    }
}

impl Network {
    /// The first values of all parameters for a run's seed.
    #[must_use]
    pub fn initial_weights(&self, seed: u64) -> Weights {
        let all = self.chain().inventory.parameters.iter().enumerate();
        let own = all.filter(|(_, parameter)| parameter.spec.tied.is_none());
        let tensors = own.map(|(position, p)| {
            let tensor = Tensor {
                shape: p.spec.shape.clone(),
                values: p.spec.initial_values(seed, position),
            };
            (p.name.clone(), tensor)
        });
        let states = self.states().map(|state| {
            let tensor = Tensor {
                shape: vec![state.len],
                values: vec![state.initial; state.len],
            };
            (state.name.clone(), tensor)
        });
        Weights {
            tensors: tensors.chain(states).collect(),
            counters: self.counters(0),
            ..Weights::default()
        }
    }
}

/// The values of a tensor in f32; nothing for other types than floats of 16 or 32 bits.
fn floats(kind: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = |of: fn([u8; 2]) -> f32| {
        let pairs = bytes.chunks_exact(2);
        pairs.map(|b| of([b[0], b[1]])).collect()
    };
    match kind {
        Dtype::F32 => {
            let values = bytes.chunks_exact(4);
            let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Some(values.collect())
        }
        Dtype::F16 => Some(halves(|b| binary16(u16::from_le_bytes(b)))),
        Dtype::BF16 => Some(halves(|b| bfloat16(u16::from_le_bytes(b)))),
        _ => None,
    }
}

/// The key and the value by which other programs know that names and layouts are PyTorch's.
const FORMAT: (&str, &str) = ("format", "pt");

/// A safetensors file with the description in its metadata, too.
fn described(bytes: &[u8], text: &str) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let (header, data) = bytes.get(8..)?.split_at_checked(length)?;
    let mut header: serde_json::Value = serde_json::from_slice(header).ok()?;
    let metadata = header.get_mut("__metadata__")?.as_object_mut()?;
    metadata.insert(KEY.to_owned(), text.into());
    let mut header = serde_json::to_vec(&header).ok()?;
    // Tensors begin at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    Some([&length[..], &header, data].concat())
}

/// Refuses a header that the file cannot hold.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    let Some(header) = bytes.first_chunk::<8>() else {
        return Err(format!(
            "has {} bytes, too few for a safetensors file",
            bytes.len()
        ));
    };
    if let Some(kind) = foreign(bytes) {
        return Err(format!("is no safetensors file, but {kind}"));
    }
    let header = u64::from_le_bytes(*header);
    if header > MAX_HEADER_BYTES.min(bytes.len() as u64 - 8) {
        return Err(format!(
            "is no safetensors file: its header claims {header} bytes, the file has {}",
            bytes.len()
        ));
    }
    Ok(())
}

fn wrong(file: &Path, problem: String) -> Error {
    Error::Weights {
        file: file.to_owned(),
        problem,
        help: "give the model.safetensors of a run with the same model.layers, or save the \
               state_dict of the equivalent torch.nn.Sequential with safetensors.torch.save_file"
            .into(),
    }
}
