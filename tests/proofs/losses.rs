//! The second proof for losses: loss and chosen class of each row, the sums of each block of rows,
//! and the gradient; partial batches, large logits, and logits that are no numbers.

use wavetrain::args::Args;
use wavetrain::data::IGNORED;
use wavetrain::data::Task;
use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::loss::{BLOCK, LOSSES, Loss, LossSite, RowTargets};
use wavetrain::shape::Shape;
use wavetrain::train::StepUniform;

use super::compare::{POISON, poisoned, wide, within, without_padding};
use super::reference::losses;
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

    /// Where the step's batch starts in the chunk's list of samples.
    fn start(&self) -> usize {
        SLOT * self.samples
    }

    /// The samples of the whole chunk.
    fn indices(&self) -> Vec<u32> {
        let samples = CHUNK * self.samples;
        (0..samples).map(|i| (i * 7 % SAMPLES) as u32).collect()
    }

    /// The labels of the data set: the batch's samples have the rows' labels, all others none of
    /// theirs.
    fn data_labels(&self) -> Vec<u32> {
        let mut labels = vec![self.classes as u32; (SAMPLES + 1) * self.positions];
        let indices = self.indices();
        let own = self.labels.chunks(self.positions);
        for (own, index) in own.zip(&indices[self.start()..]) {
            let first = *index as usize * self.positions + self.phase;
            labels[first..first + own.len()].copy_from_slice(own);
        }
        labels
    }

    fn stride(&self) -> usize {
        1 + self.rows.div_ceil(BLOCK)
    }
}

/// What comes out.
struct Found {
    dx: Vec<f32>,
    /// (loss, chosen class) for each sample of the chunk.
    rows: Vec<[f32; 2]>,
    /// (loss, right answers) for each place of the chunk's results.
    results: Vec<[f32; 2]>,
}

fn run(stage: &mut Stage, loss: &dyn Loss, case: &Case) -> Result<Found, String> {
    let mut b = stage.builder(Mode::Train, case.samples);
    let shape = match case.positions {
        1 => Shape::Features(case.classes),
        steps => Shape::Sequence {
            steps,
            features: case.classes,
        },
    };
    let x = b.shaped("x", &shape);
    b.keep(x, Key::Kept("x"));
    let listed = CHUNK * case.samples;
    let rows = CHUNK * case.rows;
    let results = CHUNK * case.stride();
    let site = LossSite {
        x,
        numbers: false,
        class_weights: (!case.weights.is_empty()).then(|| {
            let quads = case.classes.div_ceil(4);
            b.shared(Key::ClassWeights, 16 * quads as u64)
        }),
        targets: b.shared(Key::Targets, 4 * ((SAMPLES + 1) * case.positions) as u64),
        indices: b.shared(Key::Indices(Use::Training), 4 * listed as u64),
        rows: b.shared(Key::Rows(Use::Training), 8 * rows as u64),
        results: b.shared(Key::Results(Use::Training), 8 * results as u64),
        results_stride: case.stride(),
        positions: case.positions,
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
    stage.write(&Key::Targets, &case.data_labels());
    if !case.weights.is_empty() {
        // What lies behind the last class is not looked at.
        let mut weights = case.weights.clone();
        weights.resize(case.classes.next_multiple_of(4), 3.0);
        stage.write(&Key::ClassWeights, &weights);
    }
    stage.write(&Key::Indices(Use::Training), &case.indices());
    stage.write(&Key::Rows(Use::Training), &vec![[POISON; 2]; rows]);
    stage.write(&Key::Results(Use::Training), &vec![[POISON; 2]; results]);
    // The run's first slots belong to other steps; only the slot at hand is run.
    let uniform = StepUniform {
        start: case.start() as u32,
        slot: SLOT as u32,
        phase: case.phase as u32,
        inv_count: (1.0 / case.counting()) as f32,
        ..step(case.count / case.positions)
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
    let outcome = run(stage, loss, case).and_then(|found| compare(loss, case, &found));
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
    let start = case.start() * case.positions;
    let labels = case.labels[..count].to_vec();
    let x = wide(&case.x[..count * classes]);
    let reference = loss.reference(&x, classes, RowTargets::Classes(&labels));
    let errors: Vec<RowError> = x
        .chunks(classes)
        .zip(&labels)
        .map(|(x, label)| row_error(loss, x, *label, case.counting()))
        .collect();
    let batch = &found.rows[start..start + count];
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
    let untouched = |i: usize| !(start..start + count).contains(&i);
    let rows = found.rows.iter().enumerate();
    if let Some((i, _)) = rows
        .into_iter()
        .find(|(i, row)| untouched(*i) && row[0] != POISON)
    {
        return Err(format!(
            "row {i} of the chunk belongs to another step but was written"
        ));
    }
    compare_results(
        case,
        found,
        &reference.losses,
        &labels,
        &reference.chosen,
        &errors,
    )
}

/// The sums of each block, and nothing else, are written.
fn compare_results(
    case: &Case,
    found: &Found,
    losses: &[f64],
    labels: &[u32],
    chosen: &[usize],
    errors: &[RowError],
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
        // A tree of six levels over losses that are themselves off.
        let allowed = errors[rows.clone()].iter().map(|e| e.loss).sum::<f64>() + 6.0 * U * sum;
        within(
            &format!("loss of block {block}"),
            1,
            &[*loss],
            &[sum],
            |_| allowed,
        )?;
        let count = rows.filter(|r| chosen[*r] == labels[*r] as usize).count();
        if *right != count as f32 {
            return Err(format!("block {block}: {right} right answers, not {count}"));
        }
    }
    Ok(())
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
        not_finite(stage, &what, &*loss)?;
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

/// An output that is NaN or infinite makes the number of right answers of its block negative, and
/// of no other block; beyond the batch it is not looked at.
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
