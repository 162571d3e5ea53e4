//! The first dispatch of a plan: the batch from the samples.

use super::Network;
use super::request::{PlanRequest, Shared};
use crate::data::{Padding, Storage};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernel::builder::{MAX_ITERATIONS, grid};
use crate::kernel::plan::Key;
use crate::kernel::{Builder, Call, Element, Matrix, Mode, Plan, Value, shaders};
use crate::shape::Shape;

/// What the batch is kept as in a plan of [`gather_plan`].
pub const GATHERED: Key = Key::Kept("gathered");

/// The plan of the gathering alone, as [`super::plan`] begins with it: for those who look at what
/// a network is given. The batch stays in the buffer [`GATHERED`], and lies as the value says.
///
/// # Errors
/// A size that the adapter cannot run.
pub fn gather_plan(network: &Network, gpu: &Gpu, request: &PlanRequest) -> Result<(Plan, Value)> {
    let mut b = request.builder(gpu);
    let shared = Shared::new(&mut b, network, request);
    let x = gather(&mut b, network, request, &shared)?;
    b.keep(x, GATHERED);
    Ok((b.finish(), x))
}

/// Appends the gathering: cast and normalise, with changes at random where a training step wants
/// them.
pub(super) fn gather(
    b: &mut Builder,
    network: &Network,
    request: &PlanRequest,
    shared: &Shared,
) -> Result<Value> {
    b.set_label("data");
    let shape = network.input();
    let elements = shape.elements();
    let mut x = match network.nodes() {
        [first, ..] if first.fit.takes_rows => b.value("x", elements),
        _ => b.shaped("x", &shape),
    };
    if let Shape::Tokens { .. } = shape {
        x.element = Element::U32;
    }
    let augmented = request.mode != Mode::Evaluate && !request.augment.is_off();
    let what = if augmented {
        "gather, augment"
    } else {
        "gather"
    };
    let call = Call::new(b.label(what), grid(x.matrix.rows * x.matrix.quads(), 64)?)
        .place("samples", shared.samples)
        .place("indices", shared.indices)
        .value("x", x)
        .matrix(x.matrix)
        .work(
            format!("{}x{elements}", request.batch),
            5 * request.batch * elements,
        )
        .flops(2 * request.batch * elements);
    if let Shape::Tokens { .. } = shape {
        b.dispatch(&shaders::named("data/gather_tokens"), "gather", call);
        return Ok(x);
    }
    let call = call.place("mean", shared.mean).place("scale", shared.scale);
    match shape {
        Shape::Picture {
            channels,
            height,
            width,
        } if augmented => {
            let call = colouring(b, call, request, shared, [channels, height * width])?;
            let call = augmenting(b, call, request, x)
                .u32("channels", channels)
                .u32("height", height)
                .u32("width", width);
            let entry = if x.geometry().is_some() {
                "pixels"
            } else {
                "features"
            };
            b.dispatch(&shaders::named("data/augment"), entry, call);
        }
        _ => plain(b, call, request, x),
    }
    Ok(x)
}

/// A gathering that changes nothing.
fn plain(b: &mut Builder, call: Call, request: &PlanRequest, x: Value) {
    let storage = request.storage.name();
    if let Shape::Sequence { steps, .. } = x.shape {
        let name = format!("data/gather_steps_{storage}");
        b.dispatch(&shaders::named(&name), "gather", call.u32("steps", steps));
        return;
    }
    match x.geometry() {
        Some(geometry) => {
            let call = call
                .channels(x)
                .u32("height", geometry.height)
                .u32("width", geometry.width);
            let name = format!("data/gather_pixels_{storage}");
            b.dispatch(&shaders::named(&name), "gather", call);
        }
        None => {
            let name = format!("data/gather_{storage}");
            b.dispatch(&shaders::named(&name), "gather", call);
        }
    }
}

/// What the shader `data/augment` is told of colours, after the dispatch of the mean greys where contrast
/// changes.
fn colouring(
    b: &mut Builder,
    call: Call,
    request: &PlanRequest,
    shared: &Shared,
    [channels, plane]: [usize; 2],
) -> Result<Call> {
    let augment = &request.augment;
    let mut call = call.u32("colours", usize::from(augment.is_coloured()));
    for (key, [low, span]) in augment.factors() {
        call = call.f32(key, low).f32(&format!("{key}_span"), span);
    }
    if augment.contrast == 0.0 {
        return Ok(call.idle("greys", shared.scale));
    }
    let greys = mean_greys(b, request, shared, [channels, plane])?;
    Ok(call.value("greys", greys))
}

/// Pixels of a picture whose mean grey one workgroup finds, at most: its invocations share them, and one
/// adds their sums up.
const MOST_PIXELS: usize = 64 * (MAX_ITERATIONS as usize - 64);

/// Appends the mean grey of each picture of the batch.
fn mean_greys(
    b: &mut Builder,
    request: &PlanRequest,
    shared: &Shared,
    [channels, plane]: [usize; 2],
) -> Result<Value> {
    if plane > MOST_PIXELS {
        return Err(Error::Capacity {
            what: "augment.contrast".into(),
            needed: format!("the mean of {plane} pixels by one workgroup"),
            adapter: "a portable kernel".into(),
            available: format!("{MOST_PIXELS}"),
            help: "leave augment.contrast out, or take smaller pictures".into(),
        });
    }
    let greys = b.matrix("mean greys", Matrix::new(1, request.batch));
    let [(_, [low, span]), ..] = request.augment.factors();
    let elements = request.batch * channels * plane;
    let call = Call::new(b.label("mean grey"), grid(64 * request.batch, 64)?)
        .place("samples", shared.samples)
        .place("indices", shared.indices)
        .value("greys", greys)
        .u32("rows", request.batch)
        .u32("channels", channels)
        .u32("plane", plane)
        .f32("brightness", low)
        .f32("brightness_span", span)
        .work(format!("{}x{}", request.batch, channels * plane), elements)
        .flops(6 * elements);
    b.dispatch(&shaders::named("data/mean_grey"), "means", call);
    Ok(greys)
}

/// What the shader `data/augment` is told besides.
fn augmenting(b: &mut Builder, call: Call, request: &PlanRequest, x: Value) -> Call {
    let augment = &request.augment;
    let listed = request.slots * request.batch;
    let places = b.shared(Key::Places(b.mode().user()), 32 * listed as u64);
    call.place("places", places)
        .u32("channel_quads", x.channel_quads())
        .u32("floats", usize::from(request.storage == Storage::Floats))
        .u32("reflect", usize::from(augment.padding == Padding::Reflect))
        .u32("affine", usize::from(augment.is_affine()))
        .f32("flip", augment.horizontal_flip)
        .f32("vertical_flip", augment.vertical_flip)
        .u32("shift", augment.shift)
        .u32("cutout", augment.cutout)
}
