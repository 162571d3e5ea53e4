//! When the test set is read.

use super::fixture::{Setup, data, gpu};
use wavetrain::train::{Event, Flow, Split};

/// The steps after which each part was evaluated.
fn evaluated(of_data: &str, train: &str) -> [Vec<u64>; 2] {
    let setup = Setup {
        data: format!("batch = 10\n{of_data}"),
        train: train.into(),
        ..Setup::default()
    };
    let mut steps = [Vec::new(), Vec::new()];
    let mut watch = |event: &Event<'_>| {
        if let Event::Evaluated(evaluation) = event {
            steps[usize::from(evaluation.split == Split::Test)].push(evaluation.step);
        }
        Ok(Flow::Continue)
    };
    let summary = setup
        .trainer(gpu(), data(100, 10))
        .run(&mut [&mut watch])
        .unwrap();
    let last = summary
        .evaluations
        .iter()
        .find(|e| e.split == Split::Test)
        .unwrap();
    assert_eq!(last.step, summary.steps);
    steps
}

#[test]
fn with_a_validation_set_the_test_set_is_read_at_the_end_or_where_that_is_asked_for() {
    let train = "steps = 20\neval_every = 6";
    assert_eq!(
        evaluated("validation = 0.2", train),
        [vec![6, 12, 18, 20], vec![20]]
    );
    let often = format!("{train}\ntest_every = 4");
    assert_eq!(
        evaluated("validation = 0.2", &often),
        [vec![6, 12, 18, 20], vec![4, 8, 12, 16, 20]]
    );
    assert_eq!(evaluated("", train), [vec![], vec![6, 12, 18, 20]]);
    assert_eq!(evaluated("", &often), [vec![], vec![6, 12, 18, 20]]);
}
