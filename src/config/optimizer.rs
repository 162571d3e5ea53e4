//! `[optimizer]`: the optimizer, and what holds whatever it is.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::entries::{self, Family};
use super::problem::{Problem, Problems, keep};
use super::tables::Tables;
use super::value::{Section, Value, float, integer};
use crate::optim::decay_on::{self, DecayOn};
use crate::optim::{Optimizer, clip_norm, lr_mult};

/// The keys that are no optimizer's own.
pub(super) const BESIDE: &[&str] = &[clip_norm::KEY, decay_on::KEY, lr_mult::KEY];

const OPTIMIZER: Family = Family {
    what: "optimizer",
    selector: "kind",
    beside: BESIDE,
};

/// What `[optimizer]` says.
pub(super) struct Chosen {
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) clip_norm: Option<f64>,
    pub(super) decay_on: DecayOn,
    pub(super) lr_mult: BTreeMap<String, f64>,
}

pub(super) fn read(section: &Section<'_, '_>, tables: &Tables) -> Result<Chosen, Problems> {
    let mut told = Problems::new();
    let optimizer = entries::select(section, OPTIMIZER, tables.optimizers, |o| o.validate());
    let optimizer = keep(optimizer, &mut told);
    let clip_norm = keep(clip_norm(section).map_err(|p| vec![p]), &mut told);
    let decay_on = keep(decay_on(section).map_err(|p| vec![p]), &mut told);
    let lr_mult = keep(lr_mult(section), &mut told);
    match (optimizer, clip_norm, decay_on, lr_mult) {
        (Some(optimizer), Some(clip_norm), Some(decay_on), Some(lr_mult)) => Ok(Chosen {
            optimizer,
            clip_norm,
            decay_on,
            lr_mult,
        }),
        _ => Err(told),
    }
}

/// A number, whole or not.
fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => float(number),
        DeValue::Integer(number) => integer(number).map(|n| n as f64),
        _ => None,
    }
}

/// The norm that gradients are clipped to.
fn clip_norm(section: &Section<'_, '_>) -> Result<Option<f64>, Problem> {
    let Some(value) = section.get(clip_norm::KEY) else {
        return Ok(None);
    };
    if value.value.get_ref().as_str() == Some("none") {
        return Ok(None);
    }
    let norm = number(value.value.get_ref()).ok_or_else(|| value.wrong("a finite number"))?;
    match clip_norm::validate(norm) {
        Ok(()) => Ok(Some(norm)),
        Err(invalid) => Err(value.refuse(&invalid.message)),
    }
}

/// What decays.
fn decay_on(section: &Section<'_, '_>) -> Result<DecayOn, Problem> {
    let Some(value) = section.get(decay_on::KEY) else {
        return Ok(DecayOn::All);
    };
    let decay_on = value.value.get_ref().as_str().and_then(DecayOn::named);
    decay_on.ok_or_else(|| value.wrong("\"all\" or \"matrices\""))
}

/// Factors on the rate by patterns; which parameters there are is known later.
fn lr_mult(section: &Section<'_, '_>) -> Result<BTreeMap<String, f64>, Problems> {
    let Some(value) = section.get(lr_mult::KEY) else {
        return Ok(BTreeMap::new());
    };
    let Some(table) = value.value.get_ref().as_table() else {
        let expected = "a table from positions and names to factors, such as { \"0-5\" = 0.1 }";
        return Err(vec![value.wrong(expected)]);
    };
    let mut told = Problems::new();
    let mut factors = BTreeMap::new();
    for (pattern, factor) in table {
        let pattern: &str = pattern.get_ref();
        let factor = Value {
            key: format!("{}.{pattern:?}", value.key),
            value: factor,
            texts: value.texts,
        };
        match number(factor.value.get_ref()) {
            None => told.push(factor.wrong("a factor on the rate, such as 0.1")),
            Some(number) => match lr_mult::validate(number) {
                Ok(()) => {
                    factors.insert(pattern.to_owned(), number);
                }
                Err(invalid) => told.push(factor.refuse(&invalid.message)),
            },
        }
    }
    match told.is_empty() {
        true => Ok(factors),
        false => Err(told),
    }
}
