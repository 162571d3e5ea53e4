//! In which order the results of a convolution are computed.
//!
//! Results are counted in blocks of samples, within a block position by position, at each position
//! sample by sample. A tile of neighbours in this order needs only the taps that lie within the
//! image for one of its positions: large blocks make tiles of one position, which skip all taps in
//! the padding; but a block's rows that a kernel covers have to stay in a core's cache.

use super::{ConvOp, ConvShape};

/// Bytes of a block's rows under the kernel that stay in a core's cache beside the weights.
const CACHE: u64 = 400_000;

/// Tiles that are looked at to find the mean number of taps.
const SAMPLE: u32 = 512;

/// One axis of a gather: `results` positions, each `taps` wide from `start + step * position` on,
/// in an image of `size`.
#[derive(Clone, Copy)]
struct Axis {
    results: u32,
    step: i64,
    start: i64,
    taps: u32,
    size: u32,
}

impl Axis {
    /// Taps within the image for any position from `first` to `last`.
    fn within(&self, first: u32, last: u32) -> u64 {
        let begin = -(self.start + i64::from(last) * self.step);
        let end = i64::from(self.size) - (self.start + i64::from(first) * self.step);
        (end.min(i64::from(self.taps)) - begin.max(0)).max(0) as u64
    }
}

/// Rows and columns of the gather; in the input gradient of its first phase.
fn axes(op: ConvOp, shape: &ConvShape) -> [Axis; 2] {
    let of = |kernel: u32, stride: u32, padding: u32, input: u32, output: u32| match op {
        ConvOp::InputGradient => {
            let first = padding % stride;
            let taps = (kernel + stride - 1 - first) / stride;
            Axis {
                results: input.div_ceil(stride),
                step: 1,
                start: i64::from(padding / stride + 1) - i64::from(taps),
                taps,
                size: output,
            }
        }
        ConvOp::Forward | ConvOp::WeightGradient => Axis {
            results: output,
            step: i64::from(stride),
            start: -i64::from(padding),
            taps: kernel,
            size: input,
        },
    };
    [
        of(shape.ky, shape.sy, shape.py, shape.h, shape.ho()),
        of(shape.kx, shape.sx, shape.px, shape.w, shape.wo()),
    ]
}

/// Mean taps of a tile of `tile` results with blocks of `block` samples.
fn mean_taps([rows, columns]: [Axis; 2], block: u32, tile: u32) -> f64 {
    let area = rows.results * columns.results;
    let tiles = (u64::from(area) * u64::from(block)).div_ceil(u64::from(tile));
    let tiles = tiles.min(u64::from(SAMPLE)) as u32;
    let mut taps = 0;
    for index in 0..tiles {
        let first = index * tile / block;
        let last = ((index + 1) * tile - 1) / block;
        taps += if last >= area {
            rows.within(0, rows.results - 1) * columns.within(0, columns.results - 1)
        } else {
            let (top, bottom) = (first / columns.results, last / columns.results);
            let across = if top == bottom {
                columns.within(first % columns.results, last % columns.results)
            } else {
                columns.within(0, columns.results - 1)
            };
            rows.within(top, bottom) * across
        };
    }
    taps as f64 / f64::from(tiles.max(1))
}

/// How many samples are side by side: what costs the fewest terms of the sum, counting those of
/// samples that are not there.
pub(super) fn block(op: ConvOp, shape: &ConvShape, tile: u32) -> u32 {
    let axes = axes(op, shape);
    let (width, quads) = match op {
        ConvOp::InputGradient => (shape.wo(), shape.co_quads()),
        ConvOp::Forward | ConvOp::WeightGradient => (shape.w, shape.ci_quads()),
    };
    let covered = 16 * u64::from(axes[0].taps.max(1)) * u64::from(width) * u64::from(quads);
    let largest = (CACHE / covered).clamp(1, u64::from(shape.n)) as u32;
    let mut best = (f64::INFINITY, 1);
    for blocks in shape.n.div_ceil(largest)..=shape.n {
        let block = shape.n.div_ceil(blocks);
        let samples = f64::from(blocks * block) / f64::from(shape.n);
        let cost = samples * mean_taps(axes, block, tile);
        // Smaller blocks reuse more of what the cache holds already.
        if cost <= 1.01 * best.0 {
            best = (cost.min(best.0), block);
        }
    }
    best.1
}
