//! wavetrain trains neural networks under cyclical learning rates, through hand-written WGSL
//! compute shaders, on any GPU or on a software adapter.
//!
//! The engine without the program: samples in memory, a configuration, an observer.
//!
//! ```
//! use wavetrain::{Config, Dataset, Event, Flow, Gpu, Samples, Selection, Trainer};
//!
//! # fn main() -> wavetrain::Result<()> {
//! // Two classes of points on a line: left and right of zero.
//! let points: Vec<f32> = (0..256).map(|i| (i as f32 - 127.5) / 64.0).collect();
//! let labels: Vec<u32> = points.iter().map(|x| u32::from(*x > 0.0)).collect();
//! let samples = Samples::from_floats(&[1], points, labels)?;
//! let dataset = Dataset::new("sides", samples.clone(), samples, 2)?;
//!
//! let config = Config::parse(
//!     "sides.toml",
//!     r#"
//!     data.batch = 32
//!     model.layers = [{ linear = 8 }, "relu", { linear = 2 }]
//!     schedule = { policy = "triangular", base_lr = 0.01, max_lr = 0.2, step_size_up = 40 }
//!     train.epochs = 10
//!     "#,
//! )?;
//! let gpu = Gpu::open(&Selection::default())?;
//! let summary = Trainer::new(gpu, config, dataset)?.run(&mut [&mut |event: &Event<'_>| {
//!     if let Event::Steps(steps) = event {
//!         assert!(steps.iter().all(|step| step.loss.is_finite()));
//!     }
//!     Ok(Flow::Continue)
//! }])?;
//! assert!(summary.evaluations[0].accuracy > 0.95);
//! # Ok(())
//! # }
//! ```
//!
//! # What do you want to do?
//!
//! | task | where |
//! |---|---|
//! | train my data | the example above, and `examples/train_your_own_data.rs`; [`Samples`] in memory, [`data::Samples::new`] for any [`data::Inputs`], [`source`] for files |
//! | my schedule | [`schedule::Policy`], `examples/own_policy.rs`; [`config::Schedule`] takes any policy |
//! | my layer | [`layer::Layer`], `examples/own_layer.rs` with its shader; [`config::Tables`] |
//! | predict | below: [`model::Model::open`], [`train::Evaluator::predict`]; [`train::Generator`] for text |
//! | resume | [`report::checkpoints`] keeps [`train::Checkpoint`]s; [`Trainer::resume`] goes on |
//! | find the bounds of a rate | [`lab::find`] |
//! | compare | [`lab::compare`]: [`lab::compare::conduct`]; its page: [`page::comparison`] |
//!
//! # Predicting
//!
//! A file of weights describes its network, so that nothing else is needed to use it:
//!
//! ```
//! use wavetrain::model::Model;
//! use wavetrain::train::{Evaluator, Prediction};
//! # use wavetrain::{Config, Dataset, Gpu, Samples, Selection, Trainer};
//! # fn main() -> wavetrain::Result<()> {
//! # let points: Vec<f32> = (0..256).map(|i| (i as f32 - 127.5) / 64.0).collect();
//! # let labels: Vec<u32> = points.iter().map(|x| u32::from(*x > 0.0)).collect();
//! # let samples = Samples::from_floats(&[1], points, labels)?;
//! # let dataset = Dataset::new("sides", samples.clone(), samples, 2)?;
//! # let config = Config::parse("sides.toml", r#"
//! # model.layers = [{ linear = 8 }, "relu", { linear = 2 }]
//! # schedule = { policy = "triangular", base_lr = 0.01, max_lr = 0.2, step_size_up = 40 }
//! # train.steps = 80
//! # "#)?;
//! # let gpu = std::sync::Arc::new(Gpu::open(&Selection::default())?);
//! # let mut trainer = Trainer::new(gpu.clone(), config, dataset)?;
//! # trainer.run(&mut [])?;
//! # let folder = tempfile::tempdir().map_err(wavetrain::Error::io("a folder", "making"))?;
//! # let file = folder.path().join("model.safetensors");
//! // What `wavetrain train` writes as model.safetensors.
//! let bytes = trainer.weights()?.to_safetensors()?;
//! std::fs::write(&file, bytes).map_err(wavetrain::Error::io(&file, "writing"))?;
//!
//! let model = Model::open(&file)?;
//! let mut network = Evaluator::new(gpu, &model, 64)?;
//! let told = network.predict(vec![-1.5_f32, 1.5])?; // two samples of one value each
//! let Prediction::Classes(right) = &told[1] else { panic!("classes") };
//! assert_eq!(right[0].class, 1);
//! assert!(right[0].probability > 0.5);
//! # Ok(())
//! # }
//! ```
//!
//! # The map of the house
//!
//! A module uses only modules below it; `ARCHITECTURE.md` says which, and why.
//!
//! | floor | modules |
//! |---|---|
//! | the roof | [`cli`]: the program, one file for each command |
//! | pages | [`page`]: the page of a run, of a range test, of a comparison |
//! | watchers | [`report`]: run folder, metrics, the terminal |
//! | questions | [`lab`]: range tests and comparisons; [`mod@bench`]: figures of an adapter; [`export`]: models for other programs |
//! | the engine | [`train`]: order of the data, step ring, chunks, evaluation, events |
//! | whole networks | [`model`]: layers become a plan; [`config`]: TOML becomes values |
//! | parts | [`layer`], [`loss`], [`optim`]: one file each, with an f64 reference |
//! | products | [`product`]: matrix products and convolutions in their classes |
//! | shaders | [`kernel`]: WGSL becomes dispatches, the plan becomes commands |
//! | sources | [`source`]: data sets, one file each; [`fetch`]: downloads |
//! | ground | [`schedule`]: policies; [`data`]: samples; [`picture`]: files of pictures; [`gpu`]: the adapter; [`draw`]: charts |
//! | bedrock | [`error`], [`args`], [`rng`], [`onnx`] |
//!
//! To read one training step from the outside in: `src/main.rs`, `src/cli/train.rs`,
//! `src/train/run.rs`, `src/model/build.rs`, `src/layer/linear.rs`, `shaders/lanes/matmul.wgsl`.

#![warn(clippy::print_stdout, clippy::print_stderr)] // results go through `cli::output`

pub mod args;
pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod data;
pub mod disk;
pub mod draw;
pub mod error;
pub mod export;
pub mod fetch;
pub mod gpu;
pub mod kernel;
pub mod lab;
pub mod layer;
pub mod loss;
pub mod model;
pub mod onnx;
pub mod optim;
pub mod page;
pub mod picture;
pub mod product;
pub mod report;
pub mod rng;
pub mod schedule;
pub mod shape;
pub mod source;
pub mod train;

pub use config::Config;
pub use data::{Dataset, Samples};
pub use error::{Error, Result};
pub use gpu::{Gpu, Selection};
pub use train::{Event, Flow, Observer, Trainer};

/// The crate behind [`layer::Layer::arguments`], in the version that the signatures mean.
pub use toml;
