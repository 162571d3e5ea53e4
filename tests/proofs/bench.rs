//! The second proof for the shaders of `bench`: they do the arithmetic that is counted.

use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::{Call, Matrix, Mode, shaders};

use super::compare::{POISON, poisoned, wide, within};
use super::rounded::Num;
use super::stage::{Stage, step, values};

/// Runs a shader of `bench` on one workgroup; gives the first `floats` of y.
fn run(stage: &mut Stage, name: &str, entry: &str, floats: usize, dims: bool) -> Vec<f32> {
    let mut b = stage.builder(Mode::Train, 1);
    let matrix = Matrix {
        rows: 1,
        cols: floats,
        stride: floats,
    };
    let y = b.matrix("y", matrix);
    b.keep(y, Key::Kept("y"));
    let mut call = Call::new(name, [1, 1, 1]).value("y", y);
    if dims {
        call = call.u32("iterations", 3).f32("a", 0.75).f32("b", 0.5);
    }
    b.dispatch(&shaders::named(name), entry, call);
    let program = stage.realize(&mut b.finish());
    stage.write(&Key::Kept("y"), &poisoned(matrix));
    stage.run(&program, Phases::Forward, &[step(1)]);
    stage.read(&Key::Kept("y"), floats)
}

/// Copies `floats` of x into y, which is longer; gives y.
fn copied(stage: &mut Stage, entry: &str, x: &[f32]) -> Vec<f32> {
    let mut b = stage.builder(Mode::Train, 1);
    let matrix = |floats: usize| Matrix {
        rows: 1,
        cols: floats,
        stride: floats,
    };
    let (from, to) = (matrix(x.len()), matrix(x.len() + 64));
    let (source, target) = (b.matrix("x", from), b.matrix("y", to));
    b.keep(source, Key::Kept("copy x"));
    b.keep(target, Key::Kept("copy y"));
    let call = Call::new(entry, [2, 3, 1])
        .value("x", source)
        .value("y", target)
        .u32("quads", x.len() / 4);
    b.dispatch(&shaders::named("bench/copy"), entry, call);
    let program = stage.realize(&mut b.finish());
    stage.write(&Key::Kept("copy x"), x);
    stage.write(&Key::Kept("copy y"), &poisoned(to));
    stage.run(&program, Phases::Forward, &[step(1)]);
    stage.read(&Key::Kept("copy y"), x.len() + 64)
}

/// Checks all shaders; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    // In six workgroups: all of the first form at work, two of the second.
    for entry in ["one", "four"] {
        let x = values(3, 4 * 364, -1.0, 1.0);
        let mut wanted = wide(&x);
        wanted.extend([f64::from(POISON); 64]);
        let y = copied(stage, entry, &x);
        within(&format!("bench/copy: {entry}"), 4, &y, &wanted, |_| 0.0)?;
    }
    let y = run(stage, "bench/nothing", "nothing", 32, false);
    within("bench/nothing: y", 32, &y, &[0.0; 32], |_| 0.0)?;
    let y = run(stage, "bench/multiply_add", "multiply_add", 256, true);
    let wanted: Vec<Num> = (0..256).map(|i| chains(i / 4)).collect();
    let values: Vec<f64> = wanted.iter().map(|sum| sum.value).collect();
    within("bench/multiply_add: y", 4, &y, &values, |i| wanted[i].error)
}

/// Eight chains of 12 links each, x <- x * 3/4 + 1/2, added up.
fn chains(invocation: usize) -> Num {
    let start = Num::exact(invocation as f64) * Num::constant(0.001);
    let chain = |c: u32| {
        let first = start + Num::constant(f64::from(c) / 10.0);
        (0..12).fold(first, |x, _| x * Num::exact(0.75) + Num::exact(0.5))
    };
    let [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(chain);
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

#[test]
fn bench_shaders_do_the_arithmetic_that_is_counted() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}
