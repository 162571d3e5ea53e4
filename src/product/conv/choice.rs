//! Which variant computes a convolution.

use super::{ConvKernel, ConvOp, ConvShape, Operand, lanes};
use crate::gpu::ClassName;

/// Sides of a texture that every adapter offers.
const TEXTURE_SIDE: u32 = 8192;

/// Layers of a texture that every adapter offers.
const TEXTURE_LAYERS: u32 = 256;

/// From this many operations on, operands are read from textures. From buffers a product takes 1.6
/// times as long; a copy into a texture takes 20 to 50 us, pass break included, and the three
/// products of a layer share three copies.
const WORTH_TEXTURES: u64 = 4_000_000;

/// Rows per tile that are worth a pipeline.
const TILES: [u32; 7] = [32, 28, 24, 20, 16, 8, 4];

/// The variant for a convolution of this shape on an adapter of this class with subgroups of
/// `lanes`.
#[must_use]
pub fn choose(class: ClassName, lanes: u32, op: ConvOp, shape: &ConvShape) -> ConvKernel {
    let buffers = ConvKernel {
        op,
        class,
        lanes,
        tile_m: 32,
        columns: 1,
        image: Operand::Buffer,
        other: Operand::Buffer,
        gate: Operand::Buffer,
        channels: 4,
    };
    if class == ClassName::Tiled {
        // 64 x 64 results, or 128 x 32 where there are no more channels than 32.
        let narrow = match op {
            ConvOp::Forward | ConvOp::WeightGradient => shape.co <= 32,
            ConvOp::InputGradient => shape.ci <= 32,
        };
        return ConvKernel {
            lanes: 256,
            tile_m: match (op, narrow) {
                (_, false) => 64,
                (ConvOp::WeightGradient, true) => 128,
                (ConvOp::Forward | ConvOp::InputGradient, true) => 32,
            },
            ..buffers
        };
    }
    let buffers = ConvKernel {
        channels: match op {
            ConvOp::Forward | ConvOp::WeightGradient => shape.ci.min(4),
            ConvOp::InputGradient => 4,
        },
        ..buffers
    };
    if shape.flops() < WORTH_TEXTURES {
        return buffers.tile_for(shape);
    }
    let textures = ConvKernel {
        image: Operand::Texture,
        other: Operand::Texture,
        gate: match op {
            ConvOp::InputGradient => Operand::Texture,
            ConvOp::Forward | ConvOp::WeightGradient => Operand::Buffer,
        },
        ..buffers
    };
    textures
        .tile_for(shape)
        .limited(shape, TEXTURE_SIDE, TEXTURE_LAYERS)
}

impl ConvKernel {
    /// The variant with the number of rows per tile that wastes least on rows that are not there:
    /// of those that are nearly as good the first, because each further tile is a pipeline.
    fn tile_for(self, shape: &ConvShape) -> Self {
        let rows = match self.op {
            ConvOp::Forward => 4 * shape.co_quads(),
            ConvOp::InputGradient => 4 * shape.ci_quads(),
            ConvOp::WeightGradient => shape.weight_rows(),
        };
        let variants = TILES.map(|tile_m| Self { tile_m, ..self });
        let cost = |v: &Self| u64::from(rows.div_ceil(v.tile_m)) * lanes::cost(v);
        let least = variants.iter().map(cost).min().unwrap_or(0);
        *variants
            .iter()
            .find(|v| 100 * cost(v) <= 106 * least)
            .unwrap_or(&self)
    }

    /// The variant with operands from buffers where their textures would be larger than `side` or
    /// have more layers than `layers`.
    #[must_use]
    pub fn limited(mut self, shape: &ConvShape, side: u32, layers: u32) -> Self {
        let x = (shape.w, shape.h, shape.ci_quads());
        let dy = (shape.wo(), shape.ho(), shape.co_quads());
        for read in self.reads(shape) {
            let fits = if read.name == "w" {
                shape.weight_rows() <= side && shape.co_quads() <= side / 2
            } else {
                let (columns, rows, quads) = if read.name == "dy" { dy } else { x };
                let border = read.border;
                read.layers <= layers
                    && (columns + border.left + border.right) * quads <= side
                    && rows + border.top + border.bottom <= side
            };
            if !fits {
                match (self.op, read.name) {
                    (_, "gate") => self.gate = Operand::Buffer,
                    (_, "w") | (ConvOp::WeightGradient, "dy") => self.other = Operand::Buffer,
                    _ => self.image = Operand::Buffer,
                }
            }
        }
        self
    }
}
