//! The official archive, read from front to back; nothing is written to disk, so nothing in it can
//! land anywhere. One that tries to (a path or a link that points outside its folder) is refused.

use super::{BATCHES, Batch, FOLDER, META, built_in_classes, class_names, decode, missing};
use crate::data::Watcher;
use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Bytes that are unpacked at most: the official archive has 184 MB.
const MOST: u64 = 512 << 20;

/// The class names and the records of each file, in the order of [`BATCHES`].
pub(super) fn read(path: &Path, watcher: Watcher<'_>) -> Result<(Vec<String>, Vec<Batch>)> {
    let file = File::open(path).map_err(|error| {
        let help = "check the permissions of the file and its folder";
        Error::data(path, format!("cannot be opened: {error}"), help)
    })?;
    let found = walk(BufReader::new(file), watcher).map_err(|problem| refused(path, &problem))?;
    if found.batches.iter().any(Option::is_none) {
        let at = |name: &str| BATCHES.iter().position(|batch| *batch == name);
        return Err(missing(path, |name| {
            at(name).is_some_and(|at| found.batches[at].is_some())
        }));
    }
    super::progress(watcher, BATCHES.len());
    let classes = found.classes.unwrap_or_else(built_in_classes);
    Ok((classes, found.batches.into_iter().flatten().collect()))
}

fn refused(path: &Path, problem: &str) -> Error {
    let help = format!("delete the archive and get it again; {}", super::HOME);
    Error::data(path, problem, help)
}

/// What an archive holds.
#[derive(Debug, Default)]
struct Found {
    classes: Option<Vec<String>>,
    batches: [Option<Batch>; BATCHES.len()],
}

/// Reads a whole archive.
fn walk(packed: impl Read, watcher: Watcher<'_>) -> Result<Found, String> {
    let broken = |error: io::Error| format!("is broken or truncated: {error}");
    let bounded = Bounded {
        inner: MultiGzDecoder::new(packed),
        left: MOST,
    };
    let mut archive = tar::Archive::new(bounded);
    let mut found = Found::default();
    let mut done = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        stays_inside(&name)?;
        if let Some(target) = entry.link_name_bytes() {
            let target = String::from_utf8_lossy(&target).into_owned();
            stays_inside(&target).map_err(|why| format!("its link {name:?} {why}"))?;
        }
        let Some(file) = file_name(&name) else {
            continue;
        };
        let batch = BATCHES.iter().position(|batch| *batch == file);
        if batch.is_none() && file != META {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(format!("its {file} is no plain file; expected one"));
        }
        let within = |problem| format!("its {file}: {problem}");
        let twice = match batch {
            Some(at) => {
                super::progress(watcher, done);
                done += 1;
                let batch = decode(&mut entry).map_err(within)?;
                found.batches[at].replace(batch).is_some()
            }
            None => {
                let classes = class_names(&mut entry).map_err(within)?;
                found.classes.replace(classes).is_some()
            }
        };
        if twice {
            return Err(format!("holds {file} twice; expected each file once"));
        }
    }
    // Only behind the last byte does gzip say whether the bytes were right.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(found)
}

/// Refuses a path that would lead out of the folder in which the archive is unpacked.
fn stays_inside(name: &str) -> Result<(), String> {
    let mut parts = name.split(['/', '\\']);
    let absolute = name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':');
    if absolute || parts.any(|part| part == "..") {
        return Err(format!(
            "points outside its folder: {name:?}; expected paths below {FOLDER}"
        ));
    }
    Ok(())
}

/// The name of a file in the archive's folder, or at its top.
fn file_name(name: &str) -> Option<&str> {
    let name = name.strip_prefix("./").unwrap_or(name);
    match name.split_once('/') {
        None => Some(name),
        Some((folder, file)) if folder == FOLDER => Some(file),
        Some(_) => None,
    }
}

/// A reader that fails after `left` bytes, so that a small file cannot unpack without end.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!("it unpacks to more than {} MiB", MOST >> 20))
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::cifar10::RECORD;
    use flate2::{Compression, read::GzEncoder};
    use proptest::prelude::*;

    /// A packed archive of (path, contents).
    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, contents) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(contents.len() as u64);
            // The safe setters refuse such paths; a hostile archive does not ask them.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, *contents).unwrap();
        }
        gzip(&archive.into_inner().unwrap())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        GzEncoder::new(bytes, Compression::fast())
            .read_to_end(&mut packed)
            .unwrap();
        packed
    }

    fn problem(packed: &[u8]) -> String {
        walk(packed, &|_| {}).unwrap_err()
    }

    #[test]
    fn a_path_that_leads_outside_is_refused_wherever_it_stands() {
        for name in ["../x", "a/../../x", "/etc/passwd", "..\\x", "C:/x", ".."] {
            let found = problem(&packed(&[("ok", b""), (name, b"1")]));
            assert!(
                found.contains("points outside its folder"),
                "{name}: {found}"
            );
            assert!(found.contains(&format!("{name:?}")), "{found}");
        }
        assert!(walk(packed(&[("a..b/..c", b"")]).as_slice(), &|_| {}).is_ok());
    }

    #[test]
    fn a_link_that_leads_outside_is_refused() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive
            .append_link(&mut header, "data_batch_1.bin", "/etc/passwd")
            .unwrap();
        let found = problem(&gzip(&archive.into_inner().unwrap()));
        assert!(
            found.contains("\"data_batch_1.bin\" points outside"),
            "{found}"
        );
    }

    #[test]
    fn a_bomb_is_left() {
        struct Zeros(u64);
        impl Read for Zeros {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += buffer.len() as u64;
                buffer.fill(0);
                Ok(buffer.len())
            }
        }
        let mut zeros = Zeros(0);
        let mut bounded = Bounded {
            inner: &mut zeros,
            left: 100,
        };
        assert!(io::copy(&mut bounded, &mut io::sink()).is_err());
        assert!(zeros.0 < 1 << 20);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_archive_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            start in 0_usize..3,
            cut in 0_usize..2000,
        ) {
            let mut record = vec![7; RECORD];
            record.truncate(RECORD.saturating_sub(cut));
            let archive = match start {
                0 => bytes,
                1 => gzip(&bytes),
                _ => packed(&[("data_batch_1.bin", &record), ("x", &bytes)]),
            };
            for length in [archive.len(), archive.len() / 2] {
                let _ = walk(&archive[..length], &|_| {});
            }
        }
    }
}
