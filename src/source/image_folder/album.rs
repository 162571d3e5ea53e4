//! Where decoded pictures are: in memory, in a file, or nowhere, and then they are decoded each time they
//! are needed. The bytes are the same.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::Cache;
use super::super::kept::{Filled, Found, KeptInputs, Key, Rows, Shelf};
use super::decode::{CHANNELS, Job, Put, Read, again, reserved};
use super::list::Labelled;
use super::{ENTRY, ImageFolder, Request};
use crate::data::{Inputs, Loading, Memory, Storage, Watcher};
use crate::error::{Error, Result};

/// All pictures of a data set, those of the training part first.
pub(super) struct Album<'a> {
    pub(super) source: &'a ImageFolder,
    pub(super) size: [usize; 2],
    pub(super) dir: &'a Path,
    pub(super) all: &'a [&'a Labelled],
    pub(super) first_test: usize,
}

/// What one pass over all pictures finds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Known {
    /// The places of those that cannot be used.
    bad: Vec<u32>,
    channels: usize,
    pub(super) bit_depth: Option<u32>,
    pub(super) skipped: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Pictures that were decoded once.
pub(super) struct Decoded {
    pub(super) known: Known,
    values: Values,
}

/// Where their values are.
enum Values {
    /// Here, each with three channels: the training part and the test part.
    Memory([Vec<u8>; 2]),
    /// In a file; with the checksum of each part.
    Disk(Arc<Rows>, Vec<u32>),
    /// Nowhere; the checksums of the first channel of each, and of all three.
    Nowhere(Vec<[u32; 2]>),
}

impl Album<'_> {
    /// The places of the pictures of both parts that can be used.
    pub(super) fn kept(&self, known: &Known) -> [Vec<u32>; 2] {
        let kept = |part: Range<usize>| {
            let places = part.map(|place| place as u32);
            places
                .filter(|place| known.bad.binary_search(place).is_err())
                .collect()
        };
        [
            kept(0..self.first_test),
            kept(self.first_test..self.all.len()),
        ]
    }

    /// Decodes all pictures, or finds what was kept of them.
    pub(super) fn decode(
        &self,
        job: &Job<'_>,
        request: &Request,
        watcher: Watcher<'_>,
    ) -> Result<Decoded> {
        let bytes = (self.all.len() as u64).saturating_mul(job.elements() as u64);
        match request.keeps(bytes)? {
            (Cache::Disk, folder) => {
                let decoded = self.on_disk(job, folder, watcher);
                request.kept(folder, decoded, |error| {
                    let note = format!("{error}; pictures are decoded each time they are needed");
                    watcher(Loading::Note(&note));
                    self.nowhere(&self.job(request, watcher))
                })
            }
            (Cache::None, _) => self.nowhere(job),
            _ => self.in_memory(job),
        }
    }

    /// A job from the start.
    fn job<'a>(&'a self, request: &Request, watcher: Watcher<'a>) -> Job<'a> {
        Job::new(
            self.source,
            self.size,
            watcher,
            (self.all.len(), request.workers),
        )
    }

    /// One pass over all pictures.
    fn pass(&self, job: &Job<'_>, put: Put<'_>) -> Result<Known> {
        let states = job.decode(self.dir, self.all, put)?;
        let skipped = job.bad(self.dir)?;
        let bit_depth = job.deepen(self.all, &states, put)?;
        let tally = job.tally();
        let mut notes = tally.notes(self.size, bit_depth);
        if let (Some(bits), None) = (self.source.bit_depth, bit_depth) {
            notes.push(format!(
                "data.bit_depth = {bits} changes nothing: no picture has 16 bits for each channel"
            ));
        }
        notes.extend(skipped.iter().map(|skipped| format!("skipped {skipped}")));
        let bad = (0..).zip(&states).filter(|(_, read)| **read == Read::Bad);
        Ok(Known {
            bad: bad.map(|(place, _)| place).collect(),
            channels: match tally.all_grey() {
                true => 1,
                false => CHANNELS,
            },
            bit_depth,
            skipped,
            notes,
        })
    }

    fn in_memory(&self, job: &Job<'_>) -> Result<Decoded> {
        let elements = job.elements();
        let counts = [self.first_test, self.all.len() - self.first_test];
        let [train, test] = counts.map(|count| reserved(self.dir, count, elements));
        let parts = Mutex::new([train?, test?]);
        let known = self.pass(job, &|first, values| {
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            let [train, test] = &mut *parts;
            for (place, picture) in (first..).zip(values.chunks_exact(elements)) {
                let (part, place) = match place.checked_sub(self.first_test) {
                    None => (&mut *train, place),
                    Some(place) => (&mut *test, place),
                };
                part[place * elements..][..elements].copy_from_slice(picture);
            }
            Ok(())
        })?;
        let parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Decoded {
            known,
            values: Values::Memory(parts),
        })
    }

    fn on_disk(&self, job: &Job<'_>, folder: &Path, watcher: Watcher<'_>) -> Result<Decoded> {
        let settings = format!("{} {:?}", self.source_text(), self.size);
        let mut key = Key::new(&settings);
        for (place, picture) in self.all.iter().enumerate() {
            let part = u32::from(place >= self.first_test);
            key.file(&picture.file, picture.label << 1 | part)?;
        }
        let shelf = Shelf::new(folder, ENTRY.name, &key, watcher);
        let found = match shelf.find::<Known>() {
            Some(found) => found,
            None => {
                let plane = job.elements() / CHANNELS;
                let form = [self.all.len(), job.elements(), plane];
                shelf.make(form, |sheet| {
                    let known = self.pass(job, &|first, values| sheet.put(first as u32, values))?;
                    Ok(Filled {
                        used: known.channels * plane,
                        parts: self.kept(&known).into(),
                        besides: Vec::new(),
                        facts: known,
                    })
                })?
            }
        };
        let Found {
            rows,
            checksums,
            facts,
            ..
        } = found;
        Ok(Decoded {
            known: facts,
            values: Values::Disk(rows, checksums),
        })
    }

    fn source_text(&self) -> String {
        use super::Source as _;
        self.source.arguments().to_string()
    }

    /// Every picture is decoded once, so that bad ones are found before anything is trained.
    fn nowhere(&self, job: &Job<'_>) -> Result<Decoded> {
        let sums = Mutex::new(vec![[0; 2]; self.all.len()]);
        let elements = job.elements();
        let known = self.pass(job, &|first, values| {
            let hashes: Vec<_> = values.chunks_exact(elements).map(checks).collect();
            let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums[first..first + hashes.len()].copy_from_slice(&hashes);
            Ok(())
        })?;
        let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Decoded {
            known,
            values: Values::Nowhere(sums),
        })
    }
}

/// The checksums of the first channel of a picture, and of all three.
fn checks(picture: &[u8]) -> [u32; 2] {
    let plane = picture.len() / CHANNELS;
    [crc32fast::hash(&picture[..plane]), crc32fast::hash(picture)]
}

impl Decoded {
    /// The pictures at the places of each part, as samples read them.
    pub(super) fn inputs(
        self,
        album: &Album<'_>,
        places: [&[u32]; 2],
    ) -> Result<[Box<dyn Inputs>; 2]> {
        let [height, width] = album.size;
        let channels = self.known.channels;
        let shape = [channels, height, width];
        let inputs: [Box<dyn Inputs>; 2] = match self.values {
            Values::Memory([train, test]) => {
                let train = compact(train, places[0], 0, shape);
                let test = compact(test, places[1], album.first_test, shape);
                [
                    Box::new(Memory::bytes(&shape, train, places[0].len())?),
                    Box::new(Memory::bytes(&shape, test, places[1].len())?),
                ]
            }
            Values::Disk(rows, checksums) => [0, 1].map(|part| {
                Box::new(KeptInputs {
                    rows: Arc::clone(&rows),
                    places: places[part].to_vec(),
                    shape: shape.to_vec(),
                    storage: Storage::Bytes,
                    flags: Vec::new(),
                    checksum: checksums.get(part).copied(),
                }) as Box<dyn Inputs>
            }),
            Values::Nowhere(sums) => [0, 1].map(|part| {
                let each = places[part].iter().map(|place| *place as usize);
                Box::new(Files {
                    source: album.source.clone(),
                    bit_depth: self.known.bit_depth,
                    files: each.clone().map(|at| album.all[at].file.clone()).collect(),
                    sums: each
                        .map(|at| sums[at][usize::from(channels == CHANNELS)])
                        .collect(),
                    shape,
                }) as Box<dyn Inputs>
            }),
        };
        Ok(inputs)
    }
}

/// The values at `places`, which count from `first`, with the first channels of three.
fn compact(mut values: Vec<u8>, places: &[u32], first: usize, shape: [usize; 3]) -> Vec<u8> {
    let [channels, height, width] = shape;
    let plane = height * width;
    let mut end = 0;
    for place in places {
        let start = (*place as usize - first) * CHANNELS * plane;
        values.copy_within(start..start + channels * plane, end);
        end += channels * plane;
    }
    values.truncate(end);
    values.shrink_to_fit();
    values
}

/// Pictures that are decoded each time they are needed.
#[derive(Debug)]
struct Files {
    source: ImageFolder,
    bit_depth: Option<u32>,
    files: Vec<PathBuf>,
    /// The checksum of each, as it was decoded first.
    sums: Vec<u32>,
    shape: [usize; 3],
}

impl Inputs for Files {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn storage(&self) -> Storage {
        Storage::Bytes
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        let [channels, height, width] = self.shape;
        let bytes = channels * height * width;
        for (index, into) in indices.iter().zip(into.chunks_exact_mut(bytes)) {
            let at = *index as usize;
            let file = &self.files[at];
            let picture = again(&self.source, [height, width], file, self.bit_depth)?;
            into.copy_from_slice(&picture[..bytes]);
            if crc32fast::hash(into) != self.sums[at] {
                return Err(Error::data(
                    file,
                    "is another picture than when the data were loaded; expected files that stay as they \
                     are while they are trained on",
                    "run again; data.cache = \"disk\" keeps what was decoded",
                ));
            }
        }
        Ok(())
    }

    fn checksum(&self) -> Option<u32> {
        let bytes = self.shape.iter().product::<usize>() as u64;
        let mut all = crc32fast::Hasher::new();
        for sum in &self.sums {
            all.combine(&crc32fast::Hasher::new_with_initial_len(*sum, bytes));
        }
        Some(all.finalize())
    }

    fn residence(&self) -> &'static str {
        "in their files, decoded each time"
    }
}
