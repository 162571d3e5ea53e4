// The cell of a plain recurrent layer (Elman 1990), as torch.nn.RNN.
//
// forward:  h = tanh(a + r), or max(a + r, 0)
// backward: to a and r goes dh (1 - h^2), or dh where h is positive
//
// Which invocation computes what stands in the skeleton, shaders/layer/recurrent.wgsl, which follows.
// Rust twin: src/layer/rnn.rs.

const GATES: u32 = 1u;

fn advance(p: Place, x: Gates, r: Gates, h: vec4<f32>) -> Next {
    let v = x.a + r.a;
    var next = numeric_tanh(v);
    if (dims.flags & RELU) != 0u {
        next = max(v, vec4<f32>(0.0));
    }
    return Next(Gates(next, next, next, next), next);
}

// What comes back to the step in front.
fn behind(at: u32) -> vec4<f32> {
    return gates[at];
}

fn retreat(p: Place, v: Gates, dh: vec4<f32>) -> Gates {
    var d = dh * (1.0 - v.a) * (1.0 + v.a);
    if (dims.flags & RELU) != 0u {
        d = select(vec4<f32>(0.0), dh, v.a > vec4<f32>(0.0));
    }
    return Gates(d, d, d, d);
}
