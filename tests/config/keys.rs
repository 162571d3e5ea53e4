//! The configuration from outside: every key, layers and how they replace each other, presets, and
//! writing back. Mistakes are in `mistakes.rs`.

use std::path::{Path, PathBuf};

use wavetrain::config::presets::{self, PRESETS};
use wavetrain::config::{Chunk, Config, Length, Overrides, Tables};
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

// ---------------------------------------------------------------------------------- the defaults

#[test]
fn the_defaults_are_the_first_values_of_the_documented_keys() {
    assert_eq!(good(LEAST, &[]).to_toml(), include_str!("defaults.toml"));
}

#[test]
fn a_file_stands_on_the_defaults_and_not_on_the_default_preset() {
    let file = good("[schedule]\nbase_lr = 0.01\nmax_lr = 0.1\n", &[]);
    assert_eq!(file.train.length(), Length::Epochs(1));
    let preset = Config::load(None, &Overrides::default()).unwrap();
    assert_eq!(
        preset.to_toml(),
        Config::parse("x", preset_text("glyphs")).unwrap().to_toml()
    );
    assert_ne!(preset.train.length(), Length::Epochs(1));
}

fn preset_text(name: &str) -> &'static str {
    presets::find(name).unwrap().text
}

// ------------------------------------------------------------------------------------ every key

/// Each key, a value for `--set`, and the line that it becomes when written back.
#[rustfmt::skip]
const KEYS: &[(&str, &str, &str)] = &[
    ("seed", "7", "seed = 7"),
    ("data.seed", "3", "seed = 3"),
    ("data.subset", "0.25", "subset = 0.25"),
    ("data.validation", "0.25", "validation = 0.25"),
    ("data.source", "fashion_mnist", "source = \"fashion_mnist\""),
    ("data.source", "\"mnist\"", "source = \"mnist\""),
    ("data.dir", "some/folder with spaces", "dir = \"some/folder with spaces\""),
    ("data.batch", "1", "batch = 1"),
    ("data.shuffle", "false", "shuffle = false"),
    ("data.drop_last", "true", "drop_last = true"),
    ("data.normalize", "standard", "normalize = \"standard\""),
    ("data.normalize", "mean_image", "normalize = \"mean_image\""),
    ("data.normalize", "none", "normalize = \"none\""),
    ("data.cache", "disk", "cache = \"disk\""),
    ("data.cache", "none", "cache = \"none\""),
    ("data.cache_dir", "some/folder", "cache_dir = \"some/folder\""),
    ("data.workers", "3", "workers = 3"),
    ("augment.shift", "4", "shift = 4"),
    ("augment.padding", "zero", "padding = \"zero\""),
    ("augment.brightness", "0.2", "brightness = 0.2"),
    ("augment.contrast", "1", "contrast = 1.0"),
    ("augment.saturation", "0.5", "saturation = 0.5"),
    ("augment.scale", "[0.9, 1.1]", "scale = [0.9, 1.1]"),
    ("model.layers", "[\"flatten\", \"tanh\"]", "layers = [\n    \"flatten\",\n    \"tanh\",\n]"),
    ("loss.kind", "mse", "kind = \"mse\""),
    ("loss.label_smoothing", "0.1", "label_smoothing = 0.1"),
    ("optimizer.kind", "sgd", "kind = \"sgd\""),
    ("optimizer.kind", "adam", "weight_decay = 0.0"),
    ("optimizer.kind", "adamw", "betas = [0.9, 0.999]"),
    ("optimizer.kind", "adamw", "eps = 1e-8"),
    ("optimizer.kind", "adamw", "weight_decay = 0.01"),
    ("optimizer.momentum", "0", "momentum = 0.0"),
    ("optimizer.nesterov", "true", "nesterov = true"),
    ("optimizer.weight_decay", "5e-4", "weight_decay = 0.0005"),
    ("optimizer.clip_norm", "0.25", "clip_norm = 0.25"),
    ("optimizer.decay_on", "matrices", "decay_on = \"matrices\""),
    ("optimizer.lr_mult", "{ \"0-5\" = 0.1, \"7.weight\" = 2 }", "lr_mult = { 0-5 = 0.1, \"7.weight\" = 2.0 }"),
    ("optimizer.lr_mult.\"7.*\"", "0.5", "lr_mult = { \"7.*\" = 0.5 }"),
    ("optimizer.momentum_form", "caffe", "momentum_form = \"caffe\""),
    ("schedule.base_lr", "1e-7", "base_lr = 1e-7"),
    ("schedule.max_lr", "3", "max_lr = 3.0"),
    ("schedule.step_size_up", "10", "step_size_up = 10"),
    ("schedule.step_size_down", "30", "step_size_down = 30"),
    ("schedule.cycle_momentum", "true", "cycle_momentum = true"),
    ("schedule.base_momentum", "0.85", "base_momentum = 0.85"),
    ("schedule.max_momentum", "0.95", "max_momentum = 0.95"),
    ("train.epochs", "3", "epochs = 3"),
    ("train.steps", "1000", "steps = 1000"),
    ("train.accumulate", "4", "accumulate = 4"),
    ("train.eval_every", "500", "eval_every = 500"),
    ("train.eval_every", "500 steps", "eval_every = 500"),
    ("train.eval_every", "2 epochs", "eval_every = \"2 epochs\""),
    ("train.eval_every", "'1 epoch'", "eval_every = \"1 epoch\""),
    ("train.early_stop", "3", "early_stop = 3"),
    ("train.log_every", "7", "log_every = 7"),
    ("train.chunk", "32", "chunk = 32"),
    ("train.chunk", "auto", "chunk = \"auto\""),
    ("checkpoint.every", "1 cycle", "every = \"1 cycle\""),
    ("checkpoint.every", "600 s", "every = \"10 min\""),
    ("checkpoint.every", "0", "every = 0"),
    ("checkpoint.keep", "5", "keep = 5"),
];

#[test]
fn every_key_can_be_set_by_an_argument_and_is_written_back() {
    for (key, value, line) in KEYS {
        let written = good(LEAST, &[&format!("{key}={value}")]).to_toml();
        let section = match key.split_once('.') {
            Some((section, _)) => written.split_once(&format!("[{section}]\n")).unwrap().1,
            None => &written,
        };
        let section = section.split("\n[").next().unwrap();
        assert!(
            format!("\n{section}\n").contains(&format!("\n{line}\n")),
            "{key}={value}:\n{section}"
        );
    }
}

#[test]
fn policies_are_named_with_their_own_keys() {
    let constant = good("", &["schedule.policy=constant", "schedule.lr=0.05"]);
    assert_eq!(constant.schedule.policy().unwrap().at(123).lr, 0.05);
    let exp = "[schedule]\npolicy = \"exp_range\"\nbase_lr = 0.1\nmax_lr = 1\ngamma = 0.5\n";
    assert!(
        good(exp, &["schedule.decay=both"])
            .to_toml()
            .contains("decay = \"both\"")
    );
}

#[test]
fn spaces_quotes_and_inline_tables_are_understood_in_arguments() {
    assert_eq!(good(LEAST, &["\"data\" . 'batch' = 64 "]).data.batch, 64);
    let table = "schedule = { policy = \"constant\", lr = 0.5 }";
    assert_eq!(
        good(LEAST, &[table]).schedule.policy().unwrap().name(),
        "constant"
    );
    // A value may hold `=`, and what looks like another TOML type is one.
    let odd = good(LEAST, &["data.dir=a=b"]);
    assert_eq!(odd.data.dir.as_deref(), Some(Path::new("a=b")));
    assert_eq!(good(LEAST, &["seed=0x10"]).seed, 16);
    assert_eq!(good(LEAST, &["seed=1_000"]).seed, 1000);
}

#[test]
fn layers_have_a_name_a_short_form_and_a_long_form() {
    let written = |layers: &str| good(LEAST, &[&format!("model.layers={layers}")]).to_toml();
    assert_eq!(
        written("['relu', {dropout = 0.25}, {gelu = 'tanh'}, {linear = 5}]"),
        written(
            "[{relu = {}}, {dropout = {p = 0.25}}, {gelu = {approximate = 'tanh'}}, {linear = {out_features = 5, bias = true}}]"
        ),
    );
    let text = "[[model.layers]]\nlinear = 4\n[[model.layers]]\nrelu = {}\n";
    assert_eq!(good(&format!("{text}{LEAST}"), &[]).layers.len(), 2);
    let init =
        written("[{linear = {out_features = 5, init = {normal = 0.5}, lr_mult = {bias = 2}}}]");
    assert!(
        init.contains("init = { normal = 0.5 }, lr_mult = { bias = 2.0, weight = 1.0 }"),
        "{init}"
    );
}

// ---------------------------------------------------------------------------------- merge rules

const FILE: &str = r#"
[data]
source = "mnist"
dir = "somewhere"
batch = 32
[loss]
kind = "cross_entropy"
label_smoothing = 0.1
[optimizer]
kind = "sgd"
momentum = 0.5
[schedule]
policy = "exp_range"
base_lr = 0.01
max_lr = 0.1
gamma = 0.5
[train]
epochs = 7
"#;

#[test]
fn of_two_values_of_an_argument_the_last_one_counts() {
    assert_eq!(good(FILE, &["seed=5", "seed=6"]).seed, 6);
    assert_eq!(
        good(FILE, &["data.batch=5", "data={batch=6}"]).data.batch,
        6
    );
}

#[test]
fn steps_and_epochs_replace_each_other() {
    assert_eq!(
        good(FILE, &["train.steps=10"]).train.length(),
        Length::Steps(10)
    );
    let steps = FILE.replace("epochs = 7", "steps = 70");
    assert_eq!(good(&steps, &[]).train.length(), Length::Steps(70));
    assert_eq!(
        good(&steps, &["train.epochs=2"]).train.length(),
        Length::Epochs(2)
    );
    let both = &["train.steps=10", "train.epochs=3"];
    assert_eq!(good(FILE, both).train.length(), Length::Epochs(3));
}

#[test]
fn steps_and_epochs_in_one_file_are_a_mistake() {
    assert_eq!(
        mistake("[train]\nepochs = 1\nsteps = 10\n", &[]),
        "\
train.epochs and train.steps are both set; they say the same thing twice
 --> run.toml:3:1
  |
2 | epochs = 1
  | ------ the other key
3 | steps = 10
  | ^^^^^
  |
  = help: keep one of them"
    );
}

#[test]
fn naming_a_policy_drops_the_earlier_keys_of_the_schedule() {
    // The file's gamma would be a mistake under another policy; so would a missing rate be kept.
    let constant = good(FILE, &["schedule.policy=constant", "schedule.lr=0.2"]);
    assert_eq!(constant.schedule.policy().unwrap().name(), "constant");
    // The order of the arguments does not matter: together they are one layer.
    let constant = good(FILE, &["schedule.lr=0.2", "schedule.policy=constant"]);
    assert_eq!(constant.schedule.policy().unwrap().at(0).lr, 0.2);
    // Even the same name.
    let text = mistake(FILE, &["schedule.policy=exp_range"]);
    assert!(
        text.starts_with("schedule.base_lr is missing; policy exp_range needs it"),
        "{text}"
    );
    // Another key alone keeps the rest.
    let kept = good(FILE, &["schedule.max_lr=0.5"]).to_toml();
    assert!(
        kept.contains("max_lr = 0.5") && kept.contains("gamma = 0.5"),
        "{kept}"
    );
}

#[test]
fn naming_a_loss_an_optimizer_or_a_source_drops_the_earlier_keys_of_its_table() {
    assert_eq!(good(FILE, &["loss.kind=mse"]).loss.name(), "mse");
    let same = good(FILE, &["loss.kind=cross_entropy"]).to_toml();
    assert!(same.contains("label_smoothing = 0.0"), "{same}");
    let momentum = |overrides: &[&str]| good(FILE, overrides).optimizer.momentum().unwrap().value;
    assert_eq!(momentum(&[]), 0.5);
    assert_eq!(momentum(&["optimizer.kind=sgd"]), 0.9);
    let beta = ["optimizer.kind=adamw", "optimizer.betas=[0.85, 0.99]"];
    assert_eq!(momentum(&beta), 0.85);
    let clip = |overrides: &[&str]| good(LEAST, overrides).clip_norm;
    assert_eq!(clip(&["optimizer.clip_norm=2"]), Some(2.0));
    assert_eq!(clip(&["optimizer.clip_norm=none"]), None);
    assert_eq!(
        clip(&["optimizer.kind=adam", "optimizer.clip_norm=2"]),
        Some(2.0)
    );
    assert!(
        !good(LEAST, &["optimizer.clip_norm=none"])
            .to_toml()
            .contains("clip_norm")
    );
    let other = good(FILE, &["data.source=fashion_mnist", "data.shuffle=false"]);
    assert_eq!(
        (other.data.dir, other.data.batch, other.data.shuffle),
        (None, 128, false)
    );
    let same = good(FILE, &["data.source=mnist"]);
    assert_eq!((same.data.dir, same.data.batch), (None, 128));
}

#[test]
fn a_folder_given_by_a_flag_survives_the_naming_of_a_source() {
    let overrides = Overrides {
        set: vec!["data.source=fashion_mnist".into()],
        data: Some(PathBuf::from("there")),
        seed: Some(9),
    };
    let config = Config::read("run.toml", FILE, &overrides, &Tables::default()).unwrap();
    assert_eq!(config.data.dir, Some(PathBuf::from("there")));
    assert_eq!(config.seed, 9);
}

#[test]
fn a_flag_and_an_argument_of_the_same_key_must_agree() {
    let both = |seed: u64, set: &str| {
        let overrides = Overrides {
            set: vec![set.into()],
            seed: Some(seed),
            ..Overrides::default()
        };
        Config::read("run.toml", LEAST, &overrides, &Tables::default())
    };
    assert_eq!(both(3, "seed=3").unwrap().seed, 3);
    assert_eq!(
        both(3, "seed=4").unwrap_err().to_string(),
        "\
--seed and --set seed disagree
 |
 | --seed 3
 |        ^
 |
 = help: the other value: --set seed=4
         give one of them: --seed sets seed"
    );
}

#[test]
fn the_table_about_a_run_is_ignored() {
    let text = format!("{LEAST}[run]\nversion = \"0.1.0\"\nanything = {{ at = [\"all\", nan] }}\n");
    let config = good(&text, &[]);
    assert_eq!(config.to_toml(), good(LEAST, &[]).to_toml());
}

// --------------------------------------------------------------------------- presets, writing back

#[test]
fn every_preset_is_complete_commented_and_survives_writing() {
    for preset in PRESETS {
        let config = Config::load(Some(Path::new(preset.name)), &Overrides::default());
        let config = config.unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        let written = config.to_toml();
        assert_eq!(good(&written, &[]).to_toml(), written, "{}", preset.name);
        assert!(
            preset.text.starts_with("# "),
            "{} opens without a comment",
            preset.name
        );
        assert!(!preset.summary.is_empty());
        // A preset ends where a cycle does.
        let samples = match (config.data.source.known().sizes, config.data.source.name()) {
            (Some(sizes), _) => sizes.train.into(),
            // The windows of a million letters.
            (None, "text") => 15_684.into(),
            // A table of any size.
            (None, "csv") => 1000.into(),
            (None, _) => config.load_data().unwrap().train.extent(),
        };
        let provisional = wavetrain::config::Bounds::provisional();
        let settled = config.settle(samples, Some(&provisional)).unwrap();
        let total = settled.total_steps;
        let whole = match settled.schedule.period() {
            Some(period) => total.is_multiple_of(period),
            // One cycle, which is over when the run is, and not before.
            None => {
                let rate = |step: u64| settled.schedule.at(step).lr;
                let peak = (0..total).map(rate).fold(0.0, f64::max);
                rate(total - 1) < 1e-3 * peak && rate(total - total / 10) > 1e-3 * peak
            }
        };
        assert!(whole, "{} ends mid-cycle", preset.name);
    }
}

/// Every entry's example is a configuration, and survives writing.
#[test]
fn the_example_of_every_entry_is_a_configuration() {
    let tables = Tables::default();
    let round = |text: &str| {
        let written = good(text, &[]).to_toml();
        assert_eq!(good(&written, &[]).to_toml(), written, "{text}");
    };
    for entry in tables.policies {
        round(&format!(
            "[schedule]\npolicy = \"{}\"\n{}\n",
            entry.name, entry.example
        ));
    }
    for entry in tables.losses {
        round(&format!(
            "{LEAST}[loss]\nkind = \"{}\"\n{}\n",
            entry.name, entry.example
        ));
    }
    for entry in tables.optimizers {
        round(&format!(
            "{LEAST}[optimizer]\nkind = \"{}\"\n{}\n",
            entry.name, entry.example
        ));
    }
    for entry in tables.layers {
        let arguments = entry.example.lines().collect::<Vec<_>>().join(", ");
        round(&format!(
            "{LEAST}[model]\nlayers = [{{ {} = {{ {arguments} }} }}]\n",
            entry.name
        ));
    }
    for entry in tables.sources {
        round(&format!("{LEAST}[data]\nsource = \"{}\"\n", entry.name));
    }
}

#[test]
fn odd_values_survive_writing() {
    let odd = [
        "seed=9223372036854775807",
        "data.seed=9223372036854775807",
        "data.validation=0.1",
        "data.dir=\"a \\\"quoted\\\" \\\\ folder\\twith\\nlines\\u0001\"",
        "data.batch=4294967295",
        "schedule.base_lr=5e-324",
        "schedule.max_lr=0.30000000000000004",
        "schedule.step_size_up=9007199254740993",
        "optimizer.weight_decay=1e-300",
        "train.steps=9223372036854775807",
        "train.eval_every=9223372036854775807 epochs",
        "train.chunk=65536",
    ];
    let config = good(LEAST, &odd);
    let again = good(&config.to_toml(), &[]);
    assert_eq!(again.to_toml(), config.to_toml());
    assert_eq!(again.seed, i64::MAX as u64);
    assert_eq!(again.data.dir, config.data.dir);
    assert_eq!(
        again.data.dir,
        Some(PathBuf::from("a \"quoted\" \\ folder\twith\nlines\u{1}"))
    );
    assert_eq!(again.train.chunk, Chunk::Fixed(65_536));
    for step in [0, 1, 9_007_199_254_740_992, u64::MAX] {
        assert_eq!(
            again.schedule.policy().unwrap().at(step),
            config.schedule.policy().unwrap().at(step)
        );
    }
}

#[test]
fn steps_count_the_smaller_last_batch_unless_it_is_dropped() {
    let config = good(LEAST, &["data.batch=128", "train.epochs=4"]);
    assert_eq!(config.steps_per_epoch(60_000).unwrap(), 469);
    assert_eq!(config.total_steps(60_000).unwrap(), 1876);
    let config = good(LEAST, &["data.drop_last=true", "data.validation=0.1"]);
    assert_eq!(config.steps_per_epoch(60_000).unwrap(), 54_000 / 128);
    let none = config.steps_per_epoch(100).unwrap_err();
    assert!(
        none.is_users_mistake() && none.to_string().contains("data.batch"),
        "{none}"
    );
    let config = good(LEAST, &["data.batch=128", "train.accumulate=4"]);
    assert_eq!(
        config.steps_per_epoch(60_000).unwrap(),
        118,
        "118 x 512 > 60,000"
    );
    assert_eq!(config.steps_per_epoch(512).unwrap(), 1);
    assert_eq!(
        config.steps_per_epoch(385).unwrap(),
        1,
        "the fourth batch has one"
    );
    let beyond = config.steps_per_epoch(384).unwrap_err();
    let sentence = beyond.to_string();
    assert!(
        beyond.is_users_mistake() && sentence.contains("train.accumulate: 4"),
        "{sentence}"
    );
    let dropping = [
        "data.batch=128",
        "train.accumulate=4",
        "data.drop_last=true",
    ];
    let config = good(LEAST, &dropping);
    assert_eq!(config.steps_per_epoch(60_000).unwrap(), 117);
    assert!(config.steps_per_epoch(511).is_err());
    assert_eq!(good(LEAST, &["train.steps=3"]).total_steps(100).unwrap(), 3);
    let many = good(LEAST, &["train.epochs=9223372036854775807"]);
    assert!(
        many.total_steps(60_000)
            .unwrap_err()
            .to_string()
            .contains("2^64")
    );
}
