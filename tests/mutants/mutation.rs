//! How an input is damaged: drawn from its kind and number.

use wavetrain::rng::{Key, Stream};

/// Random numbers of one mutant.
pub(crate) struct Damage {
    key: Key,
    drawn: u32,
}

/// What has a meaning in some format, or is at a bound.
const PIECES: [&[u8]; 16] = [
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x1b[2J\x1b]0;x\x07",
    b"\xc2\x9b31m\xe2\x80\xae",
    b"1e999",
    b"-1",
    b"99999999999999999999",
    b"nan",
    b"null",
    b"\"",
    b"[[[[[[[[",
    b"}",
    b"\r\n\n\n= \n",
];

/// Arguments that commands have, or might be thought to have.
const WORDS: [&str; 36] = [
    "train",
    "find",
    "compare",
    "eval",
    "predict",
    "generate",
    "export",
    "schedule",
    "plan",
    "presets",
    "data",
    "devices",
    "kernels",
    "replay",
    "report",
    "runs",
    "--set",
    "--json",
    "--seed",
    "--out",
    "--steps",
    "--format",
    "csv",
    "schedule.policy=cosine",
    "schedule.lr=1e400",
    "model.layers=[",
    "data.batch=0",
    "glyphs",
    "mnist-mlp",
    "./nothing.toml",
    "-",
    "--",
    "--adapter",
    "--dry-run",
    "--resume",
    "--vary",
];

impl Damage {
    pub(crate) fn new(kind: &str, number: u64) -> Self {
        let kind = kind
            .bytes()
            .fold(0_u64, |sum, byte| 31 * sum + u64::from(byte));
        Self {
            key: Key::new(kind, Stream::Bench, number),
            drawn: 0,
        }
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.drawn += 1;
        self.key.words(self.drawn, 0)[0] as usize % end.max(1)
    }

    /// A place, the first bytes more often than others: headers decide most.
    fn place(&mut self, length: usize) -> usize {
        match self.below(3) {
            0 => self.below(length.min(64)),
            1 => self.below(length.min(1024)),
            _ => self.below(length),
        }
    }

    /// The bytes with one to four damages.
    pub(crate) fn apply(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.below(4) {
            self.once(&mut bytes);
        }
        bytes
    }

    fn once(&mut self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes.len());
        let length = 1 + self.below(64);
        let end = (at + length).min(bytes.len());
        let piece = PIECES[self.below(PIECES.len())];
        match self.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at.min(end)..end)),
            4 => drop(bytes.splice(at..at, piece.iter().copied())),
            5 => drop(bytes.splice(at.min(end)..end, piece.iter().copied())),
            6 => {
                let copied = bytes[at.min(end)..end].repeat(1 + self.below(40));
                drop(bytes.splice(at..at, copied));
            }
            _ => self.number(bytes, at),
        }
    }

    /// Writes another number over the next digits from `at` on.
    fn number(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(first) = bytes[at..].iter().position(u8::is_ascii_digit) else {
            return;
        };
        let start = at + first;
        let rest = bytes[start..]
            .iter()
            .position(|byte| !byte.is_ascii_digit());
        let end = rest.map_or(bytes.len(), |rest| start + rest);
        let numbers = [
            "0",
            "-1",
            "4294967296",
            "18446744073709551615",
            "1e39",
            "0.5",
            "16384",
        ];
        let number = numbers[self.below(numbers.len())].bytes();
        drop(bytes.splice(start..end, number));
    }

    /// Up to five arguments; none of them lets the program do anything for long.
    pub(crate) fn arguments(&mut self) -> Vec<String> {
        let mut all: Vec<String> = (0..=self.below(5)).map(|_| self.argument()).collect();
        all.extend(["--adapter".to_owned(), "nowhere".to_owned()]);
        all
    }

    fn argument(&mut self) -> String {
        let word = WORDS[self.below(WORDS.len())];
        match self.below(3) {
            0 => {
                let bytes = self.apply(word.as_bytes().to_vec());
                // No argument holds a zero.
                String::from_utf8_lossy(&bytes).replace('\0', "")
            }
            _ => word.to_owned(),
        }
    }
}
