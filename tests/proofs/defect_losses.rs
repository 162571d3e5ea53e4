//! The defects that are planted in the shaders of losses.

use super::stage::Defect;

/// Targets, sums, masks and gradients.
pub(crate) static LOSSES: &[Defect] = &[
    Defect::new(
        "loss/cross_entropy",
        "1u, w.y == most), 0u, w.x == most",
        "0u, w.x == most), 1u, w.y == most",
    ),
    Defect::new(
        "loss/cross_entropy",
        "columns < vec4<u32>(dims.cols)",
        "columns <= vec4<u32>(dims.cols)",
    ),
    Defect::new(
        "loss/cross_entropy",
        "let shifted = x[base + quad] - largest",
        "let shifted = x[base + quad]",
    ),
    Defect::new(
        "loss/cross_entropy",
        "numeric_mask(exp(shifted), quad, dims.cols)",
        "exp(shifted)",
    ),
    Defect::new(
        "loss/cross_entropy",
        "shifted[label % 4u]",
        "shifted[label % 3u]",
    ),
    Defect::new(
        "loss/cross_entropy",
        "(p - t) * step.inv_count",
        "(p + t) * step.inv_count",
    ),
    Defect::new("loss/cross_entropy", "(p - t) * step.inv_count", "(p - t)"),
    Defect::new(
        "loss/cross_entropy",
        "- dims.uniform_share * shifted_sum",
        "+ dims.uniform_share * shifted_sum",
    ),
    Defect::new(
        "loss/cross_entropy",
        "if row < dims.rows && whole < step.count * dims.positions",
        "if row < dims.rows",
    ),
    Defect::new(
        "loss/cross_entropy",
        "dx[row * dims.stride + quad] = vec4<f32>(0.0);",
        "",
    ),
    Defect::new(
        "loss/cross_entropy",
        "indices[step.start + whole / dims.positions]",
        "indices[whole / dims.positions]",
    ),
    Defect::new(
        "loss/cross_entropy",
        "rows[step.start * dims.positions + whole]",
        "rows[whole]",
    ),
    Defect::new("loss/cross_entropy", "+ step.phase", ""),
    Defect::new("loss/cross_entropy", "+ whole % dims.positions", ""),
    Defect::new("loss/cross_entropy", "if counts ||", "if true ||"),
    Defect::new("loss/mse", "&& !counts", "&& false"),
    Defect::new(
        "loss/cross_entropy",
        "step.slot * dims.results_stride",
        "step.slot",
    ),
    Defect::new(
        "loss/cross_entropy",
        "sums[local] += sums[local + half]",
        "sums[local] += sums[local + half / 2u]",
    ),
    Defect::new(
        "loss/cross_entropy",
        "select(0.0, 1.0, result.y == f32(label))",
        "select(1.0, 0.0, result.y == f32(label))",
    ),
    Defect::new(
        "loss/cross_entropy",
        "all(exponent != vec4<u32>(0x7f800000u))",
        "any(exponent != vec4<u32>(0x7f800000u))",
    ),
    Defect::new(
        "loss/cross_entropy",
        "group.y * groups.x + group.x",
        "group.x",
    ),
    Defect::new(
        "loss/mse",
        "numeric_mask(v - t, quad, dims.cols)",
        "numeric_mask(v + t, quad, dims.cols)",
    ),
    Defect::new("loss/mse", "d * (2.0 * dims.inv_cols", "d * (dims.inv_cols"),
    Defect::new(
        "loss/mse",
        "column == vec4<u32>(label)",
        "column == vec4<u32>(label + 1u)",
    ),
    Defect::new("loss/mse", "most > before.value", "most >= before.value"),
    Defect::new(
        "loss/mse",
        "whole < step.count * dims.positions",
        "whole <= step.count * dims.positions",
    ),
    Defect::new(
        "loss/cross_entropy",
        "let whole = dims.first_row + row;",
        "let whole = row;",
    ),
    Defect::new("loss/mse", "+ dims.first_row / 64u", ""),
    Defect::new("loss/mse", "vec2<f32>(0.0, -1.0)", "vec2<f32>(0.0, 1.0)"),
    Defect::new(
        "loss/mse",
        "dims.first_row / 64u + block]",
        "dims.first_row / 64u]",
    ),
    Defect::new(
        "loss/cross_entropy_weighted",
        "(1.0 - dims.smoothing) * own",
        "(1.0 - dims.smoothing)",
    ),
    Defect::new(
        "loss/cross_entropy_weighted",
        "numeric_mask(class_weights[quad], quad, dims.cols)",
        "class_weights[quad]",
    ),
    Defect::new(
        "loss/cross_entropy_weighted",
        "dims.uniform_share * class_weights[quad]",
        "dims.uniform_share",
    ),
    Defect::new("loss/cross_entropy_weighted", "all * p - t", "p - t"),
    Defect::new(
        "loss/cross_entropy_weighted",
        "all * log(total)",
        "log(total)",
    ),
    Defect::new(
        "loss/cross_entropy_weighted",
        "quad, dims.cols) * w;",
        "quad, dims.cols);",
    ),
    Defect::new("loss/l1", "sign(d)", "d"),
    Defect::new("loss/l1", "abs(d)", "d"),
    Defect::new("loss/mse_numbers", "2.0 * d", "d"),
    Defect::new("loss/mse_numbers", "v - wanted(", "v + wanted("),
    Defect::new("loss/mse_numbers", "sample * dims.cols", "sample"),
    Defect::new(
        "loss/mse_numbers",
        "min(column, vec4<u32>(last))",
        "min(column, vec4<u32>(0u))",
    ),
    Defect::new(
        "loss/mse_numbers",
        "whole < step.count",
        "whole <= step.count",
    ),
    Defect::new(
        "loss/mse_numbers",
        "rows[step.start + whole]",
        "rows[whole]",
    ),
    Defect::new(
        "loss/mse_numbers",
        "let whole = dims.first_row + row;",
        "let whole = row;",
    ),
    Defect::new(
        "loss/mse_numbers",
        "16777216.0 * result.y",
        "-16777216.0 * result.y",
    ),
    Defect::new("loss/mse_numbers", "total * dims.inv_cols", "total"),
    Defect::new(
        "loss/mse_numbers",
        "dims.inv_cols * step.inv_count",
        "step.inv_count",
    ),
    Defect::new(
        "loss/huber",
        "abs(d) - 0.5 * dims.delta",
        "abs(d) - dims.delta",
    ),
    Defect::new(
        "loss/huber",
        "abs(d) <= vec4<f32>(dims.delta)",
        "abs(d) >= vec4<f32>(dims.delta)",
    ),
    Defect::new(
        "loss/huber",
        "clamp(d, vec4<f32>(-dims.delta)",
        "clamp(d, vec4<f32>(0.0)",
    ),
];
