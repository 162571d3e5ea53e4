//! A loss whose targets are shares of the classes, as mixed pictures have them (Zhang et al. 2018,
//! "mixup"): numbers, as many for each sample as there are outputs. -sum_j t_j log softmax(x)_j.

use wavetrain::Result;
use wavetrain::data::Task;
use wavetrain::kernel::builder::grid;
use wavetrain::kernel::source::{INDEX, NUMERIC, STEP};
use wavetrain::kernel::{Builder, Call, Shader, Value};
use wavetrain::loss::{L1, Loss, LossReference, LossSite, RowTargets};
use wavetrain::shape::Shape;

use crate::number_losses::Case;
use crate::stage::{Stage, values};

/// One invocation a row; whole rows in registers of no vector, for it is a stub.
const SHARES: &str = "
struct Dims {
    rows: u32,
    cols: u32,
    // Quads of a row.
    stride: u32,
    results_first: u32,
    results_stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read> indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

var<workgroup> sums: array<f32, 64>;

fn row_loss(row: u32, sample: u32) -> f32 {
    let base = 4u * row * dims.stride;
    var largest = x[base];
    for (var j = 1u; j < dims.cols; j++) {
        largest = max(largest, x[base + j]);
    }
    var powers = 0.0;
    var shares = 0.0;
    for (var j = 0u; j < dims.cols; j++) {
        powers += exp(x[base + j] - largest);
        shares += targets[sample * dims.cols + j];
    }
    var total = 0.0;
    for (var j = 0u; j < dims.cols; j++) {
        let t = targets[sample * dims.cols + j];
        let shifted = x[base + j] - largest;
        total += t * (log(powers) - shifted);
        dx[base + j] = (exp(shifted) / powers * shares - t) * step.inv_count;
    }
    return total;
}

@compute @workgroup_size(64)
fn loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = index_linear(group, groups, local, 64u);
    let block = group.y * groups.x + group.x;
    sums[local] = 0.0;
    if row < dims.rows && row < step.count {
        let found = row_loss(row, indices[step.start + row]);
        rows[step.start + row] = vec2<f32>(found, 0.0);
        sums[local] = found;
    } else if row < dims.rows {
        for (var j = 0u; j < dims.cols; j++) {
            dx[4u * row * dims.stride + j] = 0.0;
        }
    }
    workgroupBarrier();
    if local == 0u && block * 64u < dims.rows {
        var total = 0.0;
        for (var i = 0u; i < 64u; i++) {
            total += sums[i];
        }
        results[step.slot * dims.results_stride + dims.results_first + block] = vec2<f32>(total, 0.0);
    }
}
";

#[derive(Debug, Clone, Copy)]
struct Shares;

impl Loss for Shares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::new()
    }

    fn takes(&self, output: &Shape, task: &Task) -> Result<()> {
        // An output for each number.
        L1 {}.takes(output, task)
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        let matrix = site.x.matrix;
        let dx = b.like("dx", site.x);
        let call = Call::new(b.label("loss and gradient"), grid(matrix.rows, 64)?)
            .matrix(matrix)
            .value("x", site.x)
            .place("targets", site.targets)
            .place("indices", site.indices)
            .value("dx", dx)
            .place("rows", site.rows)
            .place("results", site.results)
            .u32("results_first", 1)
            .u32("results_stride", site.results_stride);
        let shader = Shader::new("stub/shares", &[&STEP, &INDEX, &NUMERIC], SHARES);
        b.dispatch(&shader, "loss", call);
        Ok(dx)
    }

    fn reference(&self, x: &[f64], width: usize, targets: RowTargets<'_>) -> LossReference {
        let RowTargets::Numbers(targets) = targets else {
            return LossReference::default();
        };
        let mut reference = LossReference::default();
        let count = (x.len() / width) as f64;
        for (row, shares) in x.chunks(width).zip(targets.chunks(width)) {
            let powers: f64 = row.iter().map(|x| x.exp()).sum();
            let all: f64 = shares.iter().sum();
            let each = row.iter().zip(shares);
            let losses = each.clone().map(|(x, t)| t * (powers.ln() - x));
            reference.losses.push(losses.sum());
            reference.chosen.push(0);
            let slopes = each.map(|(x, t)| (x.exp() / powers * all - t) / count);
            reference.dx.extend(slopes);
        }
        reference
    }
}

#[test]
fn targets_that_are_shares_of_classes_have_a_loss() {
    // Two classes share a sample, as a mixed one has them.
    let (rows, width) = (131, 5);
    let share = values(3, rows, 0.0, 1.0);
    let mut wanted = vec![0.0_f32; rows * width];
    for (row, share) in share.iter().enumerate() {
        wanted[row * width + row % width] += share;
        wanted[row * width + (row / 3) % width] += 1.0 - share;
    }
    let x = values(4, rows * width, -3.0, 3.0);
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
    let targets = wide(&wanted);
    let reference = Shares.reference(&wide(&x), width, RowTargets::Numbers(&targets));
    for stage in &mut Stage::all() {
        let case = Case::given(width, x.clone(), wanted.clone());
        let found = case.run(stage, &Shares).unwrap();
        let close = |found: f32, expected: f64| (f64::from(found) - expected).abs() < 1e-5;
        for (row, expected) in found.batch.iter().zip(&reference.losses) {
            assert!(close(row[0], *expected), "{row:?} {expected}");
        }
        assert!(
            found
                .dx
                .iter()
                .zip(&reference.dx)
                .all(|(f, e)| close(*f, *e))
        );
        let total: f64 = found.blocks.iter().map(|block| f64::from(block[0])).sum();
        assert!((total - reference.losses.iter().sum::<f64>()).abs() < 1e-3);
    }
}
