//! Paths, names and values from outside: any bytes may be in them, and none reach a terminal raw.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

/// Clears the screen, moves, rings, sets the window's title, turns the text round.
const EVIL: &str = "\u{1b}[2J\u{1b}[1;1H\u{7}\u{1b}]0;mine\u{7}\u{9b}31m\u{202e}\r\u{8}";

/// Pictures of two classes, named by an enemy.
fn write_samples(file: &Path) {
    let bytes: Vec<u8> = (0..40 * 64)
        .map(|i| ((i / 64 % 2) * 200 + i % 7) as u8)
        .collect();
    let labels: Vec<u8> = (0..40).map(|i| i % 2).collect();
    let x = TensorView::new(Dtype::U8, vec![40, 1, 8, 8], &bytes).unwrap();
    let y = TensorView::new(Dtype::U8, vec![40], &labels).unwrap();
    let names = serde_json::to_string(&[format!("a{EVIL}"), "b".to_owned()]).unwrap();
    let names = HashMap::from([("classes".to_owned(), names)]);
    fs::write(
        file,
        safetensors::serialize([("x", x), ("y", y)], Some(names)).unwrap(),
    )
    .unwrap();
}

fn write_config(folder: &Path, name: &OsStr) -> PathBuf {
    write_samples(&folder.join("train.safetensors"));
    write_samples(&folder.join("test.safetensors"));
    let path = folder.join(name);
    let text = "[data]\nsource = \"safetensors\"\ndir = \".\"\ntrain = \"train.safetensors\"\n\
         test = \"test.safetensors\"\nbatch = 8\n[model]\nlayers = [\"flatten\", { linear = 2 }]\n\
         [schedule]\npolicy = \"constant\"\nlr = 0.01\n[train]\nsteps = 4\n";
    fs::write(&path, text).unwrap();
    path
}

fn wavetrain(folder: &Path, arguments: &[&OsStr]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// The words of a command that ended with this status; no control character is among them.
fn words(out: &Output, status: i32) -> String {
    let said = [&out.stdout, &out.stderr]
        .map(|part| String::from_utf8_lossy(part))
        .concat();
    assert_eq!(out.status.code(), Some(status), "{said}");
    let raw = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
    assert!(!said.contains(raw), "{said:?}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn what_is_named_by_an_enemy_is_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let evil_name = OsString::from(format!("x{EVIL}.toml"));
    let config = write_config(folder, &evil_name);
    let config = config.as_os_str();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        wavetrain(folder, &arguments)
    };
    let out = format!("run{EVIL}");
    let trained = wavetrain(
        folder,
        &[
            OsStr::new("train"),
            config,
            OsStr::new("--out"),
            OsStr::new(&out),
        ],
    );
    let said = words(&trained, 0);
    assert!(said.contains("run\\u{1b}[2J"), "{said}");
    image::GrayImage::new(8, 8)
        .save(folder.join("p.png"))
        .unwrap();
    let said = words(&run(&["predict", &out, "p.png"]), 0);
    assert!(said.contains("a\\u{1b}[2J"), "{said}");
    words(&run(&["eval", &out]), 0);
    words(&run(&["runs", "."]), 0);
    words(&run(&["report", &out]), 0);
    words(
        &run(&["export", &out, "--onnx", &format!("{EVIL}.onnx")]),
        0,
    );
    let key = format!("data.{EVIL}=1");
    let value = format!("data.source={EVIL}");
    for (arguments, status) in [
        (vec!["train", "--set", &key], 2),
        (vec!["train", "--set", &value], 2),
        (vec!["train", "--adapter", EVIL], 2),
        (vec!["eval", "--set", &key, &out], 2),
        (vec!["eval", EVIL], 2),
        (vec!["predict", &out, EVIL], 2),
        (vec!["train", &format!("{EVIL}.toml")], 2),
        (vec!["train", EVIL], 2),
        (vec![EVIL], 2),
        (vec!["train", &format!("--{EVIL}")], 2),
        (vec!["schedule", "--format", EVIL], 2),
        (vec!["kernels", EVIL], 2),
        (vec!["presets", EVIL], 2),
        (vec!["train", "--init", EVIL], 2),
        (vec!["train", "--resume", EVIL], 2),
        (vec!["compare", "--vary", &key], 2),
        (vec!["find", "--out", &out], 2),
    ] {
        let said = words(&run(&arguments), status);
        assert!(said.len() < 4096, "{} bytes", said.len());
    }
}

#[test]
fn a_message_is_as_long_as_a_person_reads() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(100_000);
    for arguments in [
        vec!["train", "--set", &format!("data.{long}=1")],
        vec!["train", "--set", &format!("data.source={long}")],
        vec!["train", &format!("--{long}")],
        vec!["eval", &long],
        vec!["train", &long],
    ] {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let said = words(&wavetrain(folder.path(), &arguments), 2);
        assert!(said.len() < 4096, "{} bytes", said.len());
    }
}

#[test]
fn json_names_paths_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let config = write_config(folder, name(b"c\xff.toml"));
    let json = |arguments: &[&OsStr]| -> Value {
        let out = wavetrain(folder, &[arguments, &[OsStr::new("--json")]].concat());
        words(&out, 0);
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let run = name(b"runs/r\xff\xfe");
    let trained = json(&[name(b"train"), config.as_os_str(), name(b"--out"), run]);
    assert_eq!(trained["run"], "runs/r\u{fffd}\u{fffd}");
    image::GrayImage::new(8, 8)
        .save(folder.join("p.png"))
        .unwrap();
    let picture = folder.join(name(b"p\xff.png"));
    fs::rename(folder.join("p.png"), &picture).unwrap();
    let predicted = json(&[name(b"predict"), run, picture.as_os_str()]);
    assert!(
        predicted["predictions"][0]["image"]
            .as_str()
            .unwrap()
            .ends_with("p\u{fffd}.png")
    );
    let model = "runs/r\u{fffd}\u{fffd}/model.safetensors";
    assert_eq!(json(&[name(b"eval"), run])["models"][0]["model"], model);
    assert_eq!(
        json(&[name(b"runs"), name(b"runs")])[0]["run"],
        "runs/r\u{fffd}\u{fffd}"
    );
    // Weights to start from, which the run keeps a record of.
    let init = folder.join(run).join("model.safetensors");
    let other = name(b"runs/s\xff");
    let trained = json(&[
        name(b"train"),
        config.as_os_str(),
        name(b"--out"),
        other,
        name(b"--init"),
        init.as_os_str(),
    ]);
    assert_eq!(trained["ended"], "done");
}
