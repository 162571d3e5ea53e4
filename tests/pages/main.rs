//! In a real browser: the pages, in both colour schemes, wide and as narrow as a phone; and the
//! kernels, in its WGSL compiler. Without one (Chromium or Chrome) the tests say that they are
//! skipped.

mod browser;
mod kernels;
#[path = "../proofs/shaders/plans.rs"]
mod plans;
mod server;
#[path = "../support/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::Command;

use browser::{Look, browser_or_skip, look};

/// So that the page has all charts that there are.
const CLIPPED: [&str; 2] = ["--set", "optimizer.clip_norm=0.5"];

/// Runs the program in `folder`.
fn wavetrain(folder: &Path, arguments: &[&str]) {
    let out = Command::new(env!("CARGO_BIN_EXE_wavetrain"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{arguments:?}: {words}");
}

/// A page of each kind: its folder, and the drawings and interactive charts that it has at least.
fn pages(folder: &Path) -> [(PathBuf, usize, usize); 3] {
    wavetrain(
        folder,
        &[
            "train",
            "--out",
            "train",
            "--set",
            "train.epochs=2",
            "--set",
            "schedule.step_size_up=157",
            CLIPPED[0],
            CLIPPED[1],
        ],
    );
    wavetrain(folder, &["find", "--seeds", "2", "--out", "find"]);
    let compare = [
        "compare",
        "--policies",
        "constant,triangular",
        "--seeds",
        "2",
    ];
    let more = ["--budget", "60", "--out", "compare"];
    wavetrain(folder, &[&compare[..], &more[..]].concat());
    [("train", 6, 7), ("find", 1, 0), ("compare", 3, 1)]
        .map(|(name, drawings, panels)| (folder.join(name).join("report.html"), drawings, panels))
}

fn complaints(page: &Path, looks: &[Look], console: &[String]) -> Vec<String> {
    let name = page.parent().and_then(Path::file_name).unwrap_or_default();
    let of = |look: &Look| -> Vec<String> {
        let place = format!("{} at {} px", name.display(), look.width);
        look.faults
            .iter()
            .map(|fault| format!("{place}: {fault}"))
            .collect()
    };
    looks
        .iter()
        .flat_map(of)
        .chain(console.iter().cloned())
        .collect()
}

#[test]
fn pages_are_whole_in_both_schemes_and_on_a_phone() {
    let Some(browser) = browser_or_skip("the pages in a browser") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (page, drawings, panels) in pages(folder.path()) {
        for dark in [false, true] {
            let (looks, console) = look(&browser, &page, dark);
            assert_eq!(looks.len(), 2);
            for look in &looks {
                assert!(look.drawings >= drawings, "{}: {look:?}", page.display());
                assert_eq!(look.panels, panels, "{}", page.display());
                assert!(look.texts > 300, "{}: {look:?}", page.display());
            }
            wrong.extend(complaints(&page, &looks, &console));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The looks of a run's page with one defect planted are not good.
#[test]
fn planted_defects_are_seen() {
    let Some(browser) = browser_or_skip("planted defects of the pages in a browser") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    wavetrain(
        folder.path(),
        &[
            "train",
            "--out",
            "train",
            "--set",
            "train.steps=60",
            CLIPPED[0],
            CLIPPED[1],
        ],
    );
    let page = folder.path().join("train/report.html");
    let text = std::fs::read_to_string(&page).unwrap();
    let style = |rule: &str| text.replacen("</style>", &format!("{rule}</style>"), 1);
    let script =
        |line: &str| text.replacen("</body>", &format!("<script>{line}</script></body>"), 1);
    for (what, planted, sentence) in [
        ("width", style("main { min-width: 700px }"), "pixels wide"),
        ("ink", style("h2 { color: #444 !important }"), "contrast"),
        (
            "scheme",
            style("body { background: #fff !important }"),
            "background",
        ),
        (
            "labels",
            style("svg text { font-size: 40px !important }"),
            "overlap",
        ),
        (
            "hands",
            script(
                "document.querySelectorAll('button').forEach((b) => b.replaceWith(b.cloneNode(true)))",
            ),
            "shows steps",
        ),
        (
            "charts",
            text.replacen("clip_factor: 150", "", 1),
            "leaves its drawing",
        ),
        (
            "console",
            script("nothing.there()"),
            "nothing is not defined",
        ),
    ] {
        assert_ne!(planted, text, "{what}: the text does not occur");
        std::fs::write(&page, planted).unwrap();
        let (looks, console) = look(&browser, &page, true);
        let wrong = complaints(&page, &looks, &console).join("\n");
        assert!(wrong.contains(sentence), "{what}: {wrong}");
    }
}
