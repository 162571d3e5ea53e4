//! The second proof for losses over numbers: the loss of each row, the sums of each block of rows, and
//! the gradient; partial batches, portions, and outputs that are no numbers.

use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::loss::{BLOCK, Loss, LossSite, RowTargets};
use wavetrain::train::StepUniform;

use super::compare::{POISON, poisoned, wide, within, without_padding};
use super::reference::number_losses;
use super::rounded::{Num, U, sum_error};
use super::stage::{Stage, fold, step, values};

/// Steps of a chunk: the middle one is run.
const CHUNK: usize = 3;
/// The step's place in the chunk.
const SLOT: usize = 1;
/// Samples of the data set: a prime, so that no sample is listed twice.
const SAMPLES: usize = 1009;

/// How a loss is run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Rows in the plan.
    rows: usize,
    /// Rows of the batch.
    count: usize,
    /// Numbers of a row.
    width: usize,
    x: Vec<f32>,
    wanted: Vec<f32>,
    /// Whether the grid is folded into two dimensions.
    fold: bool,
}

impl Case {
    fn new(rows: usize, width: usize) -> Self {
        Self {
            rows,
            count: rows,
            width,
            x: values(1, rows * width, -3.0, 3.0),
            wanted: values(2, rows * width, -2.0, 2.0),
            fold: false,
        }
    }

    /// A whole batch of given rows.
    pub(crate) fn given(width: usize, x: Vec<f32>, wanted: Vec<f32>) -> Self {
        Self {
            x,
            wanted,
            ..Self::new(1, width)
        }
        .whole()
    }

    fn whole(mut self) -> Self {
        self.rows = self.x.len() / self.width;
        self.count = self.rows;
        self
    }

    /// Where the step's batch starts in the chunk's list of samples.
    fn start(&self) -> usize {
        SLOT * self.rows
    }

    fn indices(&self) -> Vec<u32> {
        (0..CHUNK * self.rows)
            .map(|i| (i * 7 % SAMPLES) as u32)
            .collect()
    }

    /// The numbers of the data set: the batch's samples have the rows' own, all others far ones.
    fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![1e6; SAMPLES * self.width];
        let own = self.wanted.chunks(self.width);
        for (own, index) in own.zip(&self.indices()[self.start()..]) {
            let first = *index as usize * self.width;
            numbers[first..first + self.width].copy_from_slice(own);
        }
        numbers
    }

    fn stride(&self) -> usize {
        1 + self.rows.div_ceil(BLOCK)
    }
}

struct Found {
    dx: Vec<f32>,
    rows: Vec<[f32; 2]>,
    results: Vec<[f32; 2]>,
}

fn run(stage: &mut Stage, loss: &dyn Loss, case: &Case) -> Result<Found, String> {
    let mut b = stage.builder(Mode::Train, case.rows);
    let x = b.value("x", case.width);
    b.keep(x, Key::Kept("x"));
    let rows = CHUNK * case.rows;
    let results = CHUNK * case.stride();
    let site = LossSite {
        x,
        numbers: true,
        class_weights: None,
        targets: b.shared(Key::Targets, 4 * (SAMPLES * case.width) as u64),
        indices: b.shared(Key::Indices(Use::Training), 4 * rows as u64),
        rows: b.shared(Key::Rows(Use::Training), 8 * rows as u64),
        results: b.shared(Key::Results(Use::Training), 8 * results as u64),
        results_stride: case.stride(),
        positions: 1,
    };
    b.set_phase(Phase::Forward);
    let dx = loss.forward(&mut b, &site).unwrap();
    b.keep(dx, Key::Kept("dx"));
    let mut plan = b.finish();
    if case.fold {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    stage.write(&Key::Kept("x"), &x.matrix.store(&case.x));
    stage.write(&Key::Kept("dx"), &poisoned(dx.matrix));
    stage.write(&Key::Targets, &case.numbers());
    stage.write(&Key::Indices(Use::Training), &case.indices());
    stage.write(&Key::Rows(Use::Training), &vec![[POISON; 2]; rows]);
    stage.write(&Key::Results(Use::Training), &vec![[POISON; 2]; results]);
    let uniform = StepUniform {
        start: case.start() as u32,
        slot: SLOT as u32,
        inv_count: (1.0 / case.count as f64) as f32,
        ..step(case.count)
    };
    stage.run(&program, Phases::Forward, &[uniform]);
    Ok(Found {
        dx: without_padding(
            "dx",
            dx.matrix,
            &stage.read_matrix(&Key::Kept("dx"), dx.matrix),
        )?,
        rows: stage.read(&Key::Rows(Use::Training), rows),
        results: stage.read(&Key::Results(Use::Training), results),
    })
}

/// How far the loss and the derivative of an element may be off, as the shaders compute them.
fn element(loss: &dyn Loss, x: f64, wanted: f64) -> [Num; 2] {
    let d = Num::exact(x) - Num::exact(wanted);
    match loss.name() {
        "mse" => [d * d, Num::exact(2.0) * d],
        "l1" => [d, Num::exact(d.value.signum())],
        "huber" => {
            let delta = loss.arguments()["delta"].as_float().unwrap();
            // Where it changes over, both forms are the same but for rounding.
            let delta = Num::constant(delta);
            let far = delta * (d - Num::exact(0.5) * delta);
            let near = Num::exact(0.5) * d * d;
            let error = near.error.max(far.error);
            [
                Num {
                    value: near.value.max(far.value),
                    error,
                },
                Num {
                    value: d.value,
                    error: d.error + delta.error,
                },
            ]
        }
        name => panic!("loss {name} has no bounds in tests/proofs/number_losses.rs"),
    }
}

pub(crate) fn check(
    stage: &mut Stage,
    what: &str,
    loss: &dyn Loss,
    case: &Case,
) -> Result<(), String> {
    let outcome = run(stage, loss, case).and_then(|found| compare(loss, case, &found));
    outcome.map_err(|problem| {
        format!(
            "{} {what}, {} of {} rows of {} numbers: {problem}",
            stage.class.as_str(),
            case.count,
            case.rows,
            case.width
        )
    })
}

fn compare(loss: &dyn Loss, case: &Case, found: &Found) -> Result<(), String> {
    let (width, count) = (case.width, case.count);
    let x = wide(&case.x[..count * width]);
    let wanted = wide(&case.wanted[..count * width]);
    let reference = loss.reference(&x, width, RowTargets::Numbers(&wanted));
    let elements: Vec<[Num; 2]> = x
        .iter()
        .zip(&wanted)
        .map(|(x, t)| element(loss, *x, *t))
        .collect();
    let inv_cols = Num::constant(1.0 / width as f64);
    let inv_count = Num::constant(1.0 / count as f64);
    let errors: Vec<f64> = elements
        .chunks(width)
        .map(|row| {
            let sum: f64 = row.iter().map(|[loss, _]| loss.value.abs()).sum();
            let error: f64 = row.iter().map(|[loss, _]| loss.error).sum();
            let total = Num {
                value: sum,
                error: error + sum_error(width, sum),
            };
            (total * inv_cols).error
        })
        .collect();
    let start = case.start();
    let batch = &found.rows[start..start + count];
    let losses: Vec<f32> = batch.iter().map(|row| row[0]).collect();
    within("loss", 1, &losses, &reference.losses, |r| errors[r])?;
    let mut dx = reference.dx.clone();
    dx.resize(case.rows * width, 0.0);
    within("dx", width, &found.dx, &dx, |i| {
        elements
            .get(i)
            .map_or(0.0, |[_, slope]| (*slope * (inv_cols * inv_count)).error)
    })?;
    let foreign = |i: usize| !(start..start + count).contains(&i);
    if let Some(i) = (0..found.rows.len()).find(|i| foreign(*i) && found.rows[*i][0] != POISON) {
        return Err(format!(
            "row {i} of the chunk belongs to another step but was written"
        ));
    }
    compare_results(case, found, &reference.losses, &errors)
}

/// The sums of each block, and nothing else, are written.
fn compare_results(
    case: &Case,
    found: &Found,
    losses: &[f64],
    errors: &[f64],
) -> Result<(), String> {
    let first = SLOT * case.stride() + 1;
    for (i, [loss, right]) in found.results.iter().enumerate() {
        let block = i.wrapping_sub(first);
        if block >= case.rows.div_ceil(BLOCK) {
            if *loss != POISON {
                return Err(format!("place {i} of the results belongs to another step"));
            }
            continue;
        }
        let rows = (block * BLOCK).min(case.count)..((block + 1) * BLOCK).min(case.count);
        let sum: f64 = losses[rows.clone()].iter().sum();
        let allowed = errors[rows].iter().sum::<f64>() + 6.0 * U * sum;
        within(
            &format!("loss of block {block}"),
            1,
            &[*loss],
            &[sum],
            |_| allowed,
        )?;
        if *right != 0.0 {
            return Err(format!("block {block}: {right} right answers of numbers"));
        }
    }
    Ok(())
}

/// Checks every loss over numbers whose name is `name`, or all; the first failure.
pub(crate) fn prove(stage: &mut Stage, name: &str) -> Result<(), String> {
    for (what, loss) in number_losses() {
        if !name.is_empty() && loss.name() != name {
            continue;
        }
        for rows in [1, 3, 33, 64, 100, 130] {
            for width in [1, 2, 3, 5, 17, 33] {
                let case = Case::new(rows, width);
                let partial = Case {
                    count: rows.div_ceil(3),
                    fold: true,
                    ..case.clone()
                };
                check(stage, &what, &*loss, &case)?;
                check(stage, &what, &*loss, &partial)?;
            }
        }
        // Rows of 128 floats, of which 64 fit into a binding.
        stage.binding = Some(64 * 4 * 128);
        let case = Case::new(200, 70);
        let partial = Case {
            count: 70,
            ..case.clone()
        };
        check(stage, &what, &*loss, &case)?;
        check(stage, &what, &*loss, &partial)?;
        stage.binding = None;
        met(stage, &what, &*loss)?;
        not_finite(stage, &what, &*loss)?;
    }
    Ok(())
}

/// Numbers that are met exactly have no loss and no gradient.
fn met(stage: &mut Stage, what: &str, loss: &dyn Loss) -> Result<(), String> {
    let mut case = Case::new(5, 3);
    case.wanted.clone_from(&case.x);
    let found = run(stage, loss, &case)?;
    match found.dx.iter().all(|dx| *dx == 0.0) {
        true => check(stage, what, loss, &case),
        false => Err(format!(
            "{what}: a gradient where all is met: {:?}",
            found.dx
        )),
    }
}

/// An output that is NaN or infinite makes the number of right answers of its block negative, and of no
/// other block; beyond the batch it is not looked at.
fn not_finite(stage: &mut Stage, what: &str, loss: &dyn Loss) -> Result<(), String> {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for row in [70, 129] {
            let mut case = Case {
                count: 128,
                ..Case::new(130, 6)
            };
            case.x[row * 6 + 4] = bad;
            let found = run(stage, loss, &case)?;
            let right = &found.results[SLOT * case.stride() + 1..][..3];
            let is_bad = [right[0][1] < 0.0, right[1][1] < 0.0, right[2][1] < 0.0];
            if is_bad != [false, row == 70, false] {
                return Err(format!(
                    "{what}: {bad} in row {row} of 128: right answers {right:?}"
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn kernels_of_losses_over_numbers_equal_their_references() {
    for mut stage in Stage::all() {
        prove(&mut stage, "").unwrap();
    }
}
