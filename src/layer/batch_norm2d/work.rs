//! How the dispatches of batch normalisation share out the pixels of a batch.

use super::BatchNorm2d;
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::plan::Bound;
use crate::kernel::{Builder, Call, Geometry, Matrix, Mode, Value, shaders};
use crate::layer::Site;

/// Pixels of a block whose sums one invocation makes, at least: enough that the sums of blocks are
/// few beside the pixels, few enough that many invocations share the work.
const LEAST_SPAN: usize = 64;
/// Pixels of a block, at most: four in a loop iteration, of which some drivers silently leave out
/// what comes after 65,535.
const MOST_SPAN: usize = 200_000;
/// Blocks, at most, while they are not too long: what a workgroup joins in a short time.
const MOST_BLOCKS: usize = 4096;
/// Pixels of an invocation that works pixel by pixel; `RUN` in the shader.
const RUN: usize = 8;
/// Invocations of a workgroup in the shader.
pub(super) const GROUP: usize = 64;
const SHADER: &str = "layer/batch_norm2d";

/// Bits of the uniform's `flags`.
pub(super) mod flags {
    pub(in super::super) const WEIGHT: usize = 1;
    pub(in super::super) const BIAS: usize = 2;
    pub(in super::super) const RELU: usize = 4;
    pub(in super::super) const GATE: usize = 8;
}

/// How the pixels of a batch are shared out: by the shape alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Pixels of all samples of the plan.
    pixels: usize,
    /// Pixels of a block.
    span: usize,
    /// Number of blocks.
    pub(super) blocks: usize,
}

impl Shares {
    fn new(pixels: usize) -> Self {
        let span = pixels
            .div_ceil(MOST_BLOCKS)
            .clamp(LEAST_SPAN, MOST_SPAN)
            .next_multiple_of(8);
        Self {
            pixels,
            span,
            blocks: pixels.div_ceil(span),
        }
    }
}

/// Rows of `vec4s` groups of four floats for sums. They are never a multiple of 64 floats apart, as the
/// rows of activations are: so sums share no slot with activations, whose padding they would fill.
fn sums_layout(rows: usize, vec4s: usize) -> Matrix {
    let cols = 4 * vec4s;
    let stride = cols + if cols.is_multiple_of(64) { 4 } else { 0 };
    Matrix { rows, cols, stride }
}

/// The dispatches of a layer at one place.
pub(super) struct Work {
    pub(super) shares: Shares,
    geometry: Geometry,
    layout: Matrix,
    flags: usize,
    eps: f64,
    momentum: f64,
    /// Weight, where there is one.
    pub(super) weight: Option<Bound>,
    /// Bias, where there is one.
    pub(super) bias: Option<Bound>,
}

impl Work {
    /// Of a layer at its place, for the input `x`.
    pub(super) fn new(
        layer: &BatchNorm2d,
        b: &mut Builder,
        at: &Site<'_>,
        x: Value,
        flags: usize,
    ) -> Result<Self> {
        let Some(geometry) = Geometry::of(at.input()) else {
            return Err(at.defect("has no pictures as its input"));
        };
        let weight = match (layer.has_weight(), layer.trains_weight()) {
            (false, _) => None,
            (true, true) => Some(b.parameter(at.parameter("weight")?)),
            (true, false) => Some(at.state(b, "weight")?),
        };
        let bias = at.find("bias").map(|bias| b.parameter(bias));
        Ok(Self {
            shares: Shares::new(b.batch() * geometry.height * geometry.width),
            geometry,
            layout: x.matrix,
            flags: flags | weight.map_or(0, |_| flags::WEIGHT) | bias.map_or(0, |_| flags::BIAS),
            eps: layer.eps,
            momentum: match b.mode() {
                Mode::Statistics => 1.0,
                Mode::Train | Mode::Evaluate => layer.momentum,
            },
            weight,
            bias,
        })
    }

    /// A dispatch of `invocations` for each group of four channels.
    pub(super) fn call(&self, b: &Builder, what: &str, invocations: usize) -> Result<Call> {
        let geometry = &self.geometry;
        let quads = geometry.channel_quads();
        Ok(Call::new(b.label(what), grid(invocations * quads, GROUP)?)
            .u32("quads", quads)
            .u32("width", geometry.width)
            .u32("stride", self.layout.stride / 4)
            .u32("plane", geometry.height * geometry.width)
            .u32("pixels", self.shares.pixels)
            .u32("span", self.shares.span)
            .u32("blocks", self.shares.blocks)
            .u32("partials_stride", self.partials().stride / 4)
            .u32("flags", self.flags)
            .f32("eps", self.eps)
            .f32("momentum", self.momentum))
    }

    /// Appends a call that reads and writes `values` values of the layer's size, with `flops`
    /// operations for each element.
    pub(super) fn dispatch(
        &self,
        b: &mut Builder,
        entry: &str,
        call: Call,
        [values, flops]: [usize; 2],
    ) {
        let elements = self.layout.rows * self.layout.cols;
        let shape = format!("{}x{}", self.layout.rows, self.layout.cols);
        let call = call
            .work(shape, 4 * values * elements)
            .flops(flops * elements);
        b.dispatch(&shaders::named(SHADER), entry, call);
    }

    /// Invocations that go through all pixels.
    pub(super) fn runs(&self) -> usize {
        self.shares.pixels.div_ceil(RUN)
    }

    /// The layout of the sums of blocks: two for each channel.
    fn partials(&self) -> Matrix {
        sums_layout(self.shares.blocks, 2 * self.geometry.channel_quads())
    }

    /// A new value for the sums of blocks.
    pub(super) fn new_partials(&self, b: &mut Builder, name: &str) -> Value {
        b.matrix(name, self.partials())
    }

    /// A new value of `numbers` numbers for each channel.
    pub(super) fn new_list(&self, b: &mut Builder, name: &str, numbers: usize) -> Value {
        b.matrix(
            name,
            sums_layout(1, numbers * self.geometry.channel_quads()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invocation_comes_near_the_iterations_that_a_driver_counts() {
        for pixels in [1, 63, 64, 65, 12_345, 131_072, 1 << 20, 1 << 32, 1 << 36] {
            let shares = Shares::new(pixels);
            assert!(shares.blocks * shares.span >= pixels, "{shares:?}");
            assert!((shares.blocks - 1) * shares.span < pixels, "{shares:?}");
            // Four pixels at a time, then one by one; blocks 64 apart, then a tree.
            let block = shares.span / 4 + 7;
            let combine = shares.blocks.div_ceil(GROUP) + 6;
            let most = crate::kernel::builder::MAX_ITERATIONS as usize;
            assert!(block.max(combine).max(RUN) < most, "{shares:?}");
        }
    }

    #[test]
    fn sums_share_no_slot_with_activations() {
        for vec4s in [1, 2, 15, 16, 17, 32, 512] {
            let layout = sums_layout(3, vec4s);
            assert!(layout.stride >= 4 * vec4s && layout.stride.is_multiple_of(4));
            assert!(!layout.stride.is_multiple_of(64), "{layout:?}");
        }
    }

    #[test]
    fn the_shader_knows_the_same_constants() {
        let text = shaders::named(SHADER).text;
        for line in [
            format!("const RUN: u32 = {RUN}u;"),
            format!("const WEIGHT: u32 = {}u;", flags::WEIGHT),
            format!("const BIAS: u32 = {}u;", flags::BIAS),
            format!("const RELU: u32 = {}u;", flags::RELU),
            format!("const GATE: u32 = {}u;", flags::GATE),
            format!("@workgroup_size({GROUP})"),
        ] {
            assert!(text.contains(&line), "{line}");
        }
    }
}
