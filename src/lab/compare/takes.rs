//! What each policy takes from the two bounds and from the length of a run: the one place that
//! decides it.

use crate::args::Args;
use crate::error::{Error, Result};
use crate::schedule::{POLICIES, Policy};

/// What is to be shared out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Takes {
    /// The low rate.
    pub base_lr: f64,
    /// The high rate.
    pub max_lr: f64,
    /// Steps of a run.
    pub steps: u64,
    /// Half a cycle of the cyclical policies.
    pub half: u64,
}

impl Takes {
    /// The arguments of the policy `name`, as TOML; `None` for one that needs its own configuration.
    fn arguments(&self, name: &str) -> Option<String> {
        let Self {
            base_lr: base,
            max_lr: max,
            steps,
            half,
        } = *self;
        let (middle, part) = ((base + max) / 2.0, |n: u64| (steps / n).max(1));
        let cycle = format!("base_lr = {base:?}\nmax_lr = {max:?}\nstep_size_up = {half}");
        let lr = format!("lr = {max:?}");
        let reach = |share: f64| libm::pow(share, 1.0 / steps as f64).min(1.0);
        Some(match name {
            // The mean rate of the triangle between the same bounds.
            "constant" => format!("lr = {middle:?}"),
            "triangular" | "triangular2" | "sinusoidal" => cycle,
            // A tenth of the swing is left at the end.
            "exp_range" => format!("{cycle}\ngamma = {:?}", reach(0.1)),
            "one_cycle" => {
                let divisor = (max / base).clamp(1.0, 1e6);
                format!("max_lr = {max:?}\ntotal_steps = {steps}\ndiv_factor = {divisor:?}")
            }
            "cosine" => format!("{lr}\nt_max = {steps}"),
            // Three cycles, each twice as long as the one before.
            "cosine_restarts" => format!("{lr}\nt_0 = {}\nt_mult = 2", steps.div_ceil(7)),
            "linear" => format!(
                "{lr}\nstart_factor = 1\nend_factor = {:?}\ntotal_iters = {steps}",
                base / max
            ),
            "polynomial" => format!("{lr}\ntotal_iters = {steps}"),
            "exponential" => format!("{lr}\ngamma = {:?}", reach(base / max)),
            "step" => format!("{lr}\nstep_size = {}", steps.div_ceil(3)),
            "multi_step" => format!("{lr}\nmilestones = [{}, {}]", part(2), steps * 3 / 4),
            "inverse_sqrt" => format!("{lr}\ntimescale = {}", part(10)),
            // A run is looked at 40 times or a few more.
            "plateau" => format!("{lr}\npatience = 3"),
            "inv" => format!("{lr}\ngamma = {:?}", 10.0 / steps as f64),
            "wsd" => format!(
                "{lr}\ntotal_steps = {steps}\nwarmup_steps = {}\ndecay_steps = {}",
                steps / 20,
                part(5)
            ),
            _ => return None,
        })
    }
}

/// The policy `name` between bounds, for a length.
///
/// # Errors
/// [`Error::Argument`] for an unknown policy (all are listed), and for one that bounds and a length
/// do not make.
pub fn take(name: &str, takes: &Takes) -> Result<Box<dyn Policy>> {
    let refuse = |found: String, help: String| Error::Argument {
        what: "policies".into(),
        found,
        expected: "names of policies that two bounds and a length make".into(),
        help,
    };
    let able = POLICIES
        .iter()
        .filter(|e| takes.arguments(e.name).is_some());
    let able: Vec<&str> = able.map(|entry| entry.name).collect();
    let Some(entry) = POLICIES.iter().find(|entry| entry.name == name) else {
        let near = crate::config::nearest(name, able.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
        let help = format!("{near}there are {}", able.join(", "));
        return Err(refuse(format!("{name:?} is no policy"), help));
    };
    let Some(text) = takes.arguments(name) else {
        let help = format!(
            "there are {}; configurations of {name} can be variants themselves",
            able.join(", ")
        );
        return Err(refuse(format!("{name} needs arguments of its own"), help));
    };
    let made = Args::parse(&text).and_then(entry.parse).map_err(|error| {
        refuse(
            format!(
                "{name} cannot be made for {} steps: {}",
                takes.steps,
                error.message()
            ),
            "give it more steps".into(),
        )
    })?;
    made.validate().map_err(|invalid| {
        refuse(
            format!("{name}: {} {}", invalid.key, invalid.message),
            "give it more steps, or other bounds".into(),
        )
    })?;
    Ok(made)
}
