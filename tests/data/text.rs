//! Texts: in memory or in their file, the same tokens.

use std::fs;
use std::path::Path;

use wavetrain::args::Args;
use wavetrain::data::{Dataset, Loading, Samples, Vocabulary};
use wavetrain::error::Error;
use wavetrain::source::{Cache, Request, Source, source};

fn load(place: &Path, arguments: &str, cache: Cache) -> Result<Dataset, Error> {
    let parse = source("text").unwrap().parse;
    let text: Box<dyn Source> = parse(Args::parse(arguments).unwrap()).unwrap();
    let request = Request {
        dir: Some(place.into()),
        cache,
        ..Request::default()
    };
    text.open(&request, &|_| {})
}

/// All tokens, read in portions of `portion`.
fn tokens(samples: &Samples, portion: usize) -> Vec<u32> {
    let stream = samples.inputs().stream().unwrap();
    let mut tokens = vec![0; stream.len()];
    for (at, into) in (0..).step_by(portion).zip(tokens.chunks_mut(portion)) {
        stream.read(at, into).unwrap();
    }
    tokens
}

/// A text of more than two blocks of 1 MiB, whose characters have one to four bytes: some are cut where a
/// block ends.
fn long() -> String {
    let letters = ["a", "ö", "\n", "€", "b", "𝄞", " ", "ß", "z"];
    let mut state = 7_u32;
    let mut text = String::new();
    while text.len() < (2 << 20) + 4321 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(letters[(state >> 16) as usize % letters.len()]);
    }
    text
}

#[test]
fn a_text_in_its_file_has_the_tokens_of_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.txt");
    let text = long();
    fs::write(&file, &text).unwrap();
    let chars = Vocabulary::chars(&text);
    assert_eq!(chars.symbols().len(), 9);
    for (arguments, vocabulary) in [("", chars), ("tokens = \"bytes\"\n", Vocabulary::bytes())] {
        let all = vocabulary.encode(&text).unwrap();
        let arguments = format!("{arguments}context = 10\ntest_share = 0.25");
        let memory = load(&file, &arguments, Cache::Memory).unwrap();
        let cut = memory.train.inputs().stream().unwrap().len();
        assert_eq!(cut, (0.75 * all.len() as f64) as usize);
        for cache in [Cache::None, Cache::Disk] {
            let found = load(&file, &arguments, cache).unwrap();
            for (samples, expected) in [(&found.train, &all[..cut]), (&found.test, &all[cut..])] {
                assert_eq!(samples.inputs().residence(), "in their file");
                for portion in [1_000_003, 1024, 777] {
                    assert!(tokens(samples, portion) == expected, "{portion}");
                }
                // Windows one by one, from their ends on, and what follows them.
                let last = samples.len() as u32 - 1;
                for (index, phase) in [(0, 0), (last, 0), (last / 2, 7), (last / 3, 9)] {
                    let first = 10 * index as usize + phase;
                    let mut bytes = [0; 40];
                    samples.read_shifted(&[index], phase, &mut bytes).unwrap();
                    let read: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
                    assert_eq!(read, expected[first..first + 10]);
                    let targets = samples.targets_of(&[index], phase).unwrap();
                    assert_eq!(targets, expected[first + 1..first + 11]);
                }
            }
            assert_eq!(found, memory);
            assert_eq!(
                found.fingerprint().unwrap(),
                memory.fingerprint().unwrap(),
                "who goes on may keep it elsewhere"
            );
        }
    }
}

#[test]
fn two_texts_have_one_vocabulary_wherever_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.txt"), "abcabcabc").unwrap();
    fs::write(folder.path().join("test.txt"), "xyöxyöab").unwrap();
    for cache in [Cache::Auto, Cache::None] {
        let found = load(folder.path(), "context = 2", cache).unwrap();
        assert_eq!(found.task.outputs(), 6);
        assert_eq!(tokens(&found.train, 4), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert_eq!(tokens(&found.test, 3), [3, 4, 5, 3, 4, 5, 0, 1]);
    }
    // Bytes of which both files have one, another one.
    fs::write(folder.path().join("train.txt"), "aaaa").unwrap();
    let bytes = |test: &str| {
        fs::write(folder.path().join("test.txt"), test).unwrap();
        load(
            folder.path(),
            "context = 2\ntokens = \"bytes\"",
            Cache::Auto,
        )
    };
    bytes("bbbb").unwrap();
    let error = bytes("aaaa").unwrap_err().to_string();
    assert!(error.contains("has one symbol only"), "{error}");
}

#[test]
fn what_is_no_text_is_refused_where_it_ends_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    let text = long();
    let cut = (0..)
        .find(|at| !text.is_char_boundary((1 << 20) + at))
        .unwrap()
        + (1 << 20);
    for (bytes, place) in [
        ([text.as_bytes(), b"\xff tail"].concat(), text.len()),
        // The last character is cut.
        (
            text.as_bytes()[..cut].to_vec(),
            text.floor_char_boundary(cut),
        ),
    ] {
        fs::write(&file, bytes).unwrap();
        let error = load(&file, "", Cache::None).unwrap_err().to_string();
        let expected = format!("text.txt: is no UTF-8 from byte {place} on");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn marks_of_encodings_are_no_characters() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    let text = "what is marked is read as what is not. ".repeat(20);
    let symbols = |bytes: &[u8], arguments: &str| {
        fs::write(&file, bytes).unwrap();
        load(&file, arguments, Cache::None).map(|set| (tokens(&set.train, 7), set.classes().len()))
    };
    let plain = symbols(text.as_bytes(), "").unwrap();
    let marked = format!("\u{feff}{text}");
    assert_eq!(symbols(marked.as_bytes(), "").unwrap(), plain);
    let all = symbols(marked.as_bytes(), "tokens = \"bytes\"").unwrap();
    assert_eq!(all.0[..3], [0xef, 0xbb, 0xbf]);
    let cut = [marked.as_bytes(), b"\xff"].concat();
    let error = symbols(&cut, "").unwrap_err().to_string();
    let expected = format!("no UTF-8 from byte {} on", marked.len());
    assert!(error.contains(&expected), "{error}");
    for (mark, of) in [
        (0xfeff_u16, u16::to_le_bytes as fn(u16) -> [u8; 2]),
        (0xfeff, u16::to_be_bytes),
    ] {
        let wide: Vec<u8> = std::iter::once(mark)
            .chain(text.encode_utf16())
            .flat_map(of)
            .collect();
        let error = symbols(&wide, "").unwrap_err().to_string();
        assert!(
            error.contains("is UTF-16") && error.contains("iconv"),
            "{error}"
        );
    }
    let noted = std::sync::Mutex::new(String::new());
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&file, wide).unwrap();
    let request = Request {
        dir: Some(file),
        ..Request::default()
    };
    let source = (source("text").unwrap().parse)(Args::parse("").unwrap()).unwrap();
    source
        .open(&request, &|loading| {
            if let Loading::Note(note) = loading {
                noted.lock().unwrap().push_str(note);
            }
        })
        .unwrap();
    assert!(
        noted.lock().unwrap().contains("as texts in UTF-16 have"),
        "{noted:?}"
    );
}

#[test]
fn a_text_that_changes_while_it_is_trained_on_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    fs::write(&file, "some text that is long enough for both parts of it").unwrap();
    let found = load(&file, "context = 2\ntest_share = 0.5", Cache::None).unwrap();
    let mut into = [0; 8];
    found.train.read_shifted(&[1], 1, &mut into).unwrap();
    fs::write(&file, "another text").unwrap();
    let error = found.train.read_shifted(&[1], 1, &mut into).unwrap_err();
    assert!(error.is_users_mistake(), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("text.txt: was changed since it was opened"),
        "{error}"
    );
}
