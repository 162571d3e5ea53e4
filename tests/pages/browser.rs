//! A browser without a window, and what it finds wrong with a page.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::skip::skipped;

/// Names of browsers that take Chromium's options.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// What a page looks like in a frame.
#[derive(Debug, Deserialize)]
pub(crate) struct Look {
    /// Pixels that the page had for its width.
    pub(crate) width: u32,
    /// What is wrong, a sentence each.
    pub(crate) faults: Vec<String>,
    /// Drawings that can be seen.
    pub(crate) drawings: usize,
    /// Interactive charts.
    pub(crate) panels: usize,
    /// Characters of text that can be seen.
    pub(crate) texts: usize,
}

/// The browser of this machine; without one, says that `what` is skipped.
pub(crate) fn browser_or_skip(what: &str) -> Option<PathBuf> {
    let found = browser();
    if found.is_none() {
        let why = "no Chromium or Chrome in PATH; install one, or name it in WAVETRAIN_BROWSER";
        skipped(what, why);
    }
    found
}

/// `WAVETRAIN_BROWSER`, or the first of the usual names in `PATH`.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WAVETRAIN_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// The browser without a window, with a profile of its own. Root has no sandbox, and all that is
/// opened is our own.
pub(crate) fn headless(browser: &Path, profile: &Path) -> Command {
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", profile.display()));
    command
}

/// Opens a page in frames of two widths, in one colour scheme; the frames' looks, and what the
/// browser's console said.
pub(crate) fn look(browser: &Path, page: &Path, dark: bool) -> (Vec<Look>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let probe = include_str!("probe.html")
        .replace("{{page}}", &format!("file://{}", page.display()))
        .replace("{{dark}}", if dark { "true" } else { "false" });
    let file = folder.path().join("probe.html");
    std::fs::write(&file, probe).unwrap();
    let options = [
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--enable-logging=stderr",
        "--window-size=1200,1000",
        "--virtual-time-budget=30000",
        "--dump-dom",
    ];
    let scheme = if dark { 0 } else { 1 };
    let out = headless(browser, &folder.path().join("profile"))
        .args(options)
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&out.stderr);
    let console = words.lines().filter(|line| line.contains(":CONSOLE"));
    let dom = String::from_utf8_lossy(&out.stdout);
    let found = dom.split("<pre id=\"found\">").nth(1);
    let found = found.and_then(|rest| rest.split("</pre>").next());
    let found = found.unwrap_or_else(|| panic!("{} gave no DOM: {words}", browser.display()));
    let json = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let looks =
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}\n{words}"));
    (looks, console.map(str::to_owned).collect())
}
