//! The policy with state, against PyTorch's ReduceLROnPlateau and its own promises.

use super::policy;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    arguments: String,
    /// One loss for each evaluation.
    losses: Vec<f64>,
    /// The rate after each evaluation.
    lr: Vec<f64>,
}

fn golden() -> Golden {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plateau.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn rates_are_those_of_reduce_lr_on_plateau() {
    let golden = golden();
    assert!(golden.cases.len() >= 7);
    for case in &golden.cases {
        let mut plateau = policy("plateau", &case.arguments);
        let first = plateau.at(0);
        let mut fell = 0;
        let (mut before, mut told) = (first.lr, Vec::new());
        for (i, (loss, lr)) in case.losses.iter().zip(&case.lr).enumerate() {
            let done = 10 * (i as u64 + 1);
            told.push((done, *loss));
            plateau.observe(&told);
            let found = plateau.at(done).lr;
            assert!((found - lr).abs() <= 1e-15, "{} at {i}", case.arguments);
            // What was trained already keeps its rate.
            assert_eq!(plateau.at(done - 1).lr, before);
            fell += u32::from(found < before);
            before = found;
        }
        assert!(fell > 0, "{}: the case shows nothing", case.arguments);
        plateau.observe(&[]);
        assert_eq!(plateau.at(u64::MAX), first);
    }
}

#[test]
fn a_loss_that_is_not_a_number_is_no_better_one() {
    let mut plateau = policy("plateau", "lr = 1.0\npatience = 1");
    plateau.observe(&[(1, 0.5), (2, f64::NAN), (3, f64::INFINITY)]);
    assert_eq!([2, 3].map(|step| plateau.at(step).lr), [1.0, 0.1]);
}

#[test]
fn within_others_it_is_told_of_its_own_steps_only() {
    let within = "{ policy = \"plateau\", lr = 1.0, patience = 0 }";
    let mut warm = policy("warmup", &format!("warmup_steps = 4\nthen = {within}"));
    assert!(warm.reads_evaluations());
    let told = [2, 4, 6, 8].map(|done| (done, 1.0));
    warm.observe(&told);
    // The evaluations at 2 and 4 are of the warm-up; that at 6 is the first and best.
    assert_eq!([3, 7, 8].map(|step| warm.at(step).lr), [1.0, 1.0, 0.1]);
    warm.observe(&[]);
    assert_eq!(warm.at(8).lr, 1.0);

    let constant = "{ policy = \"constant\", lr = 0.5, steps = 4 }";
    let mut row = policy("sequence", &format!("policies = [{constant}, {within}]"));
    row.observe(&told);
    assert_eq!(
        [3, 4, 7, 8].map(|step| row.at(step).lr),
        [0.5, 1.0, 1.0, 0.1]
    );
    assert!(!policy("constant", "lr = 0.5").reads_evaluations());
}
