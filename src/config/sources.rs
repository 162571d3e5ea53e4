//! The table `[data]`: the source, its keys, and how samples are served.

use std::path::PathBuf;

use toml::de::DeValue;

use super::problem::Problem;
use super::resolve::{Problems, keep};
use super::suggest;
use super::value::{Section, Value};
use super::{Data, Tables};
use crate::data::Normalize;
use crate::picture::Resize;
use crate::source::{self, Options};

/// The keys that only some sources have (`source::Entry::keys`).
const KEYS: [&str; 5] = ["size", "resize", "test_share", "train", "test"];

const RESIZE: [(&str, Resize); 3] = [
    ("none", Resize::None),
    ("crop", Resize::Crop),
    ("stretch", Resize::Stretch),
];

/// How `data.resize` is written.
pub(super) fn resize_name(resize: Resize) -> &'static str {
    let name = RESIZE.iter().find(|(_, r)| *r == resize);
    name.map_or("none", |(name, _)| name)
}

const NORMALIZE: [(&str, Normalize); 4] = [
    ("unit", Normalize::Unit),
    ("standard", Normalize::Standard),
    ("mean_image", Normalize::MeanImage),
    ("none", Normalize::None),
];

/// How `data.normalize` is written.
pub(super) fn normalize_name(normalize: Normalize) -> &'static str {
    let name = NORMALIZE.iter().find(|(_, n)| *n == normalize);
    name.map_or("unit", |(name, _)| name)
}

pub(super) fn data_section(section: &Section<'_, '_>, tables: &Tables) -> Result<Data, Problems> {
    let mut problems = Problems::new();
    let source = section
        .need("source")
        .and_then(|value| value.pick(tables.sources, |source| source.name, "source"));
    let seed = section.need("seed").and_then(|v| v.whole(0));
    let validation = section.need("validation").and_then(|v| validation(&v));
    let batch = section.need("batch").and_then(|value| {
        let batch = value.whole_to(1, u64::from(u32::MAX))?;
        usize::try_from(batch).map_err(|_| value.wrong("a smaller batch"))
    });
    let shuffle = section.need("shuffle").and_then(|v| v.flag());
    let drop_last = section.need("drop_last").and_then(|v| v.flag());
    let normalize = section.need("normalize").and_then(|value| {
        let picked = value.pick(&NORMALIZE, |(name, _)| name, "normalization");
        picked.map(|(_, normalize)| *normalize)
    });
    let dir = section.get("dir").map(|value| path_of(&value, "folder"));
    let dir = dir.transpose().map_err(|problem| problems.push(problem));
    let options = source
        .as_ref()
        .map_err(|_| Problems::new())
        .and_then(|source| options(section, source, tables))
        .map_err(|found| problems.extend(found));
    let all = (
        keep(source, &mut problems),
        keep(seed, &mut problems),
        keep(validation, &mut problems),
        keep(batch, &mut problems),
        keep(shuffle, &mut problems),
        keep(drop_last, &mut problems),
        keep(normalize, &mut problems),
    );
    match (all, dir, options) {
        (
            (
                Some(source),
                Some(seed),
                Some(validation),
                Some(batch),
                Some(shuffle),
                Some(drop_last),
                Some(normalize),
            ),
            Ok(dir),
            Ok(options),
        ) => Ok(Data {
            source,
            seed,
            validation,
            dir,
            batch,
            shuffle,
            drop_last,
            normalize,
            options,
        }),
        _ => Err(problems),
    }
}

fn validation(value: &Value<'_, '_>) -> Result<f64, Problem> {
    let part = value.number()?;
    if (0.0..1.0).contains(&part) {
        Ok(part)
    } else {
        Err(value.wrong("a part of the training set: 0 or more, below 1"))
    }
}

/// The path of a folder or a file, as `what` says.
fn path_of(value: &Value<'_, '_>, what: &str) -> Result<PathBuf, Problem> {
    let path = value.text(&format!("a {what}'s path as a string"))?;
    if path.is_empty() {
        let example = match what {
            "folder" => " (\".\" is this one)",
            _ => "",
        };
        return Err(value.refuse(&format!("is empty; expected a {what}'s path{example}")));
    }
    Ok(PathBuf::from(path))
}

/// The keys that only some sources have; one that the chosen source has not is a mistake.
fn options(
    section: &Section<'_, '_>,
    source: &source::Entry,
    tables: &Tables,
) -> Result<Options, Problems> {
    let mut problems = Problems::new();
    let mut options = Options::default();
    for key in KEYS {
        let Some(value) = section.get(key) else {
            continue;
        };
        let read = if source.keys.contains(&key) {
            option(key, &value, &mut options)
        } else {
            Err(not_of(&value, key, source, tables))
        };
        problems.extend(read.err());
    }
    if let (Some(value), None) = (section.get("resize"), section.get("size"))
        && problems.is_empty()
        && options.resize != Resize::None
    {
        let problem = value.refuse("is set, but data.size does not say to which size");
        problems.push(problem.help("add data.size, for example data.size = 32"));
    }
    if problems.is_empty() {
        Ok(options)
    } else {
        Err(problems)
    }
}

fn option(key: &str, value: &Value<'_, '_>, options: &mut Options) -> Result<(), Problem> {
    match key {
        "size" => options.size = Some(size(value)?),
        "resize" => {
            let picked = value.pick(&RESIZE, |(name, _)| name, "way to resize")?;
            options.resize = picked.1;
        }
        "test_share" => {
            options.test_share = value.number()?;
            if !(options.test_share > 0.0 && options.test_share < 1.0) {
                return Err(value.wrong("a share of the pictures: above 0, below 1"));
            }
        }
        "train" => options.train = Some(path_of(value, "file")?),
        _ => options.test = Some(path_of(value, "file")?),
    }
    Ok(())
}

/// `32` or `[28, 32]`: height and width.
fn size(value: &Value<'_, '_>) -> Result<[usize; 2], Problem> {
    /// Far above any picture that a network is trained on.
    const MOST: u64 = 16_384;
    let side = |value: &Value<'_, '_>| {
        let side = value.whole_to(1, MOST)?;
        usize::try_from(side).map_err(|_| value.wrong("a smaller size"))
    };
    match value.value.get_ref() {
        DeValue::Integer(_) => side(value).map(|side| [side; 2]),
        DeValue::Array(array) if array.len() == 2 => {
            let side_at = |at: usize| {
                side(&Value {
                    key: format!("{}[{at}]", value.key),
                    value: &array[at],
                    texts: value.texts,
                })
            };
            Ok([side_at(0)?, side_at(1)?])
        }
        _ => Err(value.wrong("a size in pixels: 32, or [height, width]")),
    }
}

/// A key of another source.
fn not_of(value: &Value<'_, '_>, key: &str, source: &source::Entry, tables: &Tables) -> Problem {
    let name = source.name;
    let problem = Problem::new(
        value.key.clone(),
        format!("{} is set, but source {name} does not take it", value.key),
    )
    .at(value.value.span());
    let owners = tables
        .sources
        .iter()
        .filter(|entry| entry.keys.contains(&key));
    let owners: Vec<&str> = owners.map(|entry| entry.name).collect();
    if owners.is_empty() {
        return problem.help("leave it out");
    }
    problem.help(format!("{key} belongs to {}", suggest::list(owners, "and")))
}
