//! The defects that are planted in the kernels of attention, as in `defect_table.rs`.

use super::stage::Defect;

/// Masks, neighbours' rows, factors and signs.
pub(crate) static ATTENTION: &[Defect] = &[
    Defect::new("attention_forward", "(Which(j) <= i)", "(Which(j) < i)"),
    Defect::new(
        "attention_forward",
        "(Which(j) <= i)",
        "(Which(j) <= i + 1u)",
    ),
    Defect::new("attention_query", "(Which(j) <= i)", "(Which(j) <= i + 1u)"),
    Defect::new("attention_key", "(j <= Which(i))", "(j < Which(i))"),
    Defect::new(
        "attention_forward",
        "Which(j) < Which(dims.steps)",
        "Which(j) <= Which(dims.steps)",
    ),
    Defect::new(
        "attention_key",
        "Which(i) < Which(dims.steps)",
        "Which(i) <= Which(dims.steps)",
    ),
    Defect::new(
        "attention_forward",
        "let base = at.sample * dims.steps",
        "let base = 0u",
    ),
    Defect::new(
        "attention_query",
        "let base = at.sample * dims.steps",
        "let base = at.head * dims.steps",
    ),
    Defect::new(
        "attention_key",
        "let row = at.sample * dims.steps",
        "let row = at.head",
    ),
    Defect::new(
        "attention_forward",
        "let keys = dims.width + at.column",
        "let keys = dims.width",
    ),
    Defect::new(
        "attention_key",
        "list / dims.heads, head,",
        "list / dims.heads, 0u,",
    ),
    Defect::new("attention_query", "head * dims.head)", "0u)"),
    Defect::new(
        "attention_forward",
        "return dims.scale * product",
        "return product",
    ),
    Defect::new(
        "attention_query",
        "block_scaled(dq, Each(dims.scale))",
        "dq",
    ),
    Defect::new("attention_query", "let s = dims.scale * ", "let s = "),
    Defect::new(
        "attention_key",
        "block_scaled(keys.dk, Each(dims.scale))",
        "keys.dk",
    ),
    Defect::new("attention_key", "let s = dims.scale * ", "let s = "),
    Defect::new("attention_forward", "total *= shrunk;", ""),
    Defect::new("attention_forward", "sum = block_scaled(sum, shrunk);", ""),
    Defect::new(
        "attention_forward",
        "most = max(most, s[k]);",
        "most = max(most, s[0]);",
    ),
    Defect::new("attention_forward", "most + log(total)", "log(total)"),
    Defect::new(
        "attention_forward",
        "4u * dims.list_stride * (at.sample * dims.heads + at.head)",
        "4u * dims.list_stride * at.sample",
    ),
    Defect::new(
        "attention_forward",
        "row_qkv(row, values",
        "row_qkv(base, values",
    ),
    Defect::new(
        "attention_forward",
        "2u * dims.width + at.column",
        "dims.width + at.column",
    ),
    Defect::new(
        "attention_query",
        "let sums = product_g_o(own, here, at.column)",
        "let sums = 0.5 * product_g_o(own, here, at.column)",
    ),
    Defect::new(
        "attention_query",
        "store_d(list + i, inside, sums)",
        "store_d(list + i, inside, logs)",
    ),
    Defect::new(
        "attention_key",
        "p * (dp * m - sums)",
        "p * (dp * m + sums)",
    ),
    Defect::new("attention_key", "logs[k], sums[k]", "logs[k], sums[0]"),
    Defect::new(
        "attention_key",
        "inside, value, at.slice, keys.dv",
        "inside, key, at.slice, keys.dv",
    ),
    Defect::new(
        "attention_forward",
        "slice < dims.slices",
        "slice + 1u < dims.slices",
    ),
    Defect::new("attention_query", "if at.slice == 0u", "if at.slice == 1u"),
    Defect::new(
        "attention_key",
        "c4 < vec4<u32>(dims.head)",
        "c4 <= vec4<u32>(dims.head)",
    ),
    Defect::new(
        "attention_query",
        "let inside = quad < dims.head / 4u",
        "let inside = quad <= dims.head / 4u",
    ),
    Defect::new("attention_forward", "u < Each(dims.p)", "u > Each(dims.p)"),
    Defect::new(
        "attention_key",
        "step.first_sample + at.sample",
        "at.head + at.sample",
    ),
    Defect::new(
        "attention_query",
        "(dp * kept(at, i, Which(j)) - sums)",
        "(dp * kept(at, i, Which(j + 1u)) - sums)",
    ),
    Defect::new("attention_key", "p * m, own", "p, own"),
    Defect::new(
        "attention_forward",
        "first + 1u * LANES + lane",
        "first + LANES",
    ),
    Defect::new("attention_key", "group.y * groups.x + group.x", "group.x"),
    Defect::new(
        "attention_forward_lanes",
        "let own0 = quad_qkv(row, column, slice, min(0u + lane",
        "let own0 = quad_qkv(row, column, slice, min(1u + lane",
    ),
    Defect::new(
        "attention_key_lanes",
        "subgroupBroadcast(own0, 1u)",
        "subgroupBroadcast(own0, 0u)",
    ),
    Defect::new(
        "attention_key",
        "if 4u * quad + 1u < dims.head",
        "if 4u * quad + 1u <= dims.head",
    ),
];
