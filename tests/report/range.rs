//! The page of a range test, from its folder alone.

use wavetrain::lab::find::{self, RangeTest, RangeTestOptions, Sweep, confirm};
use wavetrain::page::{range, write_page};
use wavetrain::report::folder::{ABOUT, FOUND, PAGE, RunFolder};
use wavetrain::report::listing::{self, Listed};

/// Falls about 0.01, turns about 1; `shift` decades further to the left.
fn sweep(seed: u64, shift: f64) -> Sweep {
    let options = RangeTestOptions::default();
    let points = (0..options.steps).map(|i| {
        let lr = options.rate(i);
        let x = lr.log10() + shift;
        let loss = 0.3 + 2.0 / (1.0 + (4.0 * (x + 2.0)).exp()) + (6.0 * x).exp();
        (i, lr, loss)
    });
    Sweep::from_curve(seed, points)
}

fn test() -> RangeTest {
    let sweeps = vec![sweep(1, 0.0), sweep(2, 0.1), sweep(3, -0.1)];
    let options = RangeTestOptions {
        until: Some(1.5),
        ..RangeTestOptions::default()
    };
    let mut test = find::judge(sweeps, &options);
    let multiples = confirm::MULTIPLES.map(|factor| find::Multiple {
        factor,
        base_lr: 0.01 * factor,
        max_lr: 0.1 * factor,
        losses: vec![(factor < 4.0).then_some(1.0 / factor), Some(0.1)],
        regret: None,
    });
    let tried = [(0.5, 1.0), (1.0, 0.4), (2.0, 0.39), (4.0, 0.6)];
    let tried = tried.map(|(factor, loss)| find::Multiple {
        factor,
        base_lr: 0.01,
        max_lr: 0.1 * factor,
        losses: vec![Some(loss); 3],
        regret: None,
    });
    let mut tried = tried.to_vec();
    // Its first seed told enough.
    tried[3].losses.truncate(1);
    test.trials = Some(find::trials::judge(100, 2.0, tried));
    test.confirmation = Some(confirm::judge(100, 2.0, multiples.to_vec()));
    test
}

fn about() -> range::About {
    range::About {
        data: "glyphs <b>".into(),
        test: "a range test".into(),
        adapter: "an adapter".into(),
        schedule: Some("[schedule]\nbase_lr = 0.01".into()),
        steps: Some(120),
    }
}

#[test]
fn a_page_is_written_again_from_its_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(place.path().join("find"), false).unwrap();
    let page = range::write(&folder, &test(), &about(), "seed = 1", Some("seed = 1")).unwrap();
    let first = std::fs::read_to_string(&page).unwrap();
    for words in [
        "glyphs &lt;b&gt;: rates from",
        "95 % interval over seeds",
        "Trial cycles",
        "ends about as low as the best one counts: 2.",
        "What the bounds cost",
        "1 of 2 diverged",
        "wavetrain train ",
        "--format torch",
        "is not reached",
        "a tenth of the rate of the least loss",
    ] {
        assert!(first.contains(words), "{words}: {first}");
    }
    std::fs::remove_file(&page).unwrap();
    assert_eq!(write_page(folder.path()).unwrap(), page);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), first);
    // It is in the table of what is in the folder above.
    let found = listing::list(place.path()).unwrap();
    let [Listed::RangeTest(listed)] = &found.listed[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (listed.base_lr, listed.max_lr),
        (test().base_lr, test().max_lr)
    );
    let text = listing::text(&found.listed);
    assert!(
        text.contains("range test") && text.contains("rates from 0.0"),
        "{text}"
    );
    // What is missing is named.
    std::fs::remove_file(folder.file(ABOUT)).unwrap();
    let why = &listing::list(place.path()).unwrap().left_out[0].1;
    assert!(why.contains(ABOUT), "{why}");
    let refused = write_page(folder.path()).unwrap_err().to_string();
    assert!(refused.contains(ABOUT), "{refused}");
}

#[test]
fn bounds_of_an_earlier_test_do_not_stay() {
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(place.path().join("find"), false).unwrap();
    range::write(&folder, &test(), &about(), "seed = 1", Some("seed = 1")).unwrap();
    assert!(folder.file(FOUND).exists());
    let none = find::judge(Vec::new(), &RangeTestOptions::default());
    let about = range::About {
        schedule: None,
        ..about()
    };
    range::write(&folder, &none, &about, "seed = 1", None).unwrap();
    assert!(!folder.file(FOUND).exists() && folder.file(PAGE).exists());
}

#[test]
fn the_terminal_says_how_well_bounds_are_known() {
    let text = range::text(&test());
    for words in [
        "base_lr   ",
        "(95 %: ",
        "half the rate at which the smoothed loss is least",
        "until     1.5 is not reached: ",
        "trials    triangular cycles of 100 steps up to multiples of what the curves give, 3 seeds",
        "times  base_lr    max_lr     loss     regret   seeds\n",
        "times  base_lr    max_lr     loss     regret\n",
        "4      0.01       0.4        0.6000   13.0 %   1\n",
        "1 of 2 diverged",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}
