// The cell of an LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000), as torch.nn.LSTM.
//
// forward:  i f o = sigmoid(a + r), g = tanh(a + r), c' = f c + i g, h = o tanh(c')
// backward: dc' = (dc of the step behind) + dh o (1 - tanh(c')^2); dc = dc' f;
//           di = dc' g i (1 - i), df = dc' c f (1 - f), dg = dc' i (1 - g^2),
//           do = dh tanh(c') o (1 - o)
// keep:     state = c' of the last step, for the samples of the batch.
//
// The gates stand in PyTorch's order i f g o. `cells` has in the row of each step the c of the step in
// front; `dcells` holds dc on its way back. Which invocation computes what stands in the skeleton,
// shaders/layer/recurrent.wgsl, which follows; in `keep` invocation i owns a quad of units of a sample.
// Rust twin: src/layer/lstm.rs.

const GATES: u32 = 4u;

@group(0) @binding(10) var<storage, read_write> cells: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> dcells: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read_write> state: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

fn advance(p: Place, x: Gates, r: Gates, h: vec4<f32>) -> Next {
    var c = vec4<f32>(0.0);
    if p.first {
        cells[p.own] = c;
    } else {
        c = cells[p.own];
    }
    let i = numeric_sigmoid(x.a + r.a);
    let f = numeric_sigmoid(x.b + r.b);
    let g = numeric_tanh(x.c + r.c);
    let o = numeric_sigmoid(x.d + r.d);
    c = f * c + i * g;
    if !p.last {
        cells[p.next] = c;
    }
    return Next(Gates(i, f, g, o), o * numeric_tanh(c));
}

// What comes back to the step in front.
fn behind(at: u32) -> vec4<f32> {
    return gates[at];
}

fn retreat(p: Place, v: Gates, dh: vec4<f32>) -> Gates {
    let before = cells[p.own];
    let t = numeric_tanh(v.b * before + v.a * v.c);
    var dc = dh * v.d * (1.0 - t) * (1.0 + t);
    if !p.last {
        dc += dcells[p.sample];
    }
    dcells[p.sample] = dc * v.b;
    return Gates(
        dc * v.c * v.a * (1.0 - v.a),
        dc * before * v.b * (1.0 - v.b),
        dc * v.a * (1.0 - v.c) * (1.0 + v.c),
        dh * t * v.d * (1.0 - v.d),
    );
}

@compute @workgroup_size(64)
fn keep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= min(step.count, dims.samples) * dims.quads {
        return;
    }
    let p = place(i / dims.quads, dims.steps - 1u, i % dims.quads);
    let v = load_gates(p.gates);
    state[p.sample] = v.b * cells[p.own] + v.a * v.c;
}
