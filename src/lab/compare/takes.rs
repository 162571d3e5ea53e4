//! Policies by name, between two bounds, for a length.

use crate::args::{Args, Entry};
use crate::error::{Error, Result};
use crate::schedule::{Policy, Span};

/// The arguments of the policy that `entry` makes, which says itself what it takes.
fn arguments(entry: &Entry<dyn Policy>, span: &Span) -> Option<String> {
    let example = Args::parse(entry.example).and_then(entry.parse).ok()?;
    example.between(span)
}

/// The policy `name` of the table `policies` ([`crate::schedule::POLICIES`], or a longer one) between
/// bounds, for a length.
///
/// # Errors
/// [`Error::Argument`] for an unknown policy (all are listed), and for one that bounds and a length
/// do not make.
pub fn take(name: &str, span: &Span, policies: &[Entry<dyn Policy>]) -> Result<Box<dyn Policy>> {
    let refuse = |found: String, help: String| Error::Argument {
        what: "policies".into(),
        found,
        expected: "names of policies that two bounds and a length make".into(),
        help,
    };
    let able = policies.iter().filter(|e| arguments(e, span).is_some());
    let able: Vec<&str> = able.map(|entry| entry.name).collect();
    let Some(entry) = policies.iter().find(|entry| entry.name == name) else {
        let near = crate::config::nearest(name, able.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
        let help = format!("{near}there are {}", able.join(", "));
        return Err(refuse(format!("{name:?} is no policy"), help));
    };
    let Some(text) = arguments(entry, span) else {
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
                span.steps,
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
