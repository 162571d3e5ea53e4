//! Attention, fused: scores, their softmax and the sum of the values in one kernel, the gradients in
//! two, without a matrix of scores in memory (Dao et al., arXiv 2205.14135).
//!
//! A kernel holds rows of a head in registers, so its text depends on the size of a head; everything
//! else travels in the uniform. Heads of more than 8 vec4s are taken in slices: longer
//! texts take a software driver seconds to compile.

mod plan;
mod text;

pub use plan::{Attention, shader};

use crate::gpu::ClassName;
use crate::kernel::builder::MAX_ITERATIONS;

/// Rows that an invocation holds.
const ROWS: u32 = 2;
/// vec4s of a head that an invocation holds; and of heads that begin at no multiple of four numbers, which
/// are loaded number by number.
const SLICES: [usize; 2] = [8, 2];

/// Which kernel of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The output, and the logarithm of each row's sum.
    Forward,
    /// The gradients by the queries.
    Query,
    /// The gradients by keys and values.
    Key,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Forward, Self::Query, Self::Key];

    /// `forward`, `query` or `key`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Query => "query",
            Self::Key => "key",
        }
    }
}

/// One kernel of attention: everything its text depends on, so equal variants share a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variant {
    /// Which of the three.
    pub part: Part,
    /// How rows that all invocations look at are loaded.
    pub class: ClassName,
    /// Invocations of a workgroup: the adapter's subgroup size, or 32 (tiled).
    pub lanes: u32,
    /// vec4s of a slice of a head.
    pub quads: u32,
    /// Whether heads begin at multiples of four numbers.
    pub aligned: bool,
    /// Whether a head has several slices.
    pub wide: bool,
    /// Whether weights drop.
    pub drops: bool,
}

impl Variant {
    /// The kernel for heads of `head` numbers.
    #[must_use]
    pub fn new(part: Part, (class, lanes): (ClassName, u32), head: usize, drops: bool) -> Self {
        let quads = head.div_ceil(4);
        Self {
            part,
            class,
            lanes: match class {
                ClassName::Tiled => 32,
                _ => lanes,
            },
            quads: quads.min(slice(head)) as u32,
            aligned: head.is_multiple_of(4),
            wide: quads > slice(head),
            drops,
        }
    }

    /// A name that no other variant has, such as `attention_key_lanes8_8`: part, class and lanes,
    /// vec4s of a slice, and letters for what is unusual.
    #[must_use]
    pub fn name(&self) -> String {
        let class = match self.class {
            ClassName::Lanes => "lanes",
            ClassName::LanesPlain => "plain",
            ClassName::Tiled => "tiled",
        };
        let letter = |is: bool, letter: &'static str| if is { letter } else { "" };
        format!(
            "attention_{}_{class}{}_{}{}{}{}",
            self.part.name(),
            self.lanes,
            self.quads,
            letter(!self.aligned, "u"),
            letter(self.wide, "w"),
            letter(self.drops, "d"),
        )
    }

    /// The whole WGSL text, but for the snippets that dropout needs.
    #[must_use]
    pub fn source(&self) -> String {
        text::source(self)
    }

    /// The text's file whose end is the end of [`Variant::source`].
    #[must_use]
    pub fn file(&self) -> &'static str {
        match self.part {
            Part::Forward => "shaders/product/attention_forward.wgsl",
            Part::Query => "shaders/product/attention_query.wgsl",
            Part::Key => "shaders/product/attention_key.wgsl",
        }
    }

    /// Rows of a workgroup.
    #[must_use]
    pub fn tile(&self) -> usize {
        (ROWS * self.lanes) as usize
    }
}

/// vec4s of a slice of a head.
fn slice(head: usize) -> usize {
    SLICES[usize::from(!head.is_multiple_of(4))]
}

/// Slices of a head.
fn slices(head: usize) -> usize {
    head.div_ceil(4 * slice(head)).max(1)
}

/// Iterations of an invocation for each step, at most: each reads the slices of a head anew, where it
/// has several.
fn iterations(head: usize) -> usize {
    match slices(head) {
        1 => 3,
        slices => 3 + 2 * slices,
    }
}

/// The most steps of a sequence that attention with heads of `head` numbers takes: an invocation goes
/// through all of them.
#[must_use]
pub fn most_steps(head: usize) -> usize {
    let most = MAX_ITERATIONS as usize - 8;
    most / iterations(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn variants() -> Vec<Variant> {
        let mut all = Vec::new();
        for part in Part::ALL {
            for class in ClassName::ALL {
                for lanes in [4, 8, 16, 32] {
                    for head in [1, 4, 5, 30, 32, 64, 66, 80, 128] {
                        for drops in [false, true] {
                            all.push(Variant::new(part, (class, lanes), head, drops));
                        }
                    }
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn every_variant_is_valid_wgsl_and_has_a_name_of_its_own() {
        let all = variants();
        let names: BTreeSet<String> = all.iter().map(Variant::name).collect();
        assert_eq!(names.len(), all.len());
        for variant in all {
            let reflection = plan::shader(&variant).compose().reflect();
            let reflection = reflection.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                reflection.entries["main"].workgroup_size,
                [variant.lanes, 1, 1]
            );
        }
    }

    #[test]
    fn the_iterations_that_a_driver_counts_are_not_reached() {
        for head in [1, 32, 64, 65, 128, 1024, 4096] {
            let (steps, slices) = (most_steps(head), slices(head));
            let again = |products: usize| if slices > 1 { products * slices } else { 0 };
            let forward = steps.div_ceil(4) * 9 + steps * again(1);
            let query = steps * (1 + again(2)) + again(1);
            let key = steps.div_ceil(4) * 5 + steps * again(2);
            let most = MAX_ITERATIONS as usize;
            assert!(forward.max(query).max(key) <= most, "{head}: {steps}");
            assert!(steps >= 100, "{head}: {steps}");
        }
    }
}
