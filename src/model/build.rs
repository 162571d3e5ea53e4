//! The plan of a network: gather, forward, loss, backward, update.

use super::gather::gather;
use super::request::{PlanRequest, Shared};
use super::{Network, Training};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::builder::Phase;
use crate::kernel::plan::Key;
use crate::kernel::{Builder, Mode, Plan, Value};
use crate::layer::Node;
use crate::layer::chain::Trace;
use crate::loss::Loss;
use crate::optim::{UpdateSite, accumulate, clip_norm, gradient_norm};

/// What [`evaluation_plan`] keeps the network's outputs as: a row for each sample,
/// padded to a multiple of four.
pub const OUTPUTS: Key = Key::Kept("outputs");

/// Builds the plan of a training step for `gpu`'s kernel class.
///
/// # Errors
/// A size that the adapter cannot run.
pub fn plan(training: &Training, gpu: &Gpu, request: &PlanRequest) -> Result<Plan> {
    let network = &training.network;
    let mut pass = forward(network, &*training.loss, gpu, request, false)?;
    let b = &mut pass.b;
    b.set_phase(Phase::Backward);
    network.chain().backward(b, &pass.trace, pass.dy, false)?;
    b.add_twins()?;
    b.set_phase(Phase::Accumulate);
    let gradients = b.shared(Key::Gradients, 0);
    accumulate::accumulate(b, gradients, network.floats(), request.accumulate)?;
    b.set_phase(Phase::Update);
    update(b, training, request, &pass.shared)?;
    pass.b.finish().checked()
}

/// Builds the plan of a forward pass alone; with `outputs` the network's outputs of the last step can
/// be read from the buffer [`OUTPUTS`].
///
/// # Errors
/// A size that the adapter cannot run.
pub fn evaluation_plan(
    network: &Network,
    loss: &dyn Loss,
    gpu: &Gpu,
    request: &PlanRequest,
    outputs: bool,
) -> Result<Plan> {
    let pass = forward(network, loss, gpu, request, outputs)?;
    pass.b.finish().checked()
}

/// The most floats of a value of all samples of a step, whose elements u32 counts: 8 GiB.
const LARGEST_STEP: u64 = 1 << 31;

/// Refuses a step whose values no adapter holds, by the layer with the largest.
fn check_step(network: &Network, gpu: &Gpu, batch: usize) -> Result<()> {
    let outputs = network.nodes().iter().map(Node::output);
    let shapes = std::iter::once(network.input()).chain(outputs);
    let shapes = shapes.map(|shape| shape.elements() as u64).enumerate();
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

/// A plan whose forward pass stands.
struct Pass {
    b: Builder,
    trace: Trace,
    /// Gradient of the loss by the network's output.
    dy: Value,
    shared: Shared,
}

fn forward(
    network: &Network,
    loss: &dyn Loss,
    gpu: &Gpu,
    request: &PlanRequest,
    outputs: bool,
) -> Result<Pass> {
    check_step(network, gpu, request.batch)?;
    let mut b = request.builder(gpu);
    b.shared(Key::Parameters, 4 * network.floats() as u64);
    if request.mode == Mode::Train {
        b.shared(Key::Gradients, 4 * network.floats() as u64);
        let frozen = network.parameters().filter(|p| p.frozen);
        b.freeze(frozen.map(|p| p.place.offset));
    }
    let shared = Shared::new(&mut b, network, request);
    let input = gather(&mut b, network, request, &shared)?;
    let trace = network.chain().forward(&mut b, input)?;
    b.set_label(loss.name());
    let x = trace.output();
    if outputs {
        b.keep(x, OUTPUTS);
    }
    let dy = loss.forward(&mut b, &shared.loss_site(x, request))?;
    Ok(Pass {
        b,
        trace,
        dy,
        shared,
    })
}

fn update(
    b: &mut Builder,
    training: &Training,
    request: &PlanRequest,
    shared: &Shared,
) -> Result<()> {
    b.set_label(training.optimizer.name());
    let floats = training.network.floats();
    let site = UpdateSite {
        parameters: b.shared(Key::Parameters, 0),
        gradients: b.shared(Key::Gradients, 0),
        multipliers: b.shared(Key::Multipliers, 8 * (floats / 64) as u64),
        results: shared.results,
        results_stride: request.results_stride(),
        floats,
    };
    let parts = request.norm_first();
    gradient_norm::gradient_norm(b, &site, parts)?;
    if let (Some(norm), Some(place)) = (request.clip_norm, request.clip_place()) {
        clip_norm::clip_norm(b, &site, norm, parts, place)?;
    }
    training.optimizer.update(b, &site)
}
