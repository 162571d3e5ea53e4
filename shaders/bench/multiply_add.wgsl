// The adapter's arithmetic: multiply-adds in registers, eight independent chains of vec4, four
// links of each chain per iteration. What no kernel can exceed.
//
// c_i <- c_i * a + b, 4 * ITERATIONS times, with a and b from the uniform so that nothing is known
// when the driver compiles.
//
// Each invocation owns eight chains and writes their sum, so that none is left out.
// Rust twin: src/bench/arithmetic.rs.

struct Dims {
    iterations: u32,
    a: f32,
    b: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let a = dims.a;
    let b = dims.b;
    let start = f32(id.x & 63u) * 0.001;
    var c0 = vec4<f32>(start);
    var c1 = vec4<f32>(start + 0.1);
    var c2 = vec4<f32>(start + 0.2);
    var c3 = vec4<f32>(start + 0.3);
    var c4 = vec4<f32>(start + 0.4);
    var c5 = vec4<f32>(start + 0.5);
    var c6 = vec4<f32>(start + 0.6);
    var c7 = vec4<f32>(start + 0.7);
    for (var i = 0u; i < dims.iterations; i++) {
        c0 = c0 * a + b; c1 = c1 * a + b; c2 = c2 * a + b; c3 = c3 * a + b;
        c4 = c4 * a + b; c5 = c5 * a + b; c6 = c6 * a + b; c7 = c7 * a + b;
        c0 = c0 * a + b; c1 = c1 * a + b; c2 = c2 * a + b; c3 = c3 * a + b;
        c4 = c4 * a + b; c5 = c5 * a + b; c6 = c6 * a + b; c7 = c7 * a + b;
        c0 = c0 * a + b; c1 = c1 * a + b; c2 = c2 * a + b; c3 = c3 * a + b;
        c4 = c4 * a + b; c5 = c5 * a + b; c6 = c6 * a + b; c7 = c7 * a + b;
        c0 = c0 * a + b; c1 = c1 * a + b; c2 = c2 * a + b; c3 = c3 * a + b;
        c4 = c4 * a + b; c5 = c5 * a + b; c6 = c6 * a + b; c7 = c7 * a + b;
    }
    y[id.x] = ((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7));
}
