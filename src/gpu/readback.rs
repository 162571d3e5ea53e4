//! From the device back to the host.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Gpu;
use crate::error::Result;

/// How long another thread, whose poll found the mapping done, may take to say so.
const CALLBACK: Duration = Duration::from_secs(10);

/// What became of a mapping, once it is known.
#[derive(Debug, Default)]
struct Mapping {
    result: Mutex<Option<std::result::Result<(), String>>>,
    known: Condvar,
}

impl Mapping {
    fn lock(&self) -> MutexGuard<'_, Option<std::result::Result<(), String>>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, result: std::result::Result<(), String>) {
        *self.lock() = Some(result);
        self.known.notify_all();
    }

    fn is_known(&self) -> bool {
        self.lock().is_some()
    }

    /// The outcome. The device is idle by now, but where threads share it, the mapping may have
    /// been found done by another thread's poll, which is about to run the callback.
    fn take(&self) -> Option<std::result::Result<(), String>> {
        let waited = self
            .known
            .wait_timeout_while(self.lock(), CALLBACK, |result| result.is_none());
        let (mut result, _) = waited.unwrap_or_else(PoisonError::into_inner);
        result.take()
    }
}

/// A staging buffer: bytes are copied into it on the device, mapped while the device goes on, and
/// taken when they are there.
#[derive(Debug)]
pub(crate) struct Readback {
    buffer: wgpu::Buffer,
    outcome: Arc<Mapping>,
}

impl Gpu {
    /// Copies a buffer's bytes to the host. Blocks until the device is done.
    pub(crate) fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let readback = Readback::new(self, bytes);
        readback.copy(&mut encoder, buffer, offset, bytes);
        self.queue.submit([encoder.finish()]);
        readback.map(bytes);
        readback.take(self, bytes)
    }
}

impl Readback {
    pub(crate) fn new(gpu: &Gpu, bytes: u64) -> Self {
        Self {
            buffer: gpu.buffer(
                "read-back",
                bytes,
                wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            ),
            outcome: Arc::default(),
        }
    }

    /// How many bytes it can take.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffer.size()
    }

    /// Records the copy of `bytes` bytes of `source` from `offset` on.
    pub(crate) fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        source: &wgpu::Buffer,
        offset: u64,
        bytes: u64,
    ) {
        encoder.copy_buffer_to_buffer(source, offset, &self.buffer, 0, bytes);
    }

    /// Asks for the bytes; call it after the submission that holds the copy.
    pub(crate) fn map(&self, bytes: u64) {
        *self.outcome.lock() = None;
        let outcome = Arc::clone(&self.outcome);
        self.buffer
            .map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                outcome.set(result.map_err(|error| error.to_string()));
            });
    }

    /// Waits for the bytes and hands the staging buffer back to the device.
    pub(crate) fn take(&self, gpu: &Gpu, bytes: u64) -> Result<Vec<u8>> {
        if !self.outcome.is_known() {
            gpu.finish(None)?;
        }
        gpu.check()?;
        match self.outcome.take() {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(gpu.failure(format!("reading back failed: {error}"))),
            None => return Err(gpu.failure("reading back did not finish")),
        }
        let view = self
            .buffer
            .get_mapped_range(..bytes)
            .map_err(|error| gpu.failure(format!("reading back failed: {error}")))?;
        let data = view.to_vec();
        drop(view);
        self.buffer.unmap();
        Ok(data)
    }
}
