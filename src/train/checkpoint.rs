//! A run in the middle as a value, and its file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::archive::Archive;
use super::ensemble::Ensemble;
use super::record::RunInfo;
use super::run_state::RunState;
use super::state::State;
use crate::config::Config;
use crate::config::changes::{self, Meaning};
use crate::error::{Error, Result};
use crate::model::{Tensor, Weights};

/// The version of the file's form.
const FORMAT: u32 = 1;

/// Everything that a run goes on from. Serialisable by serde: as the bytes of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What training changes.
    pub state: State,
    /// What the loop has seen.
    pub run: RunState,
    /// What was known before the first step: the configuration, the data, the adapter.
    pub info: RunInfo,
    /// Lengths in bytes of the files beside it that grow while the run goes on, by their names:
    /// what stands in them behind belongs to later steps.
    pub files: BTreeMap<String, u64>,
}

/// The text of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Text {
    format: u32,
    version: String,
    state: State,
    run: RunState,
    info: RunInfo,
    files: BTreeMap<String, u64>,
    /// Low points so far, and members of the ensemble.
    cycles: u64,
    members: u64,
    /// The counters of the best weights and of the average, where there are any.
    best: Option<BTreeMap<String, i64>>,
    average: Option<BTreeMap<String, i64>>,
}

/// Groups of arrays, by the start of their names.
const STATE: &str = "state/";
const BEST: &str = "best/";
const AVERAGE: &str = "average/";
const SUM: &str = "sum/";
const ENSEMBLE: &str = "ensemble";

impl Checkpoint {
    /// In what it is of another run than `run`: other data, or another model, seed or optimizer, none of which
    /// a run changes; the key, what it is here, and what it is there.
    #[must_use]
    pub fn differs_from(&self, run: &RunInfo) -> Option<[String; 3]> {
        let [here, there] = [&self.info, run];
        if here.fingerprint != there.fingerprint {
            let prints = [here, there].map(|info| info.fingerprint.clone());
            let [here, there] = prints;
            return Some(["the data's fingerprint".into(), here, there]);
        }
        // As this version writes both: one of them may be older.
        let written = |info: &RunInfo| {
            let config = Config::parse("a run's configuration", &info.config).ok()?;
            Some(config.to_toml())
        };
        let differences = changes::differences(&written(there)?, &written(here)?);
        let mut differences = differences.iter();
        let other = differences.find(|difference| difference.meaning() == Meaning::AnotherRun)?;
        let [there, here] = other.texts();
        Some([other.key.clone(), here, there])
    }

    /// Steps done.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.state.done
    }

    /// The last average of weights, where there is one.
    #[must_use]
    pub fn average(&self) -> Option<&Weights> {
        self.run.members.average.as_ref()
    }

    /// Low points of cycles so far.
    #[must_use]
    pub fn low_points(&self) -> u64 {
        self.run.members.cycles
    }

    /// The bytes of its file (`archive.rs` has the form).
    ///
    /// # Errors
    /// [`Error::Data`] for names that appear twice.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let members = &self.run.members;
        let counters = |weights: &Option<Weights>| weights.as_ref().map(|w| w.counters.clone());
        let text = Text {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            state: self.state.place(),
            run: self.run.clone(),
            info: self.info.clone(),
            files: self.files.clone(),
            cycles: members.cycles,
            members: members.ensemble.members(),
            best: counters(&self.run.best_weights),
            average: counters(&members.average),
        };
        let mut archive = Archive {
            text: serde_json::to_string(&text).map_err(|error| broken(error.to_string()))?,
            ..Archive::default()
        };
        add(&mut archive, STATE, &self.state.tensors);
        for (group, weights) in [(BEST, &self.run.best_weights), (AVERAGE, &members.average)] {
            if let Some(weights) = weights {
                add(&mut archive, group, &weights.tensors);
            }
        }
        let doubles = members.sums.iter();
        archive.doubles = doubles
            .map(|(name, sums)| (format!("{SUM}{name}"), sums.clone()))
            .chain([(ENSEMBLE.to_owned(), members.ensemble.sums().to_vec())])
            .collect();
        archive.to_bytes().map_err(broken)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Data`] if it is not whole, or of another version.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "reading"))?;
        Self::from_bytes(&bytes).map_err(|problem| Error::Data {
            file: path.to_owned(),
            problem,
            help: "a run goes on from an older checkpoint where this one is removed".into(),
        })
    }

    /// From the file's bytes.
    ///
    /// # Errors
    /// A sentence on what is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut archive = Archive::from_bytes(bytes)?;
        let about: About = serde_json::from_str(&archive.text)
            .map_err(|error| format!("is no checkpoint of a run: {error}"))?;
        let own = env!("CARGO_PKG_VERSION");
        if (about.format, about.version.as_str()) != (FORMAT, own) {
            let About { format, version } = about;
            return Err(format!(
                "is of version {version} (form {format}); expected {own} (form {FORMAT})"
            ));
        }
        let text: Text = serde_json::from_str(&archive.text)
            .map_err(|error| format!("is no checkpoint of a run: {error}"))?;
        let Text {
            state,
            mut run,
            info,
            files,
            ..
        } = text;
        let state = State {
            tensors: group(&mut archive.singles, STATE),
            ..state
        };
        let mut weights = |prefix: &str, counters: Option<BTreeMap<String, i64>>| {
            let tensors = group(&mut archive.singles, prefix);
            counters.map(|counters| Weights {
                tensors,
                counters,
                ..Weights::default()
            })
        };
        run.best_weights = weights(BEST, text.best);
        run.members.average = weights(AVERAGE, text.average);
        run.members.cycles = text.cycles;
        let sums = archive.doubles.remove(ENSEMBLE).unwrap_or_default();
        run.members.ensemble = Ensemble::from_sums(text.members, sums);
        run.members.sums = group(&mut archive.doubles, SUM);
        Ok(Self {
            state,
            run,
            info,
            files,
        })
    }
}

impl Serialize for Checkpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_bytes().map_err(serde::ser::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Checkpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_byte_buf(FileBytes)?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

/// Bytes, which some formats hold as a list of numbers.
struct FileBytes;

impl<'de> Visitor<'de> for FileBytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes of a checkpoint's file")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Self::Value, A::Error> {
        // The length that a format claims is not asked for: memory comes with the bytes.
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

impl State {
    /// The state with something beside it as the bytes of a file, for those who write their own
    /// loop.
    ///
    /// # Errors
    /// As [`Checkpoint::to_bytes`].
    pub fn to_bytes_with(&self, beside: &impl Serialize) -> Result<Vec<u8>> {
        let text = serde_json::to_string(&(self.place(), beside));
        let mut archive = Archive {
            text: text.map_err(|error| broken(error.to_string()))?,
            ..Archive::default()
        };
        add(&mut archive, STATE, &self.tensors);
        archive.to_bytes().map_err(broken)
    }

    /// What [`State::to_bytes_with`] wrote.
    ///
    /// # Errors
    /// A sentence on what is wrong with the bytes.
    pub fn from_bytes_with<T: DeserializeOwned>(bytes: &[u8]) -> Result<(Self, T), String> {
        let mut archive = Archive::from_bytes(bytes)?;
        let (state, beside): (Self, T) = serde_json::from_str(&archive.text)
            .map_err(|error| format!("holds something else: {error}"))?;
        let state = Self {
            tensors: group(&mut archive.singles, STATE),
            ..state
        };
        Ok((state, beside))
    }
}

/// What is read first, so that another version can be named.
#[derive(Debug, Deserialize)]
struct About {
    format: u32,
    version: String,
}

fn broken(problem: String) -> Error {
    Error::Data {
        file: "checkpoint".into(),
        problem,
        help: "give the tensors of own layers names of their own".into(),
    }
}

/// Adds tensors under the start of a name.
fn add(archive: &mut Archive, group: &str, tensors: &BTreeMap<String, Tensor>) {
    let named = tensors.iter();
    archive
        .singles
        .extend(named.map(|(name, tensor)| (format!("{group}{name}"), tensor.clone())));
}

/// Takes the arrays of a group out, by their names without its start.
fn group<T>(arrays: &mut BTreeMap<String, T>, group: &str) -> BTreeMap<String, T> {
    let all = std::mem::take(arrays).into_iter();
    let (taken, rest): (BTreeMap<String, T>, _) =
        all.partition(|(name, _)| name.starts_with(group));
    *arrays = rest;
    let taken = taken.into_iter();
    taken
        .map(|(name, array)| (name[group.len()..].to_owned(), array))
        .collect()
}
