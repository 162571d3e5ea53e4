// The rows of a loss, a skeleton: losses, right answers and gradient in one pass. The loss that stands in
// front of it has its own `dims` and the function `row_loss(row, target)`, which gives (loss, chosen class)
// of a row and writes the row's gradient dx. The class is -1 where an output is NaN or infinite:
// arithmetic on such values is not portable, so the bits are looked at.
//
// A sample has `dims.positions` rows, one for each of its targets. Rows of samples from `step.count` on
// are idle: their gradient is 0 and they count nothing. Neither does a row whose target is ignored, but
// its class is chosen, too.
//
// Invocation r of the grid owns row r of the dispatch, which takes all rows or, where they do not fit into
// one binding, those from `first_row` on, a multiple of 64; x and dx are bound from there. A workgroup of
// 64 rows adds up its losses and its right answers in a fixed tree and writes the two sums to its own
// place of the step's results, which the host adds up in f64. `rows` keeps each row's loss and chosen
// class (the first of equal largest ones) for those who look at single rows.
// Rust twin: src/loss/mod.rs.

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

// The largest output so far, and its class.
struct Best {
    value: f32,
    choice: u32,
}

// With four more outputs, of the classes from `first` on; of equal ones the first stays.
fn better(before: Best, v: vec4<f32>, first: u32) -> Best {
    let columns = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    let w = select(vec4<f32>(before.value), v, columns < vec4<u32>(dims.cols));
    let most = max(max(w.x, w.y), max(w.z, w.w));
    let place = select(select(select(3u, 2u, w.z == most), 1u, w.y == most), 0u, w.x == most);
    let larger = most > before.value;
    return Best(select(before.value, most, larger), select(before.choice, first + place, larger));
}

const IGNORED: u32 = 0xffffffffu;

var<workgroup> sums: array<vec2<f32>, 64>;

fn idle(row: u32) {
    for (var quad = 0u; quad < (dims.cols + 3u) / 4u; quad++) {
        dx[row * dims.stride + quad] = vec4<f32>(0.0);
    }
}

@compute @workgroup_size(64)
fn loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.y * groups.x + group.x;
    let row = block * 64u + local;
    let whole = dims.first_row + row;
    sums[local] = vec2<f32>(0.0);
    var counts = false;
    if row < dims.rows && whole < step.count * dims.positions {
        let sample = indices[step.start + whole / dims.positions];
        let label = labels[sample * dims.positions + step.phase + whole % dims.positions];
        counts = label != IGNORED;
        let result = row_loss(row, select(0u, label, counts));
        rows[step.start * dims.positions + whole] = vec2<f32>(select(0.0, result.x, counts), result.y);
        let right = select(0.0, 1.0, result.y == f32(label));
        // A number of right answers below zero says that an output was not finite.
        let sum = vec2<f32>(result.x, select(right, -16777216.0, result.y < 0.0));
        if counts || result.y < 0.0 {
            sums[local] = sum;
        }
    }
    if row < dims.rows && !counts {
        idle(row);
    }
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sums[local] += sums[local + half];
        }
    }
    if local == 0u && block * 64u < dims.rows {
        results[step.slot * dims.results_stride + dims.results_first + dims.first_row / 64u + block] = sums[0];
    }
}
