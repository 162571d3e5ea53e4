//! `optimizer.lr_mult`: what is named moves by its factor times the rate, whatever the optimizer, and
//! the rest by the rate.

use wavetrain::optim::{ReferenceParameter, Update};
use wavetrain::train::Trainer;

use super::fixture::{Setup, data, gpu, gpus, weight_bits};
use super::rounded::U;

const LR: f32 = 0.1;

fn setup(layers: &str, optimizer: &str) -> Setup {
    Setup {
        layers: layers.into(),
        optimizer: optimizer.into(),
        schedule: format!("policy = \"constant\"\nlr = {LR}"),
        ..Setup::default()
    }
}

const LAYERS: &str = r#"[{ linear = 12 }, "tanh", { linear = 4 }]"#;

#[test]
fn a_step_moves_what_is_named_by_its_factor() {
    let optimizers = [
        "kind = \"sgd\"\nweight_decay = 0.1",
        "kind = \"sgd\"\nmomentum_form = \"caffe\"\nweight_decay = 0.1",
        "kind = \"adamw\"\nweight_decay = 0.1",
        "kind = \"adam\"\nweight_decay = 0.1",
    ];
    let factor = |name: &str| match name {
        "0.weight" | "0.bias" => 0.25,
        "2.bias" => 3.0,
        _ => 1.0,
    };
    for (gpu, optimizer) in gpus().iter().flat_map(|gpu| optimizers.map(|o| (gpu, o))) {
        let text = format!("{optimizer}\nlr_mult = {{ 0-1 = 0.25, \"2.b*\" = 3 }}");
        let setup = setup(LAYERS, &text);
        let mut trainer = setup.trainer(gpu.clone(), data(100, 6));
        let before = trainer.weights().unwrap();
        trainer.advance(1, 1).unwrap();
        let (after, gradients) = (trainer.weights().unwrap(), trainer.gradients().unwrap());
        let own = trainer.optimizer();
        let update = Update {
            step: 0,
            lr: f64::from(LR),
            momentum: own.momentum().map_or(0.0, |momentum| momentum.value),
        };
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        for (name, old) in &before.tensors {
            let g = wide(&gradients.tensors[name].values);
            let old = wide(&old.values);
            let mut p = ReferenceParameter {
                w: old.clone(),
                state: vec![vec![0.0; old.len()]; own.states().len()],
                lr_mult: factor(name),
                decay_mult: 1.0,
            };
            own.reference(&mut p, &g, &update);
            let found = wide(&after.tensors[name].values);
            for (at, ((found, wanted), old)) in found.iter().zip(&p.w).zip(&old).enumerate() {
                // Of a sum of products and a quotient, each rounded, and of the words and the rate.
                let bound = 16.0 * U * (old.abs() + (wanted - old).abs());
                assert!(
                    (found - wanted).abs() <= bound,
                    "{} {optimizer} {name}[{at}]: {found} is not {wanted}",
                    gpu.class()
                );
            }
            assert_ne!(found, old, "{optimizer} {name}");
        }
    }
}

#[test]
fn factors_count_besides_the_layers_own() {
    let layers = |mult: f64| {
        LAYERS.replace(
            "{ linear = 12 }",
            &format!(
                "{{ linear = {{ out_features = 12, lr_mult = {{ weight = {mult}, bias = {mult} }} }} }}"
            ),
        )
    };
    for optimizer in ["kind = \"sgd\"", "kind = \"adamw\""] {
        let trained = |mult: f64, beside: &str| {
            let setup = setup(&layers(mult), &format!("{optimizer}\n{beside}"));
            let mut trainer = setup.trainer(gpu(), data(100, 6));
            trainer.advance(12, 4).unwrap();
            weight_bits(&trainer)
        };
        let quarter = trained(0.25, "");
        assert_eq!(trained(1.0, "lr_mult = { 0 = 0.25 }"), quarter);
        assert_eq!(trained(0.5, "lr_mult = { \"0.*\" = 0.5 }"), quarter);
        assert_eq!(trained(0.25, "lr_mult = {}"), quarter);
        assert_ne!(trained(1.0, ""), quarter);
    }
}

#[test]
fn what_names_nothing_or_twice_is_refused() {
    let refused = |layers: &str, table: &str| {
        let optimizer = format!("kind = \"sgd\"\nlr_mult = {table}");
        let config = setup(layers, &optimizer).config();
        Trainer::new(gpu(), config, data(100, 6))
            .unwrap_err()
            .to_string()
    };
    let large = r#"[{ linear = { out_features = 4, lr_mult = { weight = 1e30 } } }]"#;
    for (layers, table, words) in [
        (
            LAYERS,
            "{ \"0\" = 0.1, \"9.*\" = 0.5 }",
            &[
                "optimizer.lr_mult: \"9.*\" names no parameter",
                "the network has 0.weight, 0.bias, 2.weight, 2.bias",
            ][..],
        ),
        (LAYERS, "{ 1 = 0.5 }", &["\"1\" names no parameter"]),
        (
            LAYERS,
            "{ 0-2 = 0.1, \"2.weight\" = 0.5 }",
            &[
                "both \"0-2\" and \"2.weight\" name 2.weight",
                "at most one for each",
                "the network has 0.weight",
            ],
        ),
        (LAYERS, "{ \"*\" = 0 }", &["nothing is left to train"]),
        (
            &format!("{LAYERS}\nfreeze = [\"0\"]"),
            "{ \"0-2\" = 0.1 }",
            &["\"0-2\" names 0.weight, which model.freeze lets stay"],
        ),
        (
            large,
            "{ \"0.weight\" = 1e30 }",
            &["for 0.weight, whose layer has lr_mult 1000000"],
        ),
    ] {
        let message = refused(layers, table);
        for words in words {
            assert!(message.contains(words), "{message}");
        }
    }
}
