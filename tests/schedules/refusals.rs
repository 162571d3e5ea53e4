//! Values that make no schedule are refused with the argument's name and a reason.

use super::{entry, parse, policy};
use wavetrain::schedule::{Cycle, POLICIES, Policy, Triangular};

#[test]
fn unknown_arguments_are_refused_by_every_policy() {
    for entry in POLICIES {
        for other in ["max_learning_rate", "mode", "policy"] {
            let text = format!("{}\n{other} = 1", entry.example);
            let error = parse(entry.name, &text).unwrap_err();
            assert!(error.contains(other), "{}: {error}", entry.name);
        }
    }
    let error = parse("triangular", "base_lr = 0.1\nmax_lr = 1\ngamma = 0.9").unwrap_err();
    assert!(error.contains("unknown field `gamma`"), "{error}");
}

/// (policy, argument, value, what the message must name). Each is set on top of a valid
/// base_lr = 0.01, max_lr = 0.1.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("constant", "lr", "-0.1", "below 0"),
    ("constant", "lr", "nan", "not a number"),
    ("constant", "lr", "inf", "infinite"),
    ("constant", "lr", "-inf", "below 0"),
    ("constant", "lr", "1e39", "32-bit"),
    ("*", "base_lr", "-1e-9", "below 0"),
    ("*", "base_lr", "nan", "not a number"),
    ("*", "max_lr", "inf", "infinite"),
    ("*", "max_lr", "-nan", "not a number"),
    ("*", "max_lr", "1e300", "32-bit"),
    ("*", "max_lr", "0.01", "base_lr"),
    ("*", "max_lr", "0.009", "base_lr = 0.01"),
    ("*", "step_size_up", "0", "at least 1"),
    ("*", "step_size_down", "0", "at least 1"),
    (
        "*",
        "step_size_up",
        "9223372036854775807",
        "step_size_down = 9223372036854775807",
    ),
    ("*", "base_momentum", "-0.1", "from 0 to below 1"),
    ("*", "base_momentum", "nan", "from 0 to below 1"),
    ("*", "max_momentum", "1", "from 0 to below 1"),
    ("*", "max_momentum", "0.99999999999", "from 0 to below 1"),
    ("*", "max_momentum", "inf", "from 0 to below 1"),
    ("*", "max_momentum", "0.7", "max_momentum"),
    ("*", "base_momentum", "0.95", "max_momentum"),
    ("exp_range", "gamma", "0", "above 0"),
    ("exp_range", "gamma", "-0.9", "above 0"),
    ("exp_range", "gamma", "1.0000001", "at most 1"),
    ("exp_range", "gamma", "nan", "above 0"),
    ("exp_range", "gamma", "inf", "at most 1"),
];

#[test]
fn values_that_make_no_schedule_are_refused_by_name() {
    for &(name, key, value, named) in REFUSED {
        for entry in POLICIES {
            if entry.name != name && !(name == "*" && entry.arguments.contains(&"base_lr")) {
                continue;
            }
            let mut lines = vec![format!("{key} = {value}")];
            for (other, valid) in [("base_lr", "0.01"), ("max_lr", "0.1")] {
                if other != key && entry.arguments.contains(&other) {
                    lines.push(format!("{other} = {valid}"));
                }
            }
            let policy = parse(entry.name, &lines.join("\n")).unwrap();
            let invalid = policy.validate().expect_err(&lines.join(", "));
            let all = format!("{} {}", invalid.key, invalid.message);
            assert!(all.contains(key) && all.contains(named), "{lines:?}: {all}");
            assert!(invalid.message.starts_with("is "), "{all}");
            // A library user may ask before validating: some answer, never a panic.
            for step in [0, 1, 1999, 2000, u64::MAX] {
                let _ = policy.at(step);
                let _ = policy.cycle(step);
            }
        }
    }
}

#[test]
fn mistyped_arguments_are_refused_when_they_are_read() {
    for (arguments, named) in [
        ("max_lr = 0.1", "missing field `base_lr`"),
        ("base_lr = 0.1", "missing field `max_lr`"),
        ("base_lr = \"0.1\"\nmax_lr = 1", "expected f64"),
        (
            "base_lr = 0.1\nmax_lr = 1\nstep_size_up = -5",
            "is -5; expected a whole number",
        ),
        ("base_lr = 0.1\nmax_lr = 1\nstep_size_down = 2.5", "2.5"),
        (
            "base_lr = 0.1\nmax_lr = 1\ncycle_momentum = 1",
            "expected a boolean",
        ),
    ] {
        for name in ["triangular", "triangular2", "exp_range", "sinusoidal"] {
            let error = parse(name, arguments).unwrap_err();
            assert!(error.contains(named), "{name}: {error}");
        }
    }
    let error = parse("exp_range", "base_lr = 0\nmax_lr = 1\ndecay = \"all\"").unwrap_err();
    assert!(error.contains("`amplitude` or `both`"), "{error}");
    assert!(
        parse("constant", "")
            .unwrap_err()
            .contains("missing field `lr`")
    );
}

#[test]
fn errors_keep_their_place() {
    let text = "base_lr = 0.1\nmax_lr = 1\nstep_size_up = -5";
    let args = wavetrain::args::Args::parse(text).unwrap();
    let error = (entry("sinusoidal").parse)(args).unwrap_err();
    assert_eq!(error.span().map(|span| &text[span]), Some("-5"));
}

#[test]
fn the_widest_values_that_make_a_schedule_are_accepted() {
    policy("constant", "lr = 0");
    policy("constant", "lr = 3e38");
    policy("triangular", "base_lr = 0\nmax_lr = 3e38");
    policy("exp_range", "base_lr = 0\nmax_lr = 1\ngamma = 1e-300");
    let quiet = "base_lr = 0.1\nmax_lr = 1\nbase_momentum = 0\nmax_momentum = 0";
    let policy = policy("triangular", quiet);
    // Momentums without cycle_momentum are allowed and have no effect.
    assert_eq!(
        (policy.momentum_range(), policy.at(5).momentum),
        (None, None)
    );

    let half = i64::MAX as u64 / 2;
    let longest = Triangular(Cycle::new(0.0, 1.0, half));
    assert_eq!(longest.validate(), Ok(()));
    assert_eq!((longest.at(0).lr, longest.at(half).lr), (0.0, 1.0));
    let too_long = Triangular(Cycle::new(0.0, 1.0, u64::MAX));
    assert_eq!(too_long.validate().unwrap_err().key, "step_size_up");
}
