//! Own arrays in NumPy's files.

use super::{load_noted, refused, says};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use wavetrain::data::{Dataset, Storage, Targets, Task};
use wavetrain::source::{Cache, Numpy, Request, TableTask};
use zip::write::SimpleFileOptions;

/// The bytes of a file `.npy` as NumPy writes it.
fn npy(descr: &str, fortran: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let order = if fortran { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({sizes}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn request(place: &Path) -> Request {
    Request {
        dir: Some(place.into()),
        ..Request::default()
    }
}

fn archive(file: &Path, entries: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(File::create(file).unwrap());
    for (at, (name, bytes)) in entries.iter().enumerate() {
        // As `savez` and as `savez_compressed` have it.
        let method = [
            zip::CompressionMethod::Stored,
            zip::CompressionMethod::Deflated,
        ][at % 2];
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn four(x: &[u8], y: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let (x, y) = (x.to_vec(), y.to_vec());
    [
        ("x_train", x.clone()),
        ("y_train", y.clone()),
        ("x_test", x),
        ("y_test", y),
    ]
}

fn loaded(source: Numpy, entries: &[(&str, Vec<u8>)]) -> (Dataset, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.npz");
    archive(&file, entries);
    load_noted(&source, &request(&file)).unwrap()
}

fn bytes(values: &[f64], of: fn(f64) -> Vec<u8>) -> Vec<u8> {
    values.iter().flat_map(|value| of(*value)).collect()
}

#[test]
fn arrays_of_every_type_and_order_are_read() {
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let y = npy(
        "<i8",
        false,
        &[2],
        &bytes(&[1.0, 0.0], |v| (v as i64).to_le_bytes().to_vec()),
    );
    let cases: [(&str, Vec<u8>); 6] = [
        ("<f4", bytes(&values, |v| (v as f32).to_le_bytes().to_vec())),
        (">f8", bytes(&values, |v| v.to_be_bytes().to_vec())),
        ("<f8", bytes(&values, |v| v.to_le_bytes().to_vec())),
        (
            "<f2",
            [0x3c00_u16, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600]
                .map(u16::to_le_bytes)
                .concat(),
        ),
        (">f4", bytes(&values, |v| (v as f32).to_be_bytes().to_vec())),
        ("|u1", bytes(&values, |v| vec![v as u8])),
    ];
    for (descr, data) in cases {
        let (set, notes) = loaded(
            Numpy::default(),
            &four(&npy(descr, false, &[2, 3], &data), &y),
        );
        assert_eq!(
            set.train.values(&[0, 1]).unwrap(),
            values.map(|v| v as f32),
            "{descr}"
        );
        assert_eq!((set.train.labels(), set.classes().len()), (&[1, 0][..], 2));
        let bytes = descr == "|u1";
        assert_eq!(set.train.storage() == Storage::Bytes, bytes);
        assert!(notes.is_empty(), "{notes:?}");
        // The first axis fastest.
        let turned = npy(descr, true, &[2, 3], &data);
        let (set, _) = loaded(Numpy::default(), &four(&turned, &y));
        assert_eq!(
            set.train.values(&[0, 1]).unwrap(),
            [1.0, 3.0, 5.0, 2.0, 4.0, 6.0],
            "{descr}"
        );
    }
}

#[test]
fn numbers_to_predict_and_labels_from_one() {
    let x = npy("|u1", false, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let y = npy(
        "<f8",
        false,
        &[2],
        &bytes(&[0.5, 2.0], |v| v.to_le_bytes().to_vec()),
    );
    let (set, _) = loaded(Numpy::default(), &four(&x, &y));
    assert_eq!(set.task, Task::Numbers(vec!["y".into()]));
    let values = vec![0.5, 2.0];
    assert_eq!(*set.test.targets(), Targets::Numbers { width: 1, values });
    let whole = |values: &[f64]| {
        npy(
            "<i4",
            false,
            &[2],
            &bytes(values, |v| (v as i32).to_le_bytes().to_vec()),
        )
    };
    let (set, notes) = loaded(Numpy::default(), &four(&x, &whole(&[1.0, 2.0])));
    assert_eq!(set.classes().len(), 3);
    says(&notes.concat(), &["labels start at 1"]);
    let (_, notes) = loaded(Numpy::default(), &four(&x, &whole(&[0.0, 3.0])));
    says(
        &notes.concat(),
        &["classes without a sample in the training part: 1, 2"],
    );
    let regression = Numpy {
        task: TableTask::Regression,
        ..Numpy::default()
    };
    let (set, _) = loaded(regression, &four(&x, &whole(&[1.0, 2.0])));
    assert_eq!(set.train.targets().width(), 1);
}

#[test]
fn what_does_not_survive_and_how_shapes_are_read_is_said() {
    let y = npy("|u1", false, &[2], &[0, 1]);
    let large = bytes(&[16_777_217.0, 1e-60, 0.5, 1.0], |v| {
        v.to_le_bytes().to_vec()
    });
    let (_, notes) = loaded(
        Numpy::default(),
        &four(&npy("<f8", false, &[2, 2], &large), &y),
    );
    says(
        &notes.concat(),
        &["2 of the 4 values of x (f64) are rounded"],
    );
    let last = npy("|u1", false, &[2, 8, 8, 3], &[7; 384]);
    let (set, notes) = loaded(Numpy::default(), &four(&last, &y));
    assert_eq!(set.train.shape(), [8, 8, 3]);
    says(
        &notes.concat(),
        &["read as 8 channels of 8 x 3", "[N, C, H, W]"],
    );
    // Grey pictures without their channel: sequences where they are floats, nothing where they are bytes.
    let floats = npy(
        "<f4",
        false,
        &[2, 8, 8],
        &bytes(&[0.5; 128], |v| (v as f32).to_le_bytes().to_vec()),
    );
    let (_, notes) = loaded(Numpy::default(), &four(&floats, &y));
    says(
        &notes.concat(),
        &["sequences of 8 positions with 8 numbers each", "x[:, None]"],
    );
}

#[test]
fn folders_hold_archives_or_single_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let open = || load_noted(&Numpy::default(), &request(folder.path()));
    let x = npy("|u1", false, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let y = npy("|u1", false, &[2], &[0, 1]);
    for (name, array) in four(&x, &y) {
        assert!(open().is_err());
        fs::write(folder.path().join(format!("{name}.npy")), array).unwrap();
    }
    let single = open().unwrap().0;
    for part in ["train", "test"] {
        archive(
            &folder.path().join(format!("{part}.npz")),
            &[("x", x.clone()), ("y", y.clone())],
        );
    }
    assert_eq!(open().unwrap().0, single);
}

#[test]
fn numbers_stay_in_their_archive_or_are_unpacked_beside_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.npz");
    let x = npy(
        "<f4",
        false,
        &[2, 3],
        &bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], |v| {
            (v as f32).to_le_bytes().to_vec()
        }),
    );
    let y = npy("|u1", false, &[2], &[0, 1]);
    let kept = |cache, place: &Path| Request {
        cache,
        cache_dir: Some(place.join("cache")),
        ..request(&file)
    };
    let load = |cache| load_noted(&Numpy::default(), &kept(cache, folder.path()));
    // The first and every other entry is as it is, the second and every other one compressed.
    let mut entries = four(&x, &y).to_vec();
    for compressed in [false, true] {
        if compressed {
            entries.insert(0, ("more", y.clone()));
        }
        archive(&file, &entries);
        let memory = load(Cache::Memory).unwrap().0;
        assert_eq!(memory.train.inputs().residence(), "in memory");
        for cache in [Cache::Disk, Cache::None] {
            let (set, notes) = load(cache).unwrap();
            assert_eq!(set, memory);
            assert_eq!(set.fingerprint().unwrap(), memory.fingerprint().unwrap());
            assert_eq!(set.train.inputs().residence(), "in their file");
            assert!(notes.is_empty(), "{notes:?}");
        }
    }
    // What was unpacked has no name, and goes with what was loaded.
    let there = fs::read_dir(folder.path().join("cache")).unwrap();
    assert_eq!(there.count(), 0);
    // A folder that cannot be written to.
    let blocked = folder.path().join("blocked");
    fs::write(&blocked, "").unwrap();
    let refused = refused(&Numpy::default(), &kept(Cache::Disk, &blocked));
    says(&refused, &["blocked", "set data.cache_dir"]);
    let (set, notes) = load_noted(&Numpy::default(), &kept(Cache::None, &blocked)).unwrap();
    assert_eq!(set.train.inputs().residence(), "in memory");
    says(
        &notes.concat(),
        &["the numbers of x_train are kept in memory"],
    );
    // What is damaged is the archive's fault, not the folder's: as it is, and compressed.
    let cut = x[..x.len() - 4].to_vec();
    for first in [0, 1] {
        let mut entries = entries[first..].to_vec();
        for entry in entries.iter_mut().filter(|entry| entry.0 == "x_train") {
            entry.1.clone_from(&cut);
        }
        archive(&file, &entries);
        let refused = super::refused(&Numpy::default(), &kept(Cache::Disk, folder.path()));
        says(
            &refused,
            &["all.npz: x_train: ", "ends after 20 of 24 bytes"],
        );
    }
}

#[test]
fn numbers_in_another_order_are_put_in_order_beside_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<f64> = (0..4 * 6).map(f64::from).collect();
    let y = npy("|u1", false, &[4], &[0, 1, 1, 0]);
    let cache_dir = folder.path().join("cache");
    for (descr, fortran) in [(">f4", false), ("<f4", true), (">f4", true)] {
        let data = bytes(&values, |v| (v as f32).to_le_bytes().to_vec());
        let data = match descr {
            "<f4" => data,
            _ => data
                .chunks(4)
                .flat_map(|word| [word[3], word[2], word[1], word[0]])
                .collect(),
        };
        let x = npy(descr, fortran, &[4, 2, 3], &data);
        let entries = four(&x, &y);
        let (file, other) = (
            folder.path().join("all.npz"),
            folder.path().join("other.npz"),
        );
        archive(&file, &entries);
        // Each is compressed that is not in the first one.
        archive(&other, &[&[("more", y.clone())], &entries[..]].concat());
        let single = folder.path().join("single");
        fs::create_dir_all(&single).unwrap();
        for (name, bytes) in &entries {
            fs::write(single.join(format!("{name}.npy")), bytes).unwrap();
        }
        for place in [&file, &other, &single] {
            let load = |cache, cache_dir: &Path| {
                let request = Request {
                    cache,
                    cache_dir: Some(cache_dir.into()),
                    ..request(place)
                };
                load_noted(&Numpy::default(), &request)
            };
            let memory = load(Cache::Memory, &cache_dir).unwrap().0;
            let first = memory.train.values(&[1]).unwrap();
            let expected = match fortran {
                false => [6.0, 7.0, 8.0, 9.0, 10.0, 11.0],
                true => [1.0, 9.0, 17.0, 5.0, 13.0, 21.0],
            };
            assert_eq!(first, expected);
            for cache in [Cache::Disk, Cache::None] {
                let (set, notes) = load(cache, &cache_dir).unwrap();
                assert_eq!(set, memory);
                assert_eq!(set.fingerprint().unwrap(), memory.fingerprint().unwrap());
                assert_eq!(set.train.inputs().residence(), "in their file");
                assert!(notes.is_empty(), "{notes:?}");
            }
            // Where there is no room they are put in order in memory, and that is said.
            let (set, notes) = load(Cache::None, &file).unwrap();
            assert_eq!(
                (set.train.inputs().residence(), &set),
                ("in memory", &memory)
            );
            says(&notes.concat(), &["are kept in memory"]);
        }
    }
    assert_eq!(fs::read_dir(&cache_dir).unwrap().count(), 0);
}

/// An archive of some kilobytes may hold gigabytes of zeros.
#[test]
fn targets_of_other_samples_are_refused_before_anything_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.npz");
    let x = npy("|u1", false, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let mut entries = four(&x, &[]);
    let noise = (0..1_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    entries[1].1 = npy("|u1", false, &[1 << 20], &noise.collect::<Vec<u8>>());
    archive(&file, &entries);
    // Whoever reads them finds damage.
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let refused = refused(&Numpy::default(), &request(&file));
    says(&refused, &["y has the shape [1048576]; expected [2]"]);
}

#[test]
fn files_that_are_none_are_refused_before_anything_is_taken_in() {
    let y = npy("|u1", false, &[2], &[0, 1]);
    let good = npy("|u1", false, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    let cases: [(Vec<u8>, &str); 6] = [
        (
            npy("|u1", false, &[2_000_000_000, 3], &[0; 9]),
            "claims the shape [2000000000, 3] of u8",
        ),
        (
            npy("<f8", false, &[1 << 62, 1], &[0; 9]),
            "claims the shape",
        ),
        (npy("|O", false, &[2, 3], &[0; 9]), "pickled objects"),
        (npy("<c8", false, &[2, 3], &[0; 48]), "expected numbers"),
        (good[..good.len() - 1].to_vec(), "ends after 5 of 6 bytes"),
        (b"\x93NUMPY\x01\x00".to_vec(), "no valid .npy file"),
    ];
    for (x, part) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.npz");
        archive(&file, &four(&x, &y));
        says(
            &refused(&Numpy::default(), &request(&file)),
            &["all.npz: x_train: ", part],
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.npz");
    archive(&file, &[("x", good), ("y", y)]);
    says(
        &refused(&Numpy::default(), &request(&file)),
        &["has no array x_train", "found x.npy, y.npy"],
    );
    fs::write(&file, "no archive").unwrap();
    says(
        &refused(&Numpy::default(), &request(&file)),
        &["is no .npz archive"],
    );
    fs::write(&file, "").unwrap();
    says(
        &refused(&Numpy::default(), &request(&file)),
        &["all.npz: is empty"],
    );
    for (name, bytes) in four(b"", b"") {
        fs::write(folder.path().join(format!("{name}.npy")), bytes).unwrap();
    }
    fs::remove_file(&file).unwrap();
    says(
        &refused(&Numpy::default(), &request(folder.path())),
        &["x_train.npy: is empty"],
    );
    let missing = refused(&Numpy::default(), &request(&folder.path().join("none")));
    says(&missing, &["does not exist", "x_train"]);
}

#[test]
fn one_class_and_numbers_that_floats_do_not_hold_are_said() {
    let x = |offset: f64| {
        let values: Vec<f64> = (0..8).map(|i| offset + f64::from(i)).collect();
        npy(
            "<f8",
            false,
            &[4, 2],
            &bytes(&values, |v| v.to_le_bytes().to_vec()),
        )
    };
    let y = npy("|u1", false, &[4], &[0, 1, 1, 0]);
    let (_, notes) = loaded(Numpy::default(), &four(&x(1e9), &y));
    says(
        &notes.concat(),
        &["x (f64), 1000000000 to 1000000007", "subtract one number"],
    );
    let (_, notes) = loaded(Numpy::default(), &four(&x(1e4), &y));
    assert!(notes.is_empty(), "{notes:?}");
    let folder = tempfile::tempdir().unwrap();
    let refused_with = |y: Vec<u8>| {
        for (name, bytes) in four(&x(0.0), &y) {
            fs::write(folder.path().join(format!("{name}.npy")), bytes).unwrap();
        }
        refused(&Numpy::default(), &request(folder.path()))
    };
    let one = npy("|u1", false, &[4], &[0; 4]);
    says(
        &refused_with(one),
        &["{x,y}_train.npy: y has one class only"],
    );
}

#[test]
fn parts_of_two_scales_are_refused() {
    let x = |largest: f64| {
        let values: Vec<f64> = (0..32).map(|i| largest * f64::from(i) / 31.0).collect();
        let data = bytes(&values, |v| (v as f32).to_le_bytes().to_vec());
        npy("<f4", false, &[2, 16], &data)
    };
    let y = npy("|u1", false, &[2], &[0, 1]);
    let folder = tempfile::tempdir().unwrap();
    let open = |train: f64, test: f64| {
        let arrays = [
            ("x_train", x(train)),
            ("y_train", y.clone()),
            ("x_test", x(test)),
            ("y_test", y.clone()),
        ];
        for (name, bytes) in arrays {
            fs::write(folder.path().join(format!("{name}.npy")), bytes).unwrap();
        }
        load_noted(&Numpy::default(), &request(folder.path()))
    };
    for (train, test) in [(1.0, 255.0), (255.0, 1.0)] {
        let error = open(train, test).unwrap_err().to_string();
        let found = format!("{{x,y}}_test.npy: x goes from 0 to {test}, and from 0 to {train} in");
        says(&error, &[&found, "divide the x of both"]);
    }
    for (train, test) in [(1.0, 1.0), (255.0, 255.0), (255.0, 3.0)] {
        open(train, test).unwrap();
    }
}
