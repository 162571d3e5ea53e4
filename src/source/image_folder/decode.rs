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
    workers: usize,
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

/// What is known of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Bad,
    Good,
    /// Its channels have 16 bits.
    Deep,
}

/// Takes pictures that follow each other, from a place on, each with three channels; from several threads.
pub(super) type Put<'a> = &'a (dyn Fn(usize, &[u8]) -> Result<()> + Sync);

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
        let most = (1_u32 << bits) - 1;
        let brighter = match u32::from(self.deepest) > most {
            true => format!("; values above that, up to {}, became 255", self.deepest),
            false => String::new(),
        };
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
                     0 to {most} made 0 to 255 (data.bit_depth){brighter}"
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
        (total, workers): (usize, Option<usize>),
    ) -> Self {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            source,
            size,
            watcher,
            workers: workers.unwrap_or_else(cores),
            total,
            state: Mutex::default(),
        }
    }

    /// Bytes of a picture while it is not known yet whether all are grey.
    pub(super) fn elements(&self) -> usize {
        CHANNELS * self.size[0] * self.size[1]
    }

    /// Decodes pictures and gives them to `put`, which has room for each; those that are bad, whose places
    /// hold anything, are remembered. Gives what is known of each.
    pub(super) fn decode(
        &self,
        dir: &Path,
        pictures: &[&Labelled],
        put: Put<'_>,
    ) -> Result<Vec<Read>> {
        /// Pictures that a thread takes at a time.
        const PORTION: usize = 32;
        let mut states = vec![Read::Bad; pictures.len()];
        let each = pictures.chunks(PORTION).zip(states.chunks_mut(PORTION));
        let each = each.enumerate();
        portions::each(self.workers, each, |(at, (pictures, states))| {
            let values = self.portion(dir, pictures, states);
            put(at * PORTION, &values)
        })?;
        Ok(states)
    }

    fn portion(&self, dir: &Path, pictures: &[&Labelled], states: &mut [Read]) -> Vec<u8> {
        let (mut tally, mut bad) = (Tally::default(), Vec::new());
        let mut all_values = vec![0; pictures.len() * self.elements()];
        let places = all_values.chunks_mut(self.elements()).zip(states);
        for (picture, (values, state)) in pictures.iter().zip(places) {
            match picture_of(self.source, self.size, &picture.file, self.source.bit_depth) {
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
        all_values
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
    pub(super) fn deepen(
        &self,
        pictures: &[&Labelled],
        states: &[Read],
        put: Put<'_>,
    ) -> Result<Option<u32>> {
        let tally = self.tally();
        if tally.deep == 0 {
            return Ok(None);
        }
        let used = (u16::BITS - tally.deepest.leading_zeros()).max(8);
        if self.source.bit_depth.is_some() || used == u16::BITS {
            return Ok(self.source.bit_depth.or(Some(used)));
        }
        let all = pictures.iter().zip(states).enumerate();
        for (at, (picture, _)) in all.filter(|(_, (_, read))| **read == Read::Deep) {
            let picture = picture_of(self.source, self.size, &picture.file, Some(used));
            let picture = picture.map_err(Bad::error)?;
            put(at, &picture.with_channels(CHANNELS).values)?;
        }
        Ok(Some(used))
    }
}

/// A picture as it is used, of 16 bits as if `bits` counted.
fn picture_of(
    source: &ImageFolder,
    wanted: [usize; 2],
    file: &Path,
    bits: Option<u32>,
) -> Result<Picture, Bad> {
    let form = Reading {
        size: source.size.filter(|_| source.resize != Resize::None),
        resize: source.resize,
        bits: bits.unwrap_or(Reading::default().bits),
    };
    let picture = Picture::read(file, form).map_err(Bad::File)?;
    let [_, height, width] = picture.shape;
    if [height, width] == wanted {
        return Ok(picture);
    }
    let whose = match source.size {
        Some(_) => "as data.size says",
        None => "the size of the first picture",
    };
    let problem = format!("{}, {whose}", other_size([height, width], wanted));
    let help = "set data.size and data.resize = \"crop\" or \"stretch\" to bring all pictures to \
                one size";
    Err(Bad::Size(Error::data(file, problem, help)))
}

/// The bytes of a picture that was read before.
///
/// # Errors
/// A file that can no longer be read.
pub(super) fn again(
    source: &ImageFolder,
    size: [usize; 2],
    file: &Path,
    bits: Option<u32>,
) -> Result<Vec<u8>> {
    let picture = picture_of(source, size, file, bits).map_err(Bad::error)?;
    Ok(picture.with_channels(CHANNELS).values)
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
pub(super) fn reserved(dir: &Path, count: usize, elements: usize) -> Result<Vec<u8>> {
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
