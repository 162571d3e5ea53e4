//! Where kernels are run: a workshop of one class, with a plan's texts changed on the way where a
//! defect is planted.

use std::sync::Arc;

use wavetrain::gpu::{ClassName, Gpu};
use wavetrain::kernel::plan::{Key as Buffer, Op};
use wavetrain::kernel::program::{Phases, Program, Workshop};
use wavetrain::kernel::{Builder, Matrix, Mode, Plan};
use wavetrain::rng::{Key, Stream, uniform};
use wavetrain::train::StepUniform;
use wavetrain::train::ring;

use super::adapter;

/// A defect: in the shaders whose name contains `shader`, `from` becomes `to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defect {
    pub(crate) shader: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

impl Defect {
    pub(crate) const fn new(shader: &'static str, from: &'static str, to: &'static str) -> Self {
        Self { shader, from, to }
    }
}

/// A workshop of one class.
pub(crate) struct Stage {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) class: ClassName,
    pub(crate) workshop: Workshop,
    defect: Option<Defect>,
    /// The largest binding that plans are made for, where it is not the adapter's.
    pub(crate) binding: Option<u64>,
    /// Kernels that the defect was planted in.
    pub(crate) planted: usize,
}

/// Slots of the step ring.
pub(crate) const SLOTS: usize = 32;

impl Stage {
    /// The classes that the adapter runs.
    pub(crate) fn classes() -> impl Iterator<Item = ClassName> {
        let runs = |class: &ClassName| adapter::gpu(*class).is_some();
        let classes: Vec<ClassName> = ClassName::ALL.into_iter().filter(runs).collect();
        assert!(classes.len() >= 2);
        classes.into_iter()
    }

    /// A stage for each class that the adapter runs.
    pub(crate) fn all() -> Vec<Self> {
        Self::classes()
            .filter_map(|class| Self::new(class, None))
            .collect()
    }

    /// A stage for one class; `None` where the adapter cannot run it.
    pub(crate) fn new(class: ClassName, defect: Option<Defect>) -> Option<Self> {
        let gpu = adapter::gpu(class)?;
        Some(Self {
            workshop: Workshop::new(Arc::clone(&gpu), SLOTS),
            gpu,
            class,
            defect,
            binding: None,
            planted: 0,
        })
    }

    pub(crate) fn builder(&self, mode: Mode, rows: usize) -> Builder {
        let mut target = self.gpu.target();
        if let Some(bytes) = self.binding {
            target.max_binding_bytes = bytes;
        }
        Builder::new(target, mode, rows)
    }

    /// Realises a plan, with the defect where there is one.
    pub(crate) fn realize(&mut self, plan: &mut Plan) -> Program {
        if let Some(defect) = self.defect {
            for kernel in &mut plan.kernels {
                let shader = &mut kernel.shader;
                if shader.name.contains(defect.shader) && shader.text.contains(defect.from) {
                    shader.text = shader.text.replace(defect.from, defect.to);
                    let valid = shader.reflect();
                    assert!(valid.is_ok(), "{defect:?} is no valid WGSL: {valid:?}");
                    self.planted += 1;
                }
            }
        }
        self.workshop.realize(plan).unwrap()
    }

    /// Runs `steps` of a program.
    pub(crate) fn run(&mut self, program: &Program, phases: Phases, steps: &[StepUniform]) {
        self.workshop.write_ring(&ring::bytes(steps));
        self.workshop.run(program, phases, steps.len()).unwrap();
    }

    pub(crate) fn write<T: bytemuck::Pod>(&self, key: &Buffer, values: &[T]) {
        self.workshop
            .write(key, bytemuck::cast_slice(values))
            .unwrap();
    }

    /// The first `count` values of a buffer.
    pub(crate) fn read<T: bytemuck::Pod>(&self, key: &Buffer, count: usize) -> Vec<T> {
        let bytes = self.workshop.read(key).unwrap();
        bytemuck::pod_collect_to_vec(&bytes[..count * size_of::<T>()])
    }

    /// A matrix with its padding.
    pub(crate) fn read_matrix(&self, key: &Buffer, matrix: Matrix) -> Vec<f32> {
        self.read(key, matrix.floats())
    }
}

/// Folds the grids of a plan's dispatches into two dimensions, as sizes above 65,535 workgroups
/// would: no result may change. Matrix products use both dimensions already.
pub(crate) fn fold(plan: &mut Plan) {
    for op in plan
        .forward
        .iter_mut()
        .chain(&mut plan.backward)
        .chain(&mut plan.accumulate)
        .chain(&mut plan.update)
    {
        if let Op::Dispatch(dispatch) = op
            && !["matmul", "conv2d_"].iter().any(|product| {
                plan.kernels[dispatch.kernel]
                    .shader
                    .name
                    .starts_with(product)
            })
        {
            let groups = dispatch.grid[0] * dispatch.grid[1];
            dispatch.grid = [groups.div_ceil(3), 3, 1];
        }
    }
}

/// A step of a run for tests, with `count` samples.
pub(crate) fn step(count: usize) -> StepUniform {
    StepUniform {
        count: count as u32,
        inv_count: (1.0 / count as f64) as f32,
        ..StepUniform::new(RUN_SEED, RUN_STEP)
    }
}

pub(crate) const RUN_SEED: u64 = 7;
/// Beyond 32 bits: the high word counts too.
pub(crate) const RUN_STEP: u64 = (3 << 32) + 5;

/// `n` made-up values within `low..high`, the same for the same seed.
pub(crate) fn values(seed: u64, n: usize, low: f32, high: f32) -> Vec<f32> {
    let key = Key::new(seed, Stream::Bench, 0);
    (0..n)
        .map(|i| low + (high - low) * uniform(key.words(i as u32, 0)[0]))
        .collect()
}
