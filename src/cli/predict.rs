//! `wavetrain predict`: what a trained network sees in pictures.

mod table;
mod text;

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::loading;
use super::options::Globals;
use super::output::{self, Output};
use crate::data::Storage;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::picture::Resize;
use crate::picture::{Photo, Wish, pictures_in};
use crate::report::folder::model_file;
use crate::train::{Evaluator, InputValues, Likely, Prediction, evaluation_batch};

/// Names the classes that a trained network sees in pictures, of any size and mode; what follows a text; or
/// predicts a column of tables
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of a run, or a model.safetensors
    #[arg(value_name = "RUN | FILE.safetensors")]
    model: PathBuf,
    /// PNG, JPEG, WebP or BMP files, or folders with such files; for a network of text text files; for one of
    /// tables CSV files, which come back with the predictions; - reads a picture or text from standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["prompt", "list"])]
    images: Vec<PathBuf>,
    /// A text with the path of a file, or of a folder, on each line, behind those that are named here; - is
    /// standard input
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// For a network of text: the beginning of a text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// How many classes are shown
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// How a picture of another size comes to the network's [default: as in the training, or crop]
    #[arg(long, value_name = "WAY")]
    resize: Option<Way>,
    /// Swap light and dark: for ink on paper where the training had light on dark
    #[arg(long)]
    invert: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// The files that are named, and those of the list.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let Some(list) = &self.list else {
            return Ok(self.images.clone());
        };
        let text = loading::text(list)?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let files: Vec<PathBuf> = self
            .images
            .iter()
            .cloned()
            .chain(lines.map(PathBuf::from))
            .collect();
        match files.is_empty() {
            false => Ok(files),
            true => Err(Error::Argument {
                what: "--list".into(),
                found: format!("{} names no file", list.display()),
                expected: "the path of a file on each line".into(),
                help: "find photos -name '*.jpg' | wavetrain predict RUN --list -".into(),
            }),
        }
    }
}

/// `--resize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// Scaled until the size is filled, and what sticks out is cut off
    Crop,
    /// Scaled to the size, whatever becomes of the proportions
    Stretch,
}

/// Sources whose pictures are light on dark.
const DARK: [&str; 3] = ["glyphs", "mnist", "fashion_mnist"];

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let model = Model::open(&model_file(&arguments.model)?)?;
    if model.description.values == Storage::Tokens {
        text::run(arguments, &model, globals, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(table) = &model.description.table {
        table::run(arguments, (&model, table), globals, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.prompt.is_some() {
        return Err(Error::Argument {
            what: "--prompt".into(),
            found: format!("given to {}, a network of pictures", model.path.display()),
            expected: "pictures".into(),
            help: "name pictures, or give the run of a text".into(),
        });
    }
    let wish = wish(arguments, &model)?;
    // All pictures are read before anything is printed.
    let photos = read(&arguments.files()?, &wish)?;
    let values = photos.iter().flat_map(|(_, photo)| photo.values.iter());
    let values: Vec<u8> = values.copied().collect();
    let batch = photos.len().min(evaluation_batch(0, &model.network()?));
    let mut evaluator = Evaluator::new(globals.open()?, &model, batch)?;
    let told = predicted(&mut evaluator, &model, values)?;
    let told = photos.iter().zip(told);
    let predictions: Vec<_> = told
        .filter_map(|((path, photo), prediction)| match prediction {
            Prediction::Classes(likely) => Some((path.as_path(), photo, likely)),
            _ => None,
        })
        .collect();
    let top = usize::from(arguments.top);
    let classes = &model.description.classes;
    if arguments.json {
        output.json(&as_json(&model, &predictions, top))?;
    } else {
        output.text(&as_text(&predictions, classes, top))?;
    }
    hint(&model, &wish, &photos);
    Ok(ExitCode::SUCCESS)
}

/// What the model says of samples; what is not finite is told by the file of the weights.
fn predicted(
    evaluator: &mut Evaluator,
    model: &Model,
    values: impl Into<InputValues>,
) -> Result<Vec<Prediction>> {
    let told = evaluator.predict(values);
    told.map_err(|error| match error {
        Error::NotFinite { what, .. } => {
            Error::not_finite(format!("{}: {what}", model.path.display()))
        }
        other => other,
    })
}

fn wish(arguments: &Arguments, model: &Model) -> Result<Wish> {
    let description = &model.description;
    let shape = match description.input[..] {
        [channels @ (1 | 3), height, width] if description.values == Storage::Bytes => {
            [channels, height, width]
        }
        _ => {
            let kind = description.values.name();
            return Err(Error::Argument {
                what: model.path.display().to_string(),
                found: format!("takes {kind} of the shape {:?}", description.input),
                expected:
                    "a network that takes pictures: bytes of the shape [1, height, width] or \
                           [3, height, width]"
                        .into(),
                help: "`wavetrain eval` measures it on its own kind of data".into(),
            });
        }
    };
    let of = |key: &str| description.data.get(key).and_then(toml::Value::as_str);
    let bits = description
        .data
        .get("bit_depth")
        .and_then(toml::Value::as_integer);
    Ok(Wish {
        shape,
        resize: match (arguments.resize, of("resize")) {
            (Some(Way::Stretch), _) | (None, Some("stretch")) => Resize::Stretch,
            _ => Resize::Crop,
        },
        as_in_training: of("source") == Some("image_folder"),
        bits: bits.and_then(|bits| bits.try_into().ok()).unwrap_or(16),
        invert: arguments.invert,
    })
}

/// All pictures, those of folders in the order of their names.
fn read(images: &[PathBuf], wish: &Wish) -> Result<Vec<(PathBuf, Photo)>> {
    let mut photos = Vec::new();
    for path in images {
        if path == Path::new("-") {
            let name = PathBuf::from("standard input");
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(Error::io(&name, "reading"))?;
            let photo = Photo::decode(&bytes, &name, wish)?;
            photos.push((name, photo));
        } else if path.is_dir() {
            for path in pictures_in(path)? {
                let photo = Photo::read(&path, wish)?;
                photos.push((path, photo));
            }
        } else {
            photos.push((path.clone(), Photo::read(path, wish)?));
        }
    }
    Ok(photos)
}

/// Light paper where the training had a dark ground is the usual reason for nonsense.
fn hint(model: &Model, wish: &Wish, photos: &[(PathBuf, Photo)]) {
    let source = model.description.data.get("source");
    let source = source.and_then(toml::Value::as_str).unwrap_or_default();
    let light = photos.iter().find(|(_, photo)| photo.has_light_border);
    if let (true, Some((path, _))) = (DARK.contains(&source), light) {
        let mend = match wish.invert {
            true => "leave --invert out",
            false => "--invert swaps light and dark",
        };
        output::note(&[format!(
            "{} has a light border, but {source} has light pictures on a dark ground; {mend}",
            path.display()
        )]);
    }
}

type Told<'a> = (&'a Path, &'a Photo, Vec<Likely>);

fn as_json(model: &Model, predictions: &[Told<'_>], top: usize) -> serde_json::Value {
    let classes = &model.description.classes;
    let all: Vec<_> = predictions
        .iter()
        .map(|(path, photo, likely)| {
            let top: Vec<_> = likely
                .iter()
                .take(top)
                .map(|likely| {
                    json!({
                        "class": likely.class,
                        "name": classes[likely.class],
                        "probability": likely.probability,
                        "output": likely.output,
                    })
                })
                .collect();
            json!({
                "image": path.to_string_lossy(),
                "size": photo.size,
                "mode": photo.mode,
                "changes": photo.changes,
                "top": top,
            })
        })
        .collect();
    json!({"model": model.path.to_string_lossy(), "predictions": all})
}

fn as_text(predictions: &[Told<'_>], classes: &[String], top: usize) -> String {
    let width = classes.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for (path, photo, likely) in predictions {
        let [height, width_found] = photo.size;
        let changes = match photo.changes.is_empty() {
            true => "used as it is".to_owned(),
            false => photo.changes.join(", "),
        };
        let _ = writeln!(
            text,
            "{}: {width_found}x{height}, {}; {changes}",
            path.display(),
            photo.mode
        );
        for likely in likely.iter().take(top) {
            let name = &classes[likely.class];
            let share = 100.0 * likely.probability;
            let _ = writeln!(text, "  {name:<width$}  {share:>6.2} %");
        }
    }
    text
}
