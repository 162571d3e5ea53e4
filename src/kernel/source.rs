//! WGSL composition: snippets and a file, plainly concatenated, with a line table that turns
//! naga's positions back into the true file and line.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::reflect::{self, Reflection};
use crate::error::{Error, Result};

/// A shared snippet: WGSL that is valid alone and has no bindings.
#[derive(Debug)]
pub struct Snippet {
    /// The name (`threefry`): the file is `shaders/shared/NAME.wgsl`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! snippet {
    ($name:ident, $file:literal) => {
        #[doc = concat!("The snippet `shaders/shared/", $file, ".wgsl`.")]
        pub static $name: Snippet = Snippet {
            name: $file,
            text: include_str!(concat!("../../shaders/shared/", $file, ".wgsl")),
        };
    };
}

snippet!(STEP, "step");
snippet!(THREEFRY, "threefry");
snippet!(INDEX, "index");
snippet!(NUMERIC, "numeric");
snippet!(COLOURS, "colours");

/// All snippets.
pub static SNIPPETS: &[&Snippet] = &[&STEP, &THREEFRY, &INDEX, &NUMERIC, &COLOURS];

/// WGSL that several shaders end with: bindings and entry points around functions that the shader's
/// own file holds.
#[derive(Debug)]
pub struct Skeleton {
    /// The name (`loss/rows`): the file is `shaders/NAME.wgsl`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! skeleton {
    ($name:ident, $file:literal) => {
        #[doc = concat!("The skeleton `shaders/", $file, ".wgsl`.")]
        pub static $name: Skeleton = Skeleton {
            name: $file,
            text: include_str!(concat!("../../shaders/", $file, ".wgsl")),
        };
    };
}

skeleton!(ROWS, "loss/rows");
skeleton!(NUMBERS, "loss/numbers");
skeleton!(FEATURES, "data/features");
skeleton!(PIXELS, "data/pixels");
skeleton!(STEPS, "data/steps");
skeleton!(UNARY, "layer/unary");
skeleton!(POOL, "layer/pool");
skeleton!(RECURRENT, "layer/recurrent");
skeleton!(RECURRENT_LANES, "layer/recurrent_lanes");
skeleton!(RECURRENT_LANES_BACK, "layer/recurrent_lanes_back");

/// All skeletons.
pub static SKELETONS: &[&Skeleton] = &[
    &ROWS,
    &NUMBERS,
    &FEATURES,
    &PIXELS,
    &STEPS,
    &UNARY,
    &POOL,
    &RECURRENT,
    &RECURRENT_LANES,
    &RECURRENT_LANES_BACK,
];

/// A shader: one file, with the snippets that it uses. An own layer makes one from its own WGSL.
#[derive(Debug, Clone)]
pub struct Shader {
    /// The name (`layer/relu`): the file is `shaders/NAME.wgsl`.
    pub name: Cow<'static, str>,
    /// What it computes, in a line.
    pub summary: Cow<'static, str>,
    /// The snippets in front of it, in order.
    pub snippets: Vec<&'static Snippet>,
    /// Its text.
    pub text: Cow<'static, str>,
    /// What stands behind it, where several shaders share that.
    pub skeleton: Option<&'static Skeleton>,
}

/// Where a stretch of composed lines comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    file: String,
    first_line: usize,
}

/// Composed WGSL with its line table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Composed {
    /// The shader's name.
    pub name: String,
    /// The text that the driver gets.
    pub text: String,
    parts: Vec<Part>,
}

impl Shader {
    /// A shader from a text of its own; the form for own layers.
    #[must_use]
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        snippets: &[&'static Snippet],
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            name: name.into(),
            summary: Cow::Borrowed(""),
            snippets: snippets.to_vec(),
            text: text.into(),
            skeleton: None,
        }
    }

    /// The same shader in front of a skeleton.
    #[must_use]
    pub fn on(self, skeleton: &'static Skeleton) -> Self {
        Self {
            skeleton: Some(skeleton),
            ..self
        }
    }

    /// Concatenates the snippets, the file and the skeleton.
    #[must_use]
    pub fn compose(&self) -> Composed {
        let mut composed = Composed {
            name: self.name.to_string(),
            text: String::new(),
            parts: Vec::new(),
        };
        for snippet in &self.snippets {
            composed.push(
                &format!("shaders/shared/{}.wgsl", snippet.name),
                snippet.text,
            );
        }
        composed.push(&format!("shaders/{}.wgsl", self.name), &self.text);
        if let Some(skeleton) = self.skeleton {
            composed.push(&format!("shaders/{}.wgsl", skeleton.name), skeleton.text);
        }
        composed
    }
}

impl Composed {
    fn push(&mut self, file: &str, text: &str) {
        self.parts.push(Part {
            file: file.to_owned(),
            first_line: self.text.lines().count() + 1,
        });
        self.text.push_str(text.trim_end());
        self.text.push_str("\n\n");
    }

    /// The true file and line of a line of the composed text (both from 1).
    #[must_use]
    pub fn origin(&self, line: usize) -> (&str, usize) {
        let part = self
            .parts
            .iter()
            .rev()
            .find(|part| part.first_line <= line)
            .unwrap_or(&self.parts[0]);
        (&part.file, line + 1 - part.first_line)
    }

    /// Parses, validates and reflects the text.
    ///
    /// # Errors
    /// [`Error::Kernel`] with the true file and line.
    pub fn reflect(&self) -> Result<Reflection> {
        self.parse().map(|(_, reflection)| reflection)
    }

    /// The shader as naga has it, and what it binds.
    ///
    /// # Errors
    /// As [`Composed::reflect`].
    pub(super) fn parse(&self) -> Result<(naga::Module, Reflection)> {
        let module = naga::front::wgsl::parse_str(&self.text)
            .map_err(|error| self.error(error.location(&self.text), error.message().to_owned()))?;
        let info = validator().validate(&module).map_err(|error| {
            let causes =
                std::iter::successors(Some(error.as_inner() as &dyn std::error::Error), |error| {
                    error.source()
                });
            let message: Vec<String> = causes.map(ToString::to_string).collect();
            self.error(error.location(&self.text), message.join(": "))
        })?;
        let reflection = reflect::reflect(&module, &info);
        let reflection = reflection.map_err(|problem| self.error(None, problem))?;
        Ok((module, reflection))
    }

    fn error(&self, location: Option<naga::SourceLocation>, message: String) -> Error {
        let problem = match location {
            Some(at) => {
                let (file, line) = self.origin(at.line_number as usize);
                format!("{file}:{line}:{}: {message}", at.line_position)
            }
            None => message,
        };
        Error::Kernel {
            kernel: self.name.clone(),
            problem,
        }
    }
}

/// naga's validator with what the kernels may use: everything portable, and subgroup operations.
#[must_use]
fn validator() -> naga::valid::Validator {
    naga::valid::Validator::new(
        naga::valid::ValidationFlags::all(),
        naga::valid::Capabilities::SUBGROUP,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_snippet_is_valid_alone_and_has_no_bindings() {
        for snippet in SNIPPETS {
            let shader = Shader::new(snippet.name, &[], snippet.text);
            let reflection = shader.compose().reflect().unwrap();
            assert!(reflection.entries.is_empty(), "{}", snippet.name);
            assert!(!snippet.text.contains("@binding"), "{}", snippet.name);
        }
    }

    #[test]
    fn a_mistake_is_reported_at_its_true_file_and_line() {
        let shader = Shader::new(
            "layer/mine",
            &[&INDEX],
            "// one\nfn f() { let x = nothing; }\n",
        );
        let error = shader.compose().reflect().unwrap_err().to_string();
        assert!(error.contains("shaders/layer/mine.wgsl:2:"), "{error}");
    }
}
