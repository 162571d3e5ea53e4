//! The shape of a convolution, how its images and weights lie, and the zeros around a texture.

use crate::kernel::matrix::Border;

/// A convolution of one group, without dilation, over `n` samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConvShape {
    /// Samples.
    pub n: u32,
    /// Input channels.
    pub ci: u32,
    /// Input rows.
    pub h: u32,
    /// Input columns.
    pub w: u32,
    /// Output channels.
    pub co: u32,
    /// Kernel rows.
    pub ky: u32,
    /// Kernel columns.
    pub kx: u32,
    /// Stride between output rows.
    pub sy: u32,
    /// Stride between output columns.
    pub sx: u32,
    /// Zero rows above and below the input.
    pub py: u32,
    /// Zero columns left and right of the input.
    pub px: u32,
}

impl ConvShape {
    /// Output rows; the kernel fits into the padded input.
    #[must_use]
    pub fn ho(&self) -> u32 {
        (self.h + 2 * self.py - self.ky) / self.sy + 1
    }

    /// Output columns.
    #[must_use]
    pub fn wo(&self) -> u32 {
        (self.w + 2 * self.px - self.kx) / self.sx + 1
    }

    /// Quads (four channels) of an input pixel.
    #[must_use]
    pub fn ci_quads(&self) -> u32 {
        self.ci.div_ceil(4)
    }

    /// Quads of an output pixel.
    #[must_use]
    pub fn co_quads(&self) -> u32 {
        self.co.div_ceil(4)
    }

    /// Rows of the stored weights: `(ky * self.kx + kx) * 4 * ci_quads + ci`.
    #[must_use]
    pub fn weight_rows(&self) -> u32 {
        self.ky * self.kx * 4 * self.ci_quads()
    }

    /// The row of the stored weights for input channel `ci` at tap (`ky`, `kx`).
    #[must_use]
    pub fn weight_row(&self, ky: u32, kx: u32, ci: u32) -> u32 {
        (ky * self.kx + kx) * 4 * self.ci_quads() + ci
    }

    /// Results that are computed with other taps: for each residue of the strides, in the input
    /// gradient.
    pub(super) fn phases(&self, op: super::ConvOp) -> u32 {
        match op {
            super::ConvOp::InputGradient => self.sy * self.sx,
            super::ConvOp::Forward | super::ConvOp::WeightGradient => 1,
        }
    }

    /// Useful floating-point operations of each of the three products.
    #[must_use]
    pub fn flops(&self) -> u64 {
        let pixels = u64::from(self.n) * u64::from(self.ho()) * u64::from(self.wo());
        let taps = u64::from(self.ky) * u64::from(self.kx);
        let each = 2 * taps * u64::from(self.ci);
        pixels.saturating_mul(each.saturating_mul(u64::from(self.co)))
    }

    /// The zeros that x needs around it to be read at all taps of all outputs.
    pub(super) fn input_border(&self) -> Border {
        let beyond = |outputs: u32, stride: u32, kernel: u32, padding: u32, size: u32| {
            ((outputs - 1) * stride + kernel).saturating_sub(padding + size)
        };
        Border {
            left: self.px,
            right: beyond(self.wo(), self.sx, self.kx, self.px, self.w),
            top: self.py,
            bottom: beyond(self.ho(), self.sy, self.ky, self.py, self.h),
        }
    }

    /// The zeros that dy needs around it for the gradient of x.
    pub(super) fn output_border(&self) -> Border {
        // Pixel i of x was read by outputs (i + padding - tap) / stride.
        let before =
            |kernel: u32, padding: u32, stride: u32| (kernel - 1).saturating_sub(padding) / stride;
        let after = |size: u32, padding: u32, stride: u32, outputs: u32| {
            ((size - 1 + padding) / stride).saturating_sub(outputs - 1)
        };
        Border {
            left: before(self.kx, self.px, self.sx),
            right: after(self.w, self.px, self.sx, self.wo()),
            top: before(self.ky, self.py, self.sy),
            bottom: after(self.h, self.py, self.sy, self.ho()),
        }
    }
}
