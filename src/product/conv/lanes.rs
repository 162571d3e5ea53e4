//! The register block of the classes `lanes` and `lanes-plain`: too long to write by hand for each
//! direction and tile, too straight for loops (an array of accumulators would live in memory).

use super::{ClassName, ConvKernel, ConvOp, Operand, text};
use crate::product::class::largest_divisor;
use std::fmt::Write;

/// The file around the register block of forward and input gradient.
const FILE: &str = include_str!("../../../shaders/lanes/conv2d.wgsl");

/// The file around the register block of the weight gradient.
const FILE_WEIGHT: &str = include_str!("../../../shaders/lanes/conv2d_weight.wgsl");

/// The components of a vec4.
const XYZW: [char; 4] = ['x', 'y', 'z', 'w'];

/// The whole text of a variant of class `lanes` or `lanes-plain`.
pub(super) fn source(v: &ConvKernel) -> String {
    let block = Block::new(v);
    let mut out = format!("const LANES: u32 = {}u;\n", v.lanes);
    let _ = writeln!(out, "const TILE_M: u32 = {}u;", v.tile_m);
    let _ = writeln!(
        out,
        "const {}: u32 = {}u;",
        match v.op {
            ConvOp::WeightGradient => "TILE_N",
            _ => "PIXELS",
        },
        v.tile_n()
    );
    out.push_str(&text::interface(v));
    block.accumulators(&mut out);
    match v.op {
        ConvOp::WeightGradient => {
            block.place_rows(&mut out);
            block.multiply_add_weight(&mut out);
            block.store_weight(&mut out);
            out + FILE_WEIGHT
        }
        ConvOp::Forward | ConvOp::InputGradient => {
            block.place_pixels(&mut out);
            block.reset(&mut out);
            block.multiply_add_gather(&mut out);
            block.store_gather(&mut out);
            out + FILE
        }
    }
}

/// What one loop iteration costs a core, about, in tenths of a ns on lavapipe 22 with eight lanes:
/// 43 for each load, 39 for four terms of four results.
pub(super) fn cost(v: &ConvKernel) -> u64 {
    let block = Block::new(v);
    let rows = match v.op {
        ConvOp::InputGradient => v.tile_m.div_ceil(block.rows),
        ConvOp::Forward | ConvOp::WeightGradient => block.loads() * block.terms / block.depth,
    };
    u64::from(43 * (4 * v.columns + rows) + 39 * v.tile_m * v.columns * v.channels / 4)
}

/// How one loop iteration shares loads among the lanes.
struct Block<'v> {
    v: &'v ConvKernel,
    /// Whether lanes hand values to each other.
    shared: bool,
    /// input gradient: rows of w that one load brings.
    rows: u32,
    /// forward, weight gradient: quads of rows of the tile that one load brings, ...
    quads: u32,
    /// ... each for this many terms of the sum.
    depth: u32,
    /// Terms of the sum in one iteration.
    terms: u32,
}

impl<'v> Block<'v> {
    fn new(v: &'v ConvKernel) -> Self {
        let shared = v.class == ClassName::Lanes;
        let quads = if shared { v.lanes.min(v.tile_m / 4) } else { 1 };
        let quads = largest_divisor(v.tile_m / 4, quads);
        let terms = match v.op {
            ConvOp::Forward => v.channels,
            ConvOp::InputGradient | ConvOp::WeightGradient => 4,
        };
        Self {
            v,
            shared,
            rows: if shared { v.lanes } else { 1 },
            quads,
            depth: largest_divisor(terms, if shared { v.lanes / quads } else { 1 }),
            terms,
        }
    }

    /// Loads along the rows of the tile, for quads.
    fn loads(&self) -> u32 {
        self.v.tile_m / 4 / self.quads
    }

    /// `subgroupBroadcast(value, lane)` where lanes share.
    fn broadcast(&self, value: &str, lane: u32) -> String {
        if self.shared {
            format!("subgroupBroadcast({value}, {lane}u)")
        } else {
            value.to_owned()
        }
    }

    /// Declarations: accumulators `c<row>_<j>`, and what `place` finds out.
    fn accumulators(&self, out: &mut String) {
        let v = self.v;
        for row in 0..v.tile_m {
            for j in 0..v.columns {
                let _ = writeln!(out, "var<private> c{row}_{j}: vec4<f32>;");
            }
        }
        if v.op == ConvOp::WeightGradient {
            for j in 0..v.columns {
                let _ = writeln!(out, "var<private> d{j}: vec4<f32>;");
            }
            for h in 0..self.loads() {
                let _ = writeln!(out, "var<private> x{h}: u32;\nvar<private> y{h}: u32;");
            }
            return;
        }
        for i in 0..4 * v.columns {
            for name in self.pixel_names() {
                let _ = writeln!(out, "var<private> {name}{i}: u32;");
            }
        }
    }

    /// forward, input gradient: the function that sets the accumulators to zero.
    fn reset(&self, out: &mut String) {
        out.push_str("fn reset() {\n");
        for row in 0..self.v.tile_m {
            for j in 0..self.v.columns {
                let _ = writeln!(out, "    c{row}_{j} = vec4<f32>(0.0);");
            }
        }
        out.push_str("}\n");
    }

    /// What a lane knows of each of its pixels: texel x and row y of its first tap, sample n,
    /// address o of the result, and in the input gradient the gate's place.
    fn pixel_names(&self) -> &'static [&'static str] {
        if self.v.op == ConvOp::InputGradient && self.v.gate == Operand::Texture {
            &["x", "y", "n", "o", "gx", "gy"]
        } else {
            &["x", "y", "n", "o"]
        }
    }

    /// forward, input gradient: the function that decodes the lane's pixels, from the first sample
    /// of the tile's first block, the position of its first result and how many samples come before
    /// it there. Quotients of small numbers by floats are exact: a quotient plus half a unit is
    /// nowhere near a whole number, as floats of 24 bits see it.
    fn place_pixels(&self, out: &mut String) {
        out.push_str(
            "fn place(n: u32, row: u32, column: u32, skip: u32, lane: u32) {
    let per_block = 1.0 / f32(sizes.block);
    let per_column = 1.0 / f32(walk.cols);
    let per_row = 1.0 / f32(walk.rows);
    let row0 = image_top() + u32(walk.y0);
    let column0 = image_left() + u32(walk.x0);
",
        );
        for i in 0..4 * self.v.columns {
            let _ = writeln!(
                out,
                "    let s{i} = skip + {}u + lane;
    let p{i} = u32(i32((f32(i32(s{i})) + 0.5) * per_block));
    let q{i} = column + p{i};
    let d{i} = u32(i32((f32(i32(q{i})) + 0.5) * per_column));
    let r{i} = row + d{i};
    let e{i} = u32(i32((f32(i32(r{i})) + 0.5) * per_row));
    let a{i} = r{i} - e{i} * u32(walk.rows);
    let b{i} = q{i} - d{i} * u32(walk.cols);
    n{i} = n + s{i} + (e{i} - p{i}) * sizes.block;
    x{i} = (column0 + b{i} * u32(walk.step_x)) * image_quads();
    y{i} = row0 + a{i} * u32(walk.step_y);
    let u{i} = walk.out_y + a{i} * walk.out_step_y;
    let v{i} = walk.out_x + b{i} * walk.out_step_x;
    let o_{i} = (n{i} * result_rows() + u{i}) * result_row() + v{i} * result_quads();
    o{i} = select(NOWHERE, o_{i}, n{i} < sizes.samples);",
                self.v.lanes * i,
            );
            if self.pixel_names().contains(&"gx") {
                let _ = writeln!(
                    out,
                    "    gx{i} = (sizes.x_left + v{i}) * result_quads();
    gy{i} = sizes.x_top + u{i};"
                );
            }
        }
        out.push_str("}\n");
    }

    /// forward, input gradient: the function that adds four terms (or as many as x has channels) to
    /// every accumulator.
    fn multiply_add_gather(&self, out: &mut String) {
        let image = match self.v.op {
            ConvOp::Forward => "load_x",
            _ => "load_dy",
        };
        out.push_str(
            "fn multiply_add(right: u32, down: u32, row: u32, q: u32, m0: u32, lane: u32) {\n",
        );
        for j in 0..self.v.columns {
            for e in 0..4 {
                let i = 4 * j + e;
                let _ = writeln!(
                    out,
                    "    let t{i} = {image}(x{i} + right, y{i} + down, n{i});"
                );
            }
            for (k, x) in XYZW.iter().enumerate().take(self.terms as usize) {
                let [t0, t1, t2, t3] = [0, 1, 2, 3].map(|e| format!("t{}.{x}", 4 * j + e));
                let _ = writeln!(out, "    let b{j}_{k} = vec4<f32>({t0}, {t1}, {t2}, {t3});");
            }
        }
        // All loads stand in front of the sums, where a CPU hides their latency best.
        match self.v.op {
            ConvOp::Forward => {
                for h in 0..self.loads() {
                    for part in 0..self.terms / self.depth {
                        let _ = writeln!(
                            out,
                            "    let a{h}_{part} = load_w(m0 / 4u + {}u + lane % {}u, row + 4u * q + {}u + lane / {}u % {}u);",
                            h * self.quads,
                            self.quads,
                            part * self.depth,
                            self.quads,
                            self.depth
                        );
                    }
                }
                self.all_quads(out);
            }
            _ => self.rows_of_weights(out),
        }
        out.push_str("}\n");
    }

    /// input gradient: a texel of w is four output channels of one row.
    fn rows_of_weights(&self, out: &mut String) {
        let r = self.rows;
        let load = |out: &mut String, h: u32| {
            let own = if self.shared { " + lane" } else { "" };
            let _ = writeln!(out, "    let a{h} = load_w(q, row + m0 + {}u{own});", h * r);
        };
        if self.shared {
            (0..self.v.tile_m.div_ceil(r)).for_each(|h| load(out, h));
        }
        for row in 0..self.v.tile_m {
            if !self.shared {
                // A load for each row: in front they would occupy too many registers.
                load(out, row);
            }
            let value = self.broadcast(&format!("a{}", row / r), row % r);
            let _ = writeln!(out, "    let s{row} = {value};");
            for j in 0..self.v.columns {
                for (k, x) in XYZW.iter().enumerate() {
                    let _ = writeln!(out, "    c{row}_{j} += s{row}.{x} * b{j}_{k};");
                }
            }
        }
    }

    /// The rows of all quads of the tile, for the terms of the sum.
    fn all_quads(&self, out: &mut String) {
        for h in 0..self.loads() {
            for quad in 0..self.quads {
                self.one_quad(out, h, quad);
            }
        }
    }

    /// The four rows of one quad that load h brought, for the terms of the sum. The rows of dw for
    /// channels that x does not have stay zero.
    fn one_quad(&self, out: &mut String, h: u32, quad: u32) {
        let id = h * self.quads + quad;
        let rows = match self.v.op {
            ConvOp::WeightGradient => self.v.channels as usize,
            ConvOp::Forward | ConvOp::InputGradient => 4,
        };
        for i in 0..self.terms {
            let load = format!("a{h}_{}", i / self.depth);
            let value = self.broadcast(&load, (i % self.depth) * self.quads + quad);
            let _ = writeln!(out, "    let s{id}_{i} = {value};");
        }
        for (e, x) in XYZW.iter().enumerate().take(rows) {
            for j in 0..self.v.columns {
                for i in 0..self.terms {
                    let row = 4 * id as usize + e;
                    let _ = writeln!(out, "    c{row}_{j} += s{id}_{i}.{x} * b{j}_{i};");
                }
            }
        }
    }

    /// Moves the accumulators of all rows up by four.
    fn shift(&self, out: &mut String) {
        for row in 4..self.v.tile_m {
            for j in 0..self.v.columns {
                let _ = writeln!(out, "        c{}_{j} = c{row}_{j};", row - 4);
            }
        }
        out.push_str(
            "        row += 4u;\n        if (row >= end) {\n            break;\n        }\n    }\n",
        );
    }

    /// forward, input gradient: the function that stores the tile.
    fn store_gather(&self, out: &mut String) {
        // Four rows at a time: a store is far more code on a CPU than the sum that it stores.
        out.push_str(
            "fn store_tile(m0: u32, lane: u32) {
    let end = min(m0 + TILE_M, 4u * result_quads());
    var row = m0;
    loop {
        let quad = row / 4u;
",
        );
        if self.v.op == ConvOp::Forward {
            out.push_str("        let term = term_of(quad);\n");
        }
        for j in 0..self.v.columns {
            for (e, x) in XYZW.iter().enumerate() {
                let i = 4 * j as usize + e;
                let value = format!("vec4<f32>(c0_{j}.{x}, c1_{j}.{x}, c2_{j}.{x}, c3_{j}.{x})");
                let rest = match (self.v.op, self.v.gate) {
                    (ConvOp::Forward, _) => "term".to_owned(),
                    (_, Operand::Texture) => format!("gx{i}, gy{i}, n{i}"),
                    (_, Operand::Buffer) => "0u, 0u, 0u".to_owned(),
                };
                let _ = writeln!(out, "        store(o{i}, quad, {value}, {rest});");
            }
        }
        self.shift(out);
        out.push_str("}\n");
    }

    /// weight gradient: the function that finds the tap and channels of the rows that are loaded.
    fn place_rows(&self, out: &mut String) {
        let quads = self.quads;
        out.push_str(
            "fn place(m0: u32, lane: u32) {
    let inner = sizes.kernel_x * sizes.ci_quads;
    let left = (sizes.x_left - sizes.padding_x) * sizes.ci_quads;
    let top = sizes.x_top - sizes.padding_y;
",
        );
        for h in 0..self.loads() {
            let own = if quads > 1 {
                format!("lane % {quads}u")
            } else {
                "0u".into()
            };
            let _ = writeln!(
                out,
                "    let q{h} = m0 / 4u + {}u + {own};
    x{h} = left + q{h} % inner;
    y{h} = top + q{h} / inner;",
                h * quads
            );
        }
        out.push_str("}\n");
    }

    /// weight gradient: the function that adds a pixel of four samples to every accumulator.
    fn multiply_add_weight(&self, out: &mut String) {
        let (lanes, quads, depth) = (self.v.lanes, self.quads, self.depth);
        out.push_str(
            "fn multiply_add(ox: u32, oy: u32, n: u32, n0: u32, lane: u32) {
    let right = ox * sizes.stride_x * sizes.ci_quads;
    let down = oy * sizes.stride_y;
    let own = (sizes.y_left + ox) * sizes.co_quads + n0 / 4u + lane;
    let row = sizes.y_top + oy;
",
        );
        for j in 0..self.v.columns {
            for i in 0..4 {
                let _ = writeln!(
                    out,
                    "    let b{j}_{i} = load_dy(own + {}u, row, n + {i}u);",
                    lanes * j
                );
            }
            let _ = writeln!(out, "    d{j} += (b{j}_0 + b{j}_1) + (b{j}_2 + b{j}_3);");
        }
        for h in 0..self.loads() {
            for part in 0..4 / depth {
                let own = if depth > 1 {
                    format!("lane / {quads}u % {depth}u")
                } else {
                    "0u".into()
                };
                let _ = writeln!(
                    out,
                    "    let a{h}_{part} = load_x(x{h} + right, y{h} + down, n + {}u + {own});",
                    part * depth
                );
            }
        }
        self.all_quads(out);
        out.push_str("}\n");
    }

    /// weight gradient: the function that stores the tile and db.
    fn store_weight(&self, out: &mut String) {
        let v = self.v;
        out.push_str("fn store_tile(m0: u32, n0: u32, part: u32, with_db: bool, lane: u32) {\n");
        for j in 0..v.columns {
            let _ = writeln!(out, "    let q{j} = n0 / 4u + lane + {}u;", v.lanes * j);
        }
        out.push_str(
            "    let end = min(m0 + TILE_M, weight_rows());\n    var row = m0;\n    loop {\n",
        );
        for row in 0..4 {
            for j in 0..v.columns {
                let _ = writeln!(out, "        store(row + {row}u, q{j}, part, c{row}_{j});");
            }
        }
        self.shift(out);
        out.push_str("    if (with_db) {\n");
        for j in 0..v.columns {
            let _ = writeln!(out, "        store_db(q{j}, part, d{j});");
        }
        out.push_str("    }\n}\n");
    }
}
