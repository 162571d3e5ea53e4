//! What a shader binds, read from naga's IR: names, places, access, sizes, fields of uniforms.

use std::collections::BTreeMap;

use super::element::Element;

/// How a binding is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A storage buffer.
    Storage {
        /// Whether the shader may write to it.
        writable: bool,
        /// What it is an array of, or of vectors of; nothing for arrays of structs.
        element: Option<Element>,
    },
    /// A uniform buffer; for a struct its fields.
    Uniform {
        /// Fields with their offsets in bytes.
        fields: Vec<Field>,
    },
    /// `texture_storage_2d<rgba32float, read>`, or with layers `texture_storage_2d_array`.
    Image {
        /// Whether it has layers.
        layers: bool,
    },
}

/// A field of a uniform struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Offset in bytes.
    pub offset: u32,
    /// Its type as WGSL writes it, where it is a 4-byte scalar; else `other`.
    pub ty: &'static str,
    /// Size in bytes.
    pub size: u32,
}

/// One binding of an entry point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name.
    pub name: String,
    /// Its group.
    pub group: u32,
    /// Its number within the group.
    pub binding: u32,
    /// How it is used.
    pub kind: Kind,
    /// Whether the entry point both reads and writes it.
    pub in_place: bool,
    /// Smallest size in bytes of what may be bound.
    pub min_bytes: u64,
}

/// An entry point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The bindings that it uses, by name.
    pub bindings: BTreeMap<String, Binding>,
    /// Invocations of a workgroup in each dimension.
    pub workgroup_size: [u32; 3],
}

/// Everything that the host needs to know about a shader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reflection {
    /// Its entry points by name.
    pub entries: BTreeMap<String, EntryPoint>,
}

pub(super) fn reflect(
    module: &naga::Module,
    info: &naga::valid::ModuleInfo,
) -> Result<Reflection, String> {
    let mut layouter = naga::proc::Layouter::default();
    layouter
        .update(module.to_ctx())
        .map_err(|error| error.to_string())?;
    let mut reflection = Reflection::default();
    for (index, entry) in module.entry_points.iter().enumerate() {
        let uses = info.get_entry_point(index);
        let both = naga::valid::GlobalUse::READ | naga::valid::GlobalUse::WRITE;
        let mut bindings = BTreeMap::new();
        for (handle, variable) in module.global_variables.iter() {
            let Some(place) = variable.binding else {
                continue;
            };
            if uses[handle].is_empty() {
                continue;
            }
            let name = variable.name.clone().unwrap_or_default();
            let kind = kind(module, &layouter, variable)
                .ok_or_else(|| format!("binding `{name}` has a type that kernels do not use"))?;
            bindings.insert(
                name.clone(),
                Binding {
                    name,
                    group: place.group,
                    binding: place.binding,
                    kind,
                    in_place: uses[handle].contains(both),
                    min_bytes: u64::from(layouter[variable.ty].size),
                },
            );
        }
        reflection.entries.insert(
            entry.name.clone(),
            EntryPoint {
                bindings,
                workgroup_size: entry.workgroup_size,
            },
        );
    }
    Ok(reflection)
}

fn kind(
    module: &naga::Module,
    layouter: &naga::proc::Layouter,
    variable: &naga::GlobalVariable,
) -> Option<Kind> {
    let inner = &module.types[variable.ty].inner;
    match (variable.space, inner) {
        (naga::AddressSpace::Storage { access }, _) => Some(Kind::Storage {
            writable: access.contains(naga::StorageAccess::STORE),
            element: element(module, inner),
        }),
        (naga::AddressSpace::Uniform, naga::TypeInner::Struct { members, .. }) => {
            let fields = members.iter().map(|member| Field {
                name: member.name.clone().unwrap_or_default(),
                offset: member.offset,
                ty: scalar(&module.types[member.ty].inner),
                size: layouter[member.ty].size,
            });
            Some(Kind::Uniform {
                fields: fields.collect(),
            })
        }
        (
            naga::AddressSpace::Handle,
            naga::TypeInner::Image {
                dim: naga::ImageDimension::D2,
                arrayed,
                class:
                    naga::ImageClass::Storage {
                        format: naga::StorageFormat::Rgba32Float,
                        access,
                    },
            },
        ) if *access == naga::StorageAccess::LOAD => Some(Kind::Image { layers: *arrayed }),
        _ => None,
    }
}

/// What an array is made of.
fn element(module: &naga::Module, inner: &naga::TypeInner) -> Option<Element> {
    let naga::TypeInner::Array { base, .. } = inner else {
        return None;
    };
    match module.types[*base].inner {
        naga::TypeInner::Scalar(scalar) | naga::TypeInner::Vector { scalar, .. } => match scalar {
            naga::Scalar::U32 => Some(Element::U32),
            naga::Scalar::F32 => Some(Element::F32),
            _ => None,
        },
        _ => None,
    }
}

fn scalar(inner: &naga::TypeInner) -> &'static str {
    match inner {
        naga::TypeInner::Scalar(naga::Scalar::U32) => "u32",
        naga::TypeInner::Scalar(naga::Scalar::F32) => "f32",
        _ => "other",
    }
}
