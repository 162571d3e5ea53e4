//! What the proofs assume about the driver: that exp and log are as exact as `rounded.rs` says;
//! and that the random words of the shaders are those of the host.

use wavetrain::kernel::builder::grid;
use wavetrain::kernel::matrix::Value;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::source::THREEFRY;
use wavetrain::kernel::{Call, Element, Matrix, Mode, Shader};
use wavetrain::rng::{threefry, uniform};

use super::rounded::{exp_error, log_error};
use super::stage::{Stage, step, values};

/// Runs `text`, whose entry point is `main` and whose bindings are x and y, on one vec4 per
/// invocation.
fn map(stage: &mut Stage, name: &'static str, text: &'static str, x: &[f32]) -> Vec<f32> {
    let shader = Shader::new(name, &[&THREEFRY], text);
    let mut b = stage.builder(Mode::Train, 1);
    let matrix = Matrix {
        rows: 1,
        cols: x.len(),
        stride: x.len(),
    };
    let values: [Value; 2] = ["x", "y"].map(|name| {
        let mut value = b.matrix(name, matrix);
        if text.contains("vec4<u32>>") {
            value.element = Element::U32;
        }
        b.keep(value, Key::Kept(name));
        value
    });
    let call = Call::new(name, grid(x.len() / 4, 64).unwrap())
        .value("x", values[0])
        .value("y", values[1]);
    b.dispatch(&shader, "main", call);
    let program = stage.realize(&mut b.finish());
    stage.write(&Key::Kept("x"), x);
    stage.run(&program, Phases::Forward, &[step(1)]);
    stage.read(&Key::Kept("y"), x.len())
}

const EXP_AND_LOG: &str = "// exp of the even and log of the odd vectors.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&x) {
        return;
    }
    if i % 2u == 0u {
        y[i] = exp(x[i]);
    } else {
        y[i] = log(x[i]);
    }
}
";

#[test]
fn exp_and_log_are_as_exact_as_the_bounds_assume() {
    let n = 40_000;
    let wide = values(1, n, -87.0, 87.0);
    let near = values(2, n, -1.0, 1.0);
    // log is used on sums of at least 1.
    let sums = values(3, n, 1.0, 2.0);
    let large = values(4, n, 1.0, 1000.0);
    let quads = |values: &[f32], i: usize| values[4 * i..4 * i + 4].to_vec();
    let x: Vec<f32> = (0..n / 4)
        .flat_map(|i| {
            [
                quads(&wide, i),
                quads(&sums, i),
                quads(&near, i),
                quads(&large, i),
            ]
        })
        .flatten()
        .collect();
    for mut stage in Stage::all() {
        let y = map(&mut stage, "drivers/exp_and_log", EXP_AND_LOG, &x);
        let mut worst = [0.0_f64; 2];
        for (i, (x, y)) in x.iter().zip(&y).enumerate() {
            let (x, y) = (f64::from(*x), f64::from(*y));
            let is_log = i / 4 % 2;
            let (error, allowed) = match is_log {
                0 => ((y - x.exp()).abs(), x.exp() * exp_error(x)),
                _ => ((y - x.ln()).abs(), log_error(x)),
            };
            let name = ["exp", "log"][is_log];
            let driver = &stage.gpu.description().driver;
            assert!(
                error <= allowed,
                "{driver}: {name}({x:e}) is {y:e}: off by {error:e}, the proofs assume {allowed:e}"
            );
            worst[is_log] = worst[is_log].max(error / allowed);
        }
        // Bounds that nothing comes near would prove little.
        assert!(worst.iter().all(|w| *w > 0.01), "{worst:?}");
    }
}

/// Words of the shader's Threefry: x holds a key and a counter as bits, y the words and their
/// uniforms.
const RANDOM: &str = "// Two random words and their uniforms for each key and counter.
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&x) {
        return;
    }
    let words = threefry(x[i].xy, x[i].zw);
    let uniforms = vec2<f32>(threefry_uniform(words.x), threefry_uniform(words.y));
    y[i] = vec4<u32>(words, bitcast<vec2<u32>>(uniforms));
}
";

/// Checks the shaders' random words; the first failure.
pub(crate) fn prove_random(stage: &mut Stage) -> Result<(), String> {
    let bits = |words: [u32; 4]| words.map(f32::from_bits);
    // The published check values of Random123 (kat_vectors, threefry2x32 20), then many more.
    let published = [
        ([0, 0, 0, 0], [0x6b20_0159, 0x99ba_4efe]),
        ([u32::MAX; 4], [0x1cb9_96fc, 0xbb00_2be7]),
        (
            [0x1319_8a2e, 0x0370_7344, 0x243f_6a88, 0x85a3_08d3],
            [0xc492_3a9c, 0x483d_f7a0],
        ),
    ];
    let mut given: Vec<[u32; 4]> = published.iter().map(|(x, _)| *x).collect();
    for i in 0..5_000 {
        let [a, b] = threefry([1, 2], [i, 0]);
        given.push([a, b, i % 1000, i / 1000]);
    }
    while !given.len().is_multiple_of(64) {
        given.push([0; 4]);
    }
    let x: Vec<f32> = given.iter().flat_map(|words| bits(*words)).collect();
    let y = map(stage, "drivers/random", RANDOM, &x);
    for (i, ([k0, k1, c0, c1], y)) in given.iter().zip(y.chunks(4)).enumerate() {
        let wanted = match published.get(i) {
            Some((_, words)) => *words,
            None => threefry([*k0, *k1], [*c0, *c1]),
        };
        let uniforms = wanted.map(|word| uniform(word).to_bits());
        let found = [0, 1, 2, 3].map(|lane| y[lane].to_bits());
        if found != [wanted[0], wanted[1], uniforms[0], uniforms[1]] {
            return Err(format!(
                "Threefry of {:x?}: {found:x?}, not {wanted:x?}",
                given[i]
            ));
        }
    }
    Ok(())
}

#[test]
fn random_words_of_shaders_are_the_hosts() {
    for mut stage in Stage::all() {
        prove_random(&mut stage).unwrap();
    }
}
