//! The engine: data order, step ring, chunks, evaluation; it emits events.
//!
//! A reader's way: `setup` says what follows from a configuration and a data set, [`Trainer::new`]
//! lays it out once, [`Trainer::run`] is the loop over chunks. The parts that a trainer is put
//! together from know nothing of it: `feed` sends batches, `chunk` fills the step ring and submits,
//! `evaluate` measures. `record` is what they give, `checkpoint` a whole run in the middle as a value.

mod archive;
mod augment;
mod cadence;
mod checkpoint;
mod chunk;
mod confusion;
mod describe;
mod divergence;
mod ensemble;
mod errors;
mod evaluate;
mod evaluator;
pub mod event;
mod feed;
mod generate;
mod likely;
mod low_point;
mod members;
mod parts;
mod patience;
mod predict;
mod readers;
mod record;
pub mod ring;
mod run;
mod run_state;
mod scores;
mod setup;
mod state;
mod tally;
mod texts;
mod trainer;
mod updates;

pub use checkpoint::Checkpoint;
pub use confusion::Confusion;
pub use describe::config_of;
pub use ensemble::Ensemble;
pub use errors::{Errors, Predicted};
pub use evaluate::{RowResult, evaluation_batch};
pub use evaluator::{Evaluator, Measured, Outputs, Together};
pub use event::{Event, Flow, Observer};
pub use generate::{Generator, Sampling};
pub use likely::{Likely, likely};
pub use predict::{InputValues, Prediction};
pub use record::{
    Change, Ended, Evaluation, LowPoint, NumberRecord, NumbersRecord, Split, StepRecord, Summary,
    SymbolRecord,
};
pub use ring::StepUniform;
pub use run_state::RunState;
pub use scores::{ClassScore, class_scores};
pub use state::State;
pub use trainer::Trainer;
