//! Convolution as an implicit matrix product: forward, input gradient, weight gradient.
//!
//! [`choose`] picks a [`ConvKernel`] for an adapter's class and a shape; the variant writes its WGSL
//! ([`ConvKernel::source`]), says what it reads and how ([`ConvKernel::reads`]), how many workgroups it
//! needs ([`ConvKernel::grid`]) and what its uniform holds ([`ConvKernel::dims`]). Sizes travel in the
//! uniform, so a variant is one pipeline for all layers.
//!
//! A value of shape [C, H, W] for N samples is a matrix of N*H rows (the rows of the images, sample
//! after sample) of W*C4 floats: channels last, C4 = C rounded up to a multiple of four, padding
//! zero. Its texture is an array with one layer per sample, a texel per four channels, and a border
//! of zero texels that [`ConvKernel::reads`] asks for: the copy from the buffer leaves it as it is.
//! Weights are a matrix with row `(ky * KX + kx) * Ci4 + ci` and column co.

mod choice;
mod lanes;
mod order;
pub mod plan;
mod shape;
mod text;
mod tiled;

use super::class::Operand;
use crate::gpu::ClassName;
use crate::kernel::builder::MAX_ITERATIONS;
use crate::kernel::matrix::Border;
use crate::kernel::plan::MAX_GROUPS;
pub use choice::choose;
pub use shape::ConvShape;

/// The three products of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConvOp {
    /// `y = x * w`, bias and relu on request.
    Forward,
    /// The gradient of x, gated by relu' on request.
    InputGradient,
    /// The gradient of w, with db on request.
    WeightGradient,
}

impl ConvOp {
    /// All products.
    pub const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];

    /// `forward`, `input` or `weight`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::InputGradient => "input",
            Self::WeightGradient => "weight",
        }
    }
}

/// The bits of the uniform's `flags`.
pub mod flags {
    /// forward: add `bias[co]`.
    pub const BIAS: u32 = 2;
    /// forward: negative values become 0; NaN stays.
    pub const RELU: u32 = 4;
    /// input gradient: zero where gate, laid out like dx, is not positive.
    pub const GATE: u32 = 8;
    /// weight gradient: also `db[co] = sum of dy`.
    pub const DB: u32 = 16;
}

/// One kernel for convolutions: everything its text depends on, so equal variants share a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConvKernel {
    /// Which product.
    pub op: ConvOp,
    /// How it is computed.
    pub class: ClassName,
    /// Invocations per workgroup: the adapter's subgroup size (lanes), or 256 (tiled).
    pub lanes: u32,
    /// forward, input gradient: channels of the result that one workgroup computes; weight
    /// gradient: rows of dw. A multiple of 4.
    pub tile_m: u32,
    /// Blocks of `4 * lanes` pixels (weight gradient: columns of dw) that one workgroup computes.
    pub columns: u32,
    /// Where the image that is gathered (x; input gradient: dy) is read from.
    pub image: Operand,
    /// Where w (weight gradient: dy) is read from.
    pub other: Operand,
    /// input gradient: where the gate is read from; a buffer in the other products.
    pub gate: Operand,
    /// forward, weight gradient of the classes for software adapters: how many channels of a quad of
    /// x are multiplied; 4, but for an x of fewer, whose other channels are zeros. 4 elsewhere.
    pub channels: u32,
}

/// How a variant reads one of its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The binding: `x`, `dy`, `w` or `gate`.
    pub name: &'static str,
    /// From a buffer, or from a texture: of images a layer per sample, of w a plain one.
    pub operand: Operand,
    /// The zeros that the texture of an image needs around it, at least; zero for w.
    pub border: Border,
    /// The layers that the texture of an image needs, at least: one per sample, in the weight
    /// gradient rounded up to a multiple of four with layers of zeros; 1 for w.
    pub layers: u32,
}

/// What a dispatch of a variant depends on besides the shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvDispatch {
    /// Sum of the constants of [`flags`].
    pub flags: u32,
    /// Floats from row to row of x, dx and gate, of y and dy, and of w and dw.
    pub strides: [u32; 3],
    /// The border that the texture of x or gate has; ignored where they are read from buffers.
    pub x: Border,
    /// The border that the texture of dy has; ignored where it is read from a buffer.
    pub dy: Border,
}

impl ConvKernel {
    /// A name that no other variant has, such as `conv2d_forward_lanes8_32x32_tt`: product, class
    /// and lanes, tile, where the operands come from (`t` texture, `b` buffer), and the channels of x
    /// where it has fewer than four (`_c3`).
    #[must_use]
    pub fn name(&self) -> String {
        let class = match self.class {
            ClassName::Lanes => "lanes",
            ClassName::LanesPlain => "plain",
            ClassName::Tiled => "tiled",
        };
        let letter = |operand| match operand {
            Operand::Buffer => 'b',
            Operand::Texture => 't',
        };
        let gate = match self.op {
            ConvOp::InputGradient => letter(self.gate).to_string(),
            ConvOp::Forward | ConvOp::WeightGradient => String::new(),
        };
        let channels = match self.channels {
            4 => String::new(),
            fewer => format!("_c{fewer}"),
        };
        format!(
            "conv2d_{}_{class}{}_{}x{}_{}{}{gate}{channels}",
            self.op.name(),
            self.lanes,
            self.tile_m,
            self.tile_n(),
            letter(self.image),
            letter(self.other)
        )
    }

    /// Pixels (weight gradient: columns of dw) that one workgroup computes.
    #[must_use]
    pub fn tile_n(&self) -> u32 {
        match self.class {
            ClassName::Tiled => tiled::RESULTS / self.tile_m,
            _ => 4 * self.lanes * self.columns,
        }
    }

    /// The whole WGSL text.
    #[must_use]
    pub fn source(&self) -> String {
        match self.class {
            ClassName::Tiled => tiled::source(self),
            _ => lanes::source(self),
        }
    }

    /// The text's file whose end is the end of [`ConvKernel::source`].
    #[must_use]
    pub fn file(&self) -> &'static str {
        match (self.class, self.op) {
            (ClassName::Tiled, ConvOp::WeightGradient) => "shaders/tiled/conv2d_weight.wgsl",
            (ClassName::Tiled, _) => "shaders/tiled/conv2d.wgsl",
            (_, ConvOp::WeightGradient) => "shaders/lanes/conv2d_weight.wgsl",
            (_, _) => "shaders/lanes/conv2d.wgsl",
        }
    }

    /// What is read, and which borders textures need. A texture may have wider borders, so one
    /// serves several readers.
    #[must_use]
    pub fn reads(&self, shape: &ConvShape) -> Vec<Read> {
        let layers = match self.op {
            ConvOp::WeightGradient => shape.n.next_multiple_of(4),
            ConvOp::Forward | ConvOp::InputGradient => shape.n,
        };
        let read = |name, operand, border| Read {
            name,
            operand,
            border,
            layers: if name == "w" { 1 } else { layers },
        };
        let none = Border::default();
        match self.op {
            ConvOp::Forward => vec![
                read("x", self.image, shape.input_border()),
                read("w", self.other, none),
            ],
            ConvOp::InputGradient => vec![
                read("dy", self.image, shape.output_border()),
                read("w", self.other, none),
                read("gate", self.gate, none),
            ],
            ConvOp::WeightGradient => vec![
                read("x", self.image, shape.input_border()),
                read("dy", self.other, none),
            ],
        }
    }

    /// Workgroups for this shape.
    #[must_use]
    pub fn grid(&self, shape: &ConvShape) -> [u32; 3] {
        if self.op == ConvOp::WeightGradient {
            let rows = shape.weight_rows().div_ceil(self.tile_m);
            let [parts_n, parts_y] = self.parts(shape);
            return [rows, shape.co.div_ceil(self.tile_n()), parts_n * parts_y];
        }
        let channels = match self.op {
            ConvOp::Forward => shape.co,
            _ => shape.ci,
        };
        let phases = shape.phases(self.op);
        let groups = self.pixel_tiles(shape).div_ceil(self.tiles(shape));
        let folds = groups.div_ceil(MAX_GROUPS);
        [
            groups.div_ceil(folds),
            folds,
            channels.div_ceil(self.tile_m) * phases,
        ]
    }

    /// forward, input gradient: tiles of results of the largest phase.
    fn pixel_tiles(&self, shape: &ConvShape) -> u32 {
        let samples = shape.n.next_multiple_of(self.block(shape));
        let pixels = match self.op {
            ConvOp::Forward => shape.ho() * shape.wo(),
            _ => shape.h.div_ceil(shape.sy) * shape.w.div_ceil(shape.sx),
        };
        (samples * pixels).div_ceil(self.tile_n())
    }

    /// forward, input gradient: tiles that one workgroup takes one after the other.
    fn tiles(&self, shape: &ConvShape) -> u32 {
        match self.class {
            ClassName::Tiled => 1,
            _ => (self.pixel_tiles(shape) / MANY_GROUPS).clamp(1, MOST_TILES),
        }
    }

    /// forward, input gradient: how many samples are side by side in the order of results.
    fn block(&self, shape: &ConvShape) -> u32 {
        match self.class {
            ClassName::Tiled => 1,
            _ => order::block(self.op, shape, self.tile_n()),
        }
    }

    /// weight gradient: into how many parts of the samples and of the rows of dy the sum is split;
    /// `[1, 1]` in the other products. It depends on class and shape alone.
    ///
    /// With one part the kernel writes dw and db. With more it writes into what is bound as `dw`
    /// [`ConvKernel::part_floats`] floats for each part, and `layer/conv2d_parts` adds them up, first to
    /// last, into dw and db.
    #[must_use]
    pub fn parts(&self, shape: &ConvShape) -> [u32; 2] {
        if self.op != ConvOp::WeightGradient {
            return [1, 1];
        }
        let fours = shape.n.div_ceil(4);
        let row = 1 + shape.wo();
        let most_rows = (MAX_ITERATIONS / row).clamp(1, shape.ho());
        let most_fours = (MAX_ITERATIONS / (1 + most_rows * row)).max(1);
        let parts_n = fours.div_ceil(most_fours);
        let parts_y = shape.ho().div_ceil(most_rows);

        let rows = shape.weight_rows().div_ceil(self.tile_m);
        let tiles = rows * shape.co.div_ceil(self.tile_n());
        let few = match self.class {
            ClassName::Tiled => FEW_GROUPS_TILED,
            _ => FEW_GROUPS,
        };
        if shape.flops() < WORTH_PARTS || tiles >= few {
            return [parts_n, parts_y];
        }
        let most = (shape.n * shape.ho() * shape.wo()).div_ceil(SHORT_PART);
        let wanted = few.div_ceil(tiles).min(most);
        let parts_n = parts_n.max(wanted.min(fours));
        let more_y = wanted.div_ceil(parts_n).min(shape.ho());
        [parts_n, parts_y.max(more_y)]
    }

    /// weight gradient: floats from the start of one part of the sum to the start of the next: dw,
    /// then a row for db.
    #[must_use]
    pub fn part_floats(&self, shape: &ConvShape, stride: u32) -> u32 {
        (shape.weight_rows() + 1) * stride
    }

    /// The fields of the uniform `dims`.
    #[must_use]
    pub fn dims(&self, shape: &ConvShape, run: &ConvDispatch) -> Vec<(&'static str, u32)> {
        let texture = |operand, border: Border| match operand {
            Operand::Buffer => (0, 0),
            Operand::Texture => (border.left, border.top),
        };
        let (x, y) = match self.op {
            ConvOp::Forward => (texture(self.image, run.x), (0, 0)),
            ConvOp::InputGradient => (texture(self.gate, run.x), texture(self.image, run.dy)),
            ConvOp::WeightGradient => (texture(self.image, run.x), texture(self.other, run.dy)),
        };
        let [parts_n, parts_y] = self.parts(shape);
        vec![
            ("samples", shape.n),
            ("ci_quads", shape.ci_quads()),
            ("h", shape.h),
            ("w", shape.w),
            ("co", shape.co),
            ("co_quads", shape.co_quads()),
            ("ho", shape.ho()),
            ("wo", shape.wo()),
            ("kernel_y", shape.ky),
            ("kernel_x", shape.kx),
            ("stride_y", shape.sy),
            ("stride_x", shape.sx),
            ("padding_y", shape.py),
            ("padding_x", shape.px),
            ("ci", shape.ci),
            ("x_row", run.strides[0] / 4),
            ("y_row", run.strides[1] / 4),
            ("w_row", run.strides[2] / 4),
            ("x_left", x.0),
            ("x_top", x.1),
            ("y_left", y.0),
            ("y_top", y.1),
            ("block", self.block(shape)),
            ("tiles", self.tiles(shape)),
            ("parts_n", parts_n),
            ("parts_y", parts_y),
            ("part", self.part_floats(shape, run.strides[2]) / 4),
            ("flags", run.flags),
        ]
    }
}

/// weight gradient: workgroups below which the sum is split, where the operations are worth the
/// dispatch that adds the parts up, and terms of the sum below which a part is too short.
const FEW_GROUPS: u32 = 16;
const FEW_GROUPS_TILED: u32 = 256;
const SHORT_PART: u32 = 512;
const WORTH_PARTS: u64 = 10_000_000;

/// Workgroups from which on each takes more than one tile, at most [`MOST_TILES`].
const MANY_GROUPS: u32 = 100;
const MOST_TILES: u32 = 8;

#[cfg(test)]
mod tests;
