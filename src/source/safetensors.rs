//! `safetensors`: own arrays, a file for training and one for the test, as
//! `safetensors.torch.save_file({"x": x, "y": y}, file)` writes them. Names of the classes may stand in the
//! file's metadata, under the key `classes`, as a JSON array of strings.

use super::arrays::{Array, MOST_CLASSES, Pair, Reading, Type, dataset};
use super::part::Part;
use super::paths::{file, path};
use super::{Cache, Entry, Request, Source, TableTask, Tokens};
use crate::args::choice;
use crate::data::{Dataset, Watcher, foreign};
use crate::error::{Error, Result};
use ::safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "safetensors",
    summary: "own arrays x and y (classes or numbers) from a file for training and one for the test",
    arguments: &["tokens", "task", "train", "test"],
    short: None,
    example: "train = \"train.safetensors\"\ntest = \"test.safetensors\"",
    parse: |args| Ok(Box::new(args.read::<Safetensors>()?)),
};

/// Arrays in files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Safetensors {
    /// Whether the numbers of `x` are tokens that are bytes.
    #[serde(deserialize_with = "choice")]
    pub tokens: Tokens,
    /// What `y` is.
    #[serde(deserialize_with = "choice")]
    pub task: TableTask,
    /// The file with the training samples, below `data.dir` where that is given.
    #[serde(
        deserialize_with = "file",
        serialize_with = "path",
        skip_serializing_if = "Option::is_none"
    )]
    pub train: Option<PathBuf>,
    /// The same for the test samples.
    #[serde(
        deserialize_with = "file",
        serialize_with = "path",
        skip_serializing_if = "Option::is_none"
    )]
    pub test: Option<PathBuf>,
}

impl Source for Safetensors {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
        load(self, request, watcher)
    }
}

/// The files where only the folder is named.
const NAMES: [&str; 2] = ["train.safetensors", "test.safetensors"];
/// The largest header that is read: two tensors and the class names need far less.
const MOST_HEADER: u64 = 16 << 20;

const HELP: &str = "write it with safetensors.torch.save_file({\"x\": x, \"y\": y}, file): x u8 or \
    floats, [N, C, H, W], [N, D] or [N, T, C], or tokens, [N, T]; y whole numbers, [N], or [N, T], or numbers \
    to predict, [N] or [N, K]";

fn load(source: &Safetensors, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
    let dir = request.dir.as_deref();
    let train = place("train", source.train.as_deref(), NAMES[0], dir)?;
    let test = place("test", source.test.as_deref(), NAMES[1], dir)?;
    let reading = Reading {
        tokens: source.tokens,
        task: source.task,
        help: HELP,
    };
    let pairs = [&train, &test].map(|file| Ok::<_, Error>((&**file, read(file, request.cache)?)));
    let [train, test] = pairs;
    let pairs = [train?, test?];
    dataset(ENTRY.name, reading, pairs, watcher)
}

/// The path of one of the two files.
fn place(key: &str, named: Option<&Path>, usual: &str, dir: Option<&Path>) -> Result<PathBuf> {
    match (named, dir) {
        (Some(named), Some(dir)) => Ok(dir.join(named)),
        (Some(named), None) => Ok(named.into()),
        (None, Some(dir)) => Ok(dir.join(usual)),
        (None, None) => Err(Error::Argument {
            what: format!("data.{key}"),
            found: "not given, and safetensors reads files".into(),
            expected: "a file with the tensors x and y".into(),
            help: format!(
                "set data.{key}, or data.dir to a folder with {}",
                NAMES.join(" and ")
            ),
        }),
    }
}

/// The two tensors of a file; the numbers of x stay in it unless `cache` keeps them in memory.
fn read(path: &Path, cache: Cache) -> Result<Pair> {
    let wrong = |problem: String| Error::data(path, problem, HELP);
    let unreadable = |error: io::Error| {
        let help = "check the name, and the permissions of the file and its folder";
        Error::data(path, format!("cannot be read: {error}"), help)
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut first = Vec::new();
    let taken = Read::by_ref(&mut file).take(8).read_to_end(&mut first);
    taken.map_err(unreadable)?;
    let header = header_length(&first, length).map_err(wrong)?;
    let mut header = vec![0; header as usize];
    file.read_exact(&mut header).map_err(unreadable)?;
    let metadata = metadata(&header, length).map_err(wrong)?;
    let names = names(&metadata).map_err(wrong)?;
    let [x, y] = ["x", "y"].map(|name| tensor(&metadata, name).map_err(wrong));
    let of = |(ty, info): (Type, &TensorInfo), is_kept: bool| {
        let (first, end) = info.data_offsets;
        let place = [(8 + header.len() + first) as u64, (end - first) as u64];
        let part = Part::new(file.try_clone().map_err(unreadable)?, path, place)?;
        Array::of(ty, info.shape.clone(), part, is_kept)
    };
    let (x, y) = (x?, y?);
    let floats = 4 * (x.1.shape.iter().product::<usize>() as u64);
    Ok(Pair {
        x: of(x, cache.of(floats) == Cache::Memory)?,
        y: of(y, true)?,
        names,
    })
}

/// The length of the header of a file of `length` bytes that begins with `first`; what is wrong with it is a
/// sentence.
fn header_length(first: &[u8], length: u64) -> Result<u64, String> {
    let Some(header) = first.first_chunk::<8>() else {
        return Err(format!(
            "has {length} bytes, too few for a safetensors file"
        ));
    };
    if let Some(kind) = foreign(first) {
        let reads_it = match kind.contains("NumPy") {
            true => "; data.source = \"numpy\" reads it",
            false => "",
        };
        return Err(format!("is no safetensors file, but {kind}{reads_it}"));
    }
    let header = u64::from_le_bytes(*header);
    if header > MOST_HEADER.min(length - 8) {
        return Err(format!(
            "is no safetensors file: its header claims {header} bytes, the file has {length}"
        ));
    }
    Ok(header)
}

/// What the header of a file of `length` bytes says, which it keeps.
fn metadata(header: &[u8], length: u64) -> Result<Metadata, String> {
    let metadata: Metadata = serde_json::from_slice(header)
        .map_err(|error| format!("is no valid safetensors file: {error}"))?;
    let tensors = metadata.tensors();
    let end = tensors
        .values()
        .map(|info| info.data_offsets.1 as u64)
        .max();
    let (end, there) = (end.unwrap_or(0), length - 8 - header.len() as u64);
    match end == there {
        true => Ok(metadata),
        false => Err(format!(
            "is no valid safetensors file: its header claims {end} bytes of tensors, the file has {there}"
        )),
    }
}

fn kind(dtype: Dtype, name: &str) -> Result<Type, String> {
    Ok(match dtype {
        Dtype::BOOL => Type::Bool,
        Dtype::U8 => Type::U8,
        Dtype::I8 => Type::I8,
        Dtype::U16 => Type::U16,
        Dtype::I16 => Type::I16,
        Dtype::U32 => Type::U32,
        Dtype::I32 => Type::I32,
        Dtype::U64 => Type::U64,
        Dtype::I64 => Type::I64,
        Dtype::F16 => Type::F16,
        Dtype::BF16 => Type::BF16,
        Dtype::F32 => Type::F32,
        Dtype::F64 => Type::F64,
        other => {
            return Err(format!(
                "{name} has the type {other:?}; expected bool, u8 to i64, or f16, bf16, f32 or f64"
            ));
        }
    })
}

fn tensor<'a>(metadata: &'a Metadata, name: &str) -> Result<(Type, &'a TensorInfo), String> {
    let Some(info) = metadata.info(name) else {
        let tensors = metadata.tensors();
        let mut names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.truncate(8);
        return Err(format!(
            "has no tensor {name}; expected x and y, found {}",
            if names.is_empty() {
                "none".into()
            } else {
                names.join(", ")
            }
        ));
    };
    Ok((kind(info.dtype, name)?, info))
}

/// The class names of the metadata, if there are any.
fn names(metadata: &Metadata) -> Result<Option<Vec<String>>, String> {
    let Some(text) = metadata
        .metadata()
        .as_ref()
        .and_then(|all| all.get("classes"))
    else {
        return Ok(None);
    };
    let names: Vec<String> = serde_json::from_str(text).map_err(|error| {
        format!(
            "its metadata `classes` is no JSON array of strings ({error}); expected for example \
             [\"cat\", \"dog\"]"
        )
    })?;
    if names.is_empty() || names.len() > MOST_CLASSES as usize {
        return Err(format!(
            "its metadata `classes` lists {} names; expected 1 to {MOST_CLASSES}",
            names.len()
        ));
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file with this header, whose lengths need not be true.
    fn raw(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), data].concat()
    }

    /// The arrays of a file of these bytes, with x in memory or not.
    fn decoded(bytes: &[u8], cache: Cache) -> Result<Pair, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path(), cache).map_err(|error| error.to_string())
    }

    fn decode(bytes: &[u8]) -> Result<Pair, String> {
        decoded(bytes, Cache::Memory)
    }

    #[test]
    fn hostile_headers_are_refused() {
        let huge = [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat();
        assert!(
            decode(&huge)
                .unwrap_err()
                .contains("claims 18446744073709551615 bytes")
        );
        assert!(
            decode(&[1; 7])
                .unwrap_err()
                .contains("has 7 bytes, too few")
        );
        let x = |shape: &str, offsets: &str| {
            let header =
                format!(r#"{{"x":{{"dtype":"U8","shape":{shape},"data_offsets":{offsets}}}}}"#);
            decode(&raw(&header, &[0; 8])).unwrap_err()
        };
        for (shape, offsets) in [
            ("[2,4]", "[0,9]"),
            ("[2,4]", "[8,0]"),
            ("[2,4]", "[4,12]"),
            ("[18446744073709551615,2]", "[0,8]"),
            ("[99999999999,99999999999]", "[0,8]"),
            ("[-1,4]", "[0,8]"),
            ("[2,4]", "[0,18446744073709551615]"),
        ] {
            let found = x(shape, offsets);
            assert!(
                found.contains("no valid safetensors"),
                "{shape} {offsets}: {found}"
            );
        }
        assert!(x("[2,4]", "[0,8]").contains("has no tensor y"));
        assert!(decode(&raw("{}", &[])).unwrap_err().contains("found none"));
        assert!(
            decode(&raw("[", &[]))
                .unwrap_err()
                .contains("no valid safetensors")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_arrays_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            kind in 0_usize..3,
            sizes in prop::collection::vec(0_u64..4, 0..5),
            dtype in prop::sample::select(vec!["U8", "F32", "I64", "U16", "F4", "BOOL", "F64"]),
        ) {
            let (half, length) = (bytes.len() / 2, bytes.len());
            let header = format!(
                r#"{{"x":{{"dtype":"{dtype}","shape":{sizes:?},"data_offsets":[0,{half}]}},
                "y":{{"dtype":"U8","shape":[{0}],"data_offsets":[{half},{length}]}}}}"#,
                length - half
            );
            let file = match kind {
                0 => bytes,
                1 => raw(&String::from_utf8_lossy(&bytes), &bytes),
                _ => raw(&header, &bytes),
            };
            for (tokens, task) in [(Tokens::Chars, TableTask::Auto), (Tokens::Bytes, TableTask::Regression)] {
                let reading = Reading { tokens, task, help: HELP };
                let samples = [Cache::Memory, Cache::None].map(|cache| {
                    let set = crate::source::arrays::decode(decoded(&file, cache).ok()?, reading).ok()?;
                    let symbols = set.symbols();
                    set.samples(symbols, HELP).ok()
                });
                if let [Some(samples), _] = &samples {
                    let bytes = samples.sample_bytes() * samples.len();
                    prop_assert_eq!(samples.read_all().unwrap().len(), bytes);
                }
                prop_assert!(samples[0] == samples[1]);
            }
        }
    }
}
