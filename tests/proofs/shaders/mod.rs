//! Shaders without an adapter: every kernel of every preset, in every class, is composed,
//! validated, within WebGPU's default limits, accepted by wgpu as a pipeline, translated to
//! SPIR-V, MSL and HLSL, and its loops are bounded.
#![allow(missing_docs)]

mod loops;
mod plans;
mod translate;

use std::mem::offset_of;
use std::sync::Arc;

use plans::{CLASSES, Preset, gpu};
use wavetrain::gpu::Class;
use wavetrain::kernel::plan::{Dispatch, Op, Plan};
use wavetrain::kernel::program::Workshop;
use wavetrain::kernel::reflect::{Field, Kind, Reflection};
use wavetrain::kernel::shaders::{SHADERS, named};
use wavetrain::kernel::source::Composed;
use wavetrain::product::matmul::Dims;
use wavetrain::train::StepUniform;

/// All kernels of all plans and all shaders that are files, once each.
fn kernels() -> Vec<Composed> {
    let mut kernels: Vec<Composed> = SHADERS.iter().map(|e| e.shader().compose()).collect();
    for class in CLASSES {
        for preset in Preset::all() {
            for plan in preset.plans(&gpu(class)) {
                kernels.extend(plan.kernels.into_iter().map(|kernel| kernel.shader));
            }
        }
    }
    kernels.sort_by(|a, b| a.name.cmp(&b.name));
    kernels.dedup();
    kernels
}

fn reflect(shader: &Composed) -> Reflection {
    shader.reflect().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_shader_composes_and_keeps_the_portable_limits() {
    let kernels = kernels();
    assert!(kernels.len() > SHADERS.len() + 30, "{}", kernels.len());
    for shader in kernels {
        let name = &shader.name;
        let memory = loops::workgroup_memory(&shader.text);
        assert!(
            memory <= 16_384,
            "{name}: {memory} bytes of workgroup memory"
        );
        for (entry, point) in reflect(&shader).entries {
            let [x, y, z] = point.workgroup_size;
            assert!(
                x * y * z <= 256 && z <= 64,
                "{name}::{entry}: {x} x {y} x {z} invocations"
            );
            let count = |is: fn(&Kind) -> bool| {
                point
                    .bindings
                    .values()
                    .filter(|binding| is(&binding.kind))
                    .count()
            };
            let buffers = count(|kind| matches!(kind, Kind::Storage { .. }));
            let images = count(|kind| matches!(kind, Kind::Image { .. }));
            assert!(buffers <= 8, "{name}::{entry}: {buffers} storage buffers");
            assert!(images <= 4, "{name}::{entry}: {images} storage textures");
            for binding in point.bindings.values() {
                assert!(
                    binding.group <= 3 && binding.binding < 1000,
                    "{name}::{entry}"
                );
                if matches!(binding.kind, Kind::Uniform { .. }) {
                    assert!(
                        binding.min_bytes <= 256,
                        "{name}::{entry}: {}",
                        binding.name
                    );
                }
            }
        }
    }
}

/// (name, offset, size) of each field of a uniform of a shader.
fn fields(reflection: &Reflection, uniform: &str) -> (Vec<(String, usize, usize)>, usize) {
    let mut bindings = reflection
        .entries
        .values()
        .flat_map(|e| e.bindings.values());
    let binding = bindings.find(|binding| binding.name == uniform).unwrap();
    let Kind::Uniform { fields } = &binding.kind else {
        panic!("{uniform} is a uniform");
    };
    let field = |f: &Field| (f.name.clone(), f.offset as usize, f.size as usize);
    (
        fields.iter().map(field).collect(),
        binding.min_bytes as usize,
    )
}

/// The fields of a Rust struct in the same form.
macro_rules! twin {
    ($type:ident: $($field:ident),* $(,)?) => {{
        let zero: $type = bytemuck::Zeroable::zeroed();
        // Names every field: one that is missing here does not compile.
        let $type { $($field),* } = zero;
        vec![$((
            stringify!($field).to_owned(),
            offset_of!($type, $field),
            size_of_val(&$field),
        )),*]
    }};
}

#[test]
fn the_step_uniform_is_the_same_in_rust_and_wgsl() {
    let mut twin = twin!(StepUniform: lr, momentum, inv_count, count, start, slot, step_low,
        step_high, key_dropout, key_augment, key_user, first_sample, carry, optimizer, phase, spare_0, spare_1, spare_2);
    twin.sort_by_key(|(_, offset, _)| *offset);
    let mut readers = 0;
    for entry in SHADERS {
        let reflection = reflect(&entry.shader().compose());
        let reads = |e: &wavetrain::kernel::reflect::EntryPoint| e.bindings.contains_key("step");
        if reflection.entries.values().any(reads) {
            let (fields, bytes) = fields(&reflection, "step");
            assert_eq!(fields, twin, "{}", entry.name);
            assert_eq!(bytes, size_of::<StepUniform>(), "{}", entry.name);
            readers += 1;
        }
    }
    assert!(readers >= 5, "{readers}");
    // A field of Rust's struct without a place in WGSL, or padding between fields, would show.
    assert_eq!(
        twin.iter().map(|(_, _, size)| size).sum::<usize>(),
        size_of::<StepUniform>()
    );
}

#[test]
fn the_sizes_of_a_product_are_the_same_in_rust_and_wgsl() {
    let twin = twin!(Dims: m, n, k_begin, k_end, a_stride, b_stride, c_stride, flags);
    let products = kernels();
    let products = products
        .iter()
        .filter(|kernel| kernel.name.starts_with("matmul"));
    let mut seen = 0;
    for product in products {
        let (fields, bytes) = fields(&reflect(product), "dims");
        assert_eq!(
            (fields, bytes),
            (twin.clone(), size_of::<Dims>()),
            "{}",
            product.name
        );
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}

/// wgpu's no-op backend validates pipelines, layouts, bindings and copies as the others do.
#[test]
fn every_plan_is_accepted_by_wgpu() {
    for class in CLASSES {
        for preset in Preset::all() {
            let gpu = gpu(class);
            let mut workshop = Workshop::new(Arc::clone(&gpu), 32);
            let plans = preset.plans(&gpu);
            for plan in &plans {
                workshop
                    .realize(plan)
                    .unwrap_or_else(|error| panic!("{} in {class:?}: {error}", preset.name));
            }
            let made = workshop.pipelines();
            assert!(made > 3, "{}", preset.name);
            // What a device has compiled serves all that is laid out on it later.
            let mut another = Workshop::new(gpu, 32);
            another.realize(&plans[0]).unwrap();
            assert_eq!(another.pipelines(), made, "{}", preset.name);
        }
    }
}

/// What wgpu refuses is found: the test above can fail.
#[test]
fn a_plan_that_binds_too_little_is_refused() {
    let gpu = gpu(CLASSES[0]);
    let preset = &Preset::all()[0];
    let mut plan = preset.plans(&gpu).remove(0);
    let Op::Dispatch(first) = &mut plan.forward[0] else {
        panic!("the first command is a dispatch");
    };
    let gone = first.bindings.remove(0).0;
    let error = Workshop::new(gpu, 32)
        .realize(&plan)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&gone) && error.contains("nothing is bound"),
        "{error}"
    );
}

/// A plan that was made for other subgroups, another class or more room never runs.
#[test]
fn a_plan_for_another_adapter_is_refused() {
    let preset = &Preset::all()[0];
    let lanes = |lanes, subgroups| gpu(Class::Lanes { lanes, subgroups });
    let [eight, four] = [8, 4].map(|size| lanes(size, true));
    for (made, run, words) in [
        (
            &eight,
            &four,
            "needs kernels `lanes` for subgroups of 8, but",
        ),
        (&four, &eight, "offers kernels `lanes` for subgroups of 8"),
        (
            &lanes(8, false),
            &eight,
            "needs kernels `lanes-plain` for groups of 8, but",
        ),
        (&gpu(Class::Tiled), &four, "needs kernels `tiled`, but"),
    ] {
        let plan = preset.plans(made).remove(0);
        let refused = |plan: &Plan| {
            let mut workshop = Workshop::new(Arc::clone(run), 32);
            let error = workshop.realize(plan).unwrap_err().to_string();
            assert_eq!(workshop.pipelines(), 0, "{error}");
            assert!(error.contains("make the plan anew"), "{error}");
            error
        };
        let error = refused(&plan);
        assert!(error.contains(words), "{error}");
        // The class alone is not enough.
        let mut planted = plan;
        planted.target.class = run.class();
        planted.target.max_texture_side += 1;
        let error = refused(&planted);
        assert!(error.contains("textures with sides of"), "{error}");
        planted.target.max_texture_side -= 1;
        planted.target.max_binding_bytes += 1;
        let error = refused(&planted);
        assert!(error.contains("bindings of"), "{error}");
    }
}

#[test]
fn every_kernel_translates_to_spirv_msl_and_hlsl() {
    for shader in kernels() {
        translate::all(&shader.name, &shader.text);
    }
}

#[test]
fn every_dispatch_fits_into_the_portable_grid() {
    for_each_dispatch(|name, dispatch| {
        let groups = dispatch.grid;
        assert!(
            groups.iter().all(|g| (1..=65_535).contains(g)),
            "{name}: {groups:?}"
        );
    });
}

/// Runs `check` on every dispatch of every preset in every class, with the shader's name.
fn for_each_dispatch(check: impl Fn(&str, &Dispatch)) {
    for class in CLASSES {
        for preset in Preset::all() {
            for plan in preset.plans(&gpu(class)) {
                for dispatch in plan.dispatches() {
                    check(&plan.kernels[dispatch.kernel].shader.name, dispatch);
                }
            }
        }
    }
}

/// One software driver silently leaves all loops of an invocation after 65,535 iterations in
/// total, nested and sequential ones together.
#[test]
fn no_invocation_loops_more_than_60_000_times() {
    for_each_dispatch(|name, dispatch| {
        let count = loops::iterations(name, dispatch);
        assert!(
            count <= 60_000,
            "{name} ({}): {count} iterations",
            dispatch.label
        );
    });
}

/// The loops that `loops::iterations` counts are the loops that the shaders have.
#[test]
fn every_loop_is_counted() {
    for entry in SHADERS {
        let found = loops::count(&entry.shader().compose().text);
        let stated = loops::stated(entry.name);
        assert_eq!(
            found, stated,
            "loops of {}: state their iterations in tests/proofs/shaders/loops.rs",
            entry.name
        );
    }
    for shader in kernels()
        .iter()
        .filter(|shader| shader.name.starts_with("matmul"))
    {
        let stated = loops::stated(&shader.name);
        assert!(loops::count(&shader.text) <= stated, "{}", shader.name);
    }
    assert_eq!(loops::count(&named("layer/relu").compose().text), 0);
}
