//! What the outputs of a network say about the classes of one sample.

use serde::Serialize;

use crate::loss::Loss;

/// A class with its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Likely {
    /// The class.
    pub class: usize,
    /// Its probability, 0 to 1.
    pub probability: f64,
    /// The network's output for it.
    pub output: f32,
}

/// All classes, the most probable first, from the outputs of one sample: what they stand for depends on
/// the loss that they were trained under ([`Loss::probabilities`]).
///
/// # Errors
/// A sentence if an output is not finite.
pub fn likely(outputs: &[f32], loss: &dyn Loss) -> Result<Vec<Likely>, String> {
    if let Some(class) = outputs.iter().position(|output| !output.is_finite()) {
        return Err(format!(
            "the network's output for class {class} is {}",
            outputs[class]
        ));
    }
    let each = loss.probabilities(outputs).into_iter().zip(outputs);
    let each = each
        .enumerate()
        .map(|(class, (probability, output))| Likely {
            class,
            probability,
            output: *output,
        });
    let mut all: Vec<Likely> = each.collect();
    // Stable: of equal outputs the first class comes first, as the loss kernels choose.
    all.sort_by(|a, b| b.output.total_cmp(&a.output));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{CrossEntropy, Mse};

    #[test]
    fn probabilities_are_the_softmax_in_falling_order() {
        let all = likely(&[0.0, 1000.0, 1000.0, -5.0], &CrossEntropy::default()).unwrap();
        let classes: Vec<usize> = all.iter().map(|likely| likely.class).collect();
        assert_eq!(classes, [1, 2, 0, 3]);
        assert_eq!(all[0].probability, 0.5);
        let all = likely(&[1.0, 2.0], &CrossEntropy::default()).unwrap();
        assert!((all[0].probability - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-15);
        assert!(likely(&[f32::NAN, 0.0], &CrossEntropy::default()).is_err());
    }

    #[test]
    fn under_mse_outputs_are_probabilities_already() {
        let all = likely(&[-0.1, 0.75, 1.25], &Mse {}).unwrap();
        let shares: Vec<f64> = all.iter().map(|likely| likely.probability).collect();
        assert_eq!(shares, [1.0, 0.75, 0.0]);
    }
}
