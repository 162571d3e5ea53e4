//! The second proof for losses over numbers: the loss of each row, the sums of each block of rows, and
//! the gradient; partial batches, portions, and outputs that are no numbers.

use wavetrain::loss::{Loss, RowTargets};

use super::compare::{wide, within};
use super::loss_stage::{Found, Run, SAMPLES, check_blocks, indices, not_finite, start};
use super::reference::number_losses;
use super::rounded::{Num, sum_error};
use super::stage::{Stage, values};

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

    /// The numbers of the data set: the batch's samples have the rows' own, all others far ones.
    fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![1e6; SAMPLES * self.width];
        let own = self.wanted.chunks(self.width);
        for (own, index) in own.zip(&indices(self.rows)[start(self.rows)..]) {
            let first = *index as usize * self.width;
            numbers[first..first + self.width].copy_from_slice(own);
        }
        numbers
    }

    pub(crate) fn run(&self, stage: &mut Stage, loss: &dyn Loss) -> Result<Found, String> {
        let run = Run {
            samples: self.rows,
            positions: 1,
            count: self.count,
            phase: 0,
            x: &self.x,
            width: self.width,
            targets: self.numbers().into_iter().map(f32::to_bits).collect(),
            numbers: true,
            weights: &[],
            whole: self.count as f64,
            fold: self.fold,
        };
        run.run(stage, loss)
    }
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
    let outcome = case
        .run(stage, loss)
        .and_then(|found| compare(loss, case, &found));
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
    let losses: Vec<f32> = found.batch.iter().map(|row| row[0]).collect();
    within("loss", 1, &losses, &reference.losses, |r| errors[r])?;
    let mut dx = reference.dx.clone();
    dx.resize(case.rows * width, 0.0);
    within("dx", width, &found.dx, &dx, |i| {
        elements
            .get(i)
            .map_or(0.0, |[_, slope]| (*slope * (inv_cols * inv_count)).error)
    })?;
    check_blocks(&found.blocks, (&reference.losses, &errors), |_| 0)
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
        not_finite(&what, |bad, at| {
            let mut case = Case {
                count: 128,
                ..Case::new(130, 6)
            };
            case.x[at] = bad;
            case.run(stage, &*loss)
        })?;
    }
    Ok(())
}

/// Numbers that are met exactly have no loss and no gradient.
fn met(stage: &mut Stage, what: &str, loss: &dyn Loss) -> Result<(), String> {
    let mut case = Case::new(5, 3);
    case.wanted.clone_from(&case.x);
    let found = case.run(stage, loss)?;
    match found.dx.iter().all(|dx| *dx == 0.0) {
        true => check(stage, what, loss, &case),
        false => Err(format!(
            "{what}: a gradient where all is met: {:?}",
            found.dx
        )),
    }
}

#[test]
fn kernels_of_losses_over_numbers_equal_their_references() {
    for mut stage in Stage::all() {
        prove(&mut stage, "").unwrap();
    }
}
