//! Loading the data where a person watches: a bar while it takes time, notes about what was found.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::config::Config;
use crate::data::{Dataset, Loading};
use crate::error::Result;

/// The samples of `data.source`. The bar shows itself only on a terminal.
pub(super) fn load(config: &Config) -> Result<Dataset> {
    let bar = bar("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    let notes = Mutex::new(Vec::new());
    let loaded = config.load_data_watched(&|event| match event {
        Loading::Progress { doing, done, total } => {
            bar.set_length(total as u64);
            bar.set_message(doing.to_owned());
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

/// A bar on standard error in the form of `template`.
pub(super) fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
