//! The metrics file and the run folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use wavetrain::disk::Disk;
use wavetrain::error::{Error, Result};
use wavetrain::report::folder::{self, RunFolder};
use wavetrain::report::listing::{self, Listed, ListedRun};
use wavetrain::report::metrics::{Metrics, MetricsFile};
use wavetrain::train::event::{Evaluation, Event, Observer as _, Split, StepRecord};

use super::fixture;

fn step(step: u64, lr: f64, loss: f64) -> StepRecord {
    StepRecord {
        step,
        epoch: step / 10,
        lr,
        momentum: 0.9,
        loss,
        accuracy: 0.25,
        grad_norm: 1.5,
        clip_factor: None,
    }
}

fn evaluation(split: Split, step: u64) -> Evaluation {
    Evaluation {
        split,
        step,
        epoch: step / 10,
        loss: 0.125,
        accuracy: 0.975,
        errors: None,
        sequences: None,
        perplexity: None,
        bits: None,
    }
}

#[test]
fn the_lines_are_those_of_the_documentation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    let mut file = MetricsFile::create(&path).unwrap();
    let chunk = [step(0, f64::from(0.1_f32), 2.5), step(1, 0.1, f64::NAN)];
    file.on(&Event::Steps(&chunk)).unwrap();
    // Each chunk is in the file as soon as the observer returns.
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    file.on(&Event::Evaluated(&evaluation(Split::Test, 2)))
        .unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\
{\"type\":\"step\",\"step\":0,\"epoch\":0,\"lr\":0.10000000149011612,\"momentum\":0.9,\"loss\":2.5,\"accuracy\":0.25,\"grad_norm\":1.5}
{\"type\":\"step\",\"step\":1,\"epoch\":0,\"lr\":0.1,\"momentum\":0.9,\"loss\":null,\"accuracy\":0.25,\"grad_norm\":1.5}
{\"type\":\"eval\",\"split\":\"test\",\"step\":2,\"epoch\":0,\"loss\":0.125,\"accuracy\":0.975}
"
    );
    let metrics = Metrics::read(&path).unwrap();
    assert_eq!(metrics.steps[0], chunk[0]);
    assert!(metrics.steps[1].loss.is_nan());
    assert_eq!(metrics.evaluations, [evaluation(Split::Test, 2)]);
    // Files of versions that did not measure the norm can be read.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(",\"grad_norm\":1.5", "")).unwrap();
    let old = Metrics::read(&path).unwrap();
    assert!(old.steps[0].grad_norm.is_nan() && old.steps[0].loss == 2.5);
}

#[test]
fn the_factor_of_clipping_is_there_where_gradients_are_clipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    let clipped = |n, factor| StepRecord {
        clip_factor: Some(factor),
        ..step(n, 0.1, 2.5)
    };
    let chunk = [clipped(0, 1.0), clipped(1, 0.25), clipped(2, f64::NAN)];
    assert_eq!(chunk.map(|step| step.is_finite()), [true, true, false]);
    MetricsFile::create(&path).unwrap().steps(&chunk).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let ends: Vec<&str> = text
        .lines()
        .filter_map(|l| l.split("1.5,").nth(1))
        .collect();
    let end = |factor: &str| format!("\"clip_factor\":{factor}}}");
    assert_eq!(ends, [end("1.0"), end("0.25"), end("null")]);
    let read = Metrics::read(&path).unwrap();
    assert_eq!(read.steps[..2], chunk[..2]);
    assert!(read.steps[2].clip_factor.is_some_and(f64::is_nan));
    let table = read.to_csv();
    let cells: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert!(cells.iter().all(|row| row.len() == 12), "{table}");
    let column: Vec<&str> = cells.iter().map(|row| row[7]).collect();
    assert_eq!(column, ["clip_factor", "1", "0.25", ""]);
}

proptest! {
    #[test]
    fn numbers_read_back_to_the_same_bits(
        values in prop::collection::vec((any::<f64>(), any::<f64>()), 1..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let finite = |value: f64| if value.is_finite() { value } else { 0.5 };
        let steps: Vec<StepRecord> = (0..).zip(&values)
            .map(|(i, (lr, loss))| step(i, finite(*lr), *loss))
            .collect();
        MetricsFile::create(&path).unwrap().steps(&steps).unwrap();
        let read = Metrics::read(&path).unwrap().steps;
        prop_assert_eq!(read.len(), steps.len());
        for (read, written) in read.iter().zip(&steps) {
            prop_assert_eq!(read.lr.to_bits(), written.lr.to_bits());
            if written.loss.is_finite() {
                prop_assert_eq!(read.loss.to_bits(), written.loss.to_bits());
            } else {
                prop_assert!(read.loss.is_nan());
            }
        }
    }
}

/// What is read from a metrics file of these bytes.
fn read(bytes: &[u8]) -> Result<Metrics> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.jsonl");
    fs::write(&path, bytes).unwrap();
    Metrics::read(&path)
}

const LINE: &str =
    r#"{"type":"step","step":7,"epoch":0,"lr":0.1,"momentum":0.9,"loss":1.5,"accuracy":0.5}"#;

#[test]
fn a_torn_last_line_is_left_out() {
    for cut in 1..LINE.len() {
        let text = format!("{LINE}\n{}", &LINE[..cut]);
        assert_eq!(read(text.as_bytes()).unwrap().steps.len(), 1, "{text}");
    }
    // Whole, but for its line feed.
    assert_eq!(
        read(format!("{LINE}\n{LINE}").as_bytes())
            .unwrap()
            .steps
            .len(),
        2
    );
    // A file system that lost its last write leaves zeros.
    assert_eq!(
        read(format!("{LINE}\n\0\0\0\0").as_bytes())
            .unwrap()
            .steps
            .len(),
        1
    );
    assert_eq!(read(b"").unwrap(), Metrics::default());
}

#[test]
fn a_broken_line_is_named() {
    let broken = [
        "{\"type\":\"step\",\"step\":7}",
        "",
        "\u{fffd}",
        "[]",
        "{\"step\":7}",
    ];
    for line in broken {
        let text = format!("{LINE}\n{LINE}\n{line}\n{LINE}\n");
        let error = read(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        assert!(error.to_string().contains("line 3 "), "{error}");
        assert!(error.is_users_mistake());
    }
    let error = read(b"\xff\xfe\n").unwrap_err();
    assert!(error.to_string().contains("line 1 "), "{error}");
}

#[test]
fn lines_of_another_type_are_skipped() {
    let text = format!("{{\"type\":\"note\",\"text\":\"hello\"}}\n{LINE}\n");
    assert_eq!(read(text.as_bytes()).unwrap().steps.len(), 1);
}

/// The problem of an [`Error::Output`].
fn problem(error: Error) -> String {
    match error {
        Error::Output { problem, help, .. } => {
            assert!(!help.is_empty());
            problem
        }
        other => panic!("not an error of the output folder: {other:?}"),
    }
}

#[test]
fn a_folder_is_made_with_those_above_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/c");
    assert_eq!(RunFolder::create(&path, false).unwrap().path(), path);
    // An empty one is taken, and nothing is left of the test whether it can be written to.
    RunFolder::create(&path, false).unwrap();
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn what_is_not_empty_is_refused_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "ten years").unwrap();
    let error = problem(RunFolder::create(dir.path(), false).unwrap_err());
    assert!(error.contains("thesis.tex"), "{error}");

    fs::write(dir.path().join(folder::RUN), "{}").unwrap();
    let error = problem(RunFolder::create(dir.path(), false).unwrap_err());
    assert!(error.contains("another run"), "{error}");

    for name in [
        folder::SUMMARY,
        folder::PAGE,
        folder::METRICS,
        folder::MODEL,
    ] {
        fs::write(dir.path().join(name), "old").unwrap();
    }
    let run = RunFolder::create(dir.path(), true).unwrap();
    run.forget_results().unwrap();
    run.write(folder::RUN, b"new").unwrap();
    let left: BTreeSet<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = [folder::RUN, "thesis.tex"];
    assert_eq!(left, expected.map(String::from).into());
    assert_eq!(fs::read(run.file(folder::RUN)).unwrap(), b"new");
    assert_eq!(fs::read(run.file("thesis.tex")).unwrap(), b"ten years");
}

#[test]
fn a_file_or_a_place_without_rights_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    let error = problem(RunFolder::create(&file, false).unwrap_err());
    assert_eq!(error, "is a file");
    assert_eq!(
        problem(RunFolder::create(&file, true).unwrap_err()),
        "is a file"
    );
    problem(RunFolder::create(file.join("below"), false).unwrap_err());
    problem(RunFolder::fresh(&file, "glyphs").unwrap_err());
    assert_eq!(fs::read(&file).unwrap(), b"text");
    // A folder that exists and that nobody, not even root, can write to.
    #[cfg(target_os = "linux")]
    {
        let error = problem(RunFolder::create("/proc/self/task", true).unwrap_err());
        assert!(error.starts_with("cannot be written to"), "{error}");
        problem(RunFolder::create("/proc/nothing/here", false).unwrap_err());
    }
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("above/below");
    RunFolder::refuse_occupied(&new).unwrap();
    RunFolder::refuse_occupied(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    problem(RunFolder::refuse_occupied(&file).unwrap_err());
    problem(RunFolder::refuse_occupied(&file.join("above/below")).unwrap_err());
    problem(RunFolder::refuse_occupied(dir.path()).unwrap_err());
    if cfg!(target_os = "linux") {
        problem(RunFolder::refuse_occupied(Path::new("/proc/nothing/here")).unwrap_err());
    }
}

#[test]
fn fresh_folders_count_up() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let name = |run: &RunFolder| run.path().file_name().unwrap().to_str().unwrap().to_owned();
    let first = RunFolder::fresh(&runs, "glyphs").unwrap();
    assert_eq!(name(&first), "glyphs-0001");
    assert_eq!(
        name(&RunFolder::fresh(&runs, "glyphs").unwrap()),
        "glyphs-0002"
    );
    assert_eq!(
        name(&RunFolder::fresh(&runs, "mnist").unwrap()),
        "mnist-0001"
    );
    for other in ["glyphs-0041", "glyphs-", "glyphs-x", "glyphs-+7", "glyphs"] {
        fs::create_dir(runs.join(other)).unwrap();
    }
    assert_eq!(
        name(&RunFolder::fresh(&runs, "glyphs").unwrap()),
        "glyphs-0042"
    );
    fs::create_dir(runs.join("glyphs-12345")).unwrap();
    assert_eq!(
        name(&RunFolder::fresh(&runs, "glyphs").unwrap()),
        "glyphs-12346"
    );
}

#[test]
fn processes_at_the_same_time_get_different_folders() {
    let dir = tempfile::tempdir().unwrap();
    let all: BTreeSet<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| RunFolder::fresh(dir.path(), "race").unwrap()))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, RunFolder>| thread.join().unwrap();
        threads
            .into_iter()
            .map(|t| join(t).path().to_owned())
            .collect()
    });
    assert_eq!(all.len(), 8);
}

#[test]
fn open_wants_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let missing = problem(RunFolder::open(dir.path().join("nothing")).unwrap_err());
    assert_eq!(missing, "does not exist");
    assert!(problem(RunFolder::open(dir.path()).unwrap_err()).contains("run.json"));
    fs::write(dir.path().join(folder::RUN), "{}").unwrap();
    RunFolder::open(dir.path()).unwrap();
    assert_eq!(
        problem(RunFolder::open(dir.path().join(folder::RUN)).unwrap_err()),
        "is a file"
    );
}

#[test]
fn files_are_replaced_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    Disk::default().replace(&path, b"first").unwrap();
    Disk::default().replace(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // Where the file cannot be put, nothing is left behind.
    fs::create_dir(dir.path().join("folder")).unwrap();
    let error = Disk::default()
        .replace(&dir.path().join("folder"), b"x")
        .unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    // An ordinary file, not a private one.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let ordinary = dir.path().join("ordinary");
        fs::write(&ordinary, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&ordinary));
    }
}

#[test]
fn the_table_of_a_run_has_a_row_for_each_step() {
    let dir = tempfile::tempdir().unwrap();
    fixture::run(10, 400, 100).write(dir.path());
    let metrics = Metrics::read(&dir.path().join("metrics.jsonl")).unwrap();
    let table = metrics.to_csv();
    let mut lines = table.lines();
    let head = "step,epoch,lr,momentum,loss,accuracy,grad_norm,validation_loss,\
                validation_accuracy,test_loss,test_accuracy";
    assert_eq!(lines.next(), Some(head));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 400);
    let mut tests = Vec::new();
    for (row, step) in rows.iter().zip(&metrics.steps) {
        assert_eq!(row.len(), 11);
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        assert_eq!(number(0), step.step as f64);
        assert_eq!([number(2), number(3)], [step.lr, step.momentum]);
        assert_eq!([number(4), number(5)], [step.loss, step.accuracy]);
        assert_eq!(number(6), step.grad_norm);
        if !row[10].is_empty() {
            tests.push((step.step + 1, number(10)));
        }
    }
    let evaluations = metrics
        .evaluations
        .iter()
        .filter(|e| e.split == Split::Test);
    let expected: Vec<(u64, f64)> = evaluations.map(|e| (e.step, e.accuracy)).collect();
    assert_eq!(tests, expected);
}

/// What was listed, which is runs and nothing else.
fn only_runs(listed: &[Listed]) -> Vec<&ListedRun> {
    let runs = listed.iter().map(|listed| match listed {
        Listed::Run(run) => run,
        other => panic!("{other:?}"),
    });
    runs.collect()
}

#[test]
fn runs_are_listed_with_how_they_ended() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["glyphs-0001", "glyphs-0002"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fixture::run(10, 400, 100).write(&dir.path().join(name));
    }
    fs::create_dir(dir.path().join("other")).unwrap();
    fs::remove_file(dir.path().join("glyphs-0002/summary.json")).unwrap();
    let listing::Listing { listed, left_out } = listing::list(dir.path()).unwrap();
    let runs = only_runs(&listed);
    assert_eq!(runs.len(), 2);
    let other = (
        dir.path().join("other"),
        "is no run: it holds no run.json".to_owned(),
    );
    assert_eq!(left_out, [other]);
    let of = |name: &str| runs.iter().find(|run| run.run.ends_with(name)).unwrap();
    assert_eq!(
        (of("glyphs-0001").ended.as_str(), of("glyphs-0001").steps),
        ("done", 400)
    );
    assert!(of("glyphs-0001").test_accuracy.unwrap() > 0.9);
    assert_eq!(of("glyphs-0002").ended, "unfinished");
    assert_eq!(of("glyphs-0002").test_accuracy, None);
    let first = of("glyphs-0001");
    assert_eq!(
        first.model,
        "flatten, linear(784, 256), relu, linear(256, 10)"
    );
    let when: jiff::Timestamp = first.when.as_ref().unwrap().parse().unwrap();
    assert_eq!(when.as_second(), first.began.unwrap() as i64);
    let text = listing::text(&listed);
    let minute = when.strftime("%Y-%m-%d %H:%M").to_string();
    assert!(
        text.contains("when (UTC)") && text.contains(&minute),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);
    assert!(
        text.contains("unfinished") && text.contains("triangular from"),
        "{text}"
    );
    // What is broken is named, and shown as far as it can be.
    fs::write(dir.path().join("glyphs-0001/summary.json"), "{").unwrap();
    fs::write(dir.path().join("glyphs-0002/run.json"), "{").unwrap();
    let listing::Listing { listed, left_out } = listing::list(dir.path()).unwrap();
    let runs = only_runs(&listed);
    assert_eq!((runs.len(), runs[0].ended.as_str()), (1, "unfinished"));
    assert!(
        left_out[0].1.starts_with("its summary.json is broken: "),
        "{left_out:?}"
    );
    assert!(
        left_out[1].1.starts_with("its run.json is broken: "),
        "{left_out:?}"
    );
    let error = listing::list(&dir.path().join("nothing")).unwrap_err();
    assert!(error.is_users_mistake() && error.to_string().contains("cannot be read"));
}
