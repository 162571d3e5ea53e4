//! Runs a product's shader on the adapter at hand.

use super::case::{Case, Matrix, UNTOUCHED};
use std::collections::{BTreeMap, BTreeSet};
use wavetrain::gpu::ClassName;
use wavetrain::kernel::matrix::stride;
use wavetrain::product::matmul::{Dims, Form, MatmulKernel, Operand, choose, flags};

/// What a kernel reads an operand from.
enum Bound {
    Buffer(wgpu::Buffer),
    Texture(wgpu::TextureView),
}

impl Bound {
    fn resource(&self) -> wgpu::BindingResource<'_> {
        match self {
            Self::Buffer(buffer) => buffer.as_entire_binding(),
            Self::Texture(view) => wgpu::BindingResource::TextureView(view),
        }
    }
}

/// The adapter that wgpu prefers, and the pipelines made so far.
pub(crate) struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pub(crate) lanes: u32,
    pub(crate) subgroups: bool,
    pipelines: BTreeMap<String, wgpu::ComputePipeline>,
}

impl Gpu {
    pub(crate) fn new() -> Self {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))
            .expect("an adapter; scripts/test installs one");
        let info = adapter.get_info();
        let subgroups = adapter.features().contains(wgpu::Features::SUBGROUP)
            && info.subgroup_min_size == info.subgroup_max_size;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: adapter.features() & wgpu::Features::SUBGROUP,
            ..Default::default()
        }))
        .expect("a device with default limits");
        let lanes = info.subgroup_min_size.clamp(4, 64);
        Self {
            device,
            queue,
            lanes,
            subgroups,
            pipelines: BTreeMap::new(),
        }
    }

    /// Every variant that [`choose`] gives on this adapter.
    pub(crate) fn variants(&self) -> BTreeSet<MatmulKernel> {
        let classes = [ClassName::Lanes, ClassName::LanesPlain, ClassName::Tiled];
        let shapes = [
            [8, 8, 8],
            [100, 512, 512],
            [128, 512, 512],
            [8192, 8192, 64],
        ];
        classes
            .into_iter()
            .filter(|class| self.subgroups || *class != ClassName::Lanes)
            .flat_map(|class| Form::ALL.map(|form| (class, form)))
            .flat_map(|(class, form)| {
                shapes.map(|[m, n, k]| choose(class, self.lanes, form, m, n, k))
            })
            .collect()
    }

    fn pipeline(&mut self, source: &str) -> wgpu::ComputePipeline {
        if let Some(pipeline) = self.pipelines.get(source) {
            return pipeline.clone();
        }
        let module = self
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            });
        self.pipelines.insert(source.to_owned(), pipeline.clone());
        pipeline
    }

    fn buffer(&self, bytes: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.len() as u64,
            usage: usage | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&buffer, 0, bytes);
        buffer
    }

    fn storage(&self, values: &[f32]) -> wgpu::Buffer {
        self.buffer(bytemuck::cast_slice(values), wgpu::BufferUsages::STORAGE)
    }

    fn texture(&self, values: &[f32], stride: usize, rows: usize) -> wgpu::TextureView {
        let size = wgpu::Extent3d {
            width: stride as u32 / 4,
            height: rows as u32,
            depth_or_array_layers: 1,
        };
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(stride as u32 * 4),
            rows_per_image: None,
        };
        let bytes = bytemuck::cast_slice(&values[..stride * rows]);
        self.queue
            .write_texture(texture.as_image_copy(), bytes, layout, size);
        texture.create_view(&Default::default())
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Vec<f32> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        self.queue.submit([encoder.finish()]);
        staging
            .slice(..)
            .map_async(wgpu::MapMode::Read, |result| result.expect("mapped"));
        let wait = wgpu::PollType::Wait {
            submission_index: None,
            timeout: None,
        };
        self.device.poll(wait).expect("the device answers");
        let range = staging.slice(..).get_mapped_range().expect("mapped");
        bytemuck::cast_slice(&range).to_vec()
    }

    /// The uniform of one part of a case's sum.
    fn dims(&self, case: &Case, bits: u32, begin: usize, end: usize) -> wgpu::Buffer {
        let last = flags::BIAS | flags::RELU | flags::GATE;
        let dims = Dims {
            m: case.m as u32,
            n: case.n as u32,
            k_begin: begin as u32,
            k_end: end as u32,
            a_stride: case.a.stride as u32 / 4,
            b_stride: case.b.stride as u32 / 4,
            c_stride: stride(case.n) as u32 / 4,
            flags: (if end == case.k { bits } else { bits & !last })
                | (if begin == 0 { 0 } else { flags::ADD }),
        };
        self.buffer(bytemuck::bytes_of(&dims), wgpu::BufferUsages::UNIFORM)
    }

    /// A case's operand where the variant reads it.
    fn operand(&self, operand: Operand, matrix: &Matrix) -> Bound {
        match operand {
            Operand::Buffer => Bound::Buffer(self.storage(&matrix.data)),
            Operand::Texture => {
                Bound::Texture(self.texture(&matrix.data, matrix.stride, matrix.rows))
            }
        }
    }

    /// Runs a case, its sum in parts that end at `ends`; gives C and bias, gate or db afterwards.
    fn run(
        &mut self,
        variant: &MatmulKernel,
        source: &str,
        case: &Case,
        bits: u32,
        ends: &[usize],
    ) -> (Vec<f32>, Vec<f32>) {
        let pipeline = self.pipeline(source);
        // Without ADD, what C holds must not matter.
        let fresh = bits & flags::ADD == 0;
        let c: Vec<f32> = case
            .c
            .iter()
            .map(|&v| if fresh && v != UNTOUCHED { f32::NAN } else { v })
            .collect();
        let (c, extra) = (self.storage(&c), self.storage(&case.extra));
        let (a, b) = (
            self.operand(variant.a, &case.a),
            self.operand(variant.b, &case.b),
        );
        let row = stride(case.n);
        let gate = match variant.gate {
            Operand::Buffer => Bound::Buffer(extra.clone()),
            Operand::Texture => {
                Bound::Texture(self.texture(&case.extra, row, case.m.next_multiple_of(4)))
            }
        };
        let [x, y, z] = variant.grid(case.m as u32, case.n as u32);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        let mut begin = 0;
        for &end in ends {
            let dims = self.dims(case, bits, begin, end);
            let resources = [
                dims.as_entire_binding(),
                a.resource(),
                b.resource(),
                c.as_entire_binding(),
                gate.resource(),
            ];
            let entries: Vec<_> = resources
                .into_iter()
                .zip(0..)
                .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource })
                .collect();
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(x, y, z);
            begin = end;
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
        (self.read(&c), self.read(&extra))
    }

    /// The first mistake of a shader text in a case with these flags.
    pub(crate) fn mistake(
        &mut self,
        v: &MatmulKernel,
        source: &str,
        case: &Case,
        bits: u32,
        ends: &[usize],
    ) -> Option<String> {
        let (c, extra) = self.run(v, source, case, bits, ends);
        case.mistake(bits, &c, &extra)
    }
}
