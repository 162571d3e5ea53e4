//! The second proof for layers: the kernels of every class against the reference.

use wavetrain::gpu::ClassName;
use wavetrain::kernel::Mode;
use wavetrain::layer::{LAYERS, Linear};

use super::alone::takes;
use super::case::{Case, Given};
use super::parts;
use super::recurrent;
use super::stage::Stage;
use super::table::{Bounds, PROOFS, PROVED_APART, Proof};
use super::verdict::{check, check_given};

/// Odd sizes: one, less than a vec4, around a block, around a row of memory.
pub(crate) const SIZES: [usize; 5] = [1, 3, 17, 33, 100];

/// All cases of a layer: lists of features, pictures and sequences, as the layer takes them; whole and partial
/// batches; what is fused; folded grids; evaluation.
fn cases(proof: &Proof) -> Vec<Case> {
    let mut cases = Vec::new();
    let lists = SIZES.map(|width| vec![width]);
    let pictures = [[1, 1, 1], [2, 3, 5], [4, 5, 3], [7, 4, 9]].map(|shape| shape.to_vec());
    let sequences = [vec![3, 5], vec![1, 4], vec![7, 36]];
    let layer = proof.layer();
    let sequences = match proof.bounds {
        Bounds::Steps => &[][..],
        _ => &sequences,
    };
    if matches!(proof.bounds, Bounds::Steps) {
        cases = recurrent::cases();
    }
    for rows in SIZES {
        let shapes = lists.iter().chain(&pictures).chain(sequences);
        let taken = shapes.filter(|shape| takes(&*layer, shape));
        cases.extend(taken.map(|shape| Case::new(rows, shape)));
    }
    if proof.name == "conv2d" {
        // Weight gradients whose sum is split over workgroups.
        cases.push(Case::new(34, &[5, 33, 60]));
        // Operands in textures, of an image with fewer channels than a quad holds.
        cases.push(Case::new(34, &[1, 40, 71]));
        cases.push(Case::new(9, &[3, 33, 60]));
    }
    if proof.name.ends_with("_norm") {
        // Rows that several invocations share, and rows that several workgroups do.
        cases.push(Case::new(3, &[2100]));
        cases.push(Case::new(600, &[5]));
        cases.push(Case::new(23, &[7, 36]));
    }
    if proof.name == "multihead_attention" {
        // Heads of 1, 5, 32 and 64 numbers, and of more than an invocation holds; tiles of rows that are
        // not full, and several.
        let shapes = [
            (3, [1, 10]),
            (2, [7, 10]),
            (1, [6, 74]),
            (2, [65, 64]),
            (1, [33, 128]),
        ];
        // Where weights drop, the kernels' registers are the same.
        let few = if proof.arguments.contains("dropout") {
            3
        } else {
            5
        };
        let shapes = shapes.iter().take(few);
        let taken = shapes.filter(|(_, shape)| takes(&*layer, shape));
        cases.extend(taken.map(|(rows, shape)| Case::new(*rows, shape)));
    }
    assert!(
        !cases.is_empty(),
        "{} takes no input of these proofs",
        proof.title()
    );
    let with = |change: fn(&mut Case)| {
        let mut changed = cases.clone();
        changed.iter_mut().for_each(change);
        changed
    };
    let partial = with(|case| case.count = case.rows.div_ceil(2));
    let fused = with(|case| {
        case.relu = true;
        case.gate = true;
    });
    let folded = with(|case| case.fold = true);
    let evaluated = with(|case| case.mode = Mode::Evaluate);
    [cases, partial, fused, folded, evaluated].concat()
}

/// Checks a line of the table on a stage; the first failure.
pub(crate) fn prove(stage: &mut Stage, proof: &Proof) -> Result<(), String> {
    let layer = proof.layer();
    for case in cases(proof) {
        check(stage, &*layer, &proof.bounds, &case)
            .map_err(|problem| format!("{}: {problem}", proof.title()))?;
    }
    hard_numbers(stage, proof)
}

/// Numbers at which functions overflow, underflow or lose their digits.
fn hard_numbers(stage: &mut Stage, proof: &Proof) -> Result<(), String> {
    if !matches!(proof.bounds, Bounds::Elements { .. }) {
        return Ok(());
    }
    let magnitudes = [
        0.0, 1e-30, 9.5e-7, 0.01, 0.2499, 0.25, 0.2501, 0.75, 0.9999, 1.0, 1.414, 1.4143, 2.5, 5.0,
        9.0, 17.0, 44.5, 87.0, 88.5, 89.0, 104.0, 1e3, 1e6,
    ];
    let x: Vec<f32> = magnitudes.iter().flat_map(|x| [*x, -*x]).collect();
    let case = Case::new(1, &[x.len()]);
    let layer = proof.layer();
    let given = Given {
        x,
        ..Given::new(&*layer, &case)
    };
    check_given(stage, &*layer, &proof.bounds, &case, &given)
        .map_err(|problem| format!("{}: {problem}", proof.title()))
}

/// Sums over many steps.
#[test]
fn attention_over_many_steps_equals_its_reference() {
    for mut stage in Stage::all() {
        for proof in Proof::of("multihead_attention") {
            let layer = proof.layer();
            let width = layer.arguments()["num_heads"].as_integer().unwrap() as usize;
            let case = Case::new(1, &[1024, width]);
            check(&mut stage, &*layer, &proof.bounds, &case).unwrap();
        }
    }
}

/// Linear layers of every pair of widths, with everything that is fused, and sums split
/// into two dispatches.
pub(crate) fn prove_linear(stage: &mut Stage) -> Result<(), String> {
    for (i, inputs) in SIZES.into_iter().enumerate() {
        for (j, outputs) in SIZES.into_iter().enumerate() {
            let rows = SIZES[(i + j) % SIZES.len()];
            let case = Case::new(rows, &[inputs]);
            let fused = Case {
                relu: true,
                gate: true,
                count: rows.div_ceil(2),
                ..case.clone()
            };
            let split = Case {
                relu: i % 2 == 0,
                gate: j % 2 == 0,
                split: Some([4, 8, 16][j % 3]),
                ..case.clone()
            };
            for (case, bias) in [
                (&case, true),
                (&case, false),
                (&fused, true),
                (&split, true),
            ] {
                prove_width(stage, outputs, bias, case)?;
            }
        }
    }
    Ok(())
}

/// One linear layer of `outputs` outputs.
pub(crate) fn prove_width(
    stage: &mut Stage,
    outputs: usize,
    bias: bool,
    case: &Case,
) -> Result<(), String> {
    let layer = Linear {
        bias,
        ..Linear::new(outputs)
    };
    check(stage, &layer, &Bounds::Products, case).map_err(|problem| {
        format!("linear {{ out_features = {outputs}, bias = {bias} }}: {problem}")
    })
}

#[test]
fn kernels_equal_their_references() {
    let layers = PROOFS.chunk_by(|one, next| one.name == next.name);
    let parts = layers.flat_map(|proofs| Stage::classes().map(move |class| (class, proofs)));
    parts::each(parts, |(class, proofs)| {
        if proofs[0].name == "conv2d" && parts::leaves_out_convolutions(class) {
            return Ok(());
        }
        let mut stage = Stage::new(class, None).unwrap();
        proofs.iter().try_for_each(|proof| prove(&mut stage, proof))
    });
}

#[test]
fn the_table_is_whole() {
    for entry in LAYERS {
        assert!(
            Proof::of(entry.name).count() > 0 || PROVED_APART.contains(&entry.name),
            "layer {} is not proved",
            entry.name
        );
    }
}

#[test]
fn linear_layers_equal_their_reference_at_every_pair_of_widths() {
    for mut stage in Stage::all() {
        prove_linear(&mut stage).unwrap();
    }
}

/// Several tiles in each direction, none of them full, and large enough for operands in textures;
/// whole sums, and sums in two parts.
pub(crate) fn prove_large(stage: &mut Stage) -> Result<(), String> {
    let case = Case {
        relu: true,
        gate: true,
        count: 129,
        ..Case::new(130, &[300])
    };
    prove_width(stage, 270, true, &case)?;
    let split = Case {
        split: Some(64),
        ..case
    };
    prove_width(stage, 270, true, &split)
}

#[test]
fn large_products_equal_their_reference() {
    for mut stage in Stage::all() {
        prove_large(&mut stage).unwrap();
    }
}

/// Products of 512 tiles of 128 x 64 and more, for which `tiled` takes its larger tile.
#[test]
fn products_of_many_tiles_equal_their_reference() {
    let mut stage = Stage::new(ClassName::Tiled, None).unwrap();
    for [rows, inputs, outputs] in [[2049, 3, 2047], [2049, 2047, 3], [3, 2049, 2047]] {
        prove_width(&mut stage, outputs, true, &Case::new(rows, &[inputs])).unwrap();
    }
}

/// Operands that do not fit into one binding are taken in portions of their rows.
#[test]
fn products_of_more_than_a_binding_come_in_portions() {
    for mut stage in Stage::all() {
        // Rows of 128 floats, of which 64 fit.
        stage.binding = Some(64 * 4 * 128);
        for rows in [64, 65, 200] {
            let case = Case {
                count: rows - 1,
                relu: true,
                gate: true,
                ..Case::new(rows, &[100])
            };
            prove_width(&mut stage, 70, true, &case).unwrap();
        }
    }
}

/// Sums of more than 240,000 terms: one software driver silently leaves the loops of an invocation
/// after 65,535 iterations in total.
#[test]
fn sums_longer_than_a_drivers_loops_are_whole() {
    for mut stage in Stage::all() {
        // Forward sums over the inputs, the input gradient over the outputs.
        prove_width(&mut stage, 2, true, &Case::new(3, &[300_000])).unwrap();
        let gated = Case {
            gate: true,
            ..Case::new(2, &[3])
        };
        prove_width(&mut stage, 300_000, true, &gated).unwrap();
        // The weight gradient sums over the samples.
        let relu = Case {
            relu: true,
            count: 249_999,
            ..Case::new(250_000, &[3])
        };
        prove_width(&mut stage, 2, true, &relu).unwrap();
    }
}
