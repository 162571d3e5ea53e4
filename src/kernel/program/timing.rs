//! What single commands of a step take, from timestamps of the device.
//!
//! Each dispatch gets a pass of its own, so neighbours that share one in training are kept apart
//! here: the sum over a step may be a little more than a step takes.

use super::{Command, Phases, Program, Recorder, SLOT_BYTES, Workshop, recorder};
use crate::error::{Error, Result};
use crate::gpu::Readback;

/// Most commands of a timed step: a set holds two queries for each.
const MOST: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl Workshop {
    /// Runs commands, whose uniform lies in `slot` of the step ring, and waits; gives the seconds of
    /// each, in order. A copy's are `None` where the adapter times passes only.
    ///
    /// # Errors
    /// A device that cannot time passes, fails, or gives times that run backwards.
    pub(crate) fn time(
        &mut self,
        program: &Program,
        phases: Phases,
        slot: usize,
    ) -> Result<Vec<Option<f64>>> {
        let commands = program.commands(phases);
        self.refuse_untimed(commands.len())?;
        let features = self.gpu.device.features();
        let around = features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS);
        let timed = |command: &Command| around || matches!(command, Command::Dispatch(_));
        let count = 2 * commands.iter().filter(|command| timed(command)).count() as u32;
        let queries = self.gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("times"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let mut recorder = self.recorder();
        let mut firsts = (0..count).step_by(2);
        for command in commands {
            let first = if timed(command) { firsts.next() } else { None };
            self.encode_timed(&mut recorder, (command, slot), &queries, first);
        }
        let bytes = 8 * u64::from(count);
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = self.gpu.buffer("times", bytes, usage);
        let readback = Readback::new(&self.gpu, bytes);
        let encoder = recorder.encoder();
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        readback.copy(encoder, &resolved, 0, bytes);
        self.gpu.queue.submit([recorder.finish()]);
        readback.map(bytes);
        let bytes = readback.take(&self.gpu, bytes)?;
        let mut ticks = bytemuck::pod_collect_to_vec::<u8, [u64; 2]>(&bytes).into_iter();
        let period = f64::from(self.gpu.queue.get_timestamp_period()) * 1e-9;
        let seconds = |[begin, end]: [u64; 2]| match end.checked_sub(begin) {
            Some(ticks) => Ok(ticks as f64 * period),
            None => Err(self.gpu.failure("its timestamps run backwards")),
        };
        let times = commands.iter().map(|command| match timed(command) {
            true => ticks.next().map(seconds).transpose(),
            false => Ok(None),
        });
        times.collect()
    }

    fn refuse_untimed(&self, commands: usize) -> Result<()> {
        let capacity = |what: &str, needed: String, available: String| {
            Err(Error::Capacity {
                what: what.into(),
                needed,
                available,
                adapter: self.gpu.description().name.clone(),
                help: "choose another adapter, or do without times of single kernels".into(),
            })
        };
        if !self.gpu.has_timestamps() {
            let needed = "timestamp queries".into();
            return capacity("a table of kernels", needed, "none".into());
        }
        if commands > MOST {
            let needed = format!("{commands} timed commands");
            return capacity("a table of kernels", needed, MOST.to_string());
        }
        Ok(())
    }

    /// Appends a command, between the timestamps `first` and the next.
    fn encode_timed(
        &self,
        recorder: &mut Recorder,
        (command, slot): (&Command, usize),
        queries: &wgpu::QuerySet,
        first: Option<u32>,
    ) {
        let encoder = recorder.encoder();
        match command {
            Command::Dispatch(launch) => {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: queries,
                        beginning_of_pass_write_index: first,
                        end_of_pass_write_index: first.map(|first| first + 1),
                    }),
                });
                launch.record(
                    &mut pass,
                    &self.ring_group,
                    (SLOT_BYTES * slot as u64) as u32,
                );
            }
            Command::Copy {
                buffer,
                offset,
                texture,
                spec,
            } => {
                if let Some(first) = first {
                    encoder.write_timestamp(queries, first);
                }
                recorder::copy_to_texture(encoder, buffer, *offset, texture, spec);
                if let Some(first) = first {
                    encoder.write_timestamp(queries, first + 1);
                }
            }
        }
    }
}
