//! A graph in the making.

use std::collections::HashSet;

use super::messages::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, INT64, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// A number, written as f32.
    Float(f64),
    /// A whole number.
    Int(usize),
    /// Whole numbers.
    Ints(Vec<usize>),
    /// A word.
    Text(String),
    /// Words.
    Texts(Vec<String>),
}

/// Nodes, constants, and the names that are taken.
#[derive(Debug, Default)]
pub struct Graph {
    graph: GraphProto,
    taken: HashSet<String>,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut graph = Self::default();
        graph.graph.name = name.to_owned();
        graph
    }

    /// Adds a constant tensor of floats, row-major; gives its name.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(name, shape, FLOAT, raw.collect())
    }

    /// Adds a constant of one float, of no dimension.
    pub fn number(&mut self, name: &str, value: f64) -> String {
        self.floats(name, &[], &[value as f32])
    }

    /// Adds a shape to bring a value to, as [`Graph::node`]'s `Reshape` wants it: -1 for the batch,
    /// then `shape`.
    pub fn shape(&mut self, name: &str, shape: &[usize]) -> String {
        let sizes = shape.iter().map(|size| *size as i64);
        self.wholes(name, std::iter::once(-1).chain(sizes))
    }

    /// Adds a list of positions, as [`Graph::node`]'s `Gather` wants it.
    pub fn indices(&mut self, name: &str, positions: &[usize]) -> String {
        self.wholes(name, positions.iter().map(|position| *position as i64))
    }

    fn wholes(&mut self, name: &str, values: impl Iterator<Item = i64>) -> String {
        let raw: Vec<u8> = values.flat_map(i64::to_le_bytes).collect();
        self.constant(name, &[raw.len() / 8], INT64, raw)
    }

    /// Adds a constant of one whole number, of no dimension.
    pub fn whole(&mut self, name: &str, value: usize) -> String {
        let raw = (value as i64).to_le_bytes();
        self.constant(name, &[], INT64, raw.into())
    }

    fn constant(&mut self, name: &str, shape: &[usize], kind: i32, raw: Vec<u8>) -> String {
        let name = self.free(name);
        self.graph.initializer.push(TensorProto {
            dims: shape.iter().map(|size| *size as i64).collect(),
            data_type: kind,
            name: name.clone(),
            raw_data: raw,
        });
        name
    }

    /// Appends a node of the layer at `path`; gives the name of its output.
    pub fn node(
        &mut self,
        path: &str,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let output = self.free(&format!("{path}/{operator}"));
        self.push(output.clone(), operator, inputs, attributes);
        output
    }

    /// Appends a node whose output is one of the graph's, of f32 and of `shape` behind the batch.
    pub fn output(
        &mut self,
        name: &str,
        shape: &[usize],
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        self.taken.insert(name.to_owned());
        self.push(name.to_owned(), operator, inputs, attributes);
        self.graph.output.push(value(name, FLOAT, shape));
    }

    /// Adds an input of f32 and of `shape` behind the batch.
    pub fn input(&mut self, name: &str, shape: &[usize]) {
        self.taken.insert(name.to_owned());
        self.graph.input.push(value(name, FLOAT, shape));
    }

    /// Adds an input of whole numbers of 64 bits and of `shape` behind the batch: tokens.
    pub fn tokens(&mut self, name: &str, shape: &[usize]) {
        self.taken.insert(name.to_owned());
        self.graph.input.push(value(name, INT64, shape));
    }

    fn push(
        &mut self,
        output: String,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            name: output.clone(),
            output: vec![output],
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(attribute).collect(),
        });
    }

    /// The name, or the name with a number where it is taken.
    fn free(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1;
        while !self.taken.insert(free.clone()) {
            number += 1;
            free = format!("{name}.{number}");
        }
        free
    }

    /// The message.
    #[must_use]
    pub fn finish(self) -> GraphProto {
        self.graph
    }
}

fn attribute((name, value): &(&str, Attribute)) -> AttributeProto {
    let mut proto = AttributeProto {
        name: (*name).to_owned(),
        ..AttributeProto::default()
    };
    match value {
        Attribute::Float(number) => {
            proto.f = Some(*number as f32);
            proto.r#type = 1;
        }
        Attribute::Int(number) => {
            proto.i = Some(*number as i64);
            proto.r#type = 2;
        }
        Attribute::Ints(numbers) => {
            proto.ints = numbers.iter().map(|number| *number as i64).collect();
            proto.r#type = 7;
        }
        Attribute::Text(text) => {
            proto.s = Some(text.clone().into_bytes());
            proto.r#type = 3;
        }
        Attribute::Texts(texts) => {
            proto.strings = texts.iter().map(|text| text.clone().into_bytes()).collect();
            proto.r#type = 8;
        }
    }
    proto
}

/// A value of numbers of a kind, with a free batch in front of `shape`.
fn value(name: &str, kind: i32, shape: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto {
        dim_param: Some("batch".into()),
        ..DimensionProto::default()
    };
    let sizes = shape.iter().map(|size| DimensionProto {
        dim_value: Some(*size as i64),
        ..DimensionProto::default()
    });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: kind,
                shape: Some(TensorShapeProto {
                    dim: std::iter::once(batch).chain(sizes).collect(),
                }),
            }),
        }),
    }
}
