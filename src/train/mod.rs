//! The engine (floor 5): data order, step ring, chunks, evaluation; it emits events.
//!
//! A reader's way: [`Trainer::new`] lays everything out once, [`Trainer::run`] is the loop over
//! chunks, `chunk` fills the step ring and submits, `evaluate` measures.

mod augment;
mod chunk;
mod describe;
mod ensemble;
mod evaluate;
mod evaluator;
pub mod event;
mod likely;
mod low_point;
mod order;
mod patience;
pub mod ring;
mod run;
mod setup;
mod state;

pub use describe::config_of;
pub use ensemble::Ensemble;
pub use evaluate::Outcome;
pub use evaluator::{Evaluator, Measured, Outputs, Together, evaluation_batch};
pub use event::{Evaluation, Event, Flow, LowPoint, Observer, Split, StepRecord, Summary};
pub use likely::{Likely, likely};
pub use ring::StepUniform;
pub use setup::Trainer;
pub use state::State;
