// What every convolution shares: its sizes and the meaning of its flags.
//
//   y[n][oy][ox][co] = sum over ky, kx, ci of
//                      x[n][oy sy + ky - py][ox sx + kx - px][ci] w[ky][kx][ci][co]
//
// Images lie with their channels last, padded with zeros to whole vec4 ("quads"); a row of an image
// is a row of the buffer, sample after sample. A texture of an image has a layer for each sample
// and a border of zeros, in pixels: *_left and *_top (both 0 where the buffer is read). Row
// (ky kernel_x + kx) 4 ci_quads + ci of w holds the weights of one input channel at one tap.
// Rust twin: `Variant::dims` in src/product/conv/mod.rs.

struct Dims {
    samples: u32,
    ci_quads: u32, // quads of a pixel of x
    h: u32,
    w: u32,
    co: u32, // channels of y
    co_quads: u32,
    ho: u32,
    wo: u32,
    kernel_y: u32,
    kernel_x: u32,
    stride_y: u32,
    stride_x: u32,
    padding_y: u32,
    padding_x: u32,
    ci: u32, // channels of x
    x_row: u32, // length of a row of x (dx, gate) in vec4
    y_row: u32, // of y (dy)
    w_row: u32, // of w (dw)
    x_left: u32,
    x_top: u32,
    y_left: u32,
    y_top: u32,
    block: u32, // samples that are side by side in the order of results
    tiles: u32, // of results, for one workgroup
    parts_n: u32, // weight gradient: the sum is split into parts of the samples ...
    parts_y: u32, // ... by parts of the rows of dy, which lie `part` vec4 apart in dw
    part: u32,
    flags: u32,
}

const BIAS: u32 = 2u; // forward: add bias[co]
const RELU: u32 = 4u; // forward: negative values become 0 (NaN stays)
const GATE: u32 = 8u; // input gradient: zero where gate <= 0
const DB: u32 = 16u; // weight gradient: db[co] = sum of dy

// The four values of quad `quad`, zero in the channels from `count` on: padding stays zero.
fn inside(value: vec4<f32>, quad: u32, count: u32) -> vec4<f32> {
    let channel = 4u * quad + vec4<u32>(0u, 1u, 2u, 3u);
    return select(value, vec4<f32>(0.0), channel >= vec4<u32>(count));
}

@group(0) @binding(0) var<uniform> dims: Dims;
// The uniform's copy in registers: a CPU loads a uniform anew, lane by lane, after each store.
var<private> sizes: Dims;
// An address that is not stored to.
const NOWHERE: u32 = 0xffffffffu;
