//! What a net of many classes takes: page and memory grow with the classes, not with their square.
//!
//! `cargo test --release --test program many_classes -- --nocapture` prints the figures.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use safetensors::tensor::{Dtype, TensorView};

const CLASSES: usize = 10_000;
const SAMPLES: usize = 4_000;

/// Rows of 16 bytes; labels all over the classes.
fn write_samples(file: &Path) {
    let bytes: Vec<u8> = (0..SAMPLES * 16).map(|i| (i * 31 % 251) as u8).collect();
    let labels = (0..SAMPLES).map(|i| (i * 7919 % CLASSES) as i64);
    let labels: Vec<u8> = labels.flat_map(i64::to_le_bytes).collect();
    let x = TensorView::new(Dtype::U8, vec![SAMPLES, 16], &bytes).unwrap();
    let y = TensorView::new(Dtype::I64, vec![SAMPLES], &labels).unwrap();
    let names: Vec<String> = (0..CLASSES)
        .map(|class| format!("class number {class}"))
        .collect();
    let names = serde_json::to_string(&names).unwrap();
    let all = safetensors::serialize(
        [("x", x), ("y", y)],
        Some(HashMap::from([("classes".into(), names)])),
    );
    fs::write(file, all.unwrap()).unwrap();
}

#[test]
fn page_and_memory_of_ten_thousand_classes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["train", "test"] {
        write_samples(&folder.join(format!("{name}.safetensors")));
    }
    let text = format!(
        "[data]\nsource = \"safetensors\"\ndir = \".\"\ntrain = \"train.safetensors\"\n\
         test = \"test.safetensors\"\nbatch = 32\n[model]\nlayers = [{{ linear = 32 }}, \"relu\", \
         {{ linear = {CLASSES} }}]\n[schedule]\npolicy = \"constant\"\nlr = 0.01\n[train]\nsteps = 10\n"
    );
    fs::write(folder.join("many.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command
        .args(["train", "many.toml", "--out", "run"])
        .current_dir(folder);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        // The system keeps the highest value itself.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kib.unwrap_or(0_u64));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success());
    let size = |file: &str| fs::metadata(folder.join("run").join(file)).unwrap().len();
    let (page, summary) = (size("report.html"), size("summary.json"));
    println!("{CLASSES} classes: page {page} bytes, summary {summary} bytes, resident {most} KiB");
    assert!(page < 3_000_000 && summary < 3_000_000, "{page} {summary}");
    assert!(most > 0 && most < 400 * 1024, "{most} KiB");
}
