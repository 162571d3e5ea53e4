//! The register block of the classes `lanes` and `lanes-plain`: too long to write by hand for each
//! form and tile, too straight for loops (an array of accumulators would live in memory).

use super::{ClassName, Form, MatmulKernel, text};
use crate::product::class::largest_divisor;
use std::fmt::Write;

/// Terms of the sum per loop iteration.
pub(super) const STEP_K: u32 = 4;

/// The file around the register block.
const FILE: &str = include_str!("../../../shaders/lanes/matmul.wgsl");

/// The components of a vec4.
const XYZW: [char; 4] = ['x', 'y', 'z', 'w'];

/// The whole text of a variant of class `lanes` or `lanes-plain`.
pub(super) fn source(v: &MatmulKernel) -> String {
    let block = Block::new(v);
    format!(
        "const LANES: u32 = {}u;
const TILE_M: u32 = {}u;
const TILE_N: u32 = {}u;
{}{}{}{}{FILE}",
        v.lanes,
        v.tile_m,
        v.tile_n(),
        text::interface(v),
        block.accumulators(),
        block.multiply_add(),
        block.store_tile(),
    )
}

/// How one loop iteration shares the loads of A among the lanes.
struct Block<'v> {
    v: &'v MatmulKernel,
    /// Whether lanes hand values to each other.
    shared: bool,
    /// nt, nn: rows of A that one load brings.
    rows: u32,
    /// tn: quads of rows of A that one load brings, ...
    quads: u32,
    /// ... each for this many k.
    depth: u32,
}

impl<'v> Block<'v> {
    fn new(v: &'v MatmulKernel) -> Self {
        let shared = v.class == ClassName::Lanes;
        let quads = if shared { v.lanes.min(v.tile_m / 4) } else { 1 };
        Self {
            v,
            shared,
            rows: if shared { v.lanes.min(v.tile_m) } else { 1 },
            quads: largest_divisor(v.tile_m / 4, quads),
            depth: largest_divisor(4, if shared { v.lanes / quads } else { 1 }),
        }
    }

    /// Declarations of the accumulators: `c<row>_<j>`, and `d<h>` for the sums of db.
    fn accumulators(&self) -> String {
        let mut out = String::new();
        for row in 0..self.v.tile_m {
            for j in 0..self.v.columns {
                let _ = writeln!(out, "var<private> c{row}_{j}: vec4<f32>;");
            }
        }
        if self.v.form == Form::Tn {
            for h in 0..self.v.tile_m / 4 / self.quads {
                let _ = writeln!(out, "var<private> d{h}: vec4<f32>;");
            }
        }
        out
    }

    /// The function that adds four terms to every accumulator.
    fn multiply_add(&self) -> String {
        let mut out = String::from("fn multiply_add(k: u32, m0: u32, n0: u32, lane: u32) {\n");
        self.load_b(&mut out);
        match self.v.form {
            Form::Nt | Form::Nn => self.rows_of_a(&mut out),
            Form::Tn => self.columns_of_a(&mut out),
        }
        out.push_str("}\n");
        out
    }

    /// `b<j>_<i>`: the lane's four columns of block j at k + i.
    fn load_b(&self, out: &mut String) {
        let lanes = self.v.lanes;
        for j in 0..self.v.columns {
            if self.v.form == Form::Nt {
                for q in 0..4 {
                    let row = 4 * lanes * j + q;
                    let _ = writeln!(
                        out,
                        "    let t{j}_{q} = load_b(k / 4u, n0 + 4u * lane + {row}u);"
                    );
                }
                for (i, x) in XYZW.iter().enumerate() {
                    let _ = writeln!(
                        out,
                        "    let b{j}_{i} = vec4<f32>(t{j}_0.{x}, t{j}_1.{x}, t{j}_2.{x}, t{j}_3.{x});"
                    );
                }
            } else {
                for i in 0..4 {
                    let _ = writeln!(
                        out,
                        "    let b{j}_{i} = load_b(n0 / 4u + lane + {}u, k + {i}u);",
                        lanes * j
                    );
                }
            }
        }
    }

    /// nt, nn: A is stored [M][K]; a texel is four k of one row.
    fn rows_of_a(&self, out: &mut String) {
        let r = self.rows;
        for row in 0..self.v.tile_m {
            if self.shared {
                if row % r == 0 {
                    // Lanes beyond the tile repeat its rows.
                    let own = if r < self.v.lanes {
                        format!("lane % {r}u")
                    } else {
                        "lane".into()
                    };
                    let _ = writeln!(
                        out,
                        "    let a{} = load_a(k / 4u, m0 + {row}u + {own});",
                        row / r
                    );
                }
                let _ = writeln!(
                    out,
                    "    let s{row} = subgroupBroadcast(a{}, {}u);",
                    row / r,
                    row % r
                );
            } else {
                let _ = writeln!(out, "    let s{row} = load_a(k / 4u, m0 + {row}u);");
            }
            for j in 0..self.v.columns {
                for (i, x) in XYZW.iter().enumerate() {
                    let _ = writeln!(out, "    c{row}_{j} += s{row}.{x} * b{j}_{i};");
                }
            }
        }
    }

    /// tn: A is stored [K][M]; a texel is four rows at one k.
    fn columns_of_a(&self, out: &mut String) {
        let (quads, depth) = (self.quads, self.depth);
        for h in 0..self.v.tile_m / 4 / quads {
            for part in 0..4 / depth {
                let _ = writeln!(
                    out,
                    "    let a{h}_{part} = load_a(m0 / 4u + {}u + lane % {quads}u, k + {}u + lane / {quads}u % {depth}u);",
                    h * quads,
                    part * depth
                );
                let _ = writeln!(out, "    d{h} += a{h}_{part};");
            }
            for quad in 0..quads {
                self.one_quad(out, h, quad);
            }
        }
    }

    /// tn: the four rows of one quad of A.
    fn one_quad(&self, out: &mut String, h: u32, quad: u32) {
        let id = h * self.quads + quad;
        for i in 0..4 {
            let load = format!("a{h}_{}", i / self.depth);
            let lane = (i % self.depth) * self.quads + quad;
            let value = if self.shared {
                format!("subgroupBroadcast({load}, {lane}u)")
            } else {
                load
            };
            let _ = writeln!(out, "    let s{id}_{i} = {value};");
        }
        for (e, x) in XYZW.iter().enumerate() {
            for j in 0..self.v.columns {
                for i in 0..4 {
                    let _ = writeln!(
                        out,
                        "    c{}_{j} += s{id}_{i}.{x} * b{j}_{i};",
                        4 * id as usize + e
                    );
                }
            }
        }
    }

    /// The function that stores the tile and, in tn, db.
    fn store_tile(&self) -> String {
        let v = self.v;
        let mut out = String::from("fn store_tile(m0: u32, n0: u32, lane: u32) {\n");
        for j in 0..v.columns {
            let _ = writeln!(out, "    let q{j} = n0 / 4u + lane + {}u;", v.lanes * j);
            let _ = writeln!(out, "    let e{j} = column_term(q{j});");
        }
        // Four rows at a time: a store is far more code on a CPU than the sum that it stores.
        out.push_str("    let end = min(m0 + TILE_M, sizes.m);\n    var row = m0;\n    loop {\n");
        for row in 0..4 {
            for j in 0..v.columns {
                let _ = writeln!(out, "        store(row + {row}u, q{j}, c{row}_{j}, e{j});");
            }
        }
        for row in 4..v.tile_m {
            for j in 0..v.columns {
                let _ = writeln!(out, "        c{}_{j} = c{row}_{j};", row - 4);
            }
        }
        out.push_str(
            "        row += 4u;\n        if (row >= end) {\n            break;\n        }\n    }\n",
        );
        if v.form == Form::Tn {
            self.store_sums(&mut out);
        }
        out.push_str("}\n");
        out
    }

    /// tn: adds up what the lanes hold of db, in a fixed order, and stores it.
    fn store_sums(&self, out: &mut String) {
        let quads = self.quads;
        out.push_str("    if (n0 == 0u && (dims.flags & DB) != 0u) {\n");
        for h in 0..self.v.tile_m / 4 / quads {
            let _ = write!(out, "        let sum{h} = d{h}");
            for part in 1..self.depth {
                let _ = write!(
                    out,
                    " + subgroupShuffle(d{h}, (lane + {}u) % LANES)",
                    part * quads
                );
            }
            let _ = writeln!(
                out,
                ";
        if (lane < {quads}u) {{
            store_db(m0 / 4u + {}u + lane, sum{h});
        }}",
                h * quads
            );
        }
        out.push_str("    }\n");
    }
}
