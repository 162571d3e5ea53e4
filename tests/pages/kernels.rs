//! Every kernel of every class in a browser's WGSL compiler: naga does not look at uniformity of
//! control flow, so kernels that it takes may compile in no browser.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wavetrain::kernel::source::Composed;
use wavetrain::product::catalogue;

use super::browser::browser_or_skip;
use super::plans::{CLASSES, Preset, gpu};
use super::server::found;

/// Longest time that the browser may take for all kernels.
const PATIENCE: Duration = Duration::from_secs(600);

/// A kernel for the browser.
#[derive(Debug, Clone, Serialize)]
struct Kernel {
    name: String,
    text: String,
    /// Entry points that are made into pipelines; the module is compiled in any case.
    entries: Vec<String>,
}

/// What the browser says of a kernel: nothing is good.
#[derive(Debug, Deserialize)]
struct Verdict {
    name: String,
    said: Vec<String>,
}

impl Kernel {
    /// A kernel as a page would hold it. naga knows subgroup operations without their directive,
    /// and refuses the directive.
    fn new(name: &str, text: &str) -> Self {
        let directive = match text.contains("subgroup") {
            true => "enable subgroups;\n",
            false => "",
        };
        Self {
            name: name.to_owned(),
            text: format!("{directive}{text}"),
            entries: Vec::new(),
        }
    }

    /// The kernel with one place of its text changed.
    fn with(&self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "{}: no {from:?}", self.name);
        Self {
            text: self.text.replacen(from, to, 1),
            ..self.clone()
        }
    }
}

/// All kernels of the catalogue, those that are files with their entry points (pipelines of the
/// others take a browser seconds each), and all kernels of the plans of all presets and of a network
/// with every layer, in all classes with all sizes of subgroups.
fn kernels() -> Vec<Kernel> {
    let mut all: Vec<Kernel> = catalogue::kernels(None)
        .iter()
        .map(|kernel| {
            let text = kernel.text();
            let is_file = kernel.file == format!("shaders/{}.wgsl", kernel.name);
            let entries = is_file.then(|| entries(kernel.composed()));
            Kernel {
                entries: entries.unwrap_or_default(),
                ..Kernel::new(&kernel.name, &text)
            }
        })
        .collect();
    for class in CLASSES {
        for preset in Preset::all() {
            for plan in preset.plans(&gpu(class)) {
                let texts = plan.kernels.iter().map(|kernel| &kernel.shader);
                all.extend(texts.map(|shader| Kernel::new(&shader.name, &shader.text)));
            }
        }
    }
    let mut texts = std::collections::HashSet::new();
    all.retain(|kernel| texts.insert(kernel.text.clone()));
    all
}

fn entries(shader: Composed) -> Vec<String> {
    shader.reflect().unwrap().entries.into_keys().collect()
}

/// What the browser says of each kernel.
fn verdicts(browser: &Path, kernels: &[Kernel]) -> Vec<Verdict> {
    let files = vec![
        ("/", "text/html", include_str!("kernels.html").to_owned()),
        (
            "/kernels.json",
            "application/json",
            serde_json::to_string(kernels).unwrap(),
        ),
    ];
    // Without a GPU, Chromium's software adapter needs this flag.
    let json = found(browser, &["--enable-unsafe-webgpu"], files, PATIENCE);
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn the_browser_takes_every_kernel_without_a_word() {
    let Some(browser) = browser_or_skip("the kernels in a browser's WGSL compiler") else {
        return;
    };
    let kernels = kernels();
    for name in ["_tiled", "_lanes4_", "_lanes8_", "_lanes32_", "_plain8_"] {
        let count = kernels.iter().filter(|k| k.name.contains(name)).count();
        assert!(count >= 6, "{count} kernels with {name} in their name");
    }
    let verdicts = verdicts(&browser, &kernels);
    let wrong: Vec<String> = verdicts
        .iter()
        .filter(|verdict| !verdict.said.is_empty())
        .map(|verdict| format!("{}: {}", verdict.name, verdict.said.join("; ")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(verdicts.len(), kernels.len());
}

/// The test above can fail: kernels with one defect planted, of a kind that naga takes.
#[test]
fn planted_defects_of_kernels_are_found() {
    let Some(browser) = browser_or_skip("planted defects in a browser's WGSL compiler") else {
        return;
    };
    let named = |start: &str| {
        let kernels = catalogue::kernels(None);
        let kernel = kernels.iter().find(|kernel| kernel.name.starts_with(start));
        Kernel::new(start, &kernel.unwrap().text())
    };
    let barrier = "'workgroupBarrier' must only be called from uniform control flow";
    let broadcast = "'subgroupBroadcast' must only be called from subgroup uniform control flow";
    let (tiled, lanes) = (named("tiled/matmul_nt"), named("lanes/matmul_nt"));
    let mut pipeline = named("layer/relu");
    pipeline.entries.push("nowhere".to_owned());
    let defects = [
        (tiled.with("= dims.k_end;", "= sizes.k_end;"), barrier),
        (
            tiled.with("workgroupBarrier();", "if (t < 3u) { workgroupBarrier(); }"),
            barrier,
        ),
        (lanes.with("= dims.k_end;", "= sizes.k_end;"), broadcast),
        (lanes.with("enable subgroups;\n", ""), "subgroups"),
        (
            named("layer/relu").with(
                "@compute",
                "fn f() -> u32 { return 1u; return 2u; }\n@compute",
            ),
            "unreachable",
        ),
        (pipeline, "nowhere"),
    ];
    let (kernels, sentences): (Vec<Kernel>, Vec<&str>) = defects.into_iter().unzip();
    let verdicts = verdicts(&browser, &kernels);
    assert_eq!(verdicts.len(), kernels.len());
    for (verdict, sentence) in verdicts.iter().zip(sentences) {
        let found = verdict.said.iter().any(|said| said.contains(sentence));
        assert!(found, "no {sentence:?}: {verdict:?}");
    }
}
