//! Which pictures there are, of which class, for training and for the test.

use crate::data::{Loading, Watcher};
use crate::error::{Error, Result};
use crate::picture::{entries, is_picture};
use crate::rng::{Key, Stream};
use std::path::{Path, PathBuf};

/// A file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub(super) label: u32,
    pub(super) file: PathBuf,
}

/// All pictures, class by class, each class by name.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) classes: Vec<String>,
    pub(super) train: Vec<Labelled>,
    pub(super) test: Vec<Labelled>,
}

/// Lists the pictures below `dir`: in `train` and `test`, or split by (test share, seed).
pub(super) fn list(dir: &Path, by: (f64, u64), watcher: Watcher<'_>) -> Result<Listing> {
    let halves = ["train", "test"].map(|half| dir.join(half));
    let mut left_out = LeftOut::default();
    let listing = match [halves[0].is_dir(), halves[1].is_dir()] {
        [true, true] => {
            let [train, test] = halves;
            let classes = Classes::find(&train, &mut left_out)?;
            let other = Classes::find(&test, &mut left_out)?;
            same_classes(&train, &classes, &test, &other)?;
            Listing {
                train: classes.pictures.concat(),
                test: other.pictures.concat(),
                classes: classes.names,
            }
        }
        [false, false] => {
            let classes = Classes::find(dir, &mut left_out)?;
            split(dir, classes, by)?
        }
        [has_train, _] => {
            let (there, not) = if has_train {
                ("train", "test")
            } else {
                ("test", "train")
            };
            return Err(Error::data(
                dir,
                format!("holds {there}, but no {not}; expected both folders or neither"),
                format!(
                    "add {not} with a folder for each class, or put the folders of the classes \
                     into {} itself, and data.test_share of the pictures become the test set",
                    dir.display()
                ),
            ));
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
    names: Vec<String>,
    pictures: Vec<Vec<Labelled>>,
}

impl Classes {
    fn find(root: &Path, left_out: &mut LeftOut) -> Result<Self> {
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
        if folders.is_empty() {
            return Err(Error::data(
                root,
                "holds no class; expected a folder with pictures for each class",
                "put the pictures of each class into a folder with the name of the class",
            ));
        }
        let mut classes = Self {
            names: Vec::new(),
            pictures: Vec::new(),
        };
        for (label, folder) in (0..).zip(folders) {
            let files = pictures(&folder, left_out)?;
            if files.is_empty() {
                return Err(Error::data(
                    &folder,
                    "holds no picture; expected PNG or JPEG files of this class",
                    "add pictures, or take the folder away",
                ));
            }
            let name = folder.file_name().unwrap_or_default();
            classes.names.push(name.to_string_lossy().into_owned());
            let labelled = files.into_iter().map(|file| Labelled { label, file });
            classes.pictures.push(labelled.collect());
        }
        Ok(classes)
    }
}

fn same_classes(train: &Path, in_train: &Classes, test: &Path, in_test: &Classes) -> Result<()> {
    let sides = [
        (train, in_train, test, in_test),
        (test, in_test, train, in_train),
    ];
    for (has, classes, lacks, others) in sides {
        let alone = classes
            .names
            .iter()
            .find(|name| !others.names.contains(name));
        if let Some(name) = alone {
            return Err(Error::data(
                lacks,
                format!(
                    "has no folder {name}, but {} has; expected the same classes in both",
                    has.display()
                ),
                "give both folders pictures of every class",
            ));
        }
    }
    Ok(())
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
        classes: classes.names,
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
            (&self.files, "no PNG or JPEG in the folder of a class"),
            (&self.links, "links to folders, which are not followed"),
        ];
        let notes = kinds.into_iter().filter_map(|(count, what)| {
            let example = count.first.as_ref()?;
            let (total, example) = (count.total, example.display());
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
