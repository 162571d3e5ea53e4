//! "Did you mean": one small function for every lookup of a name.

pub(super) use crate::args::list;

/// The candidate nearest to `word`, if one is near enough to be meant.
///
/// Near is an edit distance (insertions, deletions, substitutions, neighbours swapped) of at most
/// a third of the word's length, or a beginning of at least three letters; letter case and the
/// difference between `-` and `_` count nothing.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A word longer than any name is not worth a quadratic comparison.
    if word.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word = plain(word);
    let limit = word.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let plain = plain(candidate);
            let distance = strsim::osa_distance(&word, &plain);
            let begins = word.len() >= 3 && plain.starts_with(&word);
            (distance <= limit || begins).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["max_lr", "base_lr", "step_size_up", "cross_entropy", "mse"];
        assert_eq!(nearest("max_rl", names), Some("max_lr"));
        assert_eq!(nearest("MAX-LR", names), Some("max_lr"));
        assert_eq!(nearest("stepsize_up", names), Some("step_size_up"));
        assert_eq!(nearest("cross", names), Some("cross_entropy"));
        assert_eq!(nearest("mes", names), Some("mse"));
        assert_eq!(nearest("gamma", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&"a".repeat(10_000), names), None);
    }
}
