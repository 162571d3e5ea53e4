//! What the layers that pool share: their windows, shape rule and dispatches.

use super::window::{Pair, check, not_pictures, picture};
use super::{Back, Forward, Invalid, Misfit, Node, Site};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Geometry, Value, shaders};
use crate::onnx::Attribute;
use crate::shape::Shape;

/// Bits of the uniform's flags; a layer's own begin behind them.
const RELU: usize = 1;
const GATE: usize = 2;
/// Invocations of a workgroup in the shader.
const GROUP: usize = 64;

/// Who owns what in the backward kernels of pooling.
#[derive(Debug, Clone, Copy)]
struct Owners {
    /// The entry point.
    entry: &'static str,
    /// Rows of pixels or of blocks, of all samples.
    rows: usize,
    invocations: usize,
}

/// A pooling window, as PyTorch describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: Pair,
    pub(super) stride: Pair,
    pub(super) padding: Pair,
    pub(super) ceil: bool,
}

impl Window {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        check("kernel_size", self.kernel, false)?;
        check("stride", self.stride, false)?;
        check("padding", self.padding, true)?;
        if 2 * self.padding.0 > self.kernel.0 || 2 * self.padding.1 > self.kernel.1 {
            return Err(Invalid {
                key: "padding",
                message: format!(
                    "is {}, but it is at most half of kernel_size = {}: a window would lie outside",
                    self.padding, self.kernel
                ),
            });
        }
        Ok(())
    }

    /// Number of windows along one side (PyTorch's pooling_output_shape; with ceil mode the last
    /// window starts inside the picture or its left padding).
    fn along(&self, size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
        let room = (size + 2 * padding).checked_sub(kernel)?;
        let steps = if self.ceil {
            room.div_ceil(stride)
        } else {
            room / stride
        };
        let last_outside = self.ceil && steps * stride >= size + padding;
        Some(steps + 1 - usize::from(last_outside))
    }

    pub(super) fn output(&self, input: &Shape) -> Result<Shape, Misfit> {
        let Some(g) = Geometry::of(input) else {
            return Err(not_pictures(input));
        };
        let rows = self.along(g.height, self.kernel.0, self.stride.0, self.padding.0);
        let columns = self.along(g.width, self.kernel.1, self.stride.1, self.padding.1);
        match (rows, columns) {
            (Some(height), Some(width)) if height > 0 && width > 0 => Ok(Shape::Picture {
                channels: g.channels,
                height,
                width,
            }),
            _ => Err(Misfit {
                problem: format!(
                    "its window of {} is larger than the {}x{} map with padding {}: the pooled map would be empty",
                    self.kernel, g.height, g.width, self.padding
                ),
                help: "use a smaller kernel_size, or fewer layers that shrink the map".into(),
            }),
        }
    }

    /// The attributes of an ONNX pool. The padding at the end reaches as far as the last window does,
    /// so that rounding down gives the right number of windows.
    pub(super) fn onnx(&self, at: &Node) -> [(&'static str, Attribute); 3] {
        let end = |windows: usize, size: usize, kernel: usize, stride: usize, padding: usize| {
            ((windows - 1) * stride + kernel).saturating_sub(size + padding)
        };
        let (kernel, stride, padding) = (self.kernel, self.stride, self.padding);
        let [input, output] = [&at.input, &at.output()].map(picture);
        let bottom = end(output[1], input[1], kernel.0, stride.0, padding.0);
        let right = end(output[2], input[2], kernel.1, stride.1, padding.1);
        [
            ("kernel_shape", kernel.onnx()),
            ("strides", stride.onnx()),
            (
                "pads",
                Attribute::Ints(vec![padding.0, padding.1, bottom, right]),
            ),
        ]
    }

    /// A number for each window of one plane, from the values that it covers, and the number that it
    /// covers with padding.
    pub(super) fn of_plane(
        &self,
        input: &Shape,
        output: &Shape,
        of: impl Fn(&[usize], usize) -> f64,
    ) -> Vec<f32> {
        let mut numbers = vec![0.0; output.plane()];
        let [_, height, width] = picture(input);
        let plane = Shape::Picture {
            channels: 1,
            height,
            width,
        };
        self.each(1, &plane, output, |at, inside, covered| {
            numbers[at] = of(inside, covered) as f32;
        });
        numbers
    }

    /// What the invocations of a backward pass own of `dx`: a pixel each, or with strides of 2 a block
    /// of 2x2 that begins where a window may begin.
    fn owners(&self, dx: Value) -> Owners {
        let rows = dx.matrix.rows;
        let Some(g) = dx.geometry().filter(|_| self.stride == Pair(2, 2)) else {
            let invocations = rows * dx.matrix.quads();
            return Owners {
                entry: "backward",
                rows,
                invocations,
            };
        };
        let rows = rows / g.height * (g.height + self.padding.0).div_ceil(2);
        let blocks = rows * (g.width + self.padding.1).div_ceil(2);
        Owners {
            entry: "backward_blocks",
            rows,
            invocations: blocks * dx.channel_quads(),
        }
    }

    /// Sets the fields of the uniform that the pooling shaders share.
    fn call(&self, call: Call, x: Value, y: Value) -> Call {
        let [x_size, y_size] = [x, y].map(|v| v.geometry().map_or([0, 0], |g| [g.height, g.width]));
        call.u32("x_height", x_size[0])
            .u32("x_width", x_size[1])
            .u32("y_height", y_size[0])
            .u32("y_width", y_size[1])
            .u32("quads", x.channel_quads())
            .u32("x_stride", x.matrix.stride / 4)
            .u32("y_stride", y.matrix.stride / 4)
            .u32("kernel_y", self.kernel.0)
            .u32("kernel_x", self.kernel.1)
            .u32("stride_y", self.stride.0)
            .u32("stride_x", self.stride.1)
            .u32("pad_y", self.padding.0)
            .u32("pad_x", self.padding.1)
    }

    /// The rows (or columns) of the picture that window `i` covers, clipped to the picture, and the
    /// number that it covers with padding.
    fn span(
        i: usize,
        size: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> (std::ops::Range<usize>, usize) {
        let start = (i * stride) as isize - padding as isize;
        let end = (start + kernel as isize).min((size + padding) as isize);
        let covered = (end - start).max(0) as usize;
        let clip = |at: isize| at.clamp(0, size as isize) as usize;
        (clip(start)..clip(end), covered)
    }

    /// Calls `each` for every window of every plane: the index of its result, the indices of the
    /// values that it covers, and the number that it covers with padding.
    pub(super) fn each(
        &self,
        samples: usize,
        input: &Shape,
        output: &Shape,
        mut each: impl FnMut(usize, &[usize], usize),
    ) {
        let [channels, height, width] = picture(input);
        let output = picture(output);
        for plane in 0..samples * channels {
            for oy in 0..output[1] {
                let (ys, covered_y) =
                    Self::span(oy, height, self.kernel.0, self.stride.0, self.padding.0);
                for ox in 0..output[2] {
                    let (xs, covered_x) =
                        Self::span(ox, width, self.kernel.1, self.stride.1, self.padding.1);
                    let inside: Vec<usize> = ys
                        .clone()
                        .flat_map(|y| xs.clone().map(move |x| (plane * height + y) * width + x))
                        .collect();
                    let at = (plane * output[1] + oy) * output[2] + ox;
                    each(at, &inside, covered_y * covered_x);
                }
            }
        }
    }

    /// Appends the forward pass: with `taps`, where the shader keeps something of each window.
    pub(super) fn forward(
        &self,
        b: &mut Builder,
        at: &Site<'_>,
        x: Value,
        (shader, flags, taps): (&str, usize, bool),
    ) -> Result<Forward> {
        let y = b.shaped("y", at.output());
        let taps = taps.then(|| b.like("taps", y));
        let relu = if at.relu() { RELU } else { 0 };
        let invocations = y.matrix.rows * y.matrix.quads();
        let mut call = Call::new(b.label("forward"), grid(invocations, GROUP)?)
            .u32("rows", y.matrix.rows)
            .u32("flags", flags + relu)
            .value("x", x)
            .value("y", y);
        if let Some(taps) = taps {
            call = call.value("taps", taps);
        }
        b.dispatch(&shaders::named(shader), "forward", self.call(call, x, y));
        Ok(Forward {
            saved: taps.into_iter().collect(),
            ..Forward::from(y)
        })
    }

    /// Appends the backward pass.
    pub(super) fn backward(
        &self,
        b: &mut Builder,
        back: &Back<'_>,
        (shader, flags): (&str, usize),
    ) -> Result<Option<Value>> {
        if !back.wants_dx {
            return Ok(None);
        }
        let dx = b.like("dx", back.x);
        let gate = if back.gate { GATE } else { 0 };
        let owners = self.owners(dx);
        let mut call = Call::new(b.label("backward"), grid(owners.invocations, GROUP)?)
            .u32("rows", owners.rows)
            .u32("flags", flags + gate)
            .value("x", back.x)
            .value("dy", back.dy)
            .value("dx", dx);
        if let [taps] = back.saved {
            call = call.value("chosen", *taps);
        }
        let call = self.call(call, dx, back.dy);
        b.dispatch(&shaders::named(shader), owners.entry, call);
        Ok(Some(dx))
    }
}
