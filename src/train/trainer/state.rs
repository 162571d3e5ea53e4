//! The state of a trainer as a value: taken, put back to the same bits, and begun anew.

use std::collections::BTreeMap;
use std::path::Path;

use super::Trainer;
use crate::config::Bounds;
use crate::error::{Error, Result};
use crate::kernel::plan::{Key, Role};
use crate::model::{Tensor, Weights};
use crate::schedule::Policy;
use crate::train::setup;
use crate::train::state::State;

impl Trainer {
    /// Number of steps done since the trainer was made or begun.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn total_steps(&self) -> u64 {
        self.pace.total_steps
    }

    /// Steps of one pass over the training samples.
    #[must_use]
    pub fn steps_per_epoch(&self) -> u64 {
        self.feed.order.steps_per_epoch()
    }

    /// The layer that sees later tokens, where the next token of a text is to be predicted.
    #[must_use]
    pub fn answer_seen_by(&self) -> Option<&'static str> {
        let looks_ahead = || self.settled.config.looks_ahead();
        self.extent.is_stream().then(looks_ahead).flatten()
    }

    /// What `model.freeze` names, where the run begins with weights that are drawn.
    #[must_use]
    pub fn frozen_at_random(&self) -> Option<&[String]> {
        let frozen = &self.settled.config.freeze[..];
        (self.info.init.is_none() && !frozen.is_empty()).then_some(frozen)
    }

    /// The seed of initial weights, dropout and augmentation.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> &dyn Policy {
        &*self.schedule
    }

    /// What training changes, read from the device.
    ///
    /// # Errors
    /// A device that fails.
    pub fn state(&self) -> Result<State> {
        let mut tensors = BTreeMap::new();
        for (key, bytes) in self.changing() {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&self.workshop.read(key)?);
            if let Some(len) = self.state_len(key, bytes) {
                let (shape, values) = (vec![len], values[..len].to_vec());
                tensors.insert(key.to_string(), Tensor { shape, values });
                continue;
            }
            let named = Weights::from_flat(&self.training.network, &values).tensors;
            tensors.extend(named.into_iter().map(|(p, t)| (name_in(key, &p), t)));
        }
        Ok(State {
            seed: self.seed,
            order_seed: self.feed.order.seed(),
            done: self.done,
            updates: self.done.wrapping_add(self.ahead),
            observed: self.observed.clone(),
            tensors,
        })
    }

    /// Puts a state back, to the same bits: what is trained after it is what would have been trained
    /// after the state was taken, under the same schedule.
    ///
    /// # Errors
    /// [`Error::Argument`] for the state of another model or optimizer; then nothing is changed.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        self.check_state(state)?;
        for (key, bytes) in self.changing() {
            if self.state_len(key, bytes).is_some() {
                let values = &state.tensors[&key.to_string()].values;
                self.workshop.write(key, bytemuck::cast_slice(values))?;
                continue;
            }
            let parameters = self.training.network.parameters();
            let tensor = |p: &str| state.tensors[&name_in(key, p)].clone();
            let weights = Weights {
                tensors: parameters
                    .map(|p| (p.name.clone(), tensor(&p.name)))
                    .collect(),
                ..Weights::default()
            };
            let flat = weights.flat(&self.training.network);
            self.workshop.write(key, bytemuck::cast_slice(&flat))?;
        }
        self.seed = state.seed;
        self.feed.set_seed(state.order_seed);
        self.done = state.done;
        self.ahead = state.updates.wrapping_sub(state.done);
        self.observed.clone_from(&state.observed);
        self.tell_all();
        Ok(())
    }

    /// The length of a layer's state; `None` for what lies as the parameters do.
    fn state_len(&self, key: &Key, bytes: u64) -> Option<usize> {
        match key {
            Key::State(name) => {
                let mut states = self.training.network.states();
                let state = states.find(|state| state.name == *name)?;
                Some(state.len)
            }
            Key::Carried(..) => Some(bytes as usize / 4),
            _ => None,
        }
    }

    /// Refuses the state of another model or optimizer, by the first tensor that differs.
    fn check_state(&self, state: &State) -> Result<()> {
        let mut expected: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (key, bytes) in self.changing() {
            if let Some(len) = self.state_len(key, bytes) {
                expected.insert(key.to_string(), vec![len]);
                continue;
            }
            let parameters = self.training.network.parameters();
            expected.extend(parameters.map(|p| (name_in(key, &p.name), p.spec.shape.clone())));
        }
        let shape = |shape: Option<&Vec<usize>>| {
            shape.map_or_else(|| "nothing".into(), |shape| format!("the shape {shape:?}"))
        };
        let found = |name: &String| state.tensors.get(name).map(|tensor| &tensor.shape);
        let names = expected.keys().chain(state.tensors.keys());
        let mut wrong = names.filter(|name| found(name) != expected.get(*name));
        match wrong.next() {
            None => Ok(()),
            Some(name) => Err(Error::Argument {
                what: format!("state, tensor `{name}`"),
                found: shape(found(name)),
                expected: shape(expected.get(name)),
                help: "a state fits the trainer of the model and optimizer that it was taken from"
                    .into(),
            }),
        }
    }

    /// Begins again at step 0 as a new trainer with this seed and this schedule would: initial
    /// weights of `seed`, an optimizer's states of zero, running statistics as they start. Nothing is
    /// laid out, allocated or compiled. The order of the samples and the length stay; see
    /// [`Trainer::set_order_seed`] and [`Trainer::set_total_steps`].
    ///
    /// # Errors
    /// A device that fails.
    pub fn begin(&mut self, seed: u64, schedule: Box<dyn Policy>) -> Result<()> {
        for (key, bytes) in self.changing() {
            self.workshop.write(key, &vec![0; bytes as usize])?;
        }
        self.seed = seed;
        self.done = 0;
        self.ahead = 0;
        self.observed.clear();
        self.set_schedule(schedule);
        let weights = self.network().initial_weights(seed);
        self.set_weights(&weights, Path::new("initial weights"))
    }

    /// Lets the optimizer forget: its states become zero, and it counts its updates from here.
    ///
    /// # Errors
    /// A device that fails.
    pub fn forget_moments(&mut self) -> Result<()> {
        let zero = vec![0; 4 * self.training.network.floats()];
        for name in self.training.optimizer.states() {
            self.workshop.write(&Key::Optimizer(name), &zero)?;
        }
        self.ahead = self.done.wrapping_neg();
        Ok(())
    }

    /// Tells the schedule the loss of the validation set with the weights as they are, for policies
    /// that depend on it. [`Trainer::run`] does so at each evaluation; [`Trainer::advance`] does not.
    pub fn observe(&mut self, loss: f64) {
        if self.schedule.reads_evaluations() {
            self.observed.push((self.done, loss.to_bits()));
            self.tell_all();
        }
    }

    /// Tells the schedule all that was observed, and nothing else.
    fn tell_all(&mut self) {
        let observed = self.observed.iter();
        let all: Vec<_> = observed
            .map(|(done, bits)| (*done, f64::from_bits(*bits)))
            .collect();
        self.schedule.observe(&all);
    }

    /// Trains under another schedule from here on, which is told what was observed so far; gives the
    /// one that it had.
    pub fn set_schedule(&mut self, schedule: Box<dyn Policy>) -> Box<dyn Policy> {
        self.info.schedule = schedule.describe();
        self.info.period = schedule.period();
        let before = std::mem::replace(&mut self.schedule, schedule);
        self.tell_all();
        before
    }

    /// Where the schedule's bounds come from, where a range test found them.
    #[must_use]
    pub fn bounds(&self) -> Option<&Bounds> {
        self.settled.bounds.as_ref()
    }

    /// Trains between bounds that are known by now: what is `"auto"` in the schedule is settled with
    /// them. The run's description then holds them and where they come from.
    ///
    /// # Errors
    /// As [`Config::settle`](crate::config::Config::settle).
    pub fn adopt(&mut self, bounds: &Bounds) -> Result<()> {
        let settled = self.settled.config.settle(self.extent, Some(bounds))?;
        self.info.config = setup::config_text(&settled, &self.about);
        self.set_schedule(settled.schedule.clone());
        self.settled = settled;
        Ok(())
    }

    /// Draws the order of the samples from another seed than `data.seed`; the validation set stays.
    pub fn set_order_seed(&mut self, seed: u64) {
        self.feed.set_seed(seed);
    }

    /// Trains to this step, not to the end of `train.epochs` or `train.steps`.
    pub fn set_total_steps(&mut self, steps: u64) {
        self.pace.total_steps = steps;
        self.info.total_steps = steps;
    }

    /// The buffers that training changes and a later step reads, with their lengths in bytes.
    fn changing(&self) -> impl Iterator<Item = (&Key, u64)> {
        let buffers = self.steps.plan.buffers.iter();
        let changing = buffers.filter(|b| matches!(b.key.role(), Role::Parameters | Role::State));
        changing.map(|buffer| (&buffer.key, buffer.bytes))
    }
}

/// The name in a state of what the buffer `key` holds of a parameter.
fn name_in(key: &Key, parameter: &str) -> String {
    match key {
        Key::Optimizer(state) => format!("{state}/{parameter}"),
        _ => parameter.to_owned(),
    }
}
