// The mean grey of each picture of a batch, whose brightness is changed at random: what a changed contrast
// blends the picture with.
//
// greys[r] = the mean over all pixels of grey(v) with v = clamp(b value, 0, 255) and grey(v) = 0.2989 v[0] +
// 0.587 v[1] + 0.114 v[2]; of pictures of one channel v itself. b is the factor of the sample's brightness.
//
// Workgroup r owns sample r: invocation l adds up the pixels l, l + 64, ..., and invocation 0 the 64 sums.
// greys has one for each sample of the batch; those from `step.count` on have 0.
// `samples` are bytes, four to a word, the lowest first. The random words are those of data/augment.wgsl.
// Loops of an invocation: the Rust twin keeps them below 60,000.
// Rust twin: src/data/colours.rs.

struct Dims {
    rows: u32,
    channels: u32,
    // Pixels of a channel.
    plane: u32,
    // Lowest factor of the brightness, and its span.
    brightness: f32,
    brightness_span: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> samples: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> greys: array<f32>;
@group(1) @binding(0) var<uniform> step: Step;

var<workgroup> sums: array<f32, 64>;

// The value at `place` of the samples, as bright as `factor` makes it.
fn bright(place: u32, factor: f32) -> f32 {
    let v = f32((samples[place / 4u] >> (8u * (place % 4u))) & 255u);
    return colours_blend(v, 0.0, factor);
}

@compute @workgroup_size(64)
fn means(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = group.y * groups.x + group.x;
    var pixels = 0u;
    var first = 0u;
    if row < min(step.count, dims.rows) {
        pixels = dims.plane;
        first = indices[step.start + row] * dims.channels * dims.plane;
    }
    let words = threefry(step.key_augment, vec2<u32>(step.first_sample + row, 5u));
    let factor = colours_factor(threefry_uniform(words.x), dims.brightness, dims.brightness_span);
    var total = 0.0;
    for (var i = local; i < pixels; i += 64u) {
        let v = bright(first + i, factor);
        if dims.channels == 1u {
            total += v;
        } else {
            let green = bright(first + dims.plane + i, factor);
            total += colours_grey(v, green, bright(first + 2u * dims.plane + i, factor));
        }
    }
    sums[local] = total;
    workgroupBarrier();
    if local == 0u && row < dims.rows {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            sum += sums[i];
        }
        greys[row] = sum / f32(dims.plane);
    }
}
