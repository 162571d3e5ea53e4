//! `wavetrain compare` from its command to its page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A configuration of a small net on a few hundred glyphs' worth of steps.
fn config(folder: &Path, name: &str, schedule: &str) -> PathBuf {
    let path = folder.join(name);
    let text = format!(
        "[data]\nbatch = 32\n[model]\nlayers = [\"flatten\", {{ linear = 16 }}, \"relu\", {{ linear = 10 }}]\n\
         [schedule]\n{schedule}\n[train]\nsteps = 40\n"
    );
    fs::write(&path, text).unwrap();
    path
}

const CYCLE: &str = "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.2\nstep_size_up = 20";

fn compare(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command.arg("compare").args(arguments).current_dir(folder);
    command
}

/// The program with these arguments.
fn command(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    let command = command.args(arguments).current_dir(folder);
    command.output().unwrap()
}

fn words(out: &Output) -> String {
    let parts = [&out.stdout, &out.stderr];
    parts.map(|part| String::from_utf8_lossy(part)).concat()
}

/// The same in one line, whatever the width.
fn one_line(out: &Output) -> String {
    words(out).replace('\n', " ")
}

/// The arguments are a mistake, told in words that hold `sentence`.
fn refused(folder: &Path, arguments: &[&str], sentence: &str) {
    let out = compare(folder, arguments).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "{}", words(&out));
    assert!(words(&out).contains(sentence), "{}", words(&out));
}

fn json(out: &Output) -> Value {
    assert!(out.status.success(), "{}", words(out));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn a_file_is_the_baseline_and_all_that_is_asked_is_compared_with_it() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), "mine.toml", CYCLE);
    config(
        folder.path(),
        "other.toml",
        "policy = \"constant\"\nlr = 1e-7",
    );
    let arguments = [
        "mine.toml",
        "--and",
        "other.toml",
        "--policies",
        "one_cycle",
        "--vary",
        "optimizer.momentum=0.9,0.5",
        "--tune",
        "2",
        "--seeds",
        "3",
        "--out",
        "out",
    ];
    let out = compare(folder.path(), &[&arguments[..], &["--json"]].concat())
        .output()
        .unwrap();
    let found = json(&out);
    let arms = found["plan"]["arms"].as_array().unwrap();
    let names: Vec<&str> = arms
        .iter()
        .map(|arm| arm["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["mine", "other", "one_cycle", "momentum 0.9", "momentum 0.5"]
    );
    // The file's own schedule, and the file's own momentum once more.
    assert!(
        arms[0]["takes"].as_str().unwrap().contains("0.2"),
        "{}",
        arms[0]
    );
    assert_eq!(arms[3]["same_as"], 0);
    // A rate at which nothing is learned is found out.
    let verdict = &found["outcomes"]["arms"][1]["against"]["judgement"]["verdict"];
    assert_eq!(verdict, "worse");
    assert_eq!(found["tuned"].as_array().unwrap().len(), 1);
    assert_eq!(found["tuned"][0]["tried"].as_array().unwrap().len(), 2);
    assert_eq!(found["records"].as_array().unwrap().len(), 12);
    let evaluating = found["outcomes"]["evaluating"].as_f64().unwrap();
    assert!(evaluating > 0.0 && evaluating < 0.5, "{evaluating}");

    // Once more: nothing is trained, the same is said, and the page has the finding for its title.
    let again = compare(folder.path(), &arguments).output().unwrap();
    let said = words(&again);
    assert!(said.contains("other is worse than mine"), "{said}");
    assert!(
        said.replace('\n', " ")
            .contains("momentum 0.9 trains the same as mine"),
        "{said}"
    );
    assert!(said.contains("for evaluations along the way"), "{said}");
    // Where something is open after so few seeds: Student's t of 2 and of 7 degrees of freedom at 5 % / 3.
    let arms = found["outcomes"]["arms"].as_array().unwrap();
    let is_open = |arm: &Value| arm["against"]["judgement"]["verdict"] == "not_shown";
    let few = "among 3 contrasts a difference is shown from 8 of its standard errors on with 3 seeds, and from 3 \
               with 8 seeds.";
    let one_line = said.replace('\n', " ");
    assert_eq!(one_line.contains(few), arms.iter().any(is_open), "{said}");
    assert!(
        said.lines().all(|line| line.chars().count() <= 110),
        "{said}"
    );
    // Nothing is better: the schedule to take is the baseline's.
    assert!(
        said.contains("wavetrain schedule out/better.toml --format torch"),
        "{said}"
    );
    let code = command(
        folder.path(),
        &["schedule", "out/better.toml", "--format", "torch"],
    );
    assert!(
        code.status.success() && words(&code).contains("CyclicLR"),
        "{}",
        words(&code)
    );
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    let finding = found["finding"].as_str().unwrap();
    assert!(
        page.contains(&format!("<h1>glyphs: {finding}</h1>")),
        "{finding}"
    );
    assert!(page.contains("wt-margin") && page.contains("Rates that were tried"));
    its_folder_is_its_own(folder.path(), &arguments);
}

/// What the folder of a finished comparison of three seeds takes, and what not.
fn its_folder_is_its_own(folder: &Path, arguments: &[&str]) {
    // It is no run.
    let replayed = command(folder, &["replay", "out"]);
    assert_eq!(replayed.status.code(), Some(2));
    assert!(
        words(&replayed).contains("holds a comparison, not a run"),
        "{}",
        words(&replayed)
    );
    its_page_is_written_again(folder);
    it_is_listed(folder);

    // Another comparison does not go into its folder, and more seeds are beyond its plan.
    refused(
        folder,
        &["mine.toml", "--and", "other.toml", "--out", "out"],
        "holds another comparison",
    );
    let more: Vec<&str> = arguments
        .iter()
        .map(|a| if *a == "3" { "4" } else { a })
        .collect();
    let said = words(&compare(folder, &more).output().unwrap());
    assert!(said.contains("beyond the plan of 3 seeds"), "{said}");
}

/// The page again, from the folder alone: the same bytes; and what is broken is named.
fn its_page_is_written_again(folder: &Path) {
    let page = folder.join("out/report.html");
    let first = fs::read(&page).unwrap();
    fs::remove_file(&page).unwrap();
    let report = command(folder, &["report", "out"]);
    assert!(report.status.success(), "{}", words(&report));
    assert!(fs::read(&page).unwrap() == first, "the page is another one");

    let file = folder.join("out/comparison.json");
    let whole = fs::read_to_string(&file).unwrap();
    let mut broken: Value = serde_json::from_str(&whole).unwrap();
    broken["plan"]["arms"][3]["same_as"] = 17.into();
    fs::write(&file, broken.to_string()).unwrap();
    let report = command(folder, &["report", "out"]);
    assert_eq!(report.status.code(), Some(2), "{}", words(&report));
    assert!(
        words(&report).contains("has an arm of momentum 0.9 that is not of the plan"),
        "{}",
        words(&report)
    );
    fs::remove_file(&file).unwrap();
    let report = command(folder, &["report", "out"]);
    assert_eq!(report.status.code(), Some(2), "{}", words(&report));
    assert!(
        words(&report).contains("nothing was judged yet"),
        "{}",
        words(&report)
    );
    let listed = json(&command(folder, &["runs", ".", "--json"]));
    assert_eq!(
        (&listed[0]["ended"], &listed[0]["finding"]),
        (&"unfinished".into(), &Value::Null)
    );
    fs::write(&file, whole).unwrap();
}

/// What the table of runs says of it.
fn it_is_listed(folder: &Path) {
    let found: Value =
        serde_json::from_slice(&fs::read(folder.join("out/comparison.json")).unwrap()).unwrap();
    let listed = json(&command(folder, &["runs", ".", "--json"]));
    let listed = &listed.as_array().unwrap()[0];
    assert_eq!(listed["kind"], "comparison");
    assert_eq!(
        listed["variants"],
        serde_json::json!(["mine", "other", "one_cycle", "momentum 0.9", "momentum 0.5"])
    );
    assert_eq!(
        (&listed["steps"], &listed["seeds"]),
        (&[40].into(), &3.into())
    );
    assert_eq!(
        (&listed["finding"], &listed["ended"]),
        (&found["finding"], &"done".into())
    );
    let text = words(&command(folder, &["runs", "."]));
    let finding = found["finding"].as_str().unwrap();
    assert!(text.contains(&format!("3 seeds: {finding}")), "{text}");
}

#[test]
fn several_lengths_show_what_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    config(
        folder.path(),
        "mine.toml",
        "policy = \"constant\"\nlr = 0.02",
    );
    config(
        folder.path(),
        "faster.toml",
        "policy = \"constant\"\nlr = 0.05",
    );
    let arguments = [
        "mine.toml",
        "--and",
        "faster.toml",
        "--seeds",
        "3",
        "--out",
        "out",
    ];
    let budget = ["--budget", "20,40,80"];
    let said = one_line(
        &compare(folder.path(), &[&arguments[..], &budget].concat())
            .output()
            .unwrap(),
    );
    assert!(
        said.contains("faster reaches at 20 steps what mine reaches at"),
        "{said}"
    );
    assert!(
        said.contains("at 80 steps what takes mine more than 80 (95 %:"),
        "{said}"
    );
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("The frontier"));
    // A schedule of a fixed length cannot be made for others.
    let fixed = "policy = \"one_cycle\"\nmax_lr = 0.2\ntotal_steps = 40";
    config(folder.path(), "fixed.toml", fixed);
    refused(
        folder.path(),
        &["mine.toml", "--and", "fixed.toml", "--budget", "20,40"],
        "shorter than a cycle of fixed",
    );
}

/// Streams leave out the last windows of a text that do not fill them: of 788 windows 60 streams hold 780,
/// and 48 hold 768.
#[test]
fn windows_in_streams_are_compared_where_all_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "numbers-lstm",
        "--vary",
        "data.batch=60,48",
        "--budget",
        "6",
        "--seeds",
        "2",
        "--out",
        "out",
        "--json",
    ];
    let begun = compare(folder.path(), &arguments).output().unwrap();
    let found = json(&begun);
    assert_eq!(found["plan"]["settings"]["samples"], 768);
    for record in found["records"].as_array().unwrap() {
        let scores = record["samples"].as_str().unwrap();
        assert!(scores.starts_with("f32 768 "), "{}", &scores[..20]);
    }
    // What was written is what is read: by the same command, which has nothing left to do, and for the page.
    let again = compare(folder.path(), &arguments).output().unwrap();
    assert_eq!(json(&again)["outcomes"], found["outcomes"]);
    let page = command(folder.path(), &["report", "out"]);
    assert!(page.status.success(), "{}", words(&page));
}

#[test]
fn minutes_that_hold_no_run_are_refused_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), "mine.toml", CYCLE);
    let arguments = [
        "mine.toml",
        "--vary",
        "seed=5,6",
        "--budget",
        "100000",
        "--minutes",
        "0.001",
    ];
    refused(folder.path(), &arguments, "one run takes about");
}

#[test]
fn two_seeds_of_the_same_thing_are_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), "mine.toml", CYCLE);
    config(folder.path(), "twin.toml", CYCLE);
    let arguments = [
        "mine.toml",
        "--and",
        "twin.toml",
        "--vary",
        "seed=77",
        "--seeds",
        "5",
        "--json",
    ];
    let found = json(&compare(folder.path(), &arguments).output().unwrap());
    let arms = found["outcomes"]["arms"].as_array().unwrap();
    assert_eq!(arms[1]["same_as"], "mine");
    let verdict = arms[2]["against"]["judgement"]["verdict"].as_str().unwrap();
    assert!(["not_shown", "as_good"].contains(&verdict), "{verdict}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_comparison_writes_its_page_and_goes_on() {
    use std::process::Stdio;
    use std::time::Duration;

    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), "mine.toml", CYCLE);
    let arguments = [
        "mine.toml",
        "--vary",
        "seed=5,6",
        "--seeds",
        "2",
        "--out",
        "out",
    ];
    let long = ["--budget", "20000"];
    let mut command = compare(folder.path(), &[&arguments[..], &long].concat());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let half = folder.path().join("out/runs/01-01.safetensors");
    while !half.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let out = child.wait_with_output().unwrap();
    let said = words(&out);
    assert_eq!(out.status.code(), Some(130), "{said}");
    assert!(
        said.contains("this goes on: wavetrain compare mine.toml"),
        "{said}"
    );
    assert!(folder.path().join("out/report.html").exists());
    assert!(half.exists(), "{said}");
}

#[test]
fn what_would_be_ignored_or_cannot_be_judged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path(), "mine.toml", CYCLE);
    for (arguments, sentence) in [
        // A smoothed loss and one that is not: the one is not the better for being the smaller.
        (
            &["sums-gpt", "--vary", "loss.label_smoothing=0.0,0.1"][..],
            "other losses",
        ),
        // Pictures of another seed are other pictures, under the same labels.
        (
            &["mine.toml", "--vary", "data.seed=3,4"],
            "answer the same test samples",
        ),
        (
            &["mine.toml", "--vary", "train={steps=20},{steps=60}"],
            "train, a whole table",
        ),
        (
            &[
                "mine.toml",
                "--policies",
                "constant",
                "--set",
                "train.test_every=10",
            ],
            "the test set is read once",
        ),
        (
            &["glyphs", "--set", "schedule.cycle_momentum=true"],
            "policies are made from bounds and a length",
        ),
        (
            &[
                "mine.toml",
                "--vary",
                "optimizer.momentum=0.9,0.5",
                "--tune",
                "7",
            ],
            "7, without --policies",
        ),
        (
            &["mine.toml", "--policies", "constant", "--name", "a\nb"],
            "of several lines",
        ),
        (
            &[
                "glyphs",
                "--policies",
                "constant,triangular",
                "--bounds",
                "0.01,0.1",
                "--budget",
                "2,3",
            ],
            "2 and 3, which hold the same whole cycles",
        ),
        (
            &["mine.toml", "--policies", "constant", "--budget", "5"],
            "shorter than a cycle of mine",
        ),
    ] {
        let arguments = [arguments, &["--out", "none"]].concat();
        refused(folder.path(), &arguments, sentence);
        assert!(!folder.path().join("none").exists(), "{arguments:?}");
    }
}

/// A table of three columns, of which `y` is x or not.
fn table(folder: &Path, name: &str, train: usize, flip: bool) {
    let place = folder.join(name);
    fs::create_dir(&place).unwrap();
    let rows = |from: usize, count: usize, flip: bool| {
        let row = |i: usize| {
            let (x, z) = (i * 7919 % 101, i * 31 % 17);
            format!("{x},{z},{}\n", if (x > 50) != flip { "yes" } else { "no" })
        };
        let rows: String = (from..from + count).map(row).collect();
        format!("x,z,y\n{rows}")
    };
    fs::write(place.join("train.csv"), rows(0, train, flip)).unwrap();
    fs::write(place.join("test.csv"), rows(1000, 60, false)).unwrap();
}

/// What is trained on belongs to what is compared: other training samples are no twin, and another
/// comparison.
#[test]
fn other_training_samples_are_other_runs() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), "right", 300, false);
    table(folder.path(), "wrong", 300, true);
    for name in ["right", "wrong"] {
        let text = format!(
            "[data]\nsource = \"csv\"\ndir = \"{name}\"\ntarget = \
             \"y\"\nbatch = 20\n[model]\nlayers = [{{ linear = \"outputs\" }}]\n[schedule]\npolicy = \
             \"constant\"\nlr = 0.5\n[train]\nsteps = 40\n"
        );
        fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    let arguments = |seeds: &'static str| {
        let begun = ["right.toml", "--and", "wrong.toml", "--seeds", seeds];
        [&begun[..], &["--out", "out", "--json"]].concat()
    };
    let out = compare(folder.path(), &arguments("2")).output().unwrap();
    let found = json(&out);
    let arms = found["plan"]["arms"].as_array().unwrap();
    assert!(arms[1]["same_as"].is_null(), "{}", arms[1]);
    assert_ne!(arms[0]["data"], arms[1]["data"]);
    let scores: Vec<f64> = [0, 1]
        .map(|arm: usize| {
            found["outcomes"]["arms"][arm]["test"]["mean"]
                .as_f64()
                .unwrap()
        })
        .to_vec();
    assert!(scores[0] > 0.8 && scores[1] < 0.2, "{scores:?}");
    // The whole table `data` is read anew, too.
    table(folder.path(), "other", 20, false);
    fs::copy(
        folder.path().join("other/train.csv"),
        folder.path().join("other/test.csv"),
    )
    .unwrap();
    let vary = "data={source=\"csv\",dir=\"other\",target=\"y\"}";
    refused(
        folder.path(),
        &["right.toml", "--vary", vary],
        "answer the same test samples",
    );
    // Other labels in the same file are another comparison.
    fs::copy(
        folder.path().join("wrong/train.csv"),
        folder.path().join("right/train.csv"),
    )
    .unwrap();
    refused(
        folder.path(),
        &arguments("4"),
        "the samples have the fingerprint",
    );
}

/// A number of the file holds, whatever a range test finds for the other bound; fewer seeds than there are
/// take none away; and the folder's name is quoted in commands.
#[test]
fn numbers_of_the_file_hold_and_seeds_that_are_there_stay() {
    let folder = tempfile::tempdir().unwrap();
    let cycle = "policy = \"triangular\"\nbase_lr = \"auto\"\nmax_lr = 0.25\nstep_size_up = 20";
    config(folder.path(), "mine.toml", cycle);
    let seeds = |seeds: &'static str| {
        let arguments = [
            "mine.toml",
            "--policies",
            "triangular2",
            "--vary",
            "schedule.max_lr=0.05",
            "--tune",
            "0",
            "--seeds",
            seeds,
            "--out",
            "a folder",
        ];
        compare(folder.path(), &arguments).output().unwrap()
    };
    let three = seeds("3");
    assert!(three.status.success(), "{}", words(&three));
    let read = || -> Value {
        let file = folder.path().join("a folder/comparison.json");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    };
    let found = read();
    let takes = found["plan"]["arms"][1]["takes"].as_str().unwrap();
    assert!(takes.contains(" to 0.25"), "{takes}");
    let two = seeds("2");
    assert!(two.status.success(), "{}", words(&two));
    assert_eq!(read()["outcomes"], found["outcomes"]);
}
