//! The parts of the class `tiled` that depend on form and tile.

use super::{Form, MatmulKernel, text};
use std::fmt::Write;

/// Columns of C per workgroup.
pub(super) const TILE_N: u32 = 64;

/// Terms of the sum per step.
pub(in crate::product) const TILE_K: u32 = 16;

/// Invocations per workgroup.
pub(in crate::product) const INVOCATIONS: u32 = 256;

/// The file around the generated parts.
const FILE: &str = include_str!("../../../shaders/tiled/matmul.wgsl");

/// The components of a vec4.
const XYZW: [char; 4] = ['x', 'y', 'z', 'w'];

/// One operand's step in workgroup memory.
pub(in crate::product) struct Side {
    /// `a` or `b`.
    pub(in crate::product) name: char,
    /// Rows of C (for a) or columns of C (for b) in the tile.
    pub(in crate::product) size: u32,
    /// Whether its rows run along k ([M][K], [N][K]).
    pub(in crate::product) k_in_row: bool,
}

impl Side {
    /// Vec4 in a step.
    pub(in crate::product) fn quads(&self) -> u32 {
        self.size * TILE_K / 4
    }

    /// Slots of workgroup memory for a step.
    fn slots(&self) -> u32 {
        if self.k_in_row {
            self.size / 4 * 17
        } else {
            self.quads()
        }
    }

    /// Loads per invocation and step; of a small tile only the first [`Side::quads`] load.
    pub(in crate::product) fn loads(&self) -> u32 {
        self.quads().div_ceil(INVOCATIONS)
    }

    /// Declarations: the step, and the registers in which the next one travels.
    pub(in crate::product) fn declare(&self, out: &mut String) {
        let name = self.name;
        let _ = writeln!(
            out,
            "var<workgroup> tile_{name}: array<vec4<f32>, {}>;",
            self.slots()
        );
        for load in 0..self.loads() {
            let _ = writeln!(out, "var<private> next_{name}{load}: vec4<f32>;");
        }
    }

    /// Loads the invocation's share of the step at k; what lies beyond k_end counts as zero.
    fn fetch(&self, out: &mut String) {
        let (name, origin) = (self.name, if self.name == 'a' { "m0" } else { "n0" });
        for load in 0..self.loads() {
            let id = format!("t + {}u", load * INVOCATIONS);
            let (k, x, y) = if self.k_in_row {
                (
                    format!("k + 4u * (({id}) % 4u)"),
                    format!("k_{name}{load} / 4u"),
                    format!("{origin} + ({id}) / 4u"),
                )
            } else {
                (
                    format!("k + ({id}) / {}u", self.size / 4),
                    format!("{origin} / 4u + ({id}) % {}u", self.size / 4),
                    format!("k_{name}{load}"),
                )
            };
            let _ = writeln!(
                out,
                "    let k_{name}{load} = {k};
    next_{name}{load} = vec4<f32>(0.0);
    if (k_{name}{load} < k_end) {{
        next_{name}{load} = load_{name}({x}, {y});
    }}"
            );
        }
    }

    /// Puts the registers into workgroup memory.
    pub(in crate::product) fn keep(&self, out: &mut String) {
        let name = self.name;
        for load in 0..self.loads() {
            let id = format!("t + {}u", load * INVOCATIONS);
            let slot = if self.k_in_row {
                format!("17u * (({id}) / 16u) + ({id}) % 16u")
            } else {
                id
            };
            let keep = format!("tile_{name}[{slot}] = next_{name}{load};");
            let _ = match self.quads() < INVOCATIONS {
                true => writeln!(out, "    if (t < {}u) {{ {keep} }}", self.quads()),
                false => writeln!(out, "    {keep}"),
            };
        }
    }

    /// Reads quad number `quad` (an expression) of this side at four k from 4 kq:
    /// `<as_>_<i>` for k = 4 kq + i, each holding the quad's four rows (or columns).
    pub(in crate::product) fn read(&self, out: &mut String, quad: &str, as_: &str, kq: u32) {
        let name = self.name;
        if self.k_in_row {
            for q in 0..4 {
                let _ = writeln!(
                    out,
                    "    let {as_}t{q} = tile_{name}[17u * ({quad}) + {}u];",
                    4 * q + kq
                );
            }
            for (i, x) in XYZW.iter().enumerate() {
                let _ = writeln!(
                    out,
                    "    let {as_}_{i} = vec4<f32>({as_}t0.{x}, {as_}t1.{x}, {as_}t2.{x}, {as_}t3.{x});"
                );
            }
        } else {
            for i in 0..4 {
                let _ = writeln!(
                    out,
                    "    let {as_}_{i} = tile_{name}[{quad} + {}u];",
                    (4 * kq + i) * self.size / 4
                );
            }
        }
    }
}

/// The whole text of a variant of class `tiled`.
pub(super) fn source(v: &MatmulKernel) -> String {
    let a = Side {
        name: 'a',
        size: v.tile_m,
        k_in_row: v.form != Form::Tn,
    };
    let b = Side {
        name: 'b',
        size: TILE_N,
        k_in_row: v.form == Form::Nt,
    };
    let rows = v.tile_m / 16;
    let mut out = format!(
        "const TILE_M: u32 = {}u;\nconst TILE_N: u32 = {TILE_N}u;\nconst TILE_K: u32 = {TILE_K}u;\n{}",
        v.tile_m,
        text::interface(v)
    );
    a.declare(&mut out);
    b.declare(&mut out);
    for row in 0..rows {
        let _ = writeln!(out, "var<private> c{row}: vec4<f32>;");
    }
    for quad in 0..rows / 4 {
        let _ = writeln!(out, "var<private> d{quad}: vec4<f32>;");
    }
    out.push_str("fn fetch(k: u32, k_end: u32, m0: u32, n0: u32, t: u32) {\n");
    a.fetch(&mut out);
    b.fetch(&mut out);
    out.push_str("}\nfn keep(t: u32) {\n");
    a.keep(&mut out);
    b.keep(&mut out);
    out.push_str("}\n");
    multiply_add(&mut out, &a, &b, rows);
    column_sums(&mut out, &a, v.form, rows);
    store_tile(&mut out, v.form, rows);
    out + FILE
}

/// The function that adds the terms of a step.
pub(in crate::product) fn multiply_add(out: &mut String, a: &Side, b: &Side, rows: u32) {
    out.push_str("fn multiply_add(ty: u32, tx: u32) {\n");
    for kq in 0..TILE_K / 4 {
        b.read(out, "tx", &format!("b{kq}"), kq);
        for quad in 0..rows / 4 {
            let name = format!("a{kq}_{quad}");
            a.read(out, &format!("ty * {}u + {quad}u", rows / 4), &name, kq);
            for (e, x) in XYZW.iter().enumerate() {
                for i in 0..4 {
                    let row = 4 * quad as usize + e;
                    let _ = writeln!(out, "    c{row} += {name}_{i}.{x} * b{kq}_{i};");
                }
            }
        }
    }
    out.push_str("}\n");
}

/// The function that adds a step of A to the sums of db (tn only).
fn column_sums(out: &mut String, a: &Side, form: Form, rows: u32) {
    out.push_str("fn column_sums(ty: u32) {\n");
    if form == Form::Tn {
        for kq in 0..TILE_K / 4 {
            for quad in 0..rows / 4 {
                let name = format!("a{kq}_{quad}");
                a.read(out, &format!("ty * {}u + {quad}u", rows / 4), &name, kq);
                for i in 0..4 {
                    let _ = writeln!(out, "    d{quad} += {name}_{i};");
                }
            }
        }
    }
    out.push_str("}\n");
}

/// The function that stores the tile and, in tn, db.
fn store_tile(out: &mut String, form: Form, rows: u32) {
    out.push_str(
        "fn store_tile(m0: u32, n0: u32, ty: u32, tx: u32) {
    let quad = n0 / 4u + tx;
    let term = column_term(quad);
",
    );
    let _ = writeln!(out, "    let row = m0 + ty * {rows}u;");
    for row in 0..rows {
        let _ = writeln!(out, "    store(row + {row}u, quad, c{row}, term);");
    }
    if form == Form::Tn {
        out.push_str("    if (n0 == 0u && tx == 0u && (sizes.flags & DB) != 0u) {\n");
        for quad in 0..rows / 4 {
            let _ = writeln!(out, "        store_db(row / 4u + {quad}u, d{quad});");
        }
        out.push_str("    }\n");
    }
    out.push_str("}\n");
}
