// Clipping by norm, between the gradient's norm and the update, as torch.nn.utils.clip_grad_norm_:
//
// norm = sqrt(sum of the parts)     factor = min(1, clip_norm / (norm + 1e-6))     g <- factor g
//
// `factor` is one invocation: it adds up the parts that shaders/optim/gradient_norm.wgsl left in the
// step's results, in their order, and writes (norm, factor) to the place `place` of them. A norm that
// no f32 holds, or of gradients that are not finite, is (0, -1), and they stay as they are: the host
// ends the run. `scale`: invocation i owns the four gradients 4i .. 4i + 3. A factor that is near
// what a driver takes for 0 it works out anew, 2^140 times as large.
// Rust twin: src/optim/clip_norm.rs.

struct Dims {
    quads: u32,
    parts: u32,
    // Where a slot's parts start, where its norm and factor stand, and how many places lie between
    // slots.
    results_first: u32,
    place: u32,
    results_stride: u32,
    clip_norm: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

@compute @workgroup_size(1)
fn factor() {
    let slot = step.slot * dims.results_stride;
    var scaled = false;
    var finite = true;
    for (var p = 0u; p < dims.parts; p++) {
        let kind = results[slot + dims.results_first + p].y;
        scaled = scaled || kind > 0.0;
        finite = finite && kind >= 0.0;
    }
    var sum = 0.0;
    for (var p = 0u; p < dims.parts; p++) {
        let part = results[slot + dims.results_first + p];
        let root = 0x1p-80 * sqrt(part.x);
        sum += select(part.x, root * root, scaled && part.y == 0.0);
    }
    var norm = sqrt(sum);
    if scaled {
        // From 2^48 on, 2^80 times it is beyond f32.
        finite = finite && norm < 0x1p+48;
        norm = 0x1p+80 * select(1.0, norm, norm < 0x1p+48);
    }
    var clipped = 1.0;
    if norm + 1e-6 > dims.clip_norm {
        clipped = dims.clip_norm / (norm + 1e-6);
    }
    results[slot + dims.place] = select(vec2<f32>(0.0, -1.0), vec2<f32>(norm, clipped), finite);
}

@compute @workgroup_size(64)
fn scale(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.quads {
        return;
    }
    let place = results[step.slot * dims.results_stride + dims.place];
    let clipped = place.y;
    if clipped < 0.0 {
        return;
    }
    if clipped < 0x1p-100 {
        // The norm to clip to is below 2^28 here, so that nothing overflows.
        let larger = 0x1p+70 * dims.clip_norm / (0x1p-70 * (place.x + 1e-6));
        g[i] = 0x1p-70 * (larger * (0x1p-70 * g[i]));
    } else if clipped < 1.0 {
        g[i] = clipped * g[i];
    }
}
