//! The rows of a table as samples, in memory or in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::kept::{Filled, KeptInputs, Key, Sheet, Shelf};
use super::learn::{Learned, learn};
use super::{Csvs, ENTRY, Parts, split, task};
use crate::data::{Dataset, Loading, Samples, Storage, Table, Targets, Task, Watcher};
use crate::error::Result;

/// What is known of a table besides the values of its rows.
struct Plan {
    learned: Learned,
    task: Task,
    parts: Parts,
    table: Table,
}

impl Plan {
    fn new(source: &Csvs, seed: u64, files: &[PathBuf], watcher: Watcher<'_>) -> Result<Self> {
        let learned = learn(source, files)?;
        for note in &learned.notes {
            watcher(Loading::Note(note));
        }
        let task = task(&learned, &files[0])?;
        let parts = split(source, seed, &learned, &task)?;
        let table = learned.table(files, &parts.is_test())?;
        Ok(Self {
            learned,
            task,
            parts,
            table,
        })
    }
}

/// What is learned from rows: one number for each, or classes as such.
fn targets(task: &Task, width: usize, values: Vec<f32>) -> Targets {
    match task {
        Task::Classes(_) => Targets::Classes(values.iter().map(|class| *class as u32).collect()),
        _ => Targets::Numbers { width, values },
    }
}

/// All rows in memory.
pub(super) fn in_memory(
    source: &Csvs,
    seed: u64,
    files: &[PathBuf],
    watcher: Watcher<'_>,
) -> Result<Dataset> {
    let plan = Plan::new(source, seed, files, watcher)?;
    let width = plan.table.width();
    let is_test = plan.parts.is_test();
    let mut parts = [&plan.parts.train, &plan.parts.test]
        .map(|rows| (Vec::with_capacity(rows.len() * width), Vec::new()));
    let Plan { learned, task, .. } = &plan;
    learned.rows(
        source,
        files,
        (&plan.table, task),
        |row, values, targets| {
            let (into, learned) = &mut parts[usize::from(is_test[row as usize])];
            into.extend_from_slice(values);
            learned.extend_from_slice(targets);
            Ok(())
        },
    )?;
    let outputs = source.target.len();
    let [train, test] = parts.map(|(values, learned)| {
        Samples::from_rows(plan.table.flags(), values, targets(task, outputs, learned))
    });
    Ok(Dataset::of(ENTRY.name, train?, test?, plan.task)?.with_table(plan.table))
}

/// What is kept of a table besides its rows.
#[derive(Serialize, Deserialize)]
struct Facts {
    table: Table,
    task: Task,
}

/// Of each row whether it is one of the test set, and what is learned from it, as bytes.
struct Besides {
    bytes: Vec<u8>,
}

impl Besides {
    fn add(&mut self, is_test: bool, targets: &[f32]) {
        self.bytes.push(u8::from(is_test));
        for target in targets {
            self.bytes.extend_from_slice(&target.to_le_bytes());
        }
    }

    /// The rows of the training part and of the test part, and what is learned from them; `outputs` of each.
    fn parts(&self, outputs: usize) -> [(Vec<u32>, Vec<f32>); 2] {
        let mut parts = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
        for (row, bytes) in (0..).zip(self.bytes.chunks_exact(1 + 4 * outputs)) {
            let (rows, targets) = &mut parts[usize::from(bytes[0] == 1)];
            let (words, _) = bytes[1..].as_chunks::<4>();
            rows.push(row);
            targets.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
        }
        parts
    }
}

/// Rows in a file of the cache folder.
pub(super) fn on_disk(
    source: &Csvs,
    seed: u64,
    (files, folder): (&[PathBuf], &Path),
    watcher: Watcher<'_>,
) -> Result<Dataset> {
    use super::Source as _;
    let mut key = Key::new(&format!("{} {seed}", source.arguments()));
    for (number, file) in (0..).zip(files) {
        key.file(file, number)?;
    }
    let shelf = Shelf::new(folder, ENTRY.name, &key, watcher);
    let found = match shelf.find::<Facts>() {
        Some(found) => found,
        None => {
            let plan = Plan::new(source, seed, files, watcher)?;
            let width = 4 * plan.table.width();
            let rows = plan.parts.train.len() + plan.parts.test.len();
            shelf.make([rows, width, width], |sheet| {
                fill(source, files, plan, sheet)
            })?
        }
    };
    let Facts { table, task } = found.facts;
    let outputs = source.target.len();
    let besides = Besides {
        bytes: found.besides,
    };
    let [train, test] = besides.parts(outputs);
    drop(besides);
    let mut checksums = found.checksums.into_iter();
    let mut of = |(places, learned)| {
        let inputs = KeptInputs {
            rows: Arc::clone(&found.rows),
            places,
            shape: vec![table.width()],
            storage: Storage::Floats,
            flags: table.flags(),
            checksum: checksums.next(),
        };
        Samples::new(inputs, targets(&task, outputs, learned))
    };
    let (train, test) = (of(train)?, of(test)?);
    Ok(Dataset::of(ENTRY.name, train, test, task)?.with_table(table))
}

/// Writes all rows, many at a time.
fn fill(source: &Csvs, files: &[PathBuf], plan: Plan, sheet: &Sheet<'_>) -> Result<Filled<Facts>> {
    /// Rows that are written at a time.
    const PORTION: usize = 1024;
    let (features, is_test) = (plan.table.width(), plan.parts.is_test());
    let rows = is_test.len();
    let mut besides = Besides { bytes: Vec::new() };
    let mut waiting: Vec<f32> = Vec::with_capacity(PORTION * features);
    let about = (&plan.table, &plan.task);
    let each = |row: u32, values: &[f32], targets: &[f32]| {
        besides.add(is_test[row as usize], targets);
        waiting.extend_from_slice(values);
        let count = waiting.len() / features;
        if count == PORTION || row as usize + 1 == rows {
            sheet.put(row + 1 - count as u32, bytemuck::cast_slice(&waiting))?;
            waiting.clear();
        }
        Ok(())
    };
    plan.learned.rows(source, files, about, each)?;
    Ok(Filled {
        used: 4 * features,
        parts: vec![plan.parts.train, plan.parts.test],
        besides: besides.bytes,
        facts: Facts {
            table: plan.table,
            task: plan.task,
        },
    })
}
