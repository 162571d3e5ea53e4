//! A policy within a policy: a table with the key `policy` and the arguments of that one.

use super::{POLICIES, Policy};
use crate::args::{Args, Invalid};

/// How deep policies may be nested: deeper than anybody writes, and not too deep for a stack.
const DEEPEST: usize = 16;

/// The policy that a table names, its arguments in the table's other keys.
pub(super) fn read(mut args: Args<'_>) -> Result<Box<dyn Policy>, toml::de::Error> {
    let Some(name) = args.take("policy") else {
        return Err(args.refuse(
            "has no `policy`; expected a table such as { policy = \"cosine\", lr = 0.1 }",
        ));
    };
    let policies = args.entries::<dyn Policy>().unwrap_or(POLICIES);
    let known = || {
        let names: Vec<&str> = policies.iter().map(|entry| entry.name).collect();
        names.join(", ")
    };
    let entry = name
        .text()
        .and_then(|text| policies.iter().find(|entry| entry.name == text));
    match entry {
        Some(entry) => (entry.parse)(args),
        None => {
            let found = match name.text() {
                Some(text) => format!("is {text:?}, which is no policy"),
                None => "is not the name of a policy".to_owned(),
            };
            Err(name.refuse(format!("{found}; expected one of {}", known())))
        }
    }
}

/// A policy as a table that names it.
pub(super) fn write(policy: &dyn Policy) -> toml::Table {
    let name = ("policy".to_owned(), policy.name().into());
    std::iter::once(name).chain(policy.arguments()).collect()
}

/// How deep policies are nested in this one: 0 for a policy alone.
fn depth(policy: &dyn Policy) -> usize {
    let members = policy.members();
    let inner = members.iter().map(|(_, member)| depth(*member) + 1);
    inner.max().unwrap_or(0)
}

/// What a policy within refuses, as a fault of the argument `key` that holds it.
pub(super) fn check(policy: &dyn Policy, key: &'static str, at: &str) -> Result<(), Invalid> {
    if depth(policy) > DEEPEST {
        return Err(Invalid {
            key,
            message: format!(
                "is nested more than {DEEPEST} deep; expected fewer policies within policies"
            ),
        });
    }
    policy.validate().map_err(|invalid| Invalid {
        key,
        message: invalid.within(at),
    })
}
