//! From WGSL to commands: composition, reflection, binding by name, the plan and its
//! realisation on a device.
//!
//! A reader's way: [`source`] composes and validates a shader, [`reflect`] reads what it binds,
//! [`builder`] is what layers append their dispatches to, [`plan`] is the result as data, and
//! [`program`] turns it into commands.

mod bind;
pub mod builder;
mod element;
pub mod matrix;
mod pipeline;
pub mod plan;
pub mod program;
mod recorder;
pub mod reflect;
pub mod shaders;
mod slots;
pub mod source;

pub use builder::{Builder, Call, Mode};
pub use element::Element;
pub use matrix::{Geometry, Matrix, Parameter, Value};
pub use plan::{Plan, Word};
pub use source::Shader;
