//! A comparison with a policy of one's own: between bounds by its name, and as a configuration.

use serde::{Deserialize, Serialize};
use wavetrain::Config;
use wavetrain::args::Entry;
use wavetrain::config::{Overrides, Tables};
use wavetrain::data::Judge;
use wavetrain::lab::compare::statistics::looks;
use wavetrain::lab::compare::{
    self, Along, Between, ComparisonPlan, Settings, Store, Variant, Watch, Wishes, Work,
};
use wavetrain::schedule::{Invalid, POLICIES, Policy, Rate, Span};

use super::fixture::{Setup, data, gpu};

/// From `high` straight down to nothing in `steps` steps.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ramp {
    high: f64,
    steps: u64,
}

impl Policy for Ramp {
    fn name(&self) -> &'static str {
        "ramp"
    }

    fn validate(&self) -> Result<(), Invalid> {
        Ok(())
    }

    fn at(&self, step: u64) -> Rate {
        let left = self.steps.saturating_sub(step) as f64 / self.steps as f64;
        Rate::new(self.high * left)
    }

    fn between(&self, span: &Span) -> Option<String> {
        Some(format!("high = {:?}\nsteps = {}", span.max_lr, span.steps))
    }

    fn describe(&self) -> String {
        format!("a ramp from {}", self.high)
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap()
    }
}

fn tables() -> Tables {
    let own = Entry {
        name: "ramp",
        summary: "straight down",
        arguments: &["high", "steps"],
        short: None,
        example: "high = 0.1\nsteps = 10",
        parse: |args| Ok(Box::new(args.read::<Ramp>()?) as Box<dyn Policy>),
    };
    let all = POLICIES.iter().map(|entry| Entry { ..*entry });
    let longer: Vec<Entry<dyn Policy>> = all.chain([own]).collect();
    Tables {
        policies: longer.leak(),
        ..Tables::default()
    }
}

struct Nobody;

impl Watch for Nobody {}

#[test]
fn a_policy_of_ones_own_is_compared() {
    let tables = tables();
    let ramp = Setup {
        data: "batch = 16\nvalidation = 0.2".into(),
        schedule: "policy = \"ramp\"\nhigh = 0.2\nsteps = 24".into(),
        ..Setup::default()
    };
    let config = Config::read("own", &ramp.text(), &Overrides::default(), &tables).unwrap();
    let of = |name: &str, policy: Option<&str>| Variant {
        name: name.into(),
        config: config.clone(),
        found: None,
        policy: policy.map(|policy| Between {
            policy: policy.into(),
            bounds: [0.01, 0.1],
            factors: Vec::new(),
        }),
        dataset: data(200, 40),
    };
    let variants = [
        of("as it stands", None),
        of("between", Some("ramp")),
        of("constant", Some("constant")),
    ];
    let arms = compare::arms(&variants, &[24]).unwrap();
    let highest: Vec<f64> = arms
        .iter()
        .map(|arm| arm.settled.schedule.at(0).lr)
        .collect();
    assert_eq!(highest, [0.2, 0.1, 0.055]);
    let judged = (Judge::Accuracy, 40, 4);
    let settings = Settings::new(vec![24], &Wishes::default(), judged).unwrap();
    let along = Along {
        samples: 20,
        every: vec![12],
    };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let plan = ComparisonPlan::new(&arms, settings, along, looks::fixed(2));
    let plan = store.begin(plan).unwrap();
    let work = Work {
        arms: &arms,
        plan: &plan,
        workers: 1,
        open: &|| Ok(gpu()),
    };
    let (records, _) = compare::run(&work, &store, 2, &Nobody).unwrap();
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|record| record.diverged.is_none()));
    // From the folder, for its page.
    let schedules = plan.schedules_of(&tables).unwrap();
    assert_eq!(schedules[1].describe(), "a ramp from 0.1");
    assert!(plan.schedules().is_err());
}
