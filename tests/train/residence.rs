//! Data that does not fit into one binding is streamed: the same bits.

use std::sync::Arc;

use wavetrain::data::{Dataset, Samples};
use wavetrain::gpu::{Gpu, LimitsChoice, Selection};
use wavetrain::kernel::plan::Key;
use wavetrain::train::Split;

use super::fixture::{CLASSES, Setup, bits, gpu, samples, weight_bits};

/// A data set of 10,000 pictures of 60 values, larger than the batches of one submission.
fn large(floats: bool) -> Dataset {
    let shape = [3, 4, 5];
    let of = |seed, count| {
        let bytes = samples(seed, count, 60);
        let (values, labels) = (bytes.read_all().unwrap(), bytes.labels().to_vec());
        if floats {
            let values = values.into_iter().map(|v| f32::from(v) / 255.0);
            Samples::from_floats(&shape, values.collect(), labels).unwrap()
        } else {
            Samples::from_bytes(&shape, values, labels).unwrap()
        }
    };
    Dataset::new("large", of(2, 10_000), of(3, 300), CLASSES).unwrap()
}

#[test]
fn streamed_data_gives_the_same_bits_as_resident_data() {
    let augment = "[augment]\nhorizontal_flip = 0.5\nshift = 2\nrotation = 20\ncutout = 2";
    for (floats, augment) in [(false, ""), (true, ""), (false, augment), (true, augment)] {
        let value_bytes = if floats { 4 } else { 1 };
        // Room for the 4096 samples of one evaluation's submission, not for all.
        let limit = 5_000 * 60 * value_bytes;
        let small = Selection {
            class: Some(gpu().class().name()),
            limits: LimitsChoice::Binding(limit),
            ..Selection::default()
        };
        let small = Arc::new(Gpu::open(&small).unwrap());
        assert_eq!(small.max_binding_bytes(), limit);
        let setup = Setup {
            data: format!("batch = 48\nvalidation = 0.3\nnormalize = \"standard\"\n{augment}"),
            layers: r#"["flatten", { linear = 24 }, "relu", { dropout = 0.3 }, { linear = 4 }]"#
                .into(),
            train: "steps = 150\nchunk = 32".into(),
            ..Setup::default()
        };
        let mut outcomes = Vec::new();
        for gpu in [gpu(), small] {
            let mut trainer = setup.trainer(gpu, large(floats));
            let buffers = &trainer.plan().buffers;
            let resident = buffers
                .iter()
                .find(|buffer| buffer.key == Key::Samples)
                .unwrap()
                .bytes;
            // One chunk of one step, then chunks of 32: each is streamed on its own.
            let mut records = trainer.advance(1, 1).unwrap();
            let before = trainer.evaluate(Split::Validation).unwrap();
            records.extend(trainer.advance(149, 32).unwrap());
            // Also streams samples of its own.
            let strip = trainer.augmented().unwrap();
            assert_eq!(strip.is_empty(), augment.is_empty());
            let after = [Split::Validation, Split::Test].map(|s| trainer.evaluate(s).unwrap());
            outcomes.push((
                resident,
                bits(&records),
                weight_bits(&trainer),
                before,
                after,
                strip,
            ));
        }
        let [resident, streamed] = [&outcomes[0], &outcomes[1]];
        assert!(
            resident.0 > limit && streamed.0 <= limit,
            "{} {}",
            resident.0,
            streamed.0
        );
        assert!(resident.1 == streamed.1, "losses differ");
        assert!(resident.2 == streamed.2, "weights differ");
        assert_eq!(resident.3, streamed.3);
        assert_eq!(resident.4, streamed.4);
        assert!(resident.5 == streamed.5, "strips differ");
    }
}
