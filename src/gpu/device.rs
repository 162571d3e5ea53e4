//! The device: buffers, submission and errors.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::adapter::{self, AdapterDescription, Backend, Class, LimitsChoice, Selection};
use super::target::Target;
use super::wait;
use crate::error::{Error, Result};

/// Longest wait for one submission before the device counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// What went wrong on the device outside of any call that could say so.
#[derive(Debug, Default)]
struct Trouble {
    lost: Option<String>,
    error: Option<String>,
    /// What memory was asked for last, when there was none left.
    no_memory: Option<String>,
    /// What memory is being asked for.
    asked: Option<String>,
}

/// A device with its queue and the adapter that it belongs to.
#[derive(Debug)]
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    description: AdapterDescription,
    class: Class,
    limits: wgpu::Limits,
    trouble: Arc<Mutex<Trouble>>,
    kept: OnceLock<Kept>,
}

/// What the room above keeps with the device: its compiled kernels.
type Kept = Arc<dyn Any + Send + Sync>;

impl Gpu {
    /// Opens the adapter that `selection` asks for, or the best one of this machine.
    ///
    /// # Errors
    /// No adapter, none of that name, a kernel class that it cannot run, or a driver that refuses.
    pub fn open(selection: &Selection) -> Result<Self> {
        Self::open_on(Backend::Real, selection)
    }

    /// A device that validates everything and runs nothing, for tests of shaders and plans.
    ///
    /// # Errors
    /// Like [`Gpu::open`].
    pub fn noop(class: Class) -> Result<Self> {
        let mut gpu = Self::open_on(
            Backend::Noop,
            &Selection {
                limits: LimitsChoice::Portable,
                ..Selection::default()
            },
        )?;
        gpu.class = class;
        Ok(gpu)
    }

    fn open_on(backend: Backend, selection: &Selection) -> Result<Self> {
        let candidate = adapter::choose(backend, selection)?;
        let description = candidate.description;
        let class = adapter::class(&description, selection.class)?;
        let optional = wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES
            | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        let limits = required_limits(&candidate.adapter.limits(), selection.limits);
        let (device, queue) = wait(candidate.adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("wavetrain"),
            required_features: candidate.adapter.features() & optional,
            required_limits: limits.clone(),
            ..Default::default()
        }))
        .map_err(|error| Error::NoAdapter {
            problem: format!("{} refuses to open: {error}", description.name),
            help: "try portable limits, another adapter, or a newer driver".into(),
        })?;
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        watch(&device, &trouble);
        Ok(Self {
            device,
            queue,
            description,
            class,
            limits,
            trouble,
            kept: OnceLock::new(),
        })
    }

    /// The adapter.
    #[must_use]
    pub fn description(&self) -> &AdapterDescription {
        &self.description
    }

    /// The kernel class in use.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// What plans for this device depend on.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            class: self.class,
            max_binding_bytes: self.max_binding_bytes(),
            max_texture_side: self.max_texture_side(),
        }
    }

    /// Largest storage binding in bytes that the device was opened with.
    #[must_use]
    pub fn max_binding_bytes(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size
    }

    /// Largest buffer in bytes that the device was opened with.
    #[must_use]
    pub fn max_buffer_bytes(&self) -> u64 {
        self.limits.max_buffer_size
    }

    /// Largest side of a texture that the device was opened with.
    #[must_use]
    pub fn max_texture_side(&self) -> u32 {
        self.limits.max_texture_dimension_2d
    }

    /// Whether whole passes can be timed on this device.
    #[must_use]
    pub fn has_timestamps(&self) -> bool {
        self.device
            .features()
            .contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// Gives the device up at once, with all that lies on it: everything that is asked of it from
    /// now on ends in [`Error::DeviceLost`].
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// An [`Error::Device`] about this adapter.
    pub(crate) fn failure(&self, problem: impl Into<String>) -> Error {
        Error::Device {
            adapter: self.description.name.clone(),
            problem: problem.into(),
            help: "run again; if it persists, try a smaller batch, portable limits or another \
                   adapter, and update the driver"
                .into(),
        }
    }

    /// The error or loss that the device reported since it was opened, if any. Silence of wgpu's
    /// calls is not success: on a lost device they do nothing.
    pub(crate) fn check(&self) -> Result<()> {
        if locked(&self.trouble).error.is_some() {
            // The loss of the device, which makes its calls invalid, is told while it is polled.
            let _ = self.device.poll(wgpu::PollType::Poll);
        }
        let trouble = locked(&self.trouble);
        match (&trouble.lost, &trouble.no_memory, &trouble.error) {
            (Some(reason), ..) => Err(Error::DeviceLost {
                adapter: self.description.name.clone(),
                reason: reason.clone(),
                help:
                    "open it again; a run goes on from its newest checkpoint; if it happens again, \
                       try a smaller batch or another adapter, and update the driver"
                        .into(),
            }),
            (None, Some(what), _) => Err(Error::Device {
                adapter: self.description.name.clone(),
                problem: format!("no memory is left for {what}"),
                help:
                    "use a smaller data.batch or smaller layers, end what else uses this memory, \
                       or choose another adapter"
                        .into(),
            }),
            (None, None, Some(error)) => Err(self.failure(error.clone())),
            (None, None, None) => Ok(()),
        }
    }

    /// What one room keeps with the device for as long as it is open: as `make` makes it at first.
    pub(crate) fn kept<T: Any + Send + Sync>(&self, make: impl Fn(&Self) -> T) -> Arc<T> {
        let kept = self.kept.get_or_init(|| Arc::new(make(self)));
        // Another room's value, which there is none of, would not be shared.
        let kept = Arc::clone(kept).downcast();
        kept.unwrap_or_else(|_| Arc::new(make(self)))
    }

    /// Notes what the memory is for that is asked for next, so that an error can say it.
    pub(crate) fn asks_for(&self, what: &str, bytes: u64) {
        let mib = bytes as f64 / (1024.0 * 1024.0);
        // No lock is held while wgpu works, which may report at once.
        locked(&self.trouble).asked = Some(format!("{what} ({mib:.1} MiB)"));
    }

    /// A new buffer of zeros.
    pub(crate) fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> wgpu::Buffer {
        self.asks_for(&format!("the buffer of {label}"), bytes);
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            // Zero-size bindings are errors; copies want multiples of four.
            size: bytes.max(4).next_multiple_of(4),
            usage,
            mapped_at_creation: false,
        })
    }

    /// Whether everything that was submitted is done.
    pub(crate) fn is_idle(&self) -> bool {
        let status = self.device.poll(wgpu::PollType::Poll);
        status.is_ok_and(|status| status.is_queue_empty())
    }

    /// Waits until `submission` (or everything, for `None`) is done.
    pub(crate) fn finish(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let mut outcome = self.wait_for(submission);
        if let Err(wgpu::PollError::WrongSubmissionIndex(..)) = outcome {
            // It was never begun: the device is gone, which is told when what was begun is over.
            outcome = self.wait_for(None);
        }
        self.check()?;
        outcome.map(|_| ()).map_err(|error| {
            self.failure(match error {
                wgpu::PollError::Timeout => {
                    format!("the adapter did not finish within {} s", PATIENCE.as_secs())
                }
                error => error.to_string(),
            })
        })
    }

    fn wait_for(
        &self,
        submission_index: Option<wgpu::SubmissionIndex>,
    ) -> Result<wgpu::PollStatus, wgpu::PollError> {
        self.device.poll(wgpu::PollType::Wait {
            submission_index,
            timeout: Some(PATIENCE),
        })
    }
}

/// Everything portable, raised to the adapter's figures where the engine can use more.
fn required_limits(adapter: &wgpu::Limits, choice: LimitsChoice) -> wgpu::Limits {
    let mut limits = wgpu::Limits::default();
    if choice == LimitsChoice::Adapter {
        limits.max_buffer_size = adapter.max_buffer_size;
        // Larger bindings are cut to 2 GiB by some backends (gfx-rs/wgpu#8105).
        limits.max_storage_buffer_binding_size =
            adapter.max_storage_buffer_binding_size.min((1 << 31) - 4);
        limits.max_texture_dimension_2d = adapter.max_texture_dimension_2d;
    }
    if let LimitsChoice::Binding(bytes) = choice {
        limits.max_storage_buffer_binding_size = bytes.min(limits.max_storage_buffer_binding_size);
    }
    limits.or_worse_values_from(adapter)
}

fn locked(trouble: &Mutex<Trouble>) -> MutexGuard<'_, Trouble> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the first error and the loss of the device where [`Gpu::check`] finds them.
fn watch(device: &wgpu::Device, trouble: &Arc<Mutex<Trouble>>) {
    let record = Arc::clone(trouble);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let mut trouble = locked(&record);
        log::error!("{error}");
        match error {
            wgpu::Error::OutOfMemory { .. } => {
                let asked = trouble.asked.clone();
                let what = asked.unwrap_or_else(|| "what was asked for".into());
                trouble.no_memory.get_or_insert(what);
            }
            error => {
                trouble.error.get_or_insert_with(|| error.to_string());
            }
        }
    }));
    let record = Arc::clone(trouble);
    device.set_device_lost_callback(move |reason, message| {
        let mut trouble = locked(&record);
        let words = format!("{reason:?} {message}");
        trouble.lost.get_or_insert(words.trim().to_owned());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu() -> Gpu {
        Gpu::noop(Class::Tiled).unwrap()
    }

    #[test]
    fn a_device_that_is_gone_is_an_error_of_every_call_that_waits() {
        let gpu = gpu();
        let buffer = gpu.buffer("data", 16, wgpu::BufferUsages::COPY_SRC);
        assert_eq!(gpu.read(&buffer, 0, 16).unwrap(), [0; 16]);
        gpu.destroy();
        for error in [
            gpu.read(&buffer, 0, 16).unwrap_err(),
            gpu.finish(None).unwrap_err(),
            gpu.check().unwrap_err(),
        ] {
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
            assert!(!error.is_users_mistake());
        }
    }

    #[test]
    fn what_wgpu_refuses_is_an_error_with_advice() {
        let gpu = gpu();
        let most = gpu.max_buffer_bytes();
        let _ = gpu.buffer(
            "too large",
            most.saturating_mul(2),
            wgpu::BufferUsages::COPY_SRC,
        );
        let words = gpu.check().unwrap_err().to_string();
        assert!(
            words.contains("too large") && words.contains("try a smaller batch"),
            "{words}"
        );
    }
}
