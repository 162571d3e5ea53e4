//! Loading the data where a person watches: a bar while it takes time, notes about what was found; and
//! texts that are arguments.

use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::config::Config;
use crate::data::{Dataset, Loading};
use crate::error::{Error, Result, shown};

/// The samples of `data.source`. The bar shows itself only on a terminal.
pub(super) fn load(config: &Config) -> Result<Dataset> {
    let bar = bar("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    let notes = Mutex::new(Vec::new());
    let loaded = config.load_data_watched(&|event| match event {
        Loading::Progress { doing, done, total } => {
            bar.set_length(total as u64);
            bar.set_message(shown::line(doing));
            bar.set_position(done as u64);
        }
        Loading::Note(note) => {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push(note.to_owned());
        }
    });
    bar.finish_and_clear();
    output::note(&notes.into_inner().unwrap_or_else(PoisonError::into_inner));
    loaded
}

/// The same for who trains on them, who is told what is worth knowing about their classes.
pub(super) fn load_to_train(config: &Config) -> Result<Dataset> {
    let dataset = load(config)?;
    output::note(&config.data_notes(&dataset));
    Ok(dataset)
}

/// A bar on standard error in the form of `template`.
pub(super) fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// The text of a file that is an argument; `-` is standard input.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let problem = format!("is no UTF-8 from byte {at} on; expected a text");
        Error::data(path, problem, "convert it (iconv -t UTF-8)")
    })
}

/// The bytes of a file; of standard input for `-`.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let bytes = match path == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        }
        false => std::fs::read(path),
    };
    bytes.map_err(|error| Error::data(path, format!("cannot be read: {error}"), "name a text file"))
}
