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

/// (policy, arguments, what the message must name), each refused by `validate`.
const NO_SCHEDULE: &[(&str, &str, &[&str])] = &[
    ("cosine", "lr = 0.1\nt_max = 0", &["t_max", "is 0"]),
    (
        "cosine",
        "lr = 0.1\nt_max = 5\neta_min = 0.2",
        &["eta_min", "above lr = 0.1"],
    ),
    ("cosine_restarts", "lr = 0.1\nt_0 = 0", &["t_0", "is 0"]),
    (
        "cosine_restarts",
        "lr = 0.1\nt_0 = 5\nt_mult = 0.5",
        &["t_mult", "is 0.5"],
    ),
    (
        "cosine_restarts",
        "lr = 0.1\nt_0 = 5\nt_mult = nan",
        &["t_mult", "NaN"],
    ),
    (
        "cosine_restarts",
        "lr = 0.1\nt_0 = 5\ngamma = 1.5",
        &["gamma", "at most 1"],
    ),
    (
        "linear",
        "lr = 0.1\ntotal_iters = 0",
        &["total_iters", "is 0"],
    ),
    (
        "linear",
        "lr = 0.1\nstart_factor = -1",
        &["start_factor", "below 0"],
    ),
    (
        "linear",
        "lr = 1e30\nend_factor = 1e30",
        &["end_factor", "32-bit"],
    ),
    ("polynomial", "lr = 0.1\npower = 0", &["power", "above 0"]),
    (
        "exponential",
        "lr = 0.1\ngamma = 1.1",
        &["gamma", "at most 1"],
    ),
    ("step", "lr = 0.1\nstep_size = 0", &["step_size", "is 0"]),
    (
        "multi_step",
        "lr = 0.1\nmilestones = [5, 3]",
        &["milestones", "[1] is 3, before 5"],
    ),
    (
        "inverse_sqrt",
        "lr = 0.1\ntimescale = 0",
        &["timescale", "is 0"],
    ),
    ("inv", "lr = 0.1\ngamma = -1", &["gamma", "below 0"]),
    ("wsd", "lr = 0.1\ntotal_steps = 0", &["total_steps", "is 0"]),
    (
        "wsd",
        "lr = 0.1\ntotal_steps = 10\nwarmup_steps = 6\ndecay_steps = 5",
        &["decay_steps", "warmup_steps = 6"],
    ),
    (
        "one_cycle",
        "max_lr = 0.1\ntotal_steps = 2",
        &["total_steps", "at least 3"],
    ),
    (
        "one_cycle",
        "max_lr = 0.1\ntotal_steps = 100\npct_start = 30",
        &["pct_start", "0.3, not 30"],
    ),
    (
        "one_cycle",
        "max_lr = 0.1\ntotal_steps = 10\npct_start = 0.7\nthree_phase = true",
        &["pct_start", "third phase"],
    ),
    (
        "one_cycle",
        "max_lr = 0.1\ntotal_steps = 9\ndiv_factor = 0",
        &["div_factor", "1 or more"],
    ),
    ("piecewise", "points = []", &["points", "is empty"]),
    (
        "piecewise",
        "points = [[5, 0.1], [4, 0.2]]",
        &["points", "[1] is at step 4"],
    ),
    (
        "piecewise",
        "points = [[5, -0.1]]",
        &["points", "[0]", "below 0"],
    ),
    (
        "warmup",
        "warmup_steps = 5\nthen = { policy = \"constant\", lr = -1 }",
        &["then.lr is -1"],
    ),
    ("plateau", "lr = -0.1", &["lr", "below 0"]),
    (
        "plateau",
        "lr = 0.1\nfactor = 1",
        &["factor", "between 0 and 1"],
    ),
    (
        "plateau",
        "lr = 0.1\nfactor = 0",
        &["factor", "between 0 and 1"],
    ),
    (
        "plateau",
        "lr = 0.1\nthreshold = -1",
        &["threshold", "is -1"],
    ),
    (
        "plateau",
        "lr = 0.1\nthreshold = 1",
        &["threshold", "below 1"],
    ),
    ("plateau", "lr = 0.1\neps = -1", &["eps", "is -1"]),
    (
        "plateau",
        "lr = 0.1\nmin_lr = 0.2",
        &["min_lr", "above lr = 0.1"],
    ),
    ("sequence", "policies = []", &["policies", "is empty"]),
    (
        "sequence",
        "policies = [{ policy = \"constant\", lr = 1 }, { policy = \"constant\", lr = 2 }]",
        &["[0] (constant) never ends", "`steps`"],
    ),
    (
        // A sequence that never ends, within one.
        "sequence",
        "policies = [{ policy = \"sequence\", policies = [{ policy = \"constant\", lr = 1 }] }, \
         { policy = \"constant\", lr = 2 }]",
        &["[0] (sequence) never ends"],
    ),
    (
        "sequence",
        "policies = [{ policy = \"constant\", lr = 1, steps = 0 }]",
        &["[0].steps is 0"],
    ),
    (
        "sequence",
        "policies = [{ policy = \"step\", lr = 1, step_size = 0, steps = 4 }]",
        &["[0].step_size is 0"],
    ),
    (
        "sequence",
        "policies = [{ policy = \"constant\", lr = 1, steps = 9223372036854775807 }, \
         { policy = \"constant\", lr = 1, steps = 9223372036854775807 }, \
         { policy = \"constant\", lr = 1, steps = 9223372036854775807 }, \
         { policy = \"constant\", lr = 1 }]",
        &["64-bit"],
    ),
    (
        "triangular",
        "base_lr = 0.1\nmax_lr = 1\ncycle_mul = 0.5",
        &["cycle_mul", "is 0.5"],
    ),
    (
        "triangular",
        "base_lr = 0.1\nmax_lr = 1\ncycle_decay = 0",
        &["cycle_decay", "above 0"],
    ),
];

#[test]
fn what_makes_no_schedule_is_refused_by_every_policy() {
    for (name, arguments, parts) in NO_SCHEDULE {
        let policy = parse(name, arguments).unwrap_or_else(|e| panic!("{arguments}: {e}"));
        let invalid = policy.validate().expect_err(arguments);
        let text = format!("{}{} {}", invalid.key, invalid.message, invalid.message);
        for part in *parts {
            assert!(text.contains(part), "{arguments}: {text} lacks {part}");
        }
        // Asked before it is validated: some answer, never a panic.
        for step in [0, 1, 5, 2000, u64::MAX] {
            let _ = (policy.at(step), policy.cycle(step), policy.next_low(step));
        }
        let _ = (policy.describe(), policy.length(), policy.end());
    }
    for policy in POLICIES {
        let covered = NO_SCHEDULE.iter().any(|(name, ..)| *name == policy.name);
        let before = REFUSED.iter().any(|(name, ..)| *name == policy.name);
        let cyclical = policy.arguments.contains(&"step_size_up");
        assert!(
            covered || before || cyclical,
            "{} refuses nothing",
            policy.name
        );
    }
}

#[test]
fn policies_within_are_refused_where_they_stand() {
    for (name, text, at, words) in [
        (
            "warmup",
            "warmup_steps = 5\nthen = { policy = \"cosin\", lr = 1 }",
            "\"cosin\"",
            "is \"cosin\", which is no policy; expected one of constant, triangular",
        ),
        (
            "warmup",
            "warmup_steps = 5\nthen = { lr = 1 }",
            "{ lr = 1 }",
            "has no `policy`",
        ),
        (
            "sequence",
            "policies = [{ policy = \"constant\", lr = \"high\" }]",
            "\"high\"",
            "expected f64",
        ),
        ("sequence", "policies = 3", "3", "is no array"),
        (
            "sequence",
            "policies = [{ policy = \"constant\", lr = 1, steps = -4 }]",
            "-4",
            "is -4",
        ),
    ] {
        let args = wavetrain::args::Args::parse(text).unwrap();
        let error = (entry(name).parse)(args).unwrap_err();
        assert!(error.message().contains(words), "{text}: {error}");
        assert_eq!(error.span().map(|span| &text[span]), Some(at), "{error}");
    }
    let deep = (0..20).fold(
        "{ policy = \"constant\", lr = 1 }".to_owned(),
        |inner, _| format!("{{ policy = \"warmup\", warmup_steps = 1, then = {inner} }}"),
    );
    let policy = parse("warmup", &format!("warmup_steps = 1\nthen = {deep}")).unwrap();
    let invalid = policy.validate().unwrap_err();
    assert!(invalid.message.contains("nested more than"), "{invalid:?}");
}
