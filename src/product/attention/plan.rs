//! Attention as a layer asks for it, planned.

use std::borrow::Cow;

use super::{Part, Variant, slices};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::source::{STEP, Shader, THREEFRY};
use crate::kernel::{Builder, Call, Matrix, Value};

/// Attention of the steps of a sequence to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Steps of a sample.
    pub steps: usize,
    /// Heads.
    pub heads: usize,
    /// Numbers of a head.
    pub head: usize,
    /// Whether a step sees itself and those before it alone.
    pub causal: bool,
    /// The probability that a weight drops.
    pub p: f64,
    /// The draw of the random words by which they drop.
    pub draw: usize,
}

/// The shader of a variant.
#[must_use]
pub fn shader(variant: &Variant) -> Shader {
    Shader {
        name: Cow::Owned(variant.name()),
        summary: Cow::Borrowed("attention"),
        snippets: match variant.drops {
            true => vec![&STEP, &THREEFRY],
            false => Vec::new(),
        },
        text: Cow::Owned(variant.source()),
        skeleton: None,
    }
}

impl Attention {
    /// A list of a number for each step, for each sample and head. Lists are never a multiple of 64
    /// floats apart, as the rows of activations are: so they share no slot with activations, whose
    /// padding they would fill.
    fn lists(&self, samples: usize) -> Matrix {
        let stride = self.steps.next_multiple_of(4);
        Matrix {
            rows: samples * self.heads,
            cols: self.steps,
            stride: stride + if stride.is_multiple_of(64) { 4 } else { 0 },
        }
    }

    /// Appends one of the kernels for `samples` samples; `what` binds its values.
    fn dispatch(
        &self,
        b: &mut Builder,
        part: Part,
        [qkv, o]: [Value; 2],
        what: impl FnOnce(Call) -> Call,
    ) -> Result<()> {
        let class = b.class();
        let kernel = (class.name(), class.lanes());
        let variant = Variant::new(part, kernel, self.head, self.p > 0.0);
        let (samples, slices) = (qkv.samples(), slices(self.head));
        let tiles = self.steps.div_ceil(variant.tile());
        let total = samples * self.heads * tiles * slices;
        let (label, products) = match part {
            Part::Forward => ("attention", 2),
            Part::Query => ("gradients by the queries", 3),
            Part::Key => ("gradients by keys and values", 4),
        };
        let pairs = self.steps
            * if self.causal {
                self.steps + 1
            } else {
                2 * self.steps
            }
            / 2;
        let terms = samples * self.heads * pairs * self.head;
        let rows = qkv.matrix.rows * self.heads * self.head;
        let shape = format!("{samples}x{}x{}x{}", self.heads, self.steps, self.head);
        let call = Call::new(b.label(label), grid(total, 1)?)
            .u32("steps", self.steps)
            .u32("heads", self.heads)
            .u32("head", self.head)
            .u32("width", self.heads * self.head)
            .u32("stride", qkv.matrix.stride)
            .u32("o_stride", o.matrix.stride)
            .u32("list_stride", self.lists(samples).stride / 4)
            .u32("tiles", tiles)
            .u32("slices", slices)
            .u32("total", total)
            .u32("causal", usize::from(self.causal))
            .f32("scale", 1.0 / (self.head as f64).sqrt())
            .f32("p", self.p)
            .f32("kept", 1.0 / (1.0 - self.p))
            .u32("draw", self.draw)
            .value("qkv", qkv);
        let call = what(call)
            .work(shape, 4 * (products + 2) * rows)
            .flops(2 * products * terms);
        b.dispatch(&shader(&variant), "main", call);
        Ok(())
    }

    /// Appends the attention of `qkv`, rows of all queries, keys and values, into `o`; gives the
    /// logarithms of the sums of its softmax.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub fn forward(&self, b: &mut Builder, qkv: Value, o: Value) -> Result<Value> {
        let l = b.matrix("logarithms of sums", self.lists(qkv.samples()));
        self.dispatch(b, Part::Forward, [qkv, o], |call| {
            call.value("o", o).value("l", l)
        })?;
        Ok(l)
    }

    /// Appends the gradient by `qkv` from the gradient `g` by `o`, with what the forward pass gave.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub fn backward(&self, b: &mut Builder, [qkv, o, l]: [Value; 3], g: Value) -> Result<Value> {
        let d = b.matrix("sums of g o", self.lists(qkv.samples()));
        let dqkv = b.like("dqkv", qkv);
        self.dispatch(b, Part::Query, [qkv, o], |call| {
            call.value("o", o)
                .value("g", g)
                .value("l", l)
                .value("d", d)
                .value("dqkv", dqkv)
        })?;
        self.dispatch(b, Part::Key, [qkv, o], |call| {
            call.value("g", g)
                .value("l", l)
                .value("d", d)
                .value("dqkv", dqkv)
        })?;
        Ok(dqkv)
    }
}
