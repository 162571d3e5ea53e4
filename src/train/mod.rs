//! The engine (floor 5): data order, step ring, chunks, evaluation; it emits events.
//!
//! A reader's way: `setup` says what follows from a configuration and a data set, [`Trainer::new`]
//! lays it out once, [`Trainer::run`] is the loop over chunks. The parts that a trainer is put
//! together from know nothing of it: `feed` sends batches, `chunk` fills the step ring and submits,
//! `evaluate` measures.

mod augment;
mod chunk;
mod describe;
mod ensemble;
mod evaluate;
mod evaluator;
pub mod event;
mod feed;
mod likely;
mod low_point;
mod patience;
pub mod ring;
mod run;
mod setup;
mod trainer;

pub use describe::config_of;
pub use ensemble::Ensemble;
pub use evaluate::{Outcome, evaluation_batch};
pub use evaluator::{Evaluator, Measured, Outputs, Together};
pub use event::{Evaluation, Event, Flow, LowPoint, Observer, Split, StepRecord, Summary};
pub use likely::{Likely, likely};
pub use ring::StepUniform;
pub use trainer::{State, Trainer};
