//! A convolution as a layer asks for it, planned: variants, textures, parts of long sums.

use std::borrow::Cow;

use super::{ConvDispatch, ConvKernel, ConvOp, ConvShape, Operand, Read, choose, flags};
use crate::error::Result;
use crate::gpu::Class;
use crate::kernel::builder::{Builder, Call, grid};
use crate::kernel::matrix::{Border, Geometry, Matrix, Parameter, Value};
use crate::kernel::plan::{Bound, Key};
use crate::kernel::shaders::named;
use crate::kernel::source::Shader;

/// Layers of a texture that every adapter offers.
const TEXTURE_LAYERS: u32 = 256;

/// A convolution at its place: its shape and its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Convolution {
    /// The shape, samples included.
    pub shape: ConvShape,
    /// The weights.
    pub weight: Parameter,
    /// The bias, where there is one.
    pub bias: Option<Parameter>,
}

impl Convolution {
    fn input(&self) -> Geometry {
        Geometry {
            channels: self.shape.ci as usize,
            height: self.shape.h as usize,
            width: self.shape.w as usize,
        }
    }

    fn output(&self) -> Geometry {
        Geometry {
            channels: self.shape.co as usize,
            height: self.shape.ho() as usize,
            width: self.shape.wo() as usize,
        }
    }

    /// The border that serves all readers of the binding `name` in textures.
    fn border(&self, variants: &[ConvKernel], name: &str) -> Border {
        let reads = variants.iter().flat_map(|v| v.reads(&self.shape));
        reads
            .filter(|read| read.name == name && read.operand == Operand::Texture)
            .fold(Border::default(), |border, read| border.union(read.border))
    }

    fn call(&self, variant: &ConvKernel, run: &ConvDispatch, label: String) -> Call {
        let s = &self.shape;
        let mut call = Call::new(label, variant.grid(s));
        for (name, value) in variant.dims(s, run) {
            call = call.u32(name, value as usize);
        }
        let (input, output) = (self.input().elements(), self.output().elements());
        let touched = s.n as usize * (input + output) + s.weight_rows() as usize * s.co as usize;
        call.flops(s.flops() as usize).work(
            format!("{}x{}x{}x{} -> {}", s.n, s.ci, s.h, s.w, s.co),
            4 * touched,
        )
    }
}

/// The variant of a convolution's product for a class and a shape.
#[must_use]
pub fn variant(class: Class, op: ConvOp, shape: &ConvShape) -> ConvKernel {
    choose(class.name(), class.lanes(), op, shape)
}

/// The shader of a variant.
#[must_use]
pub fn shader(variant: &ConvKernel) -> Shader {
    Shader {
        name: Cow::Owned(variant.name()),
        summary: Cow::Borrowed("convolution"),
        snippets: Vec::new(),
        text: Cow::Owned(variant.source()),
        skeleton: None,
    }
}

impl Builder {
    /// The variants of a training step's three products, so that they agree on borders.
    fn variants(&self, convolution: &Convolution) -> [ConvKernel; 3] {
        let side = self.max_texture_side() as u32;
        ConvOp::ALL.map(|op| {
            let variant = variant(self.class(), op, &convolution.shape);
            variant.limited(&convolution.shape, side, TEXTURE_LAYERS)
        })
    }

    /// Binds what a variant reads, from buffers or textures.
    fn reads(
        &mut self,
        mut call: Call,
        convolution: &Convolution,
        reads: &[Read],
        values: &[(&str, Value, Geometry, Border)],
    ) -> Call {
        for read in reads {
            let given = values.iter().find(|(name, ..)| *name == read.name);
            let bound = match (given, read.operand) {
                (Some((_, value, ..)), Operand::Buffer) => value.bound(),
                (Some((_, value, geometry, border)), Operand::Texture) => {
                    self.pictures(*value, geometry, *border)
                }
                (None, operand) => {
                    let weight = self.parameter(convolution.weight);
                    match operand {
                        Operand::Buffer => weight,
                        Operand::Texture => self.image(weight, convolution.weight.matrix),
                    }
                }
            };
            call = call.place(read.name, bound);
        }
        call
    }

    fn run(&self, c: &Convolution, x: Value, y: Value, flags: u32) -> ConvDispatch {
        let variants = self.variants(c);
        ConvDispatch {
            flags,
            strides: [x.matrix, y.matrix, c.weight.matrix].map(|matrix| matrix.stride as u32),
            x: c.border(&variants, "x"),
            dy: c.border(&variants, "dy"),
        }
    }

    /// Appends y = x * w + b, with `relu` its relu.
    pub fn convolve(&mut self, c: &Convolution, x: Value, y: Value, relu: bool) {
        let [variant, ..] = self.variants(c);
        let mut flags = 0;
        if c.bias.is_some() {
            flags |= flags::BIAS;
        }
        if relu {
            flags |= flags::RELU;
        }
        let run = self.run(c, x, y, flags);
        let bias = match c.bias {
            Some(bias) => self.parameter(bias),
            None => self.shared(Key::Nothing, 256),
        };
        let call = c
            .call(&variant, &run, self.label("forward"))
            .value("y", y)
            .in_place("y")
            .place("bias", bias);
        let values = [("x", x, c.input(), run.x)];
        let call = self.reads(call, c, &variant.reads(&c.shape), &values);
        self.dispatch(&shader(&variant), "main", call);
    }

    /// Appends the gradient by the input; with `gate` zero where the input x is not positive.
    pub fn convolve_input(&mut self, c: &Convolution, x: Value, dy: Value, dx: Value, gate: bool) {
        let [_, variant, _] = self.variants(c);
        let run = self.run(c, x, dy, if gate { flags::GATE } else { 0 });
        let call = c
            .call(&variant, &run, self.label("input gradient"))
            .value("dx", dx)
            .in_place("dx");
        let reads = variant.reads(&c.shape);
        // Something must be bound as the gate where the flag says that it is not read.
        let values = [
            ("dy", dy, c.output(), run.dy),
            ("gate", x, c.input(), run.x),
        ];
        let call = self.reads(call, c, &reads, &values);
        self.dispatch(&shader(&variant), "main", call);
    }

    /// Appends the gradients by the weights and the bias.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub fn convolve_weight(&mut self, c: &Convolution, x: Value, dy: Value) -> Result<()> {
        let [.., variant] = self.variants(c);
        let dw = self.gradient(c.weight);
        let db: Bound = match c.bias {
            Some(bias) => self.gradient(bias),
            None => self.shared(Key::Nothing, 256),
        };
        let run = self.run(c, x, dy, if c.bias.is_some() { flags::DB } else { 0 });
        let count = variant.parts(&c.shape).iter().product::<u32>() as usize;
        let parts = (count > 1).then(|| {
            let rows = c.shape.weight_rows() as usize + 1;
            self.matrix("parts", Matrix::new(count * rows, c.shape.co as usize))
        });
        let call = c
            .call(&variant, &run, self.label("weight gradient"))
            .place("dw", parts.map_or(dw, |parts| parts.bound()))
            .place("db", db)
            .in_place("dw")
            .in_place("db");
        let values = [("x", x, c.input(), run.x), ("dy", dy, c.output(), run.dy)];
        let call = self.reads(call, c, &variant.reads(&c.shape), &values);
        self.dispatch(&shader(&variant), "main", call);
        match parts {
            Some(parts) => self.sum_parts(c, parts, count, [dw, db]),
            None => Ok(()),
        }
    }

    /// Appends the sum of the parts of a weight gradient.
    fn sum_parts(
        &mut self,
        c: &Convolution,
        parts: Value,
        count: usize,
        [dw, db]: [Bound; 2],
    ) -> Result<()> {
        let rows = c.shape.weight_rows() as usize;
        let with_db = usize::from(c.bias.is_some());
        let quads = c.shape.co_quads() as usize;
        let row = c.weight.matrix.stride / 4;
        let call = Call::new(
            self.label("sum of parts"),
            grid((rows + with_db) * quads, 64)?,
        )
        .value("parts", parts)
        .place("dw", dw)
        .place("db", db)
        .in_place("dw")
        .in_place("db")
        .u32("rows", rows)
        .u32("quads", quads)
        .u32("row", row)
        .u32("part", (rows + 1) * row)
        .u32("count", count)
        .u32("with_db", with_db);
        self.dispatch(&named("layer/conv2d_parts"), "main", call);
        Ok(())
    }
}
