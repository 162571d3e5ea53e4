//! Data sets: the drawn digits, files good and bad, own samples, downloads.
#![allow(missing_docs)]

mod cifar10;
mod csv;
#[cfg(feature = "download")]
mod download;
mod idx;
mod image_folder;
mod kept;
mod numpy;
mod safetensors;
#[path = "../support/skip.rs"]
mod skip;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wavetrain::args::Args;
use wavetrain::data::{Dataset, Loading, Samples, Storage};
use wavetrain::error::Error;
use wavetrain::source::{Request, SOURCES, Source, glyphs, source};

fn bytes(samples: &Samples) -> Vec<u8> {
    assert_eq!(samples.storage(), Storage::Bytes);
    samples.read_all().unwrap()
}

fn load(name: &str, dir: Option<&Path>, seed: u64) -> Result<Dataset, Error> {
    let request = Request {
        dir: dir.map(Path::to_path_buf),
        seed,
        ..Request::default()
    };
    load_noted(&*plain(name), &request).map(|(set, _)| set)
}

/// The source of that name without any argument.
fn plain(name: &str) -> Box<dyn Source> {
    let entry = source(name).expect("a source of that name");
    (entry.parse)(Args::parse("").unwrap()).unwrap()
}

/// The samples, and the notes about them.
fn load_noted(source: &dyn Source, request: &Request) -> Result<(Dataset, Vec<String>), Error> {
    let notes = Mutex::new(Vec::new());
    let last = Mutex::new(None);
    let set = source.open(request, &|event| match event {
        Loading::Note(note) => notes.lock().unwrap().push(note.to_owned()),
        Loading::Progress { done, total, .. } => {
            assert!(done <= total);
            *last.lock().unwrap() = Some((done, total));
        }
    })?;
    if let Some((done, total)) = *last.lock().unwrap() {
        assert_eq!(done, total, "the last step of the progress is missing");
    }
    set.check().unwrap();
    Ok((set, notes.into_inner().unwrap()))
}

/// What is wrong with the files of a source, which must be a user's mistake.
fn refused(source: &dyn Source, request: &Request) -> String {
    let Err(error) = load_noted(source, request) else {
        panic!("accepted: {source:?}, {request:?}");
    };
    assert!(error.is_users_mistake(), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("\nhelp: "), "{message}");
    message
}

/// Fails unless `message` contains each of `parts`.
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

/// The real files, below the folder that the variable WAVETRAIN_DATA names.
fn real(name: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("WAVETRAIN_DATA") else {
        let why = "WAVETRAIN_DATA does not name the folder that holds it";
        skip::skipped(&format!("the real {name}"), why);
        return None;
    };
    Some(PathBuf::from(root).join(name))
}

#[test]
fn the_table_names_each_source_once_and_glyphs_first() {
    for (place, entry) in SOURCES.iter().enumerate() {
        let first = SOURCES.iter().position(|other| other.name == entry.name);
        assert_eq!(first, Some(place), "{}", entry.name);
        assert_eq!(plain(entry.name).name(), entry.name);
    }
    assert_eq!(SOURCES[0].name, "glyphs");
    assert!(source("mnst").is_none());
}

#[test]
fn a_source_writes_what_it_reads() {
    for entry in SOURCES {
        let example = (entry.parse)(Args::parse(entry.example).unwrap()).unwrap();
        example.validate().unwrap();
        for source in [example, plain(entry.name)] {
            let written = source.arguments();
            for key in written.keys() {
                assert!(
                    entry.arguments.contains(&key.as_str()),
                    "{} {key}",
                    entry.name
                );
            }
            let again = (entry.parse)(Args::parse(&written.to_string()).unwrap()).unwrap();
            assert_eq!(again.arguments(), written, "{}", entry.name);
        }
    }
}

// ---- glyphs

#[test]
fn glyphs_are_the_same_bytes_on_every_machine() {
    let set = load("glyphs", None, 0).unwrap();
    set.check().unwrap();
    assert_eq!(set.train.len(), 20_000);
    assert_eq!(set.test.len(), 4_000);
    assert_eq!(set.train.shape(), [1, 28, 28]);
    // A change here changes everybody's results: the strokes, the style, the generator or the
    // arithmetic gave other pictures.
    assert_eq!(set.fingerprint().unwrap(), FINGERPRINT_OF_SEED_0);
    assert_eq!(bytes(&set.train)[14 * 28..15 * 28], ROW_14_OF_SAMPLE_0);
    let other = load("glyphs", None, 1).unwrap();
    assert_ne!(other.fingerprint().unwrap(), FINGERPRINT_OF_SEED_0);
}

const FINGERPRINT_OF_SEED_0: &str = "crc32:610b9d0f";
const ROW_14_OF_SAMPLE_0: [u8; 28] = [
    24, 3, 11, 19, 0, 0, 102, 177, 153, 5, 0, 28, 0, 0, 1, 5, 38, 182, 196, 23, 8, 0, 15, 6, 7, 9,
    0, 18,
];

#[test]
fn glyphs_do_not_depend_on_the_number_of_threads() {
    let one = glyphs::samples(7, 3, 101, 1).unwrap();
    for threads in [0, 2, 3, 100, 1000] {
        let many = glyphs::samples(7, 3, 101, threads).unwrap();
        assert!(many == one, "{threads} threads draw other samples");
    }
    // A sample is a function of its number, not of where a call starts.
    let later = glyphs::samples(7, 53, 51, 4).unwrap();
    assert_eq!(bytes(&later), bytes(&one)[50 * 784..]);
    assert_eq!(later.labels(), &one.labels()[50..]);
}

#[test]
fn glyphs_are_balanced_different_and_well_in_the_picture() {
    let set = load("glyphs", None, 3).unwrap();
    for (samples, share) in [(&set.train, 2000), (&set.test, 400)] {
        for digit in 0..10 {
            let count = samples.labels().iter().filter(|&&l| l == digit).count();
            assert_eq!(count, share);
        }
    }
    let all = [bytes(&set.train), bytes(&set.test)].concat();
    let mut pictures: Vec<&[u8]> = all.chunks_exact(784).collect();
    for (number, picture) in pictures.iter().enumerate() {
        // Ink is at least 0.6 less noise; paper at most 0.1 plus noise.
        let ink = picture.iter().filter(|&&value| value > 115).count();
        assert!(
            (15..350).contains(&ink),
            "picture {number} has {ink} pixels of ink"
        );
    }
    pictures.sort_unstable();
    pictures.dedup();
    assert_eq!(pictures.len(), 24_000, "two samples are the same picture");
}

// ---- own samples

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert!(error.is_users_mistake());
    error.to_string()
}

#[test]
fn own_samples_are_checked() {
    let floats = |values: Vec<f32>, labels: Vec<u32>| Samples::from_floats(&[2], values, labels);
    assert_eq!(floats(vec![0.0; 4], vec![0, 1]).unwrap().len(), 2);
    says(
        &message(floats(vec![0.0; 5], vec![0, 1])),
        &["5 values", "expected 4: 2 labels times"],
    );
    says(&message(floats(vec![], vec![])), &["samples.labels: none"]);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let found = message(floats(vec![0.0, 0.0, 0.0, bad], vec![0, 1]));
        says(&found, &["in sample 1, element 1", "finite"]);
    }
    for shape in [&[][..], &[0], &[28, 0], &[1, 0, 28], &[1, 1, 1, 1]] {
        let found = message(Samples::from_bytes(shape, vec![0], vec![0]));
        says(&found, &["samples.shape", &format!("{shape:?}")]);
    }
    let overflow = Samples::from_bytes(&[usize::MAX, 2, 2], vec![0], vec![0]);
    says(&message(overflow), &["more than memory holds"]);
}

#[test]
fn own_data_sets_are_checked() {
    let samples = |labels: &[u32]| {
        Samples::from_bytes(&[1, 2, 2], vec![0; 4 * labels.len()], labels.to_vec()).unwrap()
    };
    let set = Dataset::new("mine", samples(&[0, 1, 2]), samples(&[2]), 3).unwrap();
    assert_eq!(set.classes(), ["0", "1", "2"]);
    let named = set.clone().with_class_names(["cat", "dog", "owl"]).unwrap();
    assert_eq!(named.classes()[2], "owl");
    assert_eq!(named.fingerprint().unwrap(), set.fingerprint().unwrap());
    says(
        &message(set.with_class_names(["cat"])),
        &["1 names", "3, one for each class"],
    );

    let label = Dataset::new("mine", samples(&[0]), samples(&[0, 3]), 3);
    says(&message(label), &["test.labels: 3 for sample 1", "below 3"]);
    let none = Dataset::new("mine", samples(&[0]), samples(&[0]), 0);
    says(&message(none), &["train.labels", "below 0"]);
    let flat = Samples::from_bytes(&[4], vec![0; 4], vec![0]).unwrap();
    says(
        &message(Dataset::new("mine", samples(&[0]), flat, 1)),
        &["[4]", "[1, 2, 2]"],
    );
    let floats = Samples::from_floats(&[1, 2, 2], vec![0.0; 4], vec![0]).unwrap();
    says(
        &message(Dataset::new("mine", samples(&[0]), floats, 1)),
        &["floats", "bytes"],
    );
}

#[test]
fn a_fingerprint_tells_every_change() {
    let set = |values: [u8; 4], labels: [u32; 2], shape: &[usize]| {
        let train = Samples::from_bytes(shape, values.to_vec(), labels.to_vec()).unwrap();
        let test = train.clone();
        Dataset::new("mine", train, test, 2)
            .unwrap()
            .fingerprint()
            .unwrap()
    };
    let one = set([1, 2, 3, 4], [0, 1], &[2]);
    assert_eq!(one, set([1, 2, 3, 4], [0, 1], &[2]));
    assert_ne!(one, set([1, 2, 3, 5], [0, 1], &[2]));
    assert_ne!(one, set([1, 2, 3, 4], [1, 1], &[2]));
    assert_ne!(one, set([1, 2, 3, 4], [0, 1], &[1, 1, 2]));
    assert!(one.starts_with("crc32:") && one.len() == 14, "{one}");
}
