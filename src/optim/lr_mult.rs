//! Rates by depth, whatever the optimizer: factors on the learning rate of the parameters that patterns
//! name, as those of `model.freeze` do ([`crate::model::Network::scale_rates`]).
//!
//! They are what param groups with rates of their own are in PyTorch (Howard and Ruder 2018,
//! "Universal Language Model Fine-tuning for Text Classification", call them discriminative).

use super::Invalid;
use crate::args::is_f32;

/// Its key in `[optimizer]`.
pub const KEY: &str = "lr_mult";

/// Refuses what is no factor on a rate.
///
/// # Errors
/// What is wrong with it.
pub fn validate(factor: f64) -> Result<(), Invalid> {
    if factor >= 0.0 && is_f32(factor) {
        return Ok(());
    }
    Err(Invalid {
        key: KEY,
        message: format!("is {factor}; expected a factor on the rate from 0 up, also as an f32"),
    })
}
