//! Random numbers belong to a sample's place in the update: the same to the bit, whatever batches
//! the samples come in.

use wavetrain::data::{Augment, Storage};
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key as Buffer, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::kernel::{Mode, Value};
use wavetrain::layer::{Back, Dropout, Flatten, Layer, Linear, Relu};
use wavetrain::model::{GATHERED, Network, PlanRequest, gather_plan};
use wavetrain::rng::Key;
use wavetrain::train::StepUniform;

use super::alone::Alone;
use super::data::samples;
use super::layout::store;
use super::stage::{Stage, step, values};

/// Samples of an update, and the batches that they come in besides a single one.
const SAMPLES: usize = 12;
const BATCHES: [usize; 3] = [1, 3, 4];

/// The batches of an update in batches of `batch`.
fn slots(batch: usize) -> Vec<StepUniform> {
    let slot = |at: usize| StepUniform {
        start: (at * batch) as u32,
        first_sample: (at * batch) as u32,
        ..step(batch)
    };
    (0..SAMPLES / batch).map(slot).collect()
}

/// What dropout makes of ones, forward and backward, in batches of `batch`.
fn dropped(stage: &mut Stage, shape: &[usize], batch: usize) -> [Vec<u32>; 2] {
    let layer = Dropout { p: 0.4 };
    let mut b = stage.builder(Mode::Train, batch);
    let alone = Alone::new(&layer, shape);
    let site = alone.site();
    let x = b.shaped("x", site.input());
    let y = Layer::forward(&layer, &mut b, &site, x).unwrap().y;
    b.set_phase(Phase::Backward);
    let dy = b.like("dy", y);
    let back = Back {
        x,
        y,
        saved: &[],
        branches: &[],
        dy,
        wants_dx: true,
        gate: false,
    };
    let dx = Layer::backward(&layer, &mut b, &site, &back);
    let dx = dx.unwrap().unwrap();
    for (value, name) in [(x, "x"), (y, "y"), (dy, "dy"), (dx, "dx")] {
        b.keep(value, Buffer::Kept(name));
    }
    let program = stage.realize(&mut b.finish());
    let elements = batch * shape.iter().product::<usize>();
    let ones = vec![1.0; elements];
    let mut all = [Vec::new(), Vec::new()];
    for slot in slots(batch) {
        stage.write(&Buffer::Kept("x"), &store(&x, &ones));
        stage.write(&Buffer::Kept("dy"), &store(&dy, &ones));
        stage.run(&program, Phases::Gradients, &[slot]);
        for ((name, value), all) in [("y", y), ("dx", dx)].into_iter().zip(&mut all) {
            let found = value.load(&stage.read_matrix(&Buffer::Kept(name), value.matrix));
            all.extend(found.iter().map(|v| v.to_bits()));
        }
    }
    all
}

#[test]
fn dropout_drops_the_same_whatever_the_batches() {
    for mut stage in Stage::all() {
        for shape in [&[37][..], &[3, 4, 5]] {
            let whole = dropped(&mut stage, shape, SAMPLES);
            let zeros = whole[0].iter().filter(|bits| **bits == 0).count();
            assert!(zeros > 0 && zeros < whole[0].len());
            assert_eq!(whole[0], whole[1], "forward and backward");
            for batch in BATCHES {
                let parts = dropped(&mut stage, shape, batch);
                assert!(parts == whole, "{:?} {shape:?} {batch}", stage.class);
            }
        }
    }
}

/// The pictures of an update, changed at random, in batches of `batch`.
fn changed(stage: &mut Stage, augment: Augment, pixels: bool, batch: usize) -> Vec<u32> {
    let shape = [3, 9, 7];
    let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(Flatten {}), Box::new(Linear::new(2))];
    if pixels {
        layers.insert(0, Box::new(Relu {}));
    }
    let network = Network::new(&layers, &shape).unwrap();
    let data = samples(&shape, Storage::Bytes);
    let request = PlanRequest {
        mode: Mode::Train,
        batch,
        accumulate: SAMPLES / batch,
        slots: SAMPLES / batch,
        positions: 1,
        numbers: 0,
        class_weights: 0,
        storage: Storage::Bytes,
        samples: data.len(),
        augment,
        clip_norm: None,
    };
    let (mut plan, x): (_, Value) = gather_plan(&network, &stage.gpu, &request).unwrap();
    let program = stage.realize(&mut plan);
    stage.write(&Buffer::Samples, &data.read_all().unwrap());
    let indices: Vec<u32> = (0..SAMPLES).map(|i| (i % data.len()) as u32).collect();
    stage.write(&Buffer::Indices(Use::Training), &indices);
    stage.write(&Buffer::Mean, &values(7, data.elements(), -1.0, 100.0));
    stage.write(&Buffer::Scale, &values(8, data.elements(), 0.001, 2.0));
    let mut all = Vec::new();
    for slot in slots(batch) {
        let mut places = vec![[0.0_f32; 4]; 2 * SAMPLES];
        for row in 0..slot.count {
            let key = Key(slot.key_augment);
            let draw = augment.draw(key, slot.first_sample + row, shape[1], shape[2]);
            let at = 2 * (slot.start + row) as usize;
            let place = draw.place(shape[1], shape[2]);
            places[at..at + 2].copy_from_slice(&place.map(|[x, y, c]| [x, y, c, 0.0]));
        }
        stage.write(&Buffer::Places(Use::Training), &places);
        stage.run(&program, Phases::Forward, &[slot]);
        let found = x.load(&stage.read_matrix(&GATHERED, x.matrix));
        all.extend(found.iter().map(|v| v.to_bits()));
    }
    all
}

#[test]
fn pictures_change_the_same_whatever_the_batches() {
    let augment = Augment {
        horizontal_flip: 0.5,
        shift: 2,
        rotation: 30.0,
        cutout: 3,
        brightness: 0.3,
        contrast: 0.4,
        saturation: 0.5,
        ..Augment::default()
    };
    for mut stage in Stage::all() {
        for pixels in [true, false] {
            let whole = changed(&mut stage, augment, pixels, SAMPLES);
            for batch in BATCHES {
                let parts = changed(&mut stage, augment, pixels, batch);
                assert!(parts == whole, "{:?} {pixels} {batch}", stage.class);
            }
        }
    }
}
