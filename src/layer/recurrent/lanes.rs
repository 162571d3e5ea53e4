//! The register blocks of the steps for the class `lanes`: as in `src/product/matmul/lanes.rs`, an
//! array of accumulators would live in memory.

use std::borrow::Cow;
use std::fmt::Write;

use super::Cell;
use crate::kernel::source::{RECURRENT, RECURRENT_LANES, RECURRENT_LANES_BACK, Skeleton};
use crate::kernel::{Shader, shaders};

/// The components of a vec4.
const XYZW: [char; 4] = ['x', 'y', 'z', 'w'];

/// A kernel of the steps: everything its text depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Invocations of a workgroup: the adapter's subgroup size.
    pub(super) lanes: usize,
    /// Samples of a workgroup.
    pub(super) rows: usize,
    /// Accumulators of a sample: gates forward, quads of units backwards.
    pub(super) columns: usize,
    pub(super) back: bool,
}

impl Block {
    /// The kernel for a batch of `samples`: as many samples as keep two workgroups busy, up to what
    /// registers bear; each load of weights serves them all.
    pub(super) fn new(
        cell: &dyn Cell,
        lanes: usize,
        [samples, quads]: [usize; 2],
        back: bool,
    ) -> Self {
        let columns = match back {
            true if quads > lanes => 2,
            true => 1,
            false => cell.gates(),
        };
        let most = if columns > 2 { 8 } else { 16 };
        let rows = [4, 8, 16].into_iter();
        let rows = rows.take_while(|rows| *rows <= most && *rows <= samples.div_ceil(2).max(4));
        Self {
            lanes,
            rows: rows.last().unwrap_or(4),
            columns,
            back,
        }
    }

    /// Most iterations of a step, all loops together.
    pub(super) fn iterations(&self, quads: usize, gates: usize) -> usize {
        match self.back {
            true => {
                let tiles = quads.div_ceil(self.columns * self.lanes);
                1 + tiles * (1 + gates * quads + self.rows * (1 + self.columns))
            }
            false => 1 + quads.div_ceil(self.lanes) * (1 + quads + self.rows),
        }
    }

    /// The entry point.
    pub(super) fn entry(&self) -> &'static str {
        if self.back {
            "backward_lanes"
        } else {
            "forward_lanes"
        }
    }

    /// The shader of a cell's steps.
    pub(super) fn shader(&self, cell: &dyn Cell) -> Shader {
        let name = cell.name();
        let form = if self.back { "back" } else { "steps" };
        let of_cell = shaders::named(&format!("layer/{name}"));
        let skeleton: &'static Skeleton = match self.back {
            true => &RECURRENT_LANES_BACK,
            false => &RECURRENT_LANES,
        };
        Shader {
            name: Cow::Owned(format!(
                "{name}_{form}_lanes{}_{}x{}",
                self.lanes, self.rows, self.columns
            )),
            text: Cow::Owned(format!("{}{}{}", of_cell.text, RECURRENT.text, self.text())),
            skeleton: Some(skeleton),
            ..of_cell
        }
    }

    fn text(&self) -> String {
        let mut out = format!(
            "\nconst LANES: u32 = {}u;\nconst ROWS: u32 = {}u;\nconst COLUMNS: u32 = {}u;\n\
             @group(0) @binding(20) var w_image: texture_storage_2d<rgba32float, read>;\n",
            self.lanes, self.rows, self.columns
        );
        self.accumulators(&mut out);
        self.rows_of_lane(&mut out);
        self.add(&mut out);
        out
    }

    fn each(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let columns = self.columns;
        (0..self.rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
    }

    /// Declarations of the accumulators, and what is done to all of them.
    fn accumulators(&self, out: &mut String) {
        for (row, column) in self.each() {
            let _ = writeln!(out, "var<private> c{row}_{column}: vec4<f32>;");
        }
        out.push_str("fn clear() {\n");
        for (row, column) in self.each() {
            let _ = writeln!(out, "    c{row}_{column} = vec4<f32>(0.0);");
        }
        out.push_str("}\nfn shift() {\n");
        for (row, column) in self.each().filter(|(row, _)| row + 1 < self.rows) {
            let _ = writeln!(out, "    c{row}_{column} = c{}_{column};", row + 1);
        }
        out.push_str("}\n");
        if self.back {
            out.push_str("fn column(j: u32) -> vec4<f32> {\n");
            for column in 1..self.columns {
                let _ = writeln!(
                    out,
                    "    if j == {column}u {{\n        return c0_{column};\n    }}"
                );
            }
            out.push_str("    return c0_0;\n}\n");
        } else {
            let gate = |gate: usize| match gate < self.columns {
                true => format!("c0_{gate}"),
                false => "vec4<f32>(0.0)".into(),
            };
            let _ = writeln!(
                out,
                "fn first_gates() -> Gates {{\n    return Gates({}, {}, {}, {});\n}}",
                gate(0),
                gate(1),
                gate(2),
                gate(3)
            );
        }
    }

    /// Loads of a quad of all samples: how many each lane makes.
    fn loads(&self) -> usize {
        self.rows.div_ceil(self.lanes)
    }

    /// The type of the rows that a lane loads from.
    fn vector(&self) -> String {
        match self.loads() {
            1 => "u32".into(),
            loads => format!("vec{loads}<u32>"),
        }
    }

    /// The function that says from which rows a lane loads.
    fn rows_of_lane(&self, out: &mut String) {
        let own: Vec<String> = (0..self.loads())
            .map(|load| format!("row(sample + {}u + lane % ROWS, n)", load * self.lanes))
            .collect();
        let vector = self.vector();
        let _ = writeln!(
            out,
            "fn rows_of_lane(sample: u32, n: u32, lane: u32) -> {vector} {{\n    return {vector}({});\n}}",
            own.join(", ")
        );
    }

    /// The function that adds four terms to every accumulator.
    fn add(&self, out: &mut String) {
        let name = if self.back {
            "backward_add"
        } else {
            "forward_add"
        };
        let _ = writeln!(out, "fn {name}(k: u32, q: u32, at: {}) {{", self.vector());
        for column in 0..self.columns {
            if self.back {
                for i in 0..4 {
                    let _ = writeln!(
                        out,
                        "    let b{column}_{i} = textureLoad(w_image, vec2<u32>(q + {}u, 4u * k + {i}u));",
                        column * self.lanes
                    );
                }
                continue;
            }
            for i in 0..4 {
                let _ = writeln!(
                    out,
                    "    let t{column}_{i} = textureLoad(w_image, vec2<u32>(k, 4u * ({column}u * dims.quads + q) + {i}u));"
                );
            }
            for (i, x) in XYZW.iter().enumerate() {
                let _ = writeln!(
                    out,
                    "    let b{column}_{i} = vec4<f32>(t{column}_0.{x}, t{column}_1.{x}, t{column}_2.{x}, t{column}_3.{x});"
                );
            }
        }
        for (load, x) in XYZW.iter().enumerate().take(self.loads()) {
            let at = match self.loads() {
                1 => "at".to_owned(),
                _ => format!("at.{x}"),
            };
            let _ = match self.back {
                true => writeln!(out, "    let a{load} = behind({at} + k);"),
                false => writeln!(out, "    let a{load} = previous[{at} + k];"),
            };
        }
        for row in 0..self.rows {
            let (load, lane) = (row / self.lanes, row % self.lanes);
            let _ = writeln!(out, "    let s{row} = subgroupBroadcast(a{load}, {lane}u);");
            for column in 0..self.columns {
                for (i, x) in XYZW.iter().enumerate() {
                    let _ = writeln!(out, "    c{row}_{column} += s{row}.{x} * b{column}_{i};");
                }
            }
        }
        out.push_str("}\n");
    }
}
