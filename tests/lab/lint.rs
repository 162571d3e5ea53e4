//! The linter: each rule draws its example and nothing that is right.

use std::path::Path;

use wavetrain::Config;
use wavetrain::config::presets::PRESETS;
use wavetrain::config::{Bounds, Overrides};
use wavetrain::lab::lint::{Finding, RULES, RunPlan, Severity, lint};

/// What the linter says of a schedule in a run of `steps` steps, 100 in an epoch.
fn findings(schedule: &str, steps: u64) -> Vec<Finding> {
    let config = Config::parse("lint", &format!("[schedule]\n{schedule}")).unwrap();
    let schedule = config.schedule_in(Some(100), steps, None).unwrap();
    lint(&RunPlan::new(&config, &*schedule, steps, Some(100)))
}

fn rules(schedule: &str, steps: u64) -> Vec<&'static str> {
    findings(schedule, steps)
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn every_rule_is_a_file_and_draws_its_example() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab/lint");
    for rule in RULES {
        assert!(
            folder.join(format!("{}.rs", rule.name)).is_file(),
            "{}",
            rule.name
        );
        assert!(!rule.what.is_empty() && !rule.why.is_empty());
        let found = findings(rule.example, 1000);
        let own = found.iter().find(|finding| finding.rule == rule.name);
        let own = own.unwrap_or_else(|| panic!("{} draws only {found:?}", rule.name));
        assert!(!own.message.is_empty() && !own.mend.is_empty());
    }
}

#[test]
fn what_is_right_draws_nothing() {
    let cycle = "base_lr = 0.01\nmax_lr = 0.1\nstep_size_up";
    for (schedule, steps) in [
        (format!("policy = \"triangular\"\n{cycle} = 250"), 1000),
        (format!("policy = \"triangular\"\n{cycle} = 250"), 1505),
        (
            format!("policy = \"sinusoidal\"\n{cycle} = \"5 epochs\""),
            1000,
        ),
        (
            format!("policy = \"triangular\"\n{cycle} = 250\ncycle_momentum = true"),
            500,
        ),
        (format!("policy = \"triangular2\"\n{cycle} = 200"), 2000),
        ("policy = \"constant\"\nlr = 0.1".into(), 77),
        ("policy = \"one_cycle\"\nmax_lr = 0.1".into(), 777),
        ("policy = \"cosine\"\nlr = 0.1".into(), 777),
        (
            "policy = \"cosine_restarts\"\nlr = 0.1\nt_0 = 100\nt_mult = 2".into(),
            700,
        ),
        (
            "policy = \"step\"\nlr = 0.1\nstep_size = \"3 epochs\"".into(),
            1000,
        ),
        (
            "policy = \"multi_step\"\nlr = 0.1\nmilestones = [500, 800]".into(),
            1000,
        ),
        ("policy = \"linear\"\nlr = 0.1".into(), 1000),
        (
            "policy = \"warmup\"\nwarmup_steps = 50\nthen = { policy = \"cosine\", lr = 0.1 }"
                .into(),
            1000,
        ),
    ] {
        assert_eq!(findings(&schedule, steps), [], "{schedule}, {steps} steps");
    }
}

/// The linter counts updates: a half cycle that is half an epoch of batches is two epochs where a step
/// takes four of them.
#[test]
fn steps_are_updates_of_several_batches() {
    let noted = |accumulate: usize| {
        let text = format!(
            "[data]\nbatch = 10\n[schedule]\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 50\n\
             [train]\nepochs = 8\naccumulate = {accumulate}\n"
        );
        let config = Config::parse("lint", &text).unwrap();
        let run = config.settle(1000, None).unwrap();
        let (steps, per_epoch) = (run.total_steps, run.steps_per_epoch);
        assert_eq!(
            (steps, per_epoch),
            (800 / accumulate as u64, 100 / accumulate as u64)
        );
        let found = lint(&RunPlan::new(
            &config,
            &*run.schedule,
            steps,
            Some(per_epoch),
        ));
        found
            .into_iter()
            .find(|finding| finding.rule == "half_cycle")
    };
    let half = noted(1).unwrap();
    assert!(half.message.contains("50 steps (0.500 epochs)"), "{half:?}");
    assert_eq!(noted(4), None);
}

/// PyTorch's numbers, which count epochs there, and what is said of them in steps.
#[test]
fn decays_that_are_meant_per_epoch_are_seen() {
    let mend = |schedule: &str, rule: &str| {
        let found = findings(schedule, 1000);
        let own = found.into_iter().find(|finding| finding.rule == rule);
        own.map(|finding| (finding.message, finding.mend))
    };
    let rule = "decay_in_epoch";
    let (message, help) = mend("policy = \"exponential\"\nlr = 0.1\ngamma = 0.9", rule).unwrap();
    assert!(message.contains("from 0.1 to 2.656e-6"), "{message}");
    assert!(help.contains("schedule.gamma = 0.998947"), "{help}");
    let (_, help) = mend("policy = \"step\"\nlr = 0.1\nstep_size = 30", rule).unwrap();
    assert!(help.contains("\"30 epochs\""), "{help}");
    let stairs = "policy = \"multi_step\"\nlr = 0.1\nmilestones = [30, 60]";
    let (message, help) = mend(stairs, rule).unwrap();
    assert!(
        message.contains("the last milestone is passed"),
        "{message}"
    );
    assert!(help.contains("[\"30 epochs\", \"60 epochs\"]"), "{help}");
    for right in [
        "policy = \"exponential\"\nlr = 0.1\ngamma = 0.999",
        "policy = \"step\"\nlr = 0.1\nstep_size = \"2 epochs\"",
        "policy = \"multi_step\"\nlr = 0.1\nmilestones = [30, 600]",
    ] {
        assert_eq!(mend(right, rule), None, "{right}");
    }
    let warm = "policy = \"warmup\"\nwarmup_steps = 5\nthen = { policy = \"exponential\", lr = 0.1, gamma = 0.9 }";
    let (message, help) = mend(warm, rule).unwrap();
    assert!(message.contains("it lasts 995 steps"), "{message}");
    assert!(help.contains("schedule.then.gamma = 0.998947"), "{help}");
    let sequence = |steps: u64| {
        format!(
            "policy = \"sequence\"\npolicies = [{{ policy = \"constant\", lr = 0.1, steps = 9 }}, {{ policy = \
             \"exponential\", lr = 0.1, gamma = 0.9, steps = {steps} }}, {{ policy = \"constant\", lr = 0.1 }}]"
        )
    };
    let (_, help) = mend(&sequence(500), rule).unwrap();
    assert!(help.contains("schedule.policies[1].gamma"), "{help}");
    // One that is over with the epoch is meant so.
    assert_eq!(mend(&sequence(60), rule), None);
    let members = |first: u64| {
        format!(
            "policy = \"sequence\"\npolicies = [{{ policy = \"constant\", lr = 0.1, steps = {first} }}, \
             {{ policy = \"constant\", lr = 0.2, steps = 9 }}, {{ policy = \"constant\", lr = 0.1 }}]"
        )
    };
    let rule = "unreached_members";
    let (message, _) = mend(&members(1200), rule).unwrap();
    assert!(
        message.contains("policies[1] and 1 behind it are never reached: it begins at step 1200")
    );
    let (message, _) = mend(&members(991), rule).unwrap();
    assert!(
        message.contains("policies[2] is never reached: it begins at step 1000"),
        "{message}"
    );
    assert_eq!(mend(&members(990), rule), None);
    // What follows a warm-up stands in no list.
    let warm =
        "policy = \"warmup\"\nwarmup_steps = 1200\nthen = { policy = \"constant\", lr = 0.1 }";
    assert_eq!(mend(warm, rule), None);
}

#[test]
fn who_is_to_predict_a_token_does_not_see_it() {
    let of = |source: &str, layers: &str| {
        let schedule = "policy = \"constant\"\nlr = 0.1\n[data]";
        let model = format!("[model]\nlayers = [{{ embedding = 8 }}, {layers}, {{ linear = 30 }}]");
        rules(&format!("{schedule}\n{source}\n{model}"), 1000)
    };
    let text = "source = \"numbers\"";
    let inside = |causal: &str| {
        let attention = format!("{{ multihead_attention = {{ num_heads = 2{causal} }} }}");
        let block = format!("{{ residual = {{ body = [\"layer_norm\", {attention}] }} }}");
        format!("{{ repeat = {{ times = 2, layers = [{block}] }} }}")
    };
    let both = "{ gru = { hidden_size = 4, bidirectional = true } }";
    assert_eq!(of(text, both), ["answer_seen"]);
    assert_eq!(of(text, &inside("")), ["answer_seen"]);
    assert!(of(text, &inside(", causal = true")).is_empty());
    assert!(of(text, "{ gru = 4 }").is_empty());
}

#[test]
fn what_is_found_comes_with_the_number_to_use() {
    let text = |schedule: &str, steps: u64| {
        let found = findings(schedule, steps);
        let texts = found
            .iter()
            .map(|f| format!("{}: {}; {}", f.rule, f.message, f.mend));
        texts.collect::<Vec<_>>().join("\n")
    };
    let cycle = "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up";
    let mid = text(&format!("{cycle} = 300"), 1000);
    assert!(mid.contains("train 600 or 1200 steps"), "{mid}");
    assert!(mid.contains("0.0703"), "the rate at the end: {mid}");
    let epochs = text(&format!("{cycle} = 8"), 1600);
    assert!(
        epochs.contains("write \"8 epochs\" (800 steps)"),
        "{epochs}"
    );
    let restarts = "policy = \"cosine_restarts\"\nlr = 0.1\nt_0 = 100\nt_mult = 2";
    let cut = text(restarts, 500);
    assert!(cut.contains("train 300 or 700 steps"), "{cut}");
    let long = text(
        "policy = \"one_cycle\"\nmax_lr = 0.1\ntotal_steps = 2000",
        1000,
    );
    assert!(
        long.contains("made for 2000 steps and the run has 1000"),
        "{long}"
    );
    let gamma = text(
        "policy = \"exp_range\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 250\ngamma = 0.9",
        1000,
    );
    assert!(gamma.contains("schedule.gamma = 0.998947"), "{gamma}");
}

#[test]
fn what_is_said_of_an_optimizer_is_said_of_the_one_at_hand() {
    let text = |schedule: &str, optimizer: &str| {
        let schedule = format!("{schedule}\n[optimizer]\nkind = \"{optimizer}\"");
        let found = findings(&schedule, 1000);
        let texts = found.iter().map(|f| format!("{}: {}", f.rule, f.message));
        texts.collect::<Vec<_>>().join("\n")
    };
    let cycle = |max: f64| {
        format!("policy = \"triangular\"\nbase_lr = 0.001\nmax_lr = {max}\nstep_size_up = 250")
    };
    let low = "cycle_momentum = true\nbase_momentum = 0.5\nmax_momentum = 0.6";
    let found = text(&format!("{}\n{low}", cycle(0.01)), "adam");
    assert_eq!(
        found,
        "momentum_range: momentum cycles between 0.5 and 0.6, and optimizer.betas[0] = 0.9 is not in between"
    );
    for optimizer in ["adam", "adamw"] {
        assert_eq!(text(&cycle(0.01), optimizer), "");
        assert_eq!(text("policy = \"constant\"\nlr = 0.05", optimizer), "");
        for rates in [
            &cycle(0.1)[..],
            "policy = \"one_cycle\"\nmax_lr = 0.3",
            "policy = \"constant\"\nlr = 0.1",
        ] {
            let found = text(rates, optimizer);
            assert!(
                found.contains("normalized_rate: the rate goes up to"),
                "{rates}: {found}"
            );
        }
    }
    assert_eq!(text(&cycle(0.1), "sgd"), "");
}

#[test]
fn a_short_run_draws_a_note_where_a_long_one_draws_a_warning() {
    let schedule = "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 50";
    let severity = |steps| {
        let found = findings(schedule, steps);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].rule, "half_cycle");
        found[0].severity
    };
    assert_eq!(severity(400), Severity::Note);
    assert_eq!(severity(500), Severity::Warning);
    assert_eq!(rules(&schedule.replace("50", "1100"), 4400), ["half_cycle"]);
}

#[test]
fn no_preset_and_no_command_of_the_readme_draws_a_warning() {
    let quiet = |config: &Config, what: &str| {
        // What a range test would find for the optimizer.
        let (base_lr, max_lr) = match config.optimizer.name() {
            "sgd" => (0.01, 0.1),
            _ => (0.001, 0.01),
        };
        let from = "this test".into();
        let bounds = Bounds {
            base_lr,
            max_lr,
            intervals: None,
            from,
        };
        let Some(sizes) = config.data.source.known().sizes else {
            return;
        };
        let run = config.settle(sizes.train, Some(&bounds)).unwrap();
        let (steps, per_epoch) = (run.total_steps, Some(run.steps_per_epoch));
        let found = lint(&RunPlan::new(config, &*run.schedule, steps, per_epoch));
        let warnings = found.iter().filter(|f| f.severity == Severity::Warning);
        assert_eq!(warnings.count(), 0, "{what}: {found:?}");
    };
    for preset in PRESETS {
        let config = Config::load(Some(Path::new(preset.name)), &Overrides::default());
        quiet(&config.unwrap(), preset.name);
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme)
        .unwrap()
        .replace("\\\n", " ");
    let mut commands = 0;
    for line in readme.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let program = words.next() == Some("wavetrain");
        if !program || !matches!(words.next(), Some("train" | "schedule")) {
            continue;
        }
        let words: Vec<&str> = words.collect();
        let set = words.windows(2).filter(|pair| pair[0] == "--set");
        let overrides = Overrides {
            set: set.map(|pair| pair[1].to_owned()).collect(),
            ..Overrides::default()
        };
        let named = words.first().filter(|word| !word.starts_with('-'));
        if named.is_some_and(|name| name.contains('.')) {
            continue;
        }
        let config = Config::load(named.map(Path::new), &overrides);
        quiet(&config.unwrap(), line);
        commands += 1;
    }
    assert!(commands >= 5, "{commands} commands were found");
}

/// What a range test found is not called into question.
#[test]
fn bounds_of_a_range_test_draw_no_warning() {
    let wide = "policy = \"triangular\"\nbase_lr = 0.00112\nmax_lr = 0.179\nstep_size_up = 250";
    let linted = |rates: &str, optimizer: &str, run: &str| {
        let text = format!(
            "[data]\nsource = \"glyphs\"\n[model]\nlayers = [\"flatten\", {{ linear = 10 }}]\n\
             [loss]\nkind = \"cross_entropy\"\n[optimizer]\nkind = \"{optimizer}\"\n[train]\n\
             steps = 1000\n[schedule]\n{rates}\n{run}"
        );
        let config = Config::parse("test.toml", &text).unwrap();
        let schedule = config.schedule_in(Some(100), 1000, None).unwrap();
        let found = lint(&RunPlan::new(&config, &*schedule, 1000, Some(100)));
        let found = found.iter().filter(|f| f.severity == Severity::Warning);
        found.map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(linted(wide, "sgd", ""), ["bounds_ratio"]);
    let found =
        "[run]\nbounds = \"auto: from 0.001 (0.0005 to 0.002) to 0.15 (0.1 to 0.22), by a test\"";
    assert_eq!(linted(wide, "sgd", found), [""; 0]);
    assert_eq!(linted(wide, "adamw", found), [""; 0]);
    // Outside of its intervals it says nothing.
    let higher = wide.replace("0.179", "0.4");
    assert_eq!(linted(&higher, "sgd", found), ["bounds_ratio"]);
    assert_eq!(
        linted(&higher, "adamw", found),
        ["bounds_ratio", "normalized_rate"]
    );
}

#[test]
fn a_run_of_very_many_cycles_is_counted_to_its_end() {
    let cycle = "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up";
    let short = format!("{cycle} = 50");
    let found = findings(&short, 1_000_000_000_050);
    let mid = found
        .iter()
        .find(|finding| finding.rule == "mid_cycle")
        .unwrap();
    assert!(
        mid.message
            .contains("at step 1000000000050 of 1000000000000 to 1000000000100"),
        "{}",
        mid.message
    );
    assert!(!rules(&short, 1_000_000_000_000).contains(&"mid_cycle"));
    let growing = format!("{cycle} = 50\ncycle_mul = 2");
    let found = findings(&growing, 100 * ((1 << 30) - 1) + (50 << 30));
    assert!(
        found.iter().any(|finding| finding.rule == "mid_cycle"),
        "{found:?}"
    );
    assert!(!rules(&growing, 100 * ((1 << 30) - 1)).contains(&"mid_cycle"));
}
