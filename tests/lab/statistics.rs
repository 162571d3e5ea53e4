//! The statistics of comparisons: values from SciPy, and thousands of simulated comparisons whose truth is
//! known.

use serde_json::Value;
use wavetrain::data::Judge;
use wavetrain::lab::compare::statistics::looks::{self, ERROR, LOOKS, PlannedLook};
use wavetrain::lab::compare::statistics::verdict::{ContrastVerdict, Diverged, Judgement};
use wavetrain::lab::compare::statistics::{
    Contrast, Differences, Divergence, Interval, Needed, Reached, Saved,
};
use wavetrain::lab::compare::{
    Along, ComparisonPlan, Outcomes, Planned, Point, Record, Scores, Settings, Wishes,
};
use wavetrain::lab::student::quantile;

// ------------------------------------------------------------------------------- values from SciPy

fn golden() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/statistics.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn numbers(row: &Value) -> Vec<f64> {
    let row = row.as_array().unwrap();
    row.iter().map(|number| number.as_f64().unwrap()).collect()
}

fn near(found: f64, wanted: f64, what: &str) {
    let apart = (found - wanted).abs();
    assert!(
        apart <= 1e-9 * (1.0 + wanted.abs()),
        "{what}: {found}, SciPy {wanted}"
    );
}

#[test]
fn quantiles_are_students() {
    for row in golden()["quantiles"].as_array().unwrap() {
        let [share, freedom, wanted] = numbers(row)[..] else {
            panic!()
        };
        near(
            quantile(share, freedom),
            wanted,
            &format!("t({share}, {freedom})"),
        );
    }
    for (share, freedom) in [(1.5, 3.0), (f64::NAN, 3.0), (0.9, 0.0), (0.9, f64::NAN)] {
        assert_eq!(quantile(share, freedom), f64::INFINITY);
    }
}

#[test]
fn intervals_of_diverged_runs_are_exact() {
    for row in golden()["exact"].as_array().unwrap() {
        let [k, n, low, high] = numbers(row)[..] else {
            panic!()
        };
        let found = Divergence::of(k as u64, n as u64, 0.05);
        near(found.share[0], low, &format!("{k} of {n}"));
        near(found.share[1], high, &format!("{k} of {n}"));
    }
}

/// The bits of the script.
fn bits(seeds: usize, samples: usize, which: usize) -> Vec<Vec<f32>> {
    let bit = |s: usize, i: usize| {
        let mixed = s * s * (7 + which) + i * i * 13 + s * i * (5 + 2 * which) + 31 * which;
        f32::from(u8::from(mixed % 97 >= 9 + 3 * which))
    };
    let seed = |s: usize| (0..samples).map(|i| bit(s, i)).collect();
    (0..seeds).map(seed).collect()
}

#[test]
fn contrasts_add_both_sources_of_chance() {
    for case in golden()["contrasts"].as_array().unwrap() {
        let [seeds, samples] = ["seeds", "samples"].map(|key| case[key].as_u64().unwrap() as usize);
        let (variant, baseline) = (bits(seeds, samples, 1), bits(seeds, samples, 0));
        let pairs = variant.iter().zip(&baseline);
        let pairs: Vec<(&[f32], &[f32])> = pairs.map(|(a, b)| (&a[..], &b[..])).collect();
        let contrast = Contrast::of(&Differences::of(&pairs), 1.0, 0.0);
        let what = format!("{seeds} seeds, {samples} samples");
        let wanted = |key: &str| case[key].as_f64().unwrap();
        near(contrast.gain, wanted("gain"), &what);
        near(contrast.error, wanted("error"), &what);
        near(contrast.freedom, wanted("freedom"), &what);
        near(contrast.rest, wanted("rest"), &what);
        let interval = numbers(&case["interval"]);
        near(contrast.interval(0.05)[0], interval[0], &what);
        near(contrast.interval(0.05)[1], interval[1], &what);
        // Less is better: the same with the sign turned.
        let turned = Contrast::of(&Differences::of(&pairs), -1.0, 0.0);
        assert_eq!(
            (turned.gain, turned.error),
            (-contrast.gain, contrast.error)
        );
    }
}

/// Values of Student's t from a table (two-sided 95 %): 2 to 4 degrees of freedom.
#[test]
fn intervals_are_students() {
    let interval = Interval::of(&[1.0, 2.0, 3.0], 0.05);
    assert_eq!(interval.mean, 2.0);
    assert!((interval.half.unwrap() - 4.302_653 / 3_f64.sqrt()).abs() < 1e-5);
    let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.05);
    let deviation = 2.5_f64.sqrt();
    assert!((interval.half.unwrap() - 2.776_445 * deviation / 5_f64.sqrt()).abs() < 1e-5);
    assert_eq!(Interval::of(&[0.7], 0.05).half, None);
}

// ------------------------------------------------------------------------------------- simulations

/// SplitMix64 (Steele, Lea, Flood 2014): fast, and good enough for simulations.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from a standard normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }
}

/// Comparisons of each simulation.
const RUNS: u64 = 2000;

/// What a made-up comparison is like.
#[derive(Clone)]
struct World {
    variants: usize,
    seeds: u64,
    samples: usize,
    judge: Judge,
    looks: Vec<PlannedLook>,
    /// By how much the variants after the baseline are better.
    effects: Vec<f64>,
    /// How far a seed moves each variant by itself.
    scatter: Vec<f64>,
    /// How far a variant moves each sample by itself.
    over_samples: f64,
    /// The chance that a run of the last variant diverges.
    diverges: f64,
}

impl World {
    fn new(variants: usize, seeds: u64) -> Self {
        Self {
            variants,
            seeds,
            samples: 150,
            judge: Judge::Accuracy,
            looks: looks::fixed(seeds),
            effects: vec![0.0; variants],
            scatter: vec![0.01; variants],
            over_samples: 0.05,
            diverges: 0.0,
        }
    }

    fn plan(&self) -> ComparisonPlan {
        let wishes = Wishes {
            target: None,
            // Two test samples, for an accuracy.
            margin: (self.judge == Judge::Loss).then_some(3.0),
        };
        let judged = (self.judge, self.samples, 10);
        let settings = Settings::new(vec![100], &wishes, judged).unwrap();
        let planned = |i: usize| Planned {
            data: String::new(),
            name: format!("variant {i}"),
            steps: 100,
            takes: String::new(),
            same_as: None,
            config: String::new(),
        };
        ComparisonPlan {
            version: String::new(),
            settings,
            looks: self.looks.clone(),
            along: Along {
                samples: 1,
                every: vec![100],
            },
            arms: (0..self.variants).map(planned).collect(),
        }
    }

    /// The runs of a comparison; seeds and test samples are drawn anew for each.
    fn records(&self, number: u64) -> Vec<Record> {
        let mut random = Random(number.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let hard: Vec<f64> = (0..self.samples).map(|_| random.normal()).collect();
        let common: Vec<f64> = (0..self.seeds).map(|_| random.normal()).collect();
        let mut records = Vec::new();
        for variant in 0..self.variants {
            let own: Vec<f64> = (0..self.samples).map(|_| random.normal()).collect();
            for (seed, common) in (0..self.seeds).zip(&common) {
                let shift = self.effects[variant] + self.scatter[variant] * random.normal();
                let diverged = variant + 1 == self.variants && random.share() < self.diverges;
                let score = |(hard, own): (&f64, &f64)| match self.judge {
                    Judge::Accuracy => {
                        let right =
                            0.85 + 0.05 * hard + self.over_samples * own + 0.02 * common + shift;
                        f32::from(u8::from(random.share() < right))
                    }
                    // Less is better.
                    Judge::Loss => {
                        (10.0 + hard + self.over_samples * own + 0.5 * common - shift) as f32
                    }
                };
                let scores: Vec<f32> = hard.iter().zip(&own).map(score).collect();
                records.push(record(variant, seed, scores, diverged));
            }
        }
        records
    }

    /// The verdicts of a simulated comparison, for each look and each variant after the baseline.
    fn verdicts(&self, number: u64) -> Vec<Vec<ContrastVerdict>> {
        let (plan, records) = (self.plan(), self.records(number));
        let at = |look: &PlannedLook| {
            let records = records
                .iter()
                .filter(|record| record.seed_number < look.seeds);
            let records: Vec<Record> = records.cloned().collect();
            let outcomes = Outcomes::of(&plan, &records);
            let judged = outcomes.arms.iter().filter_map(|arm| arm.against.as_ref());
            judged
                .map(|against| against.judgement.unwrap().verdict)
                .collect()
        };
        self.looks.iter().map(at).collect()
    }

    /// The share of comparisons in which one of the verdicts, of a variant by its position, is so.
    fn share(&self, from: u64, so: &dyn Fn(usize, ContrastVerdict) -> bool) -> f64 {
        let some = (from..from + RUNS).filter(|number| {
            let verdicts = self.verdicts(*number);
            let mut all = verdicts.iter().flat_map(|look| look.iter().enumerate());
            all.any(|(variant, verdict)| so(variant + 1, *verdict))
        });
        some.count() as f64 / RUNS as f64
    }
}

fn record(variant: usize, seed: u64, scores: Vec<f32>, diverged: bool) -> Record {
    let samples = Scores::new(if diverged { Vec::new() } else { scores });
    let test = if diverged { 0.1 } else { samples.mean() };
    Record {
        variant: format!("variant {variant}"),
        steps: 100,
        seed_number: seed,
        trained: String::new(),
        curve: vec![Point {
            step: 100,
            accuracy: 0.5,
            loss: 1.0,
        }],
        test,
        samples,
        diverged: diverged.then_some(7),
        host: String::new(),
        adapter: String::new(),
        seconds: 2.0,
        evaluating: 0.2,
    }
}

/// Whether a claim is made of a difference that is not there.
fn false_where_equal(_: usize, verdict: ContrastVerdict) -> bool {
    use ContrastVerdict::{Better, BetterByMore, Worse};
    matches!(verdict, Better | BetterByMore | Worse)
}

/// The most that is accepted of 5 %: 2,000 comparisons know it to half a percent.
const MOST: f64 = 0.058;

#[test]
fn nothing_is_made_up() {
    for (variants, seeds) in [(2, 3), (2, 5), (5, 3), (5, 8)] {
        let found = World::new(variants, seeds).share(1, &false_where_equal);
        assert!(found <= MOST, "{variants} variants, {seeds} seeds: {found}");
    }
    let losses = World {
        judge: Judge::Loss,
        scatter: vec![0.2; 3],
        over_samples: 1.0,
        ..World::new(3, 5)
    };
    let found = losses.share(1, &false_where_equal);
    assert!(found <= MOST, "losses: {found}");
    // Few seeds that matter more than the samples, and a small share of the error for each contrast: where
    // Satterthwaite's degrees of freedom alone make up three times as much.
    for (variants, seeds, scatter) in [(2, 2, 0.5), (5, 3, 0.3), (5, 3, 0.1), (5, 5, 0.3)] {
        let world = World {
            scatter: vec![scatter; variants],
            ..World {
                variants,
                seeds,
                looks: looks::fixed(seeds),
                effects: vec![0.0; variants],
                ..losses.clone()
            }
        };
        let found = world.share(1, &false_where_equal);
        assert!(
            found <= MOST,
            "{variants} variants, {seeds} seeds, scatter {scatter}: {found}"
        );
    }
}

#[test]
fn nothing_is_made_up_in_all_five_looks() {
    let world = World {
        looks: looks::planned(None),
        samples: 80,
        ..World::new(4, 20)
    };
    let found = world.share(1, &false_where_equal);
    assert!(found <= MOST, "{found}");
    let losses = World {
        judge: Judge::Loss,
        scatter: vec![0.2; 4],
        over_samples: 0.6,
        ..world.clone()
    };
    let found = losses.share(1, &false_where_equal);
    assert!(found <= MOST, "losses: {found}");
    let spent: f64 = world.looks.iter().map(|look| look.error).sum();
    assert!((spent - ERROR).abs() < 1e-12);
    assert_eq!(LOOKS.map(|(seeds, _)| seeds), [3, 5, 8, 12, 20]);
}

/// Equivalence is part of what is claimed: of variants that differ by the margin, none is as good, and
/// none better by more than it.
#[test]
fn the_margin_is_not_made_up_either() {
    let mut world = World {
        judge: Judge::Loss,
        scatter: vec![0.1; 3],
        over_samples: 0.4,
        ..World::new(3, 8)
    };
    // 3 % of the baseline's loss of 10.
    world.effects = vec![0.0, 0.3, -0.3];
    let found = world.share(1, &|variant, verdict| match variant {
        1 => !matches!(verdict, ContrastVerdict::Better | ContrastVerdict::NotShown),
        _ => !matches!(verdict, ContrastVerdict::Worse | ContrastVerdict::NotShown),
    });
    // The margin is 3 % of a mean that is itself known to a percent.
    assert!(found <= MOST, "{found}");
}

#[test]
fn the_power_of_a_fixed_look_is_the_noncentral_ts() {
    for case in golden()["powers"].as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let (seeds, samples) = (number("seeds") as usize, number("samples") as usize);
        let found = (0..RUNS).filter(|run| {
            let mut random = Random(run.wrapping_mul(77) + seeds as u64);
            let own: Vec<f64> = (0..samples)
                .map(|_| number("of_samples") * random.normal())
                .collect();
            let scores: Vec<Vec<f32>> = (0..seeds)
                .map(|_| {
                    let shift = number("effect") + number("of_seeds") * random.normal();
                    own.iter().map(|own| (shift + own) as f32).collect()
                })
                .collect();
            let baseline = vec![0.0_f32; samples];
            let pairs: Vec<(&[f32], &[f32])> = scores
                .iter()
                .map(|scores| (&scores[..], &baseline[..]))
                .collect();
            let contrast = Contrast::of(&Differences::of(&pairs), 1.0, 0.0);
            let judged = Judgement::of(contrast, (0.3, 0.0), ERROR, Diverged::default());
            judged.interval[0] > 0.0
        });
        let found = found.count() as f64 / RUNS as f64;
        let wanted = number("power");
        assert!(
            (found - wanted).abs() <= 0.03,
            "{case}: {found}, noncentral t {wanted}"
        );
    }
}

#[test]
fn a_baseline_that_scatters_spoils_nothing() {
    let mut world = World::new(4, 5);
    world.scatter = vec![0.06, 0.02, 0.02, 0.02];
    let found = world.share(1, &false_where_equal);
    assert!(found <= MOST, "{found}");
    // A variant that scatters does not hide what is true of another one.
    let mut calm = World::new(3, 5);
    calm.effects = vec![0.0, 0.1, 0.0];
    let mut wild = calm.clone();
    wild.scatter = vec![0.01, 0.01, 0.06];
    let better = |variant: usize, verdict: ContrastVerdict| {
        variant == 1
            && matches!(
                verdict,
                ContrastVerdict::Better | ContrastVerdict::BetterByMore
            )
    };
    let [calm, wild] = [calm, wild].map(|world| world.share(1, &better));
    assert!(calm > 0.5 && (calm - wild).abs() < 0.03, "{calm}, {wild}");
}

#[test]
fn what_diverges_is_never_better_nor_as_good() {
    let mut world = World::new(3, 5);
    world.effects = vec![0.0, 0.0, 0.12];
    world.diverges = 0.3;
    let mut with = 0;
    for number in 0..RUNS {
        let records = world.records(number);
        let outcomes = Outcomes::of(&world.plan(), &records);
        let last = &outcomes.arms[2];
        let verdict = last.against.as_ref().unwrap().judgement.unwrap().verdict;
        if last.divergence.diverged == 0 {
            continue;
        }
        with += 1;
        assert!(
            matches!(verdict, ContrastVerdict::Worse | ContrastVerdict::NotShown),
            "{verdict:?}"
        );
        assert!(last.divergence.share[0] > 0.0);
        // The chance of what is said of the others stays what it is.
    }
    assert!(with > RUNS / 2);
    let found = world.share(1, &|variant, verdict| {
        variant == 1 && false_where_equal(1, verdict)
    });
    assert!(found <= MOST, "{found}");
    // Where the baseline diverges, nothing is worse than it, nor as good.
    let contrast = Contrast::of(&differences(&[0.5, 0.5, 0.5], 40), -1.0, 0.0);
    let diverged = Diverged {
        variant: false,
        baseline: true,
    };
    let judged = Judgement::of(contrast, (1.0, 0.0), ERROR, diverged);
    assert_eq!(judged.verdict, ContrastVerdict::NotShown);
    assert_eq!(judged.needed, None);
}

/// Differences of `samples` samples that are the same for all, under these seeds.
fn differences(seeds: &[f32], samples: usize) -> Differences {
    let scores: Vec<Vec<f32>> = seeds.iter().map(|seed| vec![*seed; samples]).collect();
    let zero = vec![0.0; samples];
    let pairs: Vec<(&[f32], &[f32])> = scores.iter().map(|s| (&s[..], &zero[..])).collect();
    Differences::of(&pairs)
}

#[test]
fn ties_are_no_findings() {
    // The same answers everywhere.
    let tie = Contrast::of(&differences(&[0.0, 0.0, 0.0], 1000), 1.0, 1e-3);
    let judged =
        |contrast| Judgement::of(contrast, (3e-3, 0.0), ERROR, Diverged::default()).verdict;
    assert_eq!(judged(tie), ContrastVerdict::AsGood);
    // Few samples that agree prove nothing: 0.3 points are less than one of them.
    let few = Contrast::of(&differences(&[0.0, 0.0, 0.0], 40), 1.0, 1.0 / 40.0);
    assert_eq!(judged(few), ContrastVerdict::NotShown);
    // Two seeds that are by chance equally far apart: two of a thousand samples.
    let mut better = vec![0.0_f32; 1000];
    let worse = better.clone();
    (better[3], better[500]) = (1.0, 1.0);
    let pair = (&better[..], &worse[..]);
    let equal = Contrast::of(&Differences::of(&[pair, pair]), 1.0, 1e-3);
    assert_eq!(equal.over_seeds, 0.0);
    assert_eq!(judged(equal), ContrastVerdict::NotShown);
    // One seed allows no interval.
    let one = Contrast::of(&Differences::of(&[pair]), 1.0, 1e-3);
    assert_eq!(one.interval(0.05), [f64::NEG_INFINITY, f64::INFINITY]);
    assert_eq!(judged(one), ContrastVerdict::NotShown);
}

#[test]
fn verdicts_are_read_from_the_interval() {
    // Seeds that scatter by 0.1: half an interval is about 0.12.
    let judged = |mean: f32, margin: f64| {
        let seeds = [-0.1, 0.1, 0.0, -0.1, 0.1].map(|seed| mean + seed);
        let contrast = Contrast::of(&differences(&seeds, 50), 1.0, 0.0);
        Judgement::of(contrast, (margin, 0.0), ERROR, Diverged::default())
    };
    assert_eq!(judged(0.5, 0.3).verdict, ContrastVerdict::BetterByMore);
    assert_eq!(judged(0.35, 0.3).verdict, ContrastVerdict::Better);
    assert_eq!(judged(-0.2, 0.3).verdict, ContrastVerdict::Worse);
    assert_eq!(judged(0.0, 0.3).verdict, ContrastVerdict::AsGood);
    let open = judged(0.0, 0.05);
    assert_eq!(open.verdict, ContrastVerdict::NotShown);
    let Some(Needed::Seeds(seeds)) = open.needed else {
        panic!("{open:?}")
    };
    // (1.96 + 0.84)^2 * 0.01 / 0.05^2 = 31, and a few for Student.
    assert!((31..37).contains(&seeds), "{seeds}");
}

/// Where the test samples are the trouble, no number of seeds helps.
#[test]
fn more_test_samples_are_asked_for_where_seeds_cannot_help() {
    let mut random = Random(5);
    let own: Vec<f64> = (0..100).map(|_| random.normal()).collect();
    let scores: Vec<Vec<f32>> = (0..3)
        .map(|_| {
            own.iter()
                .map(|own| (own + 0.01 * random.normal()) as f32)
                .collect()
        })
        .collect();
    let zero = vec![0.0; 100];
    let pairs: Vec<(&[f32], &[f32])> = scores.iter().map(|s| (&s[..], &zero[..])).collect();
    let contrast = Contrast::of(&Differences::of(&pairs), 1.0, 0.0);
    let Needed::Samples(samples) = Needed::of(&contrast, 0.1, ERROR, 0.0) else {
        panic!()
    };
    // (1.96 + 0.84)^2 * variance / 0.1^2, with a variance of about 1.
    let wanted = 785.0 * contrast.over_samples;
    assert!(
        (samples as f64 / wanted - 1.0).abs() < 0.05,
        "{samples}, {wanted}"
    );
}

/// No error is less than one test sample, so two of them are never shown with a power of 80 %: it takes
/// (2.00 + 0.85) / 2 times as many samples.
#[test]
fn a_margin_of_two_test_samples_is_not_shown_by_more_seeds() {
    let least = 1.0 / 57.0;
    let tie = Contrast::of(&differences(&[0.0, 0.0], 57), 1.0, least);
    let judged = Judgement::of(tie, (2.0 * least, least), ERROR, Diverged::default());
    assert_eq!(judged.verdict, ContrastVerdict::NotShown);
    assert_eq!(judged.needed, Some(Needed::Samples(82)));
}

/// One test sample says nothing about others, whatever the seeds say.
#[test]
fn a_single_test_sample_shows_nothing() {
    let one = Contrast::of(&differences(&[0.5, 0.5, 0.51], 1), 1.0, 0.0);
    let judged = Judgement::of(one, (0.01, 0.0), ERROR, Diverged::default());
    assert_eq!(judged.verdict, ContrastVerdict::NotShown);
    assert_eq!(judged.interval, [f64::NEG_INFINITY, f64::INFINITY]);
    assert_eq!(judged.needed, None);
}

/// Where the seeds scatter far more than the margin, it is said that more than are counted are needed.
#[test]
fn beyond_ten_thousand_seeds_no_number_is_named() {
    let wide = Contrast::of(&differences(&[-1.0, 1.0, 0.0, -1.0, 1.0], 50), 1.0, 0.0);
    let judged = Judgement::of(wide, (0.01, 0.0), ERROR, Diverged::default());
    assert_eq!(judged.needed, Some(Needed::MoreSeeds(10_000)));
}

// ------------------------------------------------------------------------------------ the frontier

/// Scores of runs whose accuracy grows with ln(steps), the same samples for all.
fn grown(steps: u64, worth: f64, seeds: usize, number: u64) -> Vec<Vec<f32>> {
    let mut random = Random(number);
    let level = 0.1 * (steps as f64 * worth).ln();
    let seed = |_| {
        let shift = level + 0.003 * random.normal();
        (0..60)
            .map(|i| (shift + 0.01 * f64::from(i % 7)) as f32)
            .collect()
    };
    (0..seeds).map(seed).collect()
}

fn saved(worth: f64, number: u64) -> Saved {
    let lengths = [250, 500, 1000, 2000];
    let baseline: Vec<Vec<Vec<f32>>> = lengths
        .iter()
        .map(|steps| grown(*steps, 1.0, 6, number + steps))
        .collect();
    let baseline: Vec<(u64, Vec<&[f32]>)> = lengths
        .iter()
        .zip(&baseline)
        .map(|(steps, scores)| (*steps, scores.iter().map(|s| &s[..]).collect()))
        .collect();
    let variant = grown(500, worth, 6, number + 9);
    let variant: Vec<&[f32]> = variant.iter().map(|s| &s[..]).collect();
    Saved::of((500, &variant), &baseline, (1.0, 0.05, 0.0)).unwrap()
}

#[test]
fn what_is_saved_lies_in_its_interval() {
    let holds = |found: &Saved, wanted: f64| {
        let at = |reached: Reached| match reached {
            Reached::Below(steps) | Reached::Above(steps) | Reached::At(steps) => steps,
        };
        at(found.interval[0]) <= wanted && wanted <= at(found.interval[1])
    };
    // 500 steps are worth 1,200 of the baseline's: in at least 93 of 100 comparisons.
    let found = (0..300).filter(|number| holds(&saved(2.4, 1000 * number), 1200.0));
    assert!(found.count() >= 279);
    let one = saved(2.4, 3);
    let Reached::At(steps) = one.reached else {
        panic!("{one:?}")
    };
    assert!((1000.0..1450.0).contains(&steps), "{one:?}");
    // Nothing is said beyond what was trained.
    let much = saved(30.0, 3);
    assert_eq!(
        (much.reached, much.interval),
        (Reached::Above(2000.0), [Reached::Above(2000.0); 2])
    );
    let little = saved(0.05, 3);
    assert_eq!(
        (little.reached, little.interval),
        (Reached::Below(250.0), [Reached::Below(250.0); 2])
    );
    // No effect: the same steps.
    assert!(holds(&saved(1.0, 3), 500.0));
}
