//! `model.freeze`: what is named stays to the bit, whatever the optimizer, and the rest trains.

use wavetrain::train::Trainer;

use super::fixture::gpu;
use super::state::{pictures, setup};

/// A trainer of the net of convolution (0), batch norm (1), ... and linear layer (5), with `freeze` in
/// its `[model]`.
fn frozen(freeze: &str, optimizer: &str) -> Result<Trainer, wavetrain::Error> {
    let setup = super::fixture::Setup {
        layers: format!("{}\nfreeze = {freeze}", setup().layers),
        optimizer: optimizer.into(),
        ..setup()
    };
    Trainer::new(gpu(), setup.config(), pictures())
}

#[test]
fn what_is_frozen_stays_and_the_rest_trains() {
    let optimizers = [
        "kind = \"sgd\"\nweight_decay = 0.1",
        "kind = \"sgd\"\nmomentum_form = \"caffe\"\nweight_decay = 0.1",
        "kind = \"adamw\"\nweight_decay = 0.1",
        "kind = \"adam\"\nweight_decay = 0.1",
    ];
    for optimizer in optimizers {
        for freeze in ["[\"0-3\"]", "[\"0\", \"1.*\"]"] {
            let mut trainer = frozen(freeze, optimizer).unwrap();
            let before = trainer.weights().unwrap();
            trainer.advance(12, 4).unwrap();
            let after = trainer.weights().unwrap();
            for (name, tensor) in &before.tensors {
                let stays = !name.starts_with("5.");
                assert_eq!(
                    *tensor == after.tensors[name],
                    stays,
                    "{optimizer} {freeze} {name}"
                );
            }
        }
    }
    // Without statistics being named they move, though the convolution stays.
    let mut trainer = frozen("[\"0.*\"]", "kind = \"sgd\"").unwrap();
    let before = trainer.weights().unwrap();
    trainer.advance(12, 4).unwrap();
    let after = trainer.weights().unwrap();
    let moved = |name: &str| before.tensors[name] != after.tensors[name];
    assert!(!moved("0.weight") && moved("1.weight") && moved("1.running_mean"));
}

#[test]
fn what_names_nothing_or_everything_is_refused() {
    let message = |freeze: &str| frozen(freeze, "kind = \"sgd\"").unwrap_err().to_string();
    let unknown = message("[\"0\", \"9.*\"]");
    assert!(
        unknown.contains("model.freeze: \"9.*\" names no parameter"),
        "{unknown}"
    );
    assert!(
        unknown.contains("the network has 0.weight, 0.bias, 1.weight"),
        "{unknown}"
    );
    let all = message("[\"*\"]");
    assert!(
        all.contains("all parameters, and nothing is left to train"),
        "{all}"
    );
}
