//! Samples that were made from files, kept in one file in the cache folder: `data.cache = "disk"`.
//!
//! The file holds rows of equal length, the checksum of each, and what its source knows of them. It is
//! found by its key: a hash of the paths, lengths and times of change of all files that it was made from,
//! and of the settings that made it. Its end is written last and has a checksum of its own; each row is
//! checked when it is read.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::data::{Inputs, Loading, Storage, Watcher};
use crate::disk::{Disk, read_at};
use crate::error::{Error, Result};

/// How files of this kind begin: with the version of their form.
const BEGIN: &[u8; 16] = b"wavetrain rows 1";
/// How they end, behind four numbers of 64 bits and one of 32: the rows, the bytes of one, those of what
/// each brings besides and of what is known of all, and the checksum of everything behind the rows.
const END: &[u8; 12] = b"wavetrainend";
const NUMBERS: usize = 4 * 8;
const TRAILER: usize = NUMBERS + 4 + END.len();

/// What tells rows from others.
#[derive(Debug, Clone)]
pub(super) struct Key(Sha256);

impl Key {
    /// Of settings, as text.
    pub(super) fn new(settings: &str) -> Self {
        let mut key = Self(Sha256::new());
        key.add(BEGIN);
        key.add(env!("CARGO_PKG_VERSION").as_bytes());
        key.add(settings.as_bytes());
        key
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// And of a file, which has a number.
    ///
    /// # Errors
    /// A file that cannot be asked for its length and time of change.
    pub(super) fn file(&mut self, path: &Path, number: u32) -> Result<()> {
        let about = || {
            let path = std::path::absolute(path)?;
            let about = std::fs::metadata(&path)?;
            Ok((path, about.len(), about.modified()?))
        };
        let (path, length, changed) = about().map_err(Error::io(path, "reading"))?;
        // Before 1970 there were no files.
        let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.add(path.as_os_str().as_encoded_bytes());
        self.0.update(length.to_le_bytes());
        self.0.update(changed.as_nanos().to_le_bytes());
        self.0.update(number.to_le_bytes());
        Ok(())
    }

    fn text(&self) -> String {
        let hash = self.0.clone().finalize();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What stands behind the rows.
#[derive(Debug, Serialize, Deserialize)]
struct Known<T> {
    key: String,
    /// The bytes of each row that count, from its first on.
    used: usize,
    /// The checksum of all rows of each part, one after the other.
    checksums: Vec<u32>,
    facts: T,
}

/// What fills a file.
pub(super) struct Filled<T> {
    /// The bytes of each row that count, from its first on.
    pub(super) used: usize,
    /// The rows of each part of the data set.
    pub(super) parts: Vec<Vec<u32>>,
    /// What the source has to know of each, as bytes.
    pub(super) besides: Vec<u8>,
    /// What it has to know of all.
    pub(super) facts: T,
}

/// What was found, or made.
pub(super) struct Found<T> {
    pub(super) rows: Arc<Rows>,
    pub(super) checksums: Vec<u32>,
    pub(super) besides: Vec<u8>,
    pub(super) facts: T,
}

/// The place of one file.
pub(super) struct Shelf<'a> {
    folder: &'a Path,
    file: PathBuf,
    key: String,
    watcher: Watcher<'a>,
}

impl<'a> Shelf<'a> {
    /// In a folder, for what `source` makes.
    pub(super) fn new(folder: &'a Path, source: &str, key: &Key, watcher: Watcher<'a>) -> Self {
        let key = key.text();
        Self {
            folder,
            file: folder.join(format!("{source}-{}.rows", &key[..32])),
            key,
            watcher,
        }
    }

    /// What is there already, and whole. Of a file that is not it is said that it is made anew.
    pub(super) fn find<T: DeserializeOwned>(&self) -> Option<Found<T>> {
        let file = File::open(&self.file).ok()?;
        match self.read(file) {
            Ok(found) => Some(found),
            Err(problem) => {
                let note = format!("{} {problem}; it is made anew", self.file.display());
                (self.watcher)(Loading::Note(&note));
                None
            }
        }
    }

    fn read<T: DeserializeOwned>(&self, file: File) -> Result<Found<T>, String> {
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let cut = || "is cut, or of another version".to_owned();
        let length = file.metadata().map_err(unreadable)?.len();
        let mut begin = [0; BEGIN.len()];
        let mut trailer = [0; TRAILER];
        let trailer_at = length.checked_sub(TRAILER as u64).ok_or_else(cut)?;
        read_at(&file, &mut begin, 0).map_err(unreadable)?;
        read_at(&file, &mut trailer, trailer_at).map_err(unreadable)?;
        let number = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&trailer[8 * at..8 * at + 8]);
            u64::from_le_bytes(word)
        };
        let [count, width, besides, json] = [0, 1, 2, 3].map(number);
        if begin != *BEGIN || trailer[NUMBERS + 4..] != *END {
            return Err(cut());
        }
        let rows = count.checked_mul(width).ok_or_else(cut)?;
        let sums = count.checked_mul(4).ok_or_else(cut)?;
        let first = BEGIN.len() as u64;
        let parts = [rows, sums, besides, json, TRAILER as u64];
        let expected = parts
            .iter()
            .try_fold(first, |sum, part| sum.checked_add(*part));
        if expected != Some(length) {
            return Err(cut());
        }
        // No more than the file has.
        let mut known = vec![0; (sums + besides + json) as usize];
        read_at(&file, &mut known, first + rows).map_err(unreadable)?;
        let mut hash = crc32fast::Hasher::new();
        hash.update(&known);
        hash.update(&trailer[..NUMBERS]);
        if trailer[NUMBERS..NUMBERS + 4] != hash.finalize().to_le_bytes() {
            return Err("is damaged".into());
        }
        let (sums, rest) = known.split_at(sums as usize);
        let (besides, json) = rest.split_at(besides as usize);
        let known: Known<T> = serde_json::from_slice(json).map_err(|_| cut())?;
        if known.key != self.key || known.used > width as usize {
            return Err("was made from other files".into());
        }
        let (words, _) = sums.as_chunks::<4>();
        let rows = Rows {
            file,
            path: self.file.clone(),
            width: width as usize,
            used: known.used,
            sums: words.iter().map(|word| u32::from_le_bytes(*word)).collect(),
        };
        Ok(Found {
            rows: Arc::new(rows),
            checksums: known.checksums,
            besides: besides.to_vec(),
            facts: known.facts,
        })
    }

    /// Makes a file of `count` rows of `width` bytes, which `fill` writes in any order; of a row its first
    /// `prefix` bytes may turn out to be all that counts.
    ///
    /// # Errors
    /// What `fill` says; [`Error::Io`] for a folder that cannot be written to.
    pub(super) fn make<T: Serialize + DeserializeOwned>(
        &self,
        [count, width, prefix]: [usize; 3],
        fill: impl FnOnce(&Sheet<'_>) -> Result<Filled<T>>,
    ) -> Result<Found<T>> {
        let disk = Disk::default();
        disk.make_folder(self.folder)?;
        let mut failed = None;
        let written = disk.replace_file(&self.file, |file| {
            file.write_all(BEGIN)?;
            let sheet = Sheet {
                path: &self.file,
                file: Mutex::new(file),
                width,
                prefix,
                sums: Mutex::new(vec![[0; 2]; count]),
            };
            match fill(&sheet) {
                Ok(filled) => self.end(sheet, filled),
                Err(error) => {
                    failed = Some(error);
                    Err(io::Error::other("given up"))
                }
            }
        });
        match failed {
            Some(error) => return Err(error),
            None => written?,
        }
        let file = File::open(&self.file).map_err(Error::io(&self.file, "reading"))?;
        let found = self.read(file);
        found.map_err(|problem| {
            let help = "check the disk, or set data.cache = \"none\"";
            Error::data(
                &self.file,
                format!("{problem}, though it was just written"),
                help,
            )
        })
    }

    /// Writes what stands behind the rows.
    fn end<T: Serialize>(&self, sheet: Sheet<'_>, filled: Filled<T>) -> io::Result<()> {
        let Sheet {
            file, width, sums, ..
        } = sheet;
        let file = file.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sums = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        let whole = usize::from(filled.used == width);
        let mut checksums = Vec::new();
        for part in &filled.parts {
            let mut hash = crc32fast::Hasher::new();
            let mut row = vec![0; filled.used];
            for place in part {
                read_at(file, &mut row, at(*place, width))?;
                hash.update(&row);
            }
            checksums.push(hash.finalize());
        }
        let known = Known {
            key: self.key.clone(),
            used: filled.used,
            checksums,
            facts: filled.facts,
        };
        let json = serde_json::to_vec(&known).map_err(io::Error::other)?;
        let mut end: Vec<u8> = Vec::with_capacity(4 * sums.len() + json.len() + TRAILER);
        for sum in &sums {
            end.extend_from_slice(&sum[whole].to_le_bytes());
        }
        end.extend_from_slice(&filled.besides);
        end.extend_from_slice(&json);
        for number in [sums.len(), width, filled.besides.len(), json.len()] {
            end.extend_from_slice(&(number as u64).to_le_bytes());
        }
        let hash = crc32fast::hash(&end);
        end.extend_from_slice(&hash.to_le_bytes());
        end.extend_from_slice(END);
        file.seek(SeekFrom::Start(at(sums.len() as u32, width)))?;
        file.write_all(&end)
    }
}

/// Where a row begins.
fn at(row: u32, width: usize) -> u64 {
    BEGIN.len() as u64 + u64::from(row) * width as u64
}

/// A file that is being filled, by several threads.
pub(super) struct Sheet<'a> {
    path: &'a Path,
    file: Mutex<&'a mut File>,
    width: usize,
    prefix: usize,
    /// The checksums of the first bytes of each row, and of all of them.
    sums: Mutex<Vec<[u32; 2]>>,
}

impl Sheet<'_> {
    /// Writes rows that follow each other, from `first` on.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written.
    pub(super) fn put(&self, first: u32, rows: &[u8]) -> Result<()> {
        let sums: Vec<[u32; 2]> = rows
            .chunks_exact(self.width)
            .map(|row| [crc32fast::hash(&row[..self.prefix]), crc32fast::hash(row)])
            .collect();
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let written = file.seek(SeekFrom::Start(at(first, self.width)));
            let written = written.and_then(|_| file.write_all(rows));
            written.map_err(Error::io(self.path, "writing"))?;
        }
        let mut all = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, sum) in all[first as usize..].iter_mut().zip(sums) {
            *place = sum;
        }
        Ok(())
    }
}

/// A file of rows.
#[derive(Debug)]
pub(super) struct Rows {
    file: File,
    path: PathBuf,
    width: usize,
    used: usize,
    sums: Vec<u32>,
}

impl Rows {
    /// Fills `into` with rows that follow each other, from `first` on, and checks each.
    fn read(&self, first: u32, into: &mut [u8]) -> Result<()> {
        let help = "delete the file; it is made anew";
        read_at(&self.file, into, at(first, self.width))
            .map_err(|error| Error::data(&self.path, format!("cannot be read: {error}"), help))?;
        let sums = self.sums[first as usize..].iter();
        match into
            .chunks_exact(self.used)
            .zip(sums)
            .position(|(row, sum)| crc32fast::hash(row) != *sum)
        {
            None => Ok(()),
            Some(bad) => {
                let row = first as usize + bad;
                let problem = format!("row {row} is damaged; expected it as it was written");
                // It stands for nothing any more, and what it was made from is there.
                let help = match Disk::default().remove(&self.path) {
                    Ok(()) => "the file was taken away: run again, and it is made anew",
                    Err(_) => help,
                };
                Err(Error::data(&self.path, problem, help))
            }
        }
    }
}

/// Some rows of a file as samples.
#[derive(Debug)]
pub(super) struct KeptInputs {
    pub(super) rows: Arc<Rows>,
    pub(super) places: Vec<u32>,
    pub(super) shape: Vec<usize>,
    pub(super) storage: Storage,
    /// Of rows of a table, which features are 0 or 1.
    pub(super) flags: Vec<bool>,
    pub(super) checksum: Option<u32>,
}

impl Inputs for KeptInputs {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn flags(&self) -> Option<&[bool]> {
        Some(&self.flags[..]).filter(|flags| !flags.is_empty())
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        let (used, width) = (self.rows.used, self.rows.width);
        let place = |index: &u32| self.places[*index as usize];
        let mut rest = into;
        // Rows that follow each other are read at once, unless something lies between them.
        for run in indices.chunk_by(|a, b| used == width && place(a) + 1 == place(b)) {
            let (into, behind) = rest.split_at_mut(run.len() * used);
            rest = behind;
            self.rows.read(place(&run[0]), into)?;
        }
        Ok(())
    }

    fn checksum(&self) -> Option<u32> {
        self.checksum
    }

    fn residence(&self) -> &'static str {
        "on the disk"
    }
}
