//! `wavetrain replay`.

use std::fs;

use super::fixture::{config, program, run, succeed, train};

#[test]
fn a_run_is_replayed_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), 60);
    let path = folder.path().join("run");
    succeed(train(&config, &path));
    let name = path.to_str().unwrap();
    let said = |arguments: &[&str]| {
        let output = program(arguments).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), words)
    };
    let (status, words) = said(&["replay", name]);
    assert_eq!(status, 0, "{words}");
    assert!(
        words.contains("60 steps are the same bits, and so are the weights"),
        "{words}"
    );
    let (status, words) = said(&["replay", name, "--steps", "13"]);
    assert!(
        status == 0 && words.contains("holds no weights of step 13"),
        "{words}"
    );
    // A checkpoint has weights, too.
    let (status, words) = said(&["replay", name, "--steps", "50"]);
    assert!(
        status == 0 && words.contains("and so are the weights"),
        "{words}"
    );

    // One bit of one loss.
    let metrics = path.join("metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("\"step\":17,"))
        .unwrap();
    let (_, loss) = line.split_once("\"loss\":").unwrap();
    let loss: f64 = loss.split_once(',').unwrap().0.parse().unwrap();
    let next = f64::from_bits(loss.to_bits() + 1);
    let changed = line.replace(&format!("{loss}"), &format!("{next}"));
    fs::write(&metrics, text.replace(line, &changed)).unwrap();
    let (status, words) = said(&["replay", name]);
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("at step 17: loss was"), "{words}");
    fs::write(&metrics, &text).unwrap();

    // One bit of one weight.
    let model = path.join("model.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    fs::write(&model, bytes).unwrap();
    let (status, words) = said(&["replay", name, "--json"]);
    let found: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!((status, &found["same"]), (1, &60.into()));
    let what = found["differs"]["what"].as_str().unwrap();
    assert!(what.starts_with("tensor "), "{what}");

    let (status, words) = run(program(&["replay", folder.path().to_str().unwrap()]));
    assert!(status == 2 && words.contains("is not a run"), "{words}");
    let (status, _) = run(program(&["replay", name, "--steps", "0"]));
    assert_eq!(status, 2);
}
