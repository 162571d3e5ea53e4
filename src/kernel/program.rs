//! A plan on a device: pipelines, bind groups, and the commands of its steps.

mod timing;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::bind::{self, DIMS, STEP};
use super::pipeline::{Pipeline, Pipelines};
use super::plan::{Bound, Dispatch, ImageSpec, Key, Op, Plan, Role, SLOT_BYTES};
use super::recorder::{self, Recorder};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Readback};

/// The shared buffers of a model on a device, whose kernels are compiled once. All plans of a model are
/// realised by one workshop.
#[derive(Debug)]
pub struct Workshop {
    gpu: Arc<Gpu>,
    pipelines: Arc<Pipelines>,
    buffers: HashMap<Key, wgpu::Buffer>,
    ring: wgpu::Buffer,
    ring_group: wgpu::BindGroup,
    slots: usize,
    /// Staging buffers that no submission uses.
    free: Vec<Readback>,
}

/// A submission with what is read back after it.
#[derive(Debug)]
pub(crate) struct Ticket {
    submission: wgpu::SubmissionIndex,
    reads: Vec<(Readback, u64)>,
}

#[derive(Debug)]
enum Command {
    Dispatch(Launch),
    Copy {
        buffer: wgpu::Buffer,
        offset: u64,
        texture: wgpu::Texture,
        spec: ImageSpec,
    },
}

/// A dispatch, ready to be recorded.
#[derive(Debug)]
struct Launch {
    pipeline: Arc<Pipeline>,
    group: wgpu::BindGroup,
    reads_step: bool,
    grid: [u32; 3],
}

impl Launch {
    /// Appends it to a pass; the step's uniform lies `offset` bytes into the ring.
    fn record(&self, pass: &mut wgpu::ComputePass<'_>, ring: &wgpu::BindGroup, offset: u32) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        if self.reads_step {
            pass.set_bind_group(1, ring, &[offset]);
        }
        pass.dispatch_workgroups(self.grid[0], self.grid[1], self.grid[2]);
    }
}

/// Which phases of a plan to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phases {
    /// Forward alone.
    Forward,
    /// Forward and backward.
    Gradients,
    /// Adds the sum of this level to the gradients.
    Add(usize),
    /// Keeps the gradients as the sum of this level.
    Keep(usize),
    /// The update alone.
    Update,
    /// All commands of a plan, in order: a whole training step of one batch.
    Step,
}

/// A realised plan.
#[derive(Debug)]
pub struct Program {
    commands: Vec<Command>,
    /// Where forward, backward and the sums of gradients end.
    ends: [usize; 3],
}

impl Program {
    /// Where the commands of some phases lie among all.
    pub(crate) fn range(&self, phases: Phases) -> Range<usize> {
        let [forward, backward, sums] = self.ends;
        match phases {
            Phases::Forward => 0..forward,
            Phases::Gradients => 0..backward,
            Phases::Add(level) => backward + 2 * level..backward + 2 * level + 1,
            Phases::Keep(level) => backward + 2 * level + 1..backward + 2 * level + 2,
            Phases::Update => sums..self.commands.len(),
            Phases::Step => 0..self.commands.len(),
        }
    }

    /// The commands of some phases.
    fn commands(&self, phases: Phases) -> &[Command] {
        &self.commands[self.range(phases)]
    }

    /// Number of all commands.
    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }
}

impl Workshop {
    /// A workshop with a step ring of `slots` slots.
    #[must_use]
    pub fn new(gpu: Arc<Gpu>, slots: usize) -> Self {
        let pipelines = Pipelines::of(&gpu);
        let ring = gpu.buffer(
            "step ring",
            SLOT_BYTES * slots as u64,
            wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        );
        let ring_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("step ring"),
            layout: &pipelines.step_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                // The slot, not the whole buffer: a dynamic offset must leave the binding inside.
                resource: bind::slice(&ring, 0, SLOT_BYTES),
            }],
        });
        Self {
            gpu,
            pipelines,
            buffers: HashMap::new(),
            ring,
            ring_group,
            slots,
            free: Vec::new(),
        }
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Number of slots of the step ring: most steps of one chunk.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Number of pipelines made on its device so far.
    #[must_use]
    pub fn pipelines(&self) -> usize {
        self.pipelines.len()
    }

    /// Fills the step ring from its first slot on: slots of [`SLOT_BYTES`] bytes. Takes effect
    /// before the next submission.
    pub fn write_ring(&self, slots: &[u8]) {
        self.gpu.queue.write_buffer(&self.ring, 0, slots);
    }

    /// Fills a shared buffer from its start on.
    ///
    /// # Errors
    /// If no plan has that buffer.
    pub fn write(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.write_at(key, 0, bytes)
    }

    /// Fills a shared buffer from byte `at` on, a multiple of four.
    ///
    /// # Errors
    /// If no plan has that buffer.
    pub(crate) fn write_at(&self, key: &Key, at: u64, bytes: &[u8]) -> Result<()> {
        let buffer = self.shared(key)?;
        self.gpu.queue.write_buffer(buffer, at, &padded(bytes));
        Ok(())
    }

    /// The bytes of a shared buffer.
    ///
    /// # Errors
    /// If no plan has that buffer, or the device fails.
    pub fn read(&self, key: &Key) -> Result<Vec<u8>> {
        let buffer = self.shared(key)?;
        self.gpu.read(buffer, 0, buffer.size())
    }

    /// A shared buffer.
    pub(crate) fn shared(&self, key: &Key) -> Result<&wgpu::Buffer> {
        self.buffers.get(key).ok_or_else(|| {
            self.gpu
                .failure(format!("no plan has a buffer called {key}"))
        })
    }

    /// Makes everything that a plan needs: after this nothing is allocated or compiled.
    ///
    /// # Errors
    /// A plan that was made for another device, a buffer that the adapter cannot hold, a binding that
    /// does not fit its shader, a driver's refusal.
    pub fn realize(&mut self, plan: &Plan) -> Result<Program> {
        self.check_target(plan)?;
        self.check_capacity(plan)?;
        let buffers: Vec<wgpu::Buffer> = plan.buffers.iter().map(|spec| self.make(spec)).collect();
        let images: Vec<wgpu::Texture> = plan.images.iter().map(|spec| self.image(spec)).collect();
        let views: Vec<wgpu::TextureView> = images
            .iter()
            .zip(&plan.images)
            .map(|(texture, spec)| view(texture, spec))
            .collect();
        let kernels = plan.kernels.iter();
        let kernels: Result<Vec<Arc<Pipeline>>> = kernels
            .map(|planned| self.pipelines.get(&self.gpu, planned))
            .collect();
        let kernels = kernels?;
        let dims = self.dims_buffer(plan, &kernels)?;
        let mut commands = Vec::new();
        let mut index = 0;
        for op in plan.ops() {
            commands.push(match op {
                Op::Dispatch(dispatch) => {
                    index += 1;
                    let at = SLOT_BYTES * (index - 1);
                    let kernel = Arc::clone(&kernels[dispatch.kernel]);
                    self.command((plan, dispatch, kernel), &buffers, &views, (&dims, at))?
                }
                Op::CopyToImage {
                    buffer,
                    offset,
                    image,
                } => Command::Copy {
                    buffer: buffers[*buffer].clone(),
                    offset: *offset,
                    texture: images[*image].clone(),
                    spec: plan.images[*image].clone(),
                },
            });
        }
        self.gpu.check()?;
        let backward = plan.forward.len() + plan.backward.len();
        let sums = backward + plan.accumulate.len();
        Ok(Program {
            commands,
            ends: [plan.forward.len(), backward, sums],
        })
    }

    /// Refuses a plan that was made for another device: its kernels could run and be wrong.
    fn check_target(&self, plan: &Plan) -> Result<()> {
        match plan.target.misfit(&self.gpu.target()) {
            None => Ok(()),
            Some([needed, available]) => Err(Error::Capacity {
                what: "a plan that was made for another adapter".into(),
                needed,
                available,
                adapter: self.gpu.description().name.clone(),
                help: "make the plan anew from the model, with the device that runs it".into(),
            }),
        }
    }

    fn check_capacity(&self, plan: &Plan) -> Result<()> {
        let too_large = |key: &Key, bytes: u64, available: String| Error::Capacity {
            what: format!("the buffer of {key}"),
            needed: mebibytes(bytes),
            available,
            adapter: self.gpu.description().name.clone(),
            help: "use a smaller data.batch or smaller layers".into(),
        };
        let most = self.gpu.max_buffer_bytes();
        if let Some(spec) = plan.buffers.iter().find(|spec| spec.bytes > most) {
            let available = format!("{} in one buffer", mebibytes(most));
            return Err(too_large(&spec.key, spec.bytes, available));
        }
        let most = self.gpu.max_binding_bytes();
        let dispatches = plan.ops().filter_map(|op| match op {
            Op::Dispatch(dispatch) => Some(dispatch),
            Op::CopyToImage { .. } => None,
        });
        for (_, bound) in dispatches.flat_map(|dispatch| &dispatch.bindings) {
            if let Bound::Buffer { buffer, bytes, .. } = *bound
                && bytes > most
            {
                let available = format!("{} in one binding", mebibytes(most));
                return Err(too_large(&plan.buffers[buffer].key, bytes, available));
            }
        }
        for spec in &plan.images {
            let side = spec.width.max(spec.height);
            if side > self.gpu.max_texture_side() {
                return Err(Error::Capacity {
                    what: format!("the texture of {}", spec.name),
                    needed: format!("a side of {side}"),
                    available: self.gpu.max_texture_side().to_string(),
                    adapter: self.gpu.description().name.clone(),
                    help: "use a smaller data.batch or smaller layers".into(),
                });
            }
        }
        Ok(())
    }

    fn make(&mut self, spec: &super::plan::BufferSpec) -> wgpu::Buffer {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let name = spec.key.to_string();
        if spec.key.role() == Role::Value {
            return self.gpu.buffer(&name, spec.bytes, usage);
        }
        if let Some(buffer) = self.buffers.get(&spec.key)
            && buffer.size() >= spec.bytes
        {
            return buffer.clone();
        }
        let buffer = self.gpu.buffer(&name, spec.bytes, usage);
        self.buffers.insert(spec.key.clone(), buffer.clone());
        buffer
    }

    fn image(&self, spec: &super::plan::ImageSpec) -> wgpu::Texture {
        let [width, height] = spec.sides();
        self.gpu.asks_for(&spec.name, spec.bytes());
        self.gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some(&spec.name),
            size: wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: spec.depth(),
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        })
    }

    /// One buffer with the uniforms of all dispatches, written once.
    fn dims_buffer(&self, plan: &Plan, kernels: &[Arc<Pipeline>]) -> Result<wgpu::Buffer> {
        let mut bytes = Vec::new();
        for dispatch in plan.dispatches() {
            let pipeline = &kernels[dispatch.kernel];
            let mut slot = vec![0_u8; SLOT_BYTES as usize];
            if let Some(binding) = pipeline.entry.bindings.get(DIMS) {
                bind::fill_dims(binding, dispatch, &mut slot)
                    .map_err(|problem| kernel_error(plan, dispatch, problem))?;
            }
            bytes.extend_from_slice(&slot);
        }
        let buffer = self.gpu.buffer(
            DIMS,
            bytes.len() as u64,
            wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        );
        self.gpu.queue.write_buffer(&buffer, 0, &bytes);
        Ok(buffer)
    }

    fn command(
        &self,
        (plan, dispatch, pipeline): (&Plan, &Dispatch, Arc<Pipeline>),
        buffers: &[wgpu::Buffer],
        views: &[wgpu::TextureView],
        dims: (&wgpu::Buffer, u64),
    ) -> Result<Command> {
        bind::check(&pipeline.entry, dispatch)
            .map_err(|problem| kernel_error(plan, dispatch, problem))?;
        let mut entries = Vec::new();
        for binding in pipeline.entry.bindings.values().filter(|b| b.group == 0) {
            let resource = if binding.name == DIMS {
                bind::slice(dims.0, dims.1, SLOT_BYTES)
            } else {
                match bind::bound(dispatch, &binding.name) {
                    Bound::Buffer {
                        buffer,
                        offset,
                        bytes,
                        ..
                    } => bind::slice(&buffers[buffer], offset, bytes),
                    Bound::Image(image) => wgpu::BindingResource::TextureView(&views[image]),
                }
            };
            entries.push(wgpu::BindGroupEntry {
                binding: binding.binding,
                resource,
            });
        }
        let group = self
            .gpu
            .device
            .create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&dispatch.label),
                layout: &pipeline.layout,
                entries: &entries,
            });
        Ok(Command::Dispatch(Launch {
            reads_step: pipeline.entry.bindings.contains_key(STEP),
            pipeline,
            group,
            grid: dispatch.grid,
        }))
    }

    /// Appends the commands of one step whose uniform lies in `slot`.
    pub(crate) fn encode(
        &self,
        recorder: &mut Recorder,
        program: &Program,
        phases: Phases,
        slot: usize,
    ) {
        let offset = (SLOT_BYTES * slot as u64) as u32;
        for command in program.commands(phases) {
            match command {
                Command::Dispatch(launch) => {
                    launch.record(recorder.pass(), &self.ring_group, offset);
                }
                Command::Copy {
                    buffer,
                    offset,
                    texture,
                    spec,
                } => recorder::copy_to_texture(recorder.encoder(), buffer, *offset, texture, spec),
            }
        }
    }

    /// Runs `steps` steps of a program, whose uniforms are in the step ring, and waits: for tests
    /// and measurements. The engine keeps the device busy instead.
    ///
    /// # Errors
    /// A device that fails.
    pub fn run(&mut self, program: &Program, phases: Phases, steps: usize) -> Result<()> {
        let mut recorder = self.recorder();
        for slot in 0..steps {
            self.encode(&mut recorder, program, phases, slot);
        }
        let ticket = self.submit_and_read(recorder, &[])?;
        self.take(ticket).map(|_| ())
    }

    /// A recorder of commands for one submission.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder::new(&self.gpu)
    }

    /// Submits what was recorded and asks for the first bytes of some shared buffers.
    pub(crate) fn submit_and_read(
        &mut self,
        mut recorder: Recorder,
        wanted: &[(Key, u64)],
    ) -> Result<Ticket> {
        let mut reads = Vec::with_capacity(wanted.len());
        for (key, bytes) in wanted {
            let readback = self.staging(*bytes);
            readback.copy(recorder.encoder(), self.shared(key)?, 0, *bytes);
            reads.push((readback, *bytes));
        }
        let submission = self.gpu.queue.submit([recorder.finish()]);
        for (readback, bytes) in &reads {
            readback.map(*bytes);
        }
        Ok(Ticket { submission, reads })
    }

    /// A staging buffer of at least `bytes` bytes: one that is free, or a new one.
    fn staging(&mut self, bytes: u64) -> Readback {
        match self.free.iter().position(|free| free.bytes() >= bytes) {
            Some(at) => self.free.swap_remove(at),
            None => Readback::new(&self.gpu, bytes),
        }
    }

    /// Waits for a submission; gives the bytes that were asked for.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Result<Vec<Vec<u8>>> {
        self.gpu.finish(Some(ticket.submission))?;
        let mut all = Vec::with_capacity(ticket.reads.len());
        for (readback, bytes) in ticket.reads {
            all.push(readback.take(&self.gpu, bytes)?);
            self.free.push(readback);
        }
        Ok(all)
    }
}

/// Bytes filled up to a multiple of four, as copies want them.
fn padded(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if bytes.len().is_multiple_of(4) {
        return bytes.into();
    }
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.into()
}

fn kernel_error(plan: &Plan, dispatch: &Dispatch, problem: String) -> Error {
    let kernel = &plan.kernels[dispatch.kernel];
    Error::Kernel {
        kernel: format!(
            "{}::{} ({})",
            kernel.shader.name, kernel.entry, dispatch.label
        ),
        problem,
    }
}

/// A number of bytes for people.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A texture as shaders see it: pictures as layers, even where there is only one.
fn view(texture: &wgpu::Texture, spec: &ImageSpec) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(match spec.layers {
            0 => wgpu::TextureViewDimension::D2,
            _ => wgpu::TextureViewDimension::D2Array,
        }),
        ..Default::default()
    })
}
