//! Recurrent layers as ONNX operators (LSTM, GRU and RNN of opset 17).

use super::{Cell, Recurrent, Run};
use crate::layer::Node;
use crate::onnx::{Attribute, Graph};

impl Recurrent {
    /// Appends the layers. ONNX wants the steps first and its own order of the gates; its output has an
    /// axis for the directions behind that of the steps.
    pub(in crate::layer) fn onnx(
        &self,
        cell: &dyn Cell,
        g: &mut Graph,
        at: &Node,
        x: &str,
    ) -> String {
        let path = &at.path;
        let rows = self.rows(cell, g, at);
        let mut x = x.to_owned();
        for layer in 0..self.num_layers {
            let inputs = self.input(at.input.features(), layer);
            let [w, r] = [("weight_ih", inputs), ("weight_hh", self.hidden_size)]
                .map(|(name, columns)| self.weights(cell, g, at, (layer, name, columns), &rows));
            let bias = self.bias.then(|| self.biases(cell, g, at, layer, &rows));
            let steps_first = [("perm", Attribute::Ints(vec![1, 0, 2]))];
            x = g.node(path, "Transpose", &[&x], &steps_first);
            let mut operands = vec![&x[..], &w, &r];
            operands.extend(bias.as_deref());
            x = g.node(path, cell.operator(), &operands, &self.attributes(cell));
            let samples_first = [("perm", Attribute::Ints(vec![2, 0, 1, 3]))];
            x = g.node(path, "Transpose", &[&x], &samples_first);
            let shape = [at.input.rows(), self.width()];
            let shape = g.shape(&format!("{path}.shape_l{layer}"), &shape);
            x = g.node(path, "Reshape", &[&x, &shape], &[]);
        }
        x
    }

    fn attributes(&self, cell: &dyn Cell) -> Vec<(&'static str, Attribute)> {
        let mut all = vec![("hidden_size", Attribute::Int(self.hidden_size))];
        if self.bidirectional {
            all.push(("direction", Attribute::Text("bidirectional".into())));
        }
        if cell.gates_apart() {
            // The reset gate works on what h gives, bias included, as PyTorch has it.
            all.push(("linear_before_reset", Attribute::Int(1)));
        }
        if let Some(name) = cell.onnx_activation() {
            let each = self.directions().map(|_| name.to_owned());
            all.push(("activations", Attribute::Texts(each.collect())));
        }
        all
    }

    /// The rows of PyTorch's parameters in ONNX's order, where it differs.
    fn rows(&self, cell: &dyn Cell, g: &mut Graph, at: &Node) -> Option<String> {
        let order = cell.onnx_order();
        if order.is_sorted() {
            return None;
        }
        let units = self.hidden_size;
        let rows: Vec<usize> = order
            .iter()
            .flat_map(|gate| gate * units..(gate + 1) * units)
            .collect();
        Some(g.indices(&format!("{}.rows", at.path), &rows))
    }

    /// A parameter with its rows in ONNX's order.
    fn ordered(g: &mut Graph, at: &Node, name: &str, rows: Option<&String>) -> String {
        let tensor = at.tensor(name);
        match rows {
            Some(rows) => g.node(&at.path, "Gather", &[&tensor, rows], &[]),
            None => tensor,
        }
    }

    /// Weights of a layer: `[directions, rows, columns]`.
    fn weights(
        &self,
        cell: &dyn Cell,
        g: &mut Graph,
        at: &Node,
        (layer, name, columns): (usize, &str, usize),
        rows: &Option<String>,
    ) -> String {
        let all: Vec<String> = self
            .runs(layer)
            .map(|run| Self::ordered(g, at, &run.named(name), rows.as_ref()))
            .collect();
        let shape = [cell.gates() * self.hidden_size, columns];
        self.stacked(g, at, &format!("{name}_l{layer}"), &all, &shape)
    }

    /// Biases of a layer, those of the input in front of those of h: `[directions, 2 rows]`.
    fn biases(
        &self,
        cell: &dyn Cell,
        g: &mut Graph,
        at: &Node,
        layer: usize,
        rows: &Option<String>,
    ) -> String {
        let names = |run: Run| ["bias_ih", "bias_hh"].map(|name| run.named(name));
        let all: Vec<String> = self
            .runs(layer)
            .flat_map(names)
            .map(|name| Self::ordered(g, at, &name, rows.as_ref()))
            .collect();
        let shape = [2 * cell.gates() * self.hidden_size];
        self.stacked(g, at, &format!("bias_l{layer}"), &all, &shape)
    }

    /// Tensors one behind the other, with an axis for the directions in front.
    fn stacked(
        &self,
        g: &mut Graph,
        at: &Node,
        name: &str,
        all: &[String],
        shape: &[usize],
    ) -> String {
        let path = &at.path;
        let tensors: Vec<&str> = all.iter().map(String::as_str).collect();
        let joined = match tensors[..] {
            [one] => one.to_owned(),
            _ => g.node(path, "Concat", &tensors, &[("axis", Attribute::Int(0))]),
        };
        let shape = g.shape(&format!("{path}.{name}.shape"), shape);
        g.node(path, "Reshape", &[&joined, &shape], &[])
    }
}
