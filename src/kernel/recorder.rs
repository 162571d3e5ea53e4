//! Commands of one submission.

use super::plan::ImageSpec;
use crate::gpu::Gpu;

/// Commands of one submission; neighbouring dispatches share a pass.
pub(crate) struct Recorder {
    // Dropped before the encoder: a pass must end before its encoder is used.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: wgpu::CommandEncoder,
}

impl Recorder {
    /// A recorder of commands for one submission.
    pub(super) fn new(gpu: &Gpu) -> Self {
        Self {
            pass: None,
            encoder: gpu.device.create_command_encoder(&Default::default()),
        }
    }

    /// The pass that dispatches are recorded in.
    pub(super) fn pass(&mut self) -> &mut wgpu::ComputePass<'static> {
        let encoder = &mut self.encoder;
        self.pass.get_or_insert_with(|| {
            encoder
                .begin_compute_pass(&Default::default())
                .forget_lifetime()
        })
    }

    /// The encoder, outside of any pass.
    pub(crate) fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        &mut self.encoder
    }

    /// The finished commands.
    pub(super) fn finish(mut self) -> wgpu::CommandBuffer {
        self.pass = None;
        self.encoder.finish()
    }
}

/// Copies a matrix or pictures from a buffer, `offset` bytes into it, into a texture.
pub(super) fn copy_to_texture(
    encoder: &mut wgpu::CommandEncoder,
    buffer: &wgpu::Buffer,
    offset: u64,
    texture: &wgpu::Texture,
    spec: &ImageSpec,
) {
    let [width, height] = spec.copied;
    encoder.copy_buffer_to_texture(
        wgpu::TexelCopyBufferInfo {
            buffer,
            layout: wgpu::TexelCopyBufferLayout {
                offset,
                bytes_per_row: Some(spec.row_bytes),
                rows_per_image: Some(height),
            },
        },
        wgpu::TexelCopyTextureInfo {
            origin: wgpu::Origin3d {
                x: spec.origin[0],
                y: spec.origin[1],
                z: 0,
            },
            ..texture.as_image_copy()
        },
        wgpu::Extent3d {
            width,
            height,
            depth_or_array_layers: spec.layers.max(1),
        },
    );
}
