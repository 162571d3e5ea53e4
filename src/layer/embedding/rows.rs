//! The dispatches of `shaders/layer/embedding.wgsl`: rows of a table for tokens, and the table's gradient.

use crate::error::{Error, Result};
use crate::kernel::builder::{MAX_ITERATIONS, grid};
use crate::kernel::plan::Bound;
use crate::kernel::{Builder, Call, Element, Matrix, Value, shaders};
use crate::shape::Shape;

/// Invocations of a workgroup of the shader.
const GROUP: usize = 64;
/// No row of a table.
const NO_PADDING: usize = u32::MAX as usize;

/// Tokens, and the table whose rows they name.
#[derive(Debug, Clone, Copy)]
pub(in crate::layer) struct Rows {
    /// The tokens of a batch.
    pub(in crate::layer) tokens: Value,
    /// The table's layout.
    pub(in crate::layer) table: Matrix,
}

impl Rows {
    fn steps(&self) -> usize {
        match self.tokens.shape {
            Shape::Tokens { steps, .. } => steps,
            _ => 0,
        }
    }

    fn positions(&self) -> usize {
        self.tokens.matrix.rows * self.steps()
    }

    /// Whether what is done with rows is less work for each row of the table than for each position:
    /// looking them up and adding up the gradients takes time, too.
    pub(in crate::layer) fn pay(&self) -> bool {
        2 * self.table.rows <= self.positions()
    }

    fn dispatch(&self, b: &mut Builder, entry: &str, call: Call) {
        let call = call
            .u32("cols", self.table.cols)
            .u32("steps", self.steps())
            .u32("positions", self.positions())
            .u32("x_stride", self.tokens.matrix.stride / 4)
            .u32("w_stride", self.table.stride / 4);
        b.dispatch(&shaders::named("layer/embedding"), entry, call);
    }

    /// Appends `y`, a row of `w` for each token.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub(in crate::layer) fn forward(
        &self,
        b: &mut Builder,
        label: String,
        w: Bound,
        y: Value,
    ) -> Result<()> {
        let rows = self.positions();
        let call = Call::new(label, grid(rows * self.table.quads(), GROUP)?)
            .u32("rows", rows)
            .u32("table_rows", self.table.rows)
            .u32("padding", NO_PADDING)
            .u32("y_stride", y.matrix.stride / 4)
            .work(
                format!("{rows}x{}", self.table.cols),
                8 * rows * self.table.cols,
            )
            .value("x", self.tokens)
            .place("w", w)
            .value("y", y);
        self.dispatch(b, "forward", call);
        Ok(())
    }

    /// Appends where each symbol comes first and each position's token comes next.
    ///
    /// # Errors
    /// More positions than an invocation can look at, or if the grid does not fit.
    pub(in crate::layer) fn links(&self, b: &mut Builder) -> Result<Value> {
        let (samples, steps) = (self.tokens.matrix.rows, self.steps());
        let iterations = samples * (steps.div_ceil(4) + 1);
        if iterations > MAX_ITERATIONS as usize {
            return Err(Error::Capacity {
                what: format!("the gradient of an embedding of {samples} x {steps} tokens"),
                needed: format!("{iterations} loop iterations of one invocation"),
                adapter: "a portable kernel".into(),
                available: format!("{MAX_ITERATIONS}"),
                help: "lower data.batch or data.context".into(),
            });
        }
        let all = self.table.rows + self.positions();
        // Never a multiple of 64 numbers, as the rows of activations are, whose padding it would fill.
        let stride = all.next_multiple_of(4);
        let list = Matrix {
            rows: 1,
            cols: all,
            stride: stride + if stride.is_multiple_of(64) { 4 } else { 0 },
        };
        let mut links = b.matrix("equal tokens", list);
        links.element = Element::U32;
        let call = Call::new(b.label("equal tokens"), grid(all, GROUP)?)
            .u32("rows", all)
            .u32("table_rows", self.table.rows)
            .u32("padding", NO_PADDING)
            .u32("y_stride", 0)
            .value("x", self.tokens)
            .value("found", links);
        self.dispatch(b, "equal_tokens", call);
        Ok(links)
    }

    /// Appends `dw`, for each row of the table the sum of the rows of `dy` where its token stands, in
    /// their order; 0 for `padding`.
    ///
    /// # Errors
    /// If the grid does not fit.
    pub(in crate::layer) fn backward(
        &self,
        b: &mut Builder,
        label: String,
        [links, dy]: [Value; 2],
        padding: Option<usize>,
        dw: Bound,
    ) -> Result<()> {
        let (rows, cols) = (self.table.rows, self.table.cols);
        let touched = (self.positions() + rows) * cols;
        let call = Call::new(label, grid(rows * self.table.quads(), GROUP)?)
            .u32("rows", rows)
            .u32("table_rows", rows)
            .u32("padding", padding.unwrap_or(NO_PADDING))
            .u32("y_stride", dy.matrix.stride / 4)
            .work(format!("{rows}x{cols}"), 4 * touched)
            .value("links", links)
            .value("dy", dy)
            .place("dw", dw);
        self.dispatch(b, "backward", call);
        Ok(())
    }
}
