//! The proofs of recurrent layers beyond the table's: how far rounding may take their steps
//! (`bounds.rs`), states that are carried from batch to batch, long sequences and wide layers whose steps
//! are shared out over dispatches, and what the layers refuse.

mod bounds;
mod carried;
mod refusals;

use wavetrain::args::Args;
use wavetrain::gpu::ClassName;
use wavetrain::layer::{LAYERS, Layer};

pub(crate) use bounds::limits;
pub(crate) use carried::prove as prove_carried;

use super::case::Case;
use super::stage::Stage;
use super::table::Bounds;
use super::verdict::check;

pub(crate) const NAMES: [&str; 3] = ["lstm", "gru", "rnn"];

/// A layer of `LAYERS` with arguments.
fn make(name: &str, arguments: &str) -> Box<dyn Layer> {
    let entry = LAYERS.iter().find(|entry| entry.name == name).unwrap();
    let layer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
    assert_eq!(layer.validate(), Ok(()), "{name} {{ {arguments} }}");
    layer
}

/// Samples and shapes: one of everything; samples that fill no block of four; more steps than are
/// usual; more inputs than a row of memory holds.
pub(crate) fn cases() -> Vec<Case> {
    [
        (1, [1, 1]),
        (1, [7, 5]),
        (3, [4, 17]),
        (6, [3, 100]),
        (5, [65, 3]),
        (33, [2, 7]),
    ]
    .map(|(rows, shape)| Case::new(rows, &shape))
    .into()
}

/// Wide layers, whose units fill workgroups several times, and steps that are more than one dispatch
/// may take.
#[test]
fn wide_layers_and_long_sequences_equal_their_reference() {
    for mut stage in Stage::all() {
        for (name, units, rows, shape) in [
            ("lstm", 100, 5, [3, 9]),
            ("gru", 270, 2, [3, 5]),
            ("rnn", 300, 5, [4, 3]),
            ("lstm", 9, 2, [2600, 1]),
        ] {
            let layer = make(name, &format!("hidden_size = {units}"));
            check(
                &mut stage,
                &*layer,
                &Bounds::Steps,
                &Case::new(rows, &shape),
            )
            .unwrap();
        }
    }
}

/// The same bits, whatever class computes the steps, where the products are the same.
#[test]
fn steps_have_a_fixed_order() {
    let mut stage = Stage::new(ClassName::LanesPlain, None).unwrap();
    for name in NAMES {
        let layer = make(name, "hidden_size = 17\nbidirectional = true");
        let case = Case::new(5, &[9, 6]);
        let given = super::case::Given::new(&*layer, &case);
        let [a, b] = [0, 1].map(|_| super::case::run(&mut stage, &*layer, &case, &given).unwrap());
        assert_eq!((a.y, a.dx, a.gradients), (b.y, b.dx, b.gradients), "{name}");
    }
}
