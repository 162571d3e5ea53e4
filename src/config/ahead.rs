//! Networks in which a step of a sequence sees those behind it.

use toml::Value;

use super::Config;

impl Config {
    /// The first layer that shows steps of a sequence to the steps before them, in words: a recurrent
    /// one of two directions, attention that is not causal.
    #[must_use]
    pub fn looks_ahead(&self) -> Option<&'static str> {
        let mut layers = self.layers.iter();
        layers.find_map(|layer| looks_ahead(layer.name(), &Value::Table(layer.arguments())))
    }
}

/// [`Config::looks_ahead`] of one layer and those inside it, or of a list of them.
fn looks_ahead(name: &str, arguments: &Value) -> Option<&'static str> {
    let set = |key: &str| arguments.get(key).and_then(Value::as_bool) == Some(true);
    match (name, arguments) {
        ("rnn" | "gru" | "lstm", _) if set("bidirectional") => Some("a bidirectional layer"),
        ("multihead_attention", _) if !set("causal") => Some("attention that is not causal"),
        (_, Value::Table(inside)) => inside
            .iter()
            .find_map(|(name, value)| looks_ahead(name, value)),
        (_, Value::Array(layers)) => layers.iter().find_map(|layer| looks_ahead("", layer)),
        _ => None,
    }
}
