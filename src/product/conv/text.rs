//! The WGSL that all classes share: bindings, and what happens to a finished value.

use super::{ConvKernel, ConvOp, Operand};

/// Sizes and flags.
const CONV2D: &str = include_str!("../../../shaders/product/conv2d.wgsl");

/// What the two directions that gather walk through.
const WALK: &str = include_str!("../../../shaders/product/conv2d_walk.wgsl");

/// Each direction's own: how results are stored, and the walk, or which part of the sum a tile takes.
const FORWARD: &str = include_str!("../../../shaders/product/conv2d_forward.wgsl");
const INPUT: &str = include_str!("../../../shaders/product/conv2d_input.wgsl");
const WEIGHT: &str = include_str!("../../../shaders/product/conv2d_weight.wgsl");

/// The declaration of image `name` and `load_<name>(quad, row, n)`: of sample n. In a
/// buffer what lies outside is zero; `side` is `x` or `y`, whose sizes it has.
fn image(name: &str, side: char, binding: u32, operand: Operand) -> String {
    let (quads, columns, rows) = match side {
        'x' => ("ci_quads", "w", "h"),
        _ => ("co_quads", "wo", "ho"),
    };
    match operand {
        Operand::Buffer => format!(
            "@group(0) @binding({binding}) var<storage, read> {name}: array<vec4<f32>>;
fn load_{name}(quad: u32, row: u32, n: u32) -> vec4<f32> {{
    let ok = quad < sizes.{columns} * sizes.{quads} && row < sizes.{rows} && n < sizes.samples;
    let at = select(0u, (n * sizes.{rows} + row) * sizes.{side}_row + quad, ok);
    return select(vec4<f32>(0.0), {name}[at], ok);
}}
"
        ),
        Operand::Texture => format!(
            "@group(0) @binding({binding}) var {name}: texture_storage_2d_array<rgba32float, read>;
fn load_{name}(quad: u32, row: u32, n: u32) -> vec4<f32> {{
    return textureLoad({name}, vec2<u32>(quad, row), n);
}}
"
        ),
    }
}

/// input gradient: the gate at the address of the result.
const GATE_BUFFER: &str = "
@group(0) @binding(4) var<storage, read> gate: array<vec4<f32>>;
fn load_gate(at: u32, quad: u32, row: u32, n: u32) -> vec4<f32> {
    return gate[at];
}
";

/// input gradient: the gate at the place of the pixel.
const GATE_TEXTURE: &str = "
@group(0) @binding(4) var gate: texture_storage_2d_array<rgba32float, read>;
fn load_gate(at: u32, quad: u32, row: u32, n: u32) -> vec4<f32> {
    return textureLoad(gate, vec2<u32>(quad, row), n);
}
";

/// The declaration of w and `load_w(quad, row)`.
fn weights(operand: Operand) -> String {
    match operand {
        Operand::Buffer => "@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
fn load_w(quad: u32, row: u32) -> vec4<f32> {
    return w[row * sizes.w_row + quad];
}
"
        .into(),
        Operand::Texture => "@group(0) @binding(2) var w: texture_storage_2d<rgba32float, read>;
fn load_w(quad: u32, row: u32) -> vec4<f32> {
    return textureLoad(w, vec2<u32>(quad, row));
}
"
        .into(),
    }
}

/// Bindings and the functions that load and store, for any class.
pub(super) fn interface(v: &ConvKernel) -> String {
    match v.op {
        ConvOp::Forward => {
            let (x, w) = (image("x", 'x', 1, v.image), weights(v.other));
            format!("{CONV2D}\n{x}{w}\n{WALK}\n{FORWARD}\n")
        }
        ConvOp::InputGradient => {
            let (dy, w) = (image("dy", 'y', 1, v.image), weights(v.other));
            let gate = match v.gate {
                Operand::Buffer => GATE_BUFFER,
                Operand::Texture => GATE_TEXTURE,
            };
            format!("{CONV2D}\n{dy}{w}{gate}\n{WALK}\n{INPUT}\n")
        }
        ConvOp::WeightGradient => {
            let (x, dy) = (image("x", 'x', 1, v.image), image("dy", 'y', 2, v.other));
            format!("{CONV2D}\n{x}{dy}\n{WEIGHT}\n")
        }
    }
}
