//! Symbols and their numbers: a text becomes tokens, tokens become a text.

use std::collections::BTreeSet;

/// How symbols stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Each is a character.
    Chars,
    /// They are the 256 bytes.
    Bytes,
    /// Each is a word, with a space between two.
    Words,
}

/// The symbols of a text, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    symbols: Vec<String>,
    form: Form,
}

/// A byte as a symbol: itself where it is a printable character of ASCII, else `\x0a`.
fn byte(value: u8) -> String {
    match value {
        b'\\' => "\\\\".to_owned(),
        b' '..=b'~' => char::from(value).to_string(),
        _ => format!("\\x{value:02x}"),
    }
}

impl Vocabulary {
    /// The characters of a text, sorted.
    #[must_use]
    pub fn chars(text: &str) -> Self {
        Self::of_chars(text.chars())
    }

    /// These characters, sorted.
    #[must_use]
    pub fn of_chars(chars: impl Iterator<Item = char>) -> Self {
        let set: BTreeSet<char> = chars.collect();
        Self {
            symbols: set.iter().map(char::to_string).collect(),
            form: Form::Chars,
        }
    }

    /// The 256 bytes.
    #[must_use]
    pub fn bytes() -> Self {
        Self {
            symbols: (0..=255).map(byte).collect(),
            form: Form::Bytes,
        }
    }

    /// The vocabulary with these symbols: of bytes or of characters where they are such, of words
    /// else.
    #[must_use]
    pub fn of(symbols: &[String]) -> Self {
        let bytes = Self::bytes();
        if bytes.symbols == symbols {
            return bytes;
        }
        let single = |symbol: &String| symbol.chars().count() == 1;
        Self {
            symbols: symbols.to_vec(),
            form: match symbols.iter().all(single) {
                true => Form::Chars,
                false => Form::Words,
            },
        }
    }

    /// Whether the symbols are the 256 bytes: any file is a text of these.
    #[must_use]
    pub fn is_bytes(&self) -> bool {
        self.form == Form::Bytes
    }

    /// The symbols, in the order of their numbers.
    #[must_use]
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// The numbers of a text's symbols.
    ///
    /// # Errors
    /// The first symbol that it does not have.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let number = |symbol: &str| {
            let place = match self.form {
                Form::Chars => {
                    let symbols = &self.symbols;
                    let sorted = symbols.binary_search_by(|s| s.as_str().cmp(symbol)).ok();
                    sorted.or_else(|| symbols.iter().position(|s| s == symbol))
                }
                _ => self.symbols.iter().position(|s| s == symbol),
            };
            let place = place.ok_or_else(|| symbol.to_owned())?;
            Ok(place as u32)
        };
        match self.form {
            Form::Bytes => Ok(text.bytes().map(u32::from).collect()),
            Form::Words => text.split_whitespace().map(number).collect(),
            Form::Chars => {
                let mut buffer = [0; 4];
                text.chars()
                    .map(|char| number(char.encode_utf8(&mut buffer)))
                    .collect()
            }
        }
    }

    /// The bytes of a token's text, where `first` says whether nothing stands in front of it; nothing
    /// for a number that no symbol has.
    #[must_use]
    pub fn decode(&self, token: u32, first: bool) -> Vec<u8> {
        let symbol = self.symbols.get(token as usize);
        match (self.form, symbol) {
            (_, None) => Vec::new(),
            (Form::Bytes, _) => vec![token as u8],
            (Form::Words, Some(word)) if !first => format!(" {word}").into_bytes(),
            (_, Some(symbol)) => symbol.clone().into_bytes(),
        }
    }

    /// The text of tokens; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, tokens: &[u32]) -> String {
        let pieces = tokens.iter().enumerate();
        let bytes: Vec<u8> = pieces
            .flat_map(|(at, token)| self.decode(*token, at == 0))
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_tokens_and_texts_again() {
        let text = "Ein Öl,\nein \\ Text.";
        let chars = Vocabulary::chars(text);
        assert!(chars.symbols().is_sorted());
        for vocabulary in [chars.clone(), Vocabulary::bytes()] {
            let tokens = vocabulary.encode(text).unwrap();
            assert_eq!(vocabulary.text(&tokens), text);
            assert_eq!(Vocabulary::of(vocabulary.symbols()), vocabulary);
        }
        assert_eq!(chars.encode("zz"), Err("z".to_owned()));
        let words = Vocabulary::of(&["one".into(), ".".into(), "two".into()]);
        assert_eq!(words.encode("one . two").unwrap(), [0, 1, 2]);
        assert_eq!(words.text(&[2, 1, 0]), "two . one");
        assert_eq!(words.text(&[7]), "");
    }
}
