//! The second proof for losses: loss and chosen class of each row, the sums of each block of rows,
//! and the gradient; partial batches, large logits, and logits that are no numbers.

use wavetrain::args::Args;
use wavetrain::data::{IGNORED, Task};
use wavetrain::kernel::Mode;
use wavetrain::kernel::plan::{Key, Use};
use wavetrain::loss::{LOSSES, Loss, LossSite, RowTargets};

use super::compare::{wide, within};
use super::loss_stage::{Found, Run, SAMPLES, check_blocks, indices, not_finite, start};
use super::reference::losses;
use super::rounded::{Num, sum_error};
use super::stage::{Stage, values};

/// How a loss is run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Samples in the plan.
    samples: usize,
    /// Rows of a sample.
    positions: usize,
    /// How many places later than their index says the targets of samples begin.
    phase: usize,
    /// Rows in the plan.
    rows: usize,
    /// Rows of the batch.
    count: usize,
    classes: usize,
    /// The logits.
    x: Vec<f32>,
    /// The label of each row.
    labels: Vec<u32>,
    /// The weight of each class, where the loss has any.
    weights: Vec<f32>,
    /// Whether the grid is folded into two dimensions.
    fold: bool,
}

impl Case {
    fn new(rows: usize, classes: usize) -> Self {
        let label = |r: usize| ((r * r + 3) % classes) as u32;
        Self {
            samples: rows,
            positions: 1,
            phase: 0,
            rows,
            count: rows,
            classes,
            x: values(1, rows * classes, -4.0, 4.0),
            labels: (0..rows).map(label).collect(),
            weights: Vec::new(),
            fold: false,
        }
    }

    /// A whole batch of given rows.
    pub(crate) fn given(classes: usize, x: Vec<f32>, labels: Vec<u32>) -> Self {
        let rows = labels.len();
        Self {
            x,
            labels,
            ..Self::new(rows, classes)
        }
    }

    /// Sequences of `positions` targets, every third ignored.
    fn sequences(samples: usize, positions: usize, classes: usize) -> Self {
        let mut case = Self::new(samples * positions, classes);
        case.labels
            .iter_mut()
            .step_by(3)
            .for_each(|label| *label = IGNORED);
        Self {
            samples,
            positions,
            phase: samples % 3 * (positions - 1) / 2,
            ..case
        }
    }

    /// With the weights of a loss.
    pub(crate) fn weighted(mut self, loss: &dyn Loss) -> Self {
        self.weights = loss.class_weights().to_vec();
        self
    }

    /// Targets of the batch that count, or the sum of the weights of their classes.
    fn counting(&self) -> f64 {
        let labels = self.labels[..self.count].iter();
        let counting = labels.filter(|label| **label != IGNORED);
        let weight = |label: &u32| match self.weights.is_empty() {
            true => 1.0,
            false => f64::from(self.weights[*label as usize]),
        };
        let sum: f64 = counting.map(weight).sum();
        if sum > 0.0 { sum } else { 1.0 }
    }

    /// The labels of the data set: the batch's samples have the rows' labels, all others none of
    /// theirs.
    fn data_labels(&self) -> Vec<u32> {
        let mut labels = vec![self.classes as u32; (SAMPLES + 1) * self.positions];
        let indices = indices(self.samples);
        let own = self.labels.chunks(self.positions);
        for (own, index) in own.zip(&indices[start(self.samples)..]) {
            let first = *index as usize * self.positions + self.phase;
            labels[first..first + own.len()].copy_from_slice(own);
        }
        labels
    }

    fn run(&self, stage: &mut Stage, loss: &dyn Loss) -> Result<Found, String> {
        let run = Run {
            samples: self.samples,
            positions: self.positions,
            count: self.count,
            phase: self.phase,
            x: &self.x,
            width: self.classes,
            targets: self.data_labels(),
            numbers: false,
            weights: &self.weights,
            whole: self.counting(),
            fold: self.fold,
        };
        run.run(stage, loss)
    }
}

/// How far the loss and the gradient of a row may be off.
struct RowError {
    loss: f64,
    dx: Vec<f64>,
}

/// Cross entropy as its shader computes it: loss = log(total) - (1 - s) x_label - s/n sum x, with
/// the largest logit subtracted from all.
fn cross_entropy_error(
    x: &[f64],
    label: usize,
    (s, weights): (f64, &[f32]),
    count: f64,
) -> RowError {
    let n = x.len();
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shifted: Vec<Num> = x
        .iter()
        .map(|x| Num::exact(*x) - Num::exact(largest))
        .collect();
    let powers: Vec<Num> = shifted.iter().map(|s| s.exp()).collect();
    let sum = |terms: &[Num]| {
        let magnitude = terms.iter().map(|t| t.value.abs()).sum();
        Num {
            value: terms.iter().map(|t| t.value).sum(),
            error: terms.iter().map(|t| t.error).sum::<f64>() + sum_error(n, magnitude),
        }
    };
    let total = sum(&powers);
    let weight = |j: usize| Num::exact(weights.get(j).map_or(1.0, |w| f64::from(*w)));
    let keep = (Num::exact(1.0) - Num::constant(s)) * weight(label);
    let share = Num::constant(s / n as f64);
    let each: Vec<Num> = (0..n).map(|j| weight(j) * shifted[j]).collect();
    let all_weights: Vec<Num> = (0..n).map(weight).collect();
    let all = match weights.is_empty() {
        true => Num::exact(1.0),
        false => keep + share * sum(&all_weights),
    };
    let loss = all * total.ln() - keep * shifted[label] - share * sum(&each);
    let inv_count = Num::constant(1.0 / count);
    let dx = powers.iter().enumerate().map(|(j, power)| {
        let one_hot = Num::exact(if j == label { 1.0 } else { 0.0 });
        let t = keep * one_hot + share * weight(j);
        ((all * (*power / total) - t) * inv_count).error
    });
    RowError {
        loss: loss.error,
        dx: dx.collect(),
    }
}

/// Mean squared error as its shader computes it.
fn mse_error(x: &[f64], label: usize, count: f64) -> RowError {
    let n = x.len();
    let inv_cols = Num::constant(1.0 / n as f64);
    let inv_count = Num::constant(1.0 / count);
    let mut total = Num::exact(0.0);
    let mut dx = Vec::with_capacity(n);
    for (j, x) in x.iter().enumerate() {
        let d = Num::exact(*x) - Num::exact(if j == label { 1.0 } else { 0.0 });
        let square = d * d;
        total.value += square.value;
        total.error += square.error;
        dx.push((d * (Num::exact(2.0) * inv_cols * inv_count)).error);
    }
    total.error += sum_error(n, total.value);
    RowError {
        loss: (total * inv_cols).error,
        dx,
    }
}

fn row_error(loss: &dyn Loss, x: &[f64], label: u32, count: f64) -> RowError {
    if label == IGNORED {
        return RowError {
            loss: 0.0,
            dx: vec![0.0; x.len()],
        };
    }
    let label = label as usize;
    match loss.name() {
        "cross_entropy" => {
            let s = loss.arguments()["label_smoothing"].as_float().unwrap();
            cross_entropy_error(x, label, (s, loss.class_weights()), count)
        }
        "mse" => mse_error(x, label, count),
        name => panic!("loss {name} has no bounds in tests/proofs/losses.rs"),
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
            "{} {what}, {} of {} rows of {}: {problem}",
            stage.class.as_str(),
            case.count,
            case.rows,
            case.classes
        )
    })
}

fn compare(loss: &dyn Loss, case: &Case, found: &Found) -> Result<(), String> {
    let (classes, count) = (case.classes, case.count);
    let labels = case.labels[..count].to_vec();
    let x = wide(&case.x[..count * classes]);
    let reference = loss.reference(&x, classes, RowTargets::Classes(&labels));
    let errors: Vec<RowError> = x
        .chunks(classes)
        .zip(&labels)
        .map(|(x, label)| row_error(loss, x, *label, case.counting()))
        .collect();
    let batch = &found.batch;
    let row_losses: Vec<f32> = batch.iter().map(|row| row[0]).collect();
    within("loss", 1, &row_losses, &reference.losses, |r| {
        errors[r].loss
    })?;
    for (r, chosen) in reference.chosen.iter().enumerate() {
        if batch[r][1] != *chosen as f32 {
            return Err(format!(
                "row {r}: class {} is chosen, not {chosen}",
                batch[r][1]
            ));
        }
    }
    let mut dx = reference.dx.clone();
    dx.resize(case.rows * classes, 0.0);
    within("dx", classes, &found.dx, &dx, |i| {
        match errors.get(i / classes) {
            Some(row) => row.dx[i % classes],
            None => 0.0,
        }
    })?;
    let of_losses: Vec<f64> = errors.iter().map(|row| row.loss).collect();
    check_blocks(
        &found.blocks,
        (&reference.losses, &of_losses),
        |mut rows| {
            rows.by_ref()
                .filter(|r| reference.chosen[*r] == labels[*r] as usize)
                .count()
        },
    )
}

/// Cross entropy with weights of classes, some of them 0.
fn prove_weighted(stage: &mut Stage) -> Result<(), String> {
    for smoothing in [0.0, 0.1] {
        for classes in [2, 3, 10, 17, 33] {
            let loss = weighted(classes, smoothing);
            for rows in [1, 17, 64, 130] {
                let case = Case::new(rows, classes).weighted(&*loss);
                let partial = Case {
                    count: rows.div_ceil(3),
                    fold: true,
                    ..case.clone()
                };
                check(stage, "with weights", &*loss, &case)?;
                check(stage, "with weights", &*loss, &partial)?;
            }
        }
    }
    Ok(())
}

/// Cross entropy whose weights grow with the class from 0 on, but for one of 0 more.
fn weighted(classes: usize, smoothing: f64) -> Box<dyn Loss> {
    let weight = |class: usize| match class % 5 {
        4 => 0.0,
        _ => 0.25 + 0.125 * class as f64,
    };
    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let table: Vec<String> = (0..classes)
        .map(|c| format!("\"{c}\" = {:?}", weight(c)))
        .collect();
    let text = format!(
        "label_smoothing = {smoothing:?}\nclass_weights = {{ {} }}",
        table.join(", ")
    );
    suited(&text, &names)
}

/// Cross entropy with these arguments over these classes.
pub(crate) fn suited(arguments: &str, names: &[String]) -> Box<dyn Loss> {
    let entry = LOSSES
        .iter()
        .find(|entry| entry.name == "cross_entropy")
        .unwrap();
    let mut loss = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
    loss.suit(&Task::Classes(names.to_vec()), &[]).unwrap();
    loss
}

/// Checks every loss whose name contains `name`; the first failure.
pub(crate) fn prove(stage: &mut Stage, name: &str) -> Result<(), String> {
    if matches!(name, "" | "cross_entropy_weighted") {
        prove_weighted(stage)?;
    }
    for (what, loss) in losses() {
        if !loss.name().contains(name) {
            continue;
        }
        for rows in [1, 3, 17, 33, 64, 100, 130] {
            for classes in [1, 3, 10, 17, 33, 100] {
                let case = Case::new(rows, classes);
                let partial = Case {
                    count: rows.div_ceil(3),
                    fold: true,
                    ..case.clone()
                };
                check(stage, &what, &*loss, &case)?;
                check(stage, &what, &*loss, &partial)?;
            }
        }
        for (samples, positions) in [(1, 7), (3, 5), (5, 33), (17, 9), (2, 65)] {
            for classes in [2, 17, 65] {
                let case = Case::sequences(samples, positions, classes);
                let partial = Case {
                    count: samples.div_ceil(2) * positions,
                    fold: true,
                    ..case.clone()
                };
                check(stage, &what, &*loss, &case)?;
                check(stage, &what, &*loss, &partial)?;
            }
        }
        // Rows of 128 floats, of which 64 fit into a binding.
        stage.binding = Some(64 * 4 * 128);
        for case in [Case::new(200, 70), Case::sequences(3, 65, 100)] {
            let partial = Case {
                count: case.rows / 3,
                ..case.clone()
            };
            check(stage, &what, &*loss, &case)?;
            check(stage, &what, &*loss, &partial)?;
        }
        stage.binding = None;
        check(stage, &what, &*loss, &ties())?;
        check(stage, &what, &*loss, &large())?;
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

/// Rows of equal outputs: the first is chosen.
fn ties() -> Case {
    let x = [
        [0.0; 6],
        [-1.0, 2.0, 2.0, -3.0, 2.0, 0.0],
        [-5.0, -5.0, -5.0, -4.0, -4.0, -4.0],
    ];
    Case {
        x: x.concat(),
        ..Case::new(3, 6)
    }
}

/// Logits of +-1e4.
fn large() -> Case {
    let mut case = Case::new(17, 5);
    case.x = values(3, case.x.len(), -2.0, 2.0)
        .into_iter()
        .map(|x| if x < 0.0 { -1e4 } else { 1e4 } + x)
        .collect();
    case
}

#[test]
fn kernels_of_losses_equal_their_references() {
    for mut stage in Stage::all() {
        prove(&mut stage, "").unwrap();
    }
}

/// The most classes for which a row's loops are short enough on every driver; one quad more is
/// refused with the number of classes, not computed wrongly.
#[test]
fn rows_of_many_classes_are_right_or_refused() {
    const MOST: usize = 59_936;
    for mut stage in Stage::all() {
        for (what, loss) in losses() {
            check(&mut stage, &what, &*loss, &Case::new(2, MOST)).unwrap();
            let mut b = stage.builder(Mode::Train, 2);
            let site = LossSite {
                x: b.value("x", MOST + 1),
                numbers: false,
                class_weights: None,
                targets: b.shared(Key::Targets, 4),
                indices: b.shared(Key::Indices(Use::Training), 4),
                rows: b.shared(Key::Rows(Use::Training), 8),
                results: b.shared(Key::Results(Use::Training), 8),
                results_stride: 2,
                positions: 1,
            };
            let refused = loss.forward(&mut b, &site).unwrap_err().to_string();
            assert!(refused.contains("59937 classes"), "{refused}");
        }
    }
}

/// The logits of 768 rows take 147 MiB, more than one binding of most adapters.
#[test]
fn losses_of_large_vocabularies_come_in_portions() {
    let mut stage = Stage::new(wavetrain::gpu::ClassName::LanesPlain, None).unwrap();
    let loss = wavetrain::loss::CrossEntropy::default();
    let case = Case::sequences(12, 64, 50_257);
    check(&mut stage, "large vocabulary", &loss, &case).unwrap();
}
