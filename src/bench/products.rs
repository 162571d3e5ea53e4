//! Matrix products, as training plans them.

use std::sync::Arc;

use super::{ProductFigure, median, seconds};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Builder, Matrix, Mode, plan};
use crate::product::{Product, matmul::Form};
use crate::rng::{Key, Stream, uniform};

/// Form, m, n and k of the products that are measured: large ones, and those of a training step of
/// 784-512-512-10 at batch 128 (thin ones).
pub const PRODUCTS: &[(Form, usize, usize, usize)] = &[
    (Form::Nt, 1024, 1024, 1024),
    (Form::Nn, 1024, 1024, 1024),
    (Form::Tn, 1024, 1024, 1024),
    (Form::Nt, 128, 512, 784),
    (Form::Nn, 128, 784, 512),
    (Form::Tn, 512, 784, 128),
    (Form::Nt, 128, 512, 512),
    (Form::Nn, 128, 512, 512),
    (Form::Tn, 512, 512, 128),
    (Form::Nt, 128, 10, 512),
];

/// Repetitions of one measurement, so that it takes milliseconds.
const FLOPS: usize = 400_000_000;

#[derive(Debug)]
pub(super) struct Bench {
    shape: (Form, usize, usize, usize),
    workshop: Workshop,
    program: Program,
    repeats: usize,
    rates: Vec<f64>,
    ratios: Vec<f64>,
}

impl Bench {
    pub(super) fn new(gpu: &Arc<Gpu>, shape: (Form, usize, usize, usize)) -> Result<Self> {
        let (form, m, n, k) = shape;
        let [a, b] = match form {
            Form::Nt => [(m, k), (n, k)],
            Form::Nn => [(m, k), (k, n)],
            Form::Tn => [(k, m), (k, n)],
        }
        .map(|(rows, cols)| Matrix::new(rows, cols));
        let c = Matrix::new(m, n);
        let mut builder = Builder::new(gpu.target(), Mode::Train, m);
        let [a, b, c] = [("a", a), ("b", b), ("c", c)].map(|(name, matrix)| {
            let value = builder.matrix(name, matrix);
            builder.keep(value, plan::Key::Kept(name));
            value
        });
        let product = Product::new(form, "product".into(), m, n)
            .sum_over(k)
            .a(a.bound(), a.matrix)
            .b(b.bound(), b.matrix)
            .c(c.bound(), c.matrix);
        builder.product(product)?;
        let mut workshop = Workshop::new(Arc::clone(gpu), 1);
        let program = workshop.realize(&builder.finish())?;
        for (name, matrix, stream) in [("a", a.matrix, 0), ("b", b.matrix, 1)] {
            workshop.write(
                &plan::Key::Kept(name),
                bytemuck::cast_slice(&made_up(matrix, stream)),
            )?;
        }
        workshop.run(&program, Phases::Step, 1)?;
        Ok(Self {
            shape,
            workshop,
            program,
            repeats: (FLOPS / (2 * m * n * k)).clamp(1, 50),
            rates: Vec::new(),
            ratios: Vec::new(),
        })
    }

    pub(super) fn measure(&mut self, multiply_add: f64) -> Result<()> {
        let (_, m, n, k) = self.shape;
        let time = seconds(|| self.workshop.run(&self.program, Phases::Step, self.repeats))?;
        let rate = (2 * m * n * k * self.repeats) as f64 / time / 1e9;
        self.rates.push(rate);
        self.ratios.push(rate / multiply_add);
        Ok(())
    }

    pub(super) fn figure(&self, class: &str) -> ProductFigure {
        let (form, m, n, k) = self.shape;
        ProductFigure {
            m,
            n,
            k,
            form: form.name().into(),
            kernel: class.into(),
            gflops: median(&self.rates),
            of_multiply_add: median(&self.ratios),
        }
    }
}

/// Numbers in [-1, 1) for a matrix, padding zero.
fn made_up(matrix: Matrix, stream: u64) -> Vec<f32> {
    let key = Key::new(0, Stream::Bench, stream);
    let value = |i: usize| 2.0 * uniform(key.words(i as u32, 0)[0]) - 1.0;
    let logical: Vec<f32> = (0..matrix.rows * matrix.cols).map(value).collect();
    matrix.store(&logical)
}
