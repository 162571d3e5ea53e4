//! Tables: how the fields of a row become what a network is given, column by column.

use serde::{Deserialize, Serialize};

/// Columns of a table in the order in which they become features, and what is predicted from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The columns that are inputs.
    pub columns: Vec<Column>,
    /// The columns that are predicted.
    pub target: Vec<String>,
}

/// A column that is an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The values of a column of texts, sorted: a feature for each, 1 where it is the row's. Empty for
    /// a column of numbers, which is one feature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What stands for a value that is missing, beside a feature that says so; nothing where none may be
    /// missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<f64>,
}

/// Words for a value that is missing.
const MISSING: [&str; 9] = ["", "na", "nan", "?", "n/a", "null", "none", "#n/a", "<na>"];

/// Whether a field says that its value is missing: it is empty, or one of `NA`, `NaN`, `?`, `N/A`,
/// `null`, `None`, `#N/A`, `<NA>` in any case.
#[must_use]
pub fn is_missing(field: &str) -> bool {
    let field = field.trim();
    MISSING.iter().any(|word| field.eq_ignore_ascii_case(word))
}

/// The number in a field, as far as f32 holds it.
///
/// # Errors
/// What is expected of it, where it is none, or not finite in f32.
pub fn number(field: &str) -> Result<f32, &'static str> {
    exact(field).map(|value| value as f32)
}

/// The number in a field as it stands there, where f32 holds one near it.
///
/// # Errors
/// As [`number`].
pub(crate) fn exact(field: &str) -> Result<f64, &'static str> {
    match field.trim().parse::<f64>() {
        Err(_) => Err("a number"),
        Ok(value) if (value as f32).is_finite() => Ok(value),
        Ok(_) => Err("a finite number that 32 bits hold"),
    }
}

impl Column {
    /// Features that it becomes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.values.len().max(1) + usize::from(self.missing.is_some())
    }

    /// Whether a field has a text that is none of the values.
    #[must_use]
    pub fn is_unknown(&self, field: &str) -> bool {
        let field = field.trim();
        let known = self.values.iter().any(|value| value == field);
        !self.values.is_empty() && !known && !is_missing(field)
    }

    /// Adds the features of a field to `row`.
    ///
    /// # Errors
    /// What is expected of the field, in words.
    pub fn encode(&self, field: &str, row: &mut Vec<f32>) -> Result<(), String> {
        let missing = is_missing(field);
        match (self.missing, missing) {
            (None, true) => return Err(self.expected("a value")),
            (Some(instead), true) if self.values.is_empty() => row.push(instead as f32),
            (_, false) if self.values.is_empty() => {
                row.push(number(field).map_err(|what| self.expected(what))?);
            }
            // A text that no row had before is none of the values.
            _ => row.extend(
                self.values
                    .iter()
                    .map(|value| f32::from(u8::from(value == field.trim()))),
            ),
        }
        row.extend(self.missing.map(|_| f32::from(u8::from(missing))));
        Ok(())
    }

    fn expected(&self, what: &str) -> String {
        match self.values.is_empty() {
            true => format!("{what}, as in the rest of the column"),
            false => format!("{what}, such as {:?}", self.values[0]),
        }
    }
}

impl Table {
    /// Features of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// Whether each feature is 0 or 1 for good: normalisation leaves it as it is.
    #[must_use]
    pub fn flags(&self) -> Vec<bool> {
        let flags = self.columns.iter().flat_map(|column| {
            let values = match column.values.is_empty() {
                true => vec![false],
                false => vec![true; column.values.len()],
            };
            values.into_iter().chain(column.missing.map(|_| true))
        });
        flags.collect()
    }

    /// The names of the features: `age`, `sex = M`, `age is missing`.
    #[must_use]
    pub fn features(&self) -> Vec<String> {
        let names = self.columns.iter().flat_map(|column| {
            let name = &column.name;
            let values = column
                .values
                .iter()
                .map(move |value| format!("{name} = {value}"));
            let number = column.values.is_empty().then(|| name.clone());
            let missing = column.missing.map(|_| format!("{name} is missing"));
            number.into_iter().chain(values).chain(missing)
        });
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            columns: vec![
                Column {
                    name: "age".into(),
                    values: Vec::new(),
                    missing: Some(40.5),
                },
                Column {
                    name: "sex".into(),
                    values: vec!["F".into(), "M".into()],
                    missing: None,
                },
            ],
            target: vec!["bmi".into()],
        }
    }

    #[test]
    fn columns_become_features() {
        let table = table();
        assert_eq!(
            table.features(),
            ["age", "age is missing", "sex = F", "sex = M"]
        );
        assert_eq!(table.flags(), [false, true, true, true]);
        assert_eq!(table.width(), 4);
        let row = |fields: [&str; 2]| {
            let mut row = Vec::new();
            let mut pairs = table.columns.iter().zip(fields);
            let done = pairs.try_for_each(|(c, f)| c.encode(f, &mut row));
            done.map(|()| row)
        };
        assert_eq!(row([" 21 ", "M"]).unwrap(), [21.0, 0.0, 0.0, 1.0]);
        assert_eq!(row(["NA", "F"]).unwrap(), [40.5, 1.0, 1.0, 0.0]);
        assert_eq!(row(["1e3", "X"]).unwrap(), [1000.0, 0.0, 0.0, 0.0]);
        assert!(row(["21", "?"]).unwrap_err().contains("such as \"F\""));
        assert!(row(["old", "F"]).unwrap_err().contains("a number"));
        assert!(row(["1e40", "F"]).unwrap_err().contains("32 bits"));
    }
}
