//! The WGSL that all classes share: bindings, and what happens to a finished value.

use super::{Op, Operand, Variant};
use std::fmt::Write;

/// The sizes and flags of a convolution.
const CONV2D: &str = include_str!("../../../shaders/shared/conv2d.wgsl");

/// What the two directions that gather walk through.
const WALK: &str = include_str!("../../../shaders/shared/conv2d_walk.wgsl");

/// The walk of the forward direction.
const WALK_FORWARD: &str = include_str!("../../../shaders/shared/conv2d_forward.wgsl");

/// The part of the sum that a tile of the weight gradient takes.
const BOUNDS: &str = include_str!("../../../shaders/shared/conv2d_bounds.wgsl");

/// The walk of the input gradient.
const WALK_INPUT: &str = include_str!("../../../shaders/shared/conv2d_input.wgsl");

/// forward: names of sizes, bias and relu.
const FINISH_FORWARD: &str = "
const JOIN_TAPS: bool = true;
fn image_quads() -> u32 { return dims.ci_quads; }
fn image_width() -> i32 { return i32(dims.w); }
fn image_height() -> i32 { return i32(dims.h); }
fn image_left() -> u32 { return dims.x_left; }
fn image_top() -> u32 { return dims.x_top; }
fn result_quads() -> u32 { return dims.co_quads; }
fn result_channels() -> u32 { return dims.co; }
fn result_rows() -> u32 { return dims.ho; }
fn result_row() -> u32 { return dims.y_row; }
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
fn term_of(quad: u32) -> vec4<f32> {
    var term = vec4<f32>(0.0);
    if ((sizes.flags & BIAS) != 0u) {
        term = bias[quad];
    }
    return term;
}
fn finish(value: vec4<f32>, term: vec4<f32>) -> vec4<f32> {
    let v = value + term;
    let negative = v < vec4<f32>(0.0);
    return select(v, vec4<f32>(0.0), negative & vec4<bool>((sizes.flags & RELU) != 0u));
}
";

/// forward: one quad of one pixel, at `at` quads from the start of y.
const STORE_FORWARD: &str = "
fn store(at: u32, quad: u32, value: vec4<f32>, term: vec4<f32>) {
    if (at != NOWHERE) {
        var v = value;
        if ((sizes.flags & ADD) != 0u) {
            v += y[at + quad];
        }
        y[at + quad] = inside(finish(v, term), quad, sizes.co);
    }
}
";

/// input gradient: the same in dx, gated.
const STORE_INPUT: &str = "
fn store(at: u32, quad: u32, value: vec4<f32>, gx: u32, gy: u32, n: u32) {
    if (at != NOWHERE) {
        var v = value;
        if ((sizes.flags & ADD) != 0u) {
            v += dx[at + quad];
        }
        if ((sizes.flags & GATE) != 0u) {
            v = select(v, vec4<f32>(0.0), load_gate(at + quad, gx + quad, gy, n) <= vec4<f32>(0.0));
        }
        dx[at + quad] = inside(v, quad, sizes.ci);
    }
}
";

/// input gradient: names of sizes, and the gate of relu'.
const FINISH_INPUT: &str = "
const JOIN_TAPS: bool = false;
fn image_quads() -> u32 { return dims.co_quads; }
fn image_width() -> i32 { return i32(dims.wo); }
fn image_height() -> i32 { return i32(dims.ho); }
fn image_left() -> u32 { return dims.y_left; }
fn image_top() -> u32 { return dims.y_top; }
fn result_quads() -> u32 { return dims.ci_quads; }
fn result_channels() -> u32 { return dims.ci; }
fn result_rows() -> u32 { return dims.h; }
fn result_row() -> u32 { return dims.x_row; }
";

/// weight gradient: one quad of one row of dw, and the sums of dy. Parts never add: what they give
/// is added up afterwards.
const STORE_WEIGHT: &str = "
@group(0) @binding(4) var<storage, read_write> db: array<vec4<f32>>;
fn weight_rows() -> u32 {
    return sizes.kernel_y * sizes.kernel_x * sizes.ci_quads * 4u;
}
fn store(row: u32, quad: u32, part: u32, value: vec4<f32>) {
    if (row < weight_rows() && quad < sizes.co_quads) {
        let at = part * sizes.part + row * sizes.w_row + quad;
        var v = value;
        if ((sizes.flags & ADD) != 0u) {
            v += dw[at];
        }
        dw[at] = inside(v, quad, sizes.co);
    }
}
fn store_db(quad: u32, part: u32, sum: vec4<f32>) {
    if (quad < sizes.co_quads) {
        var v = inside(sum, quad, sizes.co);
        if (sizes.parts_n * sizes.parts_y > 1u) {
            dw[part * sizes.part + weight_rows() * sizes.w_row + quad] = v;
        } else {
            if ((sizes.flags & ADD) != 0u) {
                v += db[quad];
            }
            db[quad] = v;
        }
    }
}
";

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
pub(super) fn interface(v: &Variant) -> String {
    let result = match v.op {
        Op::Forward => "y",
        Op::InputGradient => "dx",
        Op::WeightGradient => "dw",
    };
    let mut out = format!(
        "{CONV2D}
@group(0) @binding(0) var<uniform> dims: Dims;
// The uniform's copy in registers: a CPU loads a uniform anew, lane by lane, after each store.
var<private> sizes: Dims;
const NOWHERE: u32 = 0xffffffffu;
@group(0) @binding(3) var<storage, read_write> {result}: array<vec4<f32>>;
"
    );
    match v.op {
        Op::Forward => {
            out.push_str(&image("x", 'x', 1, v.image));
            out.push_str(&weights(v.other));
            out.push_str(FINISH_FORWARD);
            out.push_str(STORE_FORWARD);
            let _ = write!(out, "{WALK}var<private> walk: Walk;\n{WALK_FORWARD}");
        }
        Op::InputGradient => {
            out.push_str(&image("dy", 'y', 1, v.image));
            out.push_str(&weights(v.other));
            out.push_str(match v.gate {
                Operand::Buffer => GATE_BUFFER,
                Operand::Texture => GATE_TEXTURE,
            });
            out.push_str(FINISH_INPUT);
            out.push_str(STORE_INPUT);
            let _ = write!(out, "{WALK}var<private> walk: Walk;\n{WALK_INPUT}");
        }
        Op::WeightGradient => {
            out.push_str(&image("x", 'x', 1, v.image));
            out.push_str(&image("dy", 'y', 2, v.other));
            out.push_str(STORE_WEIGHT);
            out.push_str(BOUNDS);
        }
    }
    out
}
