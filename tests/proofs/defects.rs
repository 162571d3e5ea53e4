//! The proofs are proved: with one defect planted in a shader (a sign, an index, an edge guard, a
//! mask that is dropped), the same proof that passes on the true shader fails.

use wavetrain::gpu::ClassName;
use wavetrain::kernel::shaders::SHADERS;
use wavetrain::kernel::source::{SKELETONS, SNIPPETS};

use super::defect_attention::ATTENTION;
use super::defect_data::DATA;
use super::defect_losses::LOSSES;
use super::defect_optim::OPTIM;
use super::defect_products::PRODUCTS;
use super::defect_steps::STEPS;
use super::defect_table::DEFECTS;
use super::stage::{Defect, Stage};
use super::table::PROVED_APART;
use super::{
    accumulate, augment, bench, clip_norm, data, drivers, gradient_norm, kernels, losses,
    number_losses, optimizers, parts, recurrent, table,
};

/// The proof of the shaders that a defect is planted in.
fn prove(stage: &mut Stage, defect: &Defect) -> Result<(), String> {
    let (family, name) = defect.shader.split_once('/').unwrap_or(("", defect.shader));
    match family {
        "layer" if name == "conv2d_parts" => prove_convolution(stage),
        "layer" if name == "carried" => recurrent::prove_carried(stage),
        "layer" if name == "directions" => prove_layer(stage, "rnn"),
        "layer" if recurrent::NAMES.contains(&name) => {
            prove_layer(stage, name).and_then(|()| recurrent::prove_carried(stage))
        }
        _ if defect.shader.ends_with("_steps_lanes") || defect.shader.ends_with("_back_lanes") => {
            let name = defect.shader.split('_').next().unwrap_or_default();
            prove_layer(stage, name)
        }
        _ if defect.shader.starts_with("conv2d_") => prove_convolution(stage),
        _ if defect.shader.starts_with("attention_") => table::Proof::of("multihead_attention")
            .try_for_each(|proof| kernels::prove(stage, proof)),
        "layer" if name == "layer_norm" => ["layer_norm", "rms_norm"]
            .into_iter()
            .flat_map(table::Proof::of)
            .try_for_each(|proof| kernels::prove(stage, proof)),
        "layer" => prove_layer(stage, name),
        "loss" if matches!(name, "l1" | "huber") => number_losses::prove(stage, name),
        "loss" if name == "mse_numbers" => number_losses::prove(stage, "mse"),
        "loss" => losses::prove(stage, name),
        "optim" if name == "accumulate" => accumulate::prove(stage),
        "optim" if name == "gradient_norm" => gradient_norm::prove(stage),
        "optim" if name == "clip_norm" => clip_norm::prove(stage),
        "optim" => optimizers::prove(stage),
        "data" if matches!(name, "augment" | "mean_grey") => augment::prove(stage),
        "data" => data::prove(stage),
        "drivers" => drivers::prove_random(stage),
        "bench" => bench::prove(stage),
        _ => kernels::prove_linear(stage).and_then(|()| kernels::prove_large(stage)),
    }
}

fn prove_convolution(stage: &mut Stage) -> Result<(), String> {
    prove_layer(stage, "conv2d")
}

fn prove_layer(stage: &mut Stage, name: &str) -> Result<(), String> {
    table::Proof::of(name).try_for_each(|proof| kernels::prove(stage, proof))
}

/// `Ok` where the proof finds the defect.
fn find(class: ClassName, defect: &Defect) -> Result<(), String> {
    if defect.shader.contains("conv2d") && parts::leaves_out_convolutions(class) {
        return Ok(());
    }
    let Some(mut stage) = Stage::new(class, Some(*defect)) else {
        return Ok(());
    };
    let outcome = prove(&mut stage, defect);
    if stage.planted == 0 {
        return Err(format!("{defect:?}: the text does not occur"));
    }
    match outcome {
        Ok(()) => Err(format!("{defect:?}: the proof passes all the same")),
        Err(_) => Ok(()),
    }
}

/// The class whose products the name says; the others have one form in all classes.
fn class(defect: &Defect) -> ClassName {
    let convolution = defect.shader.contains("conv2d") && !defect.shader.contains("_plain");
    if defect.shader.contains("_tiled") {
        ClassName::Tiled
    } else if defect.shader.contains("_lanes") || convolution && parts::driver_keeps_kernels() {
        ClassName::Lanes
    } else {
        ClassName::LanesPlain
    }
}

#[test]
fn the_proofs_find_planted_defects() {
    parts::each(DEFECTS, |defect| find(class(defect), defect));
}

#[test]
fn the_proofs_find_defects_in_gathering() {
    parts::each(DATA, |defect| find(class(defect), defect));
}

#[test]
fn the_proofs_find_defects_in_losses() {
    parts::each(LOSSES, |defect| find(class(defect), defect));
}

#[test]
fn the_proofs_find_defects_in_optimizers() {
    parts::each(OPTIM, |defect| find(class(defect), defect));
}

#[test]
fn the_proofs_find_defects_in_products() {
    parts::each(PRODUCTS, |defect| find(class(defect), defect));
}

#[test]
fn the_proofs_find_defects_in_recurrent_layers() {
    parts::each(STEPS, |defect| find(class(defect), defect));
}

#[test]
fn the_proofs_find_defects_in_attention() {
    parts::each(ATTENTION, |defect| find(class(defect), defect));
}

#[test]
fn every_shader_has_a_planted_defect() {
    // Those of the normalisations are in norms/defects.rs.
    let here = |name: &str| !PROVED_APART.iter().any(|norm| name.ends_with(norm));
    for entry in SHADERS.iter().filter(|entry| here(entry.name)) {
        let all = DEFECTS
            .iter()
            .chain(DATA)
            .chain(LOSSES)
            .chain(OPTIM)
            .chain(STEPS);
        let of_shader = all.filter(|defect| defect.shader == entry.name);
        let text = entry.shader().text;
        let own = of_shader
            .filter(|defect| text.contains(defect.from))
            .count();
        assert!(own > 0, "shader {} has no line in DEFECTS", entry.name);
    }
    for skeleton in SKELETONS {
        let mut all = DEFECTS.iter().chain(DATA).chain(LOSSES).chain(STEPS);
        let inside = all.any(|defect| skeleton.text.contains(defect.from));
        assert!(inside, "skeleton {} has no line in DEFECTS", skeleton.name);
    }
    for snippet in SNIPPETS {
        let mut all = DEFECTS.iter().chain(DATA).chain(LOSSES).chain(OPTIM);
        let inside = all.any(|defect| snippet.text.contains(defect.from));
        assert!(inside, "snippet {} has no line in DEFECTS", snippet.name);
    }
    for class in ["lanes", "plain", "tiled"] {
        for form in ["nt", "nn", "tn"] {
            let name = format!("matmul_{form}_{class}");
            let count = PRODUCTS.iter().filter(|d| d.shader == name).count();
            assert!(count > 0, "{name} has no line in PRODUCTS");
        }
    }
}
