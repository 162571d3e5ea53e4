//! A TensorBoard event file: scalars for rate, momentum, loss, accuracy and the gradient's norm.
//!
//! The file is a row of records, each a length (u64), the masked CRC of the length, the bytes of one
//! `tensorflow.Event`, and the masked CRC of these; all little-endian. Sources: tensorflow,
//! `tensorflow/core/lib/io/record_writer.h`, `tensorflow/core/util/event.proto` and
//! `tensorflow/core/framework/summary.proto`.

use std::time::SystemTime;

use crc::{CRC_32_ISCSI, Crc};
use prost::Message;

use super::folder::{RunFolder, TENSORBOARD};
use crate::disk::Growing;
use crate::error::Result;
use crate::train::event::{Evaluation, Event, Flow, Observer, Split, StepRecord};

/// CRC-32C, which the records of TensorFlow are checked with.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Writes [`TENSORBOARD`] into a run's folder, chunk by chunk: an observer. The tags are
/// `train/lr`, `train/momentum`, `train/loss`, `train/accuracy`, `train/grad_norm`, where gradients are
/// clipped `train/clip_factor`, and `validation/`
/// and `test/` with `loss` and `accuracy`, for numbers with `rmse`, `mae` and `r2`, for tokens with `perplexity` and `bits`, for whole sequences
/// with `sequences`; the step of an evaluation is the number of steps done.
#[derive(Debug)]
pub struct TensorBoard {
    folder: RunFolder,
    file: Option<Growing>,
}

impl TensorBoard {
    /// A writer for a run's folder; the file is made when the run starts.
    #[must_use]
    pub fn new(folder: &RunFolder) -> Self {
        Self {
            folder: folder.clone(),
            file: None,
        }
    }

    fn append(&mut self, records: &[Record]) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let bytes: Vec<u8> = records.iter().flat_map(framed).collect();
        file.append(&bytes)
    }

    fn begin(&mut self) -> Result<()> {
        let path = self.folder.file(TENSORBOARD);
        self.file = Some(self.folder.disk().grow(&path)?);
        self.append(&[Record::new(0, What::FileVersion("brain.Event:2".into()))])
    }
}

impl Observer for TensorBoard {
    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        match event {
            Event::Started(_) => {
                self.begin()?;
            }
            Event::Resumed(checkpoint) => {
                let path = self.folder.file(TENSORBOARD);
                let found = std::fs::metadata(&path).map_or(0, |found| found.len());
                // Where it was thrown away, it begins anew.
                match checkpoint.files.get(TENSORBOARD) {
                    Some(length) if found >= *length => {
                        self.file = Some(self.folder.disk().grow_on(&path, *length)?);
                    }
                    _ => self.begin()?,
                }
            }
            Event::Steps(steps) => {
                let records: Vec<Record> = steps.iter().map(of_step).collect();
                self.append(&records)?;
            }
            Event::Evaluated(evaluation) => self.append(&[of_evaluation(evaluation)])?,
            _ => {}
        }
        Ok(Flow::Continue)
    }
}

fn of_step(record: &StepRecord) -> Record {
    let mut values = vec![
        ("lr", record.lr),
        ("momentum", record.momentum),
        ("loss", record.loss),
        ("grad_norm", record.grad_norm),
    ];
    if !record.accuracy.is_nan() {
        values.insert(3, ("accuracy", record.accuracy));
    }
    values.extend(record.clip_factor.map(|factor| ("clip_factor", factor)));
    Record::new(record.step, scalars("train", &values))
}

fn of_evaluation(evaluation: &Evaluation) -> Record {
    let split = match evaluation.split {
        Split::Validation => "validation",
        Split::Test => "test",
    };
    let mut values = vec![("loss", evaluation.loss)];
    let accuracy = Some(evaluation.accuracy).filter(|share| !share.is_nan());
    let errors = evaluation.errors;
    let more = [
        ("accuracy", accuracy),
        ("rmse", errors.map(|errors| errors.rmse)),
        ("mae", errors.map(|errors| errors.mae)),
        ("r2", errors.map(|errors| errors.r2)),
        ("perplexity", evaluation.perplexity),
        ("bits", evaluation.bits),
        ("sequences", evaluation.sequences),
    ];
    values.extend(
        more.iter()
            .filter_map(|(name, value)| Some((*name, (*value)?))),
    );
    Record::new(evaluation.step, scalars(split, &values))
}

fn scalars(group: &str, values: &[(&str, f64)]) -> What {
    let value = values.iter().map(|(name, value)| Scalar {
        tag: format!("{group}/{name}"),
        value: Some(*value as f32),
    });
    What::Summary(Scalars {
        value: value.collect(),
    })
}

/// One record of the file, checksums included.
fn framed(record: &Record) -> Vec<u8> {
    let body = record.encode_to_vec();
    let length = (body.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(body.len() + 16);
    bytes.extend(length);
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(&body);
    bytes.extend(masked(&body).to_le_bytes());
    bytes
}

/// A checksum as records hold it: turned and shifted, so that a checksum of bytes that hold
/// checksums stays good.
fn masked(bytes: &[u8]) -> u32 {
    CHECKSUM
        .checksum(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// `tensorflow.Event`.
#[derive(Clone, PartialEq, Message)]
struct Record {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

impl Record {
    fn new(step: u64, what: What) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            wall_time: now.map_or(0.0, |time| time.as_secs_f64()),
            step: i64::try_from(step).unwrap_or(i64::MAX),
            what: Some(what),
        }
    }
}

/// What an event holds: the form of the file in the first one, scalars in the others.
#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Scalars),
}

/// `tensorflow.Summary`.
#[derive(Clone, PartialEq, Message)]
struct Scalars {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// `tensorflow.Summary.Value` with a simple value; a present 0 is written too.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    value: Option<f32>,
}
