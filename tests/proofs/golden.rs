//! Golden files as the proofs read them: a missing key is named.

use serde_json::Value;

/// A value of a golden file with the way to it, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    way: String,
    value: Value,
}

/// `tests/golden/PATH`.
pub(crate) fn read(path: &str) -> Case {
    let file = format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    Case {
        way: path.to_owned(),
        value: serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}")),
    }
}

impl Case {
    pub(crate) fn get(&self, key: &str) -> Self {
        let way = format!("{}: {key}", self.way);
        match self.value.get(key) {
            Some(value) => Self {
                way,
                value: value.clone(),
            },
            None => panic!("{way} is missing"),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    pub(crate) fn list(&self) -> Vec<Self> {
        let list = self.value.as_array();
        let list = list.unwrap_or_else(|| panic!("{} is no list", self.way));
        let item = |(i, value): (usize, &Value)| Self {
            way: format!("{}[{i}]", self.way),
            value: value.clone(),
        };
        list.iter().enumerate().map(item).collect()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let table = self.value.as_object();
        let table = table.unwrap_or_else(|| panic!("{} is no table", self.way));
        table.keys().cloned().collect()
    }

    pub(crate) fn number(&self) -> f64 {
        let number = self.value.as_f64();
        number.unwrap_or_else(|| panic!("{} is no number", self.way))
    }

    pub(crate) fn numbers(&self) -> Vec<f64> {
        self.list().iter().map(Self::number).collect()
    }

    pub(crate) fn text(&self) -> String {
        let text = self.value.as_str();
        text.unwrap_or_else(|| panic!("{} is no text", self.way))
            .to_owned()
    }

    pub(crate) fn flag(&self) -> bool {
        let flag = self.value.as_bool();
        flag.unwrap_or_else(|| panic!("{} is neither true nor false", self.way))
    }

    /// The elements of a tensor.
    pub(crate) fn data(&self) -> Vec<f64> {
        self.get("data").numbers()
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        let shape = self.get("shape").numbers();
        shape.into_iter().map(|side| side as usize).collect()
    }

    /// The elements of a tensor whose numbers are exact in f32.
    pub(crate) fn floats(&self) -> Vec<f32> {
        let float = |x: f64| {
            assert_eq!(f64::from(x as f32), x, "{}", self.way);
            x as f32
        };
        self.data().into_iter().map(float).collect()
    }
}
