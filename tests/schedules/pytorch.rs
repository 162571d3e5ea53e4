//! The policies that end or decay against PyTorch's schedulers, and what is right where those are
//! not.

use super::policy;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    policy: String,
    arguments: String,
    lr: Vec<f64>,
    momentum: Option<Vec<f64>>,
}

#[test]
fn decaying_policies_are_pytorchs_schedulers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/policies.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for case in &golden.cases {
        let policy = policy(&case.policy, &case.arguments);
        assert!(case.lr.len() >= 12, "{}", case.arguments);
        for (step, lr) in case.lr.iter().enumerate() {
            let found = policy.at(step as u64);
            let what = format!("{} {:?} at {step}", case.policy, case.arguments);
            assert!((found.lr - lr).abs() <= 1e-12, "{what}: {found:?}, {lr}");
            match &case.momentum {
                Some(momentum) => {
                    let off = (found.momentum.unwrap() - momentum[step]).abs();
                    assert!(off <= 1e-12, "{what}: {found:?}");
                }
                None => assert_eq!(found.momentum, None, "{what}"),
            }
        }
    }
    for name in [
        "cosine",
        "cosine_restarts",
        "linear",
        "polynomial",
        "exponential",
        "step",
        "multi_step",
        "one_cycle",
        "sequence",
    ] {
        let covered = golden.cases.iter().any(|case| case.policy == name);
        assert!(covered, "no case for {name}");
    }
}

type Known = (&'static str, &'static str, &'static [(u64, f64)]);

/// Values worked out apart from this program, or printed by the sources that each policy names.
const KNOWN: &[Known] = &[
    (
        "cosine",
        "lr = 0.1\nt_max = 100",
        &[
            (10, 0.097_552_825_8),
            (75, 0.014_644_660_9),
            (99, 2.467_198e-5),
            // PyTorch climbs again: 2.467198e-5 at 101, 0.1 at 200.
            (101, 0.0),
            (200, 0.0),
        ],
    ),
    (
        // Keras' CosineDecayRestarts has the same peaks with m_mul = 0.5.
        "cosine_restarts",
        "lr = 0.1\nt_0 = 10\nt_mult = 2\neta_min = 0.001",
        &[
            (9, 0.003_422_702_44),
            (29, 0.001_609_427_14),
            (30, 0.1),
            (69, 0.001_152_591_98),
            (70, 0.1),
            (79, 0.096_940_471_1),
        ],
    ),
    (
        "cosine_restarts",
        "lr = 0.1\nt_0 = 10\nt_mult = 2\neta_min = 0.01\ngamma = 0.5",
        &[(0, 0.1), (10, 0.05), (20, 0.03), (30, 0.025)],
    ),
    (
        // Restarts that a rounded logarithm misses.
        "cosine_restarts",
        "lr = 0.1\nt_0 = 10\nt_mult = 3",
        &[(1210, 0.1)],
    ),
    (
        // Growth that is not whole: cycles of 10, 15, 22.5 steps end at 10, 25, 47.5.
        "cosine_restarts",
        "lr = 0.1\nt_0 = 10\nt_mult = 1.5",
        &[(10, 0.1), (25, 0.1), (48, 0.1)],
    ),
    (
        "polynomial",
        "lr = 0.1\ntotal_iters = 5\npower = 2",
        &[
            (1, 0.064),
            (2, 0.036),
            (3, 0.016),
            (4, 0.004),
            (5, 0.0),
            (6, 0.0),
        ],
    ),
    (
        "exponential",
        "lr = 0.1\ngamma = 0.95",
        &[(10, 0.059_873_693_9), (100, 0.000_592_052_92)],
    ),
    (
        "inv",
        "lr = 0.01",
        &[
            (100, 0.009_925_650_29),
            (5000, 0.007_377_879_47),
            (10_000, 0.005_946_035_58),
        ],
    ),
    (
        "inverse_sqrt",
        "lr = 0.01\ntimescale = 1000",
        &[
            (1000, 0.007_071_067_81),
            (3000, 0.005),
            (9000, 0.003_162_277_7),
        ],
    ),
    (
        "wsd",
        WSD_LINEAR,
        &[
            (50, 0.05),
            (100, 0.1),
            (800, 0.1),
            (850, 0.075),
            (999, 0.0005),
        ],
    ),
    (
        "wsd",
        "lr = 0.1\ntotal_steps = 1000\nwarmup_steps = 100\ndecay_steps = 200",
        &[(850, 0.085_355_339_1), (999, 6.168_38e-6), (1000, 0.0)],
    ),
    (
        "wsd",
        "lr = 0.1\ntotal_steps = 1000\ndecay_steps = 200\ndecay_type = \"1-sqrt\"",
        &[
            (850, 0.05),
            (900, 0.029_289_321_9),
            (999, 0.000_250_313_284),
        ],
    ),
    (
        "wsd",
        "lr = 0.1\ntotal_steps = 1000\ndecay_steps = 200\ndecay_type = \"square\"",
        &[(850, 0.093_75), (900, 0.075), (999, 0.000_997_5)],
    ),
    (
        // Smith's form: straight up, down, and a tail.
        "piecewise",
        "points = [[0, 0.01], [586, 0.1], [1172, 0.01], [1405, 0.0001]]",
        &[
            (293, 0.055),
            (586, 0.1),
            (879, 0.055),
            (1172, 0.01),
            (5000, 0.0001),
        ],
    ),
    (
        "piecewise",
        "points = [[5, 0.3], [5, 0.1], [10, 0.1]]",
        &[(0, 0.3), (4, 0.3), (5, 0.1), (11, 0.1)],
    ),
    (
        "warmup",
        "warmup_steps = 4\nthen = { policy = \"constant\", lr = 0.1 }",
        &[(0, 0.025), (1, 0.05), (3, 0.1), (4, 0.1), (1_000_000, 0.1)],
    ),
    (
        "triangular",
        "base_lr = 0.1\nmax_lr = 0.3\nstep_size_up = 10\ncycle_mul = 2\ncycle_decay = 0.5",
        // Cycles of 20, 40, 80 steps.
        &[
            (10, 0.3),
            (20, 0.1),
            (40, 0.2),
            (60, 0.1),
            (100, 0.15),
            (140, 0.1),
        ],
    ),
];

const WSD_LINEAR: &str =
    "lr = 0.1\ntotal_steps = 1000\nwarmup_steps = 100\ndecay_steps = 200\ndecay_type = \"linear\"";

#[test]
fn known_values_of_every_decay() {
    for (name, arguments, values) in KNOWN {
        let policy = policy(name, arguments);
        for &(step, expected) in *values {
            let lr = policy.at(step).lr;
            let bound = 1e-10_f64.min(1e-6 * expected.abs()).max(1e-17);
            assert!(
                (lr - expected).abs() <= bound,
                "{name} {arguments:?} at {step}: {lr:e}, expected {expected:e}"
            );
        }
    }
}

#[test]
fn one_cycle_reaches_its_peak_and_its_end_at_every_length() {
    for total in [3_u64, 4, 5, 7, 10, 17, 101, 1563] {
        for pct in [0.1, 0.25, 0.3, 0.5, 0.75, 0.9] {
            for anneal in ["cos", "linear"] {
                let text = format!(
                    "max_lr = 0.1\ntotal_steps = {total}\npct_start = {pct}\n\
                     anneal_strategy = \"{anneal}\""
                );
                let policy = policy("one_cycle", &text);
                let rates: Vec<f64> = (0..total).map(|step| policy.at(step).lr).collect();
                let peaks = rates.iter().filter(|lr| **lr == 0.1).count();
                assert_eq!(peaks, 1, "{text}");
                let min = 0.1 / 25.0 / 1e4;
                assert_eq!(policy.at(0).lr, 0.1 / 25.0, "{text}");
                // PyTorch's rate goes up again, or below 0, after the end.
                for step in [total - 1, total, total + 1, u64::MAX] {
                    assert_eq!(policy.at(step).lr, min, "{text}");
                    assert_eq!(policy.at(step).momentum, Some(0.95), "{text}");
                }
            }
        }
    }
}

#[test]
fn sequences_nest_and_every_member_starts_at_its_own_step_0() {
    let text = "policies = [\n\
        { policy = \"triangular\", base_lr = 0.01, max_lr = 0.1, step_size_up = 5, steps = 20,\n\
          cycle_momentum = true },\n\
        { policy = \"sequence\", policies = [\n\
            { policy = \"constant\", lr = 0.05, steps = 7 },\n\
            { policy = \"warmup\", warmup_steps = 2, then = { policy = \"linear\", lr = 0.04, \
              start_factor = 1, end_factor = 0.5, total_iters = 4 } } ] },\n\
        { policy = \"constant\", lr = 0.001 } ]";
    let policy = policy("sequence", text);
    let at = |step| policy.at(step).lr;
    assert_eq!((at(0), at(5), at(10), at(15)), (0.01, 0.1, 0.01, 0.1));
    assert_eq!((at(20), at(26)), (0.05, 0.05));
    assert_eq!((at(27), at(28), at(29), at(31)), (0.02, 0.04, 0.04, 0.03));
    assert_eq!((at(33), at(u64::MAX)), (0.001, 0.001));
    assert_eq!(policy.at(5).momentum, Some(0.8));
    assert_eq!(policy.at(20).momentum, None);
    assert_eq!(policy.momentum_range(), Some([0.8, 0.9]));
    let cycle = policy.cycle(12).unwrap();
    assert_eq!((cycle.index, cycle.start, cycle.end), (1, 10, Some(20)));
    let starts = policy.members();
    let starts: Vec<_> = starts.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts, [Some(0), Some(20), Some(33)]);
    assert_eq!((policy.length(), policy.period()), (None, None));
}

#[test]
fn lengths_left_out_are_the_runs_or_the_members() {
    use wavetrain::args::{Args, Scope};
    let run = Scope {
        steps_per_epoch: Some(50),
        total_steps: 500,
        bounds: Some([0.01, 0.2]),
    };
    let make = |name: &str, text: &str| {
        let args = Args::parse(text).unwrap().within(run);
        (super::entry(name).parse)(args).unwrap()
    };
    assert_eq!(make("one_cycle", "max_lr = \"auto\"").at(149).lr, 0.2);
    assert_eq!(make("cosine", "lr = 0.1").length(), Some(500));
    let wsd = make("wsd", "lr = 0.1\nwarmup_steps = \"1 epoch\"");
    assert_eq!(
        (wsd.at(25).lr, wsd.at(450).lr, wsd.at(500).lr),
        (0.05, 0.1, 0.0)
    );
    let warm = make(
        "warmup",
        "warmup_steps = \"2 epochs\"\nthen = { policy = \"cosine\", lr = \"auto\" }",
    );
    assert_eq!((warm.at(100).lr, warm.length()), (0.2, Some(500)));
    let parts = make(
        "sequence",
        "policies = [{ policy = \"triangular\", base_lr = \"auto\", max_lr = \"auto\", \
         step_size_up = \"1 epoch\", steps = \"4 epochs\" }, { policy = \"one_cycle\", max_lr = 0.1 }]",
    );
    assert_eq!((parts.at(50).lr, parts.at(199).lr > 0.01), (0.2, true));
    assert_eq!(parts.length(), Some(500));
    assert_eq!(parts.at(200 + 89).lr, 0.1);
}
