//! Patterns that name parameters: a position in `model.layers` (`"3"`), a range of them (`"0-5"`, both
//! ends included), or a parameter's name in which `*` stands for anything (`"7.*"`, `"*.bias"`).

use super::Network;
use crate::error::Error;

/// Whether `pattern` names a parameter or state called `name` of the layer at `position`.
pub(super) fn names(pattern: &str, name: &str, position: usize) -> bool {
    let number = |text: &str| text.parse::<usize>().ok();
    match pattern.split_once('-').map(|(a, b)| (number(a), number(b))) {
        Some((Some(first), Some(last))) => (first..=last).contains(&position),
        _ => number(pattern).map_or_else(|| matches(pattern, name), |at| at == position),
    }
}

/// Whether `name` is `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| matches(rest, &name[at..]))
        }),
    }
}

/// Where patterns stand, and what is expected there.
pub(super) struct Place {
    /// The key.
    pub(super) key: &'static str,
    /// What is expected.
    pub(super) expected: &'static str,
}

impl Place {
    /// Refuses a pattern that names no parameter of the network.
    pub(super) fn check<'p>(
        &self,
        network: &Network,
        patterns: impl IntoIterator<Item = &'p String>,
    ) -> Result<(), Error> {
        let named = |pattern: &str| {
            let mut all = network.parameters();
            all.any(|p| names(pattern, &p.name, p.layer))
        };
        match patterns.into_iter().find(|pattern| !named(pattern)) {
            None => Ok(()),
            Some(pattern) => {
                Err(self.refuse_with_names(network, format!("\"{pattern}\" names no parameter")))
            }
        }
    }

    /// What is wrong, with the names that there are.
    pub(super) fn refuse_with_names(&self, network: &Network, found: String) -> Error {
        const SHOWN: usize = 12;
        let names: Vec<&str> = network.parameters().map(|p| p.name.as_str()).collect();
        let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>();
        self.refuse(found, format!("the network has {}", shown.join(", ")))
    }

    /// What is wrong, and what to do.
    pub(super) fn refuse(&self, found: String, help: String) -> Error {
        Error::Argument {
            what: self.key.into(),
            found,
            expected: self.expected.into(),
            help,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_positions_ranges_and_names() {
        assert!(names("3", "3.weight", 3) && !names("3", "13.weight", 13));
        assert!(names("0-5", "5.body.0.weight", 5) && !names("0-5", "6.weight", 6));
        assert!(names("7.*", "7.bias", 7) && !names("7.*", "17.bias", 17));
        assert!(names("*.bias", "3.body.1.bias", 3) && !names("*.bias", "3.weight", 3));
        assert!(names("*", "anything", 0) && names("3.*.w*t", "3.body.0.weight", 3));
        assert!(!names("a-b", "3.weight", 3) && !names("5-3", "4.weight", 4));
    }
}
