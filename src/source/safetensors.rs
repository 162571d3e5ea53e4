//! `safetensors`: own arrays, a file for training and one for the test, as
//! `safetensors.torch.save_file({"x": x, "y": y}, file)` writes them.
//!
//! `x` holds the samples, u8 or f32, [N, C, H, W] or [N, D]; or sequences: f32, [N, T, C], or whole
//! numbers of more than 8 bits, [N, T], which are tokens (u8 with `data.tokens = "bytes"`). `y` holds
//! their classes, whole numbers of any type, [N]; or for a sequence one for each position, [N, T],
//! negative where none counts. Names of the classes may stand in the file's metadata, under the key `classes`, as a
//! JSON array of strings.

use super::paths::{file, path};
use super::{Entry, Request, Source, Tokens};
use crate::args::choice;
use crate::data::{Dataset, IGNORED, MOST_SYMBOLS, Samples, Targets, Task, Watcher};
use crate::error::{Error, Result};
use ::safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "safetensors",
    summary: "own arrays x and y (classes) from a file for training and one for the test",
    arguments: &["tokens", "train", "test"],
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

    fn open(&self, request: &Request, _: Watcher<'_>) -> Result<Dataset> {
        load(self, request.dir.as_deref())
    }
}

/// The files where only the folder is named.
const NAMES: [&str; 2] = ["train.safetensors", "test.safetensors"];
/// The largest header that is read: two tensors and the class names need far less.
const MOST_HEADER: u64 = 16 << 20;
/// Classes are below this; a larger number is a mistake sooner than a class.
const MOST_CLASSES: u32 = 1 << 16;

const HELP: &str = "write it with safetensors.torch.save_file({\"x\": x, \"y\": y}, file): x u8 or \
    f32, [N, C, H, W], [N, D] or [N, T, C], or tokens, [N, T]; y whole numbers, [N], or [N, T]";

fn load(source: &Safetensors, dir: Option<&Path>) -> Result<Dataset> {
    let train_file = place("train", source.train.as_deref(), NAMES[0], dir)?;
    let test_file = place("test", source.test.as_deref(), NAMES[1], dir)?;
    let bytes = source.tokens == Tokens::Bytes;
    let mut train = read(&train_file, bytes)?;
    let mut test = read(&test_file, bytes)?;
    fitting(&train, &train_file, &test, &test_file)?;
    let names = train.names.take().or(test.names.take());
    let classes = match names {
        Some(names) => names,
        None => {
            let counting = train.targets.iter().filter(|target| **target != IGNORED);
            let largest = counting.max().copied().unwrap_or(0);
            (0..=largest).map(|class| class.to_string()).collect()
        }
    };
    for (file, arrays) in [(&train_file, &train), (&test_file, &test)] {
        let outside = |label: &u32| *label != IGNORED && *label as usize >= classes.len();
        let outside = arrays.targets.iter().position(outside);
        if let Some(at) = outside {
            let (label, sample) = (arrays.targets[at], at / arrays.positions.unwrap_or(1));
            return Err(Error::data(
                file,
                format!(
                    "y is {label} for sample {sample}; expected 0 to {}: there are {} classes",
                    classes.len() - 1,
                    classes.len()
                ),
                "give every class a sample in the training file, or list all classes in its metadata",
            ));
        }
    }
    let symbols = train.symbols().max(test.symbols());
    let task = match train.positions {
        Some(_) => Task::Tokens(classes),
        None => Task::Classes(classes),
    };
    let (train, test) = (train.samples(symbols)?, test.samples(symbols)?);
    Dataset::of(ENTRY.name, train, test, task)
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

/// What one file holds.
#[derive(Debug, PartialEq)]
struct Arrays {
    /// Shape of a sample.
    shape: Vec<usize>,
    values: Values,
    /// The classes, [`IGNORED`] where none counts.
    targets: Vec<u32>,
    /// Positions of a sample, where each has a class.
    positions: Option<usize>,
    names: Option<Vec<String>>,
}

#[derive(Debug, PartialEq)]
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
    Tokens(Vec<u32>),
}

impl Arrays {
    /// Number of symbols that its tokens show; 0 where it has none.
    fn symbols(&self) -> usize {
        match &self.values {
            Values::Tokens(tokens) => 1 + tokens.iter().max().copied().unwrap_or(0) as usize,
            _ => 0,
        }
    }

    /// The samples, where tokens are of `symbols` symbols.
    fn samples(self, symbols: usize) -> Result<Samples> {
        let targets = match self.positions {
            Some(steps) => Targets::Positions {
                steps,
                values: self.targets,
            },
            None => Targets::Classes(self.targets),
        };
        match (self.values, &self.shape[..], targets) {
            (Values::Tokens(tokens), [steps], targets) => {
                Samples::from_tokens([*steps, symbols], tokens, targets)
            }
            (Values::Floats(values), [steps, features], targets) => {
                Samples::from_sequences([*steps, *features], values, targets)
            }
            (Values::Floats(values), shape, Targets::Classes(labels)) => {
                Samples::from_floats(shape, values, labels)
            }
            (Values::Bytes(values), shape, Targets::Classes(labels)) => {
                Samples::from_bytes(shape, values, labels)
            }
            (_, shape, targets) => Err(Error::Argument {
                what: "x".into(),
                found: format!("samples of the shape {shape:?} with {}", targets.name()),
                expected: "sequences where each position has a class".into(),
                help: HELP.into(),
            }),
        }
    }
}

/// Both files must hold samples of one kind.
fn fitting(train: &Arrays, train_file: &Path, test: &Arrays, test_file: &Path) -> Result<()> {
    let kind = |arrays: &Arrays| {
        let name = match arrays.values {
            Values::Bytes(_) => "u8",
            Values::Floats(_) => "f32",
            Values::Tokens(_) => "tokens",
        };
        let classes = match arrays.positions {
            Some(_) => ", with a class for each position",
            None => "",
        };
        format!("{name} of shape {:?}{classes}", arrays.shape)
    };
    let (a, b) = (kind(train), kind(test));
    if a != b {
        return Err(Error::data(
            test_file,
            format!(
                "its samples are {b}; expected {a}, as in {}",
                train_file.display()
            ),
            "prepare both files in the same way",
        ));
    }
    match (&train.names, &test.names) {
        (Some(a), Some(b)) if a != b => Err(Error::data(
            test_file,
            format!(
                "its classes are {b:?}; expected {a:?}, as in {}",
                train_file.display()
            ),
            "list the same classes in both files, or in the training file alone",
        )),
        _ => Ok(()),
    }
}

fn read(path: &Path, byte_tokens: bool) -> Result<Arrays> {
    let bytes = std::fs::read(path).map_err(|error| {
        let help = "check the name, and the permissions of the file and its folder";
        Error::data(path, format!("cannot be read: {error}"), help)
    })?;
    decode(bytes, byte_tokens).map_err(|problem| Error::data(path, problem, HELP))
}

/// Decodes a whole file; what is wrong with it is a sentence.
fn decode(bytes: Vec<u8>, byte_tokens: bool) -> Result<Arrays, String> {
    let length = bytes.len() as u64;
    let Some(header) = bytes.first_chunk::<8>() else {
        return Err(format!(
            "has {length} bytes, too few for a safetensors file"
        ));
    };
    let header = u64::from_le_bytes(*header);
    if header > MOST_HEADER.min(length - 8) {
        return Err(format!(
            "is no safetensors file: its header claims {header} bytes, the file has {length}"
        ));
    }
    let invalid = |error| format!("is no valid safetensors file: {error}");
    let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(invalid)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(invalid)?;
    let names = names(&metadata)?;
    let (x, y) = (tensor(&tensors, "x")?, tensor(&tensors, "y")?);
    let shape = match x.shape() {
        shape @ ([_, _] | [_, _, _] | [_, _, _, _]) if !shape.contains(&0) => shape.to_vec(),
        shape => {
            return Err(format!(
                "x has the shape {shape:?}; expected [N, C, H, W] or [N, D], or sequences, [N, T, C] of F32 or \
                 [N, T] of tokens, each at least 1 (a grey picture has one channel)"
            ));
        }
    };
    let sequence = match (x.dtype(), &shape[1..]) {
        (Dtype::F32, [steps, _]) => Some(*steps),
        (Dtype::U8, [steps]) if byte_tokens => Some(*steps),
        (Dtype::U8 | Dtype::F32, _) => None,
        (_, [steps]) => Some(*steps),
        _ => None,
    };
    let (targets, positions) = labels(&y, shape[0], sequence)?;
    // The offsets count from the end of the header, and the file was checked to hold them.
    let start = 8 + header + metadata.info("x").map_or(0, |info| info.data_offsets.0);
    let values = match x.dtype() {
        Dtype::U8 if shape.len() == 3 => {
            return Err(format!(
                "x has the shape {shape:?} and the type U8; expected [N, C, H, W] or [N, D], or sequences, \
                 [N, T, C], of F32"
            ));
        }
        Dtype::U8 if !byte_tokens || shape.len() != 2 => {
            let count = x.data().len();
            // The file's own memory becomes the samples'.
            let mut bytes = bytes;
            bytes.drain(..start);
            bytes.truncate(count);
            Values::Bytes(bytes)
        }
        Dtype::F32 => Values::Floats(floats(x.data(), &shape)?),
        other if shape.len() != 2 => {
            return Err(format!(
                "x has the type {other:?} and the shape {shape:?}; expected U8 or F32, or tokens, [N, T]"
            ));
        }
        _ => Values::Tokens(tokens(&x)?),
    };
    Ok(Arrays {
        shape: shape[1..].to_vec(),
        values,
        targets,
        positions,
        names,
    })
}

/// The tokens in `x`.
fn tokens(x: &TensorView<'_>) -> Result<Vec<u32>, String> {
    let whole = [
        Dtype::U8,
        Dtype::I8,
        Dtype::U16,
        Dtype::I16,
        Dtype::U32,
        Dtype::I32,
        Dtype::U64,
        Dtype::I64,
    ];
    if !whole.contains(&x.dtype()) {
        return Err(format!(
            "x has the type {:?}; expected U8 or F32, or whole numbers for tokens",
            x.dtype()
        ));
    }
    let numbers = numbers(x, "x")?;
    let outside = |token: &f64| *token < 0.0 || *token >= MOST_SYMBOLS as f64;
    match numbers.iter().position(outside) {
        None => Ok(numbers.into_iter().map(|token| token as u32).collect()),
        Some(at) => Err(format!(
            "x is {} at position {} of sample {}; expected tokens from 0, below {MOST_SYMBOLS}",
            numbers[at],
            at % x.shape()[1],
            at / x.shape()[1]
        )),
    }
}

fn tensor<'a>(tensors: &SafeTensors<'a>, name: &str) -> Result<TensorView<'a>, String> {
    tensors.tensor(name).map_err(|_| {
        let mut names = tensors.names();
        names.sort_unstable();
        names.truncate(8);
        format!(
            "has no tensor {name}; expected x and y, found {}",
            if names.is_empty() {
                "none".into()
            } else {
                names.join(", ")
            }
        )
    })
}

/// The values of `x`, all of them finite.
fn floats(data: &[u8], shape: &[usize]) -> Result<Vec<f32>, String> {
    let (words, _) = data.as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(at) => {
            let elements: usize = shape[1..].iter().product();
            Err(format!(
                "x is {} in sample {}, element {}; expected finite numbers",
                values[at],
                at / elements,
                at % elements
            ))
        }
    }
}

/// The classes in `y`, for samples that may be sequences of some positions; and the number of these
/// where each has a class.
fn labels(
    y: &TensorView<'_>,
    count: usize,
    sequence: Option<usize>,
) -> Result<(Vec<u32>, Option<usize>), String> {
    let shape = y.shape();
    let positions = sequence.filter(|steps| *shape == [count, *steps]);
    if positions.is_none() && matches!(y.dtype(), Dtype::F32 | Dtype::F64) && shape.len() == 2 {
        return Err(format!(
            "y has the shape {shape:?}, as values for a regression have; those are not supported \
             yet, expected classes: whole numbers, [N]"
        ));
    }
    if positions.is_none() && shape != [count] {
        let or = sequence.map_or_else(String::new, |steps| {
            format!(", or [{count}, {steps}], one for each position")
        });
        return Err(format!(
            "y has the shape {shape:?}; expected [{count}], one class for each sample of x{or}"
        ));
    }
    let numbers = numbers(y, "y")?;
    let most = if positions.is_some() {
        MOST_SYMBOLS as u32
    } else {
        MOST_CLASSES
    };
    let ignored = |y: f64| positions.is_some() && y < 0.0;
    let wrong = numbers
        .iter()
        .position(|y| !ignored(*y) && (*y < 0.0 || *y >= f64::from(most)));
    let broken = numbers.iter().position(|y| y.fract() != 0.0);
    if let Some(sample) = broken {
        return Err(format!(
            "y is {} for sample {sample}; values for a regression are not supported yet, expected \
             classes: whole numbers from 0",
            numbers[sample]
        ));
    }
    if let Some(sample) = wrong {
        return Err(format!(
            "y is {} for sample {sample}; expected classes from 0 to {}",
            numbers[sample],
            most - 1
        ));
    }
    let class = |y: f64| if ignored(y) { IGNORED } else { y as u32 };
    Ok((numbers.into_iter().map(class).collect(), positions))
}

/// The numbers of a tensor of any type that holds whole numbers. Those of 64 bits that f64 cannot
/// hold are far above every class, before and after rounding.
fn numbers(y: &TensorView<'_>, name: &str) -> Result<Vec<f64>, String> {
    fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let (words, _) = data.as_chunks::<N>();
        words.iter().map(|&word| number(word)).collect()
    }
    let data = y.data();
    Ok(match y.dtype() {
        Dtype::U8 => each(data, |[byte]| f64::from(byte)),
        Dtype::I8 => each(data, |word| f64::from(i8::from_le_bytes(word))),
        Dtype::U16 => each(data, |word| f64::from(u16::from_le_bytes(word))),
        Dtype::I16 => each(data, |word| f64::from(i16::from_le_bytes(word))),
        Dtype::U32 => each(data, |word| f64::from(u32::from_le_bytes(word))),
        Dtype::I32 => each(data, |word| f64::from(i32::from_le_bytes(word))),
        Dtype::U64 => each(data, |word| u64::from_le_bytes(word) as f64),
        Dtype::I64 => each(data, |word| i64::from_le_bytes(word) as f64),
        Dtype::F32 => each(data, |word| f64::from(f32::from_le_bytes(word))),
        Dtype::F64 => each(data, f64::from_le_bytes),
        other => {
            return Err(format!(
                "{name} has the type {other:?}; expected whole numbers (U8, I32, I64, F32 ...)"
            ));
        }
    })
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

    #[test]
    fn hostile_headers_are_refused() {
        let huge = [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat();
        assert!(
            decode(huge, false)
                .unwrap_err()
                .contains("claims 18446744073709551615 bytes")
        );
        assert!(
            decode(vec![1; 7], false)
                .unwrap_err()
                .contains("has 7 bytes, too few")
        );
        let x = |shape: &str, offsets: &str| {
            let header =
                format!(r#"{{"x":{{"dtype":"U8","shape":{shape},"data_offsets":{offsets}}}}}"#);
            decode(raw(&header, &[0; 8]), false).unwrap_err()
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
        assert!(
            decode(raw("{}", &[]), false)
                .unwrap_err()
                .contains("found none")
        );
        assert!(
            decode(raw("[", &[]), false)
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
            for byte_tokens in [false, true] {
                if let Ok(arrays) = decode(file.clone(), byte_tokens) {
                    let symbols = arrays.symbols();
                    if let Ok(samples) = arrays.samples(symbols) {
                        let bytes = samples.sample_bytes() * samples.len();
                        prop_assert_eq!(samples.read_all().unwrap().len(), bytes);
                    }
                }
            }
        }
    }
}
