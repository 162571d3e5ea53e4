//! What holds for every cycle, whatever its numbers.

use super::policy;
use proptest::prelude::*;
use wavetrain::schedule::{
    Cycle, CycleAt, Decay, ExpRange, Policy, Rate, Sinusoidal, Triangular, Triangular2,
};

/// Cycles of any size and lopsidedness.
fn cycles() -> impl Strategy<Value = Cycle> {
    let size = prop_oneof![1..10_u64, 1..100_000_u64];
    let momentums = (0.0..0.99_f64, 0.0..0.99_f64);
    (0.0..1.0_f64, 1e-9..10.0_f64, size.clone(), size, momentums).prop_map(
        |(base, swing, up, down, (one, other))| Cycle {
            step_size_down: down,
            cycle_momentum: true,
            base_momentum: one.min(other),
            max_momentum: one.max(other),
            ..Cycle::new(base, base + swing, up)
        },
    )
}

/// Early steps, where decaying policies still move, and steps far away.
fn steps() -> impl Strategy<Value = u64> {
    prop_oneof![0..1000_u64, 0..1_000_000_u64, 0..u64::MAX / 2]
}

proptest! {
    #[test]
    fn bounds_period_and_continuity(cycle in cycles(), t in steps(), gamma in 0.9..=1.0_f64) {
        prop_assert_eq!(cycle.validate(), Ok(()));
        let swing = cycle.max_lr - cycle.base_lr;
        let steepest = swing / cycle.step_size_up.min(cycle.step_size_down) as f64;
        let decay = swing * (1.0 - gamma);
        let amplitude = ExpRange { cycle, gamma, decay: Decay::Amplitude };
        let policies: [(&dyn Policy, f64); 4] = [
            (&Triangular(cycle), steepest),
            (&Triangular2(cycle), steepest),
            (&amplitude, steepest + decay),
            // The slope of (1 - cos) / 2 is pi / 2 where it is steepest.
            (&Sinusoidal(cycle), steepest * std::f64::consts::FRAC_PI_2),
        ];
        for (policy, slope) in policies {
            let (here, next) = (policy.at(t), policy.at(t + 1));
            prop_assert!((cycle.base_lr..=cycle.max_lr).contains(&here.lr));
            let momentum = here.momentum.unwrap();
            prop_assert!((cycle.base_momentum..=cycle.max_momentum).contains(&momentum));
            let rounding = 8.0 * f64::EPSILON * cycle.max_lr;
            prop_assert!((next.lr - here.lr).abs() <= slope + rounding, "{:?} {}", policy, t);
            let opposed = (next.lr - here.lr) * (next.momentum.unwrap() - momentum);
            prop_assert!(opposed <= 0.0 || (next.lr - here.lr).abs() <= rounding);
            prop_assert_eq!(policy.at(t), here);
        }
        let period = cycle.period();
        prop_assert_eq!(Triangular(cycle).at(t), Triangular(cycle).at(t + period));
        prop_assert_eq!(Sinusoidal(cycle).at(t), Sinusoidal(cycle).at(t + period));
        let index = t / period + 1;
        let end = (index + 1).checked_mul(period);
        let next = CycleAt { index, start: index * period, end, period: Some(period) };
        prop_assert_eq!(Triangular(cycle).cycle(t + period), Some(next));
        prop_assert_eq!(CycleAt::every(period, t + period), next);
    }

    /// Just before and after the peak of a very long cycle, where rounding can pass the bound.
    #[test]
    fn no_rounding_passes_the_peak(cycle in cycles(), off in 1..64_u64) {
        let half = 1 << 52;
        let cycle = Cycle { step_size_up: half, step_size_down: half, ..cycle };
        for t in [half - off, half + off] {
            for policy in [&Triangular(cycle) as &dyn Policy, &Sinusoidal(cycle)] {
                let Rate { lr, momentum } = policy.at(t);
                prop_assert!(lr <= cycle.max_lr, "{} above {}", lr, cycle.max_lr);
                let momentum = momentum.unwrap();
                prop_assert!(momentum >= cycle.base_momentum, "{}", momentum);
            }
        }
    }

    #[test]
    fn written_arguments_read_back_to_the_same_bits(cycle in cycles(), gamma in 0.5..=1.0_f64) {
        let first = ExpRange { cycle, gamma, decay: Decay::Both };
        let second = policy("exp_range", &first.arguments().to_string());
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }
}

/// The low points of a policy are found without walking through its steps, in whatever it lies.
#[test]
fn the_next_low_point_is_the_first_step_where_a_whole_cycle_ends() {
    let cycle = |up: u64| {
        format!("policy = \"triangular\", base_lr = 0.1, max_lr = 0.2, step_size_up = {up}")
    };
    let members = [
        format!("{{ {}, steps = 25 }}", cycle(5)),
        format!("{{ {}, steps = 30 }}", cycle(50)),
        "{ policy = \"constant\", lr = 0.1, steps = 7 }".to_owned(),
        format!("{{ {} }}", cycle(3)),
    ];
    let sequence = format!("policies = [{}]", members.join(", "));
    let warm = format!("warmup_steps = 13\nthen = {{ {} }}", cycle(4));
    let grows = "base_lr = 0.1\nmax_lr = 0.2\nstep_size_up = 2\ncycle_mul = 1.5";
    for (name, arguments) in [
        ("sequence", &sequence[..]),
        ("warmup", &warm),
        ("triangular", grows),
        ("cosine_restarts", "lr = 0.1\nt_0 = 10\nt_mult = 2"),
        ("constant", "lr = 0.1"),
    ] {
        let policy = policy(name, arguments);
        let is_low = |step: &u64| {
            policy
                .cycle(step - 1)
                .is_some_and(|cycle| cycle.end == Some(*step))
        };
        for step in 0..150 {
            let walked = (step + 1..400).find(is_low);
            let found = policy.next_low(step).filter(|low| *low < 400);
            assert_eq!(found, walked, "{name} after {step}");
            if let Some(cycle) = policy.cycle(step) {
                assert!(cycle.start <= step && cycle.end.is_some_and(|end| step < end));
                assert_eq!(policy.cycle(cycle.start), Some(cycle), "{name} at {step}");
            }
        }
    }
}
