//! Trains under an own learning-rate policy: a warm-up, then warm restarts whose length doubles.
//!
//! ```sh
//! cargo run --release --example own_policy
//! ```

use std::f64::consts::PI;

use wavetrain::config::Overrides;
use wavetrain::schedule::{Closure, Rate};
use wavetrain::{Config, Event, Flow, Gpu, Result, Selection, Trainer};

/// The rate of update `step`: a pure function, since the engine asks for steps ahead of time.
fn rate(step: u64) -> Rate {
    const WARM_UP: u64 = 16;
    const FIRST: u64 = 16;
    if step < WARM_UP {
        return Rate::new(0.1 * (step + 1) as f64 / WARM_UP as f64);
    }
    // Cycle n is FIRST * 2^n steps long and starts at FIRST * (2^n - 1).
    let t = step - WARM_UP;
    let n = (t / FIRST + 1).ilog2();
    let length = FIRST << n;
    let start = length - FIRST;
    let phase = (t - start) as f64 / length as f64;
    Rate::new(0.05 * (1.0 + (PI * phase).cos()))
}

fn main() -> Result<()> {
    let overrides = Overrides {
        set: vec!["train.steps=128".into(), "train.eval_every=64".into()],
        ..Overrides::default()
    };
    // The preset `glyphs`, with our policy in place of its own.
    let mut config = Config::load(None, &overrides)?;
    config.schedule = Closure::new("warm-up, then warm restarts", rate).into();
    println!("{}", config.schedule.sample().describe());

    let dataset = config.load_data()?;
    let mut trainer = Trainer::new(Gpu::open(&Selection::default())?, config, dataset)?;
    trainer.run(&mut [&mut |event: &Event<'_>| {
        match event {
            Event::Steps(steps) => {
                for step in steps.iter().filter(|step| step.step % 16 == 0) {
                    println!(
                        "step {:3}: rate {:.4}, loss {:.4}",
                        step.step, step.lr, step.loss
                    );
                }
            }
            Event::Evaluated(e) => println!("accuracy {:.3} after {} steps", e.accuracy, e.step),
            _ => {}
        }
        Ok(Flow::Continue)
    }])?;
    Ok(())
}
