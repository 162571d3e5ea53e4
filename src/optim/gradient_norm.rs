//! The norm of a step's gradient: sqrt(sum of g^2) over all parameters, as
//! `torch.nn.utils.clip_grad_norm_` returns it. Weight decay is not in it.
//!
//! `shaders/optim/gradient_norm.wgsl` adds the squares up in at most [`PARTS`] parts; the host
//! does the rest.
//! Parameters that one binding holds (2 GiB) are at most 8,192 rounds of a workgroup. Squares are
//! f32: parts with gradients from 2^48 on are scaled, so that every norm is found, and gradients
//! below 1e-19 count as 0.

use super::UpdateSite;
use crate::error::Result;
use crate::kernel::builder::{Call, grid};
use crate::kernel::{Builder, shaders};

/// Most sums that a step leaves in its results.
pub const PARTS: usize = 64;
/// Quads of a part at least: a smaller one costs no less.
const LEAST: usize = 1024;

/// 2^160: what a part of large gradients was divided by.
const UP: f64 = f64::from_bits((1023 + 160) << 52);

/// Invocations of a workgroup.
const LANES: usize = 64;

/// Quads of one part: whole rounds of a workgroup.
fn part_quads(quads: usize) -> usize {
    quads.div_ceil(PARTS).max(LEAST).next_multiple_of(4 * LANES)
}

/// Number of sums that the gradients of `floats` parameters (with padding) make.
#[must_use]
pub fn parts(floats: usize) -> usize {
    (floats / 4).div_ceil(part_quads(floats / 4))
}

/// Appends the sums of squares: to the places `first .. first + parts(site.floats)` of the step's
/// results.
///
/// # Errors
/// If the adapter cannot run it at this size.
pub fn gradient_norm(b: &mut Builder, site: &UpdateSite, first: usize) -> Result<()> {
    let (quads, parts) = (site.floats / 4, parts(site.floats));
    let call = Call::new("gradient norm", grid(parts * LANES, LANES)?)
        .place("g", site.gradients)
        .place("results", site.results)
        .u32("quads", quads)
        .u32("part_quads", part_quads(quads))
        .u32("parts", parts)
        .u32("results_first", first)
        .u32("results_stride", site.results_stride)
        .work(format!("{}", site.floats), 4 * site.floats)
        .flops(2 * site.floats);
    b.dispatch(&shaders::named("optim/gradient_norm"), "squares", call);
    Ok(())
}

/// The norm from the parts that a step left; NaN where a gradient is not finite.
#[must_use]
pub fn norm(parts: &[[f32; 2]]) -> f64 {
    let squares: f64 = parts.iter().map(|place| squares(*place)).sum();
    squares.sqrt()
}

/// The sum of squares that a part's place holds; NaN where one of them is not finite.
#[must_use]
pub fn squares([sum, kind]: [f32; 2]) -> f64 {
    if kind < 0.0 {
        f64::NAN
    } else if kind > 0.0 {
        UP * f64::from(sum)
    } else {
        f64::from(sum)
    }
}

/// The parts in f64 from the definition, for `g` with its padding; used by the proofs only.
#[must_use]
pub fn reference(g: &[f64]) -> Vec<f64> {
    let floats = 4 * part_quads(g.len() / 4);
    let part = |p: usize| g.iter().skip(p * floats).take(floats).map(|g| g * g).sum();
    (0..parts(g.len())).map(part).collect()
}
