//! The same schedule at half its rates.

use toml::{Table, Value};

/// The arguments of a policy that hold rates, with half of each: what stands in other policies within
/// it is halved, too.
#[must_use]
pub fn halved(arguments: &Table) -> Vec<(String, Value)> {
    let halves = arguments.iter().filter_map(|(key, value)| {
        let half = half(key, value);
        (half != *value).then(|| (key.clone(), half))
    });
    halves.collect()
}

fn half(key: &str, value: &Value) -> Value {
    match value {
        Value::Float(rate) if RATES.contains(&key) => (rate / 2.0).into(),
        Value::Array(points) if key == "points" => {
            Value::Array(points.iter().map(half_point).collect())
        }
        Value::Array(policies) => {
            Value::Array(policies.iter().map(|policy| half("", policy)).collect())
        }
        Value::Table(policy) => {
            let halves = policy
                .iter()
                .map(|(key, value)| (key.clone(), half(key, value)));
            Value::Table(halves.collect())
        }
        other => other.clone(),
    }
}

/// Arguments that are rates.
const RATES: [&str; 5] = ["lr", "base_lr", "max_lr", "min_lr", "eta_min"];

/// `[step, rate]`.
fn half_point(point: &Value) -> Value {
    match point.as_array().map(Vec::as_slice) {
        Some([step, Value::Float(rate)]) => vec![step.clone(), (rate / 2.0).into()].into(),
        _ => point.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use crate::schedule::POLICIES;

    /// Every policy that the table knows, by its example.
    #[test]
    fn every_rate_of_every_policy_is_halved() {
        for entry in POLICIES {
            let policy = Args::parse(entry.example).and_then(entry.parse).unwrap();
            let mut arguments = policy.arguments();
            arguments.extend(halved(&policy.arguments()));
            let text = toml::to_string(&arguments).unwrap();
            let lower = Args::parse(&text).and_then(entry.parse).unwrap();
            for step in [0, 1, 7, 50, 1000] {
                let (rate, half) = (policy.at(step).lr, lower.at(step).lr);
                let error = (half - rate / 2.0).abs();
                assert!(
                    error <= 1e-12 * rate,
                    "{} at {step}: {rate}, {half}",
                    entry.name
                );
            }
        }
    }
}
