//! Pictures that are changed at random: what the shader is told for each sample of a chunk, and a
//! strip of examples.

use super::event::Augmented;
use super::ring::{self, StepUniform};
use super::setup::Trainer;
use crate::data::{Augment, Values};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Value, plan};
use crate::model::{GATHERED, Network, PlanRequest, gather_plan};
use crate::rng::Key;

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
}

impl Strip {
    /// Nothing where nothing is changed.
    pub(super) fn new(
        workshop: &mut Workshop,
        network: &Network,
        gpu: &Gpu,
        request: &PlanRequest,
    ) -> Result<Option<Self>> {
        if request.augment.is_off() {
            return Ok(None);
        }
        let augment = Augment::default();
        let (plain, _) = gather_plan(
            network,
            gpu,
            &PlanRequest {
                augment,
                ..*request
            },
        )?;
        let (changed, x) = gather_plan(network, gpu, request)?;
        Ok(Some(Self {
            changed: workshop.realize(&changed)?,
            plain: workshop.realize(&plain)?,
            x,
        }))
    }
}

impl Trainer {
    /// Sends the place that each turned picture of a chunk comes from, where pictures are turned.
    pub(super) fn send_places(&self, slots: &[StepUniform]) -> Result<()> {
        let request = &self.train_request;
        let &[_, height, width] = &self.network.shapes()[0][..] else {
            return Ok(());
        };
        if !request.augment.is_affine() {
            return Ok(());
        }
        let mut places = vec![[0.0_f32; 4]; 2 * request.batch * slots.len()];
        for slot in slots {
            for row in 0..slot.count {
                let key = Key(slot.key_augment);
                let place = request.augment.draw(key, row, height, width);
                let at = 2 * (slot.start + row) as usize;
                for (line, [x, y, constant]) in place.place(height, width).iter().enumerate() {
                    places[at + line] = [*x, *y, *constant, 0.0];
                }
            }
        }
        self.workshop.write(
            &plan::Key::Places(request.user()),
            bytemuck::cast_slice(&places),
        )
    }

    /// The first samples of the first step, each as it is and as the first steps would change it,
    /// made by the kernel that the steps run; none where nothing is changed.
    ///
    /// # Errors
    /// A device that fails.
    pub fn augmented(&mut self) -> Result<Vec<Augmented>> {
        let Some(strip) = self.strip.take() else {
            return Ok(Vec::new());
        };
        let all = self.examples(&strip);
        self.strip = Some(strip);
        all
    }

    fn examples(&mut self, strip: &Strip) -> Result<Vec<Augmented>> {
        let request = self.train_request;
        let elements: usize = self.network.shapes()[0].iter().product();
        let row = elements * (1 + VARIANTS as usize);
        let samples = SAMPLES.min((LARGEST / row.max(1)).max(2));
        let chosen = self.order.batch(0);
        let chosen = chosen[..samples.min(chosen.len())].to_vec();
        let mut indices = vec![0; request.batch];
        indices[..chosen.len()].copy_from_slice(&chosen);
        self.send_samples(&mut indices, request.user())?;
        let originals = self.pictures(&strip.plain, strip.x, (chosen.len(), 0))?;
        let shades = Shades::new(&self.dataset.test.values, &originals);
        let mut all: Vec<Augmented> = (chosen.iter().zip(&originals))
            .map(|(index, original)| Augmented {
                index: *index as usize,
                label: self.dataset.train.labels[*index as usize] as usize,
                pixels: vec![shades.pixels(original)],
            })
            .collect();
        for step in 0..VARIANTS {
            let variants = self.pictures(&strip.changed, strip.x, (chosen.len(), step))?;
            for (sample, variant) in all.iter_mut().zip(variants) {
                sample.pixels.push(shades.pixels(&variant));
            }
        }
        Ok(all)
    }

    /// What `program` makes of the first `count` listed samples in `step`, before normalisation.
    fn pictures(
        &mut self,
        program: &Program,
        x: Value,
        (count, step): (usize, u64),
    ) -> Result<Vec<Vec<f32>>> {
        let slot = StepUniform {
            count: count as u32,
            ..StepUniform::new(self.seed, step)
        };
        self.send_places(&[slot])?;
        self.workshop.write_ring(&ring::bytes(&[slot]));
        self.workshop.run(program, Phases::Forward, 1)?;
        let [values, mean, scale] = [GATHERED, plan::Key::Mean, plan::Key::Scale].map(|key| {
            let bytes = self.workshop.read(&key);
            bytes.map(|bytes| bytemuck::pod_collect_to_vec::<u8, f32>(&bytes))
        });
        let (values, mean, scale) = (x.load(&values?), mean?, scale?);
        let value = |(x, (scale, mean)): (&f32, (&f32, &f32))| x / scale + mean;
        let pictures = values.chunks_exact(values.len() / self.train_request.batch);
        Ok(pictures
            .take(count)
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
    fn new(values: &Values, originals: &[Vec<f32>]) -> Self {
        match values {
            Values::Bytes(_) => Self {
                low: 0.0,
                high: 255.0,
            },
            Values::Floats(_) => {
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
