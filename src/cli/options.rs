//! Options that several commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::config::presets::DEFAULT;
use crate::config::{Config, Overrides, Tables};
use crate::error::{Error, Result};
use crate::gpu::{ClassName, Gpu, LimitsChoice, Selection};

/// Options of every command: which adapter, and how it is used.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Globals {
    /// Use the adapter whose name contains this (see `wavetrain devices`)
    #[arg(
        long,
        global = true,
        value_name = "NAME-PART",
        help_heading = "Adapter"
    )]
    pub(crate) adapter: Option<String>,
    /// Force a class of kernels instead of the one that suits the adapter
    #[arg(long, global = true, value_name = "CLASS", help_heading = "Adapter")]
    pub(crate) kernels: Option<KernelClass>,
    /// Use no more than WebGPU's default limits
    #[arg(long, global = true, value_name = "LIMITS", help_heading = "Adapter")]
    pub(crate) limits: Option<Limits>,
}

impl Globals {
    /// What the options say about the adapter.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            name: self.adapter.clone(),
            class: self.kernels.map(Into::into),
            limits: match self.limits {
                Some(Limits::Portable) => LimitsChoice::Portable,
                None => LimitsChoice::Adapter,
            },
        }
    }

    /// The device that the options ask for.
    pub(crate) fn open(&self) -> Result<Arc<Gpu>> {
        let gpu = Gpu::open(&self.selection());
        gpu.map(Arc::new).map_err(|error| as_flag(error, &[]))
    }
}

impl From<KernelClass> for ClassName {
    fn from(class: KernelClass) -> Self {
        match class {
            KernelClass::Tiled => Self::Tiled,
            KernelClass::Lanes => Self::Lanes,
            KernelClass::LanesPlain => Self::LanesPlain,
        }
    }
}

/// `--kernels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KernelClass {
    /// For GPUs: workgroup memory
    Tiled,
    /// For software adapters: long register blocks, subgroups
    Lanes,
    /// The same without subgroups
    LanesPlain,
}

/// `--limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Limits {
    /// WebGPU's default limits
    Portable,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigOptions {
    /// A preset's name, or a file that ends in .toml or has a slash [default: glyphs]
    #[arg(value_name = "PRESET | CONFIG.toml")]
    config: Option<PathBuf>,
    /// The folder with the data: sets data.dir
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    data: Option<PathBuf>,
    /// Sets seed: initial weights and dropout
    #[arg(
        long,
        value_name = "N",
        help_heading = "Configuration",
        allow_negative_numbers = true
    )]
    seed: Option<u64>,
    /// Sets a key of the configuration, for example schedule.max_lr=0.2; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Configuration")]
    set: Vec<String>,
}

impl ConfigOptions {
    /// The same options for another preset or file.
    pub(crate) fn of(&self, config: &Path) -> Self {
        Self {
            config: Some(config.to_owned()),
            ..self.clone()
        }
    }

    /// What the configuration is called: the preset's or the file's name.
    pub(crate) fn name(&self) -> String {
        let named = self.config.as_deref();
        named.map_or_else(|| DEFAULT.to_owned(), |path| path.display().to_string())
    }

    /// What a run's folder is called after: the preset, or the file without its folder and ending; `data`,
    /// the name of the data set, where the file is that of a run (`config.toml`).
    pub(crate) fn run_name(&self, data: &str) -> String {
        let name = self.config.as_deref().unwrap_or(Path::new(DEFAULT));
        match name.file_stem() {
            Some(stem) if stem != "config" => stem.to_string_lossy().into_owned(),
            _ => data.to_owned(),
        }
    }

    /// Whether it is a file, not a preset.
    pub(crate) fn is_file(&self) -> bool {
        self.config.as_deref().is_some_and(crate::config::is_file)
    }

    /// The `KEY=VALUE`s that were given.
    pub(crate) fn sets(&self) -> &[String] {
        &self.set
    }

    /// Adds `KEY=VALUE`s behind those that were given.
    pub(crate) fn set(&mut self, set: &[String]) {
        self.set.extend_from_slice(set);
    }

    /// The configuration that the options describe.
    pub(crate) fn load(&self) -> Result<Config> {
        Config::load(self.config.as_deref(), &self.overrides())?.anchored()
    }

    /// The configuration in `text`, called `name` in messages, under the options but for its name.
    pub(crate) fn lay_over(&self, name: &str, text: &str) -> Result<Config> {
        Config::read(name, text, &self.overrides(), &Tables::default())
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            set: self.set.clone(),
            data: self.data.clone(),
            seed: self.seed,
        }
    }
}

/// What the library refuses by the name of an argument, by the name of the flag that sets it: the same
/// name, but for `others`.
pub(super) fn as_flag(error: Error, others: &[(&str, &str)]) -> Error {
    match error {
        Error::Argument {
            what,
            found,
            expected,
            help,
        } => {
            let other = others.iter().find(|(name, _)| *name == what);
            Error::Argument {
                what: other.map_or_else(|| format!("--{what}"), |(_, flag)| (*flag).to_owned()),
                found,
                expected,
                help,
            }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_folder_is_called_after_its_configuration() {
        for (config, name) in [
            (None, "glyphs"),
            (Some("mnist-lenet"), "mnist-lenet"),
            (Some("examples/mine.toml"), "mine"),
            (Some("runs/mine-0003/config.toml"), "text"),
        ] {
            let options = ConfigOptions {
                config: config.map(PathBuf::from),
                ..ConfigOptions::default()
            };
            assert_eq!(options.run_name("text"), name, "{config:?}");
        }
    }
}
