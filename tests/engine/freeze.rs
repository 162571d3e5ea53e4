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

/// As in PyTorch: what stays has no gradient, none counts in the norm, and nothing is worked out for it.
#[test]
fn what_is_frozen_has_no_gradient() {
    let clipped = "kind = \"sgd\"\nclip_norm = 0.01";
    let mut free = frozen("[]", clipped).unwrap();
    let all = free.advance(1, 1).unwrap()[0];
    // Clipped already: what they were before is these over the factor.
    let before = |trainer: &Trainer, factor: Option<f64>, name: &str| -> Vec<f64> {
        let gradients = trainer.gradients().unwrap();
        let values = gradients.tensors[name].values.iter();
        let factor = factor.unwrap();
        values.map(|value| f64::from(*value) / factor).collect()
    };
    for (freeze, kept) in [
        ("[\"0-3\"]", &["5.weight", "5.bias"][..]),
        ("[\"1\", \"5.bias\"]", &["0.weight", "0.bias", "5.weight"]),
        ("[\"5\"]", &["0.weight", "0.bias", "1.weight", "1.bias"]),
    ] {
        let mut trainer = frozen(freeze, clipped).unwrap();
        let step = trainer.advance(1, 1).unwrap()[0];
        assert_eq!(step.loss, all.loss, "{freeze}");
        let mut squares = 0.0;
        for (name, tensor) in &trainer.gradients().unwrap().tensors {
            if !kept.contains(&name.as_str()) {
                assert!(tensor.values.iter().all(|g| *g == 0.0), "{freeze} {name}");
                continue;
            }
            let found = before(&trainer, step.clip_factor, name);
            let wanted = before(&free, all.clip_factor, name);
            let largest = wanted.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
            for (found, wanted) in found.iter().zip(&wanted) {
                assert!((found - wanted).abs() <= 1e-5 * largest, "{freeze} {name}");
            }
            squares += wanted.iter().map(|g| g * g).sum::<f64>();
        }
        let norm = squares.sqrt();
        assert!((step.grad_norm / norm - 1.0).abs() < 1e-5, "{freeze}");
        assert!(step.grad_norm < all.grad_norm, "{freeze}");
    }
    let dispatches = |freeze: &str| frozen(freeze, clipped).unwrap().plan().backward.len();
    assert!(dispatches("[\"0-3\"]") < dispatches("[]"));
}

/// A table that the layer behind uses, and whose twin is the last layer, as a whole.
#[test]
fn a_frozen_table_stays_where_it_is_tied_and_where_it_is_fused() {
    let text = "[data]\nsource = \"numbers\"\ncontext = 8\nbatch = 4\n[model]\nlayers = [\
        { embedding = 12 }, { lstm = 12 }, { linear = { out_features = 30, bias = false, \
        tie = \"0.weight\" } }]\nfreeze = [\"0\"]\n[schedule]\npolicy = \"constant\"\nlr = 0.1\n";
    let config = wavetrain::Config::parse("tied", text).unwrap();
    let data = config.load_data().unwrap();
    let mut trainer = Trainer::new(gpu(), config, data).unwrap();
    let before = trainer.weights().unwrap();
    let steps = trainer.advance(5, 1).unwrap();
    assert!(
        steps
            .iter()
            .all(|step| step.is_finite() && step.grad_norm > 0.0)
    );
    let (after, gradients) = (trainer.weights().unwrap(), trainer.gradients().unwrap());
    for (name, tensor) in &before.tensors {
        let stays = ["0.weight", "2.weight"].contains(&name.as_str());
        assert_eq!(*tensor == after.tensors[name], stays, "{name}");
        // Of tied parameters there is one gradient, under the first name.
        if let Some(gradient) = gradients.tensors.get(name) {
            let none = gradient.values.iter().all(|g| *g == 0.0);
            assert_eq!(none, stays, "{name}");
        }
    }
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
