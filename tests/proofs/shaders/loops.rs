//! Loops: how many a shader has, from naga's IR, and how often one invocation runs through them.

use naga::{Block, Module, Statement};
use wavetrain::kernel::Word;
use wavetrain::kernel::plan::Dispatch;

fn module(text: &str) -> Module {
    naga::front::wgsl::parse_str(text).unwrap()
}

/// Number of loops in the whole text.
pub(crate) fn count(text: &str) -> usize {
    let module = module(text);
    let functions = module.functions.iter().map(|(_, function)| function);
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    functions.chain(entries).map(|f| in_block(&f.body)).sum()
}

fn in_block(block: &Block) -> usize {
    block
        .iter()
        .map(|statement| match statement {
            Statement::Loop {
                body, continuing, ..
            } => 1 + in_block(body) + in_block(continuing),
            Statement::If { accept, reject, .. } => in_block(accept) + in_block(reject),
            Statement::Block(block) => in_block(block),
            Statement::Switch { cases, .. } => cases.iter().map(|case| in_block(&case.body)).sum(),
            _ => 0,
        })
        .sum()
}

/// Bytes of workgroup memory; wgpu 30 does not check them against the limit.
pub(crate) fn workgroup_memory(text: &str) -> u32 {
    let module = module(text);
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let variables = module.global_variables.iter().map(|(_, variable)| variable);
    let shared = variables.filter(|v| v.space == naga::AddressSpace::WorkGroup);
    shared.map(|v| layouter[v.ty].size).sum()
}

/// Loops that a shader is known to have: those that [`iterations`] counts.
pub(crate) fn stated(name: &str) -> usize {
    match name {
        "bench/multiply_add" => 1,
        // The four lanes of a quad.
        "data/gather_pixels_bytes" | "data/gather_pixels_floats" | "layer/dropout" => 1,
        "data/gather_tokens" | "data/gather_steps_bytes" | "data/gather_steps_floats" => 1,
        // Samples and quads; equal tokens in fours.
        "layer/embedding" => 3,
        // The four lanes of a quad: of features and of pixels; forward and backward.
        "data/augment" | "layer/image_rows" => 2,
        // The same, and of a step of a sequence.
        "layer/flatten" => 3,
        // Samples in fours and alone; the bits of a column, samples.
        "layer/positional_embedding" => 4,
        // Largest value, powers, gradient; idle or ignored rows; the tree of sums.
        "loss/cross_entropy" | "loss/cross_entropy_weighted" => 5,
        // Quads; idle or ignored rows; the tree of sums.
        "loss/mse" | "loss/mse_numbers" | "loss/l1" | "loss/huber" => 3,
        // Pixels, and the sums of the invocations.
        "data/mean_grey" => 2,
        // The parts, for what they are and for their sum.
        "optim/clip_norm" => 2,
        // Rounds over a part, and again where its squares overflow; the sums of the invocations, for
        // the largest and for the sum.
        "optim/gradient_norm" => 4,
        // Rows and columns of a window, forward and in both forms of backward.
        "layer/max_pool2d" | "layer/avg_pool2d" => 6,
        // Rows and columns of a picture.
        "layer/global_avg_pool" => 2,
        // The parts of a sum.
        "layer/conv2d_parts" => 1,
        // Pixels in eights and alone, blocks and their tree, forward and backward; pixels twice.
        "layer/batch_norm2d" => 10,
        // Steps, units of an invocation, what goes into each, and four samples; forward and backward.
        "layer/lstm" | "layer/gru" | "layer/rnn" => 8,
        // Rows, quads in eights and alone, the tree; quads and rows; forward and backward, where quads
        // come alone. The parts and their tree.
        "layer/layer_norm" => 13,
        // Channels, and rows and columns, forward and backward.
        "layer/local_response_norm" => 6,
        // Over k; in `lanes` also over the rows of a tile.
        name if name.starts_with("matmul") => 2,
        _ => 0,
    }
}

/// Most iterations of one invocation of a dispatch, all loops together.
pub(crate) fn iterations(name: &str, dispatch: &Dispatch) -> usize {
    let dim = |field: &str| {
        let found = dispatch.dims.iter().find(|(name, _)| name == field);
        match found {
            Some((_, Word::U32(value))) => *value as usize,
            _ => panic!("{name} has no dims.{field}"),
        }
    };
    let quads = || dim("cols").div_ceil(4);
    // Of a recurrent layer, backwards, where more goes into a unit.
    let steps = |gates: usize| {
        let rounds = dim("quads").div_ceil(64 * dim("parts"));
        (dim("end") - dim("begin")) * (1 + rounds * (5 + gates * dim("quads")))
    };
    match name {
        "bench/multiply_add" => dim("iterations"),
        "data/augment" | "data/gather_pixels_bytes" | "data/gather_pixels_floats" => 4,
        "data/mean_grey" => dim("plane").div_ceil(64) + 64,
        "layer/dropout" | "layer/flatten" | "layer/image_rows" => 4,
        "data/gather_tokens" | "data/gather_steps_bytes" | "data/gather_steps_floats" => 4,
        // src/layer/embedding/rows.rs bounds its own.
        "layer/embedding" => 60_000,
        "layer/positional_embedding" => {
            let samples = dim("rows") / dim("steps");
            (samples / 4 + 3).max(32 + dim("span"))
        }
        "loss/cross_entropy" | "loss/cross_entropy_weighted" => 4 * quads() + 6,
        "loss/mse" | "loss/mse_numbers" | "loss/l1" | "loss/huber" => 2 * quads() + 6,
        "optim/clip_norm" => 2 * dim("parts"),
        "optim/gradient_norm" => 2 * (dim("part_quads").div_ceil(256) + 64),
        "layer/max_pool2d" | "layer/avg_pool2d" => dim("kernel_y") * (1 + dim("kernel_x")),
        "layer/global_avg_pool" => dim("height") * (1 + dim("width")),
        "layer/conv2d_parts" => dim("count"),
        "layer/lstm" => steps(4),
        "layer/gru" => steps(3),
        "layer/rnn" => steps(1),
        // src/layer/batch_norm2d/work.rs bounds its own, with a test.
        "layer/batch_norm2d" => 50_007,
        // So does src/layer/layer_norm/work.rs.
        "layer/layer_norm" => 59_999,
        "layer/local_response_norm" => {
            let size = dim("before") + dim("after") + 1;
            size * (1 + size)
        }
        name if name.contains("_steps_lanes") || name.contains("_back_lanes") => {
            in_lanes(name, &dim)
        }
        name if name.starts_with("conv2d_weight") => {
            let fours = dim("samples").div_ceil(4).div_ceil(dim("parts_n"));
            fours * (1 + dim("ho").div_ceil(dim("parts_y")) * (1 + dim("wo")))
        }
        name if name.starts_with("conv2d") => {
            let quads = dim("ci_quads").max(dim("co_quads"));
            dim("tiles") * (1 + dim("kernel_y") * (1 + dim("kernel_x") * (1 + quads)))
        }
        name if name.starts_with("attention") => {
            let again = if dim("slices") > 1 { dim("slices") } else { 0 };
            dim("steps").next_multiple_of(4) * (3 + 2 * again)
        }
        name if name.starts_with("matmul") => {
            let terms = dim("k_end") - dim("k_begin");
            // Four terms at a time, and at most 32 rows of a tile in fours.
            terms.div_ceil(if name.contains("tiled") { 16 } else { 4 }) + 8
        }
        _ => 0,
    }
}

/// The same of the steps of a recurrent layer in the class `lanes`, whose names end with lanes, samples and
/// columns (`lstm_back_lanes8_16x2`).
fn in_lanes(name: &str, dim: &dyn Fn(&str) -> usize) -> usize {
    let (front, sizes) = name.split_once("lanes").unwrap();
    let sizes: Vec<usize> = sizes
        .split(['_', 'x'])
        .map(|n| n.parse().unwrap())
        .collect();
    let [lanes, rows, columns] = sizes[..] else {
        panic!("{name}");
    };
    let quads = dim("quads");
    let tile = match front.contains("_back_") {
        true => {
            let gates = ["rnn", "", "gru", "lstm"];
            let gates = 1 + gates
                .iter()
                .position(|cell| front.starts_with(&format!("{cell}_")))
                .unwrap();
            quads.div_ceil(lanes * columns) * (1 + gates * quads + rows * (1 + columns))
        }
        false => quads.div_ceil(lanes) * (1 + quads + rows),
    };
    (dim("end") - dim("begin")) * (1 + tile)
}
