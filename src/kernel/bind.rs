//! Binding by name: what a dispatch binds against what its shader declares.

use super::plan::{Bound, Dispatch, Word};
use super::reflect::{Binding, EntryPoint, Kind};

/// The name of the step uniform in every shader that reads it.
pub(super) const STEP: &str = "step";
/// The name of a dispatch's own uniform.
pub(super) const DIMS: &str = "dims";

/// Every binding is bound by its name and type, nothing else is, and nothing is written that the
/// same dispatch also reads.
pub(super) fn check(entry: &EntryPoint, dispatch: &Dispatch) -> Result<(), String> {
    check_names(entry, dispatch)?;
    check_in_place(entry, dispatch)?;
    check_aliases(entry, dispatch)
}

/// What is bound under `name`; [`check`] has seen to it that it is there.
pub(super) fn bound(dispatch: &Dispatch, name: &str) -> Bound {
    let found = dispatch.bindings.iter().find(|(n, _)| n == name);
    found.map_or(Bound::Image(usize::MAX), |(_, bound)| *bound)
}

/// A stretch of a buffer as a binding.
pub(super) fn slice(buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding {
        buffer,
        offset,
        size: wgpu::BufferSize::new(bytes),
    })
}

/// Every binding of the shader is bound by its name, and nothing else.
fn check_names(entry: &EntryPoint, dispatch: &Dispatch) -> Result<(), String> {
    for binding in entry.bindings.values() {
        let found = dispatch.bindings.iter().find(|(n, _)| *n == binding.name);
        let is_uniform = matches!(binding.kind, Kind::Uniform { .. });
        match found {
            None if is_uniform && [DIMS, STEP].contains(&binding.name.as_str()) => {}
            None => return Err(format!("nothing is bound as `{}`", binding.name)),
            Some((name, bound)) => {
                check_element(binding, bound)?;
                let is_image = matches!(bound, Bound::Image(_));
                if is_image != matches!(binding.kind, Kind::Image { .. }) || is_uniform {
                    return Err(format!(
                        "`{name}` is a {:?}, bound is a {bound:?}",
                        binding.kind
                    ));
                }
                if let Bound::Buffer { bytes, .. } = bound
                    && *bytes < binding.min_bytes
                {
                    return Err(format!(
                        "`{name}` needs {} bytes, bound are {bytes}",
                        binding.min_bytes
                    ));
                }
            }
        }
    }
    for (name, _) in &dispatch.bindings {
        if !entry.bindings.contains_key(name) {
            return Err(format!("the shader has no binding `{name}`"));
        }
    }
    Ok(())
}

/// What is read and written through one binding is so by intention.
fn check_in_place(entry: &EntryPoint, dispatch: &Dispatch) -> Result<(), String> {
    let unstated =
        |binding: &&Binding| binding.in_place && !dispatch.in_place.contains(&binding.name);
    match entry.bindings.values().find(unstated) {
        None => Ok(()),
        Some(binding) => Err(format!(
            "`{}` is read and written; state it with `Call::in_place`, or read from another buffer",
            binding.name
        )),
    }
}

/// A buffer holds what the shader takes it for, where both say it.
fn check_element(binding: &Binding, bound: &Bound) -> Result<(), String> {
    let (Kind::Storage { element, .. }, Bound::Buffer { element: held, .. }) =
        (&binding.kind, bound)
    else {
        return Ok(());
    };
    match (element, held) {
        (Some(read), Some(held)) if read != held => Err(format!(
            "`{}` is read as {}, but the buffer that is bound holds {}",
            binding.name,
            read.wgsl(),
            held.wgsl()
        )),
        _ => Ok(()),
    }
}

/// No buffer is both read and written through two bindings of one dispatch, and written stretches
/// do not overlap.
fn check_aliases(entry: &EntryPoint, dispatch: &Dispatch) -> Result<(), String> {
    let writable = |name: &str| matches!(entry.bindings[name].kind, Kind::Storage { writable, .. } if writable);
    for (i, (a, first)) in dispatch.bindings.iter().enumerate() {
        for (b, second) in &dispatch.bindings[..i] {
            let (
                Bound::Buffer {
                    buffer: buffer_a,
                    offset: offset_a,
                    bytes: bytes_a,
                    ..
                },
                Bound::Buffer {
                    buffer: buffer_b,
                    offset: offset_b,
                    bytes: bytes_b,
                    ..
                },
            ) = (first, second)
            else {
                continue;
            };
            if buffer_a != buffer_b || !(writable(a) || writable(b)) {
                continue;
            }
            let apart = offset_a + bytes_a <= *offset_b || offset_b + bytes_b <= *offset_a;
            if writable(a) != writable(b) || !apart {
                return Err(format!(
                    "`{a}` and `{b}` share a buffer that one of them writes"
                ));
            }
        }
    }
    Ok(())
}

/// Writes the fields of a dispatch's uniform `dims` where the shader has them, and refuses a field
/// that is missing, surplus or mistyped.
pub(super) fn fill_dims(
    binding: &Binding,
    dispatch: &Dispatch,
    slot: &mut [u8],
) -> Result<(), String> {
    let Kind::Uniform { fields } = &binding.kind else {
        return Err("`dims` is not a uniform struct".into());
    };
    for field in fields {
        let word = dispatch.dims.iter().find(|(name, _)| *name == field.name);
        let word: Word = word
            .map(|(_, word)| *word)
            .ok_or_else(|| format!("`dims.{}` is not set", field.name))?;
        let at = field.offset as usize;
        if word.ty() != field.ty || at + 4 > slot.len() {
            return Err(format!(
                "`dims.{}` is {}, set is {}",
                field.name,
                field.ty,
                word.ty()
            ));
        }
        slot[at..at + 4].copy_from_slice(&word.bits().to_le_bytes());
    }
    for (name, _) in &dispatch.dims {
        if !fields.iter().any(|field| field.name == *name) {
            return Err(format!("the shader has no `dims.{name}`"));
        }
    }
    Ok(())
}
