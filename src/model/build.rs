//! The plan of a network: gather, forward, loss, backward, update.

use super::Network;
use super::gather::gather;
use crate::data::{Augment, Storage};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::builder::Phase;
use crate::kernel::plan::{Bound, Key, Use};
use crate::kernel::{Builder, Mode, Parameter, Plan, Value};
use crate::layer::chain::Chain;
use crate::loss::{BLOCK, LossSite};
use crate::optim::{UpdateSite, accumulate, gradient_norm};

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanRequest {
    /// Training or evaluation.
    pub mode: Mode,
    /// Samples of a batch.
    pub batch: usize,
    /// Batches of a training step, at most.
    pub accumulate: usize,
    /// Most batches of one chunk.
    pub slots: usize,
    /// How samples lie on the device.
    pub storage: Storage,
    /// Number of samples that lie on the device at a time.
    pub samples: usize,
    /// How pictures are changed at random.
    pub augment: Augment,
}

impl PlanRequest {
    /// Places (pairs of floats) between the results of two batches: the optimizer's, one for each
    /// block of rows, and in training those of the gradient's norm.
    #[must_use]
    pub fn results_stride(&self) -> usize {
        let norm = match self.mode {
            Mode::Train => gradient_norm::PARTS,
            Mode::Evaluate | Mode::Statistics => 0,
        };
        self.norm_first() + norm
    }

    /// The first place of the gradient's norm in the results of a step's last batch.
    #[must_use]
    pub fn norm_first(&self) -> usize {
        1 + self.batch.div_ceil(BLOCK)
    }

    /// Whose buffers the plan uses, where training and evaluation each have their own.
    #[must_use]
    pub fn user(&self) -> Use {
        self.mode.user()
    }
}

/// What [`plan_with_outputs`] keeps the network's outputs as: a row for each sample,
/// padded to a multiple of four.
pub const OUTPUTS: Key = Key::Kept("outputs");

/// A builder for plans of a request.
pub(super) fn plan_builder(gpu: &Gpu, request: &PlanRequest) -> Builder {
    Builder::new(gpu.target(), request.mode, request.batch)
}

/// Builds the plan of `network` for `gpu`'s kernel class.
///
/// # Errors
/// A size that the adapter cannot run.
pub fn plan(network: &Network, gpu: &Gpu, request: &PlanRequest) -> Result<Plan> {
    build(network, gpu, request, false)
}

/// Like [`plan`]; the outputs of the last step can be read from the buffer [`OUTPUTS`].
///
/// # Errors
/// As [`plan`].
pub fn plan_with_outputs(network: &Network, gpu: &Gpu, request: &PlanRequest) -> Result<Plan> {
    build(network, gpu, request, true)
}

/// The most floats of a value of all samples of a step, whose elements u32 counts: 8 GiB.
const LARGEST_STEP: u64 = 1 << 31;

/// Refuses a step whose values no adapter holds, by the layer with the largest.
fn check_step(network: &Network, gpu: &Gpu, batch: usize) -> Result<()> {
    let floats = |shape: &Vec<usize>| shape.iter().product::<usize>() as u64;
    let shapes = network.shapes().iter().map(floats).enumerate();
    let Some((at, largest)) = shapes.max_by_key(|(_, floats)| *floats) else {
        return Ok(());
    };
    let all = (batch as u64).checked_mul(largest);
    if all.is_some_and(|all| all <= LARGEST_STEP) {
        return Ok(());
    }
    let what = match at.checked_sub(1) {
        Some(position) => format!("the output of model.layers[{position}]"),
        None => "the input".to_owned(),
    };
    Err(Error::Capacity {
        what,
        needed: format!("{batch} x {largest} floats in a step"),
        available: format!("bindings of {} bytes", gpu.max_binding_bytes()),
        adapter: gpu.description().name.clone(),
        help: "lower data.batch, or the size of the layer".into(),
    })
}

fn build(network: &Network, gpu: &Gpu, request: &PlanRequest, outputs: bool) -> Result<Plan> {
    check_step(network, gpu, request.batch)?;
    let mut b = plan_builder(gpu, request);
    b.shared(Key::Parameters, 4 * network.floats() as u64);
    if request.mode == Mode::Train {
        b.shared(Key::Gradients, 4 * network.floats() as u64);
    }
    let shared = Shared::new(&mut b, network, request);
    let input = gather(&mut b, network, request, &shared)?;
    let places: Vec<Parameter> = network.parameters().iter().map(|p| p.place).collect();
    let chain = Chain {
        layers: network.layers(),
        shapes: network.shapes(),
        parameters: &places,
        path: "",
        first_leaf: 0,
    };
    let values = chain.forward(&mut b, input)?;
    b.set_label(network.loss().name());
    let x = values[values.len() - 1];
    if outputs {
        b.keep(x, OUTPUTS);
    }
    let dy = network
        .loss()
        .forward(&mut b, &shared.loss_site(x, request))?;
    if request.mode == Mode::Train {
        b.set_phase(Phase::Backward);
        chain.backward(&mut b, &values, dy, false)?;
        b.set_phase(Phase::Accumulate);
        let gradients = b.shared(Key::Gradients, 0);
        accumulate::accumulate(&mut b, gradients, network.floats(), request.accumulate)?;
        b.set_phase(Phase::Update);
        update(&mut b, network, request, &shared)?;
    }
    Ok(b.finish())
}

/// The buffers that are filled from outside.
pub(super) struct Shared {
    pub(super) samples: Bound,
    labels: Bound,
    pub(super) indices: Bound,
    pub(super) mean: Bound,
    pub(super) scale: Bound,
    rows: Bound,
    results: Bound,
}

impl Shared {
    pub(super) fn new(b: &mut Builder, network: &Network, request: &PlanRequest) -> Self {
        let elements: usize = network.shapes()[0].iter().product();
        // A load of four elements may reach beyond the last sample.
        let sample_bytes =
            (request.samples * elements * request.storage.size() + 16).next_multiple_of(16);
        let listed = request.slots * request.batch;
        let table = 4 * elements.next_multiple_of(4) as u64;
        let results = 8 * request.slots * request.results_stride();
        Self {
            samples: b.shared(Key::Samples, sample_bytes as u64),
            labels: b.shared(Key::Targets, 4 * request.samples as u64),
            indices: b.shared(Key::Indices(request.user()), 4 * listed as u64),
            mean: b.shared(Key::Mean, table),
            scale: b.shared(Key::Scale, table),
            rows: b.shared(Key::Rows(request.user()), 8 * listed as u64),
            results: b.shared(Key::Results(request.user()), results as u64),
        }
    }

    fn loss_site(&self, x: Value, request: &PlanRequest) -> LossSite {
        LossSite {
            x,
            labels: self.labels,
            indices: self.indices,
            rows: self.rows,
            results: self.results,
            results_stride: request.results_stride(),
        }
    }
}

fn update(
    b: &mut Builder,
    network: &Network,
    request: &PlanRequest,
    shared: &Shared,
) -> Result<()> {
    b.set_label(network.optimizer().name());
    let floats = network.floats();
    let site = UpdateSite {
        parameters: b.shared(Key::Parameters, 0),
        gradients: b.shared(Key::Gradients, 0),
        multipliers: b.shared(Key::Multipliers, 8 * (floats / 64) as u64),
        results: shared.results,
        results_stride: request.results_stride(),
        floats,
    };
    gradient_norm::gradient_norm(b, &site, request.norm_first())?;
    network.optimizer().update(b, &site)
}
