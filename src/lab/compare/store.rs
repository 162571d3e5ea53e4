//! The folder of a comparison: each run is kept as soon as it is over, so that an interrupted
//! comparison goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Record, Settings, Variant};
use crate::error::{Error, Result};

/// What a comparison is of: if this is the same, runs are of the same comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    version: String,
    settings: Settings,
    variants: Vec<Planned>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Planned {
    name: String,
    takes: String,
    config: String,
}

/// Where runs are kept. How files are written is the caller's affair: a function that replaces a file
/// as a whole.
pub struct Store<'a> {
    folder: PathBuf,
    write: &'a (dyn Fn(&Path, &[u8]) -> Result<()> + Sync),
}

impl std::fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

const PLAN: &str = "plan.json";
const RUNS: &str = "runs";

impl<'a> Store<'a> {
    /// The folder, whether it exists or not.
    #[must_use]
    pub fn new(folder: &Path, write: &'a (dyn Fn(&Path, &[u8]) -> Result<()> + Sync)) -> Self {
        Self {
            folder: folder.to_owned(),
            write,
        }
    }

    /// Whether the folder holds a comparison.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(PLAN).is_file()
    }

    /// Begins, or goes on with the comparison that the folder holds.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder of another comparison; [`Error::Io`].
    pub fn begin(&self, variants: &[Variant], settings: &Settings) -> Result<()> {
        let plan = plan(variants, settings);
        let file = self.folder.join(PLAN);
        if file.is_file() {
            let found = fs::read(&file).map_err(Error::io(&file, "reading"))?;
            let found: Option<Plan> = serde_json::from_slice(&found).ok();
            return match found {
                Some(found) if found == plan => Ok(()),
                found => Err(Error::Output {
                    path: self.folder.clone(),
                    problem: format!(
                        "holds another comparison ({}), and this one is of {}",
                        found.map_or_else(|| "unreadable".into(), |found| found.describe()),
                        plan.describe()
                    ),
                    help:
                        "choose another folder, or repeat the comparison that this one was made for"
                            .into(),
                }),
            };
        }
        let runs = self.folder.join(RUNS);
        fs::create_dir_all(&runs).map_err(Error::io(&runs, "making"))?;
        (self.write)(&file, &json(&plan, &file)?)
    }

    /// The runs that are there already.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that is broken; [`Error::Io`].
    pub(super) fn records(&self, variants: &[Variant], settings: &Settings) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for variant in 0..variants.len() {
            for seed in 0..settings.seeds {
                let file = self.file(variant, seed);
                if !file.is_file() {
                    continue;
                }
                let bytes = fs::read(&file).map_err(Error::io(&file, "reading"))?;
                let record = serde_json::from_slice(&bytes).map_err(|error| Error::Data {
                    file: file.clone(),
                    problem: format!("is no run of a comparison: {error}"),
                    help: "remove the file: the run is done again".into(),
                })?;
                records.push(record);
            }
        }
        Ok(records)
    }

    pub(super) fn keep(&self, record: &Record) -> Result<()> {
        let file = self.file(record.variant, record.seed_number);
        (self.write)(&file, &json(record, &file)?)
    }

    fn file(&self, variant: usize, seed: u64) -> PathBuf {
        let name = format!("{:02}-{:02}.json", variant + 1, seed + 1);
        self.folder.join(RUNS).join(name)
    }
}

impl Plan {
    fn describe(&self) -> String {
        let names: Vec<&str> = self.variants.iter().map(|v| v.name.as_str()).collect();
        let Settings { seeds, steps, .. } = self.settings;
        format!("{}; {seeds} seeds, {steps} steps", names.join(", "))
    }
}

fn plan(variants: &[Variant], settings: &Settings) -> Plan {
    let planned = variants.iter().map(|variant| Planned {
        name: variant.name.clone(),
        takes: variant.takes.clone(),
        config: variant.settled.to_toml(),
    });
    Plan {
        version: env!("CARGO_PKG_VERSION").into(),
        settings: *settings,
        variants: planned.collect(),
    }
}

fn json(value: &impl Serialize, file: &Path) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(std::io::Error::from)
        .map_err(Error::io(file, "writing"))?;
    text.push(b'\n');
    Ok(text)
}
