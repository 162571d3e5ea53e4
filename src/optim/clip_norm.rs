//! Clipping by norm: between the gradient's norm and the update, for every optimizer.
//!
//! As `torch.nn.utils.clip_grad_norm_`: where the norm of all gradients together is larger than
//! `clip_norm`, they are multiplied by `clip_norm / (norm + 1e-6)`. The formulas stand in
//! `shaders/optim/clip_norm.wgsl`; the step's results keep the norm and the factor.

use super::{Invalid, UpdateSite, gradient_norm};
use crate::error::Result;
use crate::kernel::builder::{Call, grid};
use crate::kernel::{Builder, shaders};

/// Its key in `[optimizer]`.
pub const KEY: &str = "clip_norm";

/// Refuses a norm that nothing can be clipped to.
///
/// # Errors
/// What is wrong with it.
pub fn validate(clip_norm: f64) -> Result<(), Invalid> {
    let single = clip_norm as f32;
    if single.is_normal() && single > 0.0 {
        return Ok(());
    }
    Err(Invalid {
        key: KEY,
        message: format!(
            "is {clip_norm}; expected a norm above 0 that an f32 holds, such as 1.0, or \"none\""
        ),
    })
}

/// Appends the clipping of the gradients: `parts` is the first place of the sums that
/// [`gradient_norm::gradient_norm`] leaves in the step's results, `place` the one that gets the norm
/// and the factor.
///
/// # Errors
/// If the adapter cannot run it at this size.
pub fn clip_norm(
    b: &mut Builder,
    site: &UpdateSite,
    clip_norm: f64,
    parts: usize,
    place: usize,
) -> Result<()> {
    let quads = site.floats / 4;
    let shader = shaders::named("optim/clip_norm");
    let call = |label: &str, grid| {
        Call::new(label, grid)
            .place("results", site.results)
            .u32("quads", quads)
            .u32("parts", gradient_norm::parts(site.floats))
            .u32("results_first", parts)
            .u32("place", place)
            .u32("results_stride", site.results_stride)
            .f32("clip_norm", clip_norm)
    };
    let sums = gradient_norm::parts(site.floats);
    let factor = call("clip norm: factor", [1, 1, 1])
        .in_place("results")
        .work(format!("{sums}"), 8 * (sums + 1))
        .flops(sums);
    b.dispatch(&shader, "factor", factor);
    let scale = call("clip norm: scale", grid(quads, 64)?)
        .in_place("g")
        .place("g", site.gradients)
        .work(format!("{}", site.floats), 2 * 4 * site.floats)
        .flops(site.floats);
    b.dispatch(&shader, "scale", scale);
    Ok(())
}

/// The factor that a step's results hold, of clipping to `clip_norm`; NaN where the norm is not
/// finite.
#[must_use]
pub fn factor(place: [f32; 2], clip_norm: f64) -> f64 {
    match place {
        [_, factor] if factor < 0.0 => f64::NAN,
        // A driver may have taken it for 0.
        [norm, factor] if factor < f32::MIN_POSITIVE => reference(f64::from(norm), clip_norm),
        [_, factor] => f64::from(factor),
    }
}

/// The factor for gradients of this norm in f64 from the definition; used by the proofs only.
#[must_use]
pub fn reference(norm: f64, clip_norm: f64) -> f64 {
    (clip_norm / (norm + 1e-6)).min(1.0)
}
