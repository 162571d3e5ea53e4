//! What a comparison will do, written down before it begins.

use serde::{Deserialize, Serialize};

use super::statistics::PlannedLook;
use super::{Along, Arm, Settings};
use crate::config::{Config, Overrides, Tables};
use crate::error::Result;
use crate::schedule::Policy;

/// A comparison as it was planned: what is compared, when the data are looked at, how often runs are
/// evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonPlan {
    /// The version of the program.
    pub version: String,
    /// What all runs have in common.
    pub settings: Settings,
    /// When the data are looked at.
    pub looks: Vec<PlannedLook>,
    /// Evaluations along the way.
    pub along: Along,
    /// What is trained.
    pub arms: Vec<Planned>,
}

/// A variant in one length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The variant's name.
    pub name: String,
    /// The steps of a run.
    pub steps: u64,
    /// What it takes from bounds and length.
    pub takes: String,
    /// The arm before it, by its position, that trains the same: this one is not trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<usize>,
    /// The configuration.
    pub config: String,
    /// The fingerprint of the samples.
    #[serde(default)]
    pub data: String,
}

impl ComparisonPlan {
    /// The plan of a comparison.
    #[must_use]
    pub fn new(arms: &[Arm], settings: Settings, along: Along, looks: Vec<PlannedLook>) -> Self {
        let planned = arms.iter().map(|arm| Planned {
            name: arm.name.clone(),
            steps: arm.steps,
            takes: arm.takes.clone(),
            same_as: arm.same_as,
            config: arm.settled.to_toml(),
            data: arm.data.clone(),
        });
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            settings,
            looks,
            along,
            arms: planned.collect(),
        }
    }

    /// What no plan has: lengths that are no arms', an arm that trains as one that is none or not trained.
    #[must_use]
    pub fn unsound(&self) -> Option<String> {
        let lengths = self.settings.budgets.len();
        if lengths == 0 || self.arms.is_empty() || !self.arms.len().is_multiple_of(lengths) {
            let arms = self.arms.len();
            return Some(format!(
                "has {arms} variants times lengths, of {lengths} lengths"
            ));
        }
        let mut arms = self.arms.iter().enumerate();
        let wrong = arms.find(|(at, arm)| {
            let other = arm.same_as;
            let length = self.settings.budgets[at % lengths];
            let trained = |other: usize| other < *at && self.arms[other].same_as.is_none();
            arm.steps != length || !other.is_none_or(trained)
        });
        wrong.map(|(_, arm)| format!("has an arm of {} that is not of the plan", arm.name))
    }

    /// The arms that are trained, by their positions.
    pub fn trained(&self) -> impl Iterator<Item = usize> + '_ {
        let arms = self.arms.iter().enumerate();
        arms.filter(|(_, arm)| arm.same_as.is_none())
            .map(|(at, _)| at)
    }

    /// The arm whose runs stand for `arm`.
    #[must_use]
    pub fn trained_for(&self, arm: usize) -> usize {
        self.arms[arm].same_as.unwrap_or(arm)
    }

    /// The schedules of the arms, in their order, from their configurations, which have them in numbers.
    ///
    /// # Errors
    /// [`crate::error::Error::Config`] for one that this version of the program cannot read.
    pub fn schedules(&self) -> Result<Vec<Box<dyn Policy>>> {
        self.schedules_of(&Tables::default())
    }

    /// [`ComparisonPlan::schedules`] with policies of own tables.
    ///
    /// # Errors
    /// As it.
    pub fn schedules_of(&self, tables: &Tables) -> Result<Vec<Box<dyn Policy>>> {
        let made = self.arms.iter().map(|arm| {
            let name = format!("the configuration of {}", arm.name);
            let config = Config::read(&name, &arm.config, &Overrides::default(), tables)?;
            config.schedule_in(None, arm.steps, None)
        });
        made.collect()
    }

    /// The names of the variants, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let firsts = self.arms.iter().step_by(self.settings.budgets.len().max(1));
        firsts.map(|arm| arm.name.as_str()).collect()
    }

    /// The baseline's arm of the same length as `arm`.
    #[must_use]
    pub fn baseline_of(&self, arm: usize) -> usize {
        arm % self.settings.budgets.len().max(1)
    }

    /// Whether `arm` is the baseline's.
    #[must_use]
    pub fn is_baseline(&self, arm: usize) -> bool {
        arm < self.settings.budgets.len()
    }

    /// The contrasts that are tested: each arm that is trained, and not as the baseline, against the
    /// baseline of its length.
    #[must_use]
    pub fn contrasts(&self) -> usize {
        let all = self.trained().filter(|arm| !self.is_baseline(*arm));
        all.count().max(1)
    }

    /// The look at so many seeds: the last one whose seeds are there.
    #[must_use]
    pub fn look(&self, seeds: u64) -> Option<PlannedLook> {
        let looks = self.looks.iter().rev();
        looks.copied().find(|look| look.seeds <= seeds)
    }

    /// The seeds of the last look.
    #[must_use]
    pub fn last_look(&self) -> u64 {
        self.looks.last().map_or(0, |look| look.seeds)
    }

    /// Whether both are plans of the same comparison, whatever is looked at when.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.arms, &other.arms);
        self.version == other.version && self.settings == other.settings && ours == theirs
    }

    /// The comparison in words.
    pub(super) fn describe(&self) -> String {
        let budgets: Vec<String> = self.settings.budgets.iter().map(u64::to_string).collect();
        let (names, steps) = (self.names().join(", "), budgets.join(", "));
        format!("{names}; {steps} steps, by wavetrain {}", self.version)
    }

    /// In what two comparisons differ, in words.
    pub(super) fn differs(&self, other: &Self) -> String {
        if self.version != other.version {
            let (ours, theirs) = (&self.version, &other.version);
            return format!("version {ours} and version {theirs} of the program");
        }
        if self.describe() != other.describe() {
            return format!("{}, and {}", self.describe(), other.describe());
        }
        let mut arms = self.arms.iter().zip(&other.arms);
        match arms.find(|(ours, theirs)| ours != theirs) {
            None => "other margins, targets or test samples".into(),
            Some((ours, theirs)) if ours.data != theirs.data => format!(
                "{}: the samples have the fingerprint {}, and {} in the folder",
                ours.name, theirs.data, ours.data
            ),
            Some((ours, theirs)) => {
                let differences = crate::config::changes::differences(&ours.config, &theirs.config);
                let keys = differences.iter().map(|d| {
                    let [from, to] = d.texts();
                    format!("{} {from} and {to}", d.key)
                });
                let keys: Vec<String> = keys.take(3).collect();
                format!("{}: {}", ours.name, keys.join(", "))
            }
        }
    }
}
