//! What a person sees while a run goes on.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressDrawTarget, TermLike};
use wavetrain::draw::plot::{PlotGlyphs, Style};
use wavetrain::report::terminal::{Progress, Terminal, TerminalOptions};
use wavetrain::train::event::{Event, Observer as _, Split};

use crate::fixture::{self, Run};

/// Lets an observer watch a run of chunks of 50 steps, each of which takes half a second.
fn watch(run: &Run, options: TerminalOptions) -> String {
    let mut out = Vec::new();
    show(run, options, &mut out);
    String::from_utf8(out).unwrap()
}

fn show(run: &Run, options: TerminalOptions, out: &mut dyn Write) {
    let now = Cell::new(0_u64);
    let clock = || Duration::from_millis(now.get());
    let mut terminal = Terminal::with_clock(out, options, Box::new(clock));
    terminal.on(&Event::Started(&run.info)).unwrap();
    for chunk in run.steps.chunks(50) {
        now.set(now.get() + 500);
        terminal.on(&Event::Steps(chunk)).unwrap();
        let (first, last) = (chunk[0].step, chunk[chunk.len() - 1].step);
        for evaluation in &run.evaluations {
            if evaluation.step > first && evaluation.step <= last + 1 {
                // Evaluations take time that is not the steps'.
                now.set(now.get() + 10_000);
                terminal.on(&Event::Evaluated(evaluation)).unwrap();
            }
        }
    }
    if let Some(summary) = &run.summary {
        terminal.on(&Event::Finished(summary)).unwrap();
    }
}

fn plain(every: u64) -> TerminalOptions {
    TerminalOptions {
        progress: Progress::Lines(every),
        colour: false,
        plot: None,
        folder: None,
    }
}

#[test]
fn plain_lines_tell_the_whole_run() {
    let mut run = fixture::run(10, 400, 100);
    run.info.samples[1] = 500;
    let held = run.evaluations[1];
    run.evaluations.insert(
        2,
        wavetrain::train::event::Evaluation {
            split: Split::Validation,
            ..held
        },
    );
    let options = TerminalOptions {
        folder: Some("runs/glyphs-0001".into()),
        ..plain(100)
    };
    let expected = "\
adapter   llvmpipe (LLVM 15.0.6, 256 bits), vulkan, software (CPU), Mesa 22.3.6 (LLVM 15.0.6), kernels lanes
warning   this adapter is software: the processor does the work, and a GPU would be much faster
data      glyphs: 20,000 training, 500 validation, 4,000 test samples of 1x28x28, 10 classes
samples   on the device
augment   shift 3 (reflect)
model     layer               output  parameters
          0 flatten           784              0
          1 linear(784, 256)  256        200,960
          2 relu              256              0
          3 linear(256, 10)   10           2,570
          all                            203,530
schedule  triangular from 0.01 to 0.1, half cycle 100 steps
training  400 steps of 128 samples, 157 an epoch (2.55 epochs, 2 cycles)
step 100/400  epoch 1/3  lr 0.0991 up    loss 1.4515  100 steps/s  3 s left
step 200/400  epoch 2/3  lr 0.0109 down  loss 0.7361  100 steps/s  2 s left
epoch 1/3  test accuracy 83.05 %  test loss 0.7457  lr 0.0109
step 300/400  epoch 2/3  lr 0.0991 up    loss 0.4266  100 steps/s  1 s left
epoch 2/3  test accuracy 92.18 %  test loss 0.3442  lr 0.0559
epoch 2/3  validation accuracy 92.18 %  validation loss 0.3442  lr 0.0559
step 400/400  epoch 3/3  lr 0.0109 down  loss 0.2643  100 steps/s
step 400/400  test accuracy 95.07 %  test loss 0.2167  lr 0.0109

done      400 steps in 2.65 s, 163 steps/s without evaluations
test      accuracy 95.07 %, loss 0.2167
files     runs/glyphs-0001/report.html        the curves and the mistakes; open it in a browser
          runs/glyphs-0001/model.safetensors  the weights, as PyTorch loads them
          runs/glyphs-0001/metrics.jsonl      every step and every evaluation
          runs/glyphs-0001/config.toml        trains the same again
";
    let text = watch(&run, options);
    assert_eq!(text, expected);
}

/// The longest of these words is as wide as the column of labels.
#[test]
fn how_a_run_ended_never_runs_into_what_follows() {
    use wavetrain::train::Ended;

    for ended in [
        Ended::Done,
        Ended::Stopped,
        Ended::Interrupted,
        Ended::Diverged,
    ] {
        let mut run = fixture::run(10, 100, 100);
        run.summary.as_mut().unwrap().ended = ended;
        let text = watch(&run, plain(0));
        let line = format!("\n{:<9} 100 steps in ", ended.name());
        assert!(text.contains(&line), "{line:?} in {text}");
    }
}

#[test]
fn plain_text_has_no_control_characters() {
    let run = fixture::run(10, 400, 100);
    let style = Style {
        glyphs: PlotGlyphs::Ascii,
        colour: false,
    };
    let options = TerminalOptions {
        plot: Some((70, style)),
        ..plain(10)
    };
    let text = watch(&run, options);
    assert!(text.is_ascii());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("step "))
            .count(),
        40 + 1
    );
    assert!(text.contains("training loss (smoothed"));
}

#[test]
fn no_lines_are_written_where_none_are_wanted() {
    let text = watch(&fixture::run(10, 150, 50), plain(0));
    assert!(!text.contains("steps/s  "), "{text}");
}

#[test]
fn a_real_gpu_has_no_warning_and_colour_only_when_asked_for() {
    let mut run = fixture::run(10, 20, 5);
    assert!(watch(&run, plain(10)).contains("\nwarning   this adapter is software"));
    run.info.adapter.kind = "discrete GPU".into();
    assert!(!watch(&run, plain(10)).contains("warning"));
    let options = TerminalOptions {
        colour: true,
        ..plain(10)
    };
    assert!(watch(&run, options).contains("\u{1b}[1madapter   \u{1b}[0m"));
}

/// A writer whose reader has gone away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_closed_pipe_does_not_end_the_run() {
    show(&fixture::run(10, 100, 20), plain(10), &mut Closed);
}

/// A terminal that keeps what is drawn.
#[derive(Debug, Clone, Default)]
struct Screen(Arc<Mutex<String>>);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        100
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_bar_shows_step_rate_direction_loss_speed_and_time_left() {
    let screen = Screen::default();
    let run = fixture::run(10, 400, 100);
    let options = TerminalOptions {
        // Drawn at each change, so that the test does not depend on the clock.
        progress: Progress::Bar(ProgressDrawTarget::term_like_with_hz(
            Box::new(screen.clone()),
            255,
        )),
        plot: Some((70, Style::default())),
        ..plain(0)
    };
    let text = watch(&run, options);
    let drawn = screen.0.lock().unwrap().clone();
    assert!(drawn.contains("/400"), "{drawn}");
    assert!(
        drawn.contains(" ↑  loss ") && drawn.contains(" ↓  loss "),
        "{drawn}"
    );
    assert!(
        drawn.contains("100 steps/s  ") && drawn.contains(" s left"),
        "{drawn}"
    );
    // The other text goes to the writer, and no line of the log with it.
    assert!(text.contains("test accuracy") && text.contains("done"));
    assert!(!text.contains(" up  "));
}
