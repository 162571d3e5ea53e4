//! The same bits: whatever the chunk, run after run; and other bits for other seeds.

use wavetrain::gpu::Gpu;

use super::fixture::{Keeper, Setup, bits, data, gpu, gpus, weight_bits};
use std::sync::Arc;

type Bits = (Vec<[u64; 7]>, Vec<(String, Vec<u32>)>, Vec<[u64; 2]>);

/// Runs a setup; everything that came out, as bits.
fn outcome(gpu: &Arc<Gpu>, setup: &Setup) -> (Bits, Vec<usize>) {
    let mut trainer = setup.trainer(Arc::clone(gpu), data(100, 10));
    let mut keeper = Keeper::default();
    trainer.run(&mut [&mut keeper]).unwrap();
    let evaluations = keeper.evaluations.iter();
    let evaluations = evaluations.map(|e| [e.loss.to_bits(), e.accuracy.to_bits()]);
    let out = (
        bits(&keeper.records),
        weight_bits(&trainer),
        evaluations.collect(),
    );
    (out, keeper.chunks)
}

fn with_chunk(chunk: &str) -> Setup {
    Setup {
        train: format!("steps = 70\neval_every = 33\nchunk = {chunk}"),
        ..Setup::default()
    }
}

#[test]
fn chunks_never_change_a_bit() {
    for gpu in gpus() {
        let (single, lengths) = outcome(&gpu, &with_chunk("1"));
        assert_eq!(lengths, [1; 70]);
        assert_eq!(single.0.len(), 70);
        let (long, lengths) = outcome(&gpu, &with_chunk("32"));
        // An evaluation ends a chunk.
        assert_eq!(lengths, [32, 1, 32, 1, 4]);
        assert!(
            long == single,
            "{:?}: chunks of 32 and of 1 differ",
            gpu.class()
        );
        let (auto, _) = outcome(&gpu, &with_chunk("\"auto\""));
        assert!(
            auto == single,
            "{:?}: automatic chunks and chunks of 1 differ",
            gpu.class()
        );
    }
}

#[test]
fn steps_taken_one_by_one_are_the_steps_of_a_run() {
    let setup = with_chunk("32");
    let mut run = setup.trainer(gpu(), data(100, 10));
    let mut keeper = Keeper::default();
    run.run(&mut [&mut keeper]).unwrap();
    let mut steps = setup.trainer(gpu(), data(100, 10));
    let mut records = Vec::new();
    for (count, chunk) in [(1, 1), (30, 7), (20, 32), (19, 2)] {
        records.extend(steps.advance(count, chunk).unwrap());
    }
    assert_eq!(bits(&records), bits(&keeper.records));
    assert_eq!(weight_bits(&steps), weight_bits(&run));
}

#[test]
fn a_seed_gives_the_same_bits_again_and_another_seed_gives_others() {
    let gpu = gpu();
    let setup = with_chunk("\"auto\"");
    let (first, _) = outcome(&gpu, &setup);
    let (again, _) = outcome(&gpu, &setup);
    assert!(first == again, "two runs of one configuration differ");
    // The run's seed: initial weights and dropout.
    let other = Setup {
        seed: 6,
        ..with_chunk("\"auto\"")
    };
    let (other, _) = outcome(&gpu, &other);
    assert_ne!(other.0[0], first.0[0]);
    assert_ne!(other.1, first.1);
    // The data's seed: another order, so the first batch already differs.
    let order = Setup {
        data: "batch = 16\nseed = 9".into(),
        ..with_chunk("\"auto\"")
    };
    let (order, _) = outcome(&gpu, &order);
    assert_ne!(order.0[0][4], first.0[0][4]);
}

/// Dropout's masks differ from step to step: the same batch twice gives two losses.
#[test]
fn masks_differ_from_step_to_step() {
    let setup = Setup {
        data: "batch = 100\nshuffle = false".into(),
        schedule: "policy = \"constant\"\nlr = 0.0".into(),
        ..with_chunk("8")
    };
    let mut trainer = setup.trainer(gpu(), data(100, 10));
    let records = trainer.advance(8, 8).unwrap();
    for (i, a) in records.iter().enumerate() {
        for b in &records[..i] {
            assert_ne!(
                a.loss.to_bits(),
                b.loss.to_bits(),
                "steps {} and {}",
                a.step,
                b.step
            );
        }
    }
}

#[test]
fn timed_steps_give_the_same_bits() {
    for gpu in gpus() {
        let class = gpu.class();
        let setup = Setup::default();
        let mut plain = setup.trainer(gpu.clone(), data(100, 6));
        let mut timed = setup.trainer(gpu.clone(), data(100, 6));
        plain.advance(5, 1).unwrap();
        for _ in 0..5 {
            let times = timed.advance_timed().unwrap();
            assert_eq!(times.len(), timed.plan().ops().count());
            assert!(
                times
                    .iter()
                    .flatten()
                    .all(|time| time.is_finite() && *time >= 0.0)
            );
        }
        assert_eq!(plain.done(), timed.done());
        assert_eq!(
            plain.weights().unwrap(),
            timed.weights().unwrap(),
            "{class:?}"
        );
    }
}
