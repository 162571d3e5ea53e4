//! Mistakes in a configuration, with the text that a person sees.

use std::path::Path;

use proptest::prelude::*;
use wavetrain::config::presets::PRESETS;
use wavetrain::config::{Config, Overrides, Tables};
use wavetrain::error::Error;

/// The least that a file must say.
const LEAST: &str = "[schedule]\nbase_lr = 0.01\nmax_lr = 0.1\n";

fn set(all: &[&str]) -> Overrides {
    Overrides {
        set: all.iter().map(|one| (*one).to_owned()).collect(),
        ..Overrides::default()
    }
}

fn read(text: &str, all: &[&str]) -> Result<Config, Error> {
    Config::read("run.toml", text, &set(all), &Tables::default())
}

fn good(text: &str, all: &[&str]) -> Config {
    read(text, all).unwrap_or_else(|error| panic!("{error}"))
}

/// What a person sees.
fn mistake(text: &str, all: &[&str]) -> String {
    match read(text, all) {
        Ok(config) => panic!("accepted:\n{}", config.to_toml()),
        Err(error) => {
            assert!(error.is_users_mistake());
            assert!(matches!(error, Error::Config { .. }), "{error:?}");
            error.to_string()
        }
    }
}

// ------------------------------------------------------------------------------ a few in full

#[test]
fn a_misspelt_key_is_shown_with_its_place_and_the_nearest_one() {
    assert_eq!(
        mistake("# a run\n[schedule]\nbase_lr = 0.01\nmax_rl = 0.1\n", &[]),
        "\
unknown key schedule.max_rl; policy triangular does not take it
 --> run.toml:4:1
  |
4 | max_rl = 0.1
  | ^^^^^^
  |
  = help: did you mean `max_lr`?
          policy triangular takes `base_lr`, `max_lr`, `step_size_up`, `step_size_down`, `cycle_momentum`, `base_momentum`, `max_momentum`, `cycle_mul` and `cycle_decay`"
    );
}

#[test]
fn what_the_ends_of_cycles_are_for_is_true_or_false() {
    let config = good(LEAST, &["cycle_end.snapshot=true"]);
    assert!(config.cycle_end.snapshot && !config.cycle_end.average);
    assert!(!good(LEAST, &[]).cycle_end.is_on());
    let text = mistake(&format!("{LEAST}[cycle_end]\naverage = 3\n"), &[]);
    assert!(
        text.contains("cycle_end.average") && text.contains("run.toml:5:11"),
        "{text}"
    );
    assert!(text.contains("true or false"), "{text}");
    let text = mistake(LEAST, &["cycle_end.snapshots=true"]);
    assert!(text.contains("did you mean `snapshot`?"), "{text}");
    let text = mistake(LEAST, &["train.average=true"]);
    assert!(text.contains("did you mean `cycle_end.average`?"), "{text}");
}

#[test]
fn an_argument_is_shown_as_it_was_typed() {
    assert_eq!(
        mistake(LEAST, &["data.batch=0"]),
        "\
data.batch is 0; expected a whole number, 1 or more
 |
 | --set data.batch=0
 |                  ^"
    );
}

#[test]
fn an_update_takes_at_least_one_batch() {
    for wrong in ["0", "-1", "1.5"] {
        let text = mistake(LEAST, &[&format!("train.accumulate={wrong}")]);
        assert!(text.contains("train.accumulate is"), "{text}");
        assert!(text.contains("whole number"), "{text}");
    }
}

#[test]
fn a_key_in_the_wrong_table_is_told_its_own() {
    assert_eq!(
        mistake("[train]\nbatch = 3\n", &[]),
        "\
unknown key train.batch
 --> run.toml:2:1
  |
2 | batch = 3
  | ^^^^^
  |
  = help: did you mean `data.batch`?"
    );
}

#[test]
fn a_layer_is_named_by_its_position() {
    let text = format!(
        "[model]\nlayers = [\n    \"flatten\",\n    {{ linear = {{ out_features = 10, biass = true }} }},\n]\n{LEAST}"
    );
    assert_eq!(
        mistake(&text, &[]),
        "\
unknown key model.layers[1].linear.biass; layer linear does not take it
 --> run.toml:4:37
  |
4 |     { linear = { out_features = 10, biass = true } },
  |                                     ^^^^^
  |
  = help: did you mean `bias`?
          layer linear takes `out_features`, `bias`, `init`, `bias_init`, `tie`, `lr_mult` and `decay_mult`"
    );
}

#[test]
fn broken_toml_is_shown_with_its_place() {
    assert_eq!(
        mistake("seed = 1\n[data\nbatch = 3\n", &[]),
        "\
this is not TOML: unclosed table, expected `]`
 --> run.toml:2:6
  |
2 | [data
  |      ^"
    );
}

#[test]
fn cycling_a_momentum_of_zero_names_both_keys() {
    let text = format!("[optimizer]\nmomentum = 0\n{LEAST}cycle_momentum = true\n");
    assert_eq!(
        mistake(&text, &[]),
        "\
schedule.cycle_momentum is true, but optimizer.momentum is 0; there is no momentum to cycle between 0.8 and 0.9
 --> run.toml:6:18
  |
2 | momentum = 0
  |            - the momentum
...
6 | cycle_momentum = true
  |                  ^^^^
  |
  = help: set optimizer.momentum (0.9 is usual), or schedule.cycle_momentum = false"
    );
    let cycled = good(&text, &["optimizer.momentum=0.9"]);
    assert_eq!(
        cycled.notes(),
        [
            "momentum cycles between 0.9 (at the lowest rate) and 0.8 (at the peak); \
          this replaces optimizer.momentum = 0.9"
        ]
    );
}

#[test]
fn several_mistakes_are_told_at_once() {
    let text = mistake(
        LEAST,
        &["data.batch=0", "train.epochs=0", "loss.kind=mes", "seed=-1"],
    );
    for part in [
        "data.batch is 0",
        "train.epochs is 0",
        "`mse`",
        "seed is -1",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(text.matches("\n\nerror: ").count(), 3, "{text}");
}

// ---------------------------------------------------------------------------- the rest in short

/// A file or an argument, and what its message must say.
#[rustfmt::skip]
const GALLERY: &[(&str, &[&str], &[&str])] = &[
    ("seed = ", &[], &["this is not TOML", "run.toml:1:8"]),
    ("seed = \"a", &[], &["this is not TOML", "invalid basic string"]),
    ("seed = 1\nseed = 2\n", &[], &["this is not TOML: duplicate key", "run.toml:2:1"]),
    ("sed = 1\n", &[], &["unknown key sed", "did you mean `seed`?"]),
    ("[optimiser]\n", &[], &["unknown key optimiser", "did you mean `optimizer`?"]),
    ("banana = 1\n", &[], &["unknown key banana", "`train`, `cycle_end`, `checkpoint` and `run`"]),
    ("lr = 1\n", &[], &["unknown key lr", "did you mean `schedule.lr`?"]),
    ("momentum = 1\n", &[], &["did you mean `optimizer.momentum`?"]),
    ("[train]\nepoch = 1\n", &[], &["unknown key train.epoch", "did you mean `epochs`?"]),
    ("", &[], &["schedule.base_lr is missing; policy triangular needs it", "base_lr = 0.01"]),
    ("[schedule]\nmax_lr=1", &[], &["schedule.base_lr is missing", "run.toml:1:1"]),
    ("[schedule]\npolicy = \"triangulr\"\n", &[], &["schedule.policy is \"triangulr\", which is no policy", "did you mean `triangular`?", "run.toml:2:10"]),
    ("[schedule]\npolicy = 3\n", &[], &["schedule.policy is 3; expected one of"]),
    ("schedule = 3\n", &[], &["schedule is 3; expected a table"]),
    ("[[schedule]]\nlr = 3\n", &[], &["schedule is an array; expected a table"]),
    (LEAST, &["schedule=fast"], &["schedule is the string \"fast\"; expected a table", "--set schedule.KEY=VALUE"]),
    (LEAST, &["schedule.gamma=0.9"], &["unknown key schedule.gamma", "gamma belongs to `exp_range`"]),
    (LEAST, &["schedule.max_lr=fast"], &["schedule.max_lr is the string \"fast\"; expected a number"]),
    (LEAST, &["schedule.max_lr=nan"], &["schedule.max_lr is nan; expected a finite number"]),
    (LEAST, &["schedule.max_lr=inf"], &["schedule.max_lr is inf; expected a finite number"]),
    (LEAST, &["schedule.max_lr=1e999"], &["schedule.max_lr is 1e999; expected a finite number"]),
    (LEAST, &["schedule.max_lr=-0.1"], &["schedule.max_lr is -0.1"]),
    (LEAST, &["schedule.max_lr=0.001"], &["schedule.max_lr is 0.001, below base_lr = 0.01"]),
    (LEAST, &["schedule.max_lr=0.01"], &["schedule.max_lr is 0.01, the same as base_lr"]),
    (LEAST, &["schedule.step_size_up=0"], &["schedule.step_size_up is 0"]),
    (LEAST, &["schedule.step_size_up=-5"], &["schedule.step_size_up is -5"]),
    (LEAST, &["schedule.step_size_up=1.5"], &["schedule.step_size_up is 1.5; expected a whole number"]),
    (LEAST, &["data.batch=0"], &["data.batch is 0; expected a whole number, 1 or more"]),
    (LEAST, &["data.batch=-1"], &["data.batch is -1; expected a whole number, 1 or more"]),
    (LEAST, &["data.batch=1e3"], &["data.batch is 1e3; expected a whole number"]),
    (LEAST, &["data.batch=5000000000"], &["expected a whole number from 1 to 4294967295"]),
    (LEAST, &["data.validation=1"], &["data.validation is 1; expected a part of the training set"]),
    (LEAST, &["data.validation=-0.1"], &["data.validation is -0.1"]),
    (LEAST, &["data.validation=nan"], &["data.validation is nan"]),
    (LEAST, &["data.shuffle=yes"], &["data.shuffle is the string \"yes\"; expected true or false", "`yes` is not a TOML value"]),
    (LEAST, &["data.source=minst"], &["data.source is \"minst\", which is no source", "did you mean `mnist`?"]),
    (LEAST, &["data.normalize=std"], &["one of `unit`, `standard`, `mean_image` or `none`"]),
    (LEAST, &["data.dir=7"], &["data.dir is 7; expected a folder's path", "\"7\""]),
    (LEAST, &["data.dir="], &["data.dir is empty"]),
    (LEAST, &["loss.kind=crossentropy"], &["did you mean `cross_entropy`?"]),
    (LEAST, &["loss.label_smooting=0.1"], &["did you mean `label_smoothing`?"]),
    (LEAST, &["loss.kind=mse", "loss.label_smoothing=0.1"], &["loss mse does not take it", "label_smoothing belongs to `cross_entropy`", "loss mse takes no arguments"]),
    (LEAST, &["optimizer.kind=rmsprop"], &["optimizer.kind is \"rmsprop\", which is no optimizer; expected one of `sgd`, `adam` or `adamw`"]),
    (LEAST, &["optimizer.kind=admw"], &["did you mean `adamw`?"]),
    (LEAST, &["optimizer.momentum=1"], &["optimizer.momentum is 1"]),
    (LEAST, &["optimizer.momentum=-0.1"], &["optimizer.momentum is -0.1"]),
    (LEAST, &["optimizer.momentum=0.99999999999"], &["optimizer.momentum is 0.99999999999, but a momentum lies in [0, 1)"]),
    (LEAST, &["optimizer.weight_decay=-1e-4"], &["optimizer.weight_decay is -0.0001, but a decay is a finite number from 0 up"]),
    (LEAST, &["optimizer.weight_decay=1e39"], &["optimizer.weight_decay is 1"]),
    // What only an f32 makes infinite or 1, wherever it stands.
    (LEAST, &["model.layers=[{scale=-1e39}]"], &["model.layers[0].scale is -1e39; expected a finite number, also as an f32: at most 3.4e38"]),
    (LEAST, &["model.layers=[{residual={body=[{leaky_relu=4e38}]}}]"], &["model.layers[0].residual.body[0].leaky_relu is 4e38; expected a finite number, also as an f32"]),
    (LEAST, &["model.layers=[{linear={out_features=3, init={normal=1e39}, lr_mult={bias=1e300}}}]"], &["model.layers[0].linear.init.normal is 1e39", "model.layers[0].linear.lr_mult.bias is 1e300"]),
    (LEAST, &["schedule={policy='piecewise', points=[[0, 0.1], [5, 1e39]]}"], &["schedule.points[1][1] is 1e39; expected a finite number, also as an f32"]),
    (LEAST, &["loss.label_smoothing=1e39"], &["loss.label_smoothing is 1e39"]),
    (LEAST, &["model.layers=[{dropout=0.99999999999}]"], &["model.layers[0].dropout.p is 0.99999999999, but a probability of dropping lies in [0, 1)"]),
    (LEAST, &["model.layers=['image_rows', {lstm={hidden_size=4, num_layers=2, dropout=0.99999999999}}]"], &["lstm.dropout is 0.99999999999"]),
    (LEAST, &["model.layers=['image_rows', {multihead_attention={num_heads=4, dropout=0.99999999999}}]"], &["multihead_attention.dropout is 0.99999999999"]),
    (LEAST, &["schedule.cycle_momentum=true", "schedule.max_momentum=0.99999999999"], &["schedule.max_momentum is 0.99999999999"]),
    (LEAST, &["optimizer.kind=adam", "optimizer.betas=[1.0, 0.999]"], &["optimizer.betas[0] is 1, but a beta lies in [0, 1)"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=[0.9, 1.5]"], &["optimizer.betas[1] is 1.5"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=[0.9, 0.9999999999]"], &["optimizer.betas[1] is 0.9999999999"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=[-0.1, 0.9]"], &["optimizer.betas[0] is -0.1"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=[nan, 0.9]"], &["optimizer.betas[0] is nan; expected a finite number"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=0.9"], &["optimizer.betas"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=[0.9]"], &["optimizer.betas has 1 elements; expected two betas, such as [0.9, 0.999]"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.betas=[0.9, 0.99, 0.999]"], &["optimizer.betas has 3 elements"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.eps=0"], &["optimizer.eps is 0, but eps"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.eps=-1e-8"], &["optimizer.eps is -0.00000001, but eps"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.eps=1e-60"], &["a number above 0 that an f32 holds"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.eps=1e60"], &["optimizer.eps is 1e60; expected a finite number, also as an f32"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.eps=inf"], &["optimizer.eps is inf; expected a finite number"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.weight_decay=-0.01"], &["optimizer.weight_decay is -0.01, but a decay"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.weight_decay=1e300"], &["also as an f32"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.momentum=0.9"], &["unknown key optimizer.momentum; optimizer adamw does not take it", "momentum belongs to `sgd`", "optimizer adamw takes `betas`, `eps`, `weight_decay`, `clip_norm`, `decay_on` and `lr_mult`"]),
    (LEAST, &["optimizer.kind=adam", "optimizer.nesterov=true"], &["optimizer adam does not take it", "nesterov belongs to `sgd`"]),
    (LEAST, &["optimizer.kind=adam", "optimizer.beta=[0.9, 0.99]"], &["did you mean `betas`?"]),
    (LEAST, &["optimizer.betas=[0.9, 0.99]"], &["optimizer sgd does not take it", "betas belongs to `adam` and `adamw`"]),
    (LEAST, &["optimizer.kind=adam", "optimizer.betas=[0, 0.999]", "schedule.cycle_momentum=true"], &["schedule.cycle_momentum is true, but optimizer.betas[0] is 0; there is no momentum to cycle between 0.8 and 0.9", "set optimizer.betas[0] (0.9 is usual)"]),
    (LEAST, &["optimizer.kind=adamw", "schedule.cycle_momentum=true", "schedule.max_momentum=1"], &["schedule.max_momentum is 1; expected a momentum from 0 to below 1"]),
    (LEAST, &["optimizer.clip_norm=0"], &["optimizer.clip_norm is 0; expected a norm above 0 that an f32 holds, such as 1.0, or \"none\""]),
    (LEAST, &["optimizer.clip_norm=-1.0"], &["optimizer.clip_norm is -1; expected a norm above 0"]),
    (LEAST, &["optimizer.clip_norm=nan"], &["optimizer.clip_norm is nan; expected a finite number"]),
    (LEAST, &["optimizer.clip_norm=inf"], &["optimizer.clip_norm is inf; expected a finite number"]),
    (LEAST, &["optimizer.clip_norm=1e-60"], &["a norm above 0 that an f32 holds"]),
    (LEAST, &["optimizer.clip_norm=1e60"], &["also as an f32"]),
    (LEAST, &["optimizer.clip_norm=no"], &["optimizer.clip_norm is the string \"no\"; expected a finite number"]),
    (LEAST, &["optimizer.decay_on=biases"], &["optimizer.decay_on is the string \"biases\"; expected \"all\" or \"matrices\""]),
    (LEAST, &["optimizer.lr_mult=0.1"], &["optimizer.lr_mult is 0.1; expected a table from positions and names to factors, such as { \"0-5\" = 0.1 }"]),
    (LEAST, &["optimizer.lr_mult={ \"0-5\" = -0.1 }"], &["optimizer.lr_mult.\"0-5\" is -0.1; expected a factor on the rate from 0 up"]),
    (LEAST, &["optimizer.lr_mult={ 0 = 'small' }"], &["optimizer.lr_mult.\"0\" is the string \"small\"; expected a factor on the rate, such as 0.1"]),
    (LEAST, &["optimizer.lr_mult={ 0 = inf }"], &["optimizer.lr_mult.0 is inf; expected a finite number"]),
    (LEAST, &["optimizer.lr_mult={ 0 = 1e60 }"], &["also as an f32"]),
    (LEAST, &["optimizer.lr_mlt={ 0 = 1 }"], &["did you mean `lr_mult`?"]),
    (LEAST, &["data.source=numbers", "data.stateful=true"], &["data.stateful is true, and so is data.shuffle", "data.shuffle = false"]),
    (LEAST, &["data.source=numbers", "data.context=0"], &["data.context is 0; expected a whole number, 1 or more"]),
    (LEAST, &["data.context=16"], &["unknown key data.context; source glyphs does not take it", "belongs to `text` and `numbers`"]),
    (LEAST, &["optimizer.clip_nrom=1"], &["did you mean `clip_norm`?"]),
    (LEAST, &["optimizer.kind=adamw", "optimizer.clip=1"], &["optimizer adamw does not take it", "`weight_decay`, `clip_norm`, `decay_on` and `lr_mult`"]),
    ("clip_norm = 1\n", &[], &["did you mean `optimizer.clip_norm`?"]),
    (LEAST, &["optimizer.momentum_form=kaffe"], &["optimizer.momentum_form is the string \"kaffe\"", "did you mean `caffe`?"]),
    (LEAST, &["train.epochs=0"], &["train.epochs is 0; expected a whole number, 1 or more"]),
    (LEAST, &["train.steps=0"], &["train.steps is 0"]),
    (LEAST, &["train.steps=99999999999999999999"], &["at most 9223372036854775807"]),
    (LEAST, &["train.eval_every=0"], &["train.eval_every is 0"]),
    (LEAST, &["train.eval_every=1 year"], &["such as \"1 epoch\""]),
    (LEAST, &["train.eval_every=0 epochs"], &["such as \"1 epoch\""]),
    (LEAST, &["train.chunk=0"], &["train.chunk is 0"]),
    (LEAST, &["train.chunk=fast"], &["\"auto\""]),
    (LEAST, &["train={steps=1,epochs=1}"], &["train.epochs and train.steps are both set"]),
    (LEAST, &["seed=-1"], &["seed is -1; expected a whole number, 0 or more"]),
    (LEAST, &["seed=9223372036854775808"], &["at most 9223372036854775807"]),
    (LEAST, &["data.seed=1.0"], &["data.seed is 1.0; expected a whole number"]),
    (LEAST, &["model.layers=[]"], &["model.layers is empty"]),
    (LEAST, &["model.layers=relu"], &["model.layers is the string \"relu\"; expected a list"]),
    (LEAST, &["model.layers.1.linear=3"], &["model.layers is a table", "give the whole list"]),
    (LEAST, &["model.layers[1]=3"], &["`model.layers[1]` is not a key"]),
    (LEAST, &["model.layers=['reul']"], &["model.layers[0] is \"reul\", which is no layer", "did you mean `relu`?"]),
    (LEAST, &["model.layers=['relu', {liner=3}]"], &["model.layers[1] is \"liner\"", "did you mean `linear`?"]),
    (LEAST, &["model.layers=[3]"], &["model.layers[0] is 3; expected a layer"]),
    (LEAST, &["model.layers=[{}]"], &["model.layers[0] is an empty table"]),
    (LEAST, &["model.layers=[{linear=3, bias=true}]"], &["model.layers[0] has more than one key", "inner table"]),
    (LEAST, &["model.layers=[{relu=3}]"], &["model.layers[0].relu is 3; this layer has no short form", "write \"relu\""]),
    (LEAST, &["model.layers=['linear']"], &["model.layers[0].linear.out_features is missing"]),
    (LEAST, &["model.layers=[{linear=0}]"], &["model.layers[0].linear.out_features is 0"]),
    (LEAST, &["model.layers=[{linear=-3}]"], &["model.layers[0].linear.out_features is -3; expected a whole number, 1 or more, or \"outputs\""]),
    (LEAST, &["model.layers=[{linear='wide'}]"], &["out_features is the string \"wide\"; expected a whole number"]),
    (LEAST, &["model.layers=[{linear={out_features=3,init='torhc'}}]"], &["model.layers[0].linear.init is the string \"torhc\"", "did you mean `torch`?"]),
    (LEAST, &["model.layers=[{linear={out_features=3,init=nan}}]"], &["model.layers[0].linear.init is nan"]),
    (LEAST, &["model.layers=[{linear={out_features=3,lr_mult={wieght=2}}}]"], &["unknown key model.layers[0].linear.lr_mult.wieght", "did you mean `weight`?"]),
    (LEAST, &["model.layers=[{dropout=1.0}]"], &["model.layers[0].dropout.p is 1"]),
    (LEAST, &["model.layers=[{dropout=-0.5}]"], &["model.layers[0].dropout.p is -0.5"]),
    (LEAST, &["model.layer=[]"], &["unknown key model.layer", "did you mean `layers`?"]),
    (LEAST, &["data.batch"], &["--set data.batch has no `=`", "--set KEY=VALUE"]),
    (LEAST, &["=3"], &["the key before `=` is empty"]),
    (LEAST, &["data..batch=3"], &["`data..batch` is not a key"]),
    (LEAST, &["#=3"], &["\"#\" is not a key"]),
    (LEAST, &["data=3"], &["data is 3; expected a table"]),
    (LEAST, &["data.batch.size=3"], &["data.batch is a table; expected a whole number"]),
];

#[test]
fn each_mistake_is_told_clearly() {
    for (text, all, parts) in GALLERY {
        let told = mistake(text, all);
        for part in *parts {
            assert!(
                told.contains(part),
                "{text:?} {all:?}\n  lacks {part:?}\n{told}"
            );
        }
        assert!(!told.contains('\u{1b}'), "colour in {told}");
    }
}

// ------------------------------------------------------------------------------------- the files

fn load(path: &Path) -> String {
    let error = Config::load(Some(path), &Overrides::default()).unwrap_err();
    assert!(error.is_users_mistake());
    error.to_string()
}

#[test]
fn files_that_cannot_be_read_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);

    let told = load(&file("missing.toml"));
    assert!(
        told.contains("missing.toml") && told.contains("cannot read"),
        "{told}"
    );
    assert!(load(folder.path()).contains("is a folder; expected a TOML file"));
    std::fs::write(file("config.toml"), LEAST).unwrap();
    let told = load(folder.path());
    assert!(
        told.contains(&format!("did you mean {}?", file("config.toml").display())),
        "{told}"
    );

    std::fs::write(file("latin.toml"), b"seed = 1\n# caf\xe9\n").unwrap();
    let told = load(&file("latin.toml"));
    let expected = "latin.toml is not UTF-8: byte 14 (counted from 0, in line 2) is 0xe9";
    assert!(told.contains(expected), "{told}");
    std::fs::write(file("wide.toml"), b"\xff\xfes\0e\0").unwrap();
    assert!(load(&file("wide.toml")).contains("looks like UTF-16"));
    std::fs::write(file("large.toml"), vec![b'#'; 5 << 20]).unwrap();
    assert!(load(&file("large.toml")).contains("larger than 4 MiB"));

    let config = Config::load(Some(&file("config.toml")), &Overrides::default()).unwrap();
    assert_eq!(config.to_toml(), good(LEAST, &[]).to_toml());
}

#[test]
fn unknown_presets_are_refused_with_the_nearest_and_the_list() {
    let told = load(Path::new("glyhps"));
    assert!(told.contains("\"glyhps\" is no preset; the presets are `glyphs`, `mnist-mlp`, "));
    assert!(told.contains("did you mean `glyphs`?"), "{told}");
    // Something of this name lies in the current folder.
    assert!(load(Path::new("src")).contains("write ./src"));
    assert!(load(Path::new("")).contains("is no preset"));
}

#[test]
fn a_file_with_a_mark_of_byte_order_and_windows_line_ends_is_read() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(good(&text, &[]).to_toml(), good(LEAST, &[]).to_toml());
    let told = mistake("\u{feff}seed = 1\r\nbanana = 2\r\n", &[]);
    assert!(told.contains("run.toml:2:1"), "{told}");
}

// -------------------------------------------------------------------------------- whatever is typed

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = read(&text, &[]);
    }

    #[test]
    fn no_argument_panics(key in any::<String>(), value in any::<String>()) {
        let _ = read(LEAST, &[&format!("{key}={value}")]);
        let _ = read(LEAST, &[&key]);
        let _ = read(LEAST, &[&format!("schedule.{key}={value}")]);
        let _ = read(LEAST, &[&format!("schedule.max_lr={value}")]);
        let _ = read(LEAST, &[&format!("model.layers={value}")]);
    }

    /// A preset with a piece cut out, doubled or replaced: mostly near TOML, where the interesting
    /// mistakes are.
    #[test]
    fn no_damaged_preset_panics(
        which in 0..PRESETS.len(),
        place in any::<prop::sample::Index>(),
        length in 0usize..40,
        with in "[\\[\\]{}=\",.0-9a-z\n é\u{0}-]{0,6}",
    ) {
        let text = PRESETS[which].text;
        // The presets are ASCII: every place is a boundary.
        let start = place.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{with}{}", &text[..start], &text[end..]);
        match read(&damaged, &[]) {
            Ok(config) => {
                let written = config.to_toml();
                prop_assert_eq!(good(&written, &[]).to_toml(), written);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

/// Sizes that no adapter could hold are refused in words, before anything multiplies them.
#[test]
fn sizes_beyond_every_adapter_are_refused() {
    for (layers, key) in [
        ("[{ linear = 9223372036854775807 }]", "out_features"),
        ("[{ linear = 1048577 }]", "out_features"),
        (
            "[{ conv2d = { out_channels = 4611686018427387904, kernel_size = 3 } }]",
            "out_channels",
        ),
    ] {
        let text =
            format!("[model]\nlayers = {layers}\n[schedule]\npolicy = \"constant\"\nlr = 1\n");
        let error = wavetrain::Config::parse("run.toml", &text).unwrap_err();
        assert!(error.is_users_mistake());
        let error = error.to_string();
        assert!(
            error.contains(key) && error.contains("at most 1048576"),
            "{error}"
        );
    }
}
