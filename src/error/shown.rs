//! Text from outside (paths, names in files, arguments) as a person is shown it: without control
//! characters, which a terminal would obey, and no longer than somebody reads.
//!
//! Whatever is printed passes [`message()`], a line with names from outside also [`line()`].

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serializer;

/// Characters of one line that are shown, at most.
const LINE: usize = 600;
/// Bytes of a whole message, at most.
pub const MESSAGE: usize = 4000;
/// What a message that is too long keeps of its last line, which says what to do.
const LAST: usize = 1000;

/// One line: line ends and control characters are written as escapes (`\n`, `\u{1b}`), and of a long line
/// the middle is left out.
#[must_use]
pub fn line(text: &str) -> String {
    escaped(&cut(text), false)
}

/// A message of several lines: as [`line()`], but line ends stay, and of many lines the last are left out
/// but for the very last.
#[must_use]
pub fn message(text: &str) -> String {
    let mut shown = String::new();
    let mut lines = text.split('\n');
    for line in lines.by_ref() {
        let line = escaped(&cut(line), true);
        if shown.len() + line.len() > MESSAGE - LAST {
            let rest = lines.clone().count();
            let last = lines
                .next_back()
                .map_or(String::new(), |last| escaped(&cut(last), true));
            let kept = prefix(&line, MESSAGE - LAST - shown.len());
            let _ = write!(shown, "{kept} ... (cut, with {rest} more lines)");
            let last = prefix(&last, LAST - 100);
            return if rest > 0 {
                format!("{shown}\n{last}")
            } else {
                shown
            };
        }
        shown.push_str(&line);
        shown.push('\n');
    }
    shown.pop();
    shown
}

/// Text of any length in which control characters are escaped; line ends and tabs stay. With `colours`
/// sequences that only colour text stay, too.
#[must_use]
pub fn text(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}').filter(|_| colours) {
        shown.push_str(&escaped(&rest[..at], true));
        let length = colour(&rest[at..]).max(1);
        let sequence = &rest[at..at + length];
        match length {
            1 => shown.push_str(&escaped(sequence, true)),
            _ => shown.push_str(sequence),
        }
        rest = &rest[at + length..];
    }
    shown.push_str(&escaped(rest, true));
    shown
}

/// A byte of a text that comes piece by piece, with what a terminal would obey escaped.
#[must_use]
pub fn byte(byte: u8) -> Vec<u8> {
    match byte {
        b'\n' | b'\t' => vec![byte],
        0..0x20 | 0x7f => byte.escape_ascii().collect(),
        _ => vec![byte],
    }
}

/// The length of the sequence for a colour (`ESC [ 31 m`) that `text` begins with; 0 for anything else.
fn colour(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let other = numbers.find(|c: char| !c.is_ascii_digit() && c != ';');
    match other.filter(|at| numbers[*at..].starts_with('m')) {
        Some(at) => "\u{1b}[".len() + at + 1,
        None => 0,
    }
}

/// JSON in which what a terminal would obey is escaped as JSON has it: the value stays the same.
#[must_use]
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Outside of strings there are no others.
            '\n' => shown.push(c),
            _ if obeyed(c) => {
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// A path as text in JSON, which knows nothing else.
///
/// # Errors
/// None of its own.
pub fn path<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

/// As [`path()`], where there may be none.
///
/// # Errors
/// None of its own.
#[allow(clippy::ref_option, reason = "serde hands the field over")]
pub fn some_path<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(found) => to.serialize_str(&found.to_string_lossy()),
        None => to.serialize_none(),
    }
}

/// Without the middle of what is too long.
fn cut(text: &str) -> String {
    // Nothing is counted that is far too long.
    if text.len() <= LINE {
        return text.to_owned();
    }
    let all = text.chars().count();
    if all <= LINE {
        return text.to_owned();
    }
    let (head, tail) = (2 * LINE / 3, LINE / 3);
    let start: String = text.chars().take(head).collect();
    let end: Vec<char> = text.chars().rev().take(tail).collect();
    let end: String = end.into_iter().rev().collect();
    format!("{start} ... ({} characters) ... {end}", all - head - tail)
}

/// The first characters of a text that take at most `bytes`.
fn prefix(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

fn escaped(text: &str, lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if lines => shown.push(c),
            _ if obeyed(c) => shown.extend(c.escape_default()),
            _ => shown.push(c),
        }
    }
    shown
}

/// Whether a terminal may do something else with a character than to show it: control characters, and
/// those that turn the direction of what follows.
fn obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        let evil = "a\u{1b}[2Jb\u{7f}c\u{9b}d\r\n\u{202e}e\0";
        let shown = "a\\u{1b}[2Jb\\u{7f}c\\u{9b}d\\r\n\\u{202e}e\\u{0}";
        assert_eq!(message(evil), shown);
        assert_eq!(line(evil), shown.replace('\n', "\\n"));
        assert_eq!(text(evil, true), shown);
        let coloured = "\u{1b}[1;31mred\u{1b}[0m \u{1b}[1;2Hmoved \u{1b}[m\u{1b}";
        let kept = "\u{1b}[1;31mred\u{1b}[0m \\u{1b}[1;2Hmoved \u{1b}[m\\u{1b}";
        assert_eq!(text(coloured, true), kept);
        assert!(!text(coloured, false).contains('\u{1b}'));
        assert_eq!(line("naïve 名 – \\n"), "naïve 名 – \\n");
    }

    #[test]
    fn json_keeps_its_values() {
        let evil: String = ('\0'..'\u{a0}')
            .chain(['\u{202e}', '\u{2066}', 'é'])
            .collect();
        let text = serde_json::to_string_pretty(&[&evil]).unwrap();
        let shown = json(&text);
        assert!(!shown.contains(|c| obeyed(c) && c != '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), [evil]);
    }

    #[test]
    fn a_message_is_cut_to_what_somebody_reads() {
        let name = "é\u{1b}".repeat(50_000_000 / 2);
        let long = format!("{name}: is no archive\nhelp: name another");
        let shown = message(&long);
        assert!(shown.len() <= MESSAGE, "{}", shown.len());
        assert!(
            shown.ends_with("is no archive\nhelp: name another"),
            "{shown}"
        );
        let many = format!("{}help: do this", "error: wrong\n".repeat(100_000));
        let shown = message(&many);
        assert!(
            shown.len() <= MESSAGE && shown.ends_with("help: do this"),
            "{shown}"
        );
        let whole = "one\ntwo\n\n  three";
        assert_eq!(message(whole), whole);
        assert_eq!(message(""), "");
        let worst = "\u{202e}".repeat(100_000);
        for text in [
            worst.clone(),
            format!("{worst}\n{worst}"),
            format!("{worst}\n").repeat(50),
        ] {
            assert!(message(&text).len() <= MESSAGE, "{}", message(&text).len());
        }
    }
}
