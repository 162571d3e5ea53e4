//! Layers and policies that the crate does not know: trained, saved, read back, used.

use std::sync::LazyLock;

use serde::Deserialize;
use wavetrain::args::Entry;
use wavetrain::config::{Overrides, Tables};
use wavetrain::kernel::{Builder, Value};
use wavetrain::layer::{Back, Fit, Forward, LAYERS, Layer, LeakyRelu, Misfit, Reference, Site};
use wavetrain::loss::LOSSES;
use wavetrain::model::Model;
use wavetrain::schedule::{Constant, Invalid, POLICIES, Policy, Rate};
use wavetrain::shape::Shape;
use wavetrain::train::Evaluator;
use wavetrain::{Config, Result, Trainer};

use super::fixture::{dataset, gpus, save};

const SHAPE: [usize; 3] = [1, 4, 4];

/// y = x or slope x, under a name of its own.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bent {
    slope: f64,
}

impl Bent {
    fn inner(self) -> Box<dyn Layer> {
        Box::new(LeakyRelu {
            negative_slope: self.slope,
        })
    }
}

impl Layer for Bent {
    fn name(&self) -> &'static str {
        "bent"
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::from_iter([("slope".to_owned(), self.slope.into())])
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        self.inner().fit(input)
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        self.inner().forward(b, at, x)
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        self.inner().backward(b, at, back)
    }

    fn reference(&self) -> &dyn Reference {
        unreachable!("no proof asks it")
    }
}

/// A constant rate under a name of its own.
#[derive(Debug, Clone)]
struct Still(Constant);

impl Policy for Still {
    fn name(&self) -> &'static str {
        "still"
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.0.validate()
    }

    fn at(&self, step: u64) -> Rate {
        self.0.at(step)
    }

    fn describe(&self) -> String {
        "still".into()
    }

    fn arguments(&self) -> toml::Table {
        self.0.arguments()
    }
}

const BENT: Entry<dyn Layer> = Entry {
    name: "bent",
    summary: "",
    arguments: &["slope"],
    short: Some("slope"),
    example: "slope = 0.1",
    parse: |args| Ok(Box::new(args.read::<Bent>()?)),
};
const STILL: Entry<dyn Policy> = Entry {
    name: "still",
    summary: "",
    arguments: &["lr"],
    short: None,
    example: "lr = 0.1",
    parse: |args| Ok(Box::new(Still(args.read()?))),
};

/// The crate's tables and one entry more.
fn with<T: ?Sized>(own: Entry<T>, others: &'static [Entry<T>]) -> &'static [Entry<T>] {
    let copied = others.iter().map(|entry| Entry { ..*entry });
    Box::leak(copied.chain([own]).collect())
}

static OWN_LAYERS: LazyLock<&[Entry<dyn Layer>]> = LazyLock::new(|| with(BENT, LAYERS));
static OWN_POLICIES: LazyLock<&[Entry<dyn Policy>]> = LazyLock::new(|| with(STILL, POLICIES));

const TEXT: &str = r#"
[data]
batch = 16
[model]
layers = ["flatten", { linear = 6 }, { bent = 0.3 },
    { residual = { body = [{ bent = { slope = 0.2 } }, { linear = 6 }] } },
    { repeat = { times = 2, layers = [{ linear = 6 }, { bent = 0.1 }] } },
    { linear = 3 }]
[schedule]
policy = "sequence"
policies = [{ policy = "still", lr = 0.05, steps = 4 },
    { policy = "warmup", warmup_steps = "1 epoch", then = { policy = "still", lr = 0.2 } }]
[train]
steps = 9
"#;

fn read(text: &str) -> Result<Config> {
    let tables = Tables {
        layers: *OWN_LAYERS,
        policies: *OWN_POLICIES,
        ..Tables::default()
    };
    Config::read("own.toml", text, &Overrides::default(), &tables)
}

#[test]
fn own_layers_train_are_saved_and_read_back() {
    let config = read(TEXT).unwrap();
    let written = config.to_toml();
    assert_eq!(read(&written).unwrap().to_toml(), written);
    let gpu = gpus().remove(0);
    let mut trainer = Trainer::new(gpu.clone(), config.clone(), dataset(&SHAPE)).unwrap();
    assert_eq!(trainer.schedule().at(3).lr, 0.05);
    assert_eq!(trainer.schedule().at(1000).lr, 0.2);
    trainer.advance(9, 3).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = save(&trainer, folder.path());
    let unknown = Model::open(&file).unwrap_err().to_string();
    assert!(unknown.contains("no layer is called `bent`"), "{unknown}");
    let model = Model::open_with(&file, *OWN_LAYERS, LOSSES).unwrap();
    let expected = trainer.evaluate_all().unwrap();
    let mut evaluator = Evaluator::new(gpu, &model, 256).unwrap();
    let found = evaluator.evaluate(&dataset(&SHAPE), &config.data).unwrap();
    assert_eq!(found[0].loss.to_bits(), expected[0].loss.to_bits());
    let rows = evaluator.run(&dataset(&SHAPE).test, &[3, 1]).unwrap().rows;
    assert!(rows.len() == 6 && rows.iter().all(|value| value.is_finite()));
    // The slopes are those of the file: other ones give other outputs.
    let text = std::fs::read(&file).unwrap();
    let at = text.windows(4).position(|part| part == b"0.3}").unwrap();
    let mut other = text.clone();
    other[at + 2] = b'9';
    std::fs::write(&file, other).unwrap();
    let model = Model::open_with(&file, *OWN_LAYERS, LOSSES).unwrap();
    let mut evaluator = Evaluator::new(gpus().remove(0), &model, 256).unwrap();
    let changed = evaluator.run(&dataset(&SHAPE).test, &[3, 1]).unwrap().rows;
    assert_ne!(rows, changed);
}

#[test]
fn mistakes_within_layers_and_policies_keep_their_place() {
    for (from, to, expected) in [
        (
            "{ bent = 0.1 }",
            "{ bend = 0.1 }",
            "no layer is called `bend`",
        ),
        ("{ bent = 0.1 }", "{ bent = \"a\" }", "body"),
        ("{ slope = 0.2 }", "{ slop = 0.2 }", "unknown"),
        (
            "\"still\", lr = 0.2",
            "\"stil\", lr = 0.2",
            "which is no policy",
        ),
    ] {
        let text = TEXT.replace(from, to);
        assert_ne!(text, TEXT);
        let error = read(&text).unwrap_err().to_string();
        let expected = if expected == "body" {
            "layers[1]"
        } else {
            expected
        };
        assert!(error.contains(expected), "{error}");
        let line = 1 + text.lines().position(|line| line.contains(to)).unwrap();
        assert!(error.contains(&format!("own.toml:{line}:")), "{error}");
    }
}
