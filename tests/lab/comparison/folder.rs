//! Comparisons that meet another one in their folder.

use wavetrain::lab::compare::statistics::looks;
use wavetrain::lab::compare::{Store, Variant};

use super::{Laid, compared, constant};

/// Two at once share the runs: each is done by one of them.
#[test]
fn two_in_one_folder_share_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["0.05", "0.1", "0.2"];
    let whole = compared(tempfile::tempdir().unwrap().path(), &rates);
    let one = || compared(folder.path(), &rates);
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(one);
        (one(), other.join().unwrap())
    });
    assert_eq!((&first, &second), (&whole, &whole));
}

#[test]
fn a_folder_of_another_comparison_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!Store::exists(folder.path()));
    let laid = Laid::new(folder.path(), &["0.05", "0.1"], &[24]);
    assert!(Store::exists(folder.path()));
    let variants = |rates: &[&str]| -> Vec<Variant> { rates.iter().map(|r| constant(r)).collect() };
    for (rates, budget) in [(["0.05", "0.2"], 24), (["0.05", "0.1"], 48)] {
        let error = Laid::of(folder.path(), &variants(&rates), &[budget])
            .err()
            .unwrap();
        assert!(error.is_users_mistake());
        assert!(
            error.to_string().contains("holds another comparison"),
            "{error}"
        );
    }
    // The looks are those that were planned first.
    let mut more = laid.plan.clone();
    more.looks = looks::fixed(9);
    assert_eq!(laid.store.begin(more).unwrap(), laid.plan);
    // Another version's.
    let file = folder.path().join("plan.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(env!("CARGO_PKG_VERSION"), "0.0.7")).unwrap();
    let error = laid.store.begin(laid.plan.clone()).unwrap_err();
    assert!(error.to_string().contains("version 0.0.7"), "{error}");
    std::fs::write(&file, "{}").unwrap();
    let error = laid.store.begin(laid.plan.clone()).unwrap_err();
    assert!(
        error.is_users_mistake() && error.to_string().contains("cannot read"),
        "{error}"
    );
}

#[test]
fn records_that_no_run_gives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let laid = Laid::new(folder.path(), &["0.05", "0.1"], &[24]);
    laid.run().unwrap();
    let [one, two] = ["01-01", "01-02"].map(|name| folder.path().join(format!("runs/{name}.json")));
    let whole = std::fs::read_to_string(&one).unwrap();
    let change = |key: &str, value: serde_json::Value| {
        let mut record: serde_json::Value = serde_json::from_str(&whole).unwrap();
        record[key] = value;
        record.to_string()
    };
    for (text, sentence) in [
        ("{".to_owned(), "is no run of a comparison"),
        (
            std::fs::read_to_string(&two).unwrap(),
            "is the run of lr 0.05, 24 steps, seed 2",
        ),
        (change("test", 1.7.into()), "has the accuracy 1.7"),
        (change("test", 0.999.into()), "and its test samples"),
        (
            change("samples", "bits 8 ff".into()),
            "has the scores of 8 test samples; expected 50",
        ),
        (
            change("samples", "bits 9 ff".into()),
            "1 bytes of scores for 9 samples",
        ),
        (
            change("trained", "x".into()),
            "another configuration, of other samples or of another version",
        ),
        (change("seconds", (-1.0).into()), "took -1 seconds"),
        (change("variant", "lr 0.1".into()), "is the run of lr 0.1"),
        (
            change(
                "curve",
                serde_json::json!([{"step": 25, "accuracy": 0.5, "loss": 1.0}]),
            ),
            "at step 25",
        ),
    ] {
        std::fs::write(&one, text).unwrap();
        let error = laid.run().unwrap_err();
        assert!(error.is_users_mistake(), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(sentence) && error.contains("01-01.json"),
            "{error}"
        );
    }
}
