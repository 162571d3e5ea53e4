//! Files of pictures become bytes, on all cores.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::super::portions;
use super::list::Labelled;
use super::parts::some;
use super::{ImageFolder, OnBadFile};
use crate::data::{Loading, Watcher};
use crate::error::{Error, Result};
use crate::picture::{Changes, Picture, Reading, Resize, other_size};

/// Channels while it is not known yet whether all pictures are grey.
pub(super) const CHANNELS: usize = 3;

/// Bad files that are named.
const NAMED: usize = 10;

/// Everything that the threads share.
pub(super) struct Job<'a> {
    source: &'a ImageFolder,
    size: [usize; 2],
    watcher: Watcher<'a>,
    total: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    done: usize,
    /// Names and what is wrong.
    bad: Vec<(String, Bad)>,
}

/// Why a picture is none of the set.
enum Bad {
    /// It cannot be read, or is cut or damaged.
    File(Error),
    /// It has another size.
    Size(Error),
}

impl Bad {
    fn error(self) -> Error {
        match self {
            Self::File(error) | Self::Size(error) => error,
        }
    }
}

/// The pictures of a part.
pub(super) struct Decoded {
    /// One after the other, each with three channels, those that are bad included.
    values: Vec<u8>,
    /// What is known of each.
    states: Vec<Read>,
}

/// What is known of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Bad,
    Good,
    /// Its channels have 16 bits.
    Deep,
}

impl Decoded {
    /// Those of `pictures`, which may be the first ones alone, that were read.
    pub(super) fn kept<'a>(&self, pictures: &'a [Labelled]) -> impl Iterator<Item = &'a Labelled> {
        let kept = pictures.iter().zip(&self.states);
        let kept = kept.filter(|(_, read)| **read != Read::Bad);
        kept.map(|(picture, _)| picture)
    }

    /// How many from the place `first` on were read.
    pub(super) fn kept_from(&self, first: usize) -> usize {
        let rest = self.states[first..].iter();
        rest.filter(|read| **read != Read::Bad).count()
    }

    /// The values of those that were read, with the first channels of three.
    pub(super) fn values(mut self, [channels, height, width]: [usize; 3]) -> Vec<u8> {
        let plane = height * width;
        let mut end = 0;
        let good = self.states.iter().enumerate();
        for (at, _) in good.filter(|(_, read)| **read != Read::Bad) {
            let (start, length) = (at * CHANNELS * plane, channels * plane);
            self.values.copy_within(start..start + length, end);
            end += length;
        }
        self.values.truncate(end);
        self.values.shrink_to_fit();
        self.values
    }
}

/// Pictures by what was special about them.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    done: usize,
    grey: usize,
    alpha: usize,
    deep: usize,
    deepest: u16,
    resized: usize,
    turned: usize,
    cmyk: usize,
}

impl Tally {
    fn add(&mut self, channels: usize, changes: Changes) {
        self.done += 1;
        self.grey += usize::from(channels == 1);
        self.alpha += usize::from(changes.dropped_alpha);
        self.deep += usize::from(changes.deepest.is_some());
        self.deepest = self.deepest.max(changes.deepest.unwrap_or(0));
        self.resized += usize::from(changes.resized_from.is_some());
        self.turned += usize::from(changes.turned);
        self.cmyk += usize::from(changes.from_cmyk);
    }

    fn merge(&mut self, other: &Self) {
        self.done += other.done;
        self.grey += other.grey;
        self.alpha += other.alpha;
        self.deep += other.deep;
        self.deepest = self.deepest.max(other.deepest);
        self.resized += other.resized;
        self.turned += other.turned;
        self.cmyk += other.cmyk;
    }

    /// Whether one channel says it all.
    pub(super) fn all_grey(&self) -> bool {
        self.grey == self.done
    }

    pub(super) fn notes(&self, [height, width]: [usize; 2], bits: Option<u32>) -> Vec<String> {
        let grey = if self.all_grey() { 0 } else { self.grey };
        let bits = bits.unwrap_or(16);
        let kinds = [
            (
                grey,
                "are grey; each value stands in all three channels".to_owned(),
            ),
            (
                self.alpha,
                "have an alpha channel, which was dropped".to_owned(),
            ),
            (
                self.cmyk,
                "are CMYK, and were made red, green and blue".to_owned(),
            ),
            (
                self.deep,
                format!(
                    "have 16 bits for each channel, of which {bits} are used; these became 8, from \
                     0 to {} made 0 to 255 (data.bit_depth)",
                    (1_u32 << bits) - 1
                ),
            ),
            (self.turned, "were turned as their EXIF data say".to_owned()),
            (
                self.resized,
                format!("have another size and were brought to {width}x{height}"),
            ),
        ];
        let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
        kinds
            .map(|(count, what)| format!("{count} of {} pictures {what}", self.done))
            .collect()
    }
}

impl<'a> Job<'a> {
    pub(super) fn new(
        source: &'a ImageFolder,
        size: [usize; 2],
        watcher: Watcher<'a>,
        parts: [&[Labelled]; 2],
    ) -> Self {
        Self {
            source,
            size,
            watcher,
            total: parts.map(<[Labelled]>::len).iter().sum(),
            state: Mutex::default(),
        }
    }

    fn elements(&self) -> usize {
        CHANNELS * self.size[0] * self.size[1]
    }

    /// The pictures of a part; those that are bad are remembered.
    pub(super) fn decode(&self, dir: &Path, pictures: &[Labelled]) -> Result<Decoded> {
        /// Pictures that a thread takes at a time.
        const PORTION: usize = 32;
        let elements = self.elements();
        let mut values = reserved(dir, pictures.len(), elements)?;
        let mut states = vec![Read::Bad; pictures.len()];
        let each = pictures.chunks(PORTION);
        let each = each.zip(values.chunks_mut(PORTION * elements));
        let each = each.zip(states.chunks_mut(PORTION));
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        portions::each(threads, each, |((pictures, values), states)| {
            self.portion(dir, pictures, values, states);
            Ok(())
        })?;
        Ok(Decoded { values, states })
    }

    fn portion(&self, dir: &Path, pictures: &[Labelled], values: &mut [u8], states: &mut [Read]) {
        let (mut tally, mut bad) = (Tally::default(), Vec::new());
        let places = values.chunks_mut(self.elements()).zip(states);
        for (picture, (values, state)) in pictures.iter().zip(places) {
            match self.picture(&picture.file, self.source.bit_depth) {
                Ok(decoded) => {
                    *state = match decoded.changes.deepest {
                        Some(_) => Read::Deep,
                        None => Read::Good,
                    };
                    tally.add(decoded.shape[0], decoded.changes);
                    values.copy_from_slice(&decoded.with_channels(CHANNELS).values);
                }
                Err(error) => bad.push((picture.name(dir), error)),
            }
        }
        let mut all = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        all.tally.merge(&tally);
        all.done += pictures.len();
        all.bad.append(&mut bad);
        (self.watcher)(Loading::Progress {
            doing: "decoding pictures",
            done: all.done,
            total: self.total,
        });
    }

    fn picture(&self, file: &Path, bits: Option<u32>) -> Result<Picture, Bad> {
        let source = self.source;
        let form = Reading {
            size: source.size.filter(|_| source.resize != Resize::None),
            resize: source.resize,
            bits: bits.unwrap_or(Reading::default().bits),
        };
        let picture = Picture::read(file, form).map_err(Bad::File)?;
        let [_, height, width] = picture.shape;
        if [height, width] == self.size {
            return Ok(picture);
        }
        let whose = match source.size {
            Some(_) => "as data.size says",
            None => "the size of the first picture",
        };
        let problem = format!("{}, {whose}", other_size([height, width], self.size));
        let help = "set data.size and data.resize = \"crop\" or \"stretch\" to bring all pictures to \
                    one size";
        Err(Bad::Size(Error::data(file, problem, help)))
    }

    /// What was special about all pictures.
    pub(super) fn tally(&self) -> Tally {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tally.clone()
    }

    /// The files that cannot be read, in words, where they are passed over.
    ///
    /// # Errors
    /// All of them, where they are not; a picture of another size, which is no bad file.
    pub(super) fn bad(&self, dir: &Path) -> Result<Option<String>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bad = std::mem::take(&mut state.bad);
        bad.sort_by(|(a, _), (b, _)| a.cmp(b));
        let sizes = bad.iter().position(|(_, bad)| matches!(bad, Bad::Size(_)));
        if let Some(at) = sizes {
            return Err(bad.swap_remove(at).1.error());
        }
        let names: Vec<String> = bad.iter().map(|(name, _)| name.clone()).collect();
        match (self.source.on_bad_file, bad.len()) {
            (_, 0) => Ok(None),
            (OnBadFile::Skip, count) => Ok(Some(format!(
                "{count} of {} pictures that cannot be read: {}",
                self.total,
                some(&names, NAMED)
            ))),
            (OnBadFile::Error, 1) => Err(bad.swap_remove(0).1.error()),
            (OnBadFile::Error, count) => {
                Err(refused(dir, &bad[..count.min(NAMED)], [count, self.total]))
            }
        }
    }

    /// Reads pictures of 16 bits again where fewer bits are used than that; gives the bits.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub(super) fn deepen(&self, parts: [(&[Labelled], &mut Decoded); 2]) -> Result<Option<u32>> {
        let tally = self.tally();
        if tally.deep == 0 {
            return Ok(None);
        }
        let used = (u16::BITS - tally.deepest.leading_zeros()).max(8);
        if self.source.bit_depth.is_some() || used == u16::BITS {
            return Ok(self.source.bit_depth.or(Some(used)));
        }
        for (pictures, decoded) in parts {
            let places = decoded.values.chunks_mut(self.elements());
            let all = pictures.iter().zip(places).zip(&decoded.states);
            for ((picture, values), _) in all.filter(|(_, read)| **read == Read::Deep) {
                let picture = self
                    .picture(&picture.file, Some(used))
                    .map_err(Bad::error)?;
                values.copy_from_slice(&picture.with_channels(CHANNELS).values);
            }
        }
        Ok(Some(used))
    }
}

/// Names all bad files, or the first ones.
fn refused(dir: &Path, bad: &[(String, Bad)], [count, total]: [usize; 2]) -> Error {
    let mut problem = format!("{count} of {total} pictures cannot be read; expected whole files:");
    for (name, error) in bad {
        let why = match error {
            Bad::File(Error::Data { problem, .. }) => problem.clone(),
            Bad::File(other) | Bad::Size(other) => other.to_string(),
        };
        problem += &format!("\n  {name}: {why}");
    }
    match count - bad.len() {
        0 => {}
        more => problem += &format!("\n  and {more} more"),
    }
    Error::data(
        dir,
        problem,
        "replace these files or take them away, or set data.on_bad_file = \"skip\" to train without \
         them",
    )
}

/// Room for `count` pictures, or an error that says how much it would be.
fn reserved(dir: &Path, count: usize, elements: usize) -> Result<Vec<u8>> {
    let mut values = Vec::new();
    let bytes = count.checked_mul(elements);
    let reserved = bytes.is_some_and(|bytes| values.try_reserve_exact(bytes).is_ok());
    match bytes {
        Some(bytes) if reserved => {
            values.resize(bytes, 0);
            Ok(values)
        }
        _ => Err(Error::data(
            dir,
            format!("{count} pictures of {elements} bytes are more than memory holds"),
            "set a smaller data.size and data.resize = \"crop\", or take fewer pictures",
        )),
    }
}
