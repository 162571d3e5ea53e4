//! A CSV file, row by row: every problem is told with line and column.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use ::csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use crate::error::{Error, Result};

/// What may stand between fields; the first is the usual one.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The longest first line that is looked at.
const LONGEST_HEADER: u64 = 1 << 20;

/// The length of files together.
pub(super) fn bytes(files: &[PathBuf]) -> Result<u64> {
    let length = |file: &PathBuf| {
        let about = std::fs::metadata(file);
        about.map(|about| about.len()).map_err(|error| {
            let help = "check the name, and the permissions of the file and its folder";
            Error::data(file, format!("cannot be read: {error}"), help)
        })
    };
    files.iter().map(length).sum()
}

/// A CSV file with a header, of UTF-8; fields are parted by commas, semicolons, tabs or bars, whichever
/// the header has most of, and may be quoted (RFC 4180).
#[derive(Debug)]
pub struct Csv {
    path: PathBuf,
    reader: Reader<BufReader<File>>,
    header: Vec<String>,
    record: StringRecord,
    delimiter: u8,
    ends: Ends,
    /// Records that were read, the header included.
    records: u64,
    /// Bytes of the file, a mark of its encoding not counted.
    length: u64,
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    LineFeed,
    /// The reader counts a line at its second byte, which it takes with the next row.
    Both,
    /// The reader counts none.
    CarriageReturn,
}

impl Ends {
    fn of(first: &[u8]) -> Self {
        match (first.ends_with(b"\r\n"), first.contains(&b'\n')) {
            (true, _) => Self::Both,
            (false, false) if first.contains(&b'\r') => Self::CarriageReturn,
            _ => Self::LineFeed,
        }
    }
}

impl Csv {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that cannot be read, is empty, is of another encoding, or has a header
    /// with numbers, or with a name twice; one column may have none.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| {
            let help = "check the name, and the permissions of the file and its folder";
            Error::data(path, format!("cannot be read: {error}"), help)
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut first = Vec::new();
        let mut begin = BufReader::new(&mut file).take(LONGEST_HEADER);
        begin.read_until(b'\n', &mut first).map_err(unreadable)?;
        if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
            return Err(encoding(path, "is UTF-16"));
        }
        if first.contains(&0) {
            let help = "give a text file with a line for each row";
            return Err(Error::data(
                path,
                "holds bytes of 0; expected a CSV file of text",
                help,
            ));
        }
        let mark = if first.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        file.seek(SeekFrom::Start(mark)).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len() - mark;
        let delimiter = delimiter(&first);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .from_reader(BufReader::new(file));
        let mut csv = Self {
            path: path.to_owned(),
            reader,
            header: Vec::new(),
            record: StringRecord::new(),
            delimiter,
            ends: Ends::of(&first),
            records: 0,
            length,
        };
        if !csv.read()? {
            let help = "give a file with a header and a line for each row";
            return Err(Error::data(
                path,
                "is empty; expected a header and rows",
                help,
            ));
        }
        csv.header = csv
            .record
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        csv.check_header()?;
        Ok(csv)
    }

    /// The names of the columns.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// What stands between fields.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The next row, field by field; nothing at the end.
    ///
    /// # Errors
    /// [`Error::Data`] for a row of another length than the header, a quote that never closes, or bytes
    /// that are no UTF-8, each with the line.
    pub fn next_row(&mut self) -> Result<Option<&StringRecord>> {
        Ok(self.read()?.then_some(&self.record))
    }

    /// The row that was read last.
    #[must_use]
    pub fn row(&self) -> &StringRecord {
        &self.record
    }

    /// An error about a field of the row that was read last: `found` says what it is, `expected` what it
    /// should be.
    #[must_use]
    pub fn wrong(&self, column: usize, expected: &str, help: &str) -> Error {
        let found: String = self
            .record
            .get(column)
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        let name = &self.header[column];
        let problem = format!(
            "line {}, column {} ({name}): {found:?}; expected {expected}",
            self.line(),
            column + 1
        );
        Error::data(&self.path, problem, help)
    }

    /// The line on which the row that was read last begins, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.at(self.record.position().map_or(1, ::csv::Position::line))
    }

    /// The line that the reader takes for `line`.
    fn at(&self, line: u64) -> u64 {
        match self.ends {
            Ends::LineFeed => line,
            Ends::Both => line + u64::from(self.records > 1),
            Ends::CarriageReturn => self.records,
        }
    }

    fn read(&mut self) -> Result<bool> {
        self.records += 1;
        let before = self.reader.position().line();
        let read = self.reader.read_record(&mut self.record);
        // A quote that never closes takes at least the end of its line in.
        let last = self.record.iter().next_back().unwrap_or_default();
        let many_lines = self.reader.position().line() > before + 1 || last.ends_with(['\n', '\r']);
        let open = |line: u64| {
            let problem = format!(
                "line {line}: a quote opens in this row and never closes; expected \" at its end"
            );
            Error::data(
                &self.path,
                problem,
                "close the quote, or write a quote within a field twice (\"\")",
            )
        };
        match read {
            // The file ends within quotes: the last field holds the rest of it.
            Ok(true)
                if many_lines
                    && self.reader.position().byte() >= self.length
                    && self.ends_open()? =>
            {
                Err(open(self.at(before)))
            }
            Ok(more) => Ok(more),
            Err(error) => Err(match error.kind() {
                ErrorKind::UnequalLengths {
                    len,
                    expected_len,
                    pos,
                } => {
                    let line = self.at(pos.as_ref().map_or(before, ::csv::Position::line));
                    if many_lines && self.ends_open()? {
                        open(line)
                    } else {
                        self.ragged(line, *len, *expected_len)
                    }
                }
                ErrorKind::Utf8 { pos, err } => {
                    let line = self.at(pos.as_ref().map_or(before, ::csv::Position::line));
                    let what = format!("line {line}, column {}: is no UTF-8", err.field() + 1);
                    encoding(&self.path, &what)
                }
                _ => Error::data(
                    &self.path,
                    format!("cannot be read: {error}"),
                    "check the file and its disk",
                ),
            }),
        }
    }

    /// Whether the file has an odd number of quotes.
    fn ends_open(&self) -> Result<bool> {
        let unreadable = |error: std::io::Error| {
            Error::data(
                &self.path,
                format!("cannot be read: {error}"),
                "check the file and its disk",
            )
        };
        let mut file = BufReader::new(File::open(&self.path).map_err(unreadable)?);
        let mut quotes = 0;
        loop {
            let bytes = file.fill_buf().map_err(unreadable)?;
            if bytes.is_empty() {
                return Ok(quotes % 2 == 1);
            }
            quotes += bytes.iter().filter(|byte| **byte == b'"').count();
            let read = bytes.len();
            file.consume(read);
        }
    }

    fn ragged(&self, line: u64, found: u64, expected: u64) -> Error {
        let fields = |n: u64| match n {
            1 => "1 field".to_owned(),
            n => format!("{n} fields"),
        };
        let problem = format!(
            "line {line} has {}; expected {}, as the header has",
            fields(found),
            fields(expected)
        );
        let help = "write as many fields in every line, and quote those that hold a delimiter";
        Error::data(&self.path, problem, help)
    }

    fn check_header(&self) -> Result<()> {
        let wrong = |problem: String, help: &str| Err(Error::data(&self.path, problem, help));
        let is_number = |name: &String| name.parse::<f64>().is_ok();
        if self.header.iter().all(is_number) {
            return wrong(
                format!(
                    "has no header: its first line holds numbers ({})",
                    self.header.join(", ")
                ),
                "add a first line with the names of the columns",
            );
        }
        for (at, name) in self.header.iter().enumerate() {
            if let Some(first) = self.header[..at].iter().position(|other| other == name) {
                let names = match name.is_empty() {
                    true => "have no name".to_owned(),
                    false => format!("are both called {name}"),
                };
                return wrong(
                    format!(
                        "line 1: columns {} and {} {names}; expected each name once",
                        first + 1,
                        at + 1
                    ),
                    "rename one of them",
                );
            }
        }
        Ok(())
    }
}

fn encoding(path: &Path, what: &str) -> Error {
    let help = "convert it (iconv -f LATIN1 -t UTF-8, or the encoding that it has)";
    Error::data(path, format!("{what}; expected text in UTF-8"), help)
}

/// What the first line has most of, outside of quotes.
fn delimiter(line: &[u8]) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        let outside = line.iter().filter(|byte| {
            quoted ^= **byte == b'"';
            !quoted && **byte == delimiter
        });
        outside.count()
    };
    let best = DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| count(*delimiter));
    best.unwrap_or(DELIMITERS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Vec<String>>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut csv = Csv::open(file.path())?;
        let mut rows = vec![csv.header().to_vec()];
        while let Some(row) = csv.next_row()? {
            rows.push(row.iter().map(String::from).collect());
        }
        Ok(rows)
    }

    #[test]
    fn fields_are_parted_by_what_the_header_has_most_of() {
        for text in [
            "a,b\n1,2\n",
            "a;b\r\n1;2\r\n",
            "a\tb\n1\t2",
            "\u{feff}a|b\n1|2\n",
        ] {
            assert_eq!(
                rows(text.as_bytes()).unwrap(),
                [["a", "b"], ["1", "2"]],
                "{text:?}"
            );
        }
        let quoted = rows(b"\"a;b;c\",d\n\"x\ny\",\"5\"\"\"\n").unwrap();
        assert_eq!(quoted, [["a;b;c", "d"], ["x\ny", "5\""]]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "is empty"),
            (b"a,b\n1,2\n3\n", "line 3 has 1 field; expected 2 fields"),
            (
                b"1,2\n3,4\n",
                "has no header: its first line holds numbers (1, 2)",
            ),
            (b"a,b,a\n", "columns 1 and 3 are both called a"),
            (b"a,,b,\n", "columns 2 and 4 have no name"),
            (b"a,b\n1,\"2\n3,4\n5,6\n", "line 2: a quote opens"),
            (b"a,b\n1,2\n\"3,4\n5,6\n", "line 3: a quote opens"),
            (b"a,b\n1,2\n3,\xe4\n", "line 3, column 2: is no UTF-8"),
            (b"\xff\xfea\0,\0b\0", "is UTF-16"),
        ];
        for (text, expected) in cases {
            let error = rows(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
