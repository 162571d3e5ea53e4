//! The observer that fills a run folder.

use crate::error::{Error, Result};
use crate::lab::find::RangeTest;
use crate::train::event::{Event, Flow, Observer, RunInfo};

use super::folder::{AVERAGE, BEST, CONFIG, CSV, MEAN_IMAGE, METRICS, MODEL, RUN, RunFolder};
use super::metrics::{Metrics, MetricsFile};
use super::range::write_json;
use super::summary::StoredSummary;
use super::write_page;

/// Writes `config.toml` and `run.json` before the first step, `metrics.jsonl` chunk by chunk, and
/// `summary.json` `model.safetensors` and `report.html` at the end.
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
        self.folder.write(CONFIG, info.config.as_bytes())?;
        let mut text = serde_json::to_vec_pretty(info)
            .map_err(std::io::Error::from)
            .map_err(Error::io(self.folder.file(RUN), "writing"))?;
        text.push(b'\n');
        self.folder.write(RUN, &text)?;
        if let Some(range) = &self.range {
            write_json(&self.folder, range)?;
        }
        let metrics = MetricsFile::create(self.folder.file(METRICS))?;
        self.started = Some((metrics, info.sample_shape.clone()));
        Ok(())
    }
}

impl Observer for Recorder {
    fn on(&mut self, event: &Event<'_>) -> Result<Flow> {
        if let Event::Started(info) = event {
            self.start(info)?;
        }
        let Some((metrics, sample_shape)) = &mut self.started else {
            return Ok(Flow::Continue);
        };
        metrics.on(event)?;
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
            write_page(self.folder.path())?;
        }
        Ok(Flow::Continue)
    }
}
