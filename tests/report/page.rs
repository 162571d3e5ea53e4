//! The page: every part is there, it escapes what it shows, and it asks no network for anything.

use std::fs;
use std::path::Path;

use wavetrain::error::Error;
use wavetrain::page::write_page;
use wavetrain::report::folder;
use wavetrain::train::event::{Confusion, Ended, Evaluation, Split};

use crate::fixture::{self, Run};

/// What stands between two texts, the first time.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, after) = text.split_once(start).expect(start);
    after.split_once(end).expect(end).0
}

fn data(page: &str) -> serde_json::Value {
    let json = between(
        page,
        "<script type=\"application/json\" id=\"data\">",
        "</script>",
    );
    serde_json::from_str(json).unwrap()
}

/// A page is well formed where it matters: no part of the template is left, elements that hold
/// parts are closed, and nothing points outside.
fn check(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("{{") && !page.contains("}}"));
    for element in [
        "section", "table", "figure", "ul", "dl", "svg", "script", "style", "details",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        let closed = page.matches(&format!("</{element}>")).count();
        assert_eq!(opened, closed, "<{element}>");
    }
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for address in ["http://", "https://", "src=\"/", "href=\"/", "@import"] {
        assert!(!outside.contains(address), "{address}");
    }
    for number in [">NaN", "NaN<", "\"NaN", "MNaN", "LNaN", "inf<"] {
        assert!(!page.contains(number), "{number}");
    }
    data(page);
}

/// Writes the pages of this file to the build folder, so that a person can look at them.
fn keep(run: &Run, name: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("report")
        .join(name);
    fs::read_to_string(run.write(&path)).unwrap()
}

#[test]
fn every_part_is_there() {
    let page = keep(&fixture::run(10, 3140, 785), "done");
    check(&page);
    for part in [
        "<h1>glyphs: 98.", // the result
        "Test accuracy",
        "3,140",
        "of 1,570 steps each",
        "samples/s",
        "triangular from 0.01 to 0.1, half cycle 785 steps",
        "data-panel=\"rate\"",
        "data-panel=\"momentum\"",
        "data-panel=\"loss\"",
        "data-panel=\"accuracy\"",
        "data-panel=\"error\"",
        "data-panel=\"grad_norm\"",
        "exponential average over 31 steps",
        "Dotted lines mark the ends of cycles.",
        "<th scope=\"row\">9</th>",
        "Most often confused: <b>",
        "data:image/png;base64,",
        "Augmented samples",
        "<code>linear(784, 256)</code>",
        "203,530",
        "llvmpipe (LLVM 15.0.6, 256 bits)",
        "Mesa 22.3.6",
        "max_lr = 0.1",
        "Last steps",
        "prefers-color-scheme: dark",
        "Content-Security-Policy",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("class=\"banner"));
    // Static charts for browsers without script: six drawings with marks of two cycles.
    assert_eq!(
        page.matches("<svg viewBox=\"0 0 880 280\" role=\"img\"")
            .count(),
        6
    );
    assert_eq!(page.matches("class=\"wt-mark\"").count(), 12);
    // Eight augmented samples, then the mistakes.
    assert_eq!(page.matches("<img ").count(), 8 + 24);
}

#[test]
fn the_data_in_the_page_are_those_of_the_run() {
    let mut run = fixture::run(10, 600, 100);
    let held_out = Evaluation {
        split: Split::Validation,
        loss: 0.75,
        ..run.evaluations[0]
    };
    run.evaluations.push(held_out);
    let data = data(&run.page());
    assert_eq!(data["period"], 200);
    assert_eq!(data["range"], serde_json::json!([0.0, 600.0]));
    let series = |panel: usize, series: usize| &data["panels"][panel]["series"][series];
    let column = |series: &serde_json::Value, name: &str| -> Vec<f64> {
        let values = series[name].as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap()).collect()
    };
    let steps: Vec<f64> = (0..600).map(f64::from).collect();
    assert_eq!(column(series(0, 0), "x"), steps);
    let single = |text: Vec<f64>| text.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
    let recorded = |value: fn(&wavetrain::train::event::StepRecord) -> f64| -> Vec<f32> {
        run.steps.iter().map(|step| value(step) as f32).collect()
    };
    assert_eq!(single(column(series(0, 0), "y")), recorded(|step| step.lr));
    assert_eq!(
        single(column(series(1, 0), "y")),
        recorded(|step| step.momentum)
    );
    assert_eq!(
        single(column(series(2, 0), "y")),
        recorded(|step| step.loss)
    );
    assert_eq!(series(2, 1)["name"], "smoothed");
    assert_eq!(column(series(3, 0), "x"), [157.0, 314.0, 471.0, 600.0]);
    // Losses of both sets beside those of the batches; what is left to 100 %.
    assert_eq!(series(2, 2)["name"], "test");
    assert_eq!(series(2, 3)["name"], "validation");
    assert_eq!(column(series(2, 3), "y"), [0.75]);
    assert_eq!(data["panels"][4]["id"], "error");
    let (right, wrong) = (column(series(3, 0), "y"), column(series(4, 0), "y"));
    for (right, wrong) in right.iter().zip(&wrong) {
        assert!((100.0 - right - wrong).abs() < 1e-4, "{right} {wrong}");
    }
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = fixture::run(10, 300, 50).write(dir.path());
    let first = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(write_page(dir.path()).unwrap(), path);
    assert_eq!(fs::read(&path).unwrap(), first);
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</script><script>alert(1)</script><!--{{script}}\"'&\u{2028}";
    let mut run = fixture::run(3, 50, 10);
    run.info.classes = vec![
        hostile.into(),
        "a&b".into(),
        "<img src=x onerror=alert(1)>".into(),
    ];
    run.info.data = hostile.into();
    run.info.schedule = hostile.into();
    run.info.config = hostile.into();
    run.info.adapter.name = hostile.into();
    run.info.layers[0].layer = hostile.into();
    let page = run.page();
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img src=x"));
    assert!(page.contains("a&amp;b"));
    assert!(
        page.contains("{{script}}&quot;"),
        "a name must not stand for a part of the page"
    );
    data(&page);
}

#[test]
fn a_long_run_keeps_its_spikes_in_a_small_page() {
    let mut run = fixture::run(10, 100_000, 2000);
    run.steps[54_321].loss = 77.0;
    let page = keep(&run, "long");
    check(&page);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    let loss = &data(&page)["panels"][2]["series"][0];
    let x = loss["x"].as_array().unwrap();
    assert!(x.len() < 5000, "{} points", x.len());
    let spike = x
        .iter()
        .position(|step| step == 54_321)
        .expect("the spike is lost");
    assert_eq!(loss["y"][spike], 77.0);
    assert_eq!(x[x.len() - 1], 99_999);
}

#[test]
fn a_run_that_diverged_says_so_at_the_top() {
    let mut run = fixture::run(10, 412, 785);
    run.info.total_steps = 3140;
    for (i, step) in run.steps.iter_mut().rev().take(12).enumerate() {
        step.loss = if i < 3 {
            f64::NAN
        } else {
            10_f64.powi(13 - i as i32)
        };
    }
    if let Some(summary) = &mut run.summary {
        summary.ended = Ended::Diverged;
        summary.confusion = Confusion::default();
        summary.mistakes.clear();
    }
    let page = keep(&run, "diverged");
    check(&page);
    assert!(page.contains("<h1>glyphs: diverged at step 409</h1>"));
    let banner = between(&page, "class=\"banner error\"", "</p>");
    assert!(
        banner.contains("at a learning rate of 0.0568") && banner.contains("1.00e10"),
        "{banner}"
    );
    // Ten powers of ten are drawn on a logarithmic axis.
    assert_eq!(data(&page)["panels"][2]["log"], true);
    // Killed before its summary: the metrics tell the same.
    run.summary = None;
    assert!(run.page().contains("diverged at step 409"));
}

#[test]
fn runs_that_ended_early_say_so_at_the_top() {
    let mut run = fixture::run(10, 900, 785);
    run.info.total_steps = 3140;
    for (ended, title) in [
        (Ended::Interrupted, "Interrupted"),
        (Ended::Stopped, "Stopped early"),
    ] {
        if let Some(summary) = &mut run.summary {
            summary.ended = ended;
        }
        let page = run.page();
        let banner = between(&page, "class=\"banner", "</p>");
        assert!(
            banner.contains(title) && banner.contains("900 of 3,140"),
            "{banner}"
        );
    }
    run.summary = None;
    let page = keep(&run, "unfinished");
    check(&page);
    let banner = between(&page, "class=\"banner", "</p>");
    assert!(
        banner.contains("no summary") && banner.contains("900 of 3,140"),
        "{banner}"
    );
    assert!(
        page.contains("98.") || page.contains("97."),
        "the evaluations so far are shown"
    );
    // A last line that was cut off by the kill is left out.
    let dir = tempfile::tempdir().unwrap();
    run.write(dir.path());
    let metrics = dir.path().join(folder::METRICS);
    let text = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, &text[..text.len() - 20]).unwrap();
    write_page(dir.path()).unwrap();
}

#[test]
fn odd_runs_have_whole_pages() {
    let one_step = fixture::run(10, 1, 1);
    check(&keep(&one_step, "one-step"));

    let mut nothing = fixture::run(10, 1, 1);
    (nothing.steps, nothing.evaluations, nothing.summary) = (vec![], vec![], None);
    check(&keep(&nothing, "nothing"));

    let two = fixture::run(2, 400, 100);
    check(&keep(&two, "two-classes"));

    let mut hundred = fixture::run(100, 800, 100);
    hundred.info.classes = (0..100).map(|i| format!("class number {i}")).collect();
    let page = keep(&hundred, "hundred-classes");
    check(&page);
    assert!(page.contains("<th scope=\"col\" class=\"turned\"><span>class number 99</span></th>"));

    let mut features = fixture::run(3, 500, 125);
    features.info.sample_shape = vec![4];
    features.info.period = None;
    features.info.schedule = "constant 0.05".into();
    for mistake in features.summary.iter_mut().flat_map(|s| &mut s.mistakes) {
        mistake.pixels.clear();
    }
    let page = keep(&features, "features");
    check(&page);
    assert!(!page.contains("<img ") && page.contains("<th scope=\"col\">Test sample</th>"));
    assert!(!page.contains(">Cycles<"));

    let mut untested = fixture::run(10, 500, 125);
    untested.evaluations.clear();
    if let Some(summary) = &mut untested.summary {
        (summary.evaluations, summary.mistakes) = (vec![], vec![]);
        summary.confusion = Confusion::default();
    }
    let page = keep(&untested, "untested");
    check(&page);
    assert!(!page.contains("Test accuracy"));
    assert!(page.contains("<h1>glyphs: 500 steps</h1>"));
}

#[test]
fn augmented_samples_are_shown_below_what_they_were() {
    let mut run = fixture::run(10, 600, 100);
    let page = keep(&run, "augmented");
    check(&page);
    let section = between(&page, "<section id=\"augmented\"", "</section>");
    assert!(section.contains("as the first steps see them: shift 3 (reflect)."));
    assert_eq!(
        section.matches("<img src=\"data:image/png;base64,").count(),
        8
    );
    assert!(section.contains("alt=\"training sample 1,235: 1\""));
    assert!(section.contains("<li class=\"soft\">0</li>"));
    assert!(page.contains("<dt>Augment</dt><dd>shift 3 (reflect)</dd>"));
    // A run of a program that did not know them has none, and neither has one that changes nothing.
    run.info.augment = String::new();
    let page = run.page();
    assert!(!page.contains("id=\"augmented\"") && !page.contains("<dt>Augment</dt>"));
    let stored = serde_json::to_value(&run.info).unwrap();
    let mut old = stored.clone();
    old.as_object_mut().unwrap().remove("augment");
    let old: wavetrain::train::event::RunInfo = serde_json::from_value(old).unwrap();
    assert_eq!(serde_json::to_value(old).unwrap(), stored);
}

#[test]
fn validation_has_its_own_curve() {
    let mut run = fixture::run(10, 600, 100);
    run.info.samples = [18_000, 2_000, 4_000];
    let held: Vec<Evaluation> = (run.evaluations.iter())
        .map(|test| Evaluation {
            split: Split::Validation,
            accuracy: test.accuracy - 0.01,
            ..*test
        })
        .collect();
    run.evaluations.extend(held);
    let page = keep(&run, "validation");
    check(&page);
    assert!(page.contains("Validation accuracy"));
    assert!(page.contains("18,000 training, 2,000 validation, 4,000 test"));
    assert_eq!(data(&page)["panels"][3]["series"][1]["name"], "validation");
}

#[test]
fn ends_of_cycles_are_drawn_over_time() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report/low-points");
    let run = fixture::run(10, 3140, 785);
    assert!(!run.page().contains("low-points"));
    run.write(&path);
    let metrics = path.join(folder::METRICS);
    let mut text = fs::read_to_string(&metrics).unwrap();
    for (cycle, single, ensemble) in [(1, 0.962, 0.962), (2, 0.97, 0.975)] {
        let (step, seconds) = (1570 * cycle, 1.5 * f64::from(cycle));
        text += &format!(
            "{{\"type\":\"cycle_end\",\"cycle\":{cycle},\"step\":{step},\"seconds\":{seconds},\
             \"split\":\"test\",\"single\":{single},\"ensemble\":{ensemble},\"average\":null}}\n"
        );
    }
    fs::write(&metrics, text).unwrap();
    let page = fs::read_to_string(write_page(&path).unwrap()).unwrap();
    check(&page);
    let section = between(&page, "<section id=\"low-points\"", "</section>");
    assert!(section.contains("On the test set, at the end of each cycle"));
    assert!(section.contains("accuracy over seconds of training; single: starts at 96.2"));
    assert!(
        section.contains("; ensemble: starts at 96.2, lowest 96.2, highest 97.5, ends at 97.5")
    );
    // In the wide drawing and in the narrow one.
    assert_eq!(section.matches("<circle ").count(), 2 * 4);
    let row = "<td>3,140</td><td>3.00 s</td><td>97.00 %</td><td>97.50 %</td></tr>";
    assert!(section.contains(row), "{section}");
    assert!(!section.contains("average"), "nobody kept one");
}

#[test]
fn folders_that_hold_no_run_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = write_page(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Output { .. }), "{error:?}");
    let error = write_page(&dir.path().join("nothing")).unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");

    fixture::run(10, 20, 5).write(dir.path());
    for name in [folder::RUN, folder::SUMMARY, folder::METRICS] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, "{\"steps\":\n").unwrap();
        let error = write_page(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        fs::write(&path, whole).unwrap();
    }
    write_page(dir.path()).unwrap();
}

#[test]
fn many_classes_have_lists_of_what_is_worst_and_a_small_page() {
    let mut run = fixture::run(10, 200, 50);
    let classes = 10_000;
    run.info.classes = (0..classes).map(|i| format!("class number {i}")).collect();
    let summary = run.summary.as_mut().unwrap();
    let right = (0..classes).map(|class| (class, class, 3));
    let wrong = (0..classes).map(|class| (class, (class * 7 + 1) % classes, 1 + class as u64 % 9));
    summary.confusion = Confusion::new(classes, right.chain(wrong));
    let folder = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(run.write(folder.path())).unwrap();
    check(&page);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert!(
        page.contains("10,000 classes are too many for a matrix"),
        "{}",
        page.len()
    );
    assert!(page.contains("<tr><td>class number 8</td><td>class number 57</td><td>9</td></tr>"));
    assert!(page.contains("<td>class number 8</td><td>25.0 %</td><td>12</td>"));
    let summary = fs::read(folder.path().join(folder::SUMMARY)).unwrap();
    assert!(summary.len() < 2_000_000, "{} bytes", summary.len());
}
