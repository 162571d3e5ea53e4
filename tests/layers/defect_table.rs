//! The defects that are planted in shaders that are files: shader, what its text says, what it says
//! instead. Each must be found by the shader's proof; a text that no longer
//! occurs fails, so that the table follows the shaders.

use super::stage::Defect;

/// Signs, indices, edge guards, masks and constants of the shaders that are files, and of snippets.
pub(crate) static DEFECTS: &[Defect] = &[
    Defect::new("layer/relu", "v < vec4<f32>(0.0)", "v > vec4<f32>(0.0)"),
    Defect::new(
        "layer/relu",
        "saved[at] > vec4<f32>(0.0)",
        "saved[at] >= vec4<f32>(0.0)",
    ),
    Defect::new(
        "layer/relu",
        "i >= dims.rows * quads",
        "i + 1u >= dims.rows * quads",
    ),
    Defect::new("layer/relu", "i / quads * dims.stride + i % quads", "i"),
    Defect::new("layer/relu", "group.y * groups.x + group.x", "group.x"),
    Defect::new(
        "layer/gelu",
        "dims.approximate == 1u",
        "dims.approximate == 0u",
    ),
    Defect::new("layer/gelu", "y[at] = v * share(v)", "y[at] = v + share(v)"),
    Defect::new("layer/gelu", "share(v) + v * slope", "share(v) - v * slope"),
    Defect::new(
        "layer/gelu",
        "1.0 + 0.134145 * v * v",
        "1.0 - 0.134145 * v * v",
    ),
    Defect::new("layer/gelu", "exp(-0.5 * v * v)", "exp(-0.25 * v * v)"),
    Defect::new("layer/gelu", "v * v * v", "v * v"),
    Defect::new("layer/gelu", "0.7071067812", "0.70710"),
    Defect::new("layer/gelu", "1.26551223", "1.2655"),
    Defect::new("layer/gelu", "-0.37612638903183754", "0.37612638903183754"),
    Defect::new("layer/gelu", "a < vec4<f32>(1.0)", "a < vec4<f32>(1.5)"),
    Defect::new(
        "layer/tanh",
        "dy[at] * (1.0 - t) * (1.0 + t)",
        "dy[at] * (1.0 - t) * (1.0 - t)",
    ),
    Defect::new("layer/tanh", "exp(-2.0 * a)", "exp(-a)"),
    Defect::new("layer/tanh", "s * (-0.33333333", "s * (-0.3333"),
    Defect::new(
        "layer/tanh",
        "return sign(x) * select(far, near",
        "return select(far, near",
    ),
    Defect::new(
        "layer/sigmoid",
        "dy[at] * s * (1.0 - s)",
        "dy[at] * s * (1.0 + s)",
    ),
    Defect::new(
        "layer/sigmoid",
        "numeric_mask(numeric_sigmoid(x[at]), i % quads % dims.channel_quads, dims.channels)",
        "numeric_sigmoid(x[at])",
    ),
    Defect::new(
        "layer/sigmoid",
        "i % quads % dims.channel_quads",
        "i % quads",
    ),
    Defect::new(
        "layer/sigmoid",
        "if i >= dims.rows * quads {\n        return;\n    }\n",
        "",
    ),
    Defect::new(
        "layer/sigmoid",
        "column < vec4<u32>(cols)",
        "column <= vec4<u32>(cols)",
    ),
    Defect::new(
        "layer/sigmoid",
        "x >= vec4<f32>(0.0)",
        "x <= vec4<f32>(0.0)",
    ),
    Defect::new("layer/dropout", "u < dims.p", "u > dims.p"),
    Defect::new(
        "layer/dropout",
        "(channel + lane) * plane + pixel",
        "channel * plane + pixel",
    ),
    Defect::new(
        "layer/dropout",
        "row % dims.height * dims.width",
        "row * dims.width",
    ),
    Defect::new(
        "layer/dropout",
        "quad / dims.channel_quads",
        "quad % dims.channel_quads",
    ),
    Defect::new(
        "layer/dropout",
        "vec2<u32>(element, dims.draw)",
        "vec2<u32>(element, 0u)",
    ),
    Defect::new(
        "layer/dropout",
        "x[at] * mask(i / quads, i % quads)",
        "x[at] * mask(i % quads, i / quads)",
    ),
    Defect::new(
        "layer/dropout",
        "dy[at] * mask(i / quads, i % quads)",
        "dy[at] * mask(i / quads, 0u)",
    ),
    Defect::new("layer/dropout", "key.y, k2 + 4u", "key.y, k2 + 3u"),
    Defect::new(
        "layer/leaky_relu",
        "select(dims.negative_slope * v, v, v > vec4<f32>(0.0))",
        "select(dims.negative_slope * v, v, v < vec4<f32>(0.0))",
    ),
    Defect::new(
        "layer/leaky_relu",
        "saved[at] > vec4<f32>(0.0)",
        "saved[at] >= vec4<f32>(0.0)",
    ),
    Defect::new(
        "layer/leaky_relu",
        "i / quads * dims.stride + i % quads",
        "i",
    ),
    Defect::new("layer/silu", "v * numeric_sigmoid(v)", "numeric_sigmoid(v)"),
    Defect::new(
        "layer/silu",
        "s + v * s * (1.0 - s)",
        "s - v * s * (1.0 - s)",
    ),
    Defect::new("layer/silu", "1.0 / (1.0 + e)", "1.0 / (1.0 - e)"),
    Defect::new("layer/scale", "dims.factor * x[at]", "dims.factor + x[at]"),
    Defect::new("layer/scale", "dims.factor * dy[at]", "dy[at]"),
    Defect::new(
        "layer/scale",
        "i >= dims.rows * quads",
        "i + 1u >= dims.rows * quads",
    ),
    Defect::new("layer/residual", "a[at] + b[at]", "a[at] - b[at]"),
    Defect::new(
        "layer/residual",
        "(dims.flags & 1u) != 0u",
        "(dims.flags & 1u) == 0u",
    ),
    Defect::new(
        "layer/residual",
        "gate[at] > vec4<f32>(0.0)",
        "gate[at] >= vec4<f32>(0.0)",
    ),
    Defect::new("layer/residual", "i / quads * dims.stride + i % quads", "i"),
    Defect::new("layer/flatten", "w * 4u * dims.quads + c", "w * 4u + c"),
    Defect::new(
        "layer/flatten",
        "feature < features",
        "feature + 1u < features",
    ),
    Defect::new(
        "layer/flatten",
        "feature / dims.width % dims.height",
        "feature / dims.height % dims.height",
    ),
    Defect::new(
        "layer/flatten",
        "(c * dims.height + h) * dims.width + w",
        "(h * dims.width + w) * dims.channels + c",
    ),
    Defect::new("layer/flatten", "x[at + lane] > 0.0", "x[at] > 0.0"),
    Defect::new(
        "layer/flatten",
        "c < dims.channels && open",
        "c + 1u < dims.channels && open",
    ),
    Defect::new(
        "drivers/random",
        "vec4<u32>(13u, 15u, 26u, 6u)",
        "vec4<u32>(13u, 15u, 26u, 7u)",
    ),
    Defect::new("drivers/random", "f32(word >> 8u)", "f32(word >> 7u)"),
    Defect::new(
        "loss/cross_entropy",
        "v[lane] > largest",
        "v[lane] >= largest",
    ),
    Defect::new(
        "loss/cross_entropy",
        "4u * quad + lane < dims.cols &&",
        "4u * quad + lane <= dims.cols &&",
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
        "if row < step.count",
        "if row < dims.rows",
    ),
    Defect::new(
        "loss/cross_entropy",
        "dx[row * dims.stride + quad] = vec4<f32>(0.0);",
        "",
    ),
    Defect::new(
        "loss/cross_entropy",
        "labels[indices[step.start + row]]",
        "labels[indices[row]]",
    ),
    Defect::new(
        "loss/cross_entropy",
        "rows[step.start + row] = result",
        "rows[row] = result",
    ),
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
    Defect::new("loss/mse", "v[lane] > largest", "v[lane] >= largest"),
    Defect::new("loss/mse", "if row < step.count", "if row <= step.count"),
    Defect::new("loss/mse", "vec2<f32>(0.0, -1.0)", "vec2<f32>(0.0, 1.0)"),
    Defect::new(
        "loss/mse",
        "dims.results_first + block",
        "dims.results_first",
    ),
    Defect::new("bench/copy", "y[i] = x[i]", "y[i] = x[i] + x[i]"),
    Defect::new("bench/copy", "if i >= dims.quads", "if i > dims.quads"),
    Defect::new("bench/copy", "if first >= dims.quads", "if false"),
    Defect::new("bench/copy", "y[first + 2u] = x[first + 2u];\n", ""),
    Defect::new(
        "bench/multiply_add",
        "c3 = c3 * a + b;\n",
        "c3 = c3 * a - b;\n",
    ),
    Defect::new(
        "bench/multiply_add",
        "c6 = c6 * a + b; c7 = c7 * a + b;",
        "c6 = c6 * a + b;",
    ),
    Defect::new(
        "bench/nothing",
        "y[local] = vec4<f32>(0.0)",
        "y[0] = vec4<f32>(0.0)",
    ),
    Defect::new("layer/max_pool2d", "v > best", "v >= best - 1.0"),
    Defect::new("layer/max_pool2d", "- dims.pad_x", "- 0u"),
    Defect::new(
        "layer/max_pool2d",
        "best < vec4<f32>(0.0)",
        "best > vec4<f32>(0.0)",
    ),
    Defect::new(
        "layer/max_pool2d",
        "(py - wy * dims.stride_y) * dims.kernel_x",
        "(py - wy * dims.stride_y)",
    ),
    Defect::new(
        "layer/max_pool2d",
        "f32(ky * dims.kernel_x + kx)",
        "f32(ky + kx)",
    ),
    Defect::new(
        "layer/max_pool2d",
        "select(-2.0, tap + 1.0, right)",
        "tap + 1.0",
    ),
    Defect::new("layer/max_pool2d", "2u * by - dims.pad_y", "2u * by"),
    Defect::new("layer/avg_pool2d", "below && right", "below || right"),
    Defect::new("layer/avg_pool2d", "wy < end_y && wx < end_x", "wx < end_x"),
    Defect::new("layer/avg_pool2d", "bx - kx / 2u", "bx"),
    Defect::new(
        "layer/avg_pool2d",
        "f32(rows * columns)",
        "f32(rows + columns)",
    ),
    Defect::new(
        "layer/avg_pool2d",
        "sum += dy[from_y] / divisor(wy, wx)",
        "sum += dy[from_y]",
    ),
    Defect::new(
        "layer/avg_pool2d",
        "ix < dims.x_width",
        "ix + 1u < dims.x_width",
    ),
    Defect::new(
        "layer/global_avg_pool",
        "h < dims.height",
        "h + 1u < dims.height",
    ),
    Defect::new(
        "layer/global_avg_pool",
        "dy[row / dims.height * dims.y_stride",
        "dy[row * dims.y_stride",
    ),
    Defect::new(
        "layer/conv2d_parts",
        "sum += parts[p * dims.part + at]",
        "sum -= parts[p * dims.part + at]",
    ),
];
