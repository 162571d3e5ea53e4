//! The examples compile, run, end well and say what they promise.

use std::process::Command;

/// Standard output of the example `name`, which must end with status 0. Cargo runs it, since
/// `cargo test --test program` alone would not build it.
fn output(name: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "--example", name]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let cargo = cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name}: {}\n{errors}",
        output.status
    );
    String::from_utf8(output.stdout).expect("text")
}

/// The number behind the last occurrence of `word`.
fn last_number(text: &str, word: &str) -> f64 {
    let (_, rest) = text
        .rsplit_once(word)
        .unwrap_or_else(|| panic!("no `{word}` in\n{text}"));
    let number = rest.split_whitespace().next().unwrap_or_default();
    number
        .trim_end_matches([',', ';'])
        .parse()
        .unwrap_or_else(|_| panic!("`{number}` behind `{word}`"))
}

#[test]
fn train_your_own_data_learns_and_saves() {
    let file = std::env::temp_dir().join("spirals.safetensors");
    let _ = std::fs::remove_file(&file);
    let text = output("train_your_own_data");
    assert!(last_number(&text, "accuracy ") > 0.97, "{text}");
    assert!(last_number(&text, "loss ") < 0.1, "{text}");
    assert!(text.contains(&file.display().to_string()), "{text}");
    let bytes = std::fs::read(&file).expect("the file of weights");
    let weights = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    assert_eq!(
        weights.tensor("0.weight").expect("the first layer").shape(),
        [64, 2]
    );
    assert_eq!(
        weights.tensor("4.bias").expect("the last layer").shape(),
        [2]
    );
}

#[test]
fn small_gpt_learns_a_rhyme_and_goes_on_with_it() {
    let text = output("small_gpt");
    assert!(last_number(&text, "accuracy ") > 0.9, "{text}");
    assert!(
        text.contains("one two |buckle my shoe three four "),
        "{text}"
    );
}

#[test]
fn own_policy_gives_its_rates() {
    let text = output("own_policy");
    // Warm-up to 0.1 at step 15; restarts at 16, 32 and 64; half way down at 24, 48 and 96.
    for (step, rate) in [
        (0, 0.0063),
        (16, 0.1),
        (32, 0.1),
        (48, 0.05),
        (64, 0.1),
        (96, 0.05),
    ] {
        let line = format!("step {step:3}: rate {rate:.4}, loss ");
        assert!(text.contains(&line), "no `{line}` in\n{text}");
    }
    assert!(last_number(&text, "accuracy ") > 0.5, "{text}");
}

#[test]
fn own_everything_trains_goes_on_and_predicts() {
    let text = output("own_everything");
    assert!(text.contains("interrupted after "), "{text}");
    assert!(text.contains("goes on from step "), "{text}");
    assert!(text.contains("done after 400 steps"), "{text}");
    assert!(last_number(&text, "R2 ") > 0.95, "{text}");
    // The hill is 120 high.
    assert!(
        (last_number(&text, "in the middle ") - 120.0).abs() < 2.0,
        "{text}"
    );
}

#[test]
fn own_layer_agrees_with_its_reference() {
    let text = output("own_layer");
    assert!(text.contains("1 snake -> [32]"), "{text}");
    let kernels = last_number(&text, "kernels: ");
    let references = last_number(&text, "references: ");
    assert!(kernels > 0.97, "{text}");
    // One of 400 samples may lie so close to the boundary that rounding decides.
    assert!((kernels - references).abs() < 0.004, "{text}");
}
