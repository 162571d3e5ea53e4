//! The plan: a training step as data. A fixed list of dispatches and copies over buffers that are
//! laid out once; no wgpu handles. `realize` turns it into commands, `wavetrain plan` prints it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::element::Element;
use super::source::Composed;
use crate::error::{Error, Result};
use crate::gpu::Target;

/// Bytes between two slots of the step ring, and between the uniforms of two dispatches: WebGPU's
/// default alignment of dynamic offsets.
pub const SLOT_BYTES: u64 = 256;

/// A 4-byte word of a dispatch's uniform.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Word {
    /// An unsigned integer.
    U32(u32),
    /// A float.
    F32(f32),
}

impl Word {
    /// The bits that travel.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::U32(value) => value,
            Self::F32(value) => value.to_bits(),
        }
    }

    /// Its type as WGSL writes it.
    #[must_use]
    pub fn ty(self) -> &'static str {
        match self {
            Self::U32(_) => "u32",
            Self::F32(_) => "f32",
        }
    }
}

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// All parameters, flat.
    Parameters,
    /// All gradients, with the parameters' offsets.
    Gradients,
    /// The optimizer's state, with the parameters' offsets.
    State,
    /// Activations and their gradients; reused by lifetime.
    Value,
    /// The data set.
    Data,
    /// Constant tables (multipliers, normalisation).
    Table,
    /// What a chunk of steps returns.
    Results,
}

/// Whose buffer it is, where training and evaluation each have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// Training's, which renewing statistics uses, too.
    Training,
    /// Evaluation's.
    Evaluation,
}

/// Which buffer of a plan: what the host, layers, losses and optimizers know it by. Plans of one
/// model share buffers by their keys, all but values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The samples on the device.
    Samples,
    /// What is to be learned about each of them.
    Targets,
    /// Positions of a chunk's samples in the list of samples.
    Indices(Use),
    /// How each sample of a chunk is changed at random.
    Places(Use),
    /// What the loss says of each row.
    Rows(Use),
    /// What the steps of a chunk return.
    Results(Use),
    /// What is subtracted from each element of a sample.
    Mean,
    /// What each element is multiplied with then.
    Scale,
    /// The weight of each class in the loss.
    ClassWeights,
    /// Multipliers of rate and decay for each block of 64 parameters.
    Multipliers,
    /// All parameters, flat.
    Parameters,
    /// All gradients, with the parameters' offsets.
    Gradients,
    /// The sum of the gradients of so many batches of an update.
    GradientSum(usize),
    /// A state of the optimizer by its name, with the parameters' offsets.
    Optimizer(&'static str),
    /// A state of a layer by its full name (`3.running_mean`).
    State(String),
    /// A state of a layer that is carried from one batch to the next, by its full name.
    Carried(Use, String),
    /// A value that is read or filled from outside, by its name.
    Kept(&'static str),
    /// Activations and their gradients, by their label; several may have the same.
    Value(String),
    /// What is bound where a kernel reads nothing.
    Nothing,
}

impl Key {
    /// What the buffer is for.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Samples | Self::Targets | Self::Indices(_) | Self::Places(_) | Self::Kept(_) => {
                Role::Data
            }
            Self::Rows(_) | Self::Results(_) => Role::Results,
            Self::Mean | Self::Scale | Self::ClassWeights | Self::Multipliers | Self::Nothing => {
                Role::Table
            }
            Self::Parameters => Role::Parameters,
            Self::Gradients | Self::GradientSum(_) => Role::Gradients,
            Self::Optimizer(_) | Self::State(_) | Self::Carried(..) => Role::State,
            Self::Value(_) => Role::Value,
        }
    }
}

impl Key {
    /// What the buffer holds, where it is always the same: samples are bytes or floats.
    #[must_use]
    pub fn element(&self) -> Option<Element> {
        match self {
            Self::Indices(_) => Some(Element::U32),
            Self::Places(_)
            | Self::Rows(_)
            | Self::Results(_)
            | Self::Mean
            | Self::Scale
            | Self::ClassWeights
            | Self::Multipliers
            | Self::Parameters
            | Self::Gradients
            | Self::GradientSum(_)
            | Self::Optimizer(_)
            | Self::State(_)
            | Self::Carried(..) => Some(Element::F32),
            Self::Samples | Self::Targets | Self::Kept(_) | Self::Value(_) | Self::Nothing => None,
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Training => "training",
            Self::Evaluation => "evaluation",
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samples => f.write_str("samples"),
            Self::Targets => f.write_str("labels"),
            Self::Indices(user) => write!(f, "{user} indices"),
            Self::Places(user) => write!(f, "{user} places"),
            Self::Rows(user) => write!(f, "{user} rows"),
            Self::Results(user) => write!(f, "{user} results"),
            Self::Mean => f.write_str("mean"),
            Self::Scale => f.write_str("scale"),
            Self::ClassWeights => f.write_str("class weights"),
            Self::Multipliers => f.write_str("multipliers"),
            Self::Parameters => f.write_str("parameters"),
            Self::Gradients => f.write_str("gradients"),
            Self::GradientSum(1) => f.write_str("gradients of a batch"),
            Self::GradientSum(batches) => write!(f, "gradients of {batches} batches"),
            Self::Optimizer(name) | Self::Kept(name) => f.write_str(name),
            Self::State(name) | Self::Value(name) => f.write_str(name),
            Self::Carried(user, name) => write!(f, "{user} {name}"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// A buffer of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferSpec {
    /// Which it is.
    pub key: Key,
    /// Size in bytes.
    pub bytes: u64,
    /// Floats from row to row, for matrices; 0 for lists.
    pub stride: usize,
}

/// The side of a texture that every adapter offers.
const PORTABLE_SIDE: u32 = 8192;

/// A texture (rgba32float) that mirrors a matrix, or pictures with a border, for the kernels that
/// read textures.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Its name.
    pub name: String,
    /// Texels in a row, border included.
    pub width: u32,
    /// Rows, border included.
    pub height: u32,
    /// For pictures, a layer for each sample; 0 for a plain matrix.
    pub layers: u32,
    /// Where the copy goes: the first texel and the first row that are not border. The border is
    /// zero by never being written.
    pub origin: [u32; 2],
    /// Texels in a row and rows that are copied.
    pub copied: [u32; 2],
    /// Bytes from row to row in the buffer.
    pub row_bytes: u32,
}

impl ImageSpec {
    /// Width and height of the texture that holds it: a side that would be a power of two gets one
    /// more. lavapipe compiles a kernel anew for each combination of such sides among its textures
    /// (they are part of its shader's key), which takes it 60 to 120 ms for each product.
    #[must_use]
    pub fn sides(&self) -> [u32; 2] {
        let more = |side: u32| side.is_power_of_two() && side < PORTABLE_SIDE;
        [self.width, self.height].map(|side| side + u32::from(more(side)))
    }

    /// Layers of the texture that holds it: of pictures a multiple of four, because the gradient of
    /// a convolution's weights takes four samples at a time. Layers without a sample stay zero.
    #[must_use]
    pub fn depth(&self) -> u32 {
        match self.layers {
            0 => 1,
            layers => layers.next_multiple_of(4),
        }
    }

    /// Size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let [width, height] = self.sides();
        16 * u64::from(width) * u64::from(height) * u64::from(self.depth())
    }
}

/// What is bound under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// A stretch of a buffer.
    Buffer {
        /// Position in [`Plan::buffers`].
        buffer: usize,
        /// First byte, a multiple of 256.
        offset: u64,
        /// Length in bytes.
        bytes: u64,
        /// What it holds, where it is always the same.
        element: Option<Element>,
    },
    /// A texture: position in [`Plan::images`].
    Image(usize),
}

/// One dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Position in [`Plan::kernels`].
    pub kernel: usize,
    /// What it does, for people: layer and kernel (`1 linear: weight gradient`).
    pub label: String,
    /// What is bound, by the names in the WGSL; the step uniform is not listed.
    pub bindings: Vec<(String, Bound)>,
    /// The bindings through which it both reads and writes a buffer: an update of parameters, a sum
    /// that is gone on with, a recurrence. All others are read or written.
    pub in_place: Vec<String>,
    /// The fields of the uniform `dims`, by name.
    pub dims: Vec<(String, Word)>,
    /// Number of workgroups.
    pub grid: [u32; 3],
    /// The shapes at work, for people (`128x256x784`).
    pub shape: String,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of global memory that it reads and writes at least once.
    pub bytes: u64,
}

impl Dispatch {
    /// Refuses more workgroups in a dimension than any adapter has to take.
    fn check(&self) -> Result<()> {
        match self.grid.iter().find(|groups| **groups > MAX_GROUPS) {
            None => Ok(()),
            Some(groups) => Err(Error::Capacity {
                what: self.label.clone(),
                needed: format!("{groups} workgroups in one dimension"),
                adapter: "WebGPU".into(),
                available: MAX_GROUPS.to_string(),
                help: "use a layer of fewer features: pool, or take smaller samples".into(),
            }),
        }
    }
}

/// Most workgroups in one dimension of a grid (WebGPU's default limit).
pub const MAX_GROUPS: u32 = 65_535;

/// One command of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Runs a kernel.
    Dispatch(Dispatch),
    /// Copies a matrix into its texture.
    CopyToImage {
        /// Position in [`Plan::buffers`].
        buffer: usize,
        /// First byte of the matrix.
        offset: u64,
        /// Position in [`Plan::images`].
        image: usize,
    },
}

impl Op {
    /// Floating-point operations, run once.
    #[must_use]
    pub fn flops(&self) -> u64 {
        match self {
            Self::Dispatch(dispatch) => dispatch.flops,
            Self::CopyToImage { .. } => 0,
        }
    }
}

/// A kernel as a plan needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedKernel {
    /// The entry point.
    pub entry: String,
    /// The shader.
    pub shader: Composed,
}

/// A step as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Samples of a batch.
    pub batch: usize,
    /// The device that it is made for.
    pub target: Target,
    /// The kernels in use.
    pub kernels: Vec<PlannedKernel>,
    /// The buffers.
    pub buffers: Vec<BufferSpec>,
    /// The textures.
    pub images: Vec<ImageSpec>,
    /// From the data to the loss.
    pub forward: Vec<Op>,
    /// From the loss to the gradients.
    pub backward: Vec<Op>,
    /// Where an update takes several batches: two commands for each level of the tree of their
    /// gradients, one that adds a sum to the gradients and one that keeps them as such a sum.
    pub accumulate: Vec<Op>,
    /// From the gradients to the parameters.
    pub update: Vec<Op>,
}

impl Plan {
    /// A plan without commands.
    #[must_use]
    pub fn new(target: Target, batch: usize) -> Self {
        Self {
            batch,
            target,
            kernels: Vec::new(),
            buffers: Vec::new(),
            images: Vec::new(),
            forward: Vec::new(),
            backward: Vec::new(),
            accumulate: Vec::new(),
            update: Vec::new(),
        }
    }

    /// The same, where each of its dispatches has a grid that any adapter takes.
    ///
    /// # Errors
    /// [`Error::Capacity`] with the dispatch that has not.
    pub fn checked(self) -> Result<Self> {
        for op in self.ops() {
            if let Op::Dispatch(dispatch) = op {
                dispatch.check()?;
            }
        }
        Ok(self)
    }

    /// All commands of a step, in order.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.forward
            .iter()
            .chain(&self.backward)
            .chain(&self.accumulate)
            .chain(&self.update)
    }

    /// All dispatches of a step, in order.
    pub fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.ops().filter_map(|op| match op {
            Op::Dispatch(dispatch) => Some(dispatch),
            Op::CopyToImage { .. } => None,
        })
    }

    /// Floating-point operations of all commands, each run once.
    #[must_use]
    pub fn flops(&self) -> u64 {
        self.ops().map(Op::flops).sum()
    }

    /// Bytes of device memory, by kind, largest kinds named as in [`Role`]; textures last.
    #[must_use]
    pub fn memory(&self) -> Vec<(String, u64)> {
        let roles = [
            (Role::Parameters, "parameters"),
            (Role::Gradients, "gradients"),
            (Role::State, "optimizer state"),
            (Role::Value, "activations"),
            (Role::Data, "data"),
            (Role::Table, "tables"),
            (Role::Results, "results"),
        ];
        let mut memory: Vec<(String, u64)> = roles
            .iter()
            .map(|(role, name)| {
                let of_role = self.buffers.iter().filter(|b| b.key.role() == *role);
                ((*name).to_owned(), of_role.map(|buffer| buffer.bytes).sum())
            })
            .collect();
        let images = self.images.iter().map(ImageSpec::bytes).sum();
        memory.push(("textures".to_owned(), images));
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Class;

    #[test]
    fn a_grid_that_no_adapter_has_to_take_is_refused_by_its_dispatch() {
        let target = Target {
            class: Class::Tiled,
            max_binding_bytes: 1 << 27,
            max_texture_side: 8192,
        };
        let with = |grid: [u32; 3]| {
            let mut plan = Plan::new(target, 1);
            plan.backward.push(Op::Dispatch(Dispatch {
                kernel: 0,
                label: "1 linear: weight gradient".into(),
                bindings: Vec::new(),
                in_place: Vec::new(),
                dims: Vec::new(),
                grid,
                shape: String::new(),
                flops: 0,
                bytes: 0,
            }));
            plan.checked()
        };
        assert!(with([MAX_GROUPS, MAX_GROUPS, 1]).is_ok());
        let error = with([1, MAX_GROUPS + 1, 1]).unwrap_err();
        assert!(error.is_users_mistake());
        let error = error.to_string();
        assert!(
            error.contains("1 linear: weight gradient") && error.contains("65536 workgroups"),
            "{error}"
        );
    }

    #[test]
    fn no_texture_has_a_side_that_is_a_power_of_two_or_beyond_the_limit() {
        for (width, height, sides) in [
            (16, 128, [17, 129]),
            (208, 512, [208, 513]),
            (1, 12, [2, 12]),
            (8191, 8192, [8191, 8192]),
        ] {
            let name = String::new();
            let spec = ImageSpec {
                name,
                width,
                height,
                layers: 0,
                origin: [0, 0],
                copied: [width, height],
                row_bytes: 16 * width,
            };
            assert_eq!(spec.sides(), sides);
        }
    }
}
