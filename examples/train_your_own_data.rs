//! Trains on samples from memory: two spirals, told apart by a small network.
//!
//! ```sh
//! cargo run --release --example train_your_own_data
//! ```

use wavetrain::{Config, Dataset, Event, Flow, Gpu, Result, Samples, Selection, Trainer};

const CONFIG: &str = r#"
data = { batch = 50, normalize = "standard" }
model.layers = [{ linear = 64 }, "tanh", { linear = 64 }, "tanh", { linear = 2 }]
schedule = { policy = "triangular2", base_lr = 0.01, max_lr = 0.4, step_size_up = 200 }
train = { epochs = 40, eval_every = "10 epochs" }
"#;

/// Points of two spirals, turn by turn: (x, y), and the spiral that they lie on.
fn spirals(points: u32, offset: f32) -> Result<Samples> {
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for i in 0..points {
        let radius = (i as f32 + offset) / points as f32;
        let angle = 9.0 * radius + std::f32::consts::PI * (i % 2) as f32;
        values.extend([radius * angle.cos(), radius * angle.sin()]);
        labels.push(i % 2);
    }
    Samples::from_floats(&[2], values, labels)
}

fn main() -> Result<()> {
    // Bytes (`Samples::from_bytes`) of shape [channels, height, width] are pictures.
    let dataset = Dataset::new("spirals", spirals(1000, 0.0)?, spirals(400, 0.5)?, 2)?;
    let config = Config::parse("this example", CONFIG)?;
    let gpu = Gpu::open(&Selection::default())?;
    println!("{}", gpu.description().name);
    let mut trainer = Trainer::new(gpu, config, dataset)?;
    let mut loss = f64::NAN;
    trainer.run(&mut [&mut |event: &Event<'_>| {
        match event {
            // A chunk of steps is done: rate, loss and accuracy of each, as the GPU recorded them.
            Event::Steps(steps) => loss = steps[steps.len() - 1].loss,
            Event::EpochEnded { epoch, .. } if epoch % 10 == 9 => println!("loss {loss:.4}"),
            Event::Evaluated(e) => println!("epoch {}: accuracy {:.3}", e.epoch, e.accuracy),
            _ => {}
        }
        Ok(Flow::Continue)
    }])?;
    let file = std::env::temp_dir().join("spirals.safetensors");
    std::fs::write(&file, trainer.weights()?.to_safetensors()?)
        .map_err(wavetrain::Error::io(&file, "writing"))?;
    println!("weights: {}", file.display());
    Ok(())
}
