//! The observer that fills a run folder.

use super::checkpoints;
use crate::error::Result;
use crate::lab::find::RangeTest;
use crate::train::Checkpoint;
use crate::train::event::{Event, Flow, Observer, RunInfo};

use super::folder::{
    AVERAGE, BEST, CONFIG, CSV, MEAN_IMAGE, METRICS, MODEL, RANGE, RUN, RunFolder,
};
use super::metrics::{Metrics, MetricsFile};
use super::summary::StoredSummary;

/// Writes `run.json` and `config.toml` before the first step, `metrics.jsonl` chunk by chunk, and
/// `summary.json` and `model.safetensors` at the end; and keeps checkpoints.
#[derive(Debug)]
pub struct Recorder {
    folder: RunFolder,
    started: Option<(MetricsFile, Vec<usize>)>,
    range: Option<RangeTest>,
}

impl Recorder {
    /// A recorder for a folder; nothing is written before the run starts.
    #[must_use]
    pub fn new(folder: RunFolder) -> Self {
        Self {
            folder,
            started: None,
            range: None,
        }
    }

    /// The same recorder, which keeps the range test before the run, too.
    #[must_use]
    pub fn with_range(self, range: Option<RangeTest>) -> Self {
        Self { range, ..self }
    }

    fn start(&mut self, info: &RunInfo) -> Result<()> {
        self.folder.forget_results()?;
        self.describe(info)?;
        if let Some(range) = &self.range {
            self.folder.write_json(RANGE, range)?;
        }
        let metrics = MetricsFile::create_on(self.folder.disk(), self.folder.file(METRICS))?;
        self.started = Some((metrics, info.sample_shape.clone()));
        Ok(())
    }

    fn go_on(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoints::rewind(&self.folder, checkpoint)?;
        let length = checkpoint.files.get(METRICS).copied().unwrap_or(0);
        let file = self.folder.file(METRICS);
        let metrics = MetricsFile::go_on(self.folder.disk(), file, length)?;
        self.describe(&checkpoint.info)?;
        self.started = Some((metrics, checkpoint.info.sample_shape.clone()));
        Ok(())
    }

    fn describe(&self, info: &RunInfo) -> Result<()> {
        // A run is known by this file: first, so that whoever is killed next leaves a run.
        self.folder.write_json(RUN, info)?;
        self.folder.write(CONFIG, info.config.as_bytes())
    }
}

impl Observer for Recorder {
    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        if let Event::Started(info) = event {
            self.start(info)?;
        }
        if let Event::Resumed(checkpoint) = event {
            self.go_on(checkpoint)?;
        }
        let Some((metrics, sample_shape)) = &mut self.started else {
            return Ok(Flow::Continue);
        };
        metrics.on(event)?;
        if let Event::Checkpoint { checkpoint, keep } = event {
            checkpoints::keep(&self.folder, checkpoint, *keep)?;
        }
        if let Event::Trained(weights) = event {
            if let Some(beside) = &weights.beside {
                self.folder.write(MEAN_IMAGE, beside)?;
            }
            self.folder.write(MODEL, &weights.to_safetensors()?)?;
        }
        if let Event::Best(_, weights) = event {
            if let Some(beside) = &weights.beside {
                self.folder.write(MEAN_IMAGE, beside)?;
            }
            self.folder.write(BEST, &weights.to_safetensors()?)?;
        }
        if let Event::LowPoint {
            point,
            snapshot,
            average,
        } = event
        {
            if let Some(weights) = snapshot {
                self.folder.write_snapshot(point.cycle, weights)?;
            }
            if let Some(weights) = average {
                if let Some(beside) = &weights.beside {
                    self.folder.write(MEAN_IMAGE, beside)?;
                }
                self.folder.write(AVERAGE, &weights.to_safetensors()?)?;
            }
        }
        if let Event::Finished(summary) = event {
            let table = Metrics::read(&self.folder.file(METRICS))?.to_csv();
            self.folder.write(CSV, table.as_bytes())?;
            StoredSummary::new(summary, sample_shape).write(&self.folder)?;
        }
        Ok(Flow::Continue)
    }

    fn keeps_checkpoints(&self) -> bool {
        true
    }
}
