//! The parts of the class `tiled` that depend on direction and tile: a matrix product whose rows are
//! pixels (weight gradient: taps and channels of x), read from the image where they lie.

use super::{ConvKernel, ConvOp, text};
use crate::product::matmul::tiled::{INVOCATIONS, Side, TILE_K, multiply_add};
use std::fmt::Write;

/// The file around the generated parts of forward and input gradient.
const FILE: &str = include_str!("../../../shaders/tiled/conv2d.wgsl");

/// The file around the generated parts of the weight gradient.
const FILE_WEIGHT: &str = include_str!("../../../shaders/tiled/conv2d_weight.wgsl");

/// Results of an invocation: this many rows of four columns.
const ROWS: u32 = 4;

/// Results of a workgroup.
pub(super) const RESULTS: u32 = INVOCATIONS * ROWS * 4;

/// The two sides of the product: a has the rows of the tile, b its columns, of which four
/// neighbours belong to an invocation.
fn sides(v: &ConvKernel) -> [Side; 2] {
    let (rows, columns) = match v.op {
        ConvOp::WeightGradient => (v.tile_m, v.tile_n()),
        // The channels are columns, so that neighbouring invocations store neighbours.
        ConvOp::Forward | ConvOp::InputGradient => (v.tile_n(), v.tile_m),
    };
    [
        Side {
            name: 'a',
            size: rows,
            k_in_row: v.op != ConvOp::WeightGradient,
        },
        Side {
            name: 'b',
            size: columns,
            k_in_row: v.op == ConvOp::InputGradient,
        },
    ]
}

/// The whole text of a variant of class `tiled`.
pub(super) fn source(v: &ConvKernel) -> String {
    let [a, b] = sides(v);
    let mut out = format!(
        "const ROWS: u32 = {ROWS}u;
const TILE_A: u32 = {}u;
const TILE_B: u32 = {}u;
const TILE_K: u32 = {TILE_K}u;
{}",
        a.size,
        b.size,
        text::interface(v)
    );
    a.declare(&mut out);
    b.declare(&mut out);
    for row in 0..ROWS {
        let _ = writeln!(out, "var<private> c{row}: vec4<f32>;");
    }
    place(&mut out, v.op, &a);
    out.push_str("fn fetch(k: u32, k_end: u32, n0: u32, t: u32) {\n");
    match v.op {
        ConvOp::WeightGradient => {
            fetch_pixels(&mut out, &a);
            fetch_pixels(&mut out, &b);
        }
        ConvOp::Forward | ConvOp::InputGradient => fetch_taps(&mut out, v.op, &a, &b),
    }
    out.push_str("}\nfn keep(t: u32) {\n");
    a.keep(&mut out);
    b.keep(&mut out);
    out.push_str("}\n");
    multiply_add(&mut out, &a, &b, ROWS);
    if v.op == ConvOp::WeightGradient {
        column_sums(&mut out, &b);
    }
    store_tile(&mut out, v.op);
    out + match v.op {
        ConvOp::WeightGradient => FILE_WEIGHT,
        ConvOp::Forward | ConvOp::InputGradient => FILE,
    }
}

/// `t + 256 load`, and the condition for invocations that load at all.
fn share(side: &Side, load: u32) -> (String, String) {
    let id = format!("(t + {}u)", load * INVOCATIONS);
    match side.quads() < INVOCATIONS {
        true => (id, format!("t < {}u && ", side.quads())),
        false => (id, String::new()),
    }
}

/// The function that decodes what the invocation loads of a: for its pixels the quad x and row y
/// of the first tap and the sample z, in the weight gradient the same for its rows at pixel (0, 0).
fn place(out: &mut String, op: ConvOp, a: &Side) {
    for load in 0..a.loads() {
        let _ = writeln!(
            out,
            "var<private> x{load}: u32;\nvar<private> y{load}: u32;\nvar<private> z{load}: u32;"
        );
    }
    out.push_str("fn place(m0: u32, t: u32) {\n");
    for load in 0..a.loads() {
        let (id, _) = share(a, load);
        let _ = if op == ConvOp::WeightGradient {
            writeln!(
                out,
                "    let q{load} = m0 / 4u + {id} % {}u;
    let inner{load} = sizes.kernel_x * sizes.ci_quads;
    x{load} = q{load} % inner{load} - sizes.padding_x * sizes.ci_quads;
    y{load} = q{load} / inner{load} - sizes.padding_y;",
                a.size / 4
            )
        } else {
            writeln!(
                out,
                "    let p{load} = pixel_of(m0 + {id} / 4u);
    x{load} = u32(walk.x0 + i32(p{load}.x) * walk.step_x) * image_quads();
    y{load} = u32(walk.y0 + i32(p{load}.y) * walk.step_y);
    z{load} = p{load}.z;"
            )
        };
    }
    out.push_str("}\n");
}

/// forward, input gradient: loads the invocation's share of the step at k. Quad j of the sum is
/// quad j % run of the taps of row j / run.
fn fetch_taps(out: &mut String, op: ConvOp, a: &Side, b: &Side) {
    out.push_str(
        "    let j = k / 4u + t % 4u;
    let run = u32(walk.taps_x) * image_quads();
    let tap_row = j / run;
    let along = j - tap_row * run;
    let there = 4u * j < k_end;
",
    );
    for load in 0..a.loads() {
        let image = if op == ConvOp::Forward { "x" } else { "dy" };
        let _ = writeln!(
            out,
            "    next_a{load} = vec4<f32>(0.0);
    if (there) {{
        next_a{load} = load_{image}(x{load} + along, y{load} + tap_row, z{load});
    }}"
        );
    }
    if op == ConvOp::InputGradient {
        out.push_str(
            "    let tap = along / image_quads();
    let q = along - tap * image_quads();
    let row = walk.w0 + i32(tap_row) * walk.w_dy + i32(tap) * walk.w_dx;
",
        );
    }
    for load in 0..b.loads() {
        let (id, guard) = share(b, load);
        let _ = if op == ConvOp::Forward {
            writeln!(
                out,
                "    let k_b{load} = k + {id} / {}u;
    next_b{load} = vec4<f32>(0.0);
    if ({guard}k_b{load} < k_end) {{
        next_b{load} = load_w(n0 / 4u + {id} % {}u, k_b{load});
    }}",
                b.size / 4,
                b.size / 4
            )
        } else {
            writeln!(
                out,
                "    let column{load} = n0 + {id} / 4u;
    next_b{load} = vec4<f32>(0.0);
    if ({guard}there && column{load} < 4u * sizes.ci_quads) {{
        next_b{load} = load_w(q, u32(row) + column{load});
    }}"
            )
        };
    }
}

/// weight gradient: loads the invocation's share of one side of the step at k, a pixel of dy.
fn fetch_pixels(out: &mut String, side: &Side) {
    let name = side.name;
    for load in 0..side.loads() {
        let (id, guard) = share(side, load);
        let _ = writeln!(
            out,
            "    let k_{name}{load} = k + {id} / {}u;
    next_{name}{load} = vec4<f32>(0.0);
    if ({guard}k_{name}{load} < k_end) {{
        let p = pixel_of(k_{name}{load});",
            side.size / 4
        );
        let _ = match name {
            'a' => writeln!(
                out,
                "        let x = x{load} + p.x * sizes.stride_x * sizes.ci_quads;
        next_a{load} = load_x(x, y{load} + p.y * sizes.stride_y, p.z);
    }}"
            ),
            _ => writeln!(
                out,
                "        let q = n0 / 4u + {id} % {}u;
        if (q < sizes.co_quads) {{
            next_b{load} = load_dy(p.x * sizes.co_quads + q, p.y, p.z);
        }}
    }}",
                side.size / 4
            ),
        };
    }
}

/// weight gradient: the function that adds a step of dy to the sums of db.
fn column_sums(out: &mut String, b: &Side) {
    out.push_str("var<private> d: vec4<f32>;\nfn column_sums(tx: u32) {\n");
    for kq in 0..TILE_K / 4 {
        b.read(out, "tx", &format!("b{kq}"), kq);
        for i in 0..4 {
            let _ = writeln!(out, "    d += b{kq}_{i};");
        }
    }
    out.push_str("}\n");
}

/// The function that stores the tile and, in the weight gradient, db.
fn store_tile(out: &mut String, op: ConvOp) {
    if op == ConvOp::WeightGradient {
        out.push_str(
            "fn store_tile(m0: u32, n0: u32, part: u32, with_db: bool, ty: u32, tx: u32) {
    let quad = n0 / 4u + tx;
",
        );
        for row in 0..ROWS {
            let _ = writeln!(
                out,
                "    store(m0 + ty * ROWS + {row}u, quad, part, c{row});"
            );
        }
        out.push_str(
            "    if (with_db && ty == 0u) {\n        store_db(quad, part, d);\n    }\n}\n",
        );
        return;
    }
    out.push_str(
        "fn store_tile(m0: u32, n0: u32, ty: u32, tx: u32) {
    let quad = n0 / 4u + tx;
    if (quad >= result_quads()) {
        return;
    }
",
    );
    let rest = match op {
        ConvOp::Forward => {
            out.push_str("    let term = term_of(quad);\n");
            "term"
        }
        _ => "0u, 0u, 0u",
    };
    for row in 0..ROWS {
        let _ = writeln!(
            out,
            "    store(address_of(m0 + ty * ROWS + {row}u), quad, c{row}, {rest});"
        );
    }
    out.push_str("}\n");
}
