//! `glyphs`: 28x28 grey digits that the program draws itself, so that nothing has to be
//! downloaded.
//!
//! A sample is a function of (`data.seed`, its number): a form of its digit from
//! `assets/glyphs.toml`, moved, turned, sheared, scaled and written with a pen, all at random, and
//! the same bytes on every machine. The digit is the number modulo 10, so the classes are
//! balanced.

mod draw;
mod stroke;

use super::{Entry, Known, Request, Sizes, Source, portions};
use crate::data::{Dataset, Samples, Task, Watcher};
use crate::error::Result;
use crate::rng::{Key, Stream};
use draw::{PIXELS, SIDE, STYLE};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::thread;

/// Names of the classes of digits.
pub(super) const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

const SIZES: Sizes = Sizes {
    train: 20_000,
    test: 4_000,
};

/// Number of the first test sample, above any training sample's; a multiple of 10, so that the test
/// set too begins with a 0.
const FIRST_TEST: u64 = 10_000_000_000;

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "glyphs",
    summary: "digits of 28x28 bytes that the program draws itself; no download",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Glyphs>()?)),
};

/// Digits that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glyphs {}

impl Source for Glyphs {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn known(&self) -> Known {
        Known {
            shape: vec![1, SIDE, SIDE],
            classes: DIGITS,
            sizes: Some(SIZES),
        }
    }

    fn open(&self, request: &Request, _: Watcher<'_>) -> Result<Dataset> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let train = samples(request.seed, 0, SIZES.train, threads)?;
        let test = samples(request.seed, FIRST_TEST, SIZES.test, threads)?;
        let classes = DIGITS.iter().map(|&name| name.into()).collect();
        Dataset::of(self.name(), train, test, Task::Classes(classes))
    }
}

/// Draws the samples numbered `first..first + count` under `seed` on `threads` threads; the bytes
/// do not depend on how many there are.
///
/// # Errors
/// None that a user can cause: the embedded strokes are broken.
///
/// # Panics
/// If memory cannot hold `count` samples.
pub fn samples(seed: u64, first: u64, count: usize, threads: usize) -> Result<Samples> {
    /// Pictures that a thread takes at a time.
    const PORTION: usize = 64;
    let forms = stroke::forms()?;
    let mut bytes = vec![0; count * PIXELS];
    let each = bytes.chunks_mut(PORTION * PIXELS).enumerate();
    portions::each(threads, each, |(number, portion)| {
        let start = first + (number * PORTION) as u64;
        for (number, picture) in (start..).zip(portion.chunks_exact_mut(PIXELS)) {
            let key = Key::new(seed, Stream::Glyphs, number);
            draw::draw(key, &forms[digit(number)], &STYLE, picture);
        }
        Ok(())
    })?;
    let labels = (first..).take(count).map(|number| digit(number) as u32);
    Samples::from_bytes(&[1, SIDE, SIDE], bytes, labels.collect())
}

/// The digit that sample `number` shows.
fn digit(number: u64) -> usize {
    (number % 10) as usize
}
