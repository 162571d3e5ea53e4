// The sum of the squares of all gradients, in parts, before the update: the squared length of the
// step's gradient, of which the host adds the parts up in f64 and takes the root.
//
// part p = sum of g_i^2 over the quads p * part_quads .. (p + 1) * part_quads
//
// Beside the sum stands how it is to be read: 0 as it is; 1 as that of (2^-80 g_i)^2, where a square
// would overflow; -1 that an element is not finite, as its bits say.
//
// Workgroup p of the grid owns part p, whose quads lie one after the other; invocation l of it adds
// up four neighbours, 4 l .. 4 l + 3, of each 256 quads of the part, and invocation 0 the 64 sums: one
// barrier, which costs a software adapter more than the sum does. Padding of parameters has
// gradient 0, and their number is a multiple of 64.
// Rust twin: src/optim/gradient_norm.rs.

// The bits of 2^48: sums of 2^29 squares below that stay below 2^125.
const LARGE: u32 = 0x57800000u;
// The least bits of what is infinite or no number.
const NOT_FINITE: u32 = 0x7f800000u;
const DOWN: f32 = 0x1p-80;
// Below every sum.
const BROKEN: f32 = -0x1p+127;

struct Dims {
    // All quads, a multiple of four, and those of one part.
    quads: u32,
    part_quads: u32,
    parts: u32,
    // Where a slot's parts start, and how many places lie between slots.
    results_first: u32,
    results_stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

// The sum of each invocation: below zero where it is scaled, BROKEN where an element is not finite. One
// number, since a software adapter reads those of others one by one.
var<workgroup> sums: array<f32, 64>;

fn magnitude(v: vec4<f32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(v) & vec4<u32>(0x7fffffffu);
}

@compute @workgroup_size(64)
fn squares(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let part = group.y * groups.x + group.x;
    let first = part * dims.part_quads;
    let end = min(first + dims.part_quads, dims.quads);
    var total = vec4<f32>(0.0);
    var most = vec4<u32>(0u);
    var own = 0u;
    // Once as they are; where a square would overflow, once more 2^-80 times as large.
    for (var factor = 1.0; factor > 0.0;) {
        total = vec4<f32>(0.0);
        for (var i = first + 4u * local; i < end; i += 256u) {
            let a = factor * g[i];
            let b = factor * g[i + 1u];
            let c = factor * g[i + 2u];
            let d = factor * g[i + 3u];
            total += (a * a + b * b) + (c * c + d * d);
            most = max(most, max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d))));
        }
        own = max(max(most.x, most.y), max(most.z, most.w));
        factor = select(0.0, DOWN, factor == 1.0 && own >= LARGE && own < NOT_FINITE);
    }
    let own_sum = (total.x + total.y) + (total.z + total.w);
    sums[local] = select(own_sum, select(-own_sum, BROKEN, own >= NOT_FINITE), own >= LARGE);
    workgroupBarrier();
    if local == 0u && part < dims.parts {
        var lowest = 0.0;
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            lowest = min(lowest, sums[i]);
            sum += sums[i];
        }
        var place = vec2<f32>(sum, 0.0);
        if lowest == BROKEN {
            place = vec2<f32>(0.0, -1.0);
        } else if lowest < 0.0 {
            sum = 0.0;
            for (var i = 0u; i < 64u; i++) {
                // Not scaled yet, in a part that is: by its root, since 2^-160 is no f32.
                let root = DOWN * sqrt(max(sums[i], 0.0));
                sum += select(root * root, -sums[i], sums[i] < 0.0);
            }
            place = vec2<f32>(sum, 1.0);
        }
        results[step.slot * dims.results_stride + dims.results_first + part] = place;
    }
}
