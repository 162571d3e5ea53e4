//! A matrix product as a layer asks for it, planned: variant, textures, parts of long sums.

use std::borrow::Cow;
use std::ops::Range;

use super::{Form, MatmulKernel, Operand, choose, flags};
use crate::error::Result;
use crate::gpu::Class;
use crate::kernel::matrix::{Matrix, Portion};
use crate::kernel::plan::{Bound, Key};
use crate::kernel::source::Shader;
use crate::kernel::{Builder, Call};

/// A product C = A B in one of the three forms, with what is fused.
#[derive(Debug, Clone)]
pub struct Product {
    form: Form,
    label: String,
    m: usize,
    n: usize,
    k: usize,
    a: Option<(Bound, Matrix)>,
    b: Option<(Bound, Matrix)>,
    c: Option<(Bound, Matrix)>,
    /// bias (nt), gate (nn) or db (tn), where there is one.
    extra: Option<Bound>,
    relu: bool,
    accumulate: bool,
}

impl Product {
    /// A product with `m` x `n` results.
    #[must_use]
    pub fn new(form: Form, label: String, m: usize, n: usize) -> Self {
        Self {
            form,
            label,
            m,
            n,
            k: 0,
            a: None,
            b: None,
            c: None,
            extra: None,
            relu: false,
            accumulate: false,
        }
    }

    /// Number of terms of each sum.
    #[must_use]
    pub fn sum_over(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// The first operand.
    #[must_use]
    pub fn a(mut self, bound: Bound, matrix: Matrix) -> Self {
        self.a = Some((bound, matrix));
        self
    }

    /// The second operand.
    #[must_use]
    pub fn b(mut self, bound: Bound, matrix: Matrix) -> Self {
        self.b = Some((bound, matrix));
        self
    }

    /// The result.
    #[must_use]
    pub fn c(mut self, bound: Bound, matrix: Matrix) -> Self {
        self.c = Some((bound, matrix));
        self
    }

    /// nt: a bias for each column of C.
    #[must_use]
    pub fn bias(mut self, bias: Option<Bound>) -> Self {
        self.extra = bias;
        self
    }

    /// nt: negative results become 0.
    #[must_use]
    pub fn relu(mut self, relu: bool) -> Self {
        self.relu = relu;
        self
    }

    /// nn: results become 0 where this matrix, laid out like C, is not positive.
    #[must_use]
    pub fn gate(mut self, gate: Option<Bound>) -> Self {
        self.extra = gate;
        self
    }

    /// tn: also the sums of A's columns.
    #[must_use]
    pub fn db(mut self, db: Option<Bound>) -> Self {
        self.extra = db;
        self
    }

    /// Adds to what the result holds.
    #[must_use]
    pub fn accumulate(mut self, accumulate: bool) -> Self {
        self.accumulate = accumulate;
        self
    }

    /// Name and flag of the binding that only this form has.
    fn extra_binding(&self) -> (&'static str, u32) {
        match self.form {
            Form::Nt => ("bias", flags::BIAS),
            Form::Nn => ("gate", flags::GATE),
            Form::Tn => ("db", flags::DB),
        }
    }

    /// The flags of the part of the sum that is the first, the last, both or neither.
    fn flags(&self, first: bool, last: bool) -> u32 {
        let (_, extra) = self.extra_binding();
        // db is a sum over k like C; bias, gate and relu belong to the whole sum.
        let with_extra = self.extra.is_some() && (last || self.form == Form::Tn);
        let mut bits = 0;
        if !first || self.accumulate {
            bits |= flags::ADD;
        }
        if with_extra {
            bits |= extra;
        }
        if self.relu && last {
            bits |= flags::RELU;
        }
        bits
    }

    /// The dispatch of the terms `sum` of the sum; `bound` and `matrices` are those of A, B, C and
    /// (bound alone) what is fused.
    fn call(
        &self,
        variant: &MatmulKernel,
        bound: [Bound; 4],
        matrices: [Matrix; 3],
        sum: Range<usize>,
    ) -> Call {
        let (m, n, k) = (self.m, self.n, sum.len());
        let mut call = Call::new(self.label.clone(), variant.grid(m as u32, n as u32));
        let names = ["a", "b", "c", self.extra_binding().0];
        for (name, bound) in names.into_iter().zip(bound) {
            call = call.bound(name, bound);
        }
        // Where a sum has parts, each goes on with the last one's.
        call = call.in_place("c").in_place("db");
        for (name, matrix) in ["a_stride", "b_stride", "c_stride"]
            .into_iter()
            .zip(matrices)
        {
            call = call.u32(name, matrix.stride / 4);
        }
        let flags = self.flags(sum.start == 0, sum.end == self.k);
        let touched: usize = matrices
            .iter()
            .map(|matrix| matrix.rows * matrix.cols)
            .sum();
        call.u32("m", m)
            .u32("n", n)
            .u32("k_begin", sum.start)
            .u32("k_end", sum.end)
            .u32("flags", flags as usize)
            .flops(m.saturating_mul(n).saturating_mul(k).saturating_mul(2))
            .work(format!("{} {m}x{n}x{k}", self.form.name()), 4 * touched)
    }
}

/// The shader of a variant.
#[must_use]
pub fn shader(variant: &MatmulKernel) -> Shader {
    Shader {
        name: Cow::Owned(variant.name()),
        summary: Cow::Borrowed("matrix product"),
        snippets: Vec::new(),
        text: Cow::Owned(variant.source()),
        skeleton: None,
    }
}

/// The variant of the product for a class and a shape.
#[must_use]
pub fn variant(class: Class, form: Form, m: usize, n: usize, k: usize) -> MatmulKernel {
    choose(
        class.name(),
        class.lanes(),
        form,
        m as u32,
        n as u32,
        k as u32,
    )
}

impl Product {
    /// The products of which this consists, where its operands do not fit into one binding: of some rows
    /// of A and C, in tn of some terms of the sum.
    fn portions(self, most: u64) -> Vec<Self> {
        let (Some(a), Some(b), Some(c)) = (self.a, self.b, self.c) else {
            return vec![self];
        };
        let (rows, other) = match self.form {
            Form::Nt | Form::Nn => (self.m, c),
            Form::Tn => (self.k, b),
        };
        let portions = Portion::all(rows, &[a.1.stride, other.1.stride], most);
        if portions.len() == 1 {
            return vec![self];
        }
        let part = |portion: &Portion| {
            let of = |(bound, matrix)| Some(portion.of(bound, matrix));
            let mut part = self.clone();
            part.a = of(a);
            if self.form == Form::Tn {
                part.k = portion.rows.len();
                part.b = of(b);
                part.accumulate |= portion.rows.start > 0;
                return part;
            }
            part.m = portion.rows.len();
            part.c = of(c);
            if self.form == Form::Nn {
                part.extra = self.extra.map(|gate| portion.of(gate, c.1).0);
            }
            part
        };
        portions.iter().map(part).collect()
    }
}

impl Builder {
    /// Appends a product, in portions where its operands do not fit into one binding.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub fn product(&mut self, product: Product) -> Result<()> {
        for portion in product.portions(self.max_binding_bytes()) {
            self.portion(&portion)?;
        }
        Ok(())
    }

    fn portion(&mut self, product: &Product) -> Result<()> {
        let (Some((a, a_matrix)), Some((b, b_matrix)), Some((c, c_matrix))) =
            (product.a, product.b, product.c)
        else {
            unreachable!("a product has two operands and a result");
        };
        let matrices = [a_matrix, b_matrix, c_matrix];
        let variant = self.fitting(product, matrices);
        let a = self.operand(variant.a, a, a_matrix);
        let b = self.operand(variant.b, b, b_matrix);
        let nothing = self.shared(Key::Nothing, 256);
        let extra = match (product.extra, variant.gate) {
            (Some(gate), Operand::Texture) => self.image(gate, c_matrix),
            // Something must be bound where the flag says that it is not read.
            (None, Operand::Texture) => a,
            (Some(extra), Operand::Buffer) => extra,
            (None, Operand::Buffer) => nothing,
        };
        let shader = shader(&variant);
        let parts = product.k.div_ceil(variant.max_k() as usize).max(1);
        // Equal parts, so that none is short; a multiple of 4, as the kernel wants.
        let part = product.k.div_ceil(parts).next_multiple_of(4);
        for begin in (0..product.k.max(1)).step_by(part.max(4)) {
            let sum = begin..(begin + part).min(product.k);
            let call = product.call(&variant, [a, b, c, extra], matrices, sum);
            self.dispatch(&shader, "main", call);
        }
        Ok(())
    }

    /// The variant for a product. A texture has two sides that the adapter may limit; then the
    /// buffer is read.
    fn fitting(&self, product: &Product, [a, b, c]: [Matrix; 3]) -> MatmulKernel {
        let fits =
            |matrix: Matrix| matrix.padded_rows().max(matrix.stride / 4) <= self.max_texture_side();
        let mut variant = variant(self.class(), product.form, product.m, product.n, product.k);
        if !fits(a) {
            variant.a = Operand::Buffer;
        }
        if !fits(b) {
            variant.b = Operand::Buffer;
        }
        if !fits(c) || variant.a == Operand::Buffer {
            variant.gate = Operand::Buffer;
        }
        variant
    }

    fn operand(&mut self, operand: Operand, bound: Bound, matrix: Matrix) -> Bound {
        match operand {
            Operand::Buffer => bound,
            Operand::Texture => self.image(bound, matrix),
        }
    }
}
