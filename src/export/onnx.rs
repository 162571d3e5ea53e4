//! A trained network as an ONNX model: its normalisation, its layers in their form for evaluation,
//! its outputs.

use prost::Message;

use crate::data::{Normalization, Storage, Units};
use crate::error::{Error, Result};
use crate::layer::chain;
use crate::model::Model;
use crate::onnx::messages::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use crate::onnx::{Graph, IR_VERSION, OPSET};

/// The input: samples as they are in the data, the batch first; f32 (pixels 0 to 255, NCHW), or tokens as
/// i64.
pub const INPUT: &str = "input";
/// The output with the last layer's values.
pub const LOGITS: &str = "logits";
/// The output with a probability for each class, as the loss reads the logits
/// ([`crate::loss::Loss::probabilities`]).
pub const PROBABILITIES: &str = "probabilities";

/// The output with the predicted numbers in their own units, where a network predicts numbers.
pub const PREDICTIONS: &str = "predictions";

/// The largest file: readers of its format count bytes in 31 bits.
const MOST_BYTES: usize = i32::MAX as usize;

/// The bytes of an ONNX file; the same for the same model.
///
/// # Errors
/// An own layer without a description, or weights beyond the format's 2 GiB.
pub fn onnx(model: &Model) -> Result<Vec<u8>> {
    let description = &model.description;
    let network = model.network()?;
    let mut graph = Graph::new("wavetrain");
    let is_tokens = description.values == Storage::Tokens;
    match is_tokens {
        true => graph.tokens(INPUT, &description.input),
        false => graph.input(INPUT, &description.input),
    }
    for (name, tensor) in &model.weights.tensors {
        // Operators name the one that the others are tied to.
        if network.twins().all(|(twin, _)| twin != name) {
            graph.floats(name, &tensor.shape, &tensor.values);
        }
    }
    let x = match is_tokens {
        true => INPUT.to_owned(),
        false => normalized(&mut graph, &description.normalization, &description.input),
    };
    let logits = chain::onnx(network.nodes(), &mut graph, &x);
    let logits = logits.map_err(|problem| wrong(model, problem, "give the layer an `onnx`"))?;
    let classes = network.output().dims();
    graph.output(LOGITS, &classes, "Identity", &[&logits], &[]);
    match description.units.width() {
        0 => model
            .loss
            .onnx_head(&mut graph, LOGITS, PROBABILITIES, &classes),
        _ => predictions(&mut graph, &description.units, &classes),
    }
    let classes = serde_json::to_string(&description.classes).unwrap_or_default();
    let proto = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "wavetrain".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph.finish()),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPSET,
        }],
        metadata_props: vec![StringStringEntryProto {
            key: "classes".into(),
            value: classes,
        }],
    };
    let bytes = proto.encoded_len();
    if bytes > MOST_BYTES {
        return Err(wrong(
            model,
            format!("has {bytes} bytes as an ONNX model, but such a file has at most {MOST_BYTES}"),
            "use the safetensors file",
        ));
    }
    Ok(proto.encode_to_vec())
}

/// Appends what the outputs are in the numbers' own units.
fn predictions(graph: &mut Graph, units: &Units, shape: &[usize]) {
    let values = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
    let deviation = graph.floats("number_deviation", shape, &values(&units.deviation));
    let mean = graph.floats("number_mean", shape, &values(&units.mean));
    let spread = graph.node("units", "Mul", &[LOGITS, &deviation], &[]);
    graph.output(PREDICTIONS, shape, "Add", &[&spread, &mean], &[]);
}

/// Appends (x - mean) * scale, as the gathering kernels compute it.
fn normalized(graph: &mut Graph, normalization: &Normalization, input: &[usize]) -> String {
    let mut x = INPUT.to_owned();
    let parts = [
        ("Sub", "mean", &normalization.mean, 0.0),
        ("Mul", "scale", &normalization.scale, 1.0),
    ];
    for (operator, name, values, neutral) in parts {
        if values.iter().all(|value| *value == neutral) {
            continue;
        }
        let (shape, values) = by_channel(input, values);
        let constant = graph.floats(name, &shape, &values);
        x = graph.node(INPUT, operator, &[&x, &constant], &[]);
    }
    x
}

/// A constant of one value for each channel where they are all alike in it.
fn by_channel(input: &[usize], values: &[f32]) -> (Vec<usize>, Vec<f32>) {
    let size: usize = input.iter().skip(1).product();
    let parts = values.chunks_exact(size.max(1));
    if parts.clone().all(|part| part.iter().all(|v| *v == part[0])) {
        let mut shape = vec![1; input.len()];
        shape[0] = input[0];
        return (shape, parts.map(|part| part[0]).collect());
    }
    (input.to_vec(), values.to_vec())
}

fn wrong(model: &Model, problem: String, help: &str) -> Error {
    Error::Weights {
        file: model.path.clone(),
        problem,
        help: help.into(),
    }
}
