//! Pictures that are changed at random: what the shader is told for each sample of a chunk, and a
//! strip of examples.

use super::feed::{Feed, Residence, Submission};
use super::record::Augmented;
use super::ring::StepUniform;
use super::updates::Batch;
use crate::data::{Augment, Storage};
use crate::error::Result;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Value, plan};
use crate::model::{GATHERED, Network, PlanRequest, gather_plan};
use crate::rng::Key;
use crate::shape::Shape;

/// Most samples of a strip, each with its variants below it.
const SAMPLES: usize = 8;
/// Variants of each sample: what the first steps would make of it.
const VARIANTS: u64 = 5;
/// Most values of a strip, where it has more than two samples: it becomes part of a page.
const LARGEST: usize = 1 << 20;

/// The gathering alone, with and without changes.
#[derive(Debug)]
pub(super) struct Strip {
    changed: Program,
    plain: Program,
    x: Value,
    request: PlanRequest,
    /// Shape of a sample.
    shape: Shape,
}

/// Sends the place that each turned picture of the batches in `slots` comes from, where pictures of
/// `shape` are turned.
pub(super) fn send_places(
    workshop: &Workshop,
    request: &PlanRequest,
    shape: &Shape,
    slots: &[StepUniform],
) -> Result<()> {
    let Shape::Picture { height, width, .. } = *shape else {
        return Ok(());
    };
    if !request.augment.is_affine() {
        return Ok(());
    }
    let mut places = vec![[0.0_f32; 4]; 2 * request.batch * slots.len()];
    for (batch, slot) in slots.iter().enumerate() {
        for row in 0..slot.count {
            let key = Key(slot.key_augment);
            let place = request
                .augment
                .draw(key, slot.first_sample + row, height, width);
            let at = 2 * (batch * request.batch + row as usize);
            for (line, [x, y, constant]) in place.place(height, width).iter().enumerate() {
                places[at + line] = [*x, *y, *constant, 0.0];
            }
        }
    }
    let to = plan::Key::Places(request.user());
    workshop.write(&to, bytemuck::cast_slice(&places))
}

impl Strip {
    /// Nothing where nothing is changed.
    pub(super) fn new(
        workshop: &mut Workshop,
        network: &Network,
        request: &PlanRequest,
    ) -> Result<Option<Self>> {
        if request.augment.is_off() {
            return Ok(None);
        }
        let augment = Augment::default();
        let unchanged = PlanRequest {
            augment,
            ..*request
        };
        let (plain, _) = gather_plan(network, workshop.gpu(), &unchanged)?;
        let (changed, x) = gather_plan(network, workshop.gpu(), request)?;
        Ok(Some(Self {
            changed: workshop.realize(&changed)?,
            plain: workshop.realize(&plain)?,
            x,
            request: *request,
            shape: network.input(),
        }))
    }

    /// The first samples of the first step, each as it is and as the first steps of a run with
    /// `seed` would change it, made by the kernel that the steps run.
    pub(super) fn examples(
        &self,
        workshop: &mut Workshop,
        feed: &mut Feed,
        seed: u64,
    ) -> Result<Vec<Augmented>> {
        let elements = self.shape.elements();
        let row = elements * (1 + VARIANTS as usize);
        let samples = SAMPLES.min((LARGEST / row.max(1)).max(2));
        let first = feed.order.update(0).batches().next();
        let first = first.map_or(&[][..], |batch| batch.samples);
        let chosen = first[..samples.min(first.len())].to_vec();
        let mut pictures = |program: &Program, step: u64| {
            let batch = Batch::alone(step, &chosen);
            self.pictures(workshop, &feed.residence(), program, seed, &batch)
        };
        let originals = pictures(&self.plain, 0)?;
        let variants: Vec<_> = (0..VARIANTS)
            .map(|step| pictures(&self.changed, step))
            .collect::<Result<_>>()?;
        let shades = Shades::new(feed.test().storage(), &originals);
        let example = |(at, index): (usize, &u32)| Augmented {
            index: *index as usize,
            label: feed.label(*index) as usize,
            pixels: std::iter::once(&originals)
                .chain(&variants)
                .map(|pictures| shades.pixels(&pictures[at]))
                .collect(),
        };
        Ok(chosen.iter().enumerate().map(example).collect())
    }

    /// What `program` makes of the samples of a batch, before normalisation.
    fn pictures(
        &self,
        workshop: &mut Workshop,
        residence: &Residence<'_>,
        program: &Program,
        seed: u64,
        batch: &Batch<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        let mut submission = Submission::new(self.request.batch, seed);
        submission.push(batch);
        send_places(workshop, &self.request, &self.shape, &submission.slots)?;
        residence.send(workshop, &self.request, &submission)?;
        workshop.run(program, Phases::Forward, 1)?;
        let [values, mean, scale] = [GATHERED, plan::Key::Mean, plan::Key::Scale].map(|key| {
            let bytes = workshop.read(&key);
            bytes.map(|bytes| bytemuck::pod_collect_to_vec::<u8, f32>(&bytes))
        });
        let (values, mean, scale) = (self.x.load(&values?), mean?, scale?);
        let value = |(x, (scale, mean)): (&f32, (&f32, &f32))| x / scale + mean;
        let pictures = values.chunks_exact(values.len() / self.request.batch);
        Ok(pictures
            .take(batch.samples.len())
            .map(|picture| {
                picture
                    .iter()
                    .zip(scale.iter().zip(&mean))
                    .map(value)
                    .collect()
            })
            .collect())
    }
}

/// How values become bytes to look at: bytes stay, floats are spread from the least to the largest.
struct Shades {
    low: f32,
    high: f32,
}

impl Shades {
    fn new(storage: Storage, originals: &[Vec<f32>]) -> Self {
        match storage {
            Storage::Bytes => Self {
                low: 0.0,
                high: 255.0,
            },
            Storage::Floats | Storage::Tokens => {
                let all = || originals.iter().flatten().copied();
                Self {
                    low: all().fold(f32::INFINITY, f32::min),
                    high: all().fold(f32::NEG_INFINITY, f32::max),
                }
            }
        }
    }

    fn pixels(&self, picture: &[f32]) -> Vec<u8> {
        let span = (self.high - self.low).max(f32::MIN_POSITIVE);
        let shade = |v: &f32| ((v - self.low) / span * 255.0).round().clamp(0.0, 255.0) as u8;
        picture.iter().map(shade).collect()
    }
}
