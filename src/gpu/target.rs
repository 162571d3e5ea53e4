//! What a plan depends on of the device that it is made for.

use serde::{Deserialize, Serialize};

use super::adapter::Class;

/// The device that a plan is made for: its kernels, and limits that decided where they read from. On
/// another one a plan would run without an error, and could be wrong: kernels for subgroups of eight
/// share values among eight invocations, however many work as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The kernel class, with the size of its subgroups.
    pub class: Class,
    /// Largest storage binding in bytes.
    pub max_binding_bytes: u64,
    /// Largest side of a texture.
    pub max_texture_side: u32,
}

impl Target {
    /// What a plan for this target needs and what `device` offers instead, where that is another
    /// class, another size of subgroups, or less room. More room does no harm.
    #[must_use]
    pub fn misfit(&self, device: &Self) -> Option<[String; 2]> {
        if self.class != device.class {
            return Some([self, device].map(|target| target.class.to_string()));
        }
        if self.max_texture_side > device.max_texture_side {
            let sides = [self, device].map(|target| target.max_texture_side);
            return Some(sides.map(|side| format!("textures with sides of {side}")));
        }
        if self.max_binding_bytes > device.max_binding_bytes {
            let bytes = [self, device].map(|target| target.max_binding_bytes);
            return Some(bytes.map(|bytes| format!("bindings of {bytes} bytes")));
        }
        None
    }
}
