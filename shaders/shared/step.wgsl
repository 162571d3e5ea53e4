// What changes from step to step. The host fills one slot of the step ring for each step of a
// chunk; a kernel sees its own step's slot. Rust twin: `StepUniform` in src/train/ring.rs.
struct Step {
    // The learning rate and the momentum of this step.
    lr: f32,
    momentum: f32,
    // 1 / targets of the whole update that count: what turns sums over them into means.
    inv_count: f32,
    // Samples in this batch; those from here on are idle.
    count: u32,
    // Where this batch starts in the list of sample indices.
    start: u32,
    // The step's place in its chunk: where its results go.
    slot: u32,
    // The step, as two words.
    step_low: u32,
    step_high: u32,
    // Keys of the random streams of this step.
    key_dropout: vec2<u32>,
    key_augment: vec2<u32>,
    key_user: vec2<u32>,
    // The place of the batch's first sample among all samples of the update: random numbers belong to
    // a sample's place there, whatever batches they come in.
    first_sample: u32,
    // 1 where layers go on from the states that they carry from batch to batch; 0 where they begin at
    // zero.
    carry: u32,
    // Four words of the optimizer's own, computed on the host.
    optimizer: vec4<f32>,
    // How many tokens later than their index says the windows of this batch begin.
    phase: u32,
    spare_0: u32,
    spare_1: u32,
    spare_2: u32,
}
