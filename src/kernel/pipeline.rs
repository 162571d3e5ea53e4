//! The pipeline table: each kernel is compiled once and shared by all plans.

use std::collections::HashMap;
use std::sync::Arc;

use super::bind::STEP;
use super::plan::{PlannedKernel, SLOT_BYTES};
use super::reflect::{Binding, EntryPoint, Kind};
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

/// All pipelines of a device, by shader and entry point.
#[derive(Debug)]
pub(super) struct Pipelines {
    table: HashMap<(String, String), Arc<Pipeline>>,
    /// The layout of group 1: the step uniform at a dynamic offset.
    pub(super) step_layout: wgpu::BindGroupLayout,
}

impl Pipelines {
    /// An empty table.
    pub(super) fn new(gpu: &Gpu) -> Self {
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
            table: HashMap::new(),
            step_layout,
        }
    }

    /// Number of pipelines made so far.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The pipeline of a kernel: made when it is asked for first.
    ///
    /// # Errors
    /// A shader that naga refuses, an entry point that is not there, a driver's refusal.
    pub(super) fn get(&mut self, gpu: &Gpu, planned: &PlannedKernel) -> Result<Arc<Pipeline>> {
        let name = &planned.shader.name;
        let key = (name.clone(), planned.entry.clone());
        if let Some(pipeline) = self.table.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let mut reflection = planned.shader.reflect()?;
        let entry = reflection
            .entries
            .remove(&planned.entry)
            .ok_or_else(|| Error::Kernel {
                kernel: name.clone(),
                problem: format!("has no entry point `{}`", planned.entry),
            })?;
        let pipeline = Arc::new(self.compile(gpu, &planned.shader, &planned.entry, entry));
        gpu.check()?;
        self.table.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    fn compile(
        &self,
        gpu: &Gpu,
        shader: &Composed,
        entry_name: &str,
        entry: EntryPoint,
    ) -> Pipeline {
        let name = shader.name.as_str();
        let device = &gpu.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(shader.text.as_str().into()),
        });
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
            layouts.push(Some(&self.step_layout));
        }
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &layouts,
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(entry_name),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline {
            pipeline,
            layout,
            entry,
        }
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
