//! Own arrays in safetensors files.

use super::{bytes, load_noted, refused, says};
use ::safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use wavetrain::data::{Dataset, IGNORED, Storage, Task};
use wavetrain::source::{Request, Safetensors, Tokens};

/// A tensor by name, type, shape and little-endian bytes.
type Array = (&'static str, Dtype, Vec<usize>, Vec<u8>);

fn x(shape: &[usize]) -> Array {
    let count: usize = shape.iter().product();
    (
        "x",
        Dtype::U8,
        shape.to_vec(),
        (0..count).map(|at| at as u8).collect(),
    )
}

fn floats(shape: &[usize], values: &[f32]) -> Array {
    let data = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    ("x", Dtype::F32, shape.to_vec(), data)
}

fn y(labels: &[u8]) -> Array {
    ("y", Dtype::U8, vec![labels.len()], labels.to_vec())
}

fn write(file: &Path, arrays: &[Array], classes: Option<&str>) {
    let views = arrays.iter().map(|(name, dtype, shape, data)| {
        (*name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let metadata = classes.map(|text| HashMap::from([("classes".to_owned(), text.to_owned())]));
    fs::write(file, ::safetensors::serialize(views, metadata).unwrap()).unwrap();
}

fn request(dir: &Path) -> Request {
    Request {
        dir: Some(dir.into()),
        ..Request::default()
    }
}

/// Loads these arrays for training, and a good test file.
fn with(train: &[Array], classes: Option<&str>, load: impl Fn(&Request)) {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("train.safetensors"), train, classes);
    write(
        &root.path().join("test.safetensors"),
        &[x(&[1, 1, 2, 3]), y(&[1])],
        None,
    );
    load(&request(root.path()));
}

fn loaded(request: &Request) -> Dataset {
    load_noted(&Safetensors::default(), request).unwrap().0
}

/// What is said about these arrays.
fn mistake(train: &[Array], parts: &[&str]) {
    with(train, None, |request| {
        let message = refused(&Safetensors::default(), request);
        says(&message, &["train.safetensors: "]);
        says(&message, parts);
    });
}

#[test]
fn pictures_of_bytes_are_read() {
    let arrays = [x(&[3, 1, 2, 3]), y(&[0, 2, 1])];
    with(&arrays, None, |request| {
        let set = loaded(request);
        assert_eq!(set.train.shape(), [1, 2, 3]);
        assert_eq!(bytes(&set.train), (0..18).collect::<Vec<u8>>());
        assert_eq!(set.train.labels(), [0, 2, 1]);
        assert_eq!(set.classes(), ["0", "1", "2"]);
    });
    with(
        &arrays,
        Some(r#"["cat", "dog", "owl", "fox"]"#),
        |request| {
            assert_eq!(loaded(request).classes(), ["cat", "dog", "owl", "fox"]);
        },
    );
}

#[test]
fn floats_and_labels_of_every_type_are_read() {
    let values = [0.5, -1.0, 1e-30, 3e30];
    let labels: [(Dtype, Vec<u8>); 6] = [
        (Dtype::I32, [1_i32, 0].map(i32::to_le_bytes).concat()),
        (Dtype::I64, [1_i64, 0].map(i64::to_le_bytes).concat()),
        (Dtype::F32, [1_f32, 0.0].map(f32::to_le_bytes).concat()),
        (Dtype::F64, [1_f64, -0.0].map(f64::to_le_bytes).concat()),
        (Dtype::U16, [1_u16, 0].map(u16::to_le_bytes).concat()),
        (Dtype::I8, vec![1, 0]),
    ];
    for (dtype, data) in labels {
        let arrays = [floats(&[2, 2], &values), ("y", dtype, vec![2], data)];
        let root = tempfile::tempdir().unwrap();
        for name in ["own.safetensors", "other.safetensors"] {
            write(&root.path().join(name), &arrays, None);
        }
        let source = Safetensors {
            train: Some("own.safetensors".into()),
            test: Some(root.path().join("other.safetensors")),
            ..Safetensors::default()
        };
        let set = load_noted(&source, &request(root.path())).unwrap().0;
        assert_eq!(set.train.storage(), Storage::Floats);
        let found = set.train.values(&[0, 1]).unwrap();
        assert_eq!(found, values, "{dtype:?}");
        assert_eq!(
            (set.train.shape(), set.train.labels()),
            (&[2][..], &[1, 0][..])
        );
    }
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let good = x(&[2, 1, 2, 3]);
    mistake(std::slice::from_ref(&good), &["no tensor y", "found x"]);
    mistake(&[y(&[1])], &["no tensor x", "found y"]);
    for shape in [&[12][..], &[2, 2, 3], &[1, 2, 1, 2, 3], &[0, 3], &[2, 0]] {
        mistake(
            &[x(shape), y(&[0, 1])],
            &["x has the shape", "[N, C, H, W] or [N, D]"],
        );
    }
    mistake(
        &[good.clone(), y(&[0, 1, 1])],
        &["y has the shape [3]; expected [2]"],
    );
    let odd = ("x", Dtype::F8_E4M3, vec![2, 3], vec![0; 6]);
    mistake(&[odd, y(&[0, 1])], &["x has the type F8_E4M3", "f16, bf16"]);
    for bad in [f32::NAN, f32::INFINITY] {
        let values = [0.0, 0.0, 0.0, bad];
        mistake(
            &[floats(&[2, 2], &values), y(&[0, 1])],
            &["sample 1, element 1", "finite"],
        );
        let broken = (
            "y",
            Dtype::F32,
            vec![2],
            [0.0, bad].map(f32::to_le_bytes).concat(),
        );
        mistake(&[good.clone(), broken], &["in sample 1", "finite"]);
    }
}

#[test]
fn classes_that_are_none_are_refused() {
    let good = x(&[2, 1, 2, 3]);
    let with = |dtype, data: Vec<u8>| [good.clone(), ("y", dtype, vec![2], data)];
    let negative = with(Dtype::I64, [0_i64, -1].map(i64::to_le_bytes).concat());
    mistake(&negative, &["y is -1 for sample 1", "from 0"]);
    let large = with(Dtype::U64, [0, u64::MAX].map(u64::to_le_bytes).concat());
    mistake(&large, &["for sample 1", "classes from 0 to 65535"]);
    let rows = ("y", Dtype::I32, vec![2, 2], vec![0; 16]);
    mistake(
        &[good, rows],
        &["y has the shape [2, 2]", "numbers to predict"],
    );
}

/// Halves, doubles and flags become floats; floats that are no classes are numbers to predict.
#[test]
fn numbers_of_any_type_are_converted() {
    let halves = (
        "x",
        Dtype::F16,
        vec![2, 2],
        [0x3c00_u16, 0xc000, 0, 0x3800]
            .map(u16::to_le_bytes)
            .concat(),
    );
    let flags = ("x", Dtype::BOOL, vec![2, 2], vec![1, 0, 0, 1]);
    let wide = (
        "x",
        Dtype::F64,
        vec![2, 2],
        [1.0_f64, -2.0, 0.0, 0.5].map(f64::to_le_bytes).concat(),
    );
    let target = (
        "y",
        Dtype::F32,
        vec![2, 1],
        [0.25_f32, 7.0].map(f32::to_le_bytes).concat(),
    );
    for (x, expected) in [
        (halves, [1.0, -2.0, 0.0, 0.5]),
        (flags, [1.0, 0.0, 0.0, 1.0]),
        (wide, [1.0, -2.0, 0.0, 0.5]),
    ] {
        let root = tempfile::tempdir().unwrap();
        for name in ["train.safetensors", "test.safetensors"] {
            write(&root.path().join(name), &[x.clone(), target.clone()], None);
        }
        let set = loaded(&request(root.path()));
        assert_eq!(set.train.values(&[0, 1]).unwrap(), expected);
        assert_eq!(set.task, Task::Numbers(vec!["y".into()]));
    }
}

#[test]
fn files_of_another_kind_are_named() {
    for (bytes, kind) in [
        (&b"PK\x03\x04 and more"[..], "a zip archive"),
        (b"\x80\x02 and more", "a pickle"),
        (b"\x93NUMPY and more", "data.source = \"numpy\""),
    ] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("train.safetensors"), bytes).unwrap();
        let message = refused(&Safetensors::default(), &request(root.path()));
        says(
            &message,
            &["train.safetensors", "is no safetensors file, but", kind],
        );
    }
}

#[test]
fn metadata_that_does_not_fit_is_refused() {
    let arrays = [x(&[2, 1, 2, 3]), y(&[0, 2])];
    for (classes, part) in [
        ("cat, dog", "no JSON array of strings"),
        ("[1, 2]", "no JSON array of strings"),
        ("[]", "lists 0 names"),
        (r#"["cat", "dog"]"#, "y is 2 for sample 1; expected 0 to 1"),
    ] {
        with(&arrays, Some(classes), |request| {
            says(
                &refused(&Safetensors::default(), request),
                &["train.safetensors", part],
            );
        });
    }
}

#[test]
fn both_files_must_fit_each_other() {
    with(&[x(&[2, 6]), y(&[0, 1])], None, |request| {
        let parts = [
            "test.safetensors: its samples are u8 of shape [1, 2, 3]",
            "u8 of shape [6]",
        ];
        says(&refused(&Safetensors::default(), request), &parts);
    });
    with(&[x(&[2, 1, 2, 3]), y(&[0, 0])], None, |request| {
        let parts = [
            "test.safetensors: y is 1 for sample 0; expected 0 to 0",
            "every class",
        ];
        says(&refused(&Safetensors::default(), request), &parts);
    });
}

#[test]
fn files_that_are_missing_or_foreign_are_named() {
    let none = refused(&Safetensors::default(), &Request::default());
    says(&none, &["data.train", "not given", "train.safetensors"]);
    let root = tempfile::tempdir().unwrap();
    let missing = refused(&Safetensors::default(), &request(root.path()));
    says(&missing, &["train.safetensors: cannot be read"]);
    fs::write(
        root.path().join("train.safetensors"),
        "<!DOCTYPE html><html>",
    )
    .unwrap();
    let foreign = refused(&Safetensors::default(), &request(root.path()));
    says(&foreign, &["is no safetensors file", "header claims"]);
}

// ---- sequences

/// Tokens, with a class for each position; a negative one does not count.
#[test]
fn tokens_and_sequences_are_read() {
    let whole = |name: &'static str, shape: &[usize], values: &[i64]| {
        let data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        (name, Dtype::I64, shape.to_vec(), data)
    };
    let tokens = [4, 0, 2, 1, 1, 3];
    let set = |arrays: &[Array], tokens| {
        let root = tempfile::tempdir().unwrap();
        for name in ["train.safetensors", "test.safetensors"] {
            write(&root.path().join(name), arrays, None);
        }
        let source = Safetensors {
            tokens,
            ..Safetensors::default()
        };
        load_noted(&source, &request(root.path())).unwrap().0
    };
    let y = whole("y", &[2, 3], &[-1, 0, 1, 2, -100, 0]);
    let found = set(&[whole("x", &[2, 3], &tokens), y], Tokens::Chars);
    assert_eq!(
        (found.train.storage(), found.train.symbols()),
        (Storage::Tokens, 5)
    );
    assert_eq!(found.train.values(&[1]).unwrap(), [1.0, 1.0, 3.0]);
    assert_eq!(
        found.train.targets_of(&[0, 1], 0).unwrap(),
        [IGNORED, 0, 1, 2, IGNORED, 0]
    );
    assert_eq!(
        found.task,
        Task::Tokens(vec!["0".into(), "1".into(), "2".into()])
    );
    // Bytes are tokens where it is said, and one class for a sequence is a class.
    let bytes = ("x", Dtype::U8, vec![2, 3], vec![1, 2, 0, 0, 1, 2]);
    let found = set(&[bytes.clone(), whole("y", &[2], &[1, 0])], Tokens::Bytes);
    assert_eq!(
        (found.train.symbols(), found.train.labels()),
        (3, &[1, 0][..])
    );
    let found = set(&[bytes, whole("y", &[2], &[1, 0])], Tokens::Chars);
    assert_eq!(found.train.storage(), Storage::Bytes);
    let floats = floats(&[2, 2, 1], &[0.5, 1.5, -1.0, 0.0]);
    let found = set(&[floats, whole("y", &[2], &[1, 0])], Tokens::Chars);
    assert_eq!(
        (found.train.shape(), found.train.positions()),
        (&[2, 1][..], 1)
    );
    let negative = whole("x", &[2, 3], &[0, 1, -2, 0, 0, 0]);
    mistake(
        &[negative, whole("y", &[2], &[1, 0])],
        &[
            "x is -2 at position 2 of sample 0",
            "expected tokens from 0",
        ],
    );
}
