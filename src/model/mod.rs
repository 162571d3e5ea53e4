//! A list of layers becomes a network: shapes, parameters and plans.

mod build;
mod description;
mod elsewhere;
mod file;
mod freeze;
mod gather;
mod network;
mod pattern;
mod rates;
mod request;
mod weights;

pub use crate::layer::NamedParameter;
pub use build::{OUTPUTS, evaluation_plan, plan};
pub use description::{Description, MEAN_IMAGE};
pub use file::Model;
pub use gather::{GATHERED, gather_plan};
pub use network::{LayerRow, Network, Training};
pub use request::PlanRequest;
pub use weights::{Tensor, Weights};
