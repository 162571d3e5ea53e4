//! What travels to the device for each step.

use crate::kernel::plan::SLOT_BYTES;
use crate::rng::{Key, Stream};

/// One slot of the step ring: the twin of `Step` in `shaders/shared/step.wgsl`, field by field
/// (a test compares the two through naga).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct StepUniform {
    /// The learning rate of this step.
    pub lr: f32,
    /// The momentum of this step.
    pub momentum: f32,
    /// 1 / samples of the whole update, all its batches together.
    pub inv_count: f32,
    /// Samples in the batch.
    pub count: u32,
    /// Where the batch starts in the list of sample indices.
    pub start: u32,
    /// The batch's place in its chunk.
    pub slot: u32,
    /// The step, low word.
    pub step_low: u32,
    /// The step, high word.
    pub step_high: u32,
    /// Key of the dropout stream at this step.
    pub key_dropout: [u32; 2],
    /// Key of the augmentation stream at this step.
    pub key_augment: [u32; 2],
    /// Key of the stream that is free for own layers.
    pub key_user: [u32; 2],
    /// The place of the batch's first sample among all samples of the update.
    pub first_sample: u32,
    /// 1 where layers go on from the states that they carry from batch to batch; 0 where they begin at
    /// zero.
    pub carry: u32,
    /// The optimizer's own words.
    pub optimizer: [f32; 4],
    /// How many tokens later than their index says the windows of the batch begin.
    pub phase: u32,
    /// Unused, and so are the next two.
    pub spare_0: u32,
    /// Unused.
    pub spare_1: u32,
    /// Unused.
    pub spare_2: u32,
}

impl StepUniform {
    /// A slot for step `step` of a run, with the keys of its random streams.
    #[must_use]
    pub fn new(seed: u64, step: u64) -> Self {
        Self {
            lr: 0.0,
            momentum: 0.0,
            inv_count: 0.0,
            count: 0,
            start: 0,
            slot: 0,
            step_low: step as u32,
            step_high: (step >> 32) as u32,
            key_dropout: Key::new(seed, Stream::Dropout, step).0,
            key_augment: Key::new(seed, Stream::Augment, step).0,
            key_user: Key::new(seed, Stream::User, step).0,
            first_sample: 0,
            carry: 0,
            optimizer: [0.0; 4],
            phase: 0,
            spare_0: 0,
            spare_1: 0,
            spare_2: 0,
        }
    }
}

/// The slots of a chunk as bytes, each at its place in the ring.
#[must_use]
pub fn bytes(slots: &[StepUniform]) -> Vec<u8> {
    let mut bytes = vec![0; slots.len() * SLOT_BYTES as usize];
    for (slot, place) in slots
        .iter()
        .zip(bytes.chunks_exact_mut(SLOT_BYTES as usize))
    {
        place[..size_of::<StepUniform>()].copy_from_slice(bytemuck::bytes_of(slot));
    }
    bytes
}
