//! ONNX models as their readers find them: names, shapes, operators, and one value worked out by
//! hand. That ONNX Runtime gives the same answers is what `scripts/torch/check.py` shows.

use std::collections::HashSet;

use prost::Message;
use wavetrain::args::Args;
use wavetrain::config::presets::PRESETS;
use wavetrain::config::{Overrides, Tables};
use wavetrain::data::Task;
use wavetrain::export::onnx;
use wavetrain::layer::{Inventory, LAYERS, Layer, Node};
use wavetrain::model::Model;
use wavetrain::onnx::Graph;
use wavetrain::onnx::messages::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use wavetrain::shape::Shape;
use wavetrain::{Config, Dataset, Samples, Trainer};

use super::fixture::{LAYERS as NET, config, dataset, gpus, save};
use super::program::{program, train};

/// A network that is exported untrained.
fn exported(config: Config, dataset: Dataset) -> ModelProto {
    let trainer = Trainer::new(gpus().remove(0), config, dataset).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&save(&trainer, folder.path())).unwrap();
    let bytes = onnx(&model).unwrap();
    assert_eq!(bytes, onnx(&model).unwrap());
    ModelProto::decode(&bytes[..]).unwrap()
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    graph
        .node
        .iter()
        .map(|node| node.op_type.as_str())
        .collect()
}

fn node<'a>(graph: &'a GraphProto, operator: &str) -> &'a NodeProto {
    let found = graph.node.iter().find(|node| node.op_type == operator);
    found.unwrap_or_else(|| panic!("no {operator} in {:?}", operators(graph)))
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    let found = node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name);
    &found.unwrap().ints
}

fn tensor<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    let found = graph.initializer.iter().find(|tensor| tensor.name == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    let words = tensor.raw_data.chunks_exact(4);
    words
        .map(|w| f32::from_le_bytes(w.try_into().unwrap()))
        .collect()
}

/// The sizes of a value, 0 for the free one.
fn shape(value: &ValueInfoProto) -> Vec<i64> {
    let kind = value.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    let dims = &kind.shape.as_ref().unwrap().dim;
    let size = |dim: &wavetrain::onnx::messages::DimensionProto| match &dim.dim_param {
        Some(name) => {
            assert_eq!(name, "batch");
            0
        }
        None => dim.dim_value.unwrap(),
    };
    dims.iter().map(size).collect()
}

/// What `onnx.checker` asks of every graph: a value has one source, and it comes before its readers.
fn check(model: &ModelProto) {
    assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
    let graph = model.graph.as_ref().unwrap();
    let mut known = HashSet::new();
    for tensor in &graph.initializer {
        assert!(known.insert(tensor.name.as_str()), "{} twice", tensor.name);
        let size = if tensor.data_type == 1 { 4 } else { 8 };
        let count: i64 = tensor.dims.iter().product();
        assert_eq!(
            tensor.raw_data.len() as i64,
            size * count,
            "{}",
            tensor.name
        );
    }
    for input in &graph.input {
        assert!(known.insert(input.name.as_str()));
    }
    let mut names = HashSet::new();
    for node in &graph.node {
        assert!(names.insert(node.name.as_str()), "{} twice", node.name);
        for input in &node.input {
            assert!(known.contains(input.as_str()), "{input} of {}", node.name);
        }
        for output in &node.output {
            assert!(known.insert(output.as_str()), "{output} twice");
        }
    }
    for output in &graph.output {
        assert!(known.contains(output.name.as_str()));
    }
    let used: HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().map(String::as_str))
        .collect();
    for tensor in &graph.initializer {
        assert!(
            used.contains(tensor.name.as_str()),
            "{} unused",
            tensor.name
        );
    }
}

#[test]
fn a_model_has_its_normalisation_inside_and_a_free_batch() {
    let model = exported(
        config(NET, "normalize = \"standard\"", ""),
        dataset(&[2, 6, 6]),
    );
    check(&model);
    let graph = model.graph.as_ref().unwrap();
    assert_eq!(shape(&graph.input[0]), [0, 2, 6, 6]);
    let outputs: Vec<_> = graph
        .output
        .iter()
        .map(|o| (o.name.as_str(), shape(o)))
        .collect();
    assert_eq!(
        outputs,
        [("logits", vec![0, 3]), ("probabilities", vec![0, 3])]
    );
    assert_eq!(
        operators(graph),
        [
            "Sub",
            "Mul",
            "Conv",
            "BatchNormalization",
            "Relu",
            "Conv",
            "BatchNormalization",
            "Conv",
            "Add",
            "LeakyRelu",
            "AveragePool",
            "Flatten",
            "Gemm",
            "Identity",
            "Softmax"
        ]
    );
    assert_eq!(tensor(graph, "mean").dims, [2, 1, 1]);
    assert_eq!(tensor(graph, "3.body.0.weight").dims, [8, 6, 3, 1]);
    assert_eq!(ints(&graph.node[5], "pads"), [1, 0, 1, 0]);
    assert_eq!(
        model.metadata_props[0].value,
        "[\"round\",\"square\",\"other\"]"
    );
}

#[test]
fn outputs_fitted_to_0_and_1_are_cut_to_probabilities() {
    let text = "[loss]\nkind = \"mse\"";
    let model = exported(config(NET, "", text), dataset(&[2, 6, 6]));
    check(&model);
    let graph = model.graph.as_ref().unwrap();
    let clip = node(graph, "Clip");
    assert_eq!(
        (clip.input[0].as_str(), clip.output[0].as_str()),
        ("logits", "probabilities")
    );
    let bounds = [1, 2].map(|at| floats(tensor(graph, &clip.input[at])));
    assert_eq!(bounds, [[0.0], [1.0]]);
}

/// A layer that takes no pictures, as a graph of its own.
fn alone(layer: &dyn Layer, input: Shape) -> ModelProto {
    let mut nodes = vec![Node::fit(layer, &input).unwrap()];
    let inventory = Inventory::new(&mut nodes, 0).unwrap();
    let mut graph = Graph::new("alone");
    graph.input("x", &input.dims());
    for parameter in &inventory.parameters {
        let shape = &parameter.spec.shape;
        let values = vec![0.5; shape.iter().product()];
        graph.floats(&parameter.name, shape, &values);
    }
    let y = layer.onnx(&mut graph, &nodes[0], "x").unwrap();
    graph.output("y", &nodes[0].output().dims(), "Identity", &[&y], &[]);
    ModelProto {
        ir_version: wavetrain::onnx::IR_VERSION,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: wavetrain::onnx::OPSET,
        }],
        graph: Some(graph.finish()),
        ..ModelProto::default()
    }
}

/// Gates in ONNX's order, directions one behind the other, the steps in front.
#[test]
fn recurrent_layers_are_operators_of_onnx() {
    let input = Shape::of(&[7, 3]).unwrap();
    for (name, operator, order) in [
        ("lstm", "LSTM", &[0, 3, 1, 2][..]),
        ("gru", "GRU", &[1, 0, 2]),
        ("rnn", "RNN", &[]),
    ] {
        let entry = LAYERS.iter().find(|entry| entry.name == name).unwrap();
        let arguments = "hidden_size = 2\nnum_layers = 2\nbidirectional = true";
        let layer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
        let model = alone(&*layer, input);
        check(&model);
        let graph = model.graph.unwrap();
        let all = operators(&graph);
        let own = all.iter().filter(|other| **other == operator);
        assert_eq!(own.count(), 2, "{name}");
        if !order.is_empty() {
            let rows: Vec<i64> = tensor(&graph, "0.rows")
                .raw_data
                .chunks_exact(8)
                .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()))
                .collect();
            let wanted: Vec<i64> = order.iter().flat_map(|g| [2 * g, 2 * g + 1]).collect();
            assert_eq!(rows, wanted, "{name}");
        }
        let attributes = &node(&graph, operator).attribute;
        let direction = attributes.iter().find(|a| a.name == "direction").unwrap();
        assert_eq!(direction.s.as_deref(), Some(&b"bidirectional"[..]));
        let reset = attributes.iter().any(|a| a.name == "linear_before_reset");
        assert_eq!(reset, name == "gru");
    }
}

#[test]
fn every_layer_of_the_table_has_its_onnx_form() {
    for entry in LAYERS {
        let layer = (entry.parse)(Args::parse(entry.example).unwrap()).unwrap();
        let others = [
            Shape::of(&[7, 6]).unwrap(),
            Shape::of(&[6, 12]).unwrap(),
            Shape::Tokens {
                steps: 7,
                symbols: 5,
            },
        ];
        if layer.fit(&Shape::of(&[2, 6, 6]).unwrap()).is_err() && entry.name != "linear" {
            let other = others.into_iter().find(|shape| layer.fit(shape).is_ok());
            check(&alone(&*layer, other.unwrap()));
            continue;
        }
        let arguments = toml::Value::Table(layer.arguments());
        let written = match layer.arguments().is_empty() {
            true => format!("\"{}\"", entry.name),
            false => format!("{{ {} = {arguments} }}", entry.name),
        };
        let fit = |dims: &[usize]| layer.fit(&Shape::of(dims).unwrap()).map(|fit| fit.output);
        let (front, output) = match (fit(&[2, 6, 6]), fit(&[72])) {
            (Ok(output), _) => ("", output),
            (_, Ok(output)) => ("\"flatten\", ", output),
            _ => ("\"image_rows\", ", fit(&[6, 12]).unwrap()),
        };
        let behind = match output {
            Shape::Features(_) => "",
            _ => "\"flatten\", ",
        };
        let layers = format!("[{front}{written}, {behind}{{ linear = 3 }}]");
        let model = exported(config(&layers, "", ""), dataset(&[2, 6, 6]));
        check(&model);
        // Its own operators, but for dropout, which is the identity.
        let count = model.graph.unwrap().node.len();
        assert!(
            count >= 5 || entry.name == "dropout",
            "{}: {count}",
            entry.name
        );
    }
}

/// Windows that reach beyond the picture: padding instead of ceil_mode, and factors instead of
/// divisors, worked out by hand for Caffe's pool of 3 with step 2 on 6 pixels: the last window covers
/// two of three.
#[test]
fn pools_need_no_ceil_mode() {
    let pool = |pool: &str| {
        let layers = format!("[{{ {pool} }}, \"flatten\", {{ linear = 3 }}]");
        let model = exported(config(&layers, "", ""), dataset(&[1, 6, 6]));
        check(&model);
        model.graph.unwrap()
    };
    let graph = pool("max_pool2d = { kernel_size = 3, stride = 2, ceil_mode = true }");
    assert_eq!(ints(node(&graph, "MaxPool"), "pads"), [0, 0, 1, 1]);
    let graph = pool("avg_pool2d = { kernel_size = 3, stride = 2, ceil_mode = true }");
    assert_eq!(ints(node(&graph, "AveragePool"), "pads"), [0, 0, 1, 1]);
    let factors = floats(tensor(&graph, "0.factors"));
    assert_eq!(factors, [1.0, 1.0, 1.5, 1.0, 1.0, 1.5, 1.5, 1.5, 2.25]);
    // Padding counts: every window is divided by nine.
    let graph = pool("avg_pool2d = { kernel_size = 3, stride = 1, padding = 1 }");
    assert_eq!(ints(node(&graph, "AveragePool"), "pads"), [1, 1, 1, 1]);
    assert!(
        !graph
            .initializer
            .iter()
            .any(|tensor| tensor.name == "0.factors")
    );
    let uncounted =
        "avg_pool2d = { kernel_size = 3, stride = 1, padding = 1, count_include_pad = false }";
    let factors = floats(tensor(&pool(uncounted), "0.factors"));
    assert_eq!((factors[0], factors[1], factors[7]), (2.25, 1.5, 1.0));
}

/// A text of 65 letters.
fn letters(context: usize) -> Dataset {
    let text = || {
        Samples::windows(
            [context, 65],
            (0..50 * context as u32).map(|i| i % 65).collect(),
        )
    };
    let names = (0..65).map(|letter| letter.to_string()).collect();
    let (train, test) = (text().unwrap(), text().unwrap());
    Dataset::of("text", train, test, Task::Tokens(names)).unwrap()
}

#[test]
fn every_preset_can_be_exported() {
    let samples = |shape: &[usize]| {
        let elements: usize = shape.iter().product();
        let values = (0..20 * elements).map(|i| (i * 7 % 256) as u8).collect();
        Samples::from_bytes(shape, values, (0..20).map(|i| i % 10).collect()).unwrap()
    };
    for preset in PRESETS
        .iter()
        .filter(|preset| !preset.name.starts_with("cifar10-res"))
    {
        // Any rate will do where the preset leaves its bounds to a range test.
        let rate = Overrides {
            set: vec!["schedule.policy=constant".into(), "schedule.lr=0.1".into()],
            ..Overrides::default()
        };
        let config = Config::read(preset.name, preset.text, &rate, &Tables::default());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let shape = config.data.source.known().shape;
        // A table has columns as its file has.
        let shape = if shape.is_empty() { vec![5] } else { shape };
        let dataset = match config.data.source.name() {
            "numbers" | "sums" => config.load_data().unwrap(),
            "text" => letters(shape[0]),
            _ => Dataset::new(preset.name, samples(&shape), samples(&shape), 10).unwrap(),
        };
        check(&exported(config, dataset));
    }
}

#[test]
fn export_writes_a_whole_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    let output = program(folder, &["export", "run", "--onnx", "model.onnx"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[batch, 1, 28, 28], f32, 0 to 255"), "{text}");
    let model = std::fs::read(folder.join("model.onnx")).unwrap();
    check(&ModelProto::decode(&model[..]).unwrap());
    for (arguments, expected) in [
        (vec!["export", "run"], "--onnx"),
        (
            vec!["export", "none", "--onnx", "x.onnx"],
            "none: does not exist",
        ),
        (
            vec!["export", "run", "--onnx", "no/x.onnx"],
            "--onnx: no/x.onnx cannot be written",
        ),
    ] {
        let output = program(folder, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let found = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(found.contains(expected), "{found}");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2);
}
