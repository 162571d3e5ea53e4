//! A text in its file: gone through once, then read from where its tokens are needed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Tokens;
use crate::data::{TokenStream, Vocabulary};
use crate::error::{Error, Result};
use crate::source::part::Part;

/// Bytes that are gone through at a time.
const BLOCK: usize = 1 << 20;
/// Of so many characters the place of the first is known: 8 bytes for each 1,024.
const EVERY: usize = 1024;
/// Characters that there may be.
const CHARS: usize = char::MAX as usize + 1;

/// A text file that was gone through.
#[derive(Debug)]
pub(super) struct TextFile {
    path: PathBuf,
    /// Bytes of the mark of its encoding, before the part.
    mark: u64,
    part: Part,
    form: Tokens,
    /// Number of tokens.
    count: usize,
    /// The first byte of every [`EVERY`]th character, and the end; nothing where tokens are bytes.
    starts: Vec<u64>,
    /// For each byte or character, by its number, whether it is there.
    found: Vec<bool>,
}

impl TextFile {
    /// Goes through a file.
    ///
    /// # Errors
    /// A file that cannot be read, or is no text in UTF-8 where tokens are characters.
    pub(super) fn open(path: &Path, form: Tokens) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "reading"))?;
        let whole = file.metadata().map_err(Error::io(path, "reading"))?.len();
        let mark = match form {
            Tokens::Chars => mark(&file, path)?,
            Tokens::Bytes => 0,
        };
        let bytes = whole - mark;
        let mut text = Self {
            path: path.to_owned(),
            mark,
            part: Part::new(file, path, [mark, bytes])?,
            form,
            count: 0,
            starts: Vec::new(),
            found: vec![
                false;
                match form {
                    Tokens::Chars => CHARS,
                    Tokens::Bytes => 256,
                }
            ],
        };
        let mut block = Vec::new();
        // Where the block begins: with what was left of the one before.
        let (mut at, mut end) = (0, 0);
        while end < bytes {
            let (left, more) = (block.len(), (BLOCK as u64).min(bytes - end) as usize);
            block.resize(left + more, 0);
            text.part.read(end, &mut block[left..])?;
            end += more as u64;
            let taken = match form {
                Tokens::Bytes => text.take_bytes(&block),
                Tokens::Chars => text.take_chars(&block, at, end == bytes)?,
            };
            block.drain(..taken);
            at += taken as u64;
        }
        text.starts.push(bytes);
        Ok(text)
    }

    fn take_bytes(&mut self, block: &[u8]) -> usize {
        block
            .iter()
            .for_each(|byte| self.found[usize::from(*byte)] = true);
        self.count += block.len();
        block.len()
    }

    /// Takes the characters of a block that begins at byte `at` in; gives how many bytes they have. One that
    /// is cut by the end of the block stays, unless it `is_last`.
    fn take_chars(&mut self, block: &[u8], at: u64, is_last: bool) -> Result<usize> {
        let text = match std::str::from_utf8(block) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && !is_last => {
                std::str::from_utf8(&block[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) => {
                let first = self.mark + at + error.valid_up_to() as u64;
                return Err(Error::data(
                    &self.path,
                    format!("is no UTF-8 from byte {first} on; expected a text"),
                    "convert it (iconv -t UTF-8), or set data.tokens = \"bytes\"",
                ));
            }
        };
        for (place, char) in text.char_indices() {
            if self.count.is_multiple_of(EVERY) {
                self.starts.push(at + place as u64);
            }
            self.found[char as usize] = true;
            self.count += 1;
        }
        Ok(text.len())
    }

    /// Number of tokens.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// For each byte or character, by its number, whether the text has it.
    pub(super) fn found(&self) -> &[bool] {
        &self.found
    }

    /// The same, whose symbols have the numbers of a vocabulary that has them all.
    pub(super) fn numbered(mut self, vocabulary: &Vocabulary) -> Numbered {
        // It is as long as there are characters.
        self.found = Vec::new();
        let chars = match self.form {
            Tokens::Bytes => Vec::new(),
            Tokens::Chars => vocabulary
                .symbols()
                .iter()
                .flat_map(|symbol| symbol.chars())
                .collect(),
        };
        let mut ascii = [None; 128];
        for (number, char) in (0..).zip(&chars) {
            if let Some(place) = ascii.get_mut(*char as usize) {
                *place = Some(number);
            }
        }
        Numbered {
            text: self,
            chars,
            ascii,
        }
    }
}

/// Bytes of the mark that a text in UTF-8 may begin with, which is no character of it.
///
/// # Errors
/// The mark of another encoding.
fn mark(file: &File, path: &Path) -> Result<u64> {
    let mut first = Vec::new();
    let read = file.take(3).read_to_end(&mut first);
    read.map_err(Error::io(path, "reading"))?;
    match first[..] {
        [0xef, 0xbb, 0xbf] => Ok(3),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(Error::data(
            path,
            "is UTF-16; expected a text in UTF-8",
            "convert it (iconv -f UTF-16 -t UTF-8), or set data.tokens = \"bytes\"",
        )),
        _ => Ok(0),
    }
}

/// A text whose symbols have numbers.
#[derive(Debug)]
pub(super) struct Numbered {
    text: TextFile,
    /// The character of each number, sorted; none where tokens are bytes.
    chars: Vec<char>,
    /// The numbers of those of ASCII, which are asked for most.
    ascii: [Option<u32>; 128],
}

/// A part of a text that stays in its file.
#[derive(Debug)]
pub(super) struct InFile {
    of: Arc<Numbered>,
    first: usize,
    count: usize,
}

impl InFile {
    /// `count` tokens from place `first` on.
    pub(super) fn new(of: &Arc<Numbered>, first: usize, count: usize) -> Self {
        Self {
            of: Arc::clone(of),
            first,
            count,
        }
    }
}

impl TokenStream for InFile {
    fn len(&self) -> usize {
        self.count
    }

    fn read(&self, first: usize, into: &mut [u32]) -> Result<()> {
        self.of.read(self.first + first, into)
    }

    fn residence(&self) -> &'static str {
        "in their file"
    }
}

impl Numbered {
    fn read(&self, first: usize, into: &mut [u32]) -> Result<()> {
        let text = &self.text;
        if text.form == Tokens::Bytes {
            let mut bytes = vec![0; into.len()];
            text.part.read(first as u64, &mut bytes)?;
            for (into, byte) in into.iter_mut().zip(bytes) {
                *into = u32::from(byte);
            }
            return Ok(());
        }
        let last = (first + into.len())
            .div_ceil(EVERY)
            .min(text.starts.len() - 1);
        let (from, end) = (text.starts[first / EVERY], text.starts[last]);
        let mut bytes = vec![0; (end - from) as usize];
        text.part.read(from, &mut bytes)?;
        let changed = || {
            Error::data(
                &text.path,
                "was changed since it was opened; expected a file that stays as it is while it is trained on",
                "run again when nothing writes to the file",
            )
        };
        let read = std::str::from_utf8(&bytes).map_err(|_| changed())?;
        let mut chars = read.chars().skip(first % EVERY);
        for into in into {
            let number = chars.next().and_then(|char| self.number(char));
            *into = number.ok_or_else(changed)?;
        }
        Ok(())
    }

    fn number(&self, char: char) -> Option<u32> {
        match self.ascii.get(char as usize) {
            Some(number) => *number,
            None => {
                let number = self.chars.binary_search(&char).ok()?;
                Some(number as u32)
            }
        }
    }
}
