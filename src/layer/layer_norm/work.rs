//! How the dispatches of the normalisation of rows share out a value; `rms_norm` uses them, too.

use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::plan::Bound;
use crate::kernel::{Builder, Call, Matrix, Value, shaders};
use crate::layer::{Back, Misfit, Site};
use crate::shape::Shape;

/// Invocations of a workgroup in the shader.
const GROUP: usize = 64;
/// Groups of four columns that one invocation of a software adapter goes through alone: such an
/// adapter runs few workgroups at once, and joining what several invocations found costs it more.
const ALONE: usize = 512;
/// Rows of a workgroup on a GPU, which runs many at once.
const FEW_ROWS: usize = 16;
/// Iterations of an invocation over its rows and columns, at most.
const MOST_STEPS: usize = 59_000;
/// Most columns of a row.
const WIDEST: usize = 1 << 20;
const SHADER: &str = "layer/layer_norm";

/// Bits of the uniform's `flags`.
mod flags {
    pub(super) const WEIGHT: usize = 1;
    pub(super) const BIAS: usize = 2;
    pub(super) const CENTRED: usize = 4;
}

/// Refuses what has no rows of features: pictures, and rows that are too long.
pub(in crate::layer) fn check_rows(input: &Shape) -> Result<(), Misfit> {
    if let Shape::Picture { .. } = input {
        return Err(Misfit {
            problem: format!(
                "takes lists [features] and sequences [steps, features], but its input has the shape {input}"
            ),
            help: "put \"flatten\" or \"image_rows\" in front of it, or use batch_norm2d".into(),
        });
    }
    if input.features() > WIDEST {
        return Err(Misfit {
            problem: format!(
                "takes at most {WIDEST} features, but its input has {}",
                input.features()
            ),
            help: "put a layer in front of it that gives fewer".into(),
        });
    }
    Ok(())
}

/// How rows are shared out: by the shape and the kind of adapter alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    /// Invocations of a row.
    lanes: usize,
    /// Rows of a workgroup.
    span: usize,
    /// Workgroups.
    parts: usize,
}

impl Shares {
    /// `tiled` is for GPUs, the others for software adapters.
    fn new(tiled: bool, rows: usize, quads: usize) -> Self {
        let wanted = if tiled { quads } else { quads.div_ceil(ALONE) };
        let lanes = wanted.next_power_of_two().min(GROUP);
        // Each row takes a turn over its quads twice, and they one more in all.
        let turns = quads.div_ceil(GROUP);
        let most = MOST_STEPS.saturating_sub(turns) / (2 * turns + 7);
        let rows_of_group = if tiled { FEW_ROWS } else { GROUP };
        // A multiple of the rows that a workgroup takes at once, and room for them.
        let at_once = GROUP / lanes;
        let span = rows_of_group.min(most) / at_once * at_once;
        let span = span.max(at_once);
        Self {
            lanes,
            span,
            parts: rows.div_ceil(span),
        }
    }
}

/// Rows of vec4s for sums. They are never a multiple of 64 floats apart, as the rows of activations
/// are: so sums share no slot with activations, whose padding they would fill.
fn sums_layout(rows: usize, vec4s: usize) -> Matrix {
    let cols = 4 * vec4s;
    let stride = cols + if cols.is_multiple_of(64) { 4 } else { 0 };
    Matrix { rows, cols, stride }
}

/// The dispatches of a layer at one place.
pub(in crate::layer) struct Work {
    shares: Shares,
    layout: Matrix,
    flags: usize,
    eps: f64,
    weight: Option<Bound>,
    bias: Option<Bound>,
}

impl Work {
    /// Of a layer at its place, for the input `x`; `centred` where the mean is subtracted.
    pub(in crate::layer) fn new(
        b: &mut Builder,
        at: &Site<'_>,
        x: Value,
        (eps, centred): (f64, bool),
    ) -> Self {
        let weight = at.find("weight").map(|weight| b.parameter(weight));
        let bias = at.find("bias").map(|bias| b.parameter(bias));
        let flag = |there: bool, flag: usize| if there { flag } else { 0 };
        Self {
            shares: Shares::new(b.is_tiled(), x.matrix.rows, x.matrix.quads()),
            layout: x.matrix,
            flags: flag(weight.is_some(), flags::WEIGHT)
                | flag(bias.is_some(), flags::BIAS)
                | flag(centred, flags::CENTRED),
            eps,
            weight,
            bias,
        }
    }

    /// A dispatch of `groups` workgroups.
    fn call(&self, b: &Builder, what: &str, groups: usize) -> Result<Call> {
        Ok(Call::new(b.label(what), grid(groups, 1)?)
            .matrix(self.layout)
            .u32("lanes", self.shares.lanes)
            .u32("span", self.shares.span)
            .u32("parts", self.shares.parts)
            .u32("partials_stride", self.partials().stride / 4)
            .u32("flags", self.flags)
            .f32("eps", self.eps))
    }

    /// The layout of the parts of dw and db.
    fn partials(&self) -> Matrix {
        sums_layout(self.shares.parts, 2 * self.layout.quads())
    }

    /// Appends y; gives it, and the mean and 1 / deviation of each row.
    pub(in crate::layer) fn forward(&self, b: &mut Builder, x: Value) -> Result<[Value; 2]> {
        let y = b.like("y", x);
        let stats = b.matrix("mean and deviation", sums_layout(self.layout.rows, 1));
        let elements = self.layout.rows * self.layout.cols;
        // What is not there is not read.
        let nothing = x.bound();
        let call = self
            .call(b, "forward", self.shares.parts)?
            .value("x", x)
            .value("y", y)
            .value("new_stats", stats)
            .place("w", self.weight.unwrap_or(nothing))
            .place("b", self.bias.unwrap_or(nothing))
            .work(shape(self.layout), 4 * 2 * elements)
            .flops(8 * elements);
        b.dispatch(&shaders::named(SHADER), "forward", call);
        Ok([y, stats])
    }

    /// Appends dx and the gradients of the parameters; gives dx.
    pub(in crate::layer) fn backward(
        &self,
        b: &mut Builder,
        at: &Site<'_>,
        back: &Back<'_>,
        stats: Value,
    ) -> Result<Value> {
        let dx = b.like("dx", back.x);
        let partials = b.matrix("parts of dw and db", self.partials());
        let elements = self.layout.rows * self.layout.cols;
        let call = self
            .call(b, "backward", self.shares.parts)?
            .value("x", back.x)
            .value("dy", back.dy)
            .value("stats", stats)
            .value("dx", dx)
            .value("new_partials", partials)
            .place("w", self.weight.unwrap_or(stats.bound()))
            .work(shape(self.layout), 4 * 3 * elements)
            .flops(15 * elements);
        b.dispatch(&shaders::named(SHADER), "backward", call);
        if self.weight.is_none() && self.bias.is_none() {
            return Ok(dx);
        }
        let quads = self.layout.quads();
        let place = |b: &mut Builder, parameter: &str, name: &str| match at.find(parameter) {
            Some(parameter) => b.gradient(parameter),
            // What is not there is written all the same, to a place that nobody reads.
            None => b.matrix(name, sums_layout(1, quads)).bound(),
        };
        let dw = place(b, "weight", "dw");
        let db = place(b, "bias", "db");
        let call = self
            .call(b, "weight gradient", quads.div_ceil(8))?
            .value("partials", partials)
            .place("dw", dw)
            .place("db", db);
        b.dispatch(&shaders::named(SHADER), "combine", call);
        Ok(dx)
    }
}

fn shape(matrix: Matrix) -> String {
    format!("{}x{}", matrix.rows, matrix.cols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invocation_comes_near_the_iterations_that_a_driver_counts() {
        for tiled in [true, false] {
            for quads in [1, 2, 15, 16, 17, 64, 513, 4096, 100_000, WIDEST / 4] {
                for rows in [1, 63, 64, 65, 768, 1 << 20] {
                    let shares = Shares::new(tiled, rows, quads);
                    let at_once = GROUP / shares.lanes;
                    let what = format!("tiled {tiled}, {rows} x {quads}: {shares:?}");
                    assert!(shares.lanes.is_power_of_two() && at_once > 0, "{what}");
                    assert!(shares.span.is_multiple_of(at_once), "{what}");
                    // Places for the rows in workgroup memory.
                    assert!(shares.span <= GROUP, "{what}");
                    assert!(shares.parts * shares.span >= rows, "{what}");
                    let shared = quads.div_ceil(shares.lanes);
                    let first = shares.span / at_once * (1 + shared + 6);
                    let second = quads.div_ceil(GROUP) * (1 + shares.span);
                    let combined = shares.parts.div_ceil(8) + 3;
                    let most = crate::kernel::builder::MAX_ITERATIONS as usize;
                    assert!((first + second).max(combined) < most, "{what}");
                }
            }
        }
    }

    #[test]
    fn the_shader_knows_the_same_constants() {
        let text = shaders::named(SHADER).text;
        for line in [
            format!("const WEIGHT: u32 = {}u;", flags::WEIGHT),
            format!("const BIAS: u32 = {}u;", flags::BIAS),
            format!("const CENTRED: u32 = {}u;", flags::CENTRED),
            format!("@workgroup_size({GROUP})"),
            format!("array<vec4<f32>, {GROUP}>"),
        ] {
            assert!(text.contains(&line), "{line}");
        }
    }
}
