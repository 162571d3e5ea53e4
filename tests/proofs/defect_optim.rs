//! Defects for the proofs of what stands between gradients and parameters to find.

use super::stage::Defect;

pub(crate) static OPTIM: &[Defect] = &[
    Defect::new("optim/accumulate", "sum[i] + g[i]", "sum[i] - g[i]"),
    Defect::new("optim/accumulate", "kept[i] = g[i]", "kept[i] = 2.0 * g[i]"),
    Defect::new("optim/accumulate", "i < dims.quads", "i + 1u < dims.quads"),
    Defect::new("optim/gradient_norm", "i += 256u", "i += 260u"),
    Defect::new("optim/gradient_norm", "c * c + d * d", "c * c + c * d"),
    Defect::new(
        "optim/gradient_norm",
        "dims.part_quads, dims.quads)",
        "dims.part_quads, dims.quads - 4u)",
    ),
    Defect::new("optim/gradient_norm", "i < 64u", "i < 63u"),
    Defect::new("optim/gradient_norm", "dims.results_first + part", "part"),
    Defect::new(
        "optim/gradient_norm",
        "part < dims.parts",
        "part <= dims.parts",
    ),
    Defect::new(
        "optim/gradient_norm",
        "step.slot * dims.results_stride",
        "step.slot",
    ),
    Defect::new(
        "optim/gradient_norm",
        "group.y * groups.x + group.x",
        "group.x",
    ),
    Defect::new("optim/sgd", "w[i] = old - rate", "w[i] = old + rate"),
    Defect::new("optim/sgd", "multipliers[i / 16u]", "multipliers[i / 32u]"),
    Defect::new("optim/sgd", "step.lr * mult.x", "step.lr"),
    Defect::new("optim/sgd", "step.optimizer.x * mult.y", "step.optimizer.x"),
    Defect::new(
        "optim/sgd",
        "step.momentum * v_old + decayed",
        "step.momentum * v_old + (1.0 - step.momentum) * decayed",
    ),
    Defect::new(
        "optim/sgd",
        "decayed + step.momentum * v_new",
        "decayed + step.momentum * v_old",
    ),
    Defect::new(
        "optim/sgd",
        "(1.0 + step.momentum) * v_new - step.momentum * v_old",
        "(1.0 + step.momentum) * v_new",
    ),
    Defect::new(
        "optim/sgd",
        "step.momentum * v_old + rate * decayed",
        "step.momentum * v_old + decayed",
    ),
    Defect::new("optim/sgd", "if i >= dims.quads", "if i + 1u >= dims.quads"),
    Defect::new(
        "optim/sgd",
        "results[step.slot * dims.results_stride]",
        "results[step.slot]",
    ),
    Defect::new(
        "optim/sgd",
        "vec2<f32>(step.lr, step.momentum)",
        "vec2<f32>(step.lr + step.lr, step.momentum)",
    ),
    Defect::new(
        "optim/sgd",
        "    lr: f32,\n    momentum: f32,",
        "    momentum: f32,\n    lr: f32,",
    ),
    Defect::new("optim/gradient_norm", "= 0x57800000u", "= 0x7f000000u"),
    Defect::new(
        "optim/gradient_norm",
        "let b = factor * g[i + 1u]",
        "let b = g[i + 1u]",
    ),
    Defect::new(
        "optim/gradient_norm",
        "let root = DOWN * sqrt",
        "let root = sqrt",
    ),
    Defect::new(
        "optim/gradient_norm",
        "place = vec2<f32>(sum, 1.0)",
        "place = vec2<f32>(sum, 0.0)",
    ),
    Defect::new("optim/gradient_norm", ", own >= LARGE);", ", false);"),
    Defect::new("optim/gradient_norm", "lowest == BROKEN", "lowest < BROKEN"),
    Defect::new(
        "optim/gradient_norm",
        "-sums[i], sums[i] < 0.0",
        "sums[i], sums[i] < 0.0",
    ),
    Defect::new("optim/clip_norm", "p < dims.parts", "p + 1u < dims.parts"),
    Defect::new("optim/clip_norm", "sqrt(sum)", "sum"),
    Defect::new("optim/clip_norm", "norm + 1e-6 > dims.clip_norm", "true"),
    Defect::new(
        "optim/clip_norm",
        "dims.clip_norm / (norm + 1e-6)",
        "dims.clip_norm / norm",
    ),
    Defect::new("optim/clip_norm", "dims.results_first + p", "p"),
    Defect::new(
        "optim/clip_norm",
        "step.slot * dims.results_stride",
        "step.slot",
    ),
    Defect::new("optim/clip_norm", "kind >= 0.0", "true"),
    Defect::new("optim/clip_norm", "finite && norm < 0x1p+48", "finite"),
    Defect::new("optim/clip_norm", "scaled && part.y == 0.0", "false"),
    Defect::new(
        "optim/clip_norm",
        "g[i] = clipped * g[i]",
        "g[i] = clipped * clipped * g[i]",
    ),
    Defect::new(
        "optim/clip_norm",
        "if i >= dims.quads",
        "if i + 1u >= dims.quads",
    ),
    Defect::new("optim/clip_norm", "clipped < 0.0", "false"),
    Defect::new("optim/clip_norm", "clipped < 0x1p-100", "false"),
    Defect::new("optim/clip_norm", "0x1p-70 * (larger", "0x1p-69 * (larger"),
    // The rate's sign; no correction of the first average, none of the second, one for the other.
    Defect::new("optim/adam", "kept - rate *", "kept + rate *"),
    Defect::new("optim/adam", "m_new * step.optimizer.y", "m_new"),
    Defect::new(
        "optim/adam",
        "sqrt(v_new) * step.optimizer.z",
        "sqrt(v_new)",
    ),
    Defect::new("optim/adam", "* step.optimizer.y", "* step.optimizer.z"),
    // eps inside the root, and before the correction.
    Defect::new(
        "optim/adam",
        "sqrt(v_new) * step.optimizer.z + dims.eps",
        "sqrt(v_new + dims.eps) * step.optimizer.z",
    ),
    Defect::new(
        "optim/adam",
        "sqrt(v_new) * step.optimizer.z + dims.eps",
        "(sqrt(v_new) + dims.eps) * step.optimizer.z",
    ),
    // AdamW's decay in the gradient, Adam's on the parameters; without the rate.
    Defect::new("optim/adam", "dims.decoupled == 1u", "false"),
    Defect::new("optim/adam", "dims.decoupled == 1u", "true"),
    Defect::new("optim/adam", "rate * decay, decoupled", "decay, decoupled"),
    Defect::new(
        "optim/adam",
        "dims.weight_decay * mult.y",
        "dims.weight_decay",
    ),
    // One beta for the other; 1 - beta that is none.
    Defect::new("optim/adam", "dims.beta2 * v[i]", "step.momentum * v[i]"),
    Defect::new("optim/adam", "step.momentum * m[i]", "dims.beta2 * m[i]"),
    Defect::new("optim/adam", "+ step.optimizer.x * gradient", "+ gradient"),
    Defect::new(
        "optim/adam",
        "dims.beta2_rest * (gradient * gradient)",
        "dims.beta2_rest * gradient",
    ),
    Defect::new("optim/adam", "dims.beta2_rest *", "step.optimizer.x *"),
    Defect::new("optim/adam", "m[i] = m_new;", "m[i] = gradient;"),
    Defect::new("optim/adam", "v[i] = v_new;", ""),
    Defect::new("optim/adam", "multipliers[i / 16u]", "multipliers[i / 32u]"),
    Defect::new("optim/adam", "step.lr * mult.x", "step.lr"),
    Defect::new(
        "optim/adam",
        "if i >= dims.quads",
        "if i + 1u >= dims.quads",
    ),
    Defect::new(
        "optim/adam",
        "results[step.slot * dims.results_stride]",
        "results[step.slot]",
    ),
    Defect::new(
        "optim/adam",
        "vec2<f32>(step.lr, step.momentum)",
        "vec2<f32>(step.lr, dims.beta2)",
    ),
];
