//! The three proofs for every layer, loss and optimizer, looped over the tables:
//!
//! 1. `reference.rs`: the references are right (central differences in f64; for optimizers,
//!    PyTorch's values).
//! 2. `kernels.rs`, `losses.rs`, `number_losses.rs`, `optimizers.rs`, `gradient_norm.rs`, `accumulate.rs`, `clip_norm.rs`, `data.rs`, `augment.rs`:
//!    the kernels of every class equal the references, within bounds derived from the sums (`rounded.rs`, `functions.rs`, `followed.rs`).
//!    `defects.rs` proves these proofs: each fails for a kernel with one planted defect.
//! 3. `meaning.rs`: the meaning is PyTorch's, by golden files.
//!
//! They run on the adapter that is installed; a software one is enough.

mod accumulate;
#[path = "../support/adapter.rs"]
mod adapter;
mod alone;
mod augment;
mod bench;
mod by_token;
mod case;
mod clip_norm;
mod compare;
mod data;
mod defect_attention;
mod defect_data;
mod defect_losses;
mod defect_optim;
mod defect_products;
mod defect_steps;
mod defect_table;
mod defects;
mod drivers;
mod embedding;
mod followed;
mod functions;
mod golden;
mod gradient_norm;
mod kernels;
mod layout;
mod loss_stage;
mod losses;
mod matmul;
mod meaning;
mod nets;
mod norms;
mod number_losses;
mod optimizers;
mod parts;
mod places;
mod recurrent;
mod reference;
#[path = "../support/rounded.rs"]
mod rounded;
mod sequences;
mod shaders;
mod shapes;
mod stage;
mod table;
mod tenants;
mod verdict;
