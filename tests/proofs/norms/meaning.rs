//! The meaning is PyTorch's, and within a channel Caffe's: golden files.

use wavetrain::kernel::Mode;
use wavetrain::layer::{self, Layer};
use wavetrain::rng::{Key, Stream};

use super::super::alone::Alone;
use super::super::compare::wide;
use super::super::golden;
use super::kernels::check_given;
use super::{Case, Given, make, stage};

/// Both sides are f64 and add up at most some dozens of terms in their own order.
fn equal(what: &str, found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!(
            (found - wanted).abs() <= 1e-13 * (1.0 + wanted.abs()),
            "{what}, element {i}: {found}, golden {wanted}"
        );
    }
}

/// A pass of a golden file.
struct Pass {
    layer: Box<dyn Layer>,
    case: Case,
    x: Vec<f32>,
    dy: Vec<f32>,
    parameters: Vec<Vec<f32>>,
    states: Vec<Vec<f64>>,
}

impl Pass {
    fn read(name: &str, file: &golden::Case, training: bool) -> Self {
        let layer = make(name, &file.get("arguments").text());
        let shape = file.get("x").shape();
        let case = Case {
            mode: if training {
                Mode::Train
            } else {
                Mode::Evaluate
            },
            ..Case::new(shape[0], [shape[1], shape[2], shape[3]])
        };
        let alone = Alone::new(&*layer, &case.input);
        let fit = &alone.node().fit;
        let (parameters, states) = (fit.parameters.iter(), fit.states.iter());
        Self {
            parameters: parameters
                .map(|spec| file.get("parameters").get(&spec.name).floats())
                .collect(),
            states: states
                .map(|spec| file.get("states").get(&spec.name).data())
                .collect(),
            x: file.get("x").floats(),
            dy: file.get("dy").floats(),
            layer,
            case,
        }
    }

    /// Compares the reference with the file.
    fn check_reference(&self, file: &golden::Case) {
        let parameters: Vec<Vec<f64>> = self.parameters.iter().map(|p| wide(p)).collect();
        let (x, dy) = (wide(&self.x), wide(&self.dy));
        let alone = Alone::new(&*self.layer, &self.case.input);
        let key = Key::new(1, Stream::Dropout, 2);
        let pass = layer::Pass {
            states: &self.states,
            training: self.case.mode == Mode::Train,
            ..alone.pass(self.case.rows, &x, &parameters, key)
        };
        let what = format!("{:?}", self.layer);
        equal(
            &what,
            &self.layer.reference().forward(&pass),
            &file.get("y").data(),
        );
        let gradients = self.layer.reference().backward(&pass, &dy);
        equal(&what, &gradients.dx, &file.get("dx").data());
        let specs = &alone.node().fit.parameters;
        assert_eq!(gradients.parameters.len(), specs.len(), "{what}");
        for (spec, found) in specs.iter().zip(&gradients.parameters) {
            let wanted = file.get("gradients").get(&spec.name).data();
            equal(&format!("{what}, {}", spec.name), found, &wanted);
        }
    }

    fn given(&self, states: Vec<Vec<f32>>) -> Given {
        Given {
            x: self.x.clone(),
            dy: self.dy.clone(),
            parameters: self.parameters.clone(),
            states,
        }
    }
}

#[test]
fn local_response_norm_means_what_pytorchs_and_caffes_do() {
    let mut stage = stage(None);
    for file in golden::read("layers/local_response_norm.json")
        .get("cases")
        .list()
    {
        let pass = Pass::read("local_response_norm", &file, true);
        pass.check_reference(&file);
        check_given(
            &mut stage,
            &*pass.layer,
            &pass.case,
            &pass.given(Vec::new()),
        )
        .unwrap();
    }
}

/// Three steps of training, then evaluation, for each variant: the running statistics are carried on
/// by the kernels themselves.
#[test]
fn batch_norm2d_means_what_pytorchs_does() {
    let mut stage = stage(None);
    let mut states: Vec<Vec<f32>> = Vec::new();
    let mut modes = Vec::new();
    for file in golden::read("layers/batch_norm2d.json").get("cases").list() {
        let training = file.get("training").flag();
        let pass = Pass::read("batch_norm2d", &file, training);
        pass.check_reference(&file);
        if modes.last() != Some(&true) {
            let narrow = |list: &Vec<f64>| list.iter().map(|v| *v as f32).collect();
            states = pass.states.iter().map(narrow).collect();
        }
        modes.push(training);
        let given = pass.given(states);
        states = check_given(&mut stage, &*pass.layer, &pass.case, &given)
            .unwrap()
            .states;
        let alone = Alone::new(&*pass.layer, &pass.case.input);
        for (spec, found) in alone.node().fit.states.iter().zip(&states) {
            let wanted = file.get("states_after").get(&spec.name).data();
            for (found, wanted) in found.iter().zip(&wanted) {
                // Three steps, each with a dozen roundings of numbers of this size or, for the
                // variance of inputs around 16, of what they are off from their mean.
                let allowed = 36.0 * 6e-8 * wanted.abs();
                let off = (f64::from(*found) - wanted).abs();
                assert!(off <= allowed, "{}: {found}, PyTorch {wanted}", spec.name);
            }
        }
    }
    let four = [true, true, true, false];
    assert!(
        modes.len() == 12 && modes.chunks(4).all(|chunk| chunk == four),
        "{modes:?}"
    );
}
