//! The defects that are planted in the shaders of recurrent layers: the order of the gates, another
//! sample's or direction's state, a bias that is missing, what is gone on with. As in `defect_table.rs`.

use super::stage::Defect;

/// Shader, what its text says, what it says instead.
pub(crate) static STEPS: &[Defect] = &[
    Defect::new(
        "layer/rnn",
        "dims.steps - 1u - step, (dims.flags & REVERSE) != 0u",
        "dims.steps - 1u - step, (dims.flags & REVERSE) == 0u",
    ),
    Defect::new(
        "layer/rnn",
        "min(sample, dims.samples - 1u) * dims.steps + t",
        "min(sample, dims.samples - 1u) + t",
    ),
    Defect::new(
        "layer/rnn",
        "row(sample + 2u, n), row(sample + 3u, n)",
        "row(sample + 3u, n), row(sample + 2u, n)",
    ),
    Defect::new(
        "layer/rnn",
        "previous[at.y + k], previous[at.z + k]",
        "previous[at.z + k], previous[at.z + k]",
    ),
    Defect::new(
        "layer/rnn",
        "k < dims.quads; k++",
        "k + 1u < dims.quads; k++",
    ),
    Defect::new(
        "layer/rnn",
        "if (dims.flags & BIAS) == 0u",
        "if (dims.flags & BIAS) != 0u",
    ),
    Defect::new(
        "layer/rnn",
        "return v + bias[gate * dims.quads + q]",
        "return v + 0.0 * bias[gate * dims.quads + q]",
    ),
    Defect::new(
        "layer/rnn",
        "if !p.last {\n        previous[p.next]",
        "if p.last {\n        previous[p.next]",
    ),
    Defect::new("layer/rnn", "n + 1u == dims.steps", "n + 2u == dims.steps"),
    Defect::new("layer/rnn", "dy[p.own] + dh", "dy[p.sample] + dh"),
    Defect::new("layer/rnn", "k < GATES * dims.quads", "k < dims.quads - 1u"),
    Defect::new(
        "layer/rnn",
        "let r = 4u * k * dims.w_stride + q",
        "let r = 4u * k * dims.w_stride",
    ),
    Defect::new(
        "layer/rnn",
        "sample + i, n, q, d[i]",
        "sample + i, n, q, d[0]",
    ),
    Defect::new(
        "layer/rnn",
        "if sample >= dims.samples {\n        return;\n    }\n    let p",
        "let p",
    ),
    Defect::new(
        "layer/rnn",
        "n == 0u && (dims.flags & CARRIED) == 0u",
        "n == 0u",
    ),
    Defect::new("layer/rnn", "next = max(v", "next = min(v"),
    Defect::new("layer/rnn", "v.a > vec4<f32>(0.0)", "v.a >= vec4<f32>(0.0)"),
    Defect::new(
        "layer/rnn",
        "dh * (1.0 - v.a) * (1.0 + v.a)",
        "dh * (1.0 - v.a)",
    ),
    Defect::new("layer/lstm", "biased(2u, q, r.c)", "biased(1u, q, r.c)"),
    Defect::new("layer/lstm", "g.d = biased(3u, q, r.d);", "g.d = r.d;"),
    Defect::new(
        "layer/lstm",
        "let f = numeric_sigmoid(x.b + r.b)",
        "let f = numeric_sigmoid(x.d + r.d)",
    ),
    Defect::new(
        "layer/lstm",
        "Next(Gates(i, f, g, o)",
        "Next(Gates(f, i, g, o)",
    ),
    Defect::new("layer/lstm", "o * numeric_tanh(c)", "o * c"),
    Defect::new("layer/lstm", "cells[p.next] = c;", "cells[p.next] = g;"),
    Defect::new("layer/lstm", "dc += dcells[p.sample]", "dc += dcells[0]"),
    Defect::new(
        "layer/lstm",
        "dcells[p.sample] = dc * v.b",
        "dcells[p.sample] = dc",
    ),
    Defect::new("layer/lstm", "dc * before * v.b", "dc * t * v.b"),
    Defect::new("layer/lstm", "dh * t * v.d * (1.0 - v.d)", "dh * t * v.d"),
    Defect::new(
        "layer/lstm",
        "state[p.sample] = v.b * cells[p.own]",
        "state[p.sample] = cells[p.own]",
    ),
    Defect::new(
        "layer/lstm",
        "dims.steps - 1u, i % dims.quads",
        "0u, i % dims.quads",
    ),
    Defect::new(
        "layer/lstm",
        "min(step.count, dims.samples) * dims.quads",
        "dims.samples * dims.quads",
    ),
    Defect::new(
        "layer/lstm",
        "4u * (gate * dims.quads + q)",
        "4u * (gate + GATES * q)",
    ),
    Defect::new(
        "layer/gru",
        "numeric_tanh(x.c + u * r.c)",
        "numeric_tanh(u * x.c + r.c)",
    ),
    Defect::new(
        "layer/gru",
        "(1.0 - z) * n + z * h",
        "(1.0 - z) * h + z * n",
    ),
    Defect::new("layer/gru", "inner[p.own] = r.c", "inner[p.own] = x.c"),
    Defect::new(
        "layer/gru",
        "dhidden[p.sample] = dh * v.b",
        "dhidden[p.sample] = dh",
    ),
    Defect::new(
        "layer/gru",
        "previous[p.own] - v.c",
        "v.c - previous[p.own]",
    ),
    Defect::new("layer/gru", "dn * inner[p.own]", "dn + 0.0 * inner[p.own]"),
    Defect::new("layer/gru", "= dn * v.a;", "= dn;"),
    Defect::new(
        "layer/gru",
        "recurrent[p.gates + dims.quads] = dz",
        "recurrent[p.gates + dims.quads] = du",
    ),
    Defect::new("layer/gru", "return recurrent[at]", "return gates[at]"),
    Defect::new(
        "layer/carried",
        "step.carry == 1u &&",
        "step.carry == 0u &&",
    ),
    Defect::new(
        "layer/carried",
        "sample < step.count",
        "sample <= step.count",
    ),
    Defect::new(
        "layer/carried",
        "v = state[sample * dims.stride + quad]",
        "v = state[quad]",
    ),
    Defect::new(
        "layer/carried",
        "min(step.count, dims.samples)",
        "dims.samples",
    ),
    Defect::new(
        "layer/carried",
        "dims.row) * dims.stride + quad] = v",
        "dims.row) * dims.stride] = v",
    ),
    Defect::new(
        "layer/directions",
        "b[at + column - dims.width]",
        "b[at + column]",
    ),
    Defect::new(
        "layer/directions",
        "column < dims.width {\n        return a",
        "column <= dims.width {\n        return a",
    ),
    Defect::new("layer/directions", "dims.offset + column", "column"),
    Defect::new(
        "layer/directions",
        "if column < dims.width {\n        return y",
        "if column < dims.width + 1u {\n        return y",
    ),
    Defect::new(
        "rnn_steps_lanes",
        "for (var i = 0u; i < ROWS; i++)",
        "for (var i = 1u; i < ROWS; i++)",
    ),
    Defect::new(
        "rnn_steps_lanes",
        "for (var k = 0u; k < dims.quads; k++) {\n                    forward_add",
        "for (var k = 1u; k < dims.quads; k++) {\n                    forward_add",
    ),
    Defect::new(
        "rnn_steps_lanes",
        "let q = tile + lane;\n            clear();",
        "let q = tile + lane;",
    ),
    Defect::new(
        "lstm_steps_lanes",
        "c3_2 += s3.w * b2_3",
        "c3_2 += s3.w * b1_3",
    ),
    Defect::new(
        "gru_steps_lanes",
        "subgroupBroadcast(a0, 2u)",
        "subgroupBroadcast(a0, 1u)",
    ),
    Defect::new("gru_steps_lanes", "lane % ROWS", "0u"),
    Defect::new(
        "rnn_back_lanes",
        "k < GATES * dims.quads; k++) {\n                    backward_add",
        "k + 1u < GATES * dims.quads; k++) {\n                    backward_add",
    ),
    Defect::new(
        "rnn_back_lanes",
        "if left < dims.steps",
        "if left <= dims.steps",
    ),
    Defect::new("rnn_back_lanes", "tile + j * LANES + lane", "tile + lane"),
    Defect::new(
        "lstm_back_lanes",
        "vec2<u32>(q + 0u, 4u * k + 2u)",
        "vec2<u32>(q + 0u, 4u * k + 1u)",
    ),
    Defect::new("gru_back_lanes", "c2_0 = c3_0", "c2_0 = c2_0"),
];
