//! The dispatches of one direction of one recurrent layer.

use std::ops::Range;

use super::lanes::Block;
use super::{Cell, Recurrent, Run};
use crate::error::Result;
use crate::kernel::builder::{MAX_ITERATIONS, grid};
use crate::kernel::{Builder, Call, Matrix, Mode, Parameter, Shader, Value, shaders};
use crate::layer::Site;
use crate::shape::Shape;

/// Invocations of a workgroup in the shaders.
const GROUP: usize = 64;
/// Samples of a workgroup.
const SAMPLES: usize = 4;

/// Bits of the uniform's `flags`.
const REVERSE: usize = 1;
const CARRIED: usize = 2;
const BIAS: usize = 4;
/// What `layer/rnn` does.
pub(in crate::layer) const RELU: usize = 8;

/// What a run's forward pass leaves for its backward pass.
#[derive(Debug, Clone, Copy)]
pub(in crate::layer) struct Saved {
    /// What the cell keeps of the gates.
    gates: Value,
    /// h of the step in front.
    previous: Value,
    /// What else a cell keeps: the c of the step in front, or what h gives to the gate n.
    cells: Option<Value>,
}

impl Saved {
    /// Number of values.
    pub(super) fn count(cell: &dyn Cell) -> usize {
        2 + usize::from(cell.kept().is_some())
    }

    pub(super) fn push_onto(self, saved: &mut Vec<Value>) {
        saved.extend([self.gates, self.previous]);
        saved.extend(self.cells);
    }

    /// The reverse of [`Saved::push_onto`].
    pub(super) fn of(saved: &[Value]) -> Self {
        Self {
            gates: saved[0],
            previous: saved[1],
            cells: saved.get(2).copied(),
        }
    }
}

/// How the steps of a run are shared out over dispatches and workgroups: by the shape alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Steps of a dispatch.
    pub(super) steps: usize,
    /// Workgroups that share the units of the same samples.
    pub(super) parts: usize,
}

impl Shares {
    /// Of `quads` quads of units, each of which goes through `terms` quads of numbers a step. Where
    /// units are shared out, each step is a dispatch of its own: then its workgroups wait for each
    /// other.
    fn new(tiled: bool, steps: usize, quads: usize, terms: usize) -> Self {
        let rounds = quads.div_ceil(GROUP);
        let of_step = |parts: usize| 1 + rounds.div_ceil(parts) * (1 + terms + SAMPLES);
        let most = MAX_ITERATIONS as usize;
        // A GPU has room for more workgroups than there are samples.
        if (tiled && rounds > 1) || of_step(1) > most {
            return Self {
                steps: 1,
                parts: rounds,
            };
        }
        let dispatches = steps.div_ceil(most / of_step(1));
        Self {
            steps: steps.div_ceil(dispatches),
            parts: 1,
        }
    }
}

/// The kernel that goes through steps, and how they are shared out.
struct Steps {
    shader: Shader,
    entry: &'static str,
    /// Samples of a workgroup.
    samples: usize,
    shares: Shares,
    /// Whether weights are read from a texture.
    image: bool,
}

/// A run at its place.
pub(super) struct Work<'a> {
    cell: &'a dyn Cell,
    pub(super) run: Run,
    steps: usize,
    hidden: usize,
    bias: bool,
    carried: bool,
    pub(super) at: Site<'a>,
}

impl<'a> Work<'a> {
    pub(super) fn new(settings: &Recurrent, cell: &'a dyn Cell, at: &Site<'a>, run: Run) -> Self {
        Self {
            cell,
            run,
            steps: at.input().rows(),
            hidden: settings.hidden_size,
            bias: settings.bias,
            carried: settings.carried,
            at: *at,
        }
    }

    fn quads(&self) -> usize {
        self.hidden.div_ceil(4)
    }

    pub(super) fn parameter(&self, name: &str) -> Result<Parameter> {
        self.at.parameter(&self.run.named(name))
    }

    pub(super) fn find(&self, name: &str) -> Option<Parameter> {
        self.at.find(&self.run.named(name))
    }

    pub(super) fn label(&self, b: &Builder, what: &str) -> String {
        b.label(&self.run.label(what))
    }

    /// A value with a row of `cols` numbers for each step of each sample.
    fn rows(&self, b: &mut Builder, name: &str, cols: usize) -> Value {
        let shape = Shape::Sequence {
            steps: self.steps,
            features: cols,
        };
        b.shaped(&self.run.label(name), &shape)
    }

    /// Columns of the gates: a block of whole quads for each.
    pub(super) fn columns(&self) -> usize {
        self.cell.gates() * 4 * self.quads()
    }

    fn carries(&self, b: &Builder) -> bool {
        self.carried && b.mode() != Mode::Statistics
    }

    /// Appends the forward pass.
    pub(super) fn forward(&self, b: &mut Builder, x: Value) -> Result<(Value, Saved)> {
        let gates = self.rows(b, "gates", self.columns());
        self.input_forward(b, x, gates)?;
        let previous = self.rows(b, "previous h", self.hidden);
        let cells = self.cell.kept();
        let cells = cells.map(|name| self.rows(b, name, self.hidden));
        let saved = Saved {
            gates,
            previous,
            cells,
        };
        if self.carries(b) {
            self.begin(b, &saved)?;
        }
        let y = self.rows(b, "y", self.hidden);
        let weight = self.parameter("weight_hh")?;
        let bias = self.find("bias_hh").unwrap_or(weight);
        let form = self.form(b, false)?;
        for begin in (0..self.steps).step_by(form.shares.steps) {
            let bias = b.parameter(bias);
            let mut call = self
                .steps_call(b, "steps", begin, &form, &saved)?
                .place("bias", bias)
                .value("previous", previous)
                .in_place("previous")
                .value("y", y);
            if let (Some(name), Some(cells)) = (self.cell.kept(), cells) {
                call = call.value(name, cells).in_place(name);
            }
            b.dispatch(&form.shader, form.entry, call);
        }
        if self.carries(b) {
            self.keep(b, &saved, y)?;
        }
        Ok((y, saved))
    }

    /// The kernel for the steps, forward or back.
    fn form(&self, b: &Builder, back: bool) -> Result<Steps> {
        let (quads, gates) = (self.quads(), self.cell.gates());
        let w = self.parameter("weight_hh")?.matrix;
        let fits = w.padded_rows().max(w.stride / 4) <= b.max_texture_side();
        if let Some(lanes) = b.lanes()
            && fits
        {
            let block = Block::new(self.cell, lanes, [b.batch(), quads], back);
            let most = MAX_ITERATIONS as usize / block.iterations(quads, gates);
            if most > 0 {
                let dispatches = self.steps.div_ceil(most);
                return Ok(Steps {
                    shader: block.shader(self.cell),
                    entry: block.entry(),
                    samples: block.rows,
                    shares: Shares {
                        steps: self.steps.div_ceil(dispatches),
                        parts: 1,
                    },
                    image: true,
                });
            }
        }
        let terms = if back { gates * quads } else { quads };
        Ok(Steps {
            shader: shaders::named(&format!("layer/{}", self.cell.name())),
            entry: if back { "backward" } else { "forward" },
            samples: SAMPLES,
            shares: Shares::new(b.is_tiled(), self.steps, quads, terms),
            image: false,
        })
    }

    /// A dispatch of some steps, with their weights.
    fn steps_call(
        &self,
        b: &mut Builder,
        what: &str,
        begin: usize,
        form: &Steps,
        saved: &Saved,
    ) -> Result<Call> {
        let shares = form.shares;
        let blocks = b.batch().div_ceil(form.samples) * shares.parts;
        let end = (begin + shares.steps).min(self.steps);
        let flops = 2 * b.batch() * (end - begin) * self.columns() * self.hidden;
        let grid = grid(blocks, 1)?;
        let call = self
            .call(b, (what, grid), begin..end, saved)?
            .u32("blocks", blocks)
            .u32("parts", shares.parts)
            .flops(flops);
        let weight = self.parameter("weight_hh")?;
        let weights = b.parameter(weight);
        Ok(match form.image {
            true => call.place("w_image", b.image(weights, weight.matrix)),
            false => call.place("w", weights),
        })
    }

    /// A dispatch on some steps of the gates.
    fn call(
        &self,
        b: &Builder,
        (what, grid): (&str, [u32; 3]),
        steps: Range<usize>,
        saved: &Saved,
    ) -> Result<Call> {
        let w = self.parameter("weight_hh")?.matrix;
        let samples = b.batch();
        let gates = saved.gates.matrix;
        let touched = samples * steps.len() * (2 * gates.cols + 3 * self.hidden);
        let shape = format!("{}x{}x{}", samples, steps.len(), self.hidden);
        Ok(Call::new(self.label(b, what), grid)
            .value("gates", saved.gates)
            .in_place("gates")
            .u32("samples", samples)
            .u32("steps", self.steps)
            .u32("quads", self.quads())
            .u32("stride", saved.previous.matrix.stride / 4)
            .u32("gates_stride", gates.stride / 4)
            .u32("w_stride", w.stride / 4)
            .u32("begin", steps.start)
            .u32("end", steps.end)
            .u32("flags", self.flags(b))
            .work(shape, 4 * touched))
    }

    fn flags(&self, b: &Builder) -> usize {
        let bit = |set: bool, flag: usize| if set { flag } else { 0 };
        self.cell.flags()
            | bit(self.run.reverse, REVERSE)
            | bit(self.carries(b), CARRIED)
            | bit(self.bias, BIAS)
    }

    /// Appends the backward pass from the gradient `dy` by the run's output: the gradients of its
    /// parameters, and by its input `x` where it is wanted; a second direction adds to it. Where `x` are
    /// tokens, `equal` says where each stands.
    pub(super) fn backward(
        &self,
        b: &mut Builder,
        [x, dy]: [Value; 2],
        saved: &Saved,
        equal: Option<Value>,
        dx: Option<Value>,
    ) -> Result<()> {
        // Gradients by what the input gives to the gates take the gates' place; those by what h gives
        // are the same, but for a GRU.
        let recurrent = self.steps_back(b, dy, saved)?;
        let previous = saved.previous;
        self.weight_gradient(b, "hh", recurrent, (previous.bound(), previous.matrix))?;
        self.input_backward(b, [x, saved.gates], equal, dx)
    }

    /// Appends the steps backwards; gives the gradients by what h gives to the gates.
    fn steps_back(&self, b: &mut Builder, dy: Value, saved: &Saved) -> Result<Value> {
        let state = Matrix::new(b.batch(), self.hidden);
        let back = b.matrix(&self.run.label("gradient on its way back"), state);
        let recurrent = match self.cell.gates_apart() {
            true => self.rows(b, "gradient by h's part", self.columns()),
            false => saved.gates,
        };
        let form = self.form(b, true)?;
        let begins: Vec<usize> = (0..self.steps).step_by(form.shares.steps).collect();
        for begin in begins.into_iter().rev() {
            let mut call = self
                .steps_call(b, "steps back", begin, &form, saved)?
                .value("dy", dy);
            if let (Some(name), Some(cells)) = (self.cell.kept(), saved.cells) {
                call = call.value(name, cells);
            }
            if let Some(name) = self.cell.on_its_way_back() {
                call = call.value(name, back).in_place(name);
            }
            if self.cell.gates_apart() {
                call = call
                    .value("recurrent", recurrent)
                    .in_place("recurrent")
                    .value("previous", saved.previous);
            }
            b.dispatch(&form.shader, form.entry, call);
        }
        Ok(recurrent)
    }

    /// A dispatch of `layer/carried` that goes through the quads of all samples; `last` says whether
    /// the last step's rows are meant.
    fn carry(&self, b: &Builder, what: &str, last: bool, rows: Matrix) -> Result<Call> {
        let row = if last != self.run.reverse {
            self.steps - 1
        } else {
            0
        };
        let all = b.batch() * self.quads();
        Ok(Call::new(self.label(b, what), grid(all, GROUP)?)
            .u32("samples", b.batch())
            .u32("quads", self.quads())
            .u32("steps", self.steps)
            .u32("row", row)
            .u32("stride", rows.stride / 4))
    }

    /// Appends what brings the carried states to the first steps.
    fn begin(&self, b: &mut Builder, saved: &Saved) -> Result<()> {
        let rows = [Some(saved.previous), saved.cells];
        for (name, rows) in self.cell.states().iter().zip(rows.into_iter().flatten()) {
            let state = self.at.state(b, &self.run.named(name))?;
            let call = self
                .carry(b, &format!("state {name}"), false, rows.matrix)?
                .value("rows", rows)
                .place("state", state);
            b.dispatch(&shaders::named("layer/carried"), "begin", call);
        }
        Ok(())
    }

    /// Appends what keeps the states of the last steps.
    fn keep(&self, b: &mut Builder, saved: &Saved, y: Value) -> Result<()> {
        for name in self.cell.states() {
            let state = self.at.state(b, &self.run.named(name))?;
            let what = format!("new state {name}");
            if *name == "h" {
                let call = self.carry(b, &what, true, y.matrix)?;
                let call = call.value("rows", y).place("state", state);
                b.dispatch(&shaders::named("layer/carried"), "keep", call);
                continue;
            }
            let last = self.steps - 1;
            let grid = grid(b.batch() * self.quads(), GROUP)?;
            let mut call = self
                .call(b, (&what, grid), last..self.steps, saved)?
                .place("state", state)
                .u32("blocks", 0)
                .u32("parts", 1);
            if let Some(cells) = saved.cells {
                call = call.value("cells", cells);
            }
            let shader = shaders::named(&format!("layer/{}", self.cell.name()));
            b.dispatch(&shader, "keep", call);
        }
        Ok(())
    }
}

/// A dispatch of `layer/directions` that writes `written`.
fn directions(
    b: &Builder,
    what: &str,
    [written, y, part]: [Matrix; 3],
    [width, offset]: [usize; 2],
) -> Result<Call> {
    Ok(
        Call::new(b.label(what), grid(written.rows * written.quads(), GROUP)?)
            .u32("rows", written.rows)
            .u32("quads", written.quads())
            .u32("stride", y.stride / 4)
            .u32("part_stride", part.stride / 4)
            .u32("width", width)
            .u32("offset", offset),
    )
}

/// Appends the two directions' outputs side by side.
pub(super) fn join(b: &mut Builder, shape: &Shape, [a, other]: [Value; 2]) -> Result<Value> {
    let joined = b.shaped("y", shape);
    let matrices = [joined.matrix, joined.matrix, a.matrix];
    let call = directions(b, "both directions", matrices, [a.matrix.cols, 0])?
        .value("a", a)
        .value("b", other)
        .value("joined", joined);
    b.dispatch(&shaders::named("layer/directions"), "join", call);
    Ok(joined)
}

/// Appends one direction's share of a gradient.
pub(super) fn split(
    b: &mut Builder,
    shape: &Shape,
    y: Value,
    width: usize,
    second: bool,
) -> Result<Value> {
    let part = b.shaped("dy of one direction", &shape.with_features(width));
    let offset = if second { width } else { 0 };
    let matrices = [part.matrix, y.matrix, part.matrix];
    let call = directions(b, "gradient of one direction", matrices, [width, offset])?
        .value("y", y)
        .value("part", part);
    b.dispatch(&shaders::named("layer/directions"), "split", call);
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invocation_comes_near_the_iterations_that_a_driver_counts() {
        for tiled in [true, false] {
            for quads in [1, 16, 64, 65, 128, 1000, super::super::MOST_UNITS / 4] {
                for (steps, gates) in [(1, 4), (65, 1), (1000, 3), (100_000, 4)] {
                    let shares = Shares::new(tiled, steps, quads, gates * quads);
                    let rounds = quads.div_ceil(GROUP).div_ceil(shares.parts);
                    let all = shares.steps * (1 + rounds * (1 + gates * quads + SAMPLES));
                    assert!(all <= MAX_ITERATIONS as usize, "{shares:?}: {all}");
                    assert!(shares.steps == 1 || shares.parts == 1, "{shares:?}");
                }
            }
        }
    }

    #[test]
    fn the_shader_knows_the_same_constants() {
        let text = crate::kernel::source::RECURRENT.text;
        for line in [
            format!("const REVERSE: u32 = {REVERSE}u;"),
            format!("const CARRIED: u32 = {CARRIED}u;"),
            format!("const BIAS: u32 = {BIAS}u;"),
            format!("const RELU: u32 = {RELU}u;"),
            format!("@workgroup_size({GROUP})"),
            format!("dims.parts * {SAMPLES}u"),
        ] {
            assert!(text.contains(&line), "{line}");
        }
    }
}
