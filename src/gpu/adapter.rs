//! Which adapter to use, and which kernels suit it.

use serde::{Deserialize, Serialize};

use super::wait;
use crate::error::{Error, Result};

/// The kernel classes by name, as given to `--kernels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassName {
    /// For GPUs: tiles in workgroup memory.
    Tiled,
    /// For software adapters: register blocks, operands shared through subgroup operations.
    Lanes,
    /// `Lanes` without subgroup operations.
    LanesPlain,
}

impl ClassName {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Tiled, Self::Lanes, Self::LanesPlain];

    /// The name as written on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tiled => "tiled",
            Self::Lanes => "lanes",
            Self::LanesPlain => "lanes-plain",
        }
    }
}

impl std::str::FromStr for ClassName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or_else(|| Error::Argument {
                what: "kernels".into(),
                found: format!("`{text}`"),
                expected: "tiled, lanes or lanes-plain".into(),
                help: "leave it out: the class is chosen from the adapter's type".into(),
            })
    }
}

/// A kernel class as used on an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Tiles in workgroup memory.
    Tiled,
    /// Register blocks; `lanes` neighbouring invocations work as one subgroup.
    Lanes {
        /// The adapter's subgroup size.
        lanes: u32,
        /// Whether values are shared through subgroup operations (`lanes`, not `lanes-plain`).
        subgroups: bool,
    },
}

impl Class {
    /// Invocations that work as one subgroup; 0 where none do.
    #[must_use]
    pub fn lanes(self) -> u32 {
        match self {
            Self::Tiled => 0,
            Self::Lanes { lanes, .. } => lanes,
        }
    }

    /// The class's name.
    #[must_use]
    pub fn name(self) -> ClassName {
        match self {
            Self::Tiled => ClassName::Tiled,
            Self::Lanes {
                subgroups: true, ..
            } => ClassName::Lanes,
            Self::Lanes {
                subgroups: false, ..
            } => ClassName::LanesPlain,
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tiled => write!(f, "kernels `tiled`"),
            Self::Lanes { lanes, subgroups } => {
                let unit = if *subgroups { "subgroups" } else { "groups" };
                write!(
                    f,
                    "kernels `{}` for {unit} of {lanes}",
                    self.name().as_str()
                )
            }
        }
    }
}

/// Which limits the device is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LimitsChoice {
    /// What the adapter offers, where it helps.
    #[default]
    Adapter,
    /// WebGPU's default limits, so that what runs here runs on any adapter.
    Portable,
    /// The default limits with storage bindings of at most this many bytes: what an adapter with
    /// less memory does, such as streaming a data set that does not fit into one binding.
    Binding(u64),
}

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Part of the adapter's name, any case; wins over `WGPU_ADAPTER_NAME`.
    pub name: Option<String>,
    /// Kernel class; chosen from the adapter's type where none is given.
    pub class: Option<ClassName>,
    /// Limits of the device.
    pub limits: LimitsChoice,
}

/// An adapter, as `wavetrain devices` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdapterDescription {
    /// The adapter's name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` ...
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software (CPU)`, `other`.
    pub kind: String,
    /// Driver name and version.
    pub driver: String,
    /// The kernel class that it would get.
    pub class: ClassName,
    /// Smallest and largest subgroup.
    pub subgroup_sizes: [u32; 2],
    /// Whether kernels may use subgroup operations.
    pub subgroups: bool,
    /// Whether single kernels can be timed.
    pub timestamps: bool,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest storage binding in bytes.
    pub max_binding_bytes: u64,
    /// Workgroup memory in bytes.
    pub workgroup_memory_bytes: u32,
    /// Invocations in a workgroup.
    pub max_workgroup_invocations: u32,
    /// Largest side of a texture.
    pub max_texture_side: u32,
    /// Whether this is the one that would be used.
    pub chosen: bool,
}

impl AdapterDescription {
    /// Whether the adapter is a program on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.kind.starts_with("software")
    }

    /// The short form for run folders, with the class in use.
    #[must_use]
    pub fn summary(&self, class: Class) -> AdapterSummary {
        AdapterSummary {
            name: self.name.clone(),
            backend: self.backend.clone(),
            kind: self.kind.clone(),
            driver: self.driver.clone(),
            class: class.name().as_str().into(),
        }
    }
}

/// The adapter that runs the kernels, as shown to people and written into run folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterSummary {
    /// The adapter's name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` ...
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `software (CPU)` ...
    pub kind: String,
    /// Driver name and version.
    pub driver: String,
    /// Kernel class in use: `tiled`, `lanes` or `lanes-plain`.
    pub class: String,
}

/// A backend that adapters are looked for on; for tests, the no-op one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Vulkan, Metal and DX12, or what `WGPU_BACKEND` says.
    Real,
    /// wgpu's no-op backend: validates everything, runs nothing.
    Noop,
}

pub(super) struct Candidate {
    pub(super) adapter: wgpu::Adapter,
    pub(super) description: AdapterDescription,
}

fn instance(backend: Backend) -> (wgpu::Instance, wgpu::Backends) {
    let backends = match backend {
        Backend::Noop => wgpu::Backends::NOOP,
        Backend::Real => wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY),
    };
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    if backend == Backend::Noop {
        descriptor.backend_options.noop = wgpu::NoopBackendOptions::enabled();
    }
    (wgpu::Instance::new(descriptor), backends)
}

/// Higher is better: real GPUs before software ones, so that a CPU is never taken silently where
/// there is a GPU. `WGPU_POWER_PREF=low` prefers the integrated one.
fn rank(info: &wgpu::AdapterInfo) -> u32 {
    let low = wgpu::PowerPreference::from_env() == Some(wgpu::PowerPreference::LowPower);
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 4 - u32::from(low),
        wgpu::DeviceType::IntegratedGpu => 3 + u32::from(low),
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 1,
        wgpu::DeviceType::Cpu => 0,
    }
}

fn describe(adapter: &wgpu::Adapter) -> AdapterDescription {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let features = adapter.features();
    let subgroups = features.contains(wgpu::Features::SUBGROUP);
    let sizes = [info.subgroup_min_size, info.subgroup_max_size];
    let class = match info.device_type {
        wgpu::DeviceType::Cpu if subgroups && lanes_of(sizes).is_some() => ClassName::Lanes,
        wgpu::DeviceType::Cpu => ClassName::LanesPlain,
        _ => ClassName::Tiled,
    };
    AdapterDescription {
        name: info.name.clone(),
        backend: info.backend.to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete GPU",
            wgpu::DeviceType::IntegratedGpu => "integrated GPU",
            wgpu::DeviceType::VirtualGpu => "virtual GPU",
            wgpu::DeviceType::Cpu => "software (CPU)",
            wgpu::DeviceType::Other => "other",
        }
        .into(),
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .into(),
        class,
        subgroup_sizes: sizes,
        subgroups,
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        max_buffer_bytes: limits.max_buffer_size,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
        max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        max_texture_side: limits.max_texture_dimension_2d,
        chosen: false,
    }
}

/// The one subgroup size of an adapter, where it has just one that the kernels know.
fn lanes_of(sizes: [u32; 2]) -> Option<u32> {
    let [min, max] = sizes;
    (min == max && [4, 8, 16, 32, 64].contains(&min)).then_some(min)
}

fn candidates(backend: Backend, selection: &Selection) -> Vec<Candidate> {
    let (instance, backends) = instance(backend);
    let mut all: Vec<Candidate> = wait(instance.enumerate_adapters(backends))
        .into_iter()
        .map(|adapter| Candidate {
            description: describe(&adapter),
            adapter,
        })
        .collect();
    // A stable sort keeps the system's order among equals.
    all.sort_by_key(|candidate| std::cmp::Reverse(rank(&candidate.adapter.get_info())));
    let wanted = wanted_name(selection);
    let chosen = all
        .iter()
        .position(|candidate| matches(&candidate.description, wanted.as_deref()));
    if let Some(chosen) = chosen {
        all[chosen].description.chosen = true;
    }
    all
}

fn wanted_name(selection: &Selection) -> Option<String> {
    let from_environment = || std::env::var("WGPU_ADAPTER_NAME").ok();
    selection
        .name
        .clone()
        .or_else(from_environment)
        .filter(|name| !name.is_empty())
}

fn matches(description: &AdapterDescription, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| {
        description
            .name
            .to_lowercase()
            .contains(&wanted.to_lowercase())
    })
}

/// All adapters of this machine, best first, the one that `selection` takes marked as chosen.
#[must_use]
pub fn list(selection: &Selection) -> Vec<AdapterDescription> {
    candidates(Backend::Real, selection)
        .into_iter()
        .map(|candidate| candidate.description)
        .collect()
}

pub(super) fn choose(backend: Backend, selection: &Selection) -> Result<Candidate> {
    let mut all = candidates(backend, selection);
    if let Some(chosen) = all.iter().position(|c| c.description.chosen) {
        return Ok(all.swap_remove(chosen));
    }
    let backends = std::env::var("WGPU_BACKEND")
        .map(|value| format!(" (WGPU_BACKEND is `{value}`)"))
        .unwrap_or_default();
    if all.is_empty() {
        return Err(Error::NoAdapter {
            problem: format!("wgpu finds no Vulkan, Metal or DX12 adapter{backends}"),
            help: "install your GPU's driver; without a GPU a software one does: on Debian and \
                   Ubuntu `apt-get install mesa-vulkan-drivers`, on Fedora `dnf install \
                   mesa-vulkan-drivers`; Windows has WARP built in"
                .into(),
        });
    }
    let names: Vec<String> = all.iter().map(|c| c.description.name.clone()).collect();
    Err(Error::NoAdapter {
        problem: format!(
            "no adapter's name contains `{}`; found: {}",
            wanted_name(selection).unwrap_or_default(),
            names.join(", ")
        ),
        help: "`wavetrain devices` lists the adapters; name another adapter by a part of its name, here \
               or in WGPU_ADAPTER_NAME"
            .into(),
    })
}

/// The kernel class for an adapter, or why the class that was asked for does not run there.
pub(super) fn class(description: &AdapterDescription, wanted: Option<ClassName>) -> Result<Class> {
    let lanes = lanes_of(description.subgroup_sizes);
    match wanted.unwrap_or(description.class) {
        ClassName::Tiled => Ok(Class::Tiled),
        ClassName::LanesPlain => Ok(Class::Lanes {
            lanes: lanes.unwrap_or(8),
            subgroups: false,
        }),
        ClassName::Lanes => match lanes {
            Some(lanes) if description.subgroups => Ok(Class::Lanes {
                lanes,
                subgroups: true,
            }),
            _ => Err(Error::Argument {
                what: "kernels".into(),
                found: "`lanes`".into(),
                expected: format!(
                    "an adapter with subgroup operations and one subgroup size; {} has sizes {} to {}",
                    description.name, description.subgroup_sizes[0], description.subgroup_sizes[1]
                ),
                help: "ask for lanes-plain, the form without subgroup operations".into(),
            }),
        },
    }
}
