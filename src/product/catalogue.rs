//! All kernels for those who want to read them: the shaders that are files, and the matrix products,
//! convolutions and attention as they are for an adapter with subgroups of eight.

use super::attention::{self, Part};
use super::conv::{self, ConvOp, ConvShape};
use super::matmul::{self, Form};
use crate::gpu::{Class, ClassName};
use crate::kernel::shaders::SHADERS;
use crate::kernel::source::{Composed, Shader};

/// A kernel of the catalogue.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// What it computes, in a line.
    pub summary: String,
    /// Its file, which is the end of the text.
    pub file: String,
    shader: Shader,
}

impl Kernel {
    /// The composed shader.
    #[must_use]
    pub fn composed(&self) -> Composed {
        self.shader.compose()
    }

    /// The composed WGSL.
    #[must_use]
    pub fn text(&self) -> String {
        self.composed().text
    }
}

/// Subgroup size of the products that are shown.
const LANES: u32 = 8;

/// All kernels; products of one class only where one is given.
#[must_use]
pub fn kernels(class: Option<ClassName>) -> Vec<Kernel> {
    let mut all: Vec<Kernel> = SHADERS
        .iter()
        .map(|entry| Kernel {
            name: entry.name.to_owned(),
            summary: entry.summary.to_owned(),
            file: format!("shaders/{}.wgsl", entry.name),
            shader: entry.shader(),
        })
        .collect();
    for name in ClassName::ALL {
        if class.is_none_or(|class| class == name) {
            all.extend(products(name));
            all.extend(convolutions(name));
            all.extend(attention(name));
        }
    }
    all
}

/// The class with the subgroups that are shown.
fn class(name: ClassName) -> Class {
    match name {
        ClassName::Tiled => Class::Tiled,
        ClassName::Lanes => Class::Lanes {
            lanes: LANES,
            subgroups: true,
        },
        ClassName::LanesPlain => Class::Lanes {
            lanes: LANES,
            subgroups: false,
        },
    }
}

fn convolutions(name: ClassName) -> Vec<Kernel> {
    let shape = |n| ConvShape {
        n,
        ci: 32,
        h: 16,
        w: 16,
        co: 32,
        ky: 5,
        kx: 5,
        sy: 1,
        sx: 1,
        py: 2,
        px: 2,
    };
    let mut convolutions: Vec<Kernel> = Vec::new();
    for op in ConvOp::ALL {
        // Many samples and one: where their kernels differ, both are shown.
        for samples in [128, 1] {
            let shape = shape(samples);
            let variant = conv::plan::variant(class(name), op, &shape);
            let what = match op {
                ConvOp::Forward => "y = x * w + b, relu on request",
                ConvOp::InputGradient => "the gradient of its input, gated by a relu on request",
                ConvOp::WeightGradient => "the gradient of its parameters",
            };
            let kernel = Kernel {
                name: format!("{}/{}", name.as_str(), variant.name()),
                summary: format!("convolution: {what}"),
                file: variant.file().to_owned(),
                shader: conv::plan::shader(&variant),
            };
            if !convolutions.iter().any(|other| other.name == kernel.name) {
                convolutions.push(kernel);
            }
        }
    }
    convolutions
}

/// Attention with heads of 32 numbers.
fn attention(name: ClassName) -> Vec<Kernel> {
    let kernel = |part: Part| {
        let class = class(name);
        let variant = attention::Variant::new(part, (name, class.lanes()), 32, false);
        let what = match part {
            Part::Forward => "o = softmax(q k^T) v",
            Part::Query => "the gradients of the queries",
            Part::Key => "the gradients of keys and values",
        };
        Kernel {
            name: format!("{}/{}", name.as_str(), variant.name()),
            summary: format!("attention: {what}"),
            file: variant.file().to_owned(),
            shader: attention::shader(&variant),
        }
    };
    Part::ALL.map(kernel).into()
}

fn products(name: ClassName) -> Vec<Kernel> {
    let class = class(name);
    let mut products: Vec<Kernel> = Vec::new();
    for form in Form::ALL {
        // A large product and a small one: where their kernels differ, both are shown.
        for size in [1024, 64] {
            let variant = matmul::plan::variant(class, form, size, size, size);
            let what = match form {
                Form::Nt => "x w^T + b, relu on request: a linear layer's forward pass",
                Form::Nn => "dy w, gated by a relu on request: the gradient of its input",
                Form::Tn => "dy^T x, and db: the gradient of its parameters",
            };
            let kernel = Kernel {
                name: format!("{}/{}", name.as_str(), variant.name()),
                summary: format!("matrix product {}: {what}", form.name()),
                file: variant.file().to_owned(),
                shader: matmul::plan::shader(&variant),
            };
            if !products.iter().any(|other| other.name == kernel.name) {
                products.push(kernel);
            }
        }
    }
    products
}
