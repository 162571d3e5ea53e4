//! What a plan is made for, and the buffers that are filled from outside.

use super::Network;
use crate::data::{Augment, Storage};
use crate::gpu::Gpu;
use crate::kernel::plan::{Bound, Key, Use};
use crate::kernel::{Builder, Mode, Value};
use crate::loss::{BLOCK, LossSite};
use crate::optim::gradient_norm;

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
    /// Targets of one sample: the positions of the network's output.
    pub positions: usize,
    /// Numbers that are to be predicted for each sample; 0 where targets are classes.
    pub numbers: usize,
    /// Classes that have weights in the loss; 0 where it has none.
    pub class_weights: usize,
    /// How samples lie on the device.
    pub storage: Storage,
    /// Number of samples that lie on the device at a time.
    pub samples: usize,
    /// How pictures are changed at random.
    pub augment: Augment,
    /// The norm that gradients are clipped to before the update.
    pub clip_norm: Option<f64>,
}

impl PlanRequest {
    /// Places (pairs of floats) between the results of two batches: the optimizer's, one for each
    /// block of rows, and in training those of the gradient's norm and of clipping.
    #[must_use]
    pub fn results_stride(&self) -> usize {
        let norm = match self.mode {
            Mode::Train => gradient_norm::PARTS + usize::from(self.clip_norm.is_some()),
            Mode::Evaluate | Mode::Statistics => 0,
        };
        self.norm_first() + norm
    }

    /// The first place of the gradient's norm in the results of a step's last batch.
    #[must_use]
    pub fn norm_first(&self) -> usize {
        1 + (self.batch * self.positions).div_ceil(BLOCK)
    }

    /// The place of the norm and the factor in the results of a step, where gradients are clipped.
    #[must_use]
    pub fn clip_place(&self) -> Option<usize> {
        self.clip_norm
            .map(|_| self.norm_first() + gradient_norm::PARTS)
    }

    /// Words of 32 bits that the targets of one sample take.
    #[must_use]
    pub fn target_words(&self) -> usize {
        match self.numbers {
            0 => self.positions,
            numbers => numbers,
        }
    }

    /// Whose buffers the plan uses, where training and evaluation each have their own.
    #[must_use]
    pub fn user(&self) -> Use {
        self.mode.user()
    }

    /// A builder for plans of this request.
    pub(super) fn builder(&self, gpu: &Gpu) -> Builder {
        Builder::new(gpu.target(), self.mode, self.batch)
    }
}

/// The buffers that are filled from outside.
pub(super) struct Shared {
    pub(super) samples: Bound,
    targets: Bound,
    class_weights: Option<Bound>,
    pub(super) indices: Bound,
    pub(super) mean: Bound,
    pub(super) scale: Bound,
    rows: Bound,
    pub(super) results: Bound,
}

impl Shared {
    pub(super) fn new(b: &mut Builder, network: &Network, request: &PlanRequest) -> Self {
        let elements = network.input().elements();
        // A load of four elements may reach beyond the last sample.
        let sample_bytes =
            (request.samples * elements * request.storage.size() + 16).next_multiple_of(16);
        let listed = request.slots * request.batch;
        let table = 4 * elements.next_multiple_of(4) as u64;
        let results = 8 * request.slots * request.results_stride();
        Self {
            samples: b.shared(Key::Samples, sample_bytes as u64),
            targets: b.shared(
                Key::Targets,
                4 * (request.samples * request.target_words()) as u64,
            ),
            class_weights: (request.class_weights > 0).then(|| {
                let quads = request.class_weights.div_ceil(4);
                b.shared(Key::ClassWeights, 16 * quads as u64)
            }),
            indices: b.shared(Key::Indices(request.user()), 4 * listed as u64),
            mean: b.shared(Key::Mean, table),
            scale: b.shared(Key::Scale, table),
            rows: b.shared(
                Key::Rows(request.user()),
                8 * (listed * request.positions) as u64,
            ),
            results: b.shared(Key::Results(request.user()), results as u64),
        }
    }

    pub(super) fn loss_site(&self, x: Value, request: &PlanRequest) -> LossSite {
        LossSite {
            x,
            targets: self.targets,
            numbers: request.numbers > 0,
            class_weights: self.class_weights,
            indices: self.indices,
            rows: self.rows,
            results: self.results,
            results_stride: request.results_stride(),
            positions: request.positions,
        }
    }
}
