//! Long tests in parts. A driver may keep what it compiled for as long as its process lives
//! (SwiftShader: 100 MB and more for one convolution of `lanes`), and a table of layers then takes
//! all of a machine's memory. On such a driver each part of a long test runs in processes of its
//! own: this program again, with the test's name, the part's number and the first check that is left of it.
//! A process whose memory is used up leaves the rest of its checks to the next.

use std::any::type_name;
use std::env;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use wavetrain::gpu::ClassName;

use super::adapter;

#[path = "../support/given.rs"]
mod given;

/// Names the part and its first check to a process that runs one: `3:120`.
const PART: &str = "WAVETRAIN_TEST_PART";
/// How a process says that it leaves checks to the next, and from which on.
const LEFT: &str = "checks are left from ";
/// Memory after which it does, in bytes.
const ENOUGH: usize = 1 << 29;

/// Checks that were begun, and the first one that is left to another process.
static BEGUN: AtomicUsize = AtomicUsize::new(0);
static LEFT_FROM: OnceLock<usize> = OnceLock::new();

/// The part of this process and its first check, where it runs one.
fn own() -> Option<[usize; 2]> {
    let part = env::var(PART).ok()?;
    let (part, check) = part.split_once(':').unwrap();
    Some([part, check].map(|number| number.parse().unwrap()))
}

/// Whether the next check is this process's; asked once by each check of a long proof.
pub(crate) fn is_mine() -> bool {
    static FIRST: OnceLock<Option<usize>> = OnceLock::new();
    let Some(first) = *FIRST.get_or_init(|| own().map(|[_, check]| check)) else {
        return true;
    };
    let check = BEGUN.fetch_add(1, Ordering::Relaxed);
    // One check at least, however much memory the first ones of the table took.
    if check > first && resident() > ENOUGH {
        LEFT_FROM.get_or_init(|| check);
    }
    check >= first && LEFT_FROM.get().is_none()
}

/// Resident memory of this process in bytes; 0 where the system does not say.
fn resident() -> usize {
    const PAGE: usize = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm");
    let pages = pages
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse().ok());
    pages.unwrap_or(0) * PAGE
}

/// Whether the driver gives back the memory of compiled kernels with its process alone.
pub(crate) fn driver_keeps_kernels() -> bool {
    adapter::gpu(ClassName::LanesPlain).is_some_and(|gpu| given::keeps_kernels(&gpu))
}

/// Whether convolutions of this class have no proof on this driver, which is said.
pub(crate) fn leaves_out_convolutions(class: ClassName) -> bool {
    adapter::gpu(class).is_some_and(|gpu| !given::is_given(&gpu))
}

/// Proves each of `items` with a closure that the test itself makes; all failures at the end.
pub(crate) fn each<T, F>(items: impl IntoIterator<Item = T>, mut prove: F)
where
    F: FnMut(T) -> Result<(), String>,
{
    let mut items = items.into_iter();
    let failures: Vec<String> = if let Some([part, _]) = own() {
        let item = items.nth(part).expect("there is no such part");
        let outcome = prove(item);
        if let Some(check) = LEFT_FROM.get() {
            // What was checked so far decides nothing.
            println!("{LEFT}{check}");
            return;
        }
        outcome.err().into_iter().collect()
    } else if driver_keeps_kernels() {
        let test = name_of::<F>();
        let parts = 0..items.count();
        parts.filter_map(|part| run(test, part).err()).collect()
    } else {
        items.filter_map(|item| prove(item).err()).collect()
    };
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// `module::test` of `program::module::test::{{closure}}`.
fn name_of<F>() -> &'static str {
    let (_, inside) = type_name::<F>().split_once("::").unwrap();
    inside.split("::{{closure}}").next().unwrap()
}

/// Runs one part of a test, in as many processes as its memory needs.
fn run(test: &str, part: usize) -> Result<(), String> {
    let mut check = 0;
    loop {
        let program = env::current_exe().unwrap();
        let output = Command::new(program)
            .args([test, "--exact", "--nocapture"])
            .env(PART, format!("{part}:{check}"))
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        // A name that no test has would pass, too.
        if !output.status.success() || !said.contains("1 passed") {
            return Err(format!("{test}, part {part}: {}\n{said}", output.status));
        }
        let left = said.split_once(LEFT).map(|(_, rest)| rest.lines().next());
        let Some(next) = left.flatten() else {
            return Ok(());
        };
        let next: usize = next.trim().parse().unwrap();
        assert!(
            next > check,
            "{test}, part {part}: nothing was checked from {check} on"
        );
        check = next;
    }
}
