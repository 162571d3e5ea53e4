//! All texts of a configuration in one table, each laid over those before it.

use toml::de::DeTable;

use super::layers::stack;
use super::problem::Problem;
use super::text::{Origin, Text, Texts, shift_table};

/// All texts in one table: the defaults, the document, the arguments.
pub(super) fn merged(texts: &Texts) -> Result<DeTable<'_>, Vec<Problem>> {
    let mut merged = DeTable::new();
    let mut defaults = DeTable::new();
    for text in texts.iter() {
        match text.origin {
            Origin::Defaults => {
                defaults = document(text).map_err(|problem| vec![problem])?;
                merged = defaults.clone();
            }
            Origin::Document(_) => {
                let table = document(text).map_err(|problem| vec![problem])?;
                stack(&mut merged, table, &defaults).map_err(|problem| vec![problem])?;
            }
            Origin::Argument => {}
        }
    }
    let last = super::arguments::layer(texts)?;
    stack(&mut merged, last, &defaults).map_err(|problem| vec![problem])?;
    Ok(merged)
}

fn document(text: &Text) -> Result<DeTable<'_>, Problem> {
    match DeTable::parse(&text.text) {
        Ok(table) => Ok(shift_table(table.into_inner(), text.start)),
        Err(error) => {
            let problem = Problem::keyless(format!("this is not TOML: {}", error.message().trim()));
            Err(match error.span() {
                Some(span) => problem.at(span.start + text.start..span.end + text.start),
                None => problem,
            })
        }
    }
}
