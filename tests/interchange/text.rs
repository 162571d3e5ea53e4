//! Runs of text as a person uses them: `generate`, `predict` and `eval`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::program::program;

/// A run of the numbers in words in `folder/run`.
fn train(folder: &Path) {
    let set = ["train.steps=60", "schedule.max_lr=0.02", "data.batch=32"];
    let set = set.iter().flat_map(|set| ["--set", *set]);
    let arguments: Vec<&str> = ["train", "numbers-lstm", "--out", "run"]
        .into_iter()
        .chain(set)
        .collect();
    let output = program(folder, &arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = format!("{}{errors}", String::from_utf8_lossy(&output.stdout));
    assert!(
        text.contains("perplexity") && text.contains("bits"),
        "{text}"
    );
}

fn text(folder: &Path, arguments: &[&str]) -> String {
    let output = program(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = program(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_of_text_is_gone_on_with_predicted_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder);
    let generate = |more: &[&str]| {
        let arguments = [
            "generate",
            "run",
            "--prompt",
            "two hundred",
            "--length",
            "20",
        ];
        text(folder, &[&arguments, more].concat())
    };
    let first = generate(&[]);
    assert_eq!(first, generate(&["--seed", "1"]));
    assert_ne!(first, generate(&["--seed", "2"]));
    assert!(
        first.starts_with("two hundred ") && first.ends_with('\n'),
        "{first}"
    );
    assert_eq!(first.split_whitespace().count(), 22, "{first}");
    // The likeliest, whatever the seed.
    let greedy = generate(&["--temperature", "0"]);
    assert_eq!(greedy, generate(&["--temperature", "0", "--seed", "9"]));
    assert_eq!(greedy, generate(&["--top-k", "1"]));
    let json: Value = serde_json::from_str(&generate(&["--count", "3", "--json"])).unwrap();
    let texts: Vec<&str> = json["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0] != texts[1] && texts[1] != texts[2]);
    assert_eq!(format!("two hundred{}\n", texts[0]), first);
    fs::write(folder.join("prompt.txt"), "two hundred\n").unwrap();
    let of_file = text(
        folder,
        &[
            "generate",
            "run",
            "--prompt-file",
            "prompt.txt",
            "--length",
            "20",
        ],
    );
    assert_eq!(of_file, first);

    fs::write(folder.join("own.txt"), "one . two . ".repeat(20)).unwrap();
    let predicted = text(
        folder,
        &["predict", "run", "own.txt", "--prompt", "one", "--json"],
    );
    let predicted: Value = serde_json::from_str(&predicted).unwrap();
    let predictions = predicted["predictions"].as_array().unwrap();
    assert_eq!(predictions[0]["tokens"], 80);
    assert!(predictions[0]["loss"].as_f64().unwrap() > 0.0);
    assert!(predictions[1]["loss"].is_null());
    let next = predictions[1]["next"].as_array().unwrap();
    assert_eq!(next.len(), 5);
    let shown = text(folder, &["predict", "run", "own.txt"]);
    assert!(shown.starts_with("own.txt: 80 tokens; loss "), "{shown}");

    // To the bit, although states go on from window to window.
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("run/summary.json")).unwrap())
            .unwrap();
    let own = &summary["evaluations"][0];
    let measured: Value = serde_json::from_str(&text(folder, &["eval", "run", "--json"])).unwrap();
    let measured = &measured["models"][0]["evaluations"][0];
    for figure in ["loss", "accuracy", "perplexity", "bits"] {
        assert_eq!(measured[figure], own[figure], "{figure}");
    }
    // The page shows what the network wrote.
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(page.contains("What the network wrote") && page.contains("Symbols predicted worst"));
    assert!(!page.contains("Confusion matrix"));
}

/// What a network of bytes was trained on it predicts, text or not.
#[test]
fn a_network_of_bytes_takes_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(
        folder.join("any"),
        [&[b'a', 0xff, 0xf6, b'b'][..]; 200].concat(),
    )
    .unwrap();
    let config = "[data]\nsource = \"text\"\ntokens = \"bytes\"\ncontext = 8\nbatch = 4\n\
                  [model]\nlayers = [{ embedding = 4 }, { linear = \"outputs\" }]\n\
                  [schedule]\npolicy = \"constant\"\nlr = 0.1\n[train]\nsteps = 3\n";
    fs::write(folder.join("own.toml"), config).unwrap();
    text(
        folder,
        &["train", "own.toml", "--data", "any", "--out", "run"],
    );
    let shown = text(folder, &["predict", "run", "any"]);
    assert!(shown.starts_with("any: 800 tokens; loss "), "{shown}");
    fs::write(folder.join("empty"), "").unwrap();
    text(folder, &["predict", "run", "empty"]);
    // Weights of another kind are named.
    fs::write(folder.join("model.pt"), b"PK\x03\x04 and more").unwrap();
    let arguments = ["train", "own.toml", "--data", "any", "--init", "model.pt"];
    let message = refused(folder, &arguments);
    assert!(
        message.contains("is no safetensors file, but a zip archive"),
        "{message}"
    );
}

/// There is no room for the outputs of all: training and `eval` take the same part, with the same result.
#[test]
fn snapshots_of_a_long_text_are_measured_together_on_a_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let letters = (0..200_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8 % 40);
    fs::write(folder.join("long"), letters.collect::<Vec<u8>>()).unwrap();
    let config = "[data]\nsource = \"text\"\ntokens = \"bytes\"\ncontext = 64\nbatch = 16\ntest_share = 0.4\n\
                  [model]\nlayers = [{ embedding = 8 }, { linear = \"outputs\" }]\n\
                  [schedule]\npolicy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 1.0\nstep_size_up = 5\n\
                  [train]\nsteps = 20\n[cycle_end]\nsnapshot = true\n";
    fs::write(folder.join("own.toml"), config).unwrap();
    let output = program(
        folder,
        &["train", "own.toml", "--data", "long", "--out", "run"],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    // 2^24 numbers are kept, 256 at each of 64 positions.
    assert!(
        said.contains("measured together on 1024 of 1249 samples"),
        "{said}"
    );
    let lines = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let last = lines.lines().rfind(|line| line.contains("cycle_end"));
    let last: Value = serde_json::from_str(last.unwrap()).unwrap();
    let found: Value = serde_json::from_str(&text(folder, &["eval", "run", "--json"])).unwrap();
    let together = &found["ensemble"]["evaluations"][0];
    assert_eq!(together["samples"], 1024);
    assert_eq!(together["accuracy"], last["ensemble"]);
    assert_ne!(last["single"], last["ensemble"]);
}

#[test]
fn what_nothing_can_be_made_of_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder);
    let generate = |more: &[&str]| refused(folder, &[&["generate", "run"], more].concat());
    for (arguments, wanted) in [
        (
            &["--prompt", "two hundreds"][..],
            "prompt: the symbol \"hundreds\", which the network was not trained on",
        ),
        (
            &["--temperature", "-1"],
            "temperature: -1; expected 0 (takes the likeliest) or above",
        ),
        (&["--temperature", "nan"], "temperature: NaN; expected 0"),
        (&["--top-k", "0"], "top_k: 0; expected 1 or above"),
        (
            &["--top-p", "1.5"],
            "top_p: 1.5; expected a probability above 0, at most 1",
        ),
        (&["--prompt-file", "none.txt"], "none.txt"),
    ] {
        let message = generate(arguments);
        assert!(message.contains(wanted), "{arguments:?}: {message}");
    }
    fs::write(
        folder.join("text.txt"),
        [b"abc ".repeat(100), vec![0xff]].concat(),
    )
    .unwrap();
    fs::write(folder.join("empty.txt"), "").unwrap();
    fs::write(folder.join("one.txt"), "a".repeat(1000)).unwrap();
    fs::write(folder.join("short.txt"), "abcdefg".repeat(9)).unwrap();
    fs::create_dir(folder.join("nothing")).unwrap();
    fs::create_dir(folder.join("both")).unwrap();
    fs::write(folder.join("both/train.txt"), "abcdefg".repeat(90)).unwrap();
    fs::write(folder.join("both/test.txt"), [b'a', 0xff]).unwrap();
    for (file, wanted) in [
        ("text.txt", "is no UTF-8 from byte 400 on"),
        ("empty.txt", "is empty; expected a text"),
        ("one.txt", "has one symbol only"),
        (
            "short.txt",
            "the training part has 50 tokens; expected at least 65",
        ),
        ("nothing", "is a folder without train.txt"),
        ("both", "both/test.txt: is no UTF-8 from byte 1 on"),
        ("none", "does not exist"),
    ] {
        let message = refused(
            folder,
            &[
                "train",
                "shakespeare-lstm",
                "--data",
                file,
                "--set",
                "data.test_share=0.2",
                "--out",
                "no",
            ],
        );
        assert!(message.contains(wanted), "{file}: {message}");
        assert!(!folder.join("no").exists(), "{file}");
    }
}
