//! The WGSL that all classes share: bindings, and what happens to a finished value in each form.

use super::{Form, MatmulKernel, Operand};

/// Sizes, flags, and how C is stored.
const MATMUL: &str = include_str!("../../../shaders/product/matmul.wgsl");

/// What happens to a finished value.
fn finish(form: Form) -> &'static str {
    match form {
        Form::Nt => include_str!("../../../shaders/product/matmul_nt.wgsl"),
        Form::Nn => include_str!("../../../shaders/product/matmul_nn.wgsl"),
        Form::Tn => include_str!("../../../shaders/product/matmul_tn.wgsl"),
    }
}

/// The declaration of operand `name` and the function `load_<name>(x, y)`: quad x of its row y.
fn operand(name: &str, stride: &str, binding: u32, operand: Operand) -> String {
    match operand {
        Operand::Buffer => format!(
            "@group(0) @binding({binding}) var<storage, read> {name}: array<vec4<f32>>;
fn load_{name}(x: u32, y: u32) -> vec4<f32> {{
    return {name}[y * sizes.{stride} + x];
}}
"
        ),
        Operand::Texture => format!(
            "@group(0) @binding({binding}) var {name}: texture_storage_2d<rgba32float, read>;
fn load_{name}(x: u32, y: u32) -> vec4<f32> {{
    return textureLoad({name}, vec2<u32>(x, y));
}}
"
        ),
    }
}

/// Bindings and the functions that load and store, for any class.
pub(super) fn interface(variant: &MatmulKernel) -> String {
    let gate = match variant.form {
        Form::Nn => operand("gate", "c_stride", 4, variant.gate),
        Form::Nt | Form::Tn => String::new(),
    };
    format!(
        "{MATMUL}\n{}{}{gate}\n{}\n",
        operand("a", "a_stride", 1, variant.a),
        operand("b", "b_stride", 2, variant.b),
        finish(variant.form),
    )
}
