//! What is wrong with a configuration, and how it is shown: rustc's way, with the line and a caret.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::text::{Origin, Text, Texts};
use crate::error::Error;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The dotted key, where one is wrong.
    pub(super) key: Option<String>,
    /// One sentence: what is wrong, found and expected.
    pub(super) message: String,
    /// The place, in the common space of [`Texts`].
    pub(super) span: Option<Range<usize>>,
    /// A second place that belongs to it, with a few words.
    pub(super) also: Option<Box<(Range<usize>, String)>>,
    /// What to do, a line each.
    pub(super) help: Vec<String>,
}

impl Problem {
    /// A problem with the value of `key`.
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            message: message.into(),
            span: None,
            also: None,
            help: Vec::new(),
        }
    }

    /// A problem that no key has (broken TOML, an unreadable file).
    pub(super) fn keyless(message: impl Into<String>) -> Self {
        Self {
            key: None,
            ..Self::new("", message)
        }
    }

    /// The same at a place.
    pub(super) fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// The same with a second place.
    pub(super) fn and(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also = Some(Box::new((span, label.into())));
        self
    }

    /// The same with a line of help.
    pub(super) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// The text for a person.
    fn render(&self, texts: &Texts) -> String {
        let place = self.span.as_ref().and_then(|span| texts.find(span));
        let Some((text, span)) = place.filter(|(text, _)| text.origin != Origin::Defaults) else {
            let help = self.help.join("\n      ");
            return if help.is_empty() {
                self.message.clone()
            } else {
                format!("{}\nhelp: {help}", self.message)
            };
        };
        let mut help = self.help.clone();
        let mut snippets = vec![snippet(text).annotation(AnnotationKind::Primary.span(span))];
        let also = self.also.as_deref();
        let also = also.and_then(|(span, label)| Some((texts.find(span)?, label)));
        if let Some(((other, span), label)) = also {
            let mark = AnnotationKind::Context.span(span).label(label.as_str());
            match other.origin {
                Origin::Defaults => {}
                _ if std::ptr::eq(other, text) => {
                    snippets = vec![snippets.remove(0).annotation(mark)];
                }
                // Arguments have no file and line to tell two of them apart.
                Origin::Argument => help.insert(0, format!("{label}: {}", other.text)),
                Origin::Document(_) => snippets.push(snippet(other).annotation(mark)),
            }
        }
        let title = Level::ERROR.no_name().primary_title(self.message.as_str());
        let mut group = title.elements(snippets);
        if !help.is_empty() {
            group = group.element(Level::HELP.message(help.join("\n")));
        }
        Renderer::plain().render(&[group])
    }
}

fn snippet(text: &Text) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let snippet = Snippet::source(text.text.as_str());
    match &text.origin {
        Origin::Document(name) => snippet.path(name.as_str()),
        Origin::Defaults | Origin::Argument => snippet.line_numbering(false),
    }
}

/// All that is wrong.
pub(super) type Problems = Vec<Problem>;

/// The value, or its problems among the others.
pub(super) fn keep<T>(result: Result<T, Problems>, told: &mut Problems) -> Option<T> {
    result.map_err(|problems| told.extend(problems)).ok()
}

/// All that is wrong, as one error; `problems` must not be empty.
pub(super) fn error(problems: &[Problem], texts: &Texts) -> Error {
    let rendered: Vec<String> = problems.iter().map(|p| p.render(texts)).collect();
    let (key, message) = problems
        .first()
        .map(|first| (first.key.clone(), first.message.clone()))
        .unwrap_or_default();
    Error::Config {
        key,
        message,
        // The program writes `error: ` before the first.
        rendered: rendered.join("\n\nerror: "),
    }
}
