//! Nothing is forgotten: each entry of a table has its file and its shader, each shader its entry.

use std::collections::BTreeSet;

use super::{agree, files, root, text};
use wavetrain::Config;
use wavetrain::args::Entry;
use wavetrain::kernel::source::{SKELETONS, SNIPPETS};
use wavetrain::product::catalogue;
use wavetrain::{layer, loss, optim, schedule, source};

/// Entries that need no shader of their own, with their room, and why.
const NO_SHADER: &[(&str, &str, &str)] = &[
    (
        "layer",
        "linear",
        "its products are shaders/lanes/matmul.wgsl and shaders/tiled/matmul.wgsl",
    ),
    (
        "layer",
        "conv2d",
        "its products are shaders/lanes/conv2d.wgsl, conv2d_weight.wgsl and their tiled forms",
    ),
    (
        "layer",
        "multihead_attention",
        "its kernels are shaders/product/attention_forward.wgsl, attention_query.wgsl and attention_key.wgsl",
    ),
    (
        "layer",
        "repeat",
        "it has layers inside it and no dispatch of its own",
    ),
    (
        "layer",
        "rms_norm",
        "it is shaders/layer/layer_norm.wgsl, told that nothing is subtracted",
    ),
    (
        "optim",
        "adamw",
        "it is shaders/optim/adam.wgsl, told how weight decay acts",
    ),
];

/// Who includes the files of `shaders/product`: parts of the texts of products.
const INCLUDERS: [&str; 3] = [
    "src/product/attention/text.rs",
    "src/product/matmul/text.rs",
    "src/product/conv/text.rs",
];

fn names<T: ?Sized>(table: &[Entry<T>]) -> Vec<&'static str> {
    table.iter().map(|entry| entry.name).collect()
}

/// Complaints about entries without a file `src/ROOM/NAME.rs` (or a folder of that name).
fn without_file(room: &str, names: &[&str]) -> Vec<String> {
    let exists = |path: String| root().join(path).exists();
    names
        .iter()
        .filter(|name| {
            !exists(format!("src/{room}/{name}.rs")) && !exists(format!("src/{room}/{name}/mod.rs"))
        })
        .map(|name| format!("src/{room}/{name}.rs: missing, but the table lists `{name}`"))
        .collect()
}

#[test]
fn every_entry_has_its_file() {
    let mut complaints = without_file("schedule", &names(schedule::POLICIES));
    complaints.extend(without_file("layer", &names(layer::LAYERS)));
    complaints.extend(without_file("loss", &names(loss::LOSSES)));
    complaints.extend(without_file("optim", &names(optim::OPTIMIZERS)));
    complaints.extend(without_file("source", &names(source::SOURCES)));
    agree(&complaints);
    assert_eq!(without_file("layer", &["conv9d"]).len(), 1);
}

#[test]
fn every_entry_has_its_shader() {
    let mut complaints = Vec::new();
    for (room, names) in [
        ("layer", names(layer::LAYERS)),
        ("loss", names(loss::LOSSES)),
        ("optim", names(optim::OPTIMIZERS)),
    ] {
        for name in names {
            let excused = NO_SHADER.iter().any(|(r, n, _)| (*r, *n) == (room, name));
            let file = format!("shaders/{room}/{name}.wgsl");
            if root().join(&file).exists() == excused {
                complaints.push(format!(
                    "{file}: {}",
                    if excused {
                        "exists after all"
                    } else {
                        "missing"
                    }
                ));
            }
        }
    }
    agree(&complaints);
}

#[test]
fn every_shader_is_in_the_table() {
    let mut known: BTreeSet<String> = catalogue::kernels(None)
        .into_iter()
        .map(|k| k.file)
        .collect();
    known.extend(
        SNIPPETS
            .iter()
            .map(|s| format!("shaders/shared/{}.wgsl", s.name)),
    );
    known.extend(SKELETONS.iter().map(|s| format!("shaders/{}.wgsl", s.name)));
    let includers = INCLUDERS.map(text).concat();
    for file in files("shaders/product", &["wgsl"]) {
        assert!(
            includers.contains(&file),
            "{INCLUDERS:?} do not include {file}"
        );
        known.insert(file);
    }
    let there: BTreeSet<String> = files("shaders", &["wgsl"]).into_iter().collect();
    assert_eq!(there, known);
}

#[test]
fn every_shader_names_its_twin() {
    let mut complaints = Vec::new();
    for file in files("shaders", &["wgsl"]) {
        let text = text(&file);
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//"))
            .collect();
        let head = head.join(" ");
        let Some((_, twin)) = head.split_once("Rust twin: ") else {
            // A snippet may be a function that Rust has.
            let is_part = ["shaders/shared/", "shaders/product/"];
            if !is_part.iter().any(|folder| file.starts_with(folder)) {
                complaints.push(format!("{file}: its first lines name no `Rust twin: `"));
            }
            continue;
        };
        let path = twin
            .split([' ', ',', ';', '`'])
            .find(|word| word.starts_with("src/"));
        let path = path.map(|path| path.trim_end_matches('.'));
        if !path.is_some_and(|path| root().join(path).is_file()) {
            complaints.push(format!("{file}: its Rust twin is no file: {twin}"));
        }
    }
    agree(&complaints);
}

/// The TOML examples of a page.
fn toml_blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```toml\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_readme_names_every_entry_and_its_arguments() {
    fn entries<T: ?Sized>(table: &[Entry<T>]) -> Vec<(&'static str, &'static [&'static str])> {
        table.iter().map(|e| (e.name, e.arguments)).collect()
    }
    let readme = text("README.md");
    let reference = readme
        .split("\n## Configuration\n")
        .nth(1)
        .expect("a reference");
    let reference = reference.split("\n## ").next().expect("a section");
    let words: BTreeSet<&str> = reference
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let mut complaints = Vec::new();
    let mut all = entries(schedule::POLICIES);
    all.extend(entries(layer::LAYERS));
    all.extend(entries(loss::LOSSES));
    all.extend(entries(optim::OPTIMIZERS));
    all.extend(entries(source::SOURCES));
    for (name, arguments) in all {
        for word in arguments.iter().chain([&name]) {
            if !words.contains(word) {
                complaints.push(format!("README.md: the reference lacks `{word}` ({name})"));
            }
        }
    }
    agree(&complaints);
}

#[test]
fn the_configurations_of_the_readme_are_right() {
    let readme = text("README.md");
    let blocks = toml_blocks(&readme);
    assert_eq!(blocks.len(), 4);
    for block in &blocks {
        if let Err(error) = Config::parse("README.md", block) {
            panic!("{error}");
        }
    }
    // The second shows the defaults: what it says is what holds when nothing is said, but for the
    // two rates, which have no default.
    let rates = "schedule = { policy = \"triangular\", base_lr = 0.01, max_lr = 0.1 }";
    let silent = Config::parse("rates", rates)
        .expect("rates are enough")
        .to_toml();
    let shown = Config::parse("README.md", blocks[2])
        .expect("parsed above")
        .to_toml();
    assert_eq!(silent, shown);
}
