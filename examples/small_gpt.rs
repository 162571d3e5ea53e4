//! A small transformer learns a text in memory, and goes on with it.
//!
//! Run with `cargo run --release --example small_gpt`.
#![allow(
    clippy::print_stdout,
    reason = "an example says what it does on standard output"
)]

use std::sync::Arc;

use wavetrain::data::{Task, Vocabulary};
use wavetrain::gpu::{Gpu, Selection};
use wavetrain::model::Model;
use wavetrain::train::{Event, Flow, Generator, Sampling};
use wavetrain::{Config, Dataset, Result, Samples, Trainer};

const CONFIG: &str = r#"
[data]
batch = 16

[model]
layers = [
    { embedding = { embedding_dim = 32, init = { normal = 0.02 } } },
    { positional_embedding = { init = { normal = 0.02 } } },
    { repeat = { times = 2, layers = [
        { residual = { body = ["layer_norm", { multihead_attention = { num_heads = 2, causal = true } }] } },
        { residual = { body = ["layer_norm", { linear = 128 }, "gelu", { linear = 32 }] } },
    ] } },
    "layer_norm",
    { linear = 20 },
]

[optimizer]
kind = "adamw"
clip_norm = 1.0

[schedule]
policy = "one_cycle"
max_lr = 0.01

[train]
steps = 300
eval_every = 100
"#;

/// Symbols of a window.
const CONTEXT: usize = 24;

fn main() -> Result<()> {
    let rhyme = "one two buckle my shoe three four knock at the door five six pick up sticks ";
    let text = rhyme.repeat(60);
    let vocabulary = Vocabulary::chars(&text);
    let symbols = vocabulary.symbols().len();
    let tokens = vocabulary.encode(&text).unwrap_or_default();
    let (train, test) = tokens.split_at(tokens.len() * 9 / 10);
    let windows = |tokens: &[u32]| Samples::windows([CONTEXT, symbols], tokens.to_vec());
    let task = Task::Tokens(vocabulary.symbols().to_vec());
    let dataset = Dataset::of("rhyme", windows(train)?, windows(test)?, task)?;

    let gpu = Arc::new(Gpu::open(&Selection::default())?);
    let config = CONFIG.replace("linear = 20", &format!("linear = {symbols}"));
    let config = Config::parse("small_gpt", &config)?;
    let mut trainer = Trainer::new(Arc::clone(&gpu), config, dataset)?;
    let summary = trainer.run(&mut [&mut |event: &Event<'_>| {
        if let Event::Evaluated(evaluation) = event {
            let perplexity = evaluation.perplexity.unwrap_or(f64::NAN);
            println!("step {}: perplexity {perplexity:.3}", evaluation.step);
        }
        Ok(Flow::Continue)
    }])?;
    println!(
        "{} steps, accuracy {:.4}",
        summary.steps, summary.evaluations[0].accuracy
    );

    let file = std::env::temp_dir().join("small_gpt.safetensors");
    std::fs::write(&file, trainer.weights()?.to_safetensors()?)
        .map_err(wavetrain::Error::io(&file, "writing"))?;
    let mut generator = Generator::new(gpu, &Model::open(&file)?, 1)?;
    let prompt = generator.prompt("one two ")?;
    let greedy = Sampling {
        temperature: 0.0,
        ..Sampling::default()
    };
    let texts = generator.generate(&prompt, (1, 60), &greedy, &mut |_| Ok(()))?;
    println!("one two |{}", generator.vocabulary().text(&texts[0]));
    Ok(())
}
