//! Layers with rows, words, and several parameters; a carried state.

use wavetrain::Result;
use wavetrain::error::Error;
use wavetrain::kernel::builder::grid;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::source::INDEX;
use wavetrain::kernel::{Builder, Call, Element, Matrix, Shader, Value};
use wavetrain::layer::{
    Back, Fit, Forward, Init, Layer, Linear, Lstm, Misfit, ParameterSpec, Pass, Recurrent,
    Reference, ReferenceGradients, Site, Storage,
};
use wavetrain::product::Product;
use wavetrain::product::matmul::Form;
use wavetrain::shape::Shape;

use super::{Net, sequence};

pub(crate) fn parameter(name: &str, shape: &[usize]) -> ParameterSpec {
    ParameterSpec {
        name: name.into(),
        shape: shape.to_vec(),
        init: Init::Normal(0.02),
        fan_in: 1,
        fan_out: 1,
        lr_mult: 1.0,
        decay_mult: 1.0,
        storage: Storage::Rows,
        zero_row: None,
        tied: None,
    }
}

/// A stub computes nothing: its reference gives zeros of the right shape.
pub(crate) fn nothing(pass: &Pass<'_>) -> Vec<f64> {
    vec![0.0; pass.samples * pass.node.output().elements()]
}

pub(crate) fn no_gradients(pass: &Pass<'_>) -> ReferenceGradients {
    let specs = pass.node.fit.parameters.iter();
    ReferenceGradients {
        dx: vec![0.0; pass.x.len()],
        parameters: specs
            .map(|spec| vec![0.0; spec.shape.iter().product()])
            .collect(),
    }
}

macro_rules! stub_reference {
    ($layer:ty) => {
        impl Reference for $layer {
            fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
                nothing(pass)
            }

            fn backward(&self, pass: &Pass<'_>, _: &[f64]) -> ReferenceGradients {
                no_gradients(pass)
            }
        }
    };
}

/// A shader that reads and writes what a stub binds, each once.
fn shader(name: &'static str, bindings: &str, body: &str) -> Shader {
    let text = format!(
        "struct Dims {{ rows: u32 }}\n@group(0) @binding(0) var<uniform> dims: Dims;\n{bindings}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {{
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows {{ return; }}
    {body}
}}\n"
    );
    Shader::new(name, &[&INDEX], text)
}

fn call(b: &Builder, what: &str, rows: usize) -> Result<Call> {
    Ok(Call::new(b.label(what), grid(rows, 64)?).u32("rows", rows))
}

/// torch.nn.Embedding: words become rows of a table; the words have no gradient.
#[derive(Debug, Clone)]
struct Embedding {
    words: usize,
    width: usize,
}

impl Layer for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        Ok(Fit {
            parameters: vec![parameter("weight", &[self.words, self.width])],
            ..Fit::new(sequence(input.elements(), self.width))
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let y = b.shaped("y", at.output());
        let weight = b.parameter(at.parameter("weight")?);
        let call = call(b, "forward", y.matrix.rows)?
            .value("x", x)
            .value("y", y)
            .place("w", weight);
        let bindings = "@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;";
        let shader = shader("own/embedding", bindings, "y[i] = w[x[i / 4u].x];");
        b.dispatch(&shader, "main", call);
        Ok(y.into())
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let gradient = b.gradient(at.parameter("weight")?);
        let call = call(b, "weight gradient", self.words)?
            .value("x", back.x)
            .value("dy", back.dy)
            .place("dw", gradient);
        let bindings = "@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;";
        let body = "dw[i] = select(vec4<f32>(0.0), dy[0], x[0].x == i);";
        b.dispatch(&shader("own/embedding_back", bindings, body), "main", call);
        Ok(None)
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

stub_reference!(Embedding);

/// torch.nn.MultiheadAttention over the sequence itself: scores for every sample and head.
#[derive(Debug, Clone)]
struct MultiheadAttention {
    heads: usize,
}

impl Layer for MultiheadAttention {
    fn name(&self) -> &'static str {
        "multihead_attention"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let width = input.features();
        if !width.is_multiple_of(self.heads) {
            return Err(Misfit {
                problem: format!("has {} heads, but its input {width} features", self.heads),
                help: "choose a number of heads that divides the features".into(),
            });
        }
        Ok(Fit {
            parameters: vec![
                parameter("in_proj_weight", &[3 * width, width]),
                parameter("out_proj.weight", &[width, width]),
            ],
            ..Fit::new(*input)
        })
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let (steps, width) = (at.input().rows(), at.input().features());
        let weight = at.parameter("in_proj_weight")?;
        let qkv = b.shaped("qkv", &at.input().with_features(3 * width));
        let label = b.label("projections");
        let product = Product::new(Form::Nt, label, x.matrix.rows, 3 * width)
            .sum_over(width)
            .a(x.bound(), x.matrix)
            .b(b.parameter(weight), weight.matrix)
            .c(qkv.bound(), qkv.matrix);
        b.product(product)?;
        // A matrix of steps x steps for every sample and head.
        let rows = x.samples() * self.heads * steps;
        let scores = b.matrix("scores", Matrix::new(rows, steps));
        let mut call = call(b, "scores", rows)?;
        call = call.value("qkv", qkv).value("scores", scores);
        let bindings = "@group(0) @binding(1) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> scores: array<vec4<f32>>;";
        b.dispatch(
            &shader("own/scores", bindings, "scores[i] = qkv[i];"),
            "main",
            call,
        );
        Ok(Forward {
            saved: vec![qkv, scores],
            ..Forward::from(x)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let [qkv, scores] = back.saved else {
            return Err(at.defect("saved nothing"));
        };
        assert_eq!(
            scores.matrix.rows,
            qkv.samples() * self.heads * at.input().rows()
        );
        let weight = at.parameter("in_proj_weight")?;
        let gradient = b.gradient(weight);
        let label = b.label("weight gradient");
        let product = Product::new(Form::Tn, label, qkv.matrix.cols, back.x.matrix.cols)
            .sum_over(back.x.matrix.rows)
            .a(qkv.bound(), qkv.matrix)
            .b(back.x.bound(), back.x.matrix)
            .c(gradient, weight.matrix);
        b.product(product)?;
        Ok(Some(back.dy))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

stub_reference!(MultiheadAttention);

#[test]
fn a_language_model_is_a_list_of_layers() {
    let mut lstm = Lstm(Recurrent::new(20));
    lstm.carry();
    let layers: Vec<Box<dyn Layer>> = vec![
        Box::new(Embedding {
            words: 70,
            width: 24,
        }),
        Box::new(lstm),
        Box::new(MultiheadAttention { heads: 4 }),
        Box::new(Linear::new(70)),
    ];
    let net = Net::new(&layers, Shape::Features(9));
    assert_eq!(net.nodes[3].output(), sequence(9, 70));
    assert_eq!(
        net.parameters(),
        [
            "0.weight",
            "1.weight_ih_l0",
            "1.weight_hh_l0",
            "1.bias_ih_l0",
            "1.bias_hh_l0",
            "2.in_proj_weight",
            "2.out_proj.weight",
            "3.weight",
            "3.bias",
        ]
    );
    let plan = net.realize(Element::U32);
    let carried = |user: &str| format!("{user} 1.h_l0");
    let keys: Vec<String> = plan.buffers.iter().map(|b| b.key.to_string()).collect();
    assert!(keys.contains(&carried("training")), "{keys:?}");
    assert!(!keys.contains(&carried("evaluation")), "{keys:?}");
    // A linear layer works on every position.
    let last = plan.dispatches().find(|d| d.label == "3 linear: forward");
    assert_eq!(last.unwrap().shape, "nt 54x70x24".replace("x24", "x20"));
}

/// What the adapter would not notice: words that are read as numbers.
#[test]
fn an_element_of_another_type_is_refused() {
    let layers: Vec<Box<dyn Layer>> = vec![Box::new(Embedding { words: 7, width: 8 })];
    let net = Net::new(&layers, Shape::Features(9));
    match net.try_realize(Element::F32) {
        Err(Error::Kernel { problem, .. }) => {
            assert!(problem.contains("read as u32"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
}

/// A recurrence that does not say so.
#[test]
fn reading_and_writing_one_buffer_is_stated() {
    let gpu = std::sync::Arc::new(wavetrain::gpu::Gpu::noop(wavetrain::gpu::Class::Tiled).unwrap());
    let mut workshop = wavetrain::kernel::program::Workshop::new(gpu.clone(), 1);
    let mut plan = |stated: bool| {
        let mode = wavetrain::kernel::Mode::Train;
        let mut b = Builder::new(gpu.target(), mode, 4);
        let y = b.value("y", 8);
        b.keep(y, Key::Kept("y"));
        let call = call(&b, "recurrence", 4).unwrap().value("y", y);
        let call = if stated { call.in_place("y") } else { call };
        let bindings = "@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;";
        b.dispatch(
            &shader("own/recurrence", bindings, "y[i + 1u] = y[i];"),
            "main",
            call,
        );
        workshop.realize(&b.finish())
    };
    assert!(plan(true).is_ok());
    match plan(false) {
        Err(Error::Kernel { problem, .. }) => assert!(problem.contains("in_place"), "{problem}"),
        other => panic!("{other:?}"),
    }
}
