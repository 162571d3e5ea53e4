//! The WGSL that attention's kernels differ in: registers for rows of a head, how they are loaded and
//! stored, and which weights drop.

use std::fmt::Write;

use super::{Part, ROWS, Variant};
use crate::gpu::ClassName;

/// What all kernels share.
const SHARED: &str = include_str!("../../../shaders/product/attention.wgsl");

fn file(part: Part) -> &'static str {
    match part {
        Part::Forward => include_str!("../../../shaders/product/attention_forward.wgsl"),
        Part::Query => include_str!("../../../shaders/product/attention_query.wgsl"),
        Part::Key => include_str!("../../../shaders/product/attention_key.wgsl"),
    }
}

/// Appends a line.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

macro_rules! line {
    ($text:expr, $($argument:tt)*) => { line($text, format_args!($($argument)*)) };
}

/// `f(0)`, `f(1)` and so on up to `n`, joined.
fn each(n: u32, between: &str, f: impl Fn(u32) -> String) -> String {
    (0..n).map(f).collect::<Vec<_>>().join(between)
}

/// The whole WGSL text.
pub(super) fn source(variant: &Variant) -> String {
    let mut text = String::new();
    constants(&mut text, variant);
    registers(&mut text, variant.quads);
    text.push_str(SHARED);
    dropout(&mut text, variant.drops);
    let (reads, writes): (&[&str], &str) = match variant.part {
        Part::Forward => (&["qkv"], "o"),
        Part::Query => (&["qkv", "o", "g"], "dqkv"),
        Part::Key => (&["qkv", "g"], "dqkv"),
    };
    for (binding, name) in reads.iter().zip(1..) {
        // o is written in one kernel at the place where it is read in another.
        load(&mut text, variant, binding, name);
    }
    store(&mut text, variant, writes);
    match variant.part {
        Part::Forward => {
            product(&mut text, variant, "qkv", "qkv");
            store_list(&mut text, "l");
        }
        Part::Query => {
            product(&mut text, variant, "qkv", "qkv");
            product(&mut text, variant, "g", "qkv");
            dots(&mut text, variant);
            store_list(&mut text, "d");
            let rows = each(ROWS, ", ", |r| format!("l[at.{}]", component(r)));
            line!(
                &mut text,
                "fn each_l(at: Which) -> Each {{\n    return Each({rows});\n}}"
            );
        }
        Part::Key => {
            product(&mut text, variant, "qkv", "qkv");
            product(&mut text, variant, "qkv", "g");
        }
    }
    text.push_str(file(variant.part));
    text
}

/// The component of `Each` that belongs to row `r`.
fn component(r: u32) -> &'static str {
    ["x", "y", "z", "w"][r as usize]
}

fn constants(text: &mut String, variant: &Variant) {
    let stored = if variant.aligned { "vec4<f32>" } else { "f32" };
    line!(text, "const LANES: u32 = {}u;", variant.lanes);
    line!(text, "const ROWS: u32 = {ROWS}u;");
    line!(text, "const QUADS: u32 = {}u;", variant.quads);
    line!(text, "alias Stored = {stored};");
    for (name, of) in [("Each", "f32"), ("Which", "u32"), ("Whether", "bool")] {
        line!(text, "alias {name} = vec{ROWS}<{of}>;");
    }
    let rows = each(ROWS, ", ", |r| format!("first + {r}u * LANES + lane"));
    line!(
        text,
        "fn rows_of(first: u32, lane: u32) -> Which {{\n    return Which({rows});\n}}"
    );
}

/// `Row` and `Block`, in named registers, and what is computed with them.
fn registers(text: &mut String, quads: u32) {
    let all = || (0..ROWS).flat_map(|r| (0..quads).map(move |c| (r, c)));
    let of =
        |f: &dyn Fn(u32, u32) -> String| all().map(|(r, c)| f(r, c)).collect::<Vec<_>>().join(", ");
    let fields = each(quads, ", ", |c| format!("c{c}: vec4<f32>"));
    line!(text, "struct Row {{ {fields} }}");
    let fields = of(&|r, c| format!("r{r}c{c}: vec4<f32>"));
    line!(text, "struct Block {{ {fields} }}");
    let zero = of(&|_, _| "vec4<f32>(0.0)".into());
    line!(
        text,
        "fn block_zero() -> Block {{\n    return Block({zero});\n}}"
    );
    let scaled = of(&|r, c| format!("a.r{r}c{c} * s.{}", component(r)));
    line!(
        text,
        "fn block_scaled(a: Block, s: Each) -> Block {{\n    return Block({scaled});\n}}"
    );
    let added = of(&|r, c| format!("a.r{r}c{c} + s.{} * b.c{c}", component(r)));
    line!(
        text,
        "fn block_add(a: Block, s: Each, b: Row) -> Block {{\n    return Block({added});\n}}"
    );
    for (name, other) in [("block_dot", "Row"), ("block_dots", "Block")] {
        let value = |r: u32, c: u32| match other {
            "Row" => format!("b.c{c}"),
            _ => format!("b.r{r}c{c}"),
        };
        line!(text, "fn {name}(a: Block, b: {other}) -> Each {{");
        for r in 0..ROWS {
            // Four sums side by side.
            let terms = each(quads, " + ", |c| format!("a.r{r}c{c} * {}", value(r, c)));
            line!(text, "    let s{r} = {terms};");
        }
        let sums = each(ROWS, ", ", |r| format!("dot(s{r}, vec4<f32>(1.0))"));
        line!(text, "    return Each({sums});\n}}");
    }
}

/// Which weights are kept, and by what factor: of the queries `i` for the keys `j`.
fn dropout(text: &mut String, drops: bool) {
    line!(text, "fn kept(at: Place, i: Which, j: Which) -> Each {{");
    if drops {
        // The weight's number in PyTorch's order (sample of the update, head, query, key).
        line!(
            text,
            "    let list = (step.first_sample + at.sample) * dims.heads + at.head;"
        );
        line!(
            text,
            "    let element = (Which(list * dims.steps) + i) * dims.steps + j;"
        );
        let drawn = each(ROWS, ", ", |r| {
            let element = component(r);
            format!(
                "threefry_uniform(threefry(step.key_dropout, vec2<u32>(element.{element}, dims.draw)).x)"
            )
        });
        line!(text, "    let u = Each({drawn});");
        line!(
            text,
            "    return select(Each(dims.kept), Each(0.0), u < Each(dims.p));\n}}"
        );
        line!(text, "@group(1) @binding(0) var<uniform> step: Step;");
    } else {
        line!(text, "    return Each(1.0);\n}}");
    }
}

/// Floats from row to row of a buffer.
fn stride(name: &str) -> &'static str {
    if name.ends_with("qkv") {
        "dims.stride"
    } else {
        "dims.o_stride"
    }
}

/// A buffer that is read: `quad_NAME`, `row_NAME` and `block_NAME`.
fn load(text: &mut String, variant: &Variant, name: &str, binding: u32) {
    let Variant {
        quads,
        aligned,
        wide,
        ..
    } = *variant;
    let stride = stride(name);
    line!(
        text,
        "@group(0) @binding({binding}) var<storage, read> {name}: array<Stored>;"
    );
    // Quad c of the slice of a head that begins at `column`; 0 beyond the head.
    line!(
        text,
        "fn quad_{name}(row: u32, column: u32, slice: u32, c: u32) -> vec4<f32> {{"
    );
    line!(text, "    let quad = slice * QUADS + c;");
    if aligned {
        line!(text, "    let at = (row * {stride} + column) / 4u + quad;");
        if wide {
            line!(text, "    let inside = quad < dims.head / 4u;");
            line!(
                text,
                "    return select(vec4<f32>(0.0), {name}[at], inside);\n}}"
            );
        } else {
            line!(text, "    return {name}[at];\n}}");
        }
    } else {
        line!(text, "    let at = row * {stride} + column + 4u * quad;");
        let read = each(4, ", ", |k| format!("{name}[at + {k}u]"));
        line!(text, "    let v = vec4<f32>({read});");
        line!(text, "    let c4 = 4u * quad + vec4<u32>(0u, 1u, 2u, 3u);");
        line!(
            text,
            "    return select(vec4<f32>(0.0), v, c4 < vec4<u32>(dims.head));\n}}"
        );
    }
    line!(
        text,
        "fn row_{name}(row: u32, column: u32, slice: u32, lane: u32) -> Row {{"
    );
    let lanes = variant.lanes;
    if variant.class == ClassName::Lanes {
        // Each lane loads a share, which all are handed.
        for share in 0..quads.div_ceil(lanes) {
            line!(
                text,
                "    let own{share} = quad_{name}(row, column, slice, min({}u + lane, QUADS - 1u));",
                share * lanes
            );
        }
        let handed = each(quads, ", ", |c| {
            format!("subgroupBroadcast(own{}, {}u)", c / lanes, c % lanes)
        });
        line!(text, "    return Row({handed});\n}}");
    } else {
        let loaded = each(quads, ", ", |c| {
            format!("quad_{name}(row, column, slice, {c}u)")
        });
        line!(text, "    return Row({loaded});\n}}");
    }
    line!(
        text,
        "fn block_{name}(row: Which, column: u32, slice: u32) -> Block {{"
    );
    let loaded = each(ROWS, ", ", |r| {
        each(quads, ", ", |c| {
            format!("quad_{name}(row.{}, column, slice, {c}u)", component(r))
        })
    });
    line!(text, "    return Block({loaded});\n}}");
}

/// A buffer that is written: `store_NAME`, in the rows that are `inside`.
fn store(text: &mut String, variant: &Variant, name: &str) {
    let Variant {
        quads,
        aligned,
        wide,
        ..
    } = *variant;
    let stride = stride(name);
    line!(
        text,
        "fn put_{name}(row: u32, column: u32, slice: u32, c: u32, v: vec4<f32>) {{"
    );
    line!(text, "    let quad = slice * QUADS + c;");
    if aligned {
        line!(text, "    let at = (row * {stride} + column) / 4u + quad;");
        if wide {
            line!(
                text,
                "    if quad >= dims.head / 4u {{\n        return;\n    }}"
            );
        }
        line!(text, "    {name}[at] = v;\n}}");
    } else {
        line!(text, "    let at = row * {stride} + column + 4u * quad;");
        for k in 0..4 {
            line!(
                text,
                "    if 4u * quad + {k}u < dims.head {{\n        {name}[at + {k}u] = v[{k}];\n    }}"
            );
        }
        line!(text, "}}");
    }
    line!(
        text,
        "fn store_{name}(row: Which, inside: Whether, column: u32, slice: u32, v: Block) {{"
    );
    for r in 0..ROWS {
        let component = component(r);
        line!(text, "    if inside.{component} {{");
        for c in 0..quads {
            line!(
                text,
                "        put_{name}(row.{component}, column, slice, {c}u, v.r{r}c{c});"
            );
        }
        line!(text, "    }}");
    }
    line!(text, "}}");
}

/// A list of a number for each row that is written.
fn store_list(text: &mut String, name: &str) {
    line!(
        text,
        "fn store_{name}(at: Which, inside: Whether, v: Each) {{"
    );
    for r in 0..ROWS {
        let component = component(r);
        line!(
            text,
            "    if inside.{component} {{\n        {name}[at.{component}] = v.{component};\n    }}"
        );
    }
    line!(text, "}}");
}

/// The product of a block of rows of `of` with a row of `by`, over all slices.
fn product(text: &mut String, variant: &Variant, of: &str, by: &str) {
    line!(
        text,
        "fn product_{of}_{by}(a: Block, b: Row, rows: Which, column: u32, row: u32, other: u32, lane: u32) -> Each {{"
    );
    if variant.wide {
        line!(text, "    var sum = Each(0.0);");
        line!(
            text,
            "    for (var slice = 0u; slice < dims.slices; slice++) {{"
        );
        line!(
            text,
            "        sum += block_dot(block_{of}(rows, column, slice), row_{by}(row, other, slice, lane));"
        );
        line!(text, "    }}\n    return sum;\n}}");
    } else {
        line!(text, "    return block_dot(a, b);\n}}");
    }
}

/// The sums of g o of a block of rows, over all slices.
fn dots(text: &mut String, variant: &Variant) {
    line!(
        text,
        "fn product_g_o(a: Block, rows: Which, column: u32) -> Each {{"
    );
    if variant.wide {
        line!(text, "    var sum = Each(0.0);");
        line!(
            text,
            "    for (var slice = 0u; slice < dims.slices; slice++) {{"
        );
        line!(
            text,
            "        sum += block_dots(block_g(rows, column, slice), block_o(rows, column, slice));"
        );
        line!(text, "    }}\n    return sum;\n}}");
    } else {
        line!(
            text,
            "    return block_dots(a, block_o(rows, column, 0u));\n}}"
        );
    }
}
