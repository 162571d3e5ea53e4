//! What layers, losses and optimizers append their dispatches to.

use std::collections::HashMap;

use super::element::Element;
use super::matrix::{Border, Geometry, Matrix, Parameter, Value};
use super::plan::{
    Bound, BufferSpec, Dispatch, ImageSpec, Key, MAX_GROUPS, Op, Plan, PlannedKernel, Role, Use,
    Word,
};
use super::source::Shader;
use crate::error::{Error, Result};
use crate::gpu::{Class, Target};
use crate::shape::Shape;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Forward, backward and update; dropout drops.
    Train,
    /// Forward alone; dropout is the identity.
    Evaluate,
    /// The forward pass of training alone; running statistics become those of the batch, whatever
    /// they were.
    Statistics,
}

impl Mode {
    /// Whose buffers a plan of this mode uses.
    #[must_use]
    pub fn user(self) -> Use {
        match self {
            Self::Train | Self::Statistics => Use::Training,
            Self::Evaluate => Use::Evaluation,
        }
    }
}

/// The three phases of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the data to the loss.
    Forward,
    /// From the loss to the gradients.
    Backward,
    /// From the gradients of several batches to their sum.
    Accumulate,
    /// From the gradients to the parameters.
    Update,
}

/// Loops that one invocation may run through: one software driver leaves all loops silently after
/// 65,535 iterations.
pub const MAX_ITERATIONS: u32 = 60_000;

/// The grid of `invocations` invocations in workgroups of `size`, folded into two dimensions.
///
/// # Errors
/// If two dimensions are not enough.
pub fn grid(invocations: usize, size: usize) -> Result<[u32; 3]> {
    let groups = invocations.div_ceil(size).max(1);
    let rows = groups.div_ceil(MAX_GROUPS as usize);
    let too_large = || Error::Capacity {
        what: "a dispatch".into(),
        needed: format!("{groups} workgroups"),
        adapter: "WebGPU".into(),
        available: format!("{MAX_GROUPS} x {MAX_GROUPS}"),
        help: "use a smaller batch".into(),
    };
    let y = u32::try_from(rows)
        .ok()
        .filter(|rows| *rows <= MAX_GROUPS)
        .ok_or_else(too_large)?;
    Ok([groups.div_ceil(rows) as u32, y, 1])
}

/// One dispatch in the making: what is bound and what the uniform holds, by name.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) label: String,
    pub(super) bindings: Vec<(String, Bound)>,
    pub(super) in_place: Vec<String>,
    pub(super) dims: Vec<(String, Word)>,
    pub(super) grid: [u32; 3],
    pub(super) shape: String,
    pub(super) flops: u64,
    pub(super) bytes: u64,
}

impl Call {
    /// A dispatch with a label for people, on `grid` workgroups.
    #[must_use]
    pub fn new(label: impl Into<String>, grid: [u32; 3]) -> Self {
        Self {
            label: label.into(),
            bindings: Vec::new(),
            in_place: Vec::new(),
            dims: Vec::new(),
            grid,
            shape: String::new(),
            flops: 0,
            bytes: 0,
        }
    }

    /// Binds a value under `name`.
    #[must_use]
    pub fn value(self, name: &str, value: Value) -> Self {
        self.bound(name, value.bound())
    }

    /// States that the kernel both reads and writes what is bound as `name`.
    #[must_use]
    pub fn in_place(mut self, name: &str) -> Self {
        self.in_place.push(name.to_owned());
        self
    }

    /// Binds anything under `name` that this kernel does not read.
    #[must_use]
    pub fn idle(mut self, name: &str, bound: impl Into<Bound>) -> Self {
        self.bindings.push((name.to_owned(), bound.into()));
        self
    }

    /// Binds anything under `name`.
    #[must_use]
    pub fn place(self, name: &str, bound: Bound) -> Self {
        self.bound(name, bound)
    }

    pub(crate) fn bound(mut self, name: &str, bound: Bound) -> Self {
        if let Bound::Buffer { bytes, .. } = bound {
            self.bytes += bytes;
        }
        self.bindings.push((name.to_owned(), bound));
        self
    }

    /// Sets a field of the uniform `dims`.
    #[must_use]
    pub fn u32(mut self, name: &str, value: usize) -> Self {
        // Sizes are checked against the adapter's limits before: they fit into 32 bits.
        self.dims.push((name.to_owned(), Word::U32(value as u32)));
        self
    }

    /// Sets a field of the uniform `dims`.
    #[must_use]
    pub fn f32(mut self, name: &str, value: f64) -> Self {
        self.dims.push((name.to_owned(), Word::F32(value as f32)));
        self
    }

    /// Sets the fields `rows`, `cols` and `stride` (in vec4s) from a value's layout.
    #[must_use]
    pub fn matrix(self, matrix: Matrix) -> Self {
        let mut call = self
            .u32("rows", matrix.rows)
            .u32("cols", matrix.cols)
            .u32("stride", matrix.stride / 4);
        call.shape = format!("{}x{}", matrix.rows, matrix.cols);
        call
    }

    /// Sets the fields `channels` and `channel_quads` from a value's layout: what a mask of padding
    /// needs.
    #[must_use]
    pub fn channels(self, value: Value) -> Self {
        self.u32("channels", value.channels())
            .u32("channel_quads", value.channel_quads())
    }

    /// States the shapes and the bytes that are read and written, where they are not those of the
    /// bindings.
    #[must_use]
    pub fn work(mut self, shape: String, bytes: usize) -> Self {
        self.shape = shape;
        self.bytes = bytes as u64;
        self
    }

    /// States the number of floating-point operations, for the printed plan.
    #[must_use]
    pub fn flops(mut self, flops: usize) -> Self {
        self.flops = flops as u64;
        self
    }
}

/// Builds a plan.
#[derive(Debug)]
pub struct Builder {
    pub(super) plan: Plan,
    mode: Mode,
    phase: Phase,
    label: String,
    shared: HashMap<Key, usize>,
    kernels: HashMap<(String, String), usize>,
    images: HashMap<(usize, u64, [u32; 2], [u32; 2]), usize>,
    weight_copies: Vec<Op>,
    /// Twins of parameters and their gradients.
    twins: Vec<(Parameter, Value)>,
    /// Offsets of parameters that stay as they are.
    frozen: Vec<usize>,
}

impl Builder {
    /// An empty plan for `batch` samples per step on a device.
    #[must_use]
    pub fn new(target: Target, mode: Mode, batch: usize) -> Self {
        Self {
            plan: Plan::new(target, batch),
            mode,
            phase: Phase::Forward,
            label: String::new(),
            shared: HashMap::new(),
            kernels: HashMap::new(),
            images: HashMap::new(),
            weight_copies: Vec::new(),
            twins: Vec::new(),
            frozen: Vec::new(),
        }
    }

    /// Samples per step.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.plan.batch
    }

    /// What the plan is for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The kernel class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.plan.target.class
    }

    /// Invocations of a subgroup where the class is `lanes`: a workgroup is one subgroup there.
    #[must_use]
    pub fn lanes(&self) -> Option<usize> {
        match self.plan.target.class {
            Class::Lanes {
                lanes,
                subgroups: true,
            } => Some(lanes as usize),
            Class::Lanes { .. } | Class::Tiled => None,
        }
    }

    /// Whether the class is `tiled`: far more workgroups run side by side than on a CPU.
    #[must_use]
    pub fn is_tiled(&self) -> bool {
        self.plan.target.class == Class::Tiled
    }

    pub(crate) fn max_binding_bytes(&self) -> u64 {
        self.plan.target.max_binding_bytes
    }

    pub(crate) fn max_texture_side(&self) -> usize {
        self.plan.target.max_texture_side as usize
    }

    /// The phase that dispatches are appended to from now on.
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// What stands in front of the labels from now on (`1 linear`).
    pub fn set_label(&mut self, label: impl Into<String>) {
        self.label = label.into();
    }

    /// The full label of a dispatch called `what`.
    #[must_use]
    pub fn label(&self, what: &str) -> String {
        if self.label.is_empty() {
            what.to_owned()
        } else {
            format!("{}: {what}", self.label)
        }
    }

    /// A new value: a matrix with a row for each sample of the batch.
    pub fn value(&mut self, name: &str, cols: usize) -> Value {
        let matrix = Matrix::new(self.plan.batch, cols);
        self.matrix(name, matrix)
    }

    /// A new value for samples of `shape`: pictures lie as pixels of channels.
    pub fn shaped(&mut self, name: &str, shape: &Shape) -> Value {
        let matrix = match Geometry::of(shape) {
            Some(geometry) => geometry.matrix(self.plan.batch),
            None => Matrix::new(self.plan.batch * shape.rows(), shape.features()),
        };
        Value {
            shape: *shape,
            ..self.matrix(name, matrix)
        }
    }

    /// A new value that lies like `other`.
    pub fn like(&mut self, name: &str, other: Value) -> Value {
        Value {
            shape: other.shape,
            ..self.matrix(name, other.matrix)
        }
    }

    /// A new value of any layout.
    pub fn matrix(&mut self, name: &str, matrix: Matrix) -> Value {
        self.plan.buffers.push(BufferSpec {
            key: Key::Value(self.label(name)),
            bytes: matrix.bytes(),
            stride: matrix.stride,
        });
        Value {
            buffer: self.plan.buffers.len() - 1,
            matrix,
            shape: Shape::Features(matrix.cols),
            element: Element::F32,
        }
    }

    /// Keeps a value apart, under a key by which [`super::program::Workshop`] reads and fills it: for
    /// values that come from outside or are looked at. It shares its slot with no other value.
    pub fn keep(&mut self, value: Value, key: Key) {
        self.plan.buffers[value.buffer].key = key.clone();
        self.shared.insert(key, value.buffer);
    }

    /// A buffer that the plans of a model share by its key, as it will be bound: whole.
    pub fn shared(&mut self, key: Key, bytes: u64) -> Bound {
        let buffer = match self.shared.get(&key) {
            Some(buffer) => *buffer,
            None => {
                self.plan.buffers.push(BufferSpec {
                    key: key.clone(),
                    bytes,
                    stride: 0,
                });
                let buffer = self.plan.buffers.len() - 1;
                self.shared.insert(key, buffer);
                buffer
            }
        };
        let spec = &self.plan.buffers[buffer];
        Bound::Buffer {
            buffer,
            offset: 0,
            bytes: spec.bytes,
            element: spec.key.element(),
        }
    }

    /// The stretch of a flat buffer that belongs to a parameter.
    fn stretch(&mut self, key: Key, parameter: Parameter) -> Bound {
        let Bound::Buffer { buffer, .. } = self.shared(key, 0) else {
            unreachable!("shared buffers are buffers");
        };
        Bound::Buffer {
            buffer,
            offset: 4 * parameter.offset as u64,
            bytes: parameter.matrix.bytes(),
            element: Some(Element::F32),
        }
    }

    /// A parameter, to be bound for reading.
    pub fn parameter(&mut self, parameter: Parameter) -> Bound {
        self.stretch(Key::Parameters, parameter)
    }

    /// A parameter's gradient, to be bound for writing: once, by the layer that has the parameter.
    /// That of a twin is added to the other's at the end of the backward pass; that of a parameter
    /// that stays as it is goes nowhere.
    pub fn gradient(&mut self, parameter: Parameter) -> Bound {
        if self.frozen.contains(&parameter.offset) {
            let value = self.matrix("gradient of what is frozen", parameter.matrix);
            return value.bound();
        }
        if parameter.twin == 0 {
            return self.stretch(Key::Gradients, parameter);
        }
        if let Some((_, value)) = self.twins.iter().find(|(twin, _)| *twin == parameter) {
            return value.bound();
        }
        let value = self.matrix("gradient of a twin", parameter.matrix);
        self.twins.push((parameter, value));
        value.bound()
    }

    /// Names the parameters that stay as they are, by their offsets in the flat buffers.
    pub fn freeze(&mut self, offsets: impl IntoIterator<Item = usize>) {
        self.frozen.extend(offsets);
    }

    /// Appends the sums of the gradients of tied parameters, in the order of their numbers.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub fn add_twins(&mut self) -> Result<()> {
        let mut twins = std::mem::take(&mut self.twins);
        twins.sort_by_key(|(parameter, _)| parameter.twin);
        for (parameter, value) in twins {
            let floats = parameter.matrix.floats();
            let call = Call::new("gradients of tied weights", grid(floats / 4, 64)?)
                .place("g", self.stretch(Key::Gradients, parameter))
                .in_place("g")
                .value("sum", value)
                .u32("quads", floats / 4)
                .flops(floats);
            self.dispatch(&super::shaders::named("optim/accumulate"), "add", call);
        }
        Ok(())
    }

    /// The texture of a matrix; the copy is planned where it is read first. Copies of parameters
    /// go to the start of the step: they interrupt no pass there.
    pub(crate) fn image(&mut self, bound: Bound, matrix: Matrix) -> Bound {
        let [width, height] = [matrix.stride / 4, matrix.padded_rows()].map(|n| n as u32);
        self.texture(
            bound,
            ImageSpec {
                name: String::new(),
                width,
                height,
                layers: 0,
                origin: [0, 0],
                copied: [width, height],
                row_bytes: 4 * matrix.stride as u32,
            },
        )
    }

    /// The texture of pictures, a layer for each sample, with a border of zeros.
    pub(crate) fn pictures(&mut self, value: Value, geometry: &Geometry, border: Border) -> Bound {
        let quads = geometry.channel_quads() as u32;
        let [columns, rows] = [geometry.width, geometry.height].map(|n| n as u32);
        let layers = value.matrix.rows / geometry.height;
        self.texture(
            value.bound(),
            ImageSpec {
                name: String::new(),
                width: (columns + border.left + border.right) * quads,
                height: rows + border.top + border.bottom,
                layers: layers as u32,
                origin: [border.left * quads, border.top],
                copied: [columns * quads, rows],
                row_bytes: 4 * value.matrix.stride as u32,
            },
        )
    }

    fn texture(&mut self, bound: Bound, spec: ImageSpec) -> Bound {
        let Bound::Buffer { buffer, offset, .. } = bound else {
            return bound;
        };
        let source = &self.plan.buffers[buffer];
        let is_parameter = source.key.role() == Role::Parameters;
        let spec = ImageSpec {
            name: source.key.to_string(),
            ..spec
        };
        let key = (buffer, offset, spec.origin, [spec.width, spec.height]);
        if let Some(image) = self.images.get(&key) {
            return Bound::Image(*image);
        }
        self.plan.images.push(spec);
        let image = self.plan.images.len() - 1;
        self.images.insert(key, image);
        let copy = Op::CopyToImage {
            buffer,
            offset,
            image,
        };
        if is_parameter {
            self.weight_copies.push(copy);
        } else {
            self.push(copy);
        }
        Bound::Image(image)
    }

    fn push(&mut self, op: Op) {
        match self.phase {
            Phase::Forward => self.plan.forward.push(op),
            Phase::Backward => self.plan.backward.push(op),
            Phase::Accumulate => self.plan.accumulate.push(op),
            Phase::Update => self.plan.update.push(op),
        }
    }

    /// Appends a dispatch of `shader`'s entry point `entry`.
    pub fn dispatch(&mut self, shader: &Shader, entry: &str, call: Call) {
        let key = (shader.name.to_string(), entry.to_owned());
        let kernel = *self.kernels.entry(key).or_insert_with(|| {
            self.plan.kernels.push(PlannedKernel {
                entry: entry.to_owned(),
                shader: shader.compose(),
            });
            self.plan.kernels.len() - 1
        });
        self.push(Op::Dispatch(Dispatch {
            kernel,
            label: call.label,
            bindings: call.bindings,
            in_place: call.in_place,
            dims: call.dims,
            grid: call.grid,
            shape: call.shape,
            flops: call.flops,
            bytes: call.bytes,
        }));
    }

    /// The finished plan: copies of parameters in front, slots shared by values that do not live
    /// at the same time.
    #[must_use]
    pub fn finish(mut self) -> Plan {
        let forward = std::mem::take(&mut self.plan.forward);
        self.plan.forward = std::mem::take(&mut self.weight_copies);
        self.plan.forward.extend(forward);
        super::slots::share(&mut self.plan);
        self.plan
    }
}
