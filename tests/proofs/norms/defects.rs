//! The proofs are proved: with one defect planted in a shader, the proof that passes on the true
//! shader fails.

use super::super::stage::{Defect, Stage};
use super::{kernels, stage};

const BATCH_NORM: &str = "layer/batch_norm2d";
const RESPONSE_NORM: &str = "layer/local_response_norm";

/// Shader, what its text says, what it says instead.
static DEFECTS: &[(&str, &str, &str)] = &[
    (BATCH_NORM, "select(dims.quads, jump, last)", "dims.quads"),
    (
        BATCH_NORM,
        "p.column + 1u == dims.width",
        "p.column + 2u == dims.width",
    ),
    (BATCH_NORM, "pixel % dims.width;", "0u;"),
    (BATCH_NORM, "step.count * dims.plane", "dims.pixels"),
    (BATCH_NORM, "t.m2 + delta * delta * (s.n * share)", "t.m2"),
    (BATCH_NORM, "s.mean + delta * share", "s.mean + 0.5 * delta"),
    (BATCH_NORM, "pixel + 8u <= end", "pixel + 8u < end + 8u"),
    (BATCH_NORM, "let v6 = x[p6.at]", "let v6 = x[p5.at]"),
    (BATCH_NORM, "+ (d6 * d6 + d7 * d7)", "+ (d6 * d6 - d7 * d7)"),
    (BATCH_NORM, "var half = 32u", "var half = 16u"),
    (
        BATCH_NORM,
        "m.m2 / max(n, 1.0) + dims.eps",
        "m.m2 / max(n, 1.0)",
    ),
    (BATCH_NORM, "m.m2 / max(n - 1.0, 1.0)", "m.m2 / n"),
    (
        BATCH_NORM,
        "let keep = 1.0 - dims.momentum",
        "let keep = dims.momentum",
    ),
    (BATCH_NORM, "return b[q];", "return b[0u];"),
    (BATCH_NORM, "return w[q];", "return -w[q];"),
    (
        BATCH_NORM,
        "vec4<bool>(relu) & (v < vec4<f32>(0.0))",
        "vec4<bool>(false)",
    ),
    (
        BATCH_NORM,
        "sqrt(running_var[q] + dims.eps)",
        "sqrt(running_var[q])",
    ),
    (
        BATCH_NORM,
        "let first = RUN * (i / dims.quads)",
        "let first = 9u * (i / dims.quads)",
    ),
    (BATCH_NORM, "(g2 * v2 + g3 * v3)", "(g2 * v2 + g3 * v2)"),
    (BATCH_NORM, "product * stats[dims.quads + q]", "product"),
    (
        BATCH_NORM,
        "let n = max(f32(filled_pixels()), 1.0)",
        "let n = f32(dims.pixels)",
    ),
    (BATCH_NORM, "- xhat * mean_product", "+ xhat * mean_product"),
    (BATCH_NORM, "dy[p.at] - mean_dy", "dy[p.at]"),
    (BATCH_NORM, "vec4<bool>(pixel < filled) & open", "open"),
    (BATCH_NORM, "vec4<bool>(!gated)", "vec4<bool>(true)"),
    (
        BATCH_NORM,
        "group.y * groups.x + group.x;\n    if q",
        "group.x;\n    if q",
    ),
    (BATCH_NORM, "db[q] = sum;", "db[q] = product;"),
    (
        RESPONSE_NORM,
        "c <= vec4<u32>(channel + above)",
        "c < vec4<u32>(channel + above)",
    ),
    (
        RESPONSE_NORM,
        "c + below >= vec4<u32>(channel)",
        "c + below > vec4<u32>(channel)",
    ),
    (RESPONSE_NORM, "dims.quads - 1u)", "dims.quads - 2u)"),
    (
        RESPONSE_NORM,
        "reach(q, dims.after, dims.before)",
        "reach(q, dims.after, 0u)",
    ),
    (
        RESPONSE_NORM,
        "parts(r[at - q + other], other, q, dims.after, dims.before)",
        "parts(r[at - q + other], other, q, dims.before, dims.after)",
    ),
    (
        RESPONSE_NORM,
        "return root * sqrt(root)",
        "return root * root",
    ),
    (
        RESPONSE_NORM,
        "exp(-dims.beta * log(bracket))",
        "exp(dims.beta * log(bracket))",
    ),
    (
        RESPONSE_NORM,
        "dims.k + dims.share * sum",
        "1.0 + dims.share * sum",
    ),
    (
        RESPONSE_NORM,
        "2.0 * dims.share * dims.beta",
        "dims.share * dims.beta",
    ),
    (
        RESPONSE_NORM,
        "vec4<bool>(dims.gated == 0u)",
        "vec4<bool>(true)",
    ),
    (
        RESPONSE_NORM,
        "min(dims.height - 1u - h, dims.before)",
        "dims.before",
    ),
    (
        RESPONSE_NORM,
        "f.row - min(h, dims.before)",
        "f.row - min(f.row, dims.before)",
    ),
    (
        RESPONSE_NORM,
        "f.column + 3u + dims.before",
        "f.column + 2u + dims.before",
    ),
    (
        RESPONSE_NORM,
        "column <= own + dims.before",
        "column <= own + dims.before + 1u",
    ),
    (
        RESPONSE_NORM,
        "column + dims.before >= own",
        "column + dims.before > own",
    ),
    (
        RESPONSE_NORM,
        "write_dx(at + 3u * dims.quads, sum3)",
        "write_dx(at + 3u * dims.quads, sum2)",
    ),
    (
        RESPONSE_NORM,
        "write_y(at + 2u * dims.quads, sum2)",
        "write_y(at + 2u * dims.quads, sum1)",
    ),
    (
        RESPONSE_NORM,
        "dy[at] * saved_y[at] / saved_s[at]",
        "dy[at] * saved_y[at] * saved_s[at]",
    ),
];

/// `Ok` where the proof finds the defect.
fn find(defect: Defect) -> Result<(), String> {
    let mut stage: Stage = stage(Some(defect));
    let outcome = match defect.shader {
        BATCH_NORM => kernels::prove_batch_norm2d(&mut stage),
        _ => kernels::prove_local_response_norm(&mut stage),
    };
    if stage.planted == 0 {
        return Err(format!("{defect:?}: the text does not occur"));
    }
    match outcome {
        Ok(()) => Err(format!("{defect:?}: the proof passes all the same")),
        Err(_) => Ok(()),
    }
}

#[test]
fn the_proofs_of_normalisations_find_planted_defects() {
    let defects = DEFECTS
        .iter()
        .map(|(shader, from, to)| Defect { shader, from, to });
    let missed: Vec<String> = defects.filter_map(|defect| find(defect).err()).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
