//! How the proofs run a loss: as the middle one of three steps, whose neighbours must stay untouched.

use std::ops::Range;

use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::loss::{BLOCK, Loss, LossSite};
use wavetrain::shape::Shape;
use wavetrain::train::StepUniform;

use super::compare::{POISON, poisoned, within, without_padding};
use super::rounded::U;
use super::stage::{Stage, fold, step};

/// Steps of a chunk: the middle one is run.
const CHUNK: usize = 3;
/// The step's place in the chunk.
const SLOT: usize = 1;
/// Samples of the data set: a prime, so that no sample is listed twice.
pub(crate) const SAMPLES: usize = 1009;

/// What a loss is run on.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// Samples in the plan, and rows of each.
    pub(crate) samples: usize,
    pub(crate) positions: usize,
    /// Rows of the batch.
    pub(crate) count: usize,
    /// How many places later than their index says the targets of samples begin.
    pub(crate) phase: usize,
    /// The outputs, rows of so many.
    pub(crate) x: &'a [f32],
    pub(crate) width: usize,
    /// The targets of the whole data set, as words; and whether they are numbers.
    pub(crate) targets: Vec<u32>,
    pub(crate) numbers: bool,
    /// The weight of each class, where the loss has any.
    pub(crate) weights: &'a [f32],
    /// What the mean is over.
    pub(crate) whole: f64,
    /// Whether the grid is folded into two dimensions.
    pub(crate) fold: bool,
}

/// What comes out.
pub(crate) struct Found {
    pub(crate) dx: Vec<f32>,
    /// (loss, chosen class) for each row of the batch.
    pub(crate) batch: Vec<[f32; 2]>,
    /// (loss, right answers) for each block of the step.
    pub(crate) blocks: Vec<[f32; 2]>,
}

/// The samples of the whole chunk.
pub(crate) fn indices(samples: usize) -> Vec<u32> {
    let listed = CHUNK * samples;
    (0..listed).map(|i| (i * 7 % SAMPLES) as u32).collect()
}

/// Where the step's batch starts in the chunk's list of samples.
pub(crate) fn start(samples: usize) -> usize {
    SLOT * samples
}

impl Run<'_> {
    fn rows(&self) -> usize {
        self.samples * self.positions
    }

    fn shape(&self) -> Shape {
        match self.positions {
            1 => Shape::Features(self.width),
            steps => Shape::Sequence {
                steps,
                features: self.width,
            },
        }
    }

    /// Runs the loss; what other steps own must be as it was.
    pub(crate) fn run(&self, stage: &mut Stage, loss: &dyn Loss) -> Result<Found, String> {
        let mut b = stage.builder(Mode::Train, self.samples);
        let x = b.shaped("x", &self.shape());
        b.keep(x, Key::Kept("x"));
        let stride = 1 + self.rows().div_ceil(BLOCK);
        let (rows, results) = (CHUNK * self.rows(), CHUNK * stride);
        let site = LossSite {
            x,
            numbers: self.numbers,
            class_weights: (!self.weights.is_empty()).then(|| {
                let quads = self.width.div_ceil(4);
                b.shared(Key::ClassWeights, 16 * quads as u64)
            }),
            targets: b.shared(Key::Targets, 4 * self.targets.len() as u64),
            indices: b.shared(
                Key::Indices(Use::Training),
                4 * (CHUNK * self.samples) as u64,
            ),
            rows: b.shared(Key::Rows(Use::Training), 8 * rows as u64),
            results: b.shared(Key::Results(Use::Training), 8 * results as u64),
            results_stride: stride,
            positions: self.positions,
        };
        b.set_phase(Phase::Forward);
        let dx = loss.forward(&mut b, &site).unwrap();
        b.keep(dx, Key::Kept("dx"));
        let mut plan = b.finish();
        if self.fold {
            fold(&mut plan);
        }
        let program = stage.realize(&mut plan);
        stage.write(&Key::Kept("x"), &x.matrix.store(self.x));
        stage.write(&Key::Kept("dx"), &poisoned(dx.matrix));
        stage.write(&Key::Targets, &self.targets);
        if !self.weights.is_empty() {
            // What lies behind the last class is not looked at.
            let mut weights = self.weights.to_vec();
            weights.resize(self.width.next_multiple_of(4), 3.0);
            stage.write(&Key::ClassWeights, &weights);
        }
        stage.write(&Key::Indices(Use::Training), &indices(self.samples));
        stage.write(&Key::Rows(Use::Training), &vec![[POISON; 2]; rows]);
        stage.write(&Key::Results(Use::Training), &vec![[POISON; 2]; results]);
        // The run's first slots belong to other steps; only the slot at hand is run.
        let uniform = StepUniform {
            start: start(self.samples) as u32,
            slot: SLOT as u32,
            phase: self.phase as u32,
            inv_count: (1.0 / self.whole) as f32,
            ..step(self.count / self.positions)
        };
        stage.run(&program, Phases::Forward, &[uniform]);
        let first = start(self.samples) * self.positions;
        let all = stage.read(&Key::Rows(Use::Training), rows);
        let batch = own("row", all, first..first + self.count)?;
        let all = stage.read(&Key::Results(Use::Training), results);
        let first = SLOT * stride + 1;
        let blocks = own("place", all, first..first + self.rows().div_ceil(BLOCK))?;
        let dx = without_padding(
            "dx",
            dx.matrix,
            &stage.read_matrix(&Key::Kept("dx"), dx.matrix),
        )?;
        Ok(Found { dx, batch, blocks })
    }
}

/// Those of the step; all others must be untouched.
fn own(what: &str, all: Vec<[f32; 2]>, step: Range<usize>) -> Result<Vec<[f32; 2]>, String> {
    let foreign = (0..all.len()).filter(|i| !step.contains(i));
    match foreign.into_iter().find(|i| all[*i][0] != POISON) {
        Some(i) => Err(format!(
            "{what} {i} of the chunk belongs to another step but was written"
        )),
        None => Ok(all[step].to_vec()),
    }
}

/// The sums of each block of the rows that count: `losses` with their `errors`, and as many right answers
/// as `right` says of rows.
pub(crate) fn check_blocks(
    blocks: &[[f32; 2]],
    (losses, errors): (&[f64], &[f64]),
    right: impl Fn(Range<usize>) -> usize,
) -> Result<(), String> {
    let count = losses.len();
    for (block, [loss, found]) in blocks.iter().enumerate() {
        let rows = (block * BLOCK).min(count)..((block + 1) * BLOCK).min(count);
        let sum: f64 = losses[rows.clone()].iter().sum();
        // A tree of six levels over losses that are themselves off.
        let allowed = errors[rows.clone()].iter().sum::<f64>() + 6.0 * U * sum;
        let what = format!("loss of block {block}");
        within(&what, 1, &[*loss], &[sum], |_| allowed)?;
        let expected = right(rows);
        if *found != expected as f32 {
            return Err(format!(
                "block {block}: {found} right answers, not {expected}"
            ));
        }
    }
    Ok(())
}

/// An output that is NaN or infinite makes the number of right answers of its block negative, and
/// of no other block; beyond the batch it is not looked at. `run` runs 128 of 130 rows of 6 outputs with
/// such a value in a row.
pub(crate) fn not_finite(
    what: &str,
    mut run: impl FnMut(f32, usize) -> Result<Found, String>,
) -> Result<(), String> {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for row in [70, 129] {
            let right = run(bad, 6 * row + 4)?.blocks;
            let is_bad: Vec<bool> = right.iter().map(|block| block[1] < 0.0).collect();
            if is_bad != [false, row == 70, false] {
                return Err(format!(
                    "{what}: {bad} in row {row} of 128: right answers {right:?}"
                ));
            }
        }
    }
    Ok(())
}
