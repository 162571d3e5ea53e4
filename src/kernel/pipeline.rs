//! The pipeline table: each kernel is compiled once for a device and shared by all plans on it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::bind::STEP;
use super::plan::{PlannedKernel, SLOT_BYTES};
use super::reflect::{Binding, EntryPoint, Kind, Reflection};
use super::source::Composed;
use crate::error::{Error, Result};
use crate::gpu::Gpu;

/// A compiled kernel with what it binds.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    /// Of group 0; group 1 is the step uniform.
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) entry: EntryPoint,
}

/// A shader on its device, with those of its entry points that were asked for.
#[derive(Debug)]
struct Compiled {
    module: wgpu::ShaderModule,
    reflection: Reflection,
    pipelines: HashMap<String, Arc<Pipeline>>,
}

/// All pipelines of a device. They live as long as the device does: whatever is laid out on it later, by
/// another trainer, too, takes what is there, and drivers that keep what they compiled keep it once.
#[derive(Debug)]
pub(super) struct Pipelines {
    /// By the text of the shader.
    shaders: Mutex<HashMap<String, Compiled>>,
    /// The layout of group 1: the step uniform at a dynamic offset.
    pub(super) step_layout: wgpu::BindGroupLayout,
}

impl Pipelines {
    /// Those of a device.
    pub(super) fn of(gpu: &Gpu) -> Arc<Self> {
        gpu.kept(Self::new)
    }

    /// An empty table.
    fn new(gpu: &Gpu) -> Self {
        let step_layout = gpu
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(STEP),
                entries: &[layout_entry(
                    0,
                    wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: true,
                        min_binding_size: wgpu::BufferSize::new(SLOT_BYTES),
                    },
                )],
            });
        Self {
            shaders: Mutex::default(),
            step_layout,
        }
    }

    /// Number of pipelines made so far.
    pub(super) fn len(&self) -> usize {
        let shaders = self.shaders.lock().unwrap_or_else(PoisonError::into_inner);
        shaders.values().map(|shader| shader.pipelines.len()).sum()
    }

    /// The pipeline of a kernel: made when it is asked for first.
    ///
    /// # Errors
    /// A shader that naga refuses, an entry point that is not there, a driver's refusal.
    pub(super) fn get(&self, gpu: &Gpu, planned: &PlannedKernel) -> Result<Arc<Pipeline>> {
        let shader = &planned.shader;
        let mut shaders = self.shaders.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = match shaders.entry(shader.text.clone()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => place.insert(Compiled::new(gpu, shader)?),
        };
        if let Some(pipeline) = compiled.pipelines.get(&planned.entry) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = compiled.compile(gpu, &self.step_layout, planned)?;
        let pipeline = Arc::new(pipeline);
        gpu.check()?;
        let there = &mut compiled.pipelines;
        there.insert(planned.entry.clone(), Arc::clone(&pipeline));
        Ok(pipeline)
    }
}

impl Compiled {
    fn new(gpu: &Gpu, shader: &Composed) -> Result<Self> {
        // A text would be parsed a second time.
        let (parsed, reflection) = shader.parse()?;
        let module = gpu
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(shader.name.as_str()),
                source: wgpu::ShaderSource::Naga(Cow::Owned(parsed)),
            });
        Ok(Self {
            module,
            reflection,
            pipelines: HashMap::new(),
        })
    }

    fn compile(
        &self,
        gpu: &Gpu,
        step_layout: &wgpu::BindGroupLayout,
        planned: &PlannedKernel,
    ) -> Result<Pipeline> {
        let name = planned.shader.name.as_str();
        let device = &gpu.device;
        let entry = self.reflection.entries.get(&planned.entry);
        let entry = entry.ok_or_else(|| Error::Kernel {
            kernel: name.to_owned(),
            problem: format!("has no entry point `{}`", planned.entry),
        })?;
        let entries: Vec<wgpu::BindGroupLayoutEntry> = entry
            .bindings
            .values()
            .filter(|binding| binding.group == 0)
            .map(|binding| layout_entry(binding.binding, binding_type(binding)))
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(name),
            entries: &entries,
        });
        let mut layouts = vec![Some(&layout)];
        if entry.bindings.contains_key(STEP) {
            layouts.push(Some(step_layout));
        }
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &layouts,
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&pipeline_layout),
            module: &self.module,
            entry_point: Some(&planned.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Ok(Pipeline {
            pipeline,
            layout,
            entry: entry.clone(),
        })
    }
}

fn layout_entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty,
        count: None,
    }
}

fn binding_type(binding: &Binding) -> wgpu::BindingType {
    let buffer = |ty| wgpu::BindingType::Buffer {
        ty,
        has_dynamic_offset: false,
        min_binding_size: wgpu::BufferSize::new(binding.min_bytes),
    };
    match &binding.kind {
        Kind::Storage { writable, .. } => buffer(wgpu::BufferBindingType::Storage {
            read_only: !writable,
        }),
        Kind::Uniform { .. } => buffer(wgpu::BufferBindingType::Uniform),
        Kind::Image { layers } => wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::ReadOnly,
            format: wgpu::TextureFormat::Rgba32Float,
            view_dimension: if *layers {
                wgpu::TextureViewDimension::D2Array
            } else {
                wgpu::TextureViewDimension::D2
            },
        },
    }
}
