//! Made-up runs that look like real ones.

use std::path::{Path, PathBuf};

use wavetrain::report::folder::RunFolder;
use wavetrain::report::record::Recorder;
use wavetrain::train::event::{
    AdapterSummary, Augmented, Confusion, Ended, Evaluation, Event, LayerRow, Mistake,
    Observer as _, RunInfo, Split, StepRecord, Summary,
};

/// A run before it is written to a folder.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) info: RunInfo,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) evaluations: Vec<Evaluation>,
    pub(crate) summary: Option<Summary>,
}

/// Numbers in [0, 1) that look random: SplitMix64 (Steele, Lea, Flood, 2014).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal, mean 0, deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// An f32 as the GPU records it.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

pub(crate) fn info(classes: usize, steps: u64, half_cycle: u64) -> RunInfo {
    let layer = |position, layer: &str, output: &[usize], parameters| LayerRow {
        position,
        layer: layer.into(),
        output: output.into(),
        parameters,
    };
    RunInfo {
        version: "0.1.0".into(),
        adapter: AdapterSummary {
            name: "llvmpipe (LLVM 15.0.6, 256 bits)".into(),
            backend: "vulkan".into(),
            kind: "software (CPU)".into(),
            driver: "Mesa 22.3.6 (LLVM 15.0.6)".into(),
            class: "lanes".into(),
        },
        data: "glyphs".into(),
        sample_shape: vec![1, 28, 28],
        samples: [20_000, 0, 4_000],
        classes: (0..classes).map(|class| class.to_string()).collect(),
        numbers: false,
        guessing: None,
        positions: 1,
        layers: vec![
            layer(0, "flatten", &[784], 0),
            layer(1, "linear(784, 256)", &[256], 200_960),
            layer(2, "relu", &[256], 0),
            layer(3, "linear(256, 10)", &[10], 2_570),
        ],
        augment: "shift 3 (reflect)".into(),
        residence: "on the device".into(),
        schedule: format!("triangular from 0.01 to 0.1, half cycle {half_cycle} steps"),
        period: Some(2 * half_cycle),
        batch: 128,
        accumulate: 1,
        steps_per_epoch: 157,
        total_steps: steps,
        config: "seed = 1\n\n[data]\nsource = \"glyphs\"\nbatch = 128\n\n[model]\nlayers = \
                 [\"flatten\", { linear = 256 }, \"relu\", { linear = 10 }]\n\n[schedule]\npolicy = \
                 \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\n"
            .into(),
        asked: String::new(),
        init: None,
        init_fingerprint: None,
        new_head: false,
        fingerprint: String::new(),
        changes: Vec::new(),
    }
}

/// A picture of a digit in seven segments, blurred by noise.
fn digit(digit: usize, noise: &mut Noise) -> Vec<u8> {
    const SEGMENTS: [u8; 10] = [0x77, 0x24, 0x5d, 0x6d, 0x2e, 0x6b, 0x7b, 0x25, 0x7f, 0x6f];
    // x0, y0, x1, y1 of the segments: top, upper left, upper right, middle, lower left, lower right, bottom.
    const ENDS: [[f64; 4]; 7] = [
        [8.0, 5.0, 19.0, 5.0],
        [8.0, 5.0, 8.0, 14.0],
        [19.0, 5.0, 19.0, 14.0],
        [8.0, 14.0, 19.0, 14.0],
        [8.0, 14.0, 8.0, 23.0],
        [19.0, 14.0, 19.0, 23.0],
        [8.0, 23.0, 19.0, 23.0],
    ];
    let slant = noise.next() * 0.5 - 0.1;
    let segments = SEGMENTS[digit % 10];
    let mut pixels = Vec::with_capacity(784);
    for y in 0..28 {
        for x in 0..28 {
            let (x, y) = (f64::from(x) + slant * (f64::from(y) - 14.0), f64::from(y));
            let near = |[x0, y0, x1, y1]: [f64; 4]| {
                let (dx, dy) = (x1 - x0, y1 - y0);
                let along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy);
                let along = along.clamp(0.0, 1.0);
                (x - x0 - along * dx).hypot(y - y0 - along * dy)
            };
            let lit = (0..7)
                .filter(|s| segments >> s & 1 == 1)
                .map(|s| near(ENDS[s]));
            let distance = lit.fold(99.0, f64::min);
            let ink = (2.6 - distance).clamp(0.0, 1.0) * 215.0 + noise.next() * 40.0;
            pixels.push(ink as u8);
        }
    }
    pixels
}

/// A run of a triangular schedule whose loss falls in waves: it stays high while the rate is.
pub(crate) fn run(classes: usize, steps: u64, half_cycle: u64) -> Run {
    let mut noise = Noise(7);
    let info = info(classes, steps, half_cycle);
    let chance = 1.0 / classes as f64;
    let wave = |step: u64| {
        let phase = step % (2 * half_cycle);
        1.0 - (phase as f64 / half_cycle as f64 - 1.0).abs()
    };
    let level = |step: u64| {
        let t = step as f64;
        (1.0 / chance).ln() * (-t / 90.0).exp()
            + 0.35 / (1.0 + t / 300.0)
            + 0.06 * wave(step)
            + 0.02
    };
    let record = |step: u64| {
        let loss = level(step) * (1.0 + 0.22 * noise.normal()).max(0.15);
        StepRecord {
            step,
            epoch: step / info.steps_per_epoch,
            lr: single(0.01 + 0.09 * wave(step)),
            momentum: single(0.95 - 0.1 * wave(step)),
            loss: single(loss),
            accuracy: single((1.0 - loss * 0.3).clamp(0.0, 1.0)),
            grad_norm: single(0.5 + loss),
            clip_factor: None,
        }
    };
    let records: Vec<StepRecord> = (0..steps).map(record).collect();
    let evaluation = |step: u64, split, worse: f64| Evaluation {
        split,
        step,
        epoch: step / info.steps_per_epoch,
        loss: single(level(step) * 1.1 * worse),
        accuracy: single(1.0 - (level(step) * 0.25 * worse).min(1.0 - chance)),
        errors: None,
        sequences: None,
        perplexity: None,
        bits: None,
    };
    let ends = (1..=steps).filter(|step| step % info.steps_per_epoch == 0 || *step == steps);
    let evaluations: Vec<Evaluation> = ends.map(|s| evaluation(s, Split::Test, 1.0)).collect();
    let last = evaluations.last().copied();
    let summary = summary(classes, steps, last, &mut noise);
    Run {
        info,
        steps: records,
        evaluations,
        summary: Some(summary),
    }
}

/// The end of a run, with made-up mistakes.
/// Two samples with three variants each.
fn augmented(noise: &mut Noise) -> Vec<Augmented> {
    let sample = |label: usize, noise: &mut Noise| Augmented {
        index: 1234 + label,
        label,
        pixels: (0..4).map(|_| digit(label, noise)).collect(),
    };
    vec![sample(1, noise), sample(0, noise)]
}

fn summary(classes: usize, steps: u64, last: Option<Evaluation>, noise: &mut Noise) -> Summary {
    let confusion = confusion(classes, noise);
    let mistakes = (0..24)
        .map(|i| {
            let label = (noise.next() * classes as f64) as usize % classes;
            let predicted = (label + 1 + (noise.next() * (classes - 1) as f64) as usize) % classes;
            Mistake {
                index: (noise.next() * 4000.0) as usize,
                label,
                predicted,
                loss: 9.3 - 0.29 * f64::from(i),
                probability: Some(0.99 - 0.01 * f64::from(i)),
                name: (i % 2 == 0).then(|| format!("test/class {label}/<{i}>.png")),
                pixels: digit(label, noise),
            }
        })
        .collect();
    Summary {
        steps,
        ended: Ended::Done,
        seconds: steps as f64 / 151.0,
        steps_per_second: 163.42,
        waited: None,
        evaluations: last.into_iter().collect(),
        confusion,
        top5: Some(0.9876),
        mistakes,
        symbols: Vec::new(),
        numbers: None,
        augmented: augmented(noise),
    }
}

/// Mostly right, with a few pairs that are often confused.
fn confusion(classes: usize, noise: &mut Noise) -> Confusion {
    let each = 4000 / classes as u64;
    let row = |class: usize| {
        let mut row = vec![0; classes];
        row[class] = each;
        for _ in 0..(each as f64 * 0.03 * (0.3 + noise.next())) as usize {
            let power = noise.next().powi(3);
            let other = (class + 1 + (power * (classes - 1) as f64) as usize) % classes;
            row[other] += 1;
            row[class] -= 1;
        }
        row
    };
    let rows: Vec<Vec<u64>> = (0..classes).map(row).collect();
    Confusion::from_rows(&rows)
}

impl Run {
    /// Writes the run to a folder as the engine would: through the recorder, chunk by chunk.
    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        let mut recorder = Recorder::new(RunFolder::create(path, true).unwrap());
        recorder.on(&Event::Started(&self.info)).unwrap();
        for chunk in self.steps.chunks(32) {
            recorder.on(&Event::Steps(chunk)).unwrap();
            let (first, last) = (chunk[0].step, chunk[chunk.len() - 1].step);
            let due = |e: &&Evaluation| e.step > first && e.step <= last + 1;
            for evaluation in self.evaluations.iter().filter(due) {
                recorder.on(&Event::Evaluated(evaluation)).unwrap();
            }
        }
        if let Some(summary) = &self.summary {
            recorder.on(&Event::Finished(summary)).unwrap();
        }
        wavetrain::page::write_page(path).unwrap()
    }

    /// The page of the run.
    pub(crate) fn page(&self) -> String {
        let dir = tempfile::tempdir().unwrap();
        std::fs::read_to_string(self.write(dir.path())).unwrap()
    }
}
