// The cell of a GRU (Cho et al., arXiv 1406.1078), as torch.nn.GRU.
//
// forward:  u = sigmoid(a + r) and z = sigmoid(a + r) of the first two gates, n = tanh(a + u r) of the
//           third, h' = (1 - z) n + z h
// backward: dh' comes from above and behind; dn = dh' (1 - z) (1 - n^2), dz = dh' (h - n) z (1 - z),
//           du = dn r u (1 - u); to r go du, dz and dn u; to h goes dh' z
//
// The gates stand in PyTorch's order r z n, of which the first is u here. `inner` has the r of the third
// gate; `recurrent` has the gradients by r, laid out as `gates`; `dhidden` holds dh' z on its way back.
// Which invocation computes what stands in the skeleton, shaders/layer/recurrent.wgsl, which follows.
// Rust twin: src/layer/gru.rs.

const GATES: u32 = 3u;

@group(0) @binding(10) var<storage, read_write> inner: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> dhidden: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read_write> recurrent: array<vec4<f32>>;

fn advance(p: Place, x: Gates, r: Gates, h: vec4<f32>) -> Next {
    let u = numeric_sigmoid(x.a + r.a);
    let z = numeric_sigmoid(x.b + r.b);
    let n = numeric_tanh(x.c + u * r.c);
    inner[p.own] = r.c;
    return Next(Gates(u, z, n, vec4<f32>(0.0)), (1.0 - z) * n + z * h);
}

// What comes back to the step in front.
fn behind(at: u32) -> vec4<f32> {
    return recurrent[at];
}

fn retreat(p: Place, v: Gates, from_behind: vec4<f32>) -> Gates {
    var dh = from_behind;
    if !p.last {
        dh += dhidden[p.sample];
    }
    dhidden[p.sample] = dh * v.b;
    let dn = dh * (1.0 - v.b) * (1.0 - v.c) * (1.0 + v.c);
    let dz = dh * (previous[p.own] - v.c) * v.b * (1.0 - v.b);
    let du = dn * inner[p.own] * v.a * (1.0 - v.a);
    recurrent[p.gates] = du;
    recurrent[p.gates + dims.quads] = dz;
    recurrent[p.gates + 2u * dims.quads] = dn * v.a;
    return Gates(du, dz, dn, vec4<f32>(0.0));
}
