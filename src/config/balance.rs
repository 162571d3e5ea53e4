//! What a person should know about the classes of the samples that are trained on.

use super::Config;
use crate::data::{Dataset, Split};

/// From how many times the samples of the smallest class on the largest one is a matter of a note.
const UNEVEN: u64 = 10;
/// Most classes that a note names.
const MOST_NAMED: usize = 10;

impl Config {
    /// What a person should know about the classes of the samples that this configuration trains on, a
    /// sentence each: classes that none of them belongs to, and classes of very different sizes where
    /// `loss.class_weights` could let them count alike and nobody set it.
    ///
    /// A class without a sample is not named where the source learned its classes from the files and the
    /// training part of these lacks it: such a source says so while it loads.
    #[must_use]
    pub fn data_notes(&self, dataset: &Dataset) -> Vec<String> {
        let split = Split::new(dataset.train.extent(), self.data.validation, self.data.seed);
        let Ok(split) = split else {
            // Refused where it is trained on.
            return Vec::new();
        };
        let counts = dataset.samples_of_classes(&split.train);
        let told = match self.data.source.known().classes {
            [] => {
                let all: Vec<u32> = (0..dataset.train.len() as u32).collect();
                dataset.samples_of_classes(&all)
            }
            // Its classes are fixed, whatever the files hold.
            _ => vec![1; counts.len()],
        };
        let classes = || dataset.classes().iter().zip(&counts);
        let lacking = classes()
            .zip(told)
            .filter(|((_, n), told)| **n == 0 && *told > 0);
        let lacking: Vec<&str> = lacking.map(|((name, _), _)| name.as_str()).collect();
        let there = || classes().filter(|(_, count)| **count > 0);
        // The first of the largest, and the first of the smallest.
        let largest = there().rev().max_by_key(|(_, count)| **count);
        let smallest = there().min_by_key(|(_, count)| **count);
        let uneven = largest.zip(smallest).filter(|((_, most), (_, least))| {
            self.loss.could_weigh_classes() && **most / **least >= UNEVEN
        });
        let uneven = uneven.map(|((large, most), (small, least))| {
            format!(
                "the classes that are trained on differ much in size: {large:?} has {most} samples and \
                 {small:?} {least}; set loss.class_weights = \"balanced\" to let all classes count alike"
            )
        });
        without_samples(&lacking)
            .into_iter()
            .chain(uneven)
            .collect()
    }
}

fn without_samples(names: &[&str]) -> Option<String> {
    let named = names.iter().take(MOST_NAMED);
    let named: Vec<String> = named.map(|name| format!("{name:?}")).collect();
    let more = match names.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| {
        format!(
            "no sample that is trained on belongs to {}{more}, and the network has an output for each class: \
             give every class samples, or hold fewer of them out",
            named.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, Tables};
    use crate::data::Samples;

    /// Samples of one feature: so many of each class, in the order of the classes.
    fn dataset(counts: &[usize]) -> Dataset {
        let labels = |counts: &[usize]| -> Vec<u32> {
            let each = (0..).zip(counts);
            each.flat_map(|(class, count)| std::iter::repeat_n(class, *count))
                .collect()
        };
        let samples = |labels: Vec<u32>| {
            let values = vec![0; labels.len()];
            Samples::from_bytes(&[1], values, labels).unwrap()
        };
        let test = samples(labels(&vec![1; counts.len()]));
        Dataset::new("own", samples(labels(counts)), test, counts.len()).unwrap()
    }

    fn notes(counts: &[usize], set: &[&str]) -> Vec<String> {
        let overrides = Overrides {
            set: set.iter().map(|set| (*set).to_owned()).collect(),
            ..Overrides::default()
        };
        let text = "[schedule]\npolicy = \"constant\"\nlr = 0.1\n";
        let config = Config::read("own", text, &overrides, &Tables::default()).unwrap();
        config.data_notes(&dataset(counts))
    }

    #[test]
    fn classes_of_very_different_sizes_are_named_with_their_counts() {
        let told = notes(&[40, 400, 41, 40], &[]);
        let [note] = &told[..] else {
            panic!("{told:?}")
        };
        assert!(
            note.contains("\"1\" has 400 samples and \"0\" 40;"),
            "{note}"
        );
        assert!(note.contains("loss.class_weights = \"balanced\""), "{note}");
        assert!(notes(&[40, 399, 41, 40], &[]).is_empty());
    }

    #[test]
    fn nothing_is_said_where_weights_are_set_or_cannot_be() {
        for set in [
            "loss.class_weights=balanced",
            "loss.class_weights={ 1 = 0.1 }",
            "loss.kind=mse",
        ] {
            assert!(notes(&[40, 400], &[set]).is_empty(), "{set}");
        }
    }

    #[test]
    fn classes_without_a_sample_are_named() {
        // The glyphs' classes are fixed.
        let told = notes(&[5, 0, 5, 0], &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("belongs to \"1\", \"3\","), "{told:?}");
        let many = notes(&[[5].as_slice(), &[0; 12]].concat(), &[]);
        assert!(many[0].contains("\"10\" and 2 more,"), "{many:?}");
        // A source that learns its classes says itself what its training part lacks.
        let csv = ["data.source=csv", "data.target=y"];
        assert!(notes(&[5, 0, 5, 0], &csv).is_empty());
    }

    #[test]
    fn a_class_that_is_held_out_as_a_whole_is_named() {
        let csv = "data.source=csv";
        let held_out = |seed: usize| {
            let seed = format!("data.seed={seed}");
            let set = [csv, "data.target=y", "data.validation=0.5", &seed];
            notes(&[1, 7], &set)
        };
        let told: Vec<_> = (0..20).map(held_out).collect();
        let named =
            |notes: &&Vec<String>| notes.iter().any(|note| note.contains("belongs to \"0\","));
        let found = told.iter().filter(named).count();
        assert!((1..20).contains(&found), "{told:?}");
    }
}
