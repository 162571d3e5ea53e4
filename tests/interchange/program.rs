//! `wavetrain eval` and `wavetrain predict` as a person uses them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use image::{DynamicImage, GrayImage, Luma, Rgba, RgbaImage};
use serde_json::Value;

/// Runs the program in `folder`.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wavetrain"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A run of a few steps in `folder/run`.
pub(crate) fn train(folder: &Path, more: &[&str]) {
    let mut arguments = vec!["train", "glyphs", "--out", "run", "--set", "train.steps=30"];
    arguments.extend([
        "--set",
        "schedule.base_lr=0.01",
        "--set",
        "schedule.max_lr=0.1",
    ]);
    arguments.extend(more);
    let output = program(folder, &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn eval_gives_the_runs_own_results_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(
        folder,
        &[
            "--set",
            "data.validation=0.1",
            "--set",
            "data.normalize=mean_image",
        ],
    );
    let summary = fs::read_to_string(folder.join("run/summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    for model in ["run", "run/model.safetensors"] {
        let found = json(&program(folder, &["eval", model, "--json"]));
        let evaluations = found["models"][0]["evaluations"].as_array().unwrap();
        assert_eq!(evaluations.len(), 2);
        let own = summary["evaluations"].as_array().unwrap();
        for evaluation in evaluations {
            let own = own.iter().rfind(|own| own["split"] == evaluation["split"]);
            assert_eq!(evaluation["loss"], own.unwrap()["loss"], "{model}");
            assert_eq!(evaluation["accuracy"], own.unwrap()["accuracy"]);
        }
    }
    let text = program(folder, &["eval", "run", "--set", "data.validation=0.0"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.starts_with("run/model.safetensors on glyphs\n  test "),
        "{text}"
    );
    assert!(!text.contains("validation"), "{text}");
}

/// Three cycles of ten steps whose ends are kept, with a file beside the weights.
const LOW_POINTS: &[&str] = &[
    "--set",
    "schedule.step_size_up=5",
    "--set",
    "schedule.base_lr=1e-6",
    "--set",
    "schedule.max_lr=1e-4",
    "--set",
    "cycle_end.snapshot=true",
    "--set",
    "cycle_end.average=true",
    "--set",
    "data.normalize=mean_image",
];

/// The files of the low points, and `eval` of them against an ensemble made here by hand.
#[test]
fn eval_reports_single_ensemble_and_average() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, LOW_POINTS);
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let lines = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let points: Vec<Value> = lines.filter(|l: &Value| l["type"] == "cycle_end").collect();
    let steps: Vec<u64> = points.iter().map(|p| p["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [10, 20, 30]);

    let found = json(&program(folder, &["eval", "run", "--json"]));
    let last = &points[2];
    let accuracy = |model: &Value| model["evaluations"][0]["accuracy"].clone();
    assert_eq!(accuracy(&found["models"][0]), last["single"]);
    assert_eq!(found["models"][1]["model"], "run/average.safetensors");
    assert_eq!(accuracy(&found["models"][1]), last["average"]);
    assert_eq!(found["ensemble"]["members"], 3);
    assert_eq!(accuracy(&found["ensemble"]), last["ensemble"]);
    assert_eq!(accuracy(&found["ensemble"]), by_hand(folder));
    let better_than_chance = by_hand(folder) > 0.2;
    assert!(
        better_than_chance && last["ensemble"] != last["single"],
        "{last}"
    );
    // The last snapshot is the model, and each is a model that stands alone.
    let bytes = |name: &str| fs::read(folder.join("run").join(name)).unwrap();
    assert_eq!(
        bytes("snapshots/cycle-3.safetensors"),
        bytes("model.safetensors")
    );
    for point in &points {
        let file = format!("run/snapshots/cycle-{}.safetensors", point["cycle"]);
        let one = json(&program(folder, &["eval", &file, "--json"]));
        assert_eq!(accuracy(&one["models"][0]), point["single"]);
    }
    let text = program(folder, &["eval", "run"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("3 snapshots of run/snapshots together on glyphs"),
        "{text}"
    );
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(page.contains("<h2 id=\"low-points-title\">Ends of cycles</h2>"));

    // Another run in the same folder leaves nothing of this one.
    train(folder, &["--force"]);
    assert!(!folder.join("run/average.safetensors").exists());
    assert_eq!(
        fs::read_dir(folder.join("run/snapshots")).unwrap().count(),
        0
    );
}

/// Test accuracy of the three snapshots: softmax of each one's outputs, added up, the largest.
fn by_hand(folder: &Path) -> f64 {
    let dataset = wavetrain::Config::load(None, &wavetrain::config::Overrides::default());
    let test = dataset.unwrap().load_data().unwrap().test;
    let all: Vec<u32> = (0..test.len() as u32).collect();
    let gpu = super::fixture::gpus().remove(0);
    let mut sums = vec![0.0; 10 * all.len()];
    for cycle in 1..=3 {
        let file = folder.join(format!("run/snapshots/cycle-{cycle}.safetensors"));
        let model = wavetrain::model::Model::open(&file).unwrap();
        let mut evaluator = wavetrain::train::Evaluator::new(gpu.clone(), &model, 256).unwrap();
        let outputs = evaluator.run(&test, &all).unwrap();
        for (sums, row) in sums.chunks_mut(10).zip(outputs.rows.chunks(10)) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let power = |v: f32| (f64::from(v) - f64::from(largest)).exp();
            let total: f64 = row.iter().map(|v| power(*v)).sum();
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum += power(*v) / total;
            }
        }
    }
    let right = sums.chunks(10).zip(test.labels()).filter(|(row, label)| {
        let largest = row.iter().copied().fold(0.0, f64::max);
        row[**label as usize] == largest
    });
    right.count() as f64 / all.len() as f64
}

#[test]
fn eval_refuses_what_does_not_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    fs::create_dir(folder.join("empty")).unwrap();
    fs::write(folder.join("text.safetensors"), "hello").unwrap();
    for (arguments, expected) in [
        (vec!["eval", "nowhere"], "nowhere: does not exist"),
        (vec!["eval", "empty"], "holds no model.safetensors"),
        (
            vec!["eval", "text.safetensors"],
            "text.safetensors: has 5 bytes",
        ),
        (
            vec!["eval", "run", "--set", "data.normalize=none"],
            "other than data.normalize",
        ),
        (
            vec!["eval", "run", "--set", "loss.kind=mse"],
            "a key of [data]",
        ),
        (
            vec!["eval", "run", "--set", "data.source=cifar10"],
            "data.dir",
        ),
    ] {
        let output = program(folder, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn predict_takes_any_picture_and_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    fs::create_dir(folder.join("photos")).unwrap();
    let ink = RgbaImage::from_fn(60, 40, |x, _| {
        Rgba([0, 0, 0, if x == 30 { 255 } else { 0 }])
    });
    ink.save(folder.join("photos/b.png")).unwrap();
    let plain = GrayImage::from_fn(28, 28, |x, _| Luma([if x == 14 { 250 } else { 0 }]));
    plain.save(folder.join("photos/a.PNG")).unwrap();
    fs::write(folder.join("photos/notes.txt"), "no picture").unwrap();
    DynamicImage::ImageLuma8(plain)
        .into_rgb8()
        .save(folder.join("c.jpg"))
        .unwrap();

    let output = program(
        folder,
        &["predict", "run", "photos", "c.jpg", "--json", "--top", "99"],
    );
    let found = json(&output);
    let predictions = found["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 3);
    let of = |at: usize, key: &str| predictions[at][key].clone();
    assert_eq!(of(0, "image"), "photos/a.PNG");
    assert_eq!(of(0, "changes"), serde_json::json!([]));
    assert_eq!(of(1, "mode"), "RGBA");
    assert_eq!(of(1, "size"), serde_json::json!([40, 60]));
    assert_eq!(
        of(1, "changes"),
        serde_json::json!([
            "laid over white",
            "scaled and cropped to 28x28",
            "made grey"
        ])
    );
    assert_eq!(of(2, "changes"), serde_json::json!(["made grey"]));
    for prediction in predictions {
        let top = prediction["top"].as_array().unwrap();
        assert_eq!(top.len(), 10);
        let shares: Vec<f64> = top
            .iter()
            .map(|t| t["probability"].as_f64().unwrap())
            .collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(top[0]["name"], top[0]["class"].to_string());
    }
}

#[test]
fn predict_says_when_ink_on_paper_is_shown_to_a_net_of_light_on_dark() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    let ink = RgbaImage::from_fn(60, 40, |x, _| {
        Rgba([0, 0, 0, if x == 30 { 255 } else { 0 }])
    });
    ink.save(folder.join("ink.png")).unwrap();
    let output = program(folder, &["predict", "run", "ink.png"]);
    assert!(stderr(&output).contains("ink.png has a light border"));
    let output = program(
        folder,
        &["predict", "run/model.safetensors", "ink.png", "--invert"],
    );
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.starts_with(
        "ink.png: 60x40, RGBA; laid over white, scaled and cropped to 28x28, made grey, inverted\n"
    ));
    assert!(!stderr(&output).contains("light border"));
}

#[test]
fn predict_names_the_picture_that_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    let good = GrayImage::new(28, 28);
    good.save(folder.join("good.png")).unwrap();
    let bytes = fs::read(folder.join("good.png")).unwrap();
    fs::write(folder.join("half.png"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(folder.join("text.png"), "hello").unwrap();
    fs::create_dir(folder.join("none")).unwrap();
    for (image, expected) in [
        ("half.png", "half.png: cannot be decoded"),
        ("text.png", "text.png: is no picture"),
        ("missing.png", "missing.png: cannot be read"),
        ("none", "none: holds no picture"),
        ("-", "standard input: is no picture"),
    ] {
        let output = program(folder, &["predict", "run", "good.png", image]);
        assert_eq!(output.status.code(), Some(2), "{image}");
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn predict_reads_a_list_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    fs::create_dir(folder.join("photos")).unwrap();
    for name in ["a.png", "photos/b.png", "photos/c.png"] {
        GrayImage::from_pixel(9, 9, Luma([9]))
            .save(folder.join(name))
            .unwrap();
    }
    fs::write(folder.join("list.txt"), "photos\n\na.png\n").unwrap();
    let arguments = ["predict", "run", "--list", "list.txt", "--json"];
    let found = json(&program(folder, &arguments));
    let names: Vec<&str> = found["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["image"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["photos/b.png", "photos/c.png", "a.png"]);
    // Standard input has none here.
    let output = program(folder, &["predict", "run", "--list", "-"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("- names no file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_run_begins_with_another_ones_weights_and_a_new_head() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, &[]);
    let begin = |out: &str, more: &[&str]| {
        let fixed = [
            "train",
            "glyphs",
            "--out",
            out,
            "--init",
            "run",
            "--set",
            "train.steps=1",
        ];
        program(folder, &[&fixed[..], more].concat())
    };
    let output = begin("same", &["--set", "data.normalize=standard"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("another normalisation (unit there, standard here"));
    let wider = "model.layers=[\"flatten\", { linear = 128 }, \"relu\", { linear = 11 }]";
    let wider = ["--set", wider, "--set", "loss.kind=mse"];
    let refused = begin("refused", &wider);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let fifty = "model.layers=[\"flatten\", { linear = 50 }, \"relu\", { linear = 10 }]";
    let refused = begin("refused", &["--set", fifty]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("tensor `1.weight`"),
        "{}",
        stderr(&refused)
    );
    let output = begin("new", &["--set", fifty, "--new-head"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    for name in ["1.bias", "1.weight", "3.weight"] {
        let line = format!("model.safetensors: starts anew: `{name}` has the shape [");
        assert!(said.contains(&line), "{said}");
    }
    let config = fs::read_to_string(folder.join("new/config.toml")).unwrap();
    assert!(config.contains("new_head = true"), "{config}");
    // The same again, from what the run says of itself.
    let replay = program(folder, &["replay", "new"]);
    assert!(replay.status.success(), "{}", stderr(&replay));
}

/// A run on two folders of pictures, which is measured from another folder.
#[test]
fn a_run_finds_its_data_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (class, value) in [("dark", 20), ("light", 230)] {
        fs::create_dir_all(folder.join("photos").join(class)).unwrap();
        for number in 0..10 {
            let picture = GrayImage::from_pixel(8, 8, Luma([value + number]));
            picture
                .save(folder.join(format!("photos/{class}/{number}.png")))
                .unwrap();
        }
    }
    fs::write(folder.join("photos/dark/broken.jpg"), b"\xff\xd8\xff").unwrap();
    let output = program(
        folder,
        &[
            "train",
            "glyphs",
            "--out",
            "run",
            "--data",
            "photos",
            "--set",
            "data.source=image_folder",
            "--set",
            "data.on_bad_file=skip",
            "--set",
            "data.batch=4",
            "--set",
            "train.steps=5",
            "--set",
            "model.layers=[\"flatten\", { linear = 2 }]",
            "--set",
            "schedule.base_lr=0.01",
            "--set",
            "schedule.max_lr=0.1",
        ],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let skipped = "1 of 21 pictures that cannot be read: dark/broken.jpg";
    assert!(
        stderr(&output).contains(&format!("note: skipped {skipped}")),
        "{}",
        stderr(&output)
    );
    let config = fs::read_to_string(folder.join("run/config.toml")).unwrap();
    assert!(
        config.contains(&format!("skipped = \"{skipped}\"")),
        "{config}"
    );
    let elsewhere = folder.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let found = json(&program(&elsewhere, &["eval", "../run", "--json"]));
    let classes = &found["models"][0]["evaluations"][0]["classes"];
    assert_eq!(classes.as_array().unwrap().len(), 2, "{found}");
    let samples = |class: usize| classes[class]["samples"].as_u64().unwrap();
    // Of the 11 files and the 10, the broken one wherever it is.
    assert!(classes[0]["f1"].is_number() && (1..=2).contains(&samples(0)) && samples(1) == 2);
}

#[cfg(target_os = "linux")]
#[test]
fn drivers_do_not_complain_about_a_missing_display() {
    for folder in [None, Some("")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
        command.arg("devices").env_remove("XDG_RUNTIME_DIR");
        command.envs(folder.map(|folder| ("XDG_RUNTIME_DIR", folder)));
        let output = command.output().unwrap();
        assert!(output.status.success());
        assert_eq!(stderr(&output), "");
    }
}
