//! The matrix product on the adapter at hand: every variant that can be chosen, against the
//! formulas in f64, at odd sizes, with every flag, in one part and in two; and the proof of this
//! proof, with defects planted into the shaders.
//!
//! What lies outside an operand's padding is NaN here, so a read that must not matter shows.

mod case;
mod gpu;

use case::Case;
use gpu::Gpu;
use wavetrain::gpu::ClassName;
use wavetrain::product::matmul::{Form, MatmulKernel, Operand, choose, flags};

use super::adapter::skip::skipped;

/// The combinations of flags that a form knows.
fn combinations(form: Form) -> &'static [u32] {
    use flags::{ADD, BIAS, DB, GATE, RELU};
    match form {
        Form::Nt => &[0, ADD, BIAS, RELU, BIAS | RELU, ADD | BIAS | RELU],
        Form::Nn => &[0, ADD, GATE, ADD | GATE],
        Form::Tn => &[0, ADD, DB, ADD | DB],
    }
}

#[test]
fn every_variant_is_right_at_odd_sizes_with_every_flag() {
    let mut gpu = Gpu::new();
    if !gpu.subgroups {
        skipped(
            "matrix products of class `lanes` and their planted defects",
            "the adapter has no subgroup operations of one size",
        );
    }
    let sizes = [
        [1, 1, 1],
        [3, 3, 3],
        [17, 17, 17],
        [33, 33, 33],
        [100, 100, 100],
        [1, 100, 17],
        [100, 1, 33],
        [3, 130, 100],
        [70, 3, 1],
        [16, 10, 64],
    ];
    for size in sizes {
        for form in Form::ALL {
            let case = Case::new(form, size);
            for variant in gpu.variants().iter().filter(|v| v.form == form) {
                let source = variant.source();
                for &bits in combinations(form) {
                    let mistake = gpu.mistake(variant, &source, &case, bits, &[case.k]);
                    assert_eq!(mistake, None, "{} {size:?} flags {bits}", variant.name());
                }
            }
        }
    }
}

#[test]
fn a_sum_in_parts_is_the_same_sum() {
    let mut gpu = Gpu::new();
    for form in Form::ALL {
        let case = Case::new(form, [33, 17, 33]);
        for variant in gpu.variants().iter().filter(|v| v.form == form) {
            for &bits in combinations(form) {
                let mistake = gpu.mistake(variant, &variant.source(), &case, bits, &[4, 20, 33]);
                assert_eq!(mistake, None, "{} flags {bits}", variant.name());
            }
        }
    }
}

/// lavapipe 22 leaves all loops of an invocation after 65,535 iterations, without a word.
#[test]
fn the_longest_sum_of_one_dispatch_is_whole() {
    let mut gpu = Gpu::new();
    let variants = gpu.variants();
    // nt on buffers: rows of this length fit no texture.
    let longest = |v: &&MatmulKernel| {
        v.form == Form::Nt && v.a == Operand::Buffer && v.class != ClassName::Tiled
    };
    for variant in variants.iter().filter(longest) {
        let k = variant.max_k();
        let case = Case::new(Form::Nt, [2, 3, k]);
        let mistake = gpu.mistake(variant, &variant.source(), &case, 0, &[case.k]);
        assert_eq!(mistake, None, "{} at k = {k}", variant.name());
    }
}

/// Defects: whether in `tiled`, the form, m (which selects the variant), a text and its wrong twin.
const DEFECTS: &[(bool, Form, u32, &str, &str)] = &[
    (
        false,
        Form::Nt,
        100,
        "c0_0 += s0.x * b0_0;",
        "c0_0 -= s0.x * b0_0;",
    ),
    (
        false,
        Form::Nt,
        100,
        "load_b(k / 4u, n0 + 4u * lane + 1u)",
        "load_b(k / 4u, n0 + 4u * lane + 2u)",
    ),
    (
        false,
        Form::Nt,
        100,
        "v < vec4<f32>(0.0)",
        "v > vec4<f32>(0.0)",
    ),
    (false, Form::Nt, 100, "value + term", "value"),
    (
        false,
        Form::Nn,
        128,
        "c0_0 += s0.x * b0_0;",
        "c0_0 += s0.x * b0_1;",
    ),
    (
        false,
        Form::Nn,
        128,
        "<= vec4<f32>(0.0)",
        "< vec4<f32>(0.0)",
    ),
    (false, Form::Nn, 128, "v += c[at];", ""),
    (
        false,
        Form::Tn,
        128,
        "c0_0 += s0_0.x * b0_0;",
        "c0_0 += s0_0.y * b0_0;",
    ),
    (false, Form::Tn, 128, "d0 += a0_0;", ""),
    (false, Form::Tn, 128, "row < sizes.m &&", "true &&"),
    (false, Form::Nt, 100, "k += 4u;", "k += 8u;"),
    (
        false,
        Form::Nt,
        100,
        "column >= vec4<u32>(n)",
        "column > vec4<u32>(n)",
    ),
    (
        true,
        Form::Nt,
        64,
        "if (k_a0 < k_end)",
        "if (k_a0 <= k_end)",
    ),
    (
        true,
        Form::Nt,
        64,
        "c0 += a0_0_0.x * b0_0;",
        "c0 += a0_0_0.y * b0_0;",
    ),
    (
        true,
        Form::Nn,
        64,
        "17u * ((t + 0u) / 16u)",
        "16u * ((t + 0u) / 16u)",
    ),
    (true, Form::Tn, 64, "d0 += a0_0_0;", ""),
    (true, Form::Tn, 64, "fetch(k + TILE_K,", "fetch(k,"),
];

/// Plants one defect at a time: each must be found.
#[test]
fn a_planted_defect_is_found() {
    let mut gpu = Gpu::new();
    for &(tiled, form, m, from, to) in DEFECTS {
        let class = match (tiled, gpu.subgroups) {
            (true, _) => ClassName::Tiled,
            (false, true) => ClassName::Lanes,
            (false, false) => ClassName::LanesPlain,
        };
        let variant = choose(class, gpu.lanes, form, m, 512, 512);
        let source = variant.source();
        let planted = source.replacen(from, to, 1);
        assert_ne!(source, planted, "{} has no {from:?}", variant.name());
        let found = [[33, 33, 33], [18, 70, 20]].iter().any(|&size| {
            let case = Case::new(form, size);
            let mistake = |&bits: &u32| gpu.mistake(&variant, &planted, &case, bits, &[case.k]);
            combinations(form)
                .iter()
                .filter_map(mistake)
                .next()
                .is_some()
        });
        assert!(
            found,
            "{}: {from:?} became {to:?} unnoticed",
            variant.name()
        );
    }
}
