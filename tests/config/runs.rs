//! What a configuration leaves to the run: lengths in epochs, and bounds that are `"auto"`.

use wavetrain::config::{Bounds, Config, Overrides, Tables};

const GLYPHS: &str = "[schedule]\npolicy = \"triangular\"\n";

fn read(text: &str) -> Result<Config, String> {
    let overrides = Overrides::default();
    Config::read("run.toml", text, &overrides, &Tables::default())
        .map_err(|error| error.to_string())
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

fn mistake(text: &str) -> String {
    match read(text) {
        Ok(config) => panic!("accepted: {}", config.to_toml()),
        Err(error) => error,
    }
}

#[test]
fn lengths_in_epochs_become_the_steps_of_the_run() {
    let text = format!(
        "{GLYPHS}base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = \"4 epochs\"\n\
         step_size_down = \"0.5 epochs\"\n"
    );
    let config = good(&text);
    // As written until the run is known, and then numbers.
    let written = config.to_toml();
    assert!(written.contains("step_size_up = \"4 epochs\""), "{written}");
    assert_eq!(good(&written).to_toml(), written);
    assert!(config.schedule.policy().is_none() && !config.schedule.wants_bounds());
    let settled = config.settle(20_000, None).unwrap();
    assert_eq!(settled.schedule.at(4 * 157).lr, 0.1);
    assert_eq!(settled.schedule.period(), Some(4 * 157 + 79));
    assert_eq!((settled.steps_per_epoch, settled.total_steps), (157, 157));
    let written = settled.to_toml();
    assert!(
        written.contains("step_size_up = 628\nstep_size_down = 79\n"),
        "{written}"
    );
    let again = good(&written).schedule;
    assert_eq!(again.policy().unwrap().at(628).lr, 0.1);
    // A part that is held out makes epochs shorter.
    let held = good(&format!("{text}[data]\nvalidation = 0.5\n"));
    let held = held.settle(20_000, None).unwrap();
    assert_eq!(held.schedule.at(4 * 79).lr, 0.1);
}

#[test]
fn lengths_in_steps_need_no_run() {
    let text = format!("{GLYPHS}base_lr = 0.01\nmax_lr = 0.1\nstep_size_up = \"500 steps\"\n");
    let schedule = good(&text).schedule;
    assert_eq!(schedule.policy().unwrap().at(500).lr, 0.1);
}

#[test]
fn bounds_are_found_before_anything_trains() {
    let text = format!("{GLYPHS}base_lr = \"auto\"\nmax_lr = \"auto\"\nstep_size_up = 10\n");
    let config = good(&text);
    assert!(config.schedule.wants_bounds() && config.schedule.policy().is_none());
    let refused = config.settle(20_000, None).unwrap_err();
    assert!(refused.is_users_mistake());
    let refused = refused.to_string();
    assert!(
        refused.contains("schedule.base_lr is \"auto\""),
        "{refused}"
    );
    assert!(refused.contains("wavetrain find"), "{refused}");
    for (base_lr, max_lr) in [
        (0.2, 0.1),
        (0.1, 0.1),
        (-1.0, 1.0),
        (0.0, f64::INFINITY),
        (f64::NAN, 1.0),
    ] {
        let refused = config.settle(20_000, Some(&bounds(base_lr, max_lr)));
        assert!(refused.is_err(), "{base_lr}, {max_lr}");
    }
    let found = bounds(0.02, 0.4);
    let settled = config.settle(20_000, Some(&found)).unwrap();
    assert_eq!(settled.bounds, Some(found));
    assert_eq!(
        (settled.schedule.at(0).lr, settled.schedule.at(10).lr),
        (0.02, 0.4)
    );
    let written = settled.to_toml();
    assert!(
        written.contains("base_lr = 0.02\nmax_lr = 0.4\n"),
        "{written}"
    );
    assert!(
        written.contains("# auto: from 0.02 to 0.4, by a range test of 100 steps\n"),
        "{written}"
    );
    let again = good(&written);
    assert_eq!(again.schedule.policy().unwrap().at(10).lr, 0.4);
    // What was written is as it was, and can be settled again.
    assert!(config.to_toml().contains("base_lr = \"auto\""));
    let wider = config.settle(20_000, Some(&bounds(0.0, 1.0))).unwrap();
    assert_eq!(wider.schedule.at(10).lr, 1.0);
}

fn bounds(base_lr: f64, max_lr: f64) -> Bounds {
    Bounds {
        base_lr,
        max_lr,
        intervals: None,
        from: "a range test\nof 100 steps".to_owned(),
    }
}

#[test]
fn a_line_holds_bounds_and_how_well_they_are_known() {
    let plain = Bounds {
        from: "a test, by hand".to_owned(),
        ..bounds(0.0, 0.2)
    };
    let known = Bounds {
        intervals: Some([[0.0, 0.001], [0.15, 0.31]]),
        ..plain.clone()
    };
    for bounds in [plain, known] {
        assert_eq!(Bounds::read(&bounds.describe()), Some(bounds));
    }
    for broken in [
        "auto: from 1 to, by x",
        "auto: from 1 (2 to 3) to 4, by x",
        "",
    ] {
        assert_eq!(Bounds::read(broken), None, "{broken}");
    }
}

#[test]
fn a_configuration_knows_again_where_its_bounds_come_from() {
    let config = good(&format!("{GLYPHS}base_lr = \"auto\"\nmax_lr = \"auto\"\n"));
    let found = Bounds {
        from: "a test".to_owned(),
        ..bounds(0.02, 0.4)
    };
    let settled = config.settle(20_000, Some(&found)).unwrap();
    let again = good(&settled.to_toml_with_bounds());
    assert_eq!(again.bounds.as_ref(), Some(&found));
    assert_eq!(again.settle(20_000, None).unwrap().bounds, Some(found));
    // Other numbers do not come from there.
    let text = settled
        .to_toml_with_bounds()
        .replace("max_lr = 0.4", "max_lr = 0.5");
    assert_eq!(good(&text).settle(20_000, None).unwrap().bounds, None);
}

#[test]
fn one_bound_may_be_a_number() {
    let config = good(&format!("{GLYPHS}base_lr = 0.3\nmax_lr = \"auto\"\n"));
    assert!(config.schedule.wants_bounds());
    let refused = config.settle(20_000, Some(&bounds(0.02, 0.2)));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("schedule.max_lr is 0.2, below base_lr = 0.3"),
        "{refused}"
    );
    // Bounds that nobody wants leave no trace.
    let numbers = good(&format!(
        "{GLYPHS}base_lr = 0.3\nmax_lr = 0.4\nstep_size_up = \"1 epoch\"\n"
    ));
    let settled = numbers.settle(20_000, Some(&bounds(0.02, 0.2))).unwrap();
    assert_eq!(settled.bounds, None);
    assert!(!settled.to_toml().contains("# auto"));
}

/// Refused when the configuration is read, with the place, although no data is known.
#[test]
fn what_is_wrong_in_any_run_is_refused_at_once() {
    let rates = "base_lr = 0.01\nmax_lr = 0.1\n";
    for (more, expected) in [
        (
            "step_size_up = \"4 hours\"",
            "schedule.step_size_up is \"4 hours\"; expected a whole number of steps",
        ),
        (
            "step_size_up = \"-4 epochs\"",
            "schedule.step_size_up is \"-4 epochs\"; expected",
        ),
        (
            "step_size_up = \"0 epochs\"",
            "schedule.step_size_up is 0; expected at least 1 step",
        ),
        (
            "step_size_up = \"1e30 epochs\"",
            "schedule.step_size_up is \"1e30 epochs\"",
        ),
        (
            "base_momentum = \"4 epochs\"",
            "schedule.base_momentum is the string \"4 epochs\"; expected a number",
        ),
        (
            "step_size_up = \"auto\"",
            "schedule.step_size_up is \"auto\", but a range test finds no such",
        ),
    ] {
        for source in ["glyphs", "image_folder"] {
            let text = format!("{GLYPHS}{rates}{more}\n[data]\nsource = \"{source}\"\n");
            let error = mistake(&text);
            assert!(error.contains(expected), "{more}: {error}");
            assert!(error.contains("run.toml:5"), "{more}: {error}");
        }
    }
    let error = mistake("[schedule]\npolicy = \"constant\"\nlr = \"auto\"\n");
    assert!(
        error.contains(
            "schedule.lr is \"auto\", but a range test finds no such bound for policy constant"
        ),
        "{error}"
    );
    assert!(error.contains("`triangular`"), "{error}");
    let swapped = format!("{GLYPHS}base_lr = 0.1\nmax_lr = 0.01\nstep_size_up = \"4 epochs\"\n");
    assert!(mistake(&swapped).contains("are the two swapped?"));
}

/// A policy of the user's own is settled already.
#[test]
fn own_policies_are_not_touched() {
    use wavetrain::schedule::{Closure, Rate};
    let mut config = good("[schedule]\npolicy = \"constant\"\nlr = 0.5\n");
    config.schedule = Closure::new("mine", |_| Rate::new(0.25)).into();
    let settled = config.settle(20_000, None).unwrap();
    assert_eq!(settled.schedule.at(7).lr, 0.25);
}
