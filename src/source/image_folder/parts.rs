//! Where the parts of a folder of pictures lie: training, test and validation under any usual name.

use std::path::{Path, PathBuf};

use crate::data::{Loading, Watcher};
use crate::error::{Error, Result};
use crate::picture::{entries, is_picture, printable};

/// The usual names of the parts, in any case.
const NAMES: [(Part, &[&str]); 3] = [
    (
        Part::Train,
        &["train", "training", "train_set", "training_set", "trainset"],
    ),
    (
        Part::Test,
        &["test", "testing", "test_set", "testing_set", "testset"],
    ),
    (
        Part::Validation,
        &[
            "val",
            "valid",
            "validation",
            "val_set",
            "validation_set",
            "valset",
        ],
    ),
];

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    Validation,
}

impl Part {
    fn of(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.replace(['-', ' '], "_");
        let known = NAMES.iter().find(|(_, names)| names.contains(&&*name))?;
        Some(known.0)
    }
}

/// How the pictures lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// In parts, each with a folder for each class.
    Parts {
        train: PathBuf,
        test: PathBuf,
        validation: Option<PathBuf>,
    },
    /// In a folder for each class, to be split.
    Classes,
}

/// Names that are shown of many.
pub(super) const SHOWN: usize = 5;

/// What would be right.
pub(super) const EXPECTED: &str =
    "train/CLASS and test/CLASS, or a folder for each class, with pictures in each";

/// How the pictures below `dir` lie.
///
/// # Errors
/// Folders that are no such layout: what is there, and what to do.
pub(super) fn layout(dir: &Path, watcher: Watcher<'_>) -> Result<Layout> {
    let folders = folders(dir)?;
    let [train, test, validation] = NAMES.map(|(part, _)| {
        let mut own = folders.iter().filter(move |f| Part::of(f) == Some(part));
        (own.next().cloned(), own.next().cloned())
    });
    for pair in [&train, &test, &validation] {
        if let (Some(one), Some(other)) = pair {
            return Err(Error::data(
                dir,
                format!(
                    "holds {} and {}, which say the same; expected one of them",
                    name(one),
                    name(other)
                ),
                "put the pictures into one folder, or rename one of the two",
            ));
        }
    }
    match (train.0, test.0, validation.0) {
        (None, None, None) => {
            not_elsewhere(dir, &folders)?;
            Ok(Layout::Classes)
        }
        (Some(train), test, validation) if test.is_some() || validation.is_some() => {
            for part in [Some(&train), test.as_ref(), validation.as_ref()] {
                part.map_or(Ok(()), |part| nothing_within(part))?;
            }
            let others = folders.iter().filter(|f| Part::of(f).is_none());
            let others: Vec<String> = others.map(|f| name(f)).collect();
            if !others.is_empty() {
                let note = format!("left out beside {}: {}", name(&train), some(&others, SHOWN));
                watcher(Loading::Note(&note));
            }
            Ok(in_parts(train, test, validation, watcher))
        }
        (train, test, validation) => Err(lacking(dir, [train, test, validation], &folders)),
    }
}

/// A folder `val` without `test` is the test part.
fn in_parts(
    train: PathBuf,
    test: Option<PathBuf>,
    validation: Option<PathBuf>,
    watcher: Watcher<'_>,
) -> Layout {
    match (test, validation) {
        (Some(test), validation) => Layout::Parts {
            train,
            test,
            validation,
        },
        (None, validation) => {
            let test = validation.unwrap_or_default();
            let note = format!(
                "there is no test folder: {} is the test set, and nothing is held out unless \
                 data.validation says so",
                name(&test)
            );
            watcher(Loading::Note(&note));
            Layout::Parts {
                train,
                test,
                validation: None,
            }
        }
    }
}

/// Refuses parts of which one needed is not there.
fn lacking(dir: &Path, parts: [Option<PathBuf>; 3], folders: &[PathBuf]) -> Error {
    let (there, not) = match &parts {
        [Some(train), ..] => (name(train), "test"),
        [None, test, validation] => {
            let other = test.as_ref().or(validation.as_ref());
            (other.map(|f| name(f)).unwrap_or_default(), "train")
        }
    };
    let help = match &parts[0] {
        Some(train) => format!(
            "add {not} with a folder for each class, or set data.dir to {}, and data.test_share of \
             the pictures become the test set",
            train.display()
        ),
        None => format!(
            "add {not} with a folder for each class, or put the folders of the classes into {} \
             itself, and data.test_share of the pictures become the test set",
            dir.display()
        ),
    };
    let problem = format!(
        "holds {there}, but no {not} (found {}); expected {EXPECTED}",
        found(folders)
    );
    Error::data(dir, problem, help)
}

/// Refuses a folder of classes that is itself a part, or in whose folders the parts lie.
fn not_elsewhere(dir: &Path, folders: &[PathBuf]) -> Result<()> {
    let parts = |of: &Path| -> Vec<PathBuf> {
        let inside = self::folders(of).unwrap_or_default();
        inside
            .into_iter()
            .filter(|f| Part::of(f).is_some())
            .collect()
    };
    let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.into());
    if let (Some(part), Some(parent)) = (Part::of(&whole), whole.parent()) {
        let other = parts(parent)
            .into_iter()
            .find(|f| Part::of(f) != Some(part));
        if let Some(other) = other {
            return Err(Error::data(
                dir,
                format!(
                    "is one part of a data set, beside {}; expected the folder that holds both",
                    name(&other)
                ),
                format!("set data.dir to {}", parent.display()),
            ));
        }
    }
    let with_parts = folders.iter().find(|folder| {
        let parts = parts(folder);
        let kinds: Vec<_> = parts.iter().map(|f| Part::of(f)).collect();
        kinds.contains(&Some(Part::Train)) && kinds.iter().any(|kind| *kind != kinds[0])
    });
    let Some(folder) = with_parts else {
        return no_alike(dir, folders);
    };
    let problem = format!(
        "holds {}, and in it lie {}; expected {EXPECTED}",
        found(folders),
        found(&parts(folder))
    );
    let help = match folders.len() {
        1 => format!("set data.dir to {}", folder.display()),
        _ => "put the folders of the classes into the folders of the parts (train/CLASS), not the \
              parts into the classes; or set data.dir to one of them if each is a data set"
            .to_owned(),
    };
    Err(Error::data(dir, problem, help))
}

/// Refuses folders without pictures of their own in which the same folders lie: they are parts under other
/// names, and would be taken for classes.
fn no_alike(dir: &Path, folders: &[PathBuf]) -> Result<()> {
    let within = |folder: &PathBuf| -> Vec<String> {
        let inside = self::folders(folder).unwrap_or_default();
        inside.iter().map(|f| name(f)).collect()
    };
    let [first, others @ ..] = folders else {
        return Ok(());
    };
    let classes = within(first);
    let alike = |folder: &PathBuf| !has_pictures(folder) && within(folder) == classes;
    if others.is_empty() || classes.len() < 2 || !folders.iter().all(alike) {
        return Ok(());
    }
    let problem = format!(
        "holds {}, and in each of them lie {}; expected {EXPECTED}",
        found(folders),
        some(&classes, SHOWN)
    );
    let help = "call the parts train and test, or set data.dir to one of them; if they are the classes, put \
                their pictures into them";
    Err(Error::data(dir, problem, help))
}

/// Refuses a part in which parts lie: they would be taken for classes.
fn nothing_within(part: &Path) -> Result<()> {
    let inside = folders(part)?;
    match inside.iter().find(|folder| Part::of(folder).is_some()) {
        None => Ok(()),
        Some(within) => Err(Error::data(
            part,
            format!(
                "holds {}, which is the name of a part and no class (found {}); expected {EXPECTED}",
                name(within),
                found(&inside)
            ),
            "move the folders of the classes up, or set data.dir to the folder in which the right \
             parts lie",
        )),
    }
}

/// The folders in a folder, links to folders included, by name.
pub(super) fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let paths = entries(dir)?.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir()).collect())
}

/// Whether pictures lie in the folder itself.
pub(super) fn has_pictures(dir: &Path) -> bool {
    let entries = entries(dir).unwrap_or_default();
    entries.iter().any(|entry| is_picture(&entry.path()))
}

/// The last name of a path, as it can be printed.
pub(super) fn name(path: &Path) -> String {
    printable(path.file_name().unwrap_or_default())
}

/// Folders in words: `cat, dog and 8 more`.
pub(super) fn found(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders.iter().map(|folder| name(folder)).collect();
    some(&names, SHOWN)
}

/// The first names, and how many more there are.
pub(super) fn some(names: &[String], shown: usize) -> String {
    let first = names.iter().take(shown).map(String::as_str);
    let first = first.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(shown) {
        0 if names.is_empty() => "no folder".into(),
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
