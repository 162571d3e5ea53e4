//! Windows that slide over pictures: sizes written as a number or a pair, and the shape rule of
//! pooling.

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Invalid, Misfit};
use crate::kernel::{Call, Geometry, Value};
use crate::onnx::{Attribute, Place};

/// A size in rows and columns, written as one number for both or as `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair(pub usize, pub usize);

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == self.1 {
            return serializer.serialize_u64(self.0 as u64);
        }
        [self.0, self.1].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;
        impl<'de> Visitor<'de> for Sizes {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 up, or two of them: [rows, columns]")
            }

            fn visit_i64<E: serde::de::Error>(self, both: i64) -> Result<Pair, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Signed(both), &self);
                let both = usize::try_from(both).map_err(|_| wrong())?;
                Ok(Pair(both, both))
            }

            fn visit_u64<E: serde::de::Error>(self, both: u64) -> Result<Pair, E> {
                Ok(Pair(both as usize, both as usize))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pair, A::Error> {
                use serde::de::Error;
                let wrong = |n| A::Error::invalid_length(n, &"two numbers: [rows, columns]");
                let rows = list.next_element()?.ok_or_else(|| wrong(0))?;
                let columns = list.next_element()?.ok_or_else(|| wrong(1))?;
                match list.next_element::<usize>()? {
                    None => Ok(Pair(rows, columns)),
                    Some(_) => Err(wrong(3)),
                }
            }
        }
        deserializer.deserialize_any(Sizes)
    }
}

impl Pair {
    /// As an attribute of an ONNX node.
    pub(super) fn onnx(self) -> Attribute {
        Attribute::Ints(vec![self.0, self.1])
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 {
            return write!(f, "{}", self.0);
        }
        write!(f, "[{}, {}]", self.0, self.1)
    }
}

/// Most rows or columns of a window, a step or a border: far above any net's, far below overflow.
const LARGEST: usize = 4096;

/// The most outputs or channels of a layer. Products of several such sizes are checked in
/// `chain::output`.
pub(super) const WIDEST: usize = 1 << 20;

/// Refuses a size that is 0 (unless `zero`) or absurd.
pub(super) fn check(key: &'static str, pair: Pair, zero: bool) -> Result<(), Invalid> {
    let least = usize::from(!zero);
    if [pair.0, pair.1]
        .iter()
        .all(|n| (least..=LARGEST).contains(n))
    {
        return Ok(());
    }
    Err(Invalid {
        key,
        message: format!("is {pair}, but it lies between {least} and {LARGEST}"),
    })
}

/// Who owns what in the backward kernels of pooling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owners {
    /// The entry point.
    pub(super) entry: &'static str,
    /// Rows of pixels or of blocks, of all samples.
    pub(super) rows: usize,
    pub(super) invocations: usize,
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

    pub(super) fn output(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        let Some(g) = Geometry::of(input) else {
            return Err(not_pictures(input));
        };
        let rows = self.along(g.height, self.kernel.0, self.stride.0, self.padding.0);
        let columns = self.along(g.width, self.kernel.1, self.stride.1, self.padding.1);
        match (rows, columns) {
            (Some(rows), Some(columns)) if rows > 0 && columns > 0 => {
                Ok(vec![g.channels, rows, columns])
            }
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
    pub(super) fn onnx(&self, at: &Place<'_>) -> [(&'static str, Attribute); 3] {
        let end = |windows: usize, size: usize, kernel: usize, stride: usize, padding: usize| {
            ((windows - 1) * stride + kernel).saturating_sub(size + padding)
        };
        let (kernel, stride, padding) = (self.kernel, self.stride, self.padding);
        let bottom = end(at.output[1], at.input[1], kernel.0, stride.0, padding.0);
        let right = end(at.output[2], at.input[2], kernel.1, stride.1, padding.1);
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
        input: &[usize],
        output: &[usize],
        of: impl Fn(&[usize], usize) -> f64,
    ) -> Vec<f32> {
        let mut numbers = vec![0.0; output[1] * output[2]];
        let plane = [1, input[1], input[2]];
        self.each(1, &plane, output, |at, inside, covered| {
            numbers[at] = of(inside, covered) as f32;
        });
        numbers
    }

    /// What the invocations of a backward pass own of `dx`: a pixel each, or with strides of 2 a block
    /// of 2x2 that begins where a window may begin.
    pub(super) fn owners(&self, dx: Value) -> Owners {
        let rows = dx.matrix.rows;
        let Some(g) = dx.geometry.filter(|_| self.stride == Pair(2, 2)) else {
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
    pub(super) fn call(&self, call: Call, x: Value, y: Value) -> Call {
        let [x_size, y_size] = [x, y].map(|v| v.geometry.map_or([0, 0], |g| [g.height, g.width]));
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
    pub(super) fn span(
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
        rows: usize,
        input: &[usize],
        output: &[usize],
        mut each: impl FnMut(usize, &[usize], usize),
    ) {
        let (height, width) = (input[1], input[2]);
        for plane in 0..rows * input[0] {
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
}

/// The misfit of a layer that takes pictures.
pub(super) fn not_pictures(input: &[usize]) -> Misfit {
    Misfit {
        problem: format!(
            "takes samples of three dimensions [channels, height, width], but its input has the shape {input:?}"
        ),
        help: "put it in front of \"flatten\"".into(),
    }
}
