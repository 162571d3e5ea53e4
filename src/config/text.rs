//! The texts that a configuration is made of, laid end to end in one space of positions, so that
//! a span found anywhere (also in an error of serde, long after merging) leads back to its text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Where a text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// What holds when nobody says anything.
    Defaults,
    /// A file or an embedded preset, by the name that is shown.
    Document(String),
    /// An argument of the command line, shown as it was typed.
    Argument,
}

/// One text and where it begins in the common space.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) origin: Origin,
    pub(super) text: String,
    pub(super) start: usize,
}

/// All texts of one configuration.
#[derive(Debug, Default)]
pub(super) struct Texts {
    list: Vec<Text>,
}

impl Texts {
    /// Adds a text. A gap of one position after each text keeps a
    /// span at its very end (an unclosed string) apart from the next text.
    pub(super) fn add(&mut self, origin: Origin, text: String) {
        let start = self
            .list
            .last()
            .map_or(0, |last| last.start + last.text.len() + 1);
        self.list.push(Text {
            origin,
            text,
            start,
        });
    }

    /// The texts in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Text> {
        self.list.iter()
    }

    /// The text that holds `span` and the span within it, on character boundaries.
    pub(super) fn find(&self, span: &Range<usize>) -> Option<(&Text, Range<usize>)> {
        let text = self
            .list
            .iter()
            .find(|t| (t.start..=t.start + t.text.len()).contains(&span.start))?;
        let start = boundary(&text.text, span.start - text.start);
        let end = span.end.saturating_sub(text.start).min(text.text.len());
        let end = boundary(&text.text, end).max(start);
        Some((text, start..end))
    }

    /// The characters of `span`.
    pub(super) fn slice(&self, span: &Range<usize>) -> Option<&str> {
        let (text, span) = self.find(span)?;
        text.text.get(span)
    }
}

/// The last beginning of a character at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut before = (0..=at.min(text.len())).rev();
    before.find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// `table` with all its spans moved by `by` positions.
pub(super) fn shift_table(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            let key = Spanned::new(span.start + by..span.end + by, key.into_inner());
            (key, shift(value, by))
        })
        .collect()
}

/// `value` with all its spans moved by `by` positions.
pub(super) fn shift(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let span = span.start + by..span.end + by;
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, by)),
        DeValue::Array(array) => {
            let shifted: DeArray<'_> = array.into_iter().map(|one| shift(one, by)).collect();
            DeValue::Array(shifted)
        }
        other => other,
    };
    Spanned::new(span, value)
}
