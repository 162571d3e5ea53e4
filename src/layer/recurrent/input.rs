//! What the input gives to the gates of one direction, and the gradients of that: for each position, or
//! where an embedding stands in front, for each symbol once.

use super::work::Work;
use crate::error::Result;
use crate::kernel::plan::Bound;
use crate::kernel::{Builder, Element, Matrix, Parameter, Value};
use crate::layer::embedding::Rows;
use crate::product::{Product, matmul::Form};

impl Work<'_> {
    /// Appends what the input `x`, rows or tokens, gives to `gates`.
    pub(super) fn input_forward(&self, b: &mut Builder, x: Value, gates: Value) -> Result<()> {
        if x.element == Element::F32 {
            return self.input(b, (x.bound(), x.matrix), gates);
        }
        let embedding = self.embedding()?;
        let table = Matrix::new(embedding.matrix.rows, self.columns());
        let of_symbols = b.matrix(&self.run.label("input of each symbol"), table);
        let place = b.parameter(embedding);
        self.input(b, (place, embedding.matrix), of_symbols)?;
        let label = self.label(b, "look up");
        let rows = Rows { tokens: x, table };
        rows.forward(b, label, of_symbols.bound(), gates)
    }

    /// Appends the gradients of `weight_ih` and its bias from that by `gates`, and by the input `x`: into
    /// `dx` where it is wanted, or of tokens, where `equal` says where each stands, into their table's.
    pub(super) fn input_backward(
        &self,
        b: &mut Builder,
        [x, gates]: [Value; 2],
        equal: Option<Value>,
        dx: Option<Value>,
    ) -> Result<()> {
        let Some(equal) = equal else {
            self.weight_gradient(b, "ih", gates, (x.bound(), x.matrix))?;
            return match dx {
                Some(dx) => self.input_gradient(b, gates, (dx.bound(), dx.matrix)),
                None => Ok(()),
            };
        };
        let embedding = self.embedding()?;
        let table = Matrix::new(embedding.matrix.rows, self.columns());
        let of_symbols = b.matrix(&self.run.label("gradient of each symbol"), table);
        let label = self.label(b, "add up symbols");
        let rows = Rows { tokens: x, table };
        rows.backward(b, label, [equal, gates], None, of_symbols.bound())?;
        let place = b.parameter(embedding);
        self.weight_gradient(b, "ih", of_symbols, (place, embedding.matrix))?;
        let gradient = b.gradient(embedding);
        self.input_gradient(b, of_symbols, (gradient, embedding.matrix))
    }

    /// The table of the layer in front, which gives the tokens.
    fn embedding(&self) -> Result<Parameter> {
        let table = self.at.node.fused.table;
        table.ok_or_else(|| {
            self.at
                .defect("is given tokens, but no table is in front of it")
        })
    }

    /// Appends what the input gives to the gates, row by row.
    fn input(&self, b: &mut Builder, (x, rows): (Bound, Matrix), gates: Value) -> Result<()> {
        let weight = self.parameter("weight_ih")?;
        let bias = self.find("bias_ih").map(|bias| b.parameter(bias));
        let label = self.label(b, "input");
        let product = Product::new(Form::Nt, label, rows.rows, self.columns())
            .sum_over(rows.cols)
            .a(x, rows)
            .b(b.parameter(weight), weight.matrix)
            .c(gates.bound(), gates.matrix)
            .bias(bias);
        b.product(product)
    }

    /// Appends the gradients of `weight_ih` or `weight_hh` and its bias from that by the gates, row by
    /// row of what the weights are multiplied with.
    pub(super) fn weight_gradient(
        &self,
        b: &mut Builder,
        which: &str,
        dgates: Value,
        (input, rows): (Bound, Matrix),
    ) -> Result<()> {
        let parameter = self.parameter(&format!("weight_{which}"))?;
        let db = self.find(&format!("bias_{which}"));
        let db = db.map(|bias| b.gradient(bias));
        let dw = b.gradient(parameter);
        let label = self.label(b, &format!("weight_{which} gradient"));
        let product = Product::new(Form::Tn, label, self.columns(), rows.cols)
            .sum_over(rows.rows)
            .a(dgates.bound(), dgates.matrix)
            .b(input, rows)
            .c(dw, parameter.matrix)
            .db(db);
        b.product(product)
    }

    /// Appends the gradient by the input from that by the gates, row by row; a second direction adds to
    /// it.
    fn input_gradient(
        &self,
        b: &mut Builder,
        dgates: Value,
        (dx, rows): (Bound, Matrix),
    ) -> Result<()> {
        let weight = self.parameter("weight_ih")?;
        let label = self.label(b, "input gradient");
        let product = Product::new(Form::Nn, label, rows.rows, rows.cols)
            .sum_over(self.columns())
            .a(dgates.bound(), dgates.matrix)
            .b(b.parameter(weight), weight.matrix)
            .c(dx, rows)
            .accumulate(self.run.reverse);
        b.product(product)
    }
}
