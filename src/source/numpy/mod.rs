//! `numpy`: own arrays in NumPy's files: `train.npz` and `test.npz`, each with `x` and `y`; one file `.npz`
//! with `x_train`, `y_train`, `x_test` and `y_test`; or a folder with a file `.npy` for each of these.

mod turned;

use super::arrays::{Array, Bytes, Pair, Reading, Type, dataset, misshapen};
use super::part::Part;
use super::request::set_dir;
use super::{Cache, Entry, Request, Source, TableTask, Tokens};
use crate::args::choice;
use crate::data::{Dataset, Loading, Watcher};
use crate::disk::Disk;
use crate::error::{Error, Result};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "numpy",
    summary: "own arrays x and y (classes or numbers) from NumPy's files, .npz or .npy",
    arguments: &["tokens", "task"],
    short: None,
    example: "",
    parse: |args| Ok(Box::new(args.read::<Numpy>()?)),
};

/// Arrays in NumPy's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Numpy {
    /// Whether the numbers of `x` are tokens that are bytes.
    #[serde(deserialize_with = "choice")]
    pub tokens: Tokens,
    /// What `y` is.
    #[serde(deserialize_with = "choice")]
    pub task: TableTask,
}

impl Source for Numpy {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
        let [train, test] = pairs(request, watcher)?;
        let reading = Reading {
            tokens: self.tokens,
            task: self.task,
            help: HELP,
        };
        let named = [(&*train.0, train.1), (&*test.0, test.1)];
        dataset(ENTRY.name, reading, named, watcher)
    }
}

/// Bytes that are unpacked at a time.
const BLOCK: usize = 1 << 20;
const EXPECTED: &str = "a file .npz with x_train, y_train, x_test and y_test, or a folder with train.npz and \
    test.npz (x and y in each), or with a file .npy for each of the four";
const HELP: &str = "write it with numpy.savez(file, x_train=x, y_train=y, ...): x u8 or floats, [N, C, H, W], \
    [N, D] or [N, T, C], or tokens, [N, T]; y whole numbers, [N], or [N, T], or numbers to predict, [N] or [N, K]";

/// x and y of the training and of the test, each with the file that they are from.
fn pairs(request: &Request, watcher: Watcher<'_>) -> Result<[(PathBuf, Pair); 2]> {
    let place = request.place("arrays", EXPECTED, "")?;
    let of_archive = |file: &Path, end: &str| {
        let x = packed(file, (&format!("x{end}"), None), request, watcher)?;
        let rows = x.shape.first().copied();
        let y = packed(file, (&format!("y{end}"), rows), &all_in_memory(), watcher)?;
        let names = None;
        Ok((file.to_owned(), Pair { x, y, names }))
    };
    if place.is_file() {
        return Ok([of_archive(place, "_train")?, of_archive(place, "_test")?]);
    }
    if !place.is_dir() {
        let problem = format!("does not exist; expected {EXPECTED}");
        return Err(Error::data(place, problem, set_dir("")));
    }
    let archives = ["train", "test"].map(|part| place.join(format!("{part}.npz")));
    if archives.iter().all(|file| file.is_file()) {
        let [train, test] = archives;
        return Ok([of_archive(&train, "")?, of_archive(&test, "")?]);
    }
    let files =
        ["x_train", "y_train", "x_test", "y_test"].map(|name| place.join(format!("{name}.npy")));
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        let name = missing.file_name().unwrap_or_default().to_string_lossy();
        let problem = format!("is a folder without {name}; expected {EXPECTED}");
        return Err(Error::data(place, problem, set_dir("")));
    }
    let [x, y, x_test, y_test] = &files;
    let pair = |x: &PathBuf, y: &PathBuf| -> Result<(PathBuf, Pair)> {
        let pair = Pair {
            x: single(x, request, watcher)?,
            y: single(y, &all_in_memory(), watcher)?,
            names: None,
        };
        // What is wrong may be so with either.
        let part = x.file_name().unwrap_or_default().to_string_lossy();
        let both = format!("{{x,y}}{}", part.strip_prefix('x').unwrap_or(&part));
        Ok((place.join(both), pair))
    };
    Ok([pair(x, y)?, pair(x_test, y_test)?])
}

/// What targets are asked for: they lie in memory, however many there are.
fn all_in_memory() -> Request {
    Request {
        cache: Cache::Memory,
        ..Request::default()
    }
}

fn open(file: &Path) -> Result<File> {
    File::open(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &std::io::Error) -> Error {
    let help = "check the name, and the permissions of the file and its folder";
    Error::data(file, format!("cannot be read: {error}"), help)
}

/// The array of a file of its own.
fn single(file: &Path, request: &Request, watcher: Watcher<'_>) -> Result<Array> {
    let from = open(file)?;
    let about = from.metadata();
    let length = about.map_err(|error| unreadable(file, &error))?.len();
    let found = placed(from, file, [0, length], request.cache);
    match found.map_err(|problem| Error::data(file, problem, HELP))? {
        Found::Memory(array) => Ok(array),
        Found::File(header, part) => settled((header, part), "its numbers", request, watcher),
    }
}

/// An array that was found.
enum Found {
    Memory(Array),
    /// Its numbers lie in a file, as its header says.
    File(Header, Part),
}

/// The array in `length` bytes of an open file from `start` on, header included; what is wrong with it is a
/// sentence. Its numbers stay there where they are many.
fn placed(
    mut from: File,
    path: &Path,
    [start, length]: [u64; 2],
    cache: Cache,
) -> Result<Found, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    from.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let mut from = BufReader::new(from);
    let header = header(&mut from, length)?;
    if !header.stays(cache) {
        return numbers(from, header).map(Found::Memory);
    }
    let at = from.stream_position().map_err(unreadable)?;
    let there = (start + length).saturating_sub(at);
    if header.bytes as u64 > there {
        return Err(too_short(there as usize, header.bytes));
    }
    let part = Part::new(from.into_inner(), path, [at, header.bytes as u64]);
    let part = part.map_err(|error| error.to_string())?;
    Ok(Found::File(header, part))
}

/// The array whose numbers lie in a part of a file: they stay there where they lie as samples do, and are put
/// in that order in a file without a name in the cache folder where not. `name` tells which they are.
fn settled(
    (header, part): (Header, Part),
    name: &str,
    request: &Request,
    watcher: Watcher<'_>,
) -> Result<Array> {
    if !header.is_turned() {
        return Array::of(header.ty, header.shape, part, false);
    }
    let in_memory = |header: Header| {
        let mut data = vec![0; header.bytes];
        part.read(0, &mut data)?;
        let data = in_order(&header, &data);
        Ok(header.array(data))
    };
    request.keeps(u64::MAX)?;
    let Some(folder) = request.cache_dir.as_deref() else {
        return in_memory(header);
    };
    let mut unreadable = None;
    let file = Disk::default().nameless_file(folder, |into| {
        let read = |at: usize, into: &mut [u8]| {
            let read = part.read(at as u64, into);
            read.map_err(|error| {
                unreadable = Some(error);
                ErrorKind::Other.into()
            })
        };
        turned::turned::<std::io::Error>(&header, read, |rows| into.write_all(rows))
    });
    if let Some(error) = unreadable {
        return Err(error);
    }
    let array = file.and_then(|file| {
        let part = Part::new(file, part.path(), [0, header.bytes as u64])?;
        Array::of(header.ty, header.shape.clone(), part, false)
    });
    request.kept(folder, array, |error| {
        watcher(Loading::Note(&kept_in_memory(error, name)));
        in_memory(header)
    })
}

fn kept_in_memory(error: &Error, name: &str) -> String {
    format!("{error}; {name} are kept in memory")
}

/// The array of that name in an archive. One of many numbers that is not compressed stays there; one that
/// is is unpacked into a file without a name in the cache folder. Of targets, which lie in memory, nothing is
/// taken in unless they have as many `rows` as the samples: little of an archive may become very much.
fn packed(
    file: &Path,
    (name, rows): (&str, Option<usize>),
    request: &Request,
    watcher: Watcher<'_>,
) -> Result<Array> {
    let wrong = |problem: String| Error::data(file, problem, HELP);
    let from = open(file)?;
    if from.metadata().is_ok_and(|about| about.len() == 0) {
        return Err(wrong("is empty; expected an archive of arrays".to_owned()));
    }
    let mut archive = ZipArchive::new(BufReader::new(from))
        .map_err(|error| wrong(format!("is no .npz archive: {error}")))?;
    let mut names: Vec<String> = archive.file_names().map(String::from).collect();
    names.sort_unstable();
    let entry = archive.by_name(&format!("{name}.npy"));
    let mut entry = entry.map_err(|error| {
        names.truncate(8);
        wrong(format!(
            "has no array {name} ({error}); found {}",
            names.join(", ")
        ))
    })?;
    let of_array = |problem: String| wrong(format!("{name}: {problem}"));
    let length = entry.size();
    let header = header(&mut entry, length).map_err(of_array)?;
    if let Some(count) = rows.filter(|rows| header.shape.first() != Some(rows)) {
        return Err(wrong(misshapen(&header.shape, count, None)));
    }
    let packed_bytes = entry.compressed_size();
    if is_bomb([packed_bytes, length]) {
        return Err(of_array(format!(
            "makes {length} bytes of {packed_bytes}: nothing but one number over and over packs like that; expected \
             data"
        )));
    }
    if !header.stays(request.cache) {
        return numbers(entry, header).map_err(of_array);
    }
    let numbers_of = format!("the numbers of {name}");
    if entry.compression() == CompressionMethod::Stored {
        let place = [entry.data_start(), length];
        return match placed(open(file)?, file, place, request.cache).map_err(of_array)? {
            Found::Memory(array) => Ok(array),
            Found::File(header, part) => settled((header, part), &numbers_of, request, watcher),
        };
    }
    request.keeps(u64::MAX)?;
    let Some(folder) = request.cache_dir.as_deref() else {
        return numbers(entry, header).map_err(of_array);
    };
    let mut failed = None;
    let unpacked = Disk::default().nameless_file(folder, |into| {
        let copied = copy(&mut entry, header.bytes, into)?;
        failed = copied.err();
        Ok(())
    });
    if let Some(problem) = failed {
        return Err(of_array(problem));
    }
    let part =
        unpacked.and_then(|unpacked| Part::new(unpacked, file, [0, header.bytes as u64]).map(Some));
    let part = request.kept(folder, part, |error| {
        watcher(Loading::Note(&kept_in_memory(error, &numbers_of)));
        Ok(None)
    })?;
    match part {
        Some(part) => settled((header, part), &numbers_of, request, watcher),
        None => packed(file, (name, rows), &all_in_memory(), watcher),
    }
}

/// Whether so few bytes of an archive claim to be so many that they are meant to fill disk and memory, or to
/// be a mistake: deflate packs 1,032 equal bytes into one at best.
fn is_bomb([packed, whole]: [u64; 2]) -> bool {
    /// Less than this harms nobody.
    const HARMLESS: u64 = 1 << 30;
    const MOST: u64 = 1000;
    whole > HARMLESS && whole / packed.max(1) >= MOST
}

/// Copies so many bytes; the inner error is a sentence on what is wrong with those that are read.
fn copy(
    from: &mut impl Read,
    bytes: usize,
    into: &mut File,
) -> std::io::Result<Result<(), String>> {
    let mut buffer = vec![0; BLOCK];
    let mut done = 0;
    while done < bytes {
        let block = BLOCK.min(bytes - done);
        let read = match from.read(&mut buffer[..block]) {
            Ok(0) => return Ok(Err(too_short(done, bytes))),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Err(format!("cannot be read: {error}"))),
        };
        into.write_all(&buffer[..read])?;
        done += read;
    }
    Ok(Ok(()))
}

fn too_short(there: usize, bytes: usize) -> String {
    format!("ends after {there} of {bytes} bytes of numbers")
}

/// What a header says of an array.
struct Header {
    ty: Type,
    shape: Vec<usize>,
    /// Bytes of its numbers.
    bytes: usize,
    is_big_endian: bool,
    /// Whether the first axis is the fastest.
    is_fortran: bool,
}

impl Header {
    /// Whether the numbers stay in a file, to be read as they are needed: where they are many.
    fn stays(&self, cache: Cache) -> bool {
        let floats = 4 * (self.bytes / self.ty.size()) as u64;
        cache.of(floats) != Cache::Memory
    }

    /// Whether they lie otherwise than samples do.
    fn is_turned(&self) -> bool {
        self.is_fortran || (self.is_big_endian && self.ty.size() > 1)
    }

    fn array(self, data: Vec<u8>) -> Array {
        Array {
            ty: self.ty,
            shape: self.shape,
            data: Bytes::Memory(data),
        }
    }
}

/// The header of an array of `length` bytes, header included; what is wrong with it is a sentence.
fn header(from: &mut impl Read, length: u64) -> Result<Header, String> {
    if length == 0 {
        return Err("is empty; expected an array".to_owned());
    }
    let header =
        NpyHeader::from_reader(from).map_err(|error| format!("is no valid .npy file: {error}"))?;
    let DType::Plain(plain) = header.dtype() else {
        return Err("holds records; expected an array of numbers".to_owned());
    };
    let ty = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Bool, 1) => Type::Bool,
        (TypeChar::Uint, 1) => Type::U8,
        (TypeChar::Int, 1) => Type::I8,
        (TypeChar::Uint, 2) => Type::U16,
        (TypeChar::Int, 2) => Type::I16,
        (TypeChar::Uint, 4) => Type::U32,
        (TypeChar::Int, 4) => Type::I32,
        (TypeChar::Uint, 8) => Type::U64,
        (TypeChar::Int, 8) => Type::I64,
        (TypeChar::Float, 2) => Type::F16,
        (TypeChar::Float, 4) => Type::F32,
        (TypeChar::Float, 8) => Type::F64,
        (TypeChar::Object, _) => {
            return Err("holds pickled objects, which are not read; expected numbers".to_owned());
        }
        _ => {
            return Err(format!(
                "is of the type {plain}; expected numbers: bool, u1 to i8, f2, f4 or f8"
            ));
        }
    };
    let shape: Option<Vec<usize>> = header
        .shape()
        .iter()
        .map(|d| usize::try_from(*d).ok())
        .collect();
    let shape = shape.ok_or("has a shape that no memory holds")?;
    let count = shape.iter().try_fold(ty.size(), |n, d| n.checked_mul(*d));
    let bytes = count.filter(|bytes| (*bytes as u64) < length);
    let Some(bytes) = bytes else {
        return Err(format!(
            "claims the shape {shape:?} of {}, more than its {length} bytes hold",
            ty.name()
        ));
    };
    Ok(Header {
        ty,
        shape,
        bytes,
        is_big_endian: plain.endianness() == Endianness::Big,
        is_fortran: header.order() == Order::Fortran,
    })
}

/// The numbers that stand behind a header.
fn numbers(from: impl Read, header: Header) -> Result<Array, String> {
    let bytes = header.bytes;
    let mut data = Vec::new();
    let room = data.try_reserve_exact(bytes);
    room.map_err(|_| format!("needs {bytes} bytes, more than there is memory"))?;
    from.take(bytes as u64)
        .read_to_end(&mut data)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if data.len() != bytes {
        return Err(too_short(data.len(), bytes));
    }
    let data = match header.is_turned() {
        true => in_order(&header, &data),
        false => data,
    };
    Ok(header.array(data))
}

/// Numbers in memory that lie otherwise, as samples have them.
fn in_order(header: &Header, data: &[u8]) -> Vec<u8> {
    let mut turned = Vec::with_capacity(data.len());
    let read = |at: usize, into: &mut [u8]| {
        into.copy_from_slice(&data[at..at + into.len()]);
        Ok(())
    };
    let Ok(()) = turned::turned::<Infallible>(header, read, |rows| {
        turned.extend_from_slice(rows);
        Ok(())
    });
    turned
}

#[cfg(test)]
mod tests {
    use super::is_bomb;

    #[test]
    fn only_equal_bytes_in_great_numbers_are_a_bomb() {
        let whole = 5 << 30;
        assert!(is_bomb([whole / 1031, whole]) && is_bomb([0, whole]));
        assert!(!is_bomb([whole / 500, whole]) && !is_bomb([1 << 10, 1 << 20]));
    }
}
