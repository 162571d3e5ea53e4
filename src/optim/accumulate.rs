//! The gradient of several batches for one update (`train.accumulate`).
//!
//! The gradients are added in a fixed tree by the batches' places in the update: neighbours, then
//! neighbouring pairs, then pairs of those. A place that no batch fills (at the end of an epoch) is
//! left out. So the sum over any aligned stretch of 2^n places is the same wherever it is added up.
//! The tree is walked as a binary counter counts: the sum of 2^n batches is kept in buffer n until
//! as many have followed, so `batches` of them need [`levels`] buffers besides the gradients.
//!
//! The shader is `shaders/optim/accumulate.wgsl`.

use crate::error::Result;
use crate::kernel::builder::{Call, grid};
use crate::kernel::plan::{Bound, Key};
use crate::kernel::{Builder, shaders};

/// Buffers of sums that an update of `batches` batches needs.
#[must_use]
pub fn levels(batches: usize) -> usize {
    match batches {
        0 | 1 => 0,
        // The last batch is never kept.
        _ => (usize::BITS - (batches - 1).leading_zeros()) as usize,
    }
}

/// What follows the backward pass of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The buffers whose sums are added to the gradients, in this order.
    pub added: Vec<usize>,
    /// The buffer that the sum is kept in; none after the last batch, when the update comes.
    pub kept: Option<usize>,
}

/// What follows batch `place` (from 0) of an update of `batches`.
#[must_use]
pub fn after(place: usize, batches: usize) -> After {
    if place + 1 < batches {
        let level = place.trailing_ones() as usize;
        return After {
            added: (0..level).collect(),
            kept: Some(level),
        };
    }
    let bits = 0..usize::BITS as usize;
    After {
        added: bits.filter(|bit| place >> bit & 1 == 1).collect(),
        kept: None,
    }
}

/// Appends two dispatches for each buffer of sums, the nearest first: one that adds it to the
/// gradients of `floats` parameters (with padding), and one that keeps them in it.
///
/// # Errors
/// If the adapter cannot run it at this size.
pub fn accumulate(b: &mut Builder, gradients: Bound, floats: usize, batches: usize) -> Result<()> {
    let quads = floats / 4;
    let shader = shaders::named("optim/accumulate");
    for level in 0..levels(batches) {
        let key = Key::GradientSum(1 << level);
        let name = key.to_string();
        let sum = b.shared(key, 4 * floats as u64);
        for (entry, binding, traffic) in [("add", "sum", 3), ("keep", "kept", 2)] {
            let call = Call::new(format!("{entry} {name}"), grid(quads, 64)?)
                .place("g", gradients)
                .place(binding, sum)
                .in_place("g")
                .u32("quads", quads)
                .work(format!("{floats}"), traffic * 4 * floats)
                .flops(if entry == "add" { floats } else { 0 });
            b.dispatch(&shader, entry, call);
        }
    }
    Ok(())
}

/// The sum in f64, in the tree's order; used by the proofs only.
#[must_use]
pub fn reference(gradients: &[Vec<f64>]) -> Vec<f64> {
    match gradients {
        [] => Vec::new(),
        [one] => one.clone(),
        _ => {
            let half = gradients.len().next_power_of_two() / 2;
            let (left, right) = gradients.split_at(half);
            let (left, right) = (reference(left), reference(right));
            left.iter().zip(right).map(|(a, b)| a + b).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The walk by the counter, on the words that each sum is written with.
    fn walked(batches: usize) -> String {
        let mut kept = vec![String::new(); levels(batches)];
        let mut g = String::new();
        for place in 0..batches {
            g = place.to_string();
            let after = after(place, batches);
            for level in after.added {
                g = format!("({}+{g})", std::mem::take(&mut kept[level]));
            }
            if let Some(level) = after.kept {
                assert!(kept[level].is_empty(), "{place} of {batches}");
                kept[level] = std::mem::take(&mut g);
            }
        }
        assert!(kept.iter().all(String::is_empty), "{batches}");
        g
    }

    /// The tree by its definition: the sum over the places `first .. first + width` that are filled.
    fn tree(first: usize, width: usize, batches: usize) -> Option<String> {
        if first >= batches {
            return None;
        }
        if width == 1 {
            return Some(first.to_string());
        }
        let half = width / 2;
        let left = tree(first, half, batches)?;
        Some(match tree(first + half, half, batches) {
            Some(right) => format!("({left}+{right})"),
            None => left,
        })
    }

    #[test]
    fn the_walk_is_the_tree_in_few_buffers() {
        assert_eq!(walked(1), "0");
        assert_eq!(walked(3), "((0+1)+2)");
        assert_eq!(walked(7), "(((0+1)+(2+3))+((4+5)+6))");
        assert_eq!([1, 2, 3, 4, 5, 8, 9].map(levels), [0, 1, 2, 2, 3, 3, 4]);
        for batches in 1..100_usize {
            let whole = tree(0, batches.next_power_of_two(), batches).unwrap();
            assert_eq!(walked(batches), whole, "{batches}");
        }
    }

    proptest! {
        #[test]
        fn an_aligned_stretch_is_a_sum_of_its_own(batches in 1_usize..200, level in 0_u32..8) {
            let width = 1_usize << level;
            let whole = walked(batches);
            for first in (0..batches).step_by(width) {
                let part = tree(first, width, batches).unwrap();
                prop_assert!(whole.contains(&part), "{part} in {whole}");
            }
        }
    }
}
