//! Own arrays from files, x and y for training and for the test: [`super::Safetensors`] and [`super::Numpy`].
//!
//! `x` holds the samples, [N, C, H, W] or [N, D]: bytes stay bytes, other numbers become floats; or
//! sequences: floats, [N, T, C], or whole numbers of more than 8 bits, [N, T], which are tokens (u8 with
//! `data.tokens = "bytes"`). `y` holds their classes, whole numbers of any type, [N]; or for a sequence one
//! for each position, [N, T], negative where none counts; or numbers to predict, floats, [N] or [N, K].

mod array;
mod rows;

pub(super) use array::{Array, Bytes, Type};

use super::{TableTask, Tokens};
use crate::data::{
    Dataset, IGNORED, Inputs as _, Loading, MOST_SYMBOLS, Samples, Storage, Targets, Task, Watcher,
    two_scales,
};
use crate::error::{Error, Result};
use rows::FileRows;
use std::path::Path;

/// Classes are below this; a larger number is a mistake sooner than a class.
pub(super) const MOST_CLASSES: u32 = 1 << 16;
/// Whole numbers up to here are exact in 32 bits.
const EXACT: f64 = 16_777_216.0;
/// Notes about one file are no more than this.
const MOST_NAMED: usize = 8;
/// Square sequences of so many positions are sooner pictures.
const FEW_PIXELS: usize = 8;

/// What is read of the arrays as what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) tokens: Tokens,
    pub(super) task: TableTask,
    /// How to write such files.
    pub(super) help: &'static str,
}

/// x and y of a file.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) x: Array,
    pub(super) y: Array,
    /// Names of the classes, where the file has them.
    pub(super) names: Option<Vec<String>>,
}

/// The samples of one file.
#[derive(Debug, PartialEq)]
pub(super) struct Set {
    /// Shape of a sample.
    shape: Vec<usize>,
    values: Values,
    targets: Wanted,
    names: Option<Vec<String>>,
    notes: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
    Tokens(Vec<u32>),
    /// Bytes or floats that stay in their file.
    File(FileRows),
}

/// What is to be learned.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// The class of each sample, or of each of so many positions, [`IGNORED`] where none counts.
    Classes(Vec<u32>, Option<usize>),
    /// Numbers of each sample.
    Numbers(usize, Vec<f32>),
}

/// The data set of two files.
pub(super) fn dataset(
    name: &str,
    reading: Reading,
    [(train_file, train), (test_file, test)]: [(&Path, Pair); 2],
    watcher: Watcher<'_>,
) -> Result<Dataset> {
    let set = |file: &Path, pair| {
        decode(pair, reading).map_err(|problem| Error::data(file, problem, reading.help))
    };
    let (mut train, mut test) = (set(train_file, train)?, set(test_file, test)?);
    fitting(&train, train_file, &test, test_file)?;
    let names = train.names.take().or(test.names.take());
    let task = task(&train, names, watcher);
    for (file, set) in [(train_file, &train), (test_file, &test)] {
        check_classes(file, set, &task)?;
        for note in &set.notes {
            watcher(Loading::Note(&format!("{}: {note}", file.display())));
        }
    }
    if let Task::Classes(names) = &task
        && names.len() < 2
    {
        let problem = "y has one class only; expected at least two";
        return Err(Error::data(train_file, problem, reading.help));
    }
    let symbols = train.symbols().max(test.symbols());
    let help = reading.help;
    let (train, test) = (train.samples(symbols, help)?, test.samples(symbols, help)?);
    one_scale((&train, train_file), (&test, test_file))?;
    Dataset::of(name, train, test, task)
}

/// Refuses parts of which one holds pixels as they are, and the other has been divided.
fn one_scale(
    (train, train_file): (&Samples, &Path),
    (test, test_file): (&Samples, &Path),
) -> Result<()> {
    let Some([of_train, of_test]) = two_scales(train, test)? else {
        return Ok(());
    };
    let words = |[least, largest]: [f32; 2]| format!("from {least} to {largest}");
    let problem = format!(
        "x goes {}, and {} in {}; expected one scale",
        words(of_test),
        words(of_train),
        train_file.display()
    );
    let help = "divide the x of both by the same number, or of neither";
    Err(Error::data(test_file, problem, help))
}

/// What is learned, with the names of the classes or numbers.
fn task(train: &Set, names: Option<Vec<String>>, watcher: Watcher<'_>) -> Task {
    let (classes, positions) = match &train.targets {
        Wanted::Numbers(width, _) => {
            let usual = match width {
                1 => vec!["y".to_owned()],
                width => (0..*width).map(|at| format!("y[{at}]")).collect(),
            };
            return Task::Numbers(names.filter(|names| names.len() == *width).unwrap_or(usual));
        }
        Wanted::Classes(classes, positions) => (classes, positions),
    };
    let names = names.unwrap_or_else(|| {
        let counting = classes.iter().filter(|target| **target != IGNORED);
        let largest = counting.max().copied().unwrap_or(0);
        (0..=largest).map(|class| class.to_string()).collect()
    });
    if positions.is_some() {
        return Task::Tokens(names);
    }
    let mut there = vec![false; names.len()];
    for class in classes {
        if let Some(there) = there.get_mut(*class as usize) {
            *there = true;
        }
    }
    let lacking: Vec<usize> = (0..there.len()).filter(|class| !there[*class]).collect();
    if lacking == [0] {
        watcher(Loading::Note(
            "labels start at 1: class 0 has no sample, and the network an output for it all the same; \
             subtract 1 from y if there is no such class",
        ));
    } else if !lacking.is_empty() {
        let named: Vec<String> = lacking
            .iter()
            .take(MOST_NAMED)
            .map(|class| names[*class].clone())
            .collect();
        let more = match lacking.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        watcher(Loading::Note(&format!(
            "classes without a sample in the training part: {}{more}",
            named.join(", ")
        )));
    }
    Task::Classes(names)
}

fn check_classes(file: &Path, set: &Set, task: &Task) -> Result<()> {
    let Wanted::Classes(classes, positions) = &set.targets else {
        return Ok(());
    };
    let count = task.outputs();
    let outside = |label: &u32| *label != IGNORED && *label as usize >= count;
    match classes.iter().position(outside) {
        None => Ok(()),
        Some(at) => {
            let (label, sample) = (classes[at], at / positions.unwrap_or(1));
            Err(Error::data(
                file,
                format!(
                    "y is {label} for sample {sample}; expected 0 to {}: there are {count} classes",
                    count - 1,
                ),
                "give every class a sample in the training file, or list all classes in its metadata",
            ))
        }
    }
}

impl Set {
    /// Number of symbols that its tokens show; 0 where it has none.
    pub(super) fn symbols(&self) -> usize {
        match &self.values {
            Values::Tokens(tokens) => 1 + tokens.iter().max().copied().unwrap_or(0) as usize,
            _ => 0,
        }
    }

    /// The samples, where tokens are of `symbols` symbols.
    pub(super) fn samples(self, symbols: usize, help: &str) -> Result<Samples> {
        let targets = match self.targets {
            Wanted::Classes(values, Some(steps)) => Targets::Positions { steps, values },
            Wanted::Classes(labels, None) => Targets::Classes(labels),
            Wanted::Numbers(width, values) => Targets::Numbers { width, values },
        };
        match (self.values, &self.shape[..], targets) {
            (Values::Tokens(tokens), [steps], targets) => {
                Samples::from_tokens([*steps, symbols], tokens, targets)
            }
            (Values::Floats(values), [steps, features], targets) => {
                Samples::from_sequences([*steps, *features], values, targets)
            }
            (Values::File(rows), [_, _], targets) if rows.storage() == Storage::Floats => {
                Samples::new(rows, targets)
            }
            (_, shape, targets @ Targets::Positions { .. }) => Err(Error::Argument {
                what: "x".into(),
                found: format!("samples of the shape {shape:?} with {}", targets.name()),
                expected: "sequences where each position has a class".into(),
                help: help.into(),
            }),
            (Values::Floats(values), shape, targets) => Samples::of_floats(shape, values, targets),
            (Values::Bytes(values), shape, targets) => Samples::of_bytes(shape, values, targets),
            (Values::File(rows), _, targets) => Samples::new(rows, targets),
            (Values::Tokens(_), shape, targets) => Err(Error::Argument {
                what: "x".into(),
                found: format!("tokens of the shape {shape:?} with {}", targets.name()),
                expected: "tokens of the shape [N, T]".into(),
                help: help.into(),
            }),
        }
    }
}

/// Both files must hold samples of one kind.
fn fitting(train: &Set, train_file: &Path, test: &Set, test_file: &Path) -> Result<()> {
    let kind = |set: &Set| {
        let name = match &set.values {
            Values::File(rows) if rows.storage() == Storage::Bytes => "u8",
            Values::Bytes(_) => "u8",
            Values::Floats(_) | Values::File(_) => "f32",
            Values::Tokens(_) => "tokens",
        };
        let targets = match &set.targets {
            Wanted::Classes(_, Some(_)) => ", with a class for each position".to_owned(),
            Wanted::Classes(_, None) => String::new(),
            Wanted::Numbers(width, _) => format!(", with numbers to predict, {width} for each"),
        };
        format!("{name} of shape {:?}{targets}", set.shape)
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

/// The samples of a file; what is wrong with them is a sentence.
pub(super) fn decode(pair: Pair, reading: Reading) -> Result<Set, String> {
    let Pair { x, y, names } = pair;
    let shape = match &x.shape[..] {
        shape @ ([_, _] | [_, _, _] | [_, _, _, _]) if !shape.contains(&0) => shape.to_vec(),
        shape => {
            return Err(format!(
                "x has the shape {shape:?}; expected [N, C, H, W] or [N, D], or sequences, [N, T, C] of floats or \
                 [N, T] of tokens, each at least 1 (a grey picture has one channel)"
            ));
        }
    };
    let bytes_are_tokens = reading.tokens == Tokens::Bytes;
    let is_tokens = match (x.ty, &shape[1..]) {
        (Type::U8, [_]) => bytes_are_tokens,
        (ty, [_]) => ty.is_whole(),
        _ => false,
    };
    let sequence = match &shape[1..] {
        [steps, _] => Some(*steps),
        [steps] if is_tokens => Some(*steps),
        _ => None,
    };
    let mut notes = Vec::new();
    let targets = targets(&y, shape[0], sequence, (reading.task, &mut notes))?;
    if let [channels, _, last] = shape[1..]
        && matches!(last, 1 | 3 | 4)
        && !matches!(channels, 1 | 3 | 4)
    {
        notes.push(format!(
            "x has the shape {shape:?}, which is read as {channels} channels of {} x {last}; where channels come \
             last, bring it to [N, C, H, W] first (x.transpose(0, 3, 1, 2) in NumPy, x.permute in PyTorch)",
            shape[2]
        ));
    }
    if let ([steps, features], Wanted::Classes(_, None)) = (&shape[1..], &targets)
        && steps == features
        && *steps >= FEW_PIXELS
    {
        notes.push(format!(
            "x has the shape {shape:?}, which is read as sequences of {steps} positions with {features} numbers \
             each; if they are grey pictures, give them a channel (x[:, None])"
        ));
    }
    let values = match x.ty {
        Type::U8 if shape.len() == 3 => {
            return Err(format!(
                "x has the shape {shape:?} and the type u8; expected [N, C, H, W] or [N, D], or sequences, \
                 [N, T, C], of floats (grey pictures have one channel: x[:, None])"
            ));
        }
        _ if is_tokens => Values::Tokens(tokens(&x)?),
        ty => match (FileRows::new(&x)?, x.data) {
            (Some((rows, lost)), _) => {
                notes.extend(lost.note("x", ty));
                Values::File(rows)
            }
            (None, Bytes::Memory(bytes)) if ty == Type::U8 => Values::Bytes(bytes),
            (None, data) => Values::Floats(floats(&Array { data, ..x }, "x", &mut notes)?),
        },
    };
    Ok(Set {
        shape: shape[1..].to_vec(),
        values,
        targets,
        names,
        notes,
    })
}

/// The tokens in `x`.
fn tokens(x: &Array) -> Result<Vec<u32>, String> {
    let numbers = x.numbers().map_err(|error| error.to_string())?;
    let outside = |token: &f64| *token < 0.0 || *token >= MOST_SYMBOLS as f64;
    match numbers.iter().position(outside) {
        None => Ok(numbers.into_iter().map(|token| token as u32).collect()),
        Some(at) => Err(format!(
            "x is {} at position {} of sample {}; expected tokens from 0, below {MOST_SYMBOLS}",
            numbers[at],
            at % x.shape[1],
            at / x.shape[1]
        )),
    }
}

/// Numbers that 32 bits do not hold.
#[derive(Debug, Default)]
struct Lost {
    lost: usize,
    of: usize,
    /// The least and the largest number, and how far a float is off at most.
    range: Option<[f64; 2]>,
    off: f64,
}

/// Of the range of numbers their floats are off by more than this share: it is said.
const MOST_OFF: f64 = 0.001;

impl Lost {
    /// A note on them in the array `name`, if there are any.
    fn note(&self, name: &str, ty: Type) -> Option<String> {
        let Self {
            lost,
            of,
            range,
            off,
        } = self;
        let ty = ty.name();
        if let Some([least, largest]) = range
            && largest > least
            && *off > MOST_OFF * (largest - least)
        {
            return Some(format!(
                "the values of {name} ({ty}), {least} to {largest}, are rounded by up to {off} in the floats of \
                 32 bits that are trained on: subtract one number from all, such as the least"
            ));
        }
        (*lost > 0).then(|| {
            format!(
                "{lost} of the {of} values of {name} ({ty}) are rounded in the floats of 32 bits that are \
                 trained on: whole numbers above {EXACT}, or tiny ones that become 0"
            )
        })
    }
}

/// Numbers as floats, all of them finite: those of the array `name` from the place `first` on, of which a
/// sample has `elements`; counts what does not survive.
fn finite(
    numbers: &[f64],
    name: &str,
    [first, elements]: [usize; 2],
    lost: &mut Lost,
) -> Result<Vec<f32>, String> {
    let values: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(format!(
            "{name} is {} in sample {}, element {}; expected finite numbers that 32 bits hold",
            numbers[at],
            (first + at) / elements.max(1),
            (first + at) % elements.max(1)
        ));
    }
    let is_lost = |(number, value): &(&f64, &f32)| {
        let changed = f64::from(**value) != **number;
        let vanished = **value == 0.0 && **number != 0.0;
        changed && (vanished || (number.fract() == 0.0 && number.abs() > EXACT))
    };
    for (number, value) in numbers.iter().zip(&values) {
        let [least, largest] = lost.range.unwrap_or([*number; 2]);
        lost.range = Some([least.min(*number), largest.max(*number)]);
        lost.off = lost.off.max((f64::from(*value) - number).abs());
    }
    lost.lost += numbers.iter().zip(&values).filter(is_lost).count();
    lost.of += numbers.len();
    Ok(values)
}

/// The values of an array as floats, all of them finite; notes what does not survive.
fn floats(array: &Array, name: &str, notes: &mut Vec<String>) -> Result<Vec<f32>, String> {
    let numbers = array.numbers().map_err(|error| error.to_string())?;
    let (elements, mut lost) = (array.shape[1..].iter().product(), Lost::default());
    let values = finite(&numbers, name, [0, elements], &mut lost)?;
    notes.extend(lost.note(name, array.ty));
    Ok(values)
}

/// What is wrong with a `y` of this shape beside `count` samples.
pub(super) fn misshapen(shape: &[usize], count: usize, sequence: Option<usize>) -> String {
    let or = sequence.map_or_else(String::new, |steps| {
        format!(", or [{count}, {steps}], one for each position")
    });
    format!(
        "y has the shape {shape:?}; expected [{count}], one class for each sample of x{or}; or numbers to predict, \
         floats of the shape [{count}] or [{count}, K]"
    )
}

/// What `y` says of `count` samples that may be sequences of some positions.
fn targets(
    y: &Array,
    count: usize,
    sequence: Option<usize>,
    (task, notes): (TableTask, &mut Vec<String>),
) -> Result<Wanted, String> {
    let shape = &y.shape;
    let positions = sequence.filter(|steps| **shape == [count, *steps] && !y.ty.is_float());
    let numbers = y.numbers().map_err(|error| error.to_string())?;
    let is_class = |y: &f64| y.fract() == 0.0;
    let as_numbers = match task {
        TableTask::Regression => true,
        TableTask::Classification => false,
        TableTask::Auto => y.ty.is_float() && (shape.len() == 2 || !numbers.iter().all(is_class)),
    };
    if as_numbers && matches!(shape[..], [n] | [n, _] if n == count && n > 0) {
        let width = shape.get(1).copied().unwrap_or(1);
        return Ok(Wanted::Numbers(width.max(1), floats(y, "y", notes)?));
    }
    if positions.is_none() && *shape != [count] {
        return Err(misshapen(shape, count, sequence));
    }
    if y.ty == Type::Bool {
        notes.push("y is of bools: false is class 0, true is class 1".to_owned());
    }
    let most = if positions.is_some() {
        MOST_SYMBOLS as u32
    } else {
        MOST_CLASSES
    };
    let ignored = |y: f64| positions.is_some() && y < 0.0;
    let wrong = |y: &f64| !is_class(y) || (!ignored(*y) && (*y < 0.0 || *y >= f64::from(most)));
    if let Some(sample) = numbers.iter().position(wrong) {
        return Err(format!(
            "y is {} for sample {sample}; expected classes from 0 to {}: whole numbers",
            numbers[sample],
            most - 1
        ));
    }
    let class = |y: f64| if ignored(y) { IGNORED } else { y as u32 };
    Ok(Wanted::Classes(
        numbers.into_iter().map(class).collect(),
        positions,
    ))
}
