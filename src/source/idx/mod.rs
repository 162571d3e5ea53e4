//! IDX, the format of MNIST's files (LeCun, Cortes and Burges, "The MNIST database", section "File
//! formats"), raw or gzip: two zero bytes, the type of the values (8: unsigned bytes), the number
//! of dimensions, each dimension as a big-endian u32, then the values.
//!
//! Nothing in a header is trusted: memory grows with what the file really holds, and no more is
//! unpacked than the header announces, plus one byte that shows that there is more.

pub(super) mod folder;

use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest number of values that is read from one file.
const MOST_VALUES: u64 = 4 << 30;

/// What a file is expected to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pictures: count, rows, columns.
    Images,
    /// Labels: count.
    Labels,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    fn dimensions(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }

    /// The first four bytes: unsigned bytes in so many dimensions.
    fn magic(self) -> [u8; 4] {
        [0, 0, 8, self.dimensions() as u8]
    }
}

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Idx {
    /// Samples, then (for images) rows and columns; none is 0.
    pub(super) dimensions: Vec<usize>,
    /// As many values as the product of the dimensions.
    pub(super) values: Vec<u8>,
}

/// Reads and checks the file at `path`; `home` says where a good one is found.
pub(super) fn read(path: &Path, kind: Kind, home: &str) -> Result<Idx> {
    let file = File::open(path).map_err(|error| Error::Data {
        file: path.into(),
        problem: format!("cannot be opened: {error}"),
        help: "check the permissions of the file and its folder".into(),
    })?;
    decode(io::BufReader::new(file), kind).map_err(|wrong| Error::Data {
        file: path.into(),
        problem: wrong.problem,
        help: wrong
            .help
            .unwrap_or_else(|| format!("replace the file; {home}")),
    })
}

/// What is wrong with the contents of a file.
#[derive(Debug)]
struct Wrong {
    problem: String,
    /// `None`: get the file again.
    help: Option<String>,
}

impl From<String> for Wrong {
    fn from(problem: String) -> Self {
        Self {
            problem,
            help: None,
        }
    }
}

/// Decodes a whole file, packed or not: which of the two is told by its first bytes, whatever its
/// name says.
fn decode(mut file: impl Read, kind: Kind) -> Result<Idx, Wrong> {
    let failed = |error: io::Error| Wrong {
        problem: format!("cannot be read: {error}"),
        help: Some("check the disk and the permissions of the file".into()),
    };
    let start = read_up_to(&mut file, 2).map_err(failed)?;
    let whole = start.as_slice().chain(file);
    if start == [0x1f, 0x8b] {
        let broken = |error: io::Error| Wrong::from(format!("broken gzip: {error}"));
        unpacked(MultiGzDecoder::new(whole), kind, &broken)
    } else {
        unpacked(whole, kind, &failed)
    }
}

/// Decodes the unpacked contents.
fn unpacked(
    mut file: impl Read,
    kind: Kind,
    failed: &dyn Fn(io::Error) -> Wrong,
) -> Result<Idx, Wrong> {
    let magic = read_up_to(&mut file, 4).map_err(failed)?;
    if magic != kind.magic() {
        return Err(wrong_magic(&magic, kind));
    }
    let length = 4 * kind.dimensions();
    let header = read_up_to(&mut file, length as u64).map_err(failed)?;
    if header.len() < length {
        return Err(Wrong::from(format!(
            "truncated: the header of {} bytes ends after {}",
            4 + length,
            4 + header.len()
        )));
    }
    let (words, _) = header.as_chunks::<4>();
    let dimensions: Vec<u32> = words.iter().map(|&word| u32::from_be_bytes(word)).collect();
    let count = values_announced(&dimensions, kind)?;
    let values = read_up_to(&mut file, count + 1).map_err(failed)?;
    let found = values.len() as u64;
    let announced = describe(&dimensions, kind);
    if found < count {
        return Err(Wrong::from(format!(
            "truncated: the header announces {announced}, {count} bytes of values, but only \
             {found} follow"
        )));
    }
    if found > count {
        return Err(Wrong::from(format!(
            "too long: the header announces {announced}, {count} bytes of values, but more follow"
        )));
    }
    Ok(Idx {
        dimensions: dimensions.iter().map(|&d| d as usize).collect(),
        values,
    })
}

/// Reads `limit` bytes, fewer where the file ends; memory grows with what is read.
fn read_up_to(file: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The number of values that follow a header, none of whose dimensions is 0.
fn values_announced(dimensions: &[u32], kind: Kind) -> Result<u64, Wrong> {
    let announced = describe(dimensions, kind);
    if dimensions[0] == 0 {
        return Err(Wrong::from(format!(
            "an empty set: the header announces {announced}; expected at least one"
        )));
    }
    if dimensions.contains(&0) {
        return Err(Wrong::from(format!(
            "the header announces {announced}; expected at least one row and one column"
        )));
    }
    dimensions
        .iter()
        .try_fold(1_u64, |product, &d| product.checked_mul(u64::from(d)))
        .filter(|&values| values <= MOST_VALUES)
        .ok_or_else(|| {
            Wrong::from(format!(
                "the header announces {announced}; expected at most {MOST_VALUES} bytes of values"
            ))
        })
}

/// `60000 images of 28x28`, `10000 labels`.
fn describe(dimensions: &[u32], kind: Kind) -> String {
    let name = kind.name();
    match dimensions {
        [count, rows, columns] => format!("{count} {name} of {rows}x{columns}"),
        [count, ..] => format!("{count} {name}"),
        [] => name.into(),
    }
}

/// Says what a file that starts with `magic` may be.
fn wrong_magic(magic: &[u8], kind: Kind) -> Wrong {
    let expected = format!(
        "expected {} (IDX, magic {})",
        kind.name(),
        hex(&kind.magic())
    );
    let other = match kind {
        Kind::Images => Kind::Labels,
        Kind::Labels => Kind::Images,
    };
    if magic.len() < 4 {
        return Wrong::from(format!("truncated after {} bytes; {expected}", magic.len()));
    }
    if magic == other.magic() {
        return Wrong {
            problem: format!("holds {} (magic {}); {expected}", other.name(), hex(magic)),
            help: Some("give each file its own name back: two of them are swapped".into()),
        };
    }
    let found = match magic {
        [0x1f, 0x8b, ..] => "gzip within gzip".into(),
        [b'<', ..] => "what looks like a web page".into(),
        [0, 0, 8, dimensions @ 1..=255] => format!("IDX in {dimensions} dimensions"),
        [0, 0, kind @ (9 | 11..=14), 1..=255] => {
            format!("IDX of type 0x{kind:02x}, not bytes (0x08)")
        }
        _ => "no IDX file".into(),
    };
    Wrong::from(format!(
        "holds {found} (first bytes {}); {expected}",
        hex(magic)
    ))
}

/// `0x00000803`.
fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, read::GzEncoder};
    use proptest::prelude::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        read_up_to(GzEncoder::new(bytes, Compression::fast()), u64::MAX).unwrap()
    }

    fn header(dimensions: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
        bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
        bytes
    }

    fn problem(bytes: &[u8], kind: Kind) -> String {
        decode(bytes, kind).unwrap_err().problem
    }

    #[test]
    fn raw_and_packed_files_hold_the_same() {
        let mut bytes = header(&[2, 1, 3]);
        bytes.extend([1, 2, 3, 4, 5, 6]);
        let raw = decode(bytes.as_slice(), Kind::Images).unwrap();
        assert_eq!(raw.dimensions, [2, 1, 3]);
        assert_eq!(raw.values, [1, 2, 3, 4, 5, 6]);
        assert_eq!(decode(gzip(&bytes).as_slice(), Kind::Images).unwrap(), raw);
        // A gzip file of several members is one file.
        let (a, b) = bytes.split_at(9);
        let members = [gzip(a), gzip(b)].concat();
        assert_eq!(decode(members.as_slice(), Kind::Images).unwrap(), raw);
    }

    #[test]
    fn a_bomb_is_left_after_one_byte_too_many() {
        struct Counted<'a>(io::Repeat, &'a mut u64);
        impl Read for Counted<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                *self.1 += buffer.len() as u64;
                self.0.read(buffer)
            }
        }
        let head = header(&[5]);
        let mut read = 0;
        let endless = head.as_slice().chain(Counted(io::repeat(0), &mut read));
        let found = decode(endless, Kind::Labels).unwrap_err().problem;
        assert!(
            found.contains("5 bytes of values, but more follow"),
            "{found}"
        );
        assert_eq!(read, 6);
    }

    #[test]
    fn a_header_that_lies_allocates_nothing() {
        let huge = header(&[u32::MAX, u32::MAX, u32::MAX]);
        assert!(problem(&huge, Kind::Images).contains("at most 4294967296 bytes"));
        // 4 GB are announced, none is there.
        let large = header(&[u32::MAX]);
        let found = problem(&large, Kind::Labels);
        assert!(
            found.contains("truncated") && found.contains("only 0 follow"),
            "{found}"
        );
    }

    #[test]
    fn what_a_foreign_file_holds_is_named() {
        let page = b"<!DOCTYPE html><html>";
        assert!(problem(page, Kind::Images).contains("web page"));
        let twice = gzip(&gzip(&header(&[1])));
        assert!(problem(&twice, Kind::Labels).contains("gzip within gzip"));
        assert!(problem(&[0, 0, 13, 3, 0], Kind::Images).contains("type 0x0d, not bytes"));
        assert!(problem(&[0, 0, 8, 2, 0], Kind::Images).contains("in 2 dimensions"));
        assert!(problem(b"PK\x03\x04", Kind::Images).contains("0x504b0304"));
        assert!(problem(&[], Kind::Images).contains("truncated after 0 bytes"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_samples_or_an_error(
            start in prop::sample::select(vec![
                vec![], vec![0x1f, 0x8b, 8], vec![0, 0, 8, 1], vec![0, 0, 8, 3],
                header(&[2]), header(&[1, 2, 2]),
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..64),
            packed in any::<bool>(),
            cut in 0_usize..8,
        ) {
            let mut bytes = [start, rest].concat();
            if packed {
                bytes = gzip(&bytes);
                bytes.truncate(bytes.len().saturating_sub(cut));
            }
            for kind in [Kind::Images, Kind::Labels] {
                if let Ok(idx) = decode(bytes.as_slice(), kind) {
                    prop_assert_eq!(idx.dimensions.iter().product::<usize>(), idx.values.len());
                }
            }
        }
    }
}
