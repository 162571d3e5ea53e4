//! Which pictures there are, of which class, for training and for the test.

use super::parts::{EXPECTED, Layout, SHOWN, folders, found, has_pictures, layout, name, some};
use crate::data::{Loading, Watcher};
use crate::error::{Error, Result};
use crate::picture::{FORMATS, entries, is_picture, printable};
use crate::rng::{Key, Stream};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) label: u32,
    pub(super) file: PathBuf,
}

impl Labelled {
    /// The path of the file below `dir`, in print.
    pub(super) fn name(&self, dir: &Path) -> String {
        printable(
            self.file
                .strip_prefix(dir)
                .unwrap_or(&self.file)
                .as_os_str(),
        )
    }
}

/// All pictures, class by class, each class by name.
#[derive(Debug)]
pub(super) struct Listing {
    /// As they can be printed.
    pub(super) classes: Vec<String>,
    /// Those that are trained on, and behind them the validation set of the files.
    pub(super) train: Vec<Labelled>,
    /// How many of them are the validation set.
    pub(super) held_out: usize,
    pub(super) test: Vec<Labelled>,
}

/// Lists the pictures below `dir`: in its parts, or split by (test share, seed).
pub(super) fn list(dir: &Path, by: (f64, u64), watcher: Watcher<'_>) -> Result<Listing> {
    let mut left_out = LeftOut::default();
    let listing = match layout(dir, watcher)? {
        Layout::Parts {
            train,
            test,
            validation,
        } => {
            let classes = Classes::find(&train, &mut left_out)?;
            let test = classes.of_part(&test, (&train, watcher), &mut left_out)?;
            let validation = match validation {
                Some(part) => classes.of_part(&part, (&train, watcher), &mut left_out)?,
                None => Vec::new(),
            };
            Listing {
                classes: classes.printable(),
                held_out: validation.len(),
                train: [classes.pictures.concat(), validation].concat(),
                test,
            }
        }
        Layout::Classes => {
            let classes = Classes::find(dir, &mut left_out)?;
            split(dir, classes, by)?
        }
    };
    for note in left_out.notes() {
        watcher(Loading::Note(&note));
    }
    Ok(listing)
}

/// The folders of the classes in one folder.
#[derive(Debug)]
struct Classes {
    names: Vec<OsString>,
    pictures: Vec<Vec<Labelled>>,
}

impl Classes {
    fn find(root: &Path, left_out: &mut LeftOut) -> Result<Self> {
        let folders = class_folders(root, left_out)?;
        if let [only] = &folders[..] {
            return Err(single(root, only));
        }
        let mut classes = Self {
            names: Vec::new(),
            pictures: Vec::new(),
        };
        for (label, folder) in (0..).zip(folders) {
            let files = pictures(&folder, left_out)?;
            if files.is_empty() {
                let (others, help) = others(&folder);
                return Err(Error::data(
                    &folder,
                    format!("holds no picture{others}; expected {FORMATS} files of this class"),
                    help,
                ));
            }
            let name = folder.file_name().unwrap_or_default();
            classes.names.push(name.to_owned());
            let labelled = files.into_iter().map(|file| Labelled { label, file });
            classes.pictures.push(labelled.collect());
        }
        Ok(classes)
    }

    /// The classes' names in print.
    fn printable(&self) -> Vec<String> {
        self.names.iter().map(|name| printable(name)).collect()
    }

    /// The pictures of another part, whose classes are among these; some may be missing.
    fn of_part(
        &self,
        part: &Path,
        (train, watcher): (&Path, Watcher<'_>),
        left_out: &mut LeftOut,
    ) -> Result<Vec<Labelled>> {
        let folders = class_folders(part, left_out)?;
        let known = |folder: &PathBuf| {
            let name = folder.file_name().unwrap_or_default();
            self.names.iter().position(|known| known == name)
        };
        if let Some(other) = folders.iter().find(|folder| known(folder).is_none()) {
            return Err(Error::data(
                train,
                format!(
                    "has no folder {}, but {} has; expected every class in the training part",
                    name(other),
                    part.display()
                ),
                "give the training part pictures of every class",
            ));
        }
        let mut found = vec![Vec::new(); self.names.len()];
        for folder in folders {
            if let Some(label) = known(&folder) {
                let files = pictures(&folder, left_out)?.into_iter();
                let label_of = |file| Labelled {
                    label: label as u32,
                    file,
                };
                found[label] = files.map(label_of).collect();
            }
        }
        let missing = self.names.iter().zip(&found).filter(|(_, f)| f.is_empty());
        let missing: Vec<String> = missing.map(|(name, _)| printable(name)).collect();
        if missing.len() == self.names.len() {
            return Err(Error::data(
                part,
                format!("holds no picture of any class; expected {FORMATS} files"),
                "add pictures, or take the folder away",
            ));
        }
        if !missing.is_empty() {
            let (part, missing) = (name(part), some(&missing, SHOWN));
            let note = format!("{part} has no picture of these classes: {missing}");
            watcher(Loading::Note(&note));
        }
        Ok(found.concat())
    }
}

/// Endings of pictures in formats that are not read.
const OTHER_FORMATS: [&str; 10] = [
    ".gif", ".tif", ".tiff", ".heic", ".avif", ".jp2", ".jxl", ".ppm", ".pgm", ".tga",
];

/// Which files lie in a folder without pictures, and what to do.
fn others(folder: &Path) -> (String, &'static str) {
    let all = entries(folder).unwrap_or_default().into_iter();
    let files = all.map(|entry| entry.path()).filter(|path| path.is_file());
    let ending = |path: PathBuf| Some(format!(".{}", printable(path.extension()?).to_lowercase()));
    let endings: BTreeSet<String> = files.filter_map(ending).collect();
    let found = match endings.is_empty() {
        true => String::new(),
        false => format!(
            ", but files {}",
            some(&Vec::from_iter(endings.clone()), SHOWN)
        ),
    };
    let help = match OTHER_FORMATS.iter().any(|format| endings.contains(*format)) {
        true => "convert them (mogrify -format png, of ImageMagick), or take the folder away",
        false => "add pictures, or take the folder away",
    };
    (found, help)
}

/// The folders of classes in `root`, at least one.
fn class_folders(root: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in entries(root)? {
        let path = entry.path();
        // Here a link to a folder counts: a class may lie elsewhere.
        if path.is_dir() {
            folders.push(path);
        } else {
            left_out.file(&path);
        }
    }
    if !folders.is_empty() {
        return Ok(folders);
    }
    let what = match has_pictures(root) {
        true => "holds pictures, but no class",
        false => "holds no class",
    };
    Err(Error::data(
        root,
        format!("{what}; expected a folder with pictures for each class"),
        match (has_pictures(root), root.parent()) {
            (true, Some(parent)) if parent.file_name().is_some() => format!(
                "put the pictures of each class into a folder with the name of the class; or, if \
                 this is a class, set data.dir to {}",
                parent.display()
            ),
            _ => "put the pictures of each class into a folder with the name of the class".into(),
        },
    ))
}

/// Refuses one class: there is nothing to tell apart.
fn single(root: &Path, only: &Path) -> Error {
    let within = folders(only).unwrap_or_default();
    let (inside, help) = match within.is_empty() {
        true => (
            String::new(),
            "add a folder with pictures of another class".to_owned(),
        ),
        false => (
            format!(", in which lie {}", found(&within)),
            format!(
                "if these are the classes, move them into {}",
                root.display()
            ),
        ),
    };
    let problem = format!(
        "holds a single class, {}{inside}; expected {EXPECTED}, of two classes or more",
        name(only)
    );
    Error::data(root, problem, help)
}

/// The pictures of a class, also in folders within its folder; links to folders are not followed,
/// so that a loop has no end to reach.
fn pictures(folder: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let path = entry.path();
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if path.is_dir() && is_link {
                left_out.links.add(&path);
            } else if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && is_picture(&path) {
                files.push(path);
            } else {
                left_out.file(&path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Holds a share of each class out, at random by `seed`, and at least one picture back for training.
fn split(dir: &Path, classes: Classes, (share, seed): (f64, u64)) -> Result<Listing> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Argument {
            what: "data.test_share".into(),
            found: share.to_string(),
            expected: "a share of the pictures above 0 and below 1".into(),
            help: "0.2 takes a fifth of each class for the test".into(),
        });
    }
    let mut listing = Listing {
        classes: classes.printable(),
        held_out: 0,
        train: Vec::new(),
        test: Vec::new(),
    };
    // Step 0 of this stream is the split of the training set (`Split`).
    for (step, pictures) in (1..).zip(classes.pictures) {
        let count = pictures.len();
        let held_out = ((count as f64 * share).round() as usize).min(count - 1);
        let order = Key::new(seed, Stream::Split, step).permutation(count);
        let mut is_test = vec![false; count];
        for &picture in &order[..held_out] {
            is_test[picture as usize] = true;
        }
        for (picture, is_test) in pictures.into_iter().zip(is_test) {
            if is_test {
                listing.test.push(picture);
            } else {
                listing.train.push(picture);
            }
        }
    }
    if listing.test.is_empty() {
        return Err(Error::data(
            dir,
            format!(
                "data.test_share = {share} of each class leaves no picture for the test ({} \
                 pictures in {} classes); expected at least one",
                listing.train.len(),
                listing.classes.len()
            ),
            "raise data.test_share, or put the pictures into the folders train and test",
        ));
    }
    Ok(listing)
}

/// What was passed over.
#[derive(Debug, Default)]
struct LeftOut {
    files: Count,
    links: Count,
}

impl LeftOut {
    /// Counts a file that is no picture of a class; those of file managers are nobody's loss.
    fn file(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default();
        if !["Thumbs.db", "desktop.ini"].iter().any(|own| name == *own) {
            self.files.add(path);
        }
    }

    fn notes(&self) -> Vec<String> {
        let kinds = [
            (&self.files, "no picture in the folder of a class"),
            (&self.links, "links to folders, which are not followed"),
        ];
        let notes = kinds.into_iter().filter_map(|(count, what)| {
            let example = count.first.as_ref()?;
            let (total, example) = (count.total, name(example));
            Some(format!(
                "left out {total} entries that are {what}, such as {example}"
            ))
        });
        notes.collect()
    }
}

#[derive(Debug, Default)]
struct Count {
    total: usize,
    first: Option<PathBuf>,
}

impl Count {
    fn add(&mut self, path: &Path) {
        self.total += 1;
        self.first.get_or_insert_with(|| path.into());
    }
}
