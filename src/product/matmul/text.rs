//! The WGSL that all classes share: bindings, and what happens to a finished value in each form.

use super::{Form, Operand, Variant};

/// The sizes and flags of a product.
const PRODUCT: &str = include_str!("../../../shaders/shared/product.wgsl");

/// nt: bias and relu.
const FINISH_NT: &str = "
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
fn column_term(quad: u32) -> vec4<f32> {
    var term = vec4<f32>(0.0);
    if ((sizes.flags & BIAS) != 0u) {
        term = bias[quad];
    }
    return term;
}
fn finish(value: vec4<f32>, row: u32, quad: u32, term: vec4<f32>) -> vec4<f32> {
    let v = value + term;
    let negative = v < vec4<f32>(0.0);
    return select(v, vec4<f32>(0.0), negative & vec4<bool>((sizes.flags & RELU) != 0u));
}
";

/// nn: the gate of relu'.
const FINISH_NN: &str = "
fn column_term(quad: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
fn finish(value: vec4<f32>, row: u32, quad: u32, term: vec4<f32>) -> vec4<f32> {
    var v = value;
    if ((sizes.flags & GATE) != 0u) {
        v = select(v, vec4<f32>(0.0), load_gate(quad, row) <= vec4<f32>(0.0));
    }
    return v;
}
";

/// tn: nothing for C, and the sums of the columns of A.
const FINISH_TN: &str = "
@group(0) @binding(4) var<storage, read_write> db: array<vec4<f32>>;
fn column_term(quad: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
fn finish(value: vec4<f32>, row: u32, quad: u32, term: vec4<f32>) -> vec4<f32> {
    return value;
}
fn store_db(quad: u32, sum: vec4<f32>) {
    if (4u * quad < sizes.m) {
        var v = sum;
        if ((sizes.flags & ADD) != 0u) {
            v += db[quad];
        }
        db[quad] = inside(v, quad, sizes.m);
    }
}
";

/// One quad of one row of C.
const STORE: &str = "
fn store(row: u32, quad: u32, value: vec4<f32>, term: vec4<f32>) {
    if (row < sizes.m && 4u * quad < sizes.n) {
        let at = row * sizes.c_stride + quad;
        var v = value;
        if ((sizes.flags & ADD) != 0u) {
            v += c[at];
        }
        c[at] = inside(finish(v, row, quad, term), quad, sizes.n);
    }
}
";

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
pub(super) fn interface(variant: &Variant) -> String {
    let finish = match variant.form {
        Form::Nt => FINISH_NT.to_owned(),
        Form::Nn => operand("gate", "c_stride", 4, variant.gate) + FINISH_NN,
        Form::Tn => FINISH_TN.to_owned(),
    };
    format!(
        "{PRODUCT}
@group(0) @binding(0) var<uniform> dims: Dims;
// The uniform's copy in registers: a CPU loads a uniform anew, lane by lane, after each store.
var<private> sizes: Dims;
{}{}@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;
{finish}{STORE}
",
        operand("a", "a_stride", 1, variant.a),
        operand("b", "b_stride", 2, variant.b),
    )
}
