//! The same samples from memory, from the cache folder and from the files themselves, whoever reads them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use ::safetensors::Dtype;
use ::safetensors::tensor::TensorView;
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use wavetrain::data::{Dataset, Normalization, Normalize};
use wavetrain::picture::Resize;
use wavetrain::source::{Cache, ImageFolder, OnBadFile, Request, Safetensors, Source};

use super::csv::csv;
use super::{load_noted, refused, says};

fn request(dir: &Path, cache: Cache, cache_dir: Option<&Path>) -> Request {
    Request {
        dir: Some(dir.into()),
        seed: 3,
        cache,
        cache_dir: cache_dir.map(Path::to_path_buf),
        workers: None,
    }
}

/// What stands in a folder of kept samples.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Everything that training reads of two sets is equal.
fn same(a: &Dataset, b: &Dataset) {
    assert_eq!(a, b);
    assert_eq!(a.fingerprint().unwrap(), b.fingerprint().unwrap());
    assert_eq!(a.train.origin(), b.train.origin());
    for (a, b) in [(&a.train, &b.train), (&a.test, &b.test)] {
        assert_eq!(a.inputs().flags(), b.inputs().flags());
        assert_eq!((a.name(0), a.held_out()), (b.name(0), b.held_out()));
        let backwards: Vec<u32> = (0..a.len() as u32).rev().collect();
        assert_eq!(a.read(&backwards).unwrap(), b.read(&backwards).unwrap());
        let measured = |samples| Normalization::new(Normalize::Standard, samples, &backwards);
        assert_eq!(measured(a).unwrap(), measured(b).unwrap());
    }
}

/// Loads by every way, with any number of threads; gives the set and the notes, which are the same.
fn every_way(source: &dyn Source, dir: &Path) -> (Dataset, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let memory = load_noted(source, &request(dir, Cache::Memory, None)).unwrap();
    for cache in [Cache::None, Cache::Disk, Cache::Disk, Cache::Auto] {
        for workers in [None, Some(1), Some(7)] {
            let request = Request {
                workers,
                ..request(dir, cache, Some(folder.path()))
            };
            let (set, notes) = load_noted(source, &request).unwrap();
            same(&memory.0, &set);
            assert_eq!(memory.1, notes, "{cache:?}");
        }
    }
    memory
}

/// Pictures of two classes and three parts: of colour or grey.
fn pictures(root: &Path, grey: bool) {
    for part in ["train", "val", "test"] {
        for (class, count) in [("cat", 40), ("dog", 37)] {
            let folder = root.join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for at in 0..count {
                let pixel = |x, y| [at * 5, x as u8, (y * at as u32) as u8];
                let picture: DynamicImage = match grey {
                    true => GrayImage::from_fn(5, 4, |x, y| Luma([pixel(x, y)[2]])).into(),
                    false => RgbImage::from_fn(5, 4, |x, y| Rgb(pixel(x, y))).into(),
                };
                picture.save(folder.join(format!("{at:02}.png"))).unwrap();
            }
        }
    }
}

#[test]
fn pictures_are_the_same_wherever_they_are() {
    for grey in [false, true] {
        let root = tempfile::tempdir().unwrap();
        pictures(root.path(), grey);
        let (set, notes) = every_way(&ImageFolder::default(), root.path());
        assert_eq!(set.train.shape(), [if grey { 1 } else { 3 }, 4, 5]);
        assert_eq!((set.train.held_out(), notes), (77, vec![]));
    }
}

#[test]
fn bad_files_and_pictures_of_sixteen_bits_are_the_same_too() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), true);
    fs::write(root.path().join("train/cat/07.png"), "no picture").unwrap();
    fs::write(root.path().join("test/dog/00.png"), "no picture").unwrap();
    let deep: ImageBuffer<Luma<u16>, Vec<u16>> =
        ImageBuffer::from_fn(5, 4, |x, y| Luma([(x * 200 + y) as u16]));
    DynamicImage::from(deep)
        .save(root.path().join("train/dog/01.png"))
        .unwrap();
    let skipping = ImageFolder {
        on_bad_file: OnBadFile::Skip,
        ..ImageFolder::default()
    };
    let (set, notes) = every_way(&skipping, root.path());
    assert_eq!(set.train.origin().bit_depth, Some(10));
    assert_eq!((set.train.len(), set.test.len()), (2 * 77 - 1, 76));
    says(&notes.concat(), &["skipped 2 of 231", "16 bits"]);
    // Where they are refused, nothing is kept.
    let folder = tempfile::tempdir().unwrap();
    for cache in [Cache::Memory, Cache::Disk, Cache::None] {
        let message = refused(
            &ImageFolder::default(),
            &request(root.path(), cache, Some(folder.path())),
        );
        says(&message, &["2 of 231 pictures cannot be read", "07.png"]);
    }
    assert!(files(folder.path()).is_empty());
}

/// Loads by way of the disk; whether pictures were decoded, and the notes.
fn decodes(dir: &Path, folder: &Path) -> (bool, String) {
    use wavetrain::data::Loading;
    let (decoded, notes) = (std::sync::Mutex::new(false), std::sync::Mutex::new(vec![]));
    let request = request(dir, Cache::Disk, Some(folder));
    let watcher = |event: Loading<'_>| match event {
        Loading::Progress { .. } => *decoded.lock().unwrap() = true,
        Loading::Note(note) => notes.lock().unwrap().push(note.to_owned()),
    };
    ImageFolder::default().open(&request, &watcher).unwrap();
    (
        decoded.into_inner().unwrap(),
        notes.into_inner().unwrap().concat(),
    )
}

#[test]
fn what_is_kept_is_used_as_long_as_the_files_stay_as_they_are() {
    let (root, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pictures(root.path(), false);
    let decodes = || decodes(root.path(), folder.path());
    assert_eq!(decodes(), (true, String::new()));
    assert_eq!(decodes(), (false, String::new()));
    let kept = files(folder.path());
    let whole = fs::read(&kept[0]).unwrap();
    type Damage<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));
    let cases: [Damage<'_>; 6] = [
        ("is cut, or of another version", &|bytes| {
            bytes.truncate(1000)
        }),
        ("is cut, or of another version", &|bytes| bytes.truncate(3)),
        ("is cut, or of another version", &|bytes| bytes[15] = b'0'),
        ("is damaged", &|bytes| {
            let middle = bytes.len() - 200;
            bytes[middle] ^= 1;
        }),
        ("is cut, or of another version", &|bytes| {
            let number = bytes.len() - 48;
            bytes[number..number + 8].fill(0xff);
        }),
        ("is cut, or of another version", &|bytes| bytes.push(0)),
    ];
    for (problem, damage) in cases {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&kept[0], bytes).unwrap();
        let (decoded, note) = decodes();
        assert!(decoded, "{problem}");
        says(&note, &[problem, "made anew"]);
        assert_eq!(fs::read(&kept[0]).unwrap(), whole);
        assert_eq!(decodes(), (false, String::new()));
    }
    // A picture that was changed, and one more, each make another file.
    fs::copy(
        root.path().join("train/cat/01.png"),
        root.path().join("train/cat/00.png"),
    )
    .unwrap();
    assert!(decodes().0);
    fs::copy(
        root.path().join("train/cat/01.png"),
        root.path().join("train/cat/99.png"),
    )
    .unwrap();
    assert!(decodes().0);
    assert_eq!(files(folder.path()).len(), 3);
}

#[test]
fn a_row_that_is_damaged_is_found_when_it_is_read() {
    let (root, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pictures(root.path(), false);
    let request = request(root.path(), Cache::Disk, Some(folder.path()));
    drop(load_noted(&ImageFolder::default(), &request).unwrap());
    let kept = &files(folder.path())[0];
    let mut bytes = fs::read(kept).unwrap();
    // In the second picture of 60 bytes, behind the file's 16.
    bytes[16 + 60 + 30] ^= 4;
    fs::write(kept, bytes).unwrap();
    let set = ImageFolder::default().open(&request, &|_| {}).unwrap();
    set.train.read(&[0]).unwrap();
    let error = set.train.read(&[0, 1, 2]).unwrap_err();
    assert!(error.is_users_mistake(), "{error}");
    says(
        &error.to_string(),
        &["row 1 is damaged", "was taken away: run again"],
    );
    let set = ImageFolder::default().open(&request, &|_| {}).unwrap();
    set.train.read(&[0, 1, 2]).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named_or_done_without() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), false);
    // Nobody makes a folder in a file.
    let file = tempfile::NamedTempFile::new().unwrap();
    let within = file.path().join("within");
    let asked = request(root.path(), Cache::Disk, Some(&within));
    let help = "set data.cache_dir to one elsewhere, or data.cache = \"none\"";
    let message = refused(&ImageFolder::default(), &asked);
    says(&message, &["within", "creating failed", help]);
    let none = request(root.path(), Cache::Disk, None);
    let message = refused(&ImageFolder::default(), &none);
    says(&message, &["data.cache_dir", "data.cache = \"none\""]);
    let table = tempfile::NamedTempFile::new().unwrap();
    fs::write(table.path(), "x,y\n1,2\n3,4\n5,6\n").unwrap();
    let rows = csv("target = \"y\"");
    let asked = request(table.path(), Cache::Disk, Some(&within));
    says(
        &refused(&*rows, &asked),
        &["within", "creating failed", help],
    );
    let none = request(table.path(), Cache::Disk, None);
    says(&refused(&*rows, &none), &["data.cache_dir"]);
}

#[test]
fn pictures_that_change_while_they_are_trained_on_are_named() {
    let root = tempfile::tempdir().unwrap();
    pictures(root.path(), false);
    let request = request(root.path(), Cache::None, None);
    let (set, _) = load_noted(&ImageFolder::default(), &request).unwrap();
    set.train.read(&[0, 1, 2]).unwrap();
    let file = root.path().join("train/cat/01.png");
    fs::copy(root.path().join("train/cat/02.png"), &file).unwrap();
    let error = set.train.read(&[0, 1, 2]).unwrap_err().to_string();
    says(&error, &["01.png", "another picture"]);
    fs::remove_file(&file).unwrap();
    let error = set.train.read(&[1]).unwrap_err().to_string();
    says(&error, &["01.png", "cannot be read"]);
}

#[test]
fn pictures_of_many_sizes_are_the_same_wherever_they_are() {
    let root = tempfile::tempdir().unwrap();
    for (class, side) in [("a", 20), ("b", 33), ("c", 64)] {
        for at in 0..5 {
            let picture = RgbImage::from_fn(side, side + at, |x, y| Rgb([x as u8, y as u8, 7]));
            let folder = root.path().join(class);
            fs::create_dir_all(&folder).unwrap();
            picture.save(folder.join(format!("{at}.jpg"))).unwrap();
        }
    }
    let source = ImageFolder {
        size: Some([17, 13]),
        resize: Resize::Crop,
        ..ImageFolder::default()
    };
    let (set, notes) = every_way(&source, root.path());
    assert_eq!((set.train.len(), set.test.len()), (12, 3));
    says(&notes.concat(), &["were brought to 13x17"]);
}

#[test]
fn tables_are_the_same_wherever_they_are() {
    let row = |i: usize| {
        let (x, letter) = ((i * 7919 % 1000) as f64 / 8.0, ["a", "b", "c"][i % 3]);
        let x = if i.is_multiple_of(10) {
            String::new()
        } else {
            x.to_string()
        };
        format!("{i},{x},{letter},{},{}\n", ["no", "yes"][i % 2], i * i)
    };
    let rows: String = (0..3000).map(row).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("id,x,letter,kind,price\n{rows}")).unwrap();
    for target in ["kind", "price"] {
        let arguments = format!("target = \"{target}\"\ndrop = \"id\"\nmissing = \"mean\"");
        let (set, _) = every_way(&*csv(&arguments), file.path());
        assert_eq!(set.train.len() + set.test.len(), 3000);
    }
}

#[test]
fn arrays_are_the_same_wherever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let floats: Vec<u8> = (0..500 * 12)
        .flat_map(|i| ((i * 31 % 101) as f32 / 7.0).to_le_bytes())
        .collect();
    let doubles: Vec<u8> = (0..500 * 12)
        .flat_map(|i| ((i * 31 % 101) as f64 / 7.0).to_le_bytes())
        .collect();
    let bytes: Vec<u8> = (0..500 * 12).map(|i| (i * 31 % 251) as u8).collect();
    let labels: Vec<u8> = (0..500_u32).map(|i| (i % 4) as u8).collect();
    for (dtype, data) in [
        (Dtype::F32, &floats),
        (Dtype::F64, &doubles),
        (Dtype::U8, &bytes),
    ] {
        for shape in [vec![500, 3, 2, 2], vec![500, 12], vec![500, 4, 3]] {
            // Bytes are no sequences.
            if dtype == Dtype::U8 && shape.len() == 3 {
                continue;
            }
            for part in ["train", "test"] {
                let x = TensorView::new(dtype, shape.clone(), data).unwrap();
                let y = TensorView::new(Dtype::U8, vec![500], &labels).unwrap();
                let file = folder.path().join(format!("{part}.safetensors"));
                let tensors = HashMap::from([("x", x), ("y", y)]);
                fs::write(file, ::safetensors::serialize(tensors, None).unwrap()).unwrap();
            }
            every_way(&Safetensors::default(), folder.path());
        }
    }
    let (set, _) = load_noted(
        &Safetensors::default(),
        &request(folder.path(), Cache::None, None),
    )
    .unwrap();
    assert_eq!(set.train.inputs().residence(), "in their file");
    set.train.read(&[3, 4, 1]).unwrap();
    // A file that somebody writes to is told apart from what was checked.
    let file = folder.path().join("train.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    let error = set.train.read(&[3]).unwrap_err().to_string();
    says(
        &error,
        &["train.safetensors", "was changed since it was opened"],
    );
}

#[test]
fn numbers_in_a_file_that_are_not_finite_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        let mut values = [1.0_f32; 40];
        if part == "train" {
            values[27] = f32::NAN;
        }
        let values: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let x = TensorView::new(Dtype::F32, vec![10, 4], &values).unwrap();
        let y = TensorView::new(Dtype::U8, vec![10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]).unwrap();
        let file = folder.path().join(format!("{part}.safetensors"));
        let tensors = HashMap::from([("x", x), ("y", y)]);
        fs::write(file, ::safetensors::serialize(tensors, None).unwrap()).unwrap();
    }
    for cache in [Cache::Memory, Cache::None] {
        let message = refused(
            &Safetensors::default(),
            &request(folder.path(), cache, None),
        );
        says(&message, &["x is NaN in sample 6, element 3"]);
    }
}
