//! Rates of their own for parameters that patterns name.

use std::collections::BTreeMap;

use super::pattern::{Place, names};
use super::{NamedParameter, Network};
use crate::args::is_f32;
use crate::error::Result;

const PLACE: Place = Place {
    key: "optimizer.lr_mult",
    expected: "factors for positions (\"3\", \"0-5\") and names (\"7.*\") of parameters, at most one for each",
};

impl Network {
    /// Multiplies the learning rate of the parameters that patterns name ([`Network::freeze`]), each with
    /// its factor, by these; the layers' own multipliers (`lr_mult`) stay and count besides. What no
    /// pattern names keeps its rate.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a pattern that names no parameter, for a parameter
    /// that is frozen or that two of them name, where nothing is left to train, and for a product that
    /// no f32 holds.
    pub fn scale_rates(&mut self, factors: &BTreeMap<String, f64>) -> Result<()> {
        if factors.is_empty() {
            return Ok(());
        }
        PLACE.check(self, factors.keys())?;
        let mut found = BTreeMap::new();
        for parameter in self.parameters() {
            let mut own = factors
                .iter()
                .filter(|(pattern, _)| names(pattern, &parameter.name, parameter.layer));
            let Some((pattern, factor)) = own.next() else {
                continue;
            };
            let name = &parameter.name;
            if parameter.frozen {
                let found =
                    format!("\"{pattern}\" names {name}, which model.freeze lets stay as it is");
                return Err(PLACE.refuse_with_names(self, found));
            }
            if let Some((other, _)) = own.next() {
                let twice = format!("both \"{pattern}\" and \"{other}\" name {name}");
                return Err(PLACE.refuse_with_names(self, twice));
            }
            let product = parameter.spec.lr_mult * factor;
            if !is_f32(product) {
                let found = format!(
                    "{factor} for {name}, whose layer has lr_mult {}",
                    parameter.spec.lr_mult
                );
                return Err(PLACE.refuse(found, "choose a product below 3.4e38".into()));
            }
            found.insert(parameter.place.offset, product);
        }
        let rate = |offset: usize, own: f64| found.get(&offset).copied().unwrap_or(own);
        let still = |p: &NamedParameter| rate(p.place.offset, p.spec.lr_mult) == 0.0;
        if self.parameters().all(still) {
            return Err(PLACE.refuse(
                "0 for all that is not frozen, and nothing is left to train".into(),
                "leave some parameters their rate".into(),
            ));
        }
        // Tied parameters are one stretch, with one rate.
        for parameter in self.specs() {
            parameter.spec.lr_mult = rate(parameter.place.offset, parameter.spec.lr_mult);
        }
        Ok(())
    }
}
