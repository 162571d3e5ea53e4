//! `metrics.jsonl`: one line for every step and every evaluation, appended while the run goes on.
//!
//! ```json
//! {"type":"step","step":0,"epoch":0,"lr":0.01,"momentum":0.9,"loss":2.31,"accuracy":0.1,"grad_norm":1.7}
//! {"type":"eval","split":"test","step":469,"epoch":1,"loss":0.21,"accuracy":0.94}
//! {"type":"eval","split":"test","step":469,"epoch":1,"loss":0.21,"rmse":3.1,"mae":2.2,"r2":0.87}
//! {"type":"cycle_end","cycle":1,"step":628,"seconds":1.9,"split":"test","single":0.96,"ensemble":0.96,"average":null}
//! ```
//!
//! Where numbers are predicted, nothing has an accuracy, and evaluations have `rmse` and `mae`, in the
//! numbers' own units, and `r2`, the share of their variance that is explained. Where gradients are clipped, steps have a `clip_factor` too, and `grad_norm` is that before it.
//! Numbers are written with as many digits as they need to read back to the same f64; a loss that
//! is not finite is `null` and reads back as NaN.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, Growing};
use crate::error::{Error, Result};
use crate::train::event::{Evaluation, Event, Flow, LowPoint, Observer, Split, StepRecord};

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Step(StepRecord),
    Eval(Evaluation),
    CycleEnd(LowPoint),
    Text(TextRecord),
    /// A kind of line that a later version writes.
    #[serde(other, skip_serializing)]
    Other,
}

/// Writes `metrics.jsonl`: an observer that appends the lines of a chunk in one write.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: Growing,
    lines: Vec<u8>,
}

impl MetricsFile {
    /// Creates the file, empty; an existing one is overwritten.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        Self::create_on(&Disk::default(), path)
    }

    /// The same on a disk of one's own.
    ///
    /// # Errors
    /// As [`MetricsFile::create`].
    pub fn create_on(disk: &Disk, path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = disk.grow(&path)?;
        Ok(Self::new(path, file))
    }

    /// Goes on behind the first `length` bytes of the file; what stands behind is cut off.
    ///
    /// # Errors
    /// [`Error::Io`] if the file is not there or shorter than that.
    pub fn go_on(disk: &Disk, path: impl Into<PathBuf>, length: u64) -> Result<Self> {
        let path = path.into();
        let file = disk.grow_on(&path, length)?;
        Ok(Self::new(path, file))
    }

    fn new(path: PathBuf, file: Growing) -> Self {
        Self {
            path,
            file,
            lines: Vec::new(),
        }
    }

    /// Appends records of steps.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written (a full disk).
    pub fn steps(&mut self, steps: &[StepRecord]) -> Result<()> {
        self.append(steps.iter().map(|step| Line::Step(*step)))
    }

    /// Appends an evaluation.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.append([Line::Eval(*evaluation)].into_iter())
    }

    /// Appends what the low point of a cycle gave.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn low_point(&mut self, point: &LowPoint) -> Result<()> {
        self.append([Line::CycleEnd(*point)].into_iter())
    }

    /// Appends a text that the network made.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn text(&mut self, record: TextRecord) -> Result<()> {
        self.append([Line::Text(record)].into_iter())
    }

    fn append(&mut self, lines: impl Iterator<Item = Line>) -> Result<()> {
        self.lines.clear();
        for line in lines {
            serde_json::to_writer(&mut self.lines, &line)
                .map_err(std::io::Error::from)
                .map_err(Error::io(&self.path, "writing"))?;
            self.lines.push(b'\n');
        }
        self.file.append(&self.lines)
    }
}

impl Observer for MetricsFile {
    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        match event {
            Event::Steps(steps) => self.steps(steps)?,
            Event::Evaluated(evaluation) => self.evaluation(evaluation)?,
            Event::LowPoint { point, .. } => self.low_point(point)?,
            Event::Text { step, prompt, text } => self.text(TextRecord {
                step: *step,
                prompt: (*prompt).to_owned(),
                text: (*text).to_owned(),
            })?,
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

/// What `metrics.jsonl` holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// The steps, in the order of the file.
    pub steps: Vec<StepRecord>,
    /// The evaluations, in the order of the file.
    pub evaluations: Vec<Evaluation>,
    /// The low points of cycles, where they were looked at, in the order of the file.
    pub low_points: Vec<LowPoint>,
    /// The texts that the network made, in the order of the file.
    pub texts: Vec<TextRecord>,
}

/// A text that a network made after an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRecord {
    /// Number of steps done.
    pub step: u64,
    /// How it began.
    pub prompt: String,
    /// How the network went on.
    pub text: String,
}

impl Metrics {
    /// Reads the file. A last line without its line feed (a process that was killed while it
    /// wrote) counts if it is whole and is left out if it is not; lines of unknown type are skipped.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Data`] with the number of the first line
    /// that is broken.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "reading"))?;
        let mut reader = BufReader::new(file);
        let mut metrics = Self::default();
        let mut text = Vec::new();
        for number in 1_u64.. {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            if read.map_err(Error::io(path, "reading"))? == 0 {
                break;
            }
            match serde_json::from_slice(&text) {
                Ok(Line::Step(step)) => metrics.steps.push(step),
                Ok(Line::Eval(evaluation)) => metrics.evaluations.push(evaluation),
                Ok(Line::CycleEnd(point)) => metrics.low_points.push(point),
                Ok(Line::Text(text)) => metrics.texts.push(text),
                Ok(Line::Other) => {}
                Err(_) if text.last() != Some(&b'\n') => break,
                Err(error) => return Err(broken(path, number, &error)),
            }
        }
        Ok(metrics)
    }
}

impl Metrics {
    /// A table: a row for each step, and in the row of the step before an evaluation what that gave.
    /// Numbers read back to the same f64; what is not finite, or not there, is empty.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let clipped = self.steps.iter().any(|step| step.clip_factor.is_some());
        let factor = if clipped { ",clip_factor" } else { "" };
        let numbers = self.evaluations.iter().any(|e| e.errors.is_some());
        let figure = if numbers { "rmse" } else { "accuracy" };
        let mut text = format!(
            "step,epoch,lr,momentum,loss,accuracy,grad_norm{factor},validation_loss,\
             validation_{figure},test_loss,test_{figure}\n",
        );
        let cell = |value: f64| match value.is_finite() {
            true => value.to_string(),
            false => String::new(),
        };
        let mut evaluations = self.evaluations.iter().peekable();
        for step in &self.steps {
            let mut after = [const { String::new() }; 4];
            while let Some(evaluation) = evaluations.next_if(|e| e.step <= step.step + 1) {
                let at = match evaluation.split {
                    Split::Validation => 0,
                    Split::Test => 2,
                };
                after[at] = cell(evaluation.loss);
                let errors = evaluation.errors;
                after[at + 1] = cell(errors.map_or(evaluation.accuracy, |errors| errors.rmse));
            }
            let numbers = [
                step.lr,
                step.momentum,
                step.loss,
                step.accuracy,
                step.grad_norm,
            ]
            .map(cell);
            let mut numbers = numbers.to_vec();
            if clipped {
                numbers.push(step.clip_factor.map_or(String::new(), cell));
            }
            let (numbers, after) = (numbers.join(","), after.join(","));
            text += &format!("{},{},{numbers},{after}\n", step.step, step.epoch);
        }
        text
    }
}

fn broken(path: &Path, line: u64, error: &serde_json::Error) -> Error {
    // serde_json counts lines from the start of the text it was given: always 1 here.
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    Error::Data {
        file: path.into(),
        problem: format!("line {line} is not a record of a step or an evaluation: {reason}"),
        help: "remove the line, or take the file from a copy of the run folder".into(),
    }
}
