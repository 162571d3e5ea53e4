//! `wavetrain data get` against a server on this machine, with archives and hashes made up here.

mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use server::{Manner, Server};
use sha2::{Digest, Sha256};
use wavetrain::data::Loading;
use wavetrain::error::Error;
use wavetrain::fetch::{Archive, COLLECTIONS, Collection};

/// Bytes that look like an archive of that many.
fn made_up(length: usize) -> Vec<u8> {
    let squares = (0..length as u32).map(|at| at.wrapping_mul(at) >> 7);
    squares.map(|square| square as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

const NAME: &str = "made-up.bin";

/// What a download did and said.
struct Got {
    result: Result<Vec<PathBuf>, Error>,
    notes: Vec<String>,
    /// The first and the last count of bytes.
    progress: Option<(usize, usize)>,
}

impl Got {
    fn files(self) -> Vec<PathBuf> {
        self.result.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What went wrong: the message, and whether it is the user's mistake.
    fn mistake(self) -> (String, bool) {
        let error = self.result.expect_err("a download that must fail");
        let message = error.to_string();
        assert!(message.contains("\nhelp: "), "{message}");
        (message, error.is_users_mistake())
    }
}

/// Gets `expected` under [`NAME`] from `homes`.
fn get(expected: &[u8], homes: &[&str], folder: &Path) -> Got {
    let sha256 = sha256(expected);
    let archive = Archive {
        name: NAME,
        bytes: expected.len() as u64,
        sha256: &sha256,
    };
    let collection = Collection {
        source: "made_up",
        archives: &[archive],
        homes,
    };
    let (notes, progress) = (Mutex::new(Vec::new()), Mutex::new(None));
    let result = collection.get(None, folder, &|event| match event {
        Loading::Note(note) => notes.lock().unwrap().push(note.to_owned()),
        Loading::Progress { done, total, .. } => {
            assert!(done <= total);
            let mut progress = progress.lock().unwrap();
            let first = progress.map_or(done, |(first, _)| first);
            *progress = Some((first, done));
        }
    });
    Got {
        result,
        notes: notes.into_inner().unwrap(),
        progress: progress.into_inner().unwrap(),
    }
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn part(folder: &Path) -> PathBuf {
    folder.join(format!("{NAME}.part"))
}

#[test]
fn a_file_is_downloaded_once_and_checked() {
    let bytes = made_up(1_000_000);
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a/b");
    let server = Server::new(&bytes, Manner::Well);
    let got = get(&bytes, &[&server.home()], &folder);
    assert_eq!(got.progress, Some((0, 1_000_000)));
    assert_eq!(got.files(), [folder.join(NAME)]);
    assert_eq!(fs::read(folder.join(NAME)).unwrap(), bytes);
    assert_eq!(names(&folder), [NAME]);
    // The second time nobody is asked.
    let again = get(&bytes, &[&server.home()], &folder);
    says(&again.notes[0], &[NAME, "is there already, and right"]);
    assert_eq!(again.files(), [folder.join(NAME)]);
    assert_eq!(server.requests(), [format!("/{NAME}")]);
    // The address may be that of the file itself.
    let file = format!("{}{NAME}", server.home());
    get(&bytes, &[&file], root.path()).files();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_download_that_was_cut_off_is_continued() {
    let bytes = made_up(600_000);
    let root = tempfile::tempdir().unwrap();
    let cutting = Server::new(&bytes, Manner::Cut(250_000));
    let (message, users) = get(&bytes, &[&cutting.home()], root.path()).mistake();
    says(
        &message,
        &[
            "the transfer ended after 250000 of 600000 bytes",
            "continues there",
        ],
    );
    assert!(!users);
    assert_eq!(names(root.path()), [format!("{NAME}.part")]);
    assert_eq!(fs::read(part(root.path())).unwrap(), bytes[..250_000]);

    let server = Server::new(&bytes, Manner::Well);
    let got = get(&bytes, &[&server.home()], root.path());
    assert_eq!(got.progress, Some((250_000, 600_000)));
    assert_eq!(server.requests(), [format!("/{NAME} from 250000")]);
    assert_eq!(fs::read(&got.files()[0]).unwrap(), bytes);
    assert_eq!(names(root.path()), [NAME]);
}

#[test]
fn a_server_without_parts_sends_the_whole_file_again() {
    let bytes = made_up(300_000);
    for manner in [Manner::NoParts, Manner::RefusesParts, Manner::OtherPart] {
        let root = tempfile::tempdir().unwrap();
        fs::write(part(root.path()), &bytes[..100_000]).unwrap();
        let server = Server::new(&bytes, manner);
        let got = get(&bytes, &[&server.home()], root.path());
        assert_eq!(fs::read(&got.files()[0]).unwrap(), bytes, "{manner:?}");
        assert_eq!(names(root.path()), [NAME]);
    }
}

#[test]
fn a_part_of_another_file_is_noticed() {
    let bytes = made_up(200_000);
    // The same length, longer, and shorter than the file, with other bytes.
    for length in [200_000, 300_000, 50_000] {
        let root = tempfile::tempdir().unwrap();
        fs::write(part(root.path()), vec![7; length]).unwrap();
        let server = Server::new(&bytes, Manner::Well);
        let got = get(&bytes, &[&server.home()], root.path());
        if length <= 200_000 {
            says(
                &got.notes[0],
                &["does not fit; once more from the beginning"],
            );
        }
        assert_eq!(fs::read(&got.files()[0]).unwrap(), bytes);
    }
    // A part that is whole and right needs no server.
    let root = tempfile::tempdir().unwrap();
    fs::write(part(root.path()), &bytes).unwrap();
    get(&bytes, &["http://127.0.0.1:9/"], root.path()).files();
    assert_eq!(names(root.path()), [NAME]);
}

#[test]
fn wrong_contents_are_refused_and_not_kept() {
    let bytes = made_up(100_000);
    let mut other = bytes.clone();
    other[77_777] ^= 1;
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(&other, Manner::Well);
    let (message, users) = get(&bytes, &[&server.home()], root.path()).mistake();
    says(
        &message,
        &[
            &server.home(),
            &sha256(&other),
            &sha256(&bytes),
            "nothing of it is kept",
        ],
    );
    assert!(!users);
    assert!(names(root.path()).is_empty());

    for length in [99_999, 100_001] {
        let server = Server::new(&made_up(length), Manner::Well);
        let (message, _) = get(&bytes, &[&server.home()], root.path()).mistake();
        let sizes = format!("a file of {length} bytes; expected 100000");
        says(&message, &[&sizes]);
        // Where the length is not told beforehand, it is noticed while it comes.
        let server = Server::new(&made_up(length), Manner::NoLength);
        let (message, _) = get(&bytes, &[&server.home()], root.path()).mistake();
        let what = match length {
            99_999 => "ended after 99999 of 100000 bytes",
            _ => "sends more than the 100000 bytes",
        };
        says(&message, &[what]);
        assert!(!root.path().join(NAME).exists());
    }
}

#[test]
fn servers_that_refuse_or_are_not_there_are_named_and_the_next_one_is_asked() {
    let bytes = made_up(1000);
    let root = tempfile::tempdir().unwrap();
    let refusing = Server::new(&bytes, Manner::Status("404 Not Found"));
    let (message, users) = get(&bytes, &[&refusing.home()], root.path()).mistake();
    says(
        &message,
        &[
            &refusing.home(),
            NAME,
            "answered 404 Not Found",
            "another server",
        ],
    );
    assert!(!users && names(root.path()).is_empty());

    let nobody = nobody();
    let (message, users) = get(&bytes, &[&nobody], root.path()).mistake();
    says(
        &message,
        &[&nobody, "cannot be reached", "check the connection"],
    );
    assert!(!users);

    let good = Server::new(&bytes, Manner::Redirect);
    let homes = [nobody.as_str(), &refusing.home(), &good.home()];
    let got = get(&bytes, &homes, root.path());
    says(
        &got.notes[0],
        &[
            &nobody,
            "cannot be reached",
            &format!("asking {}", refusing.home()),
        ],
    );
    says(&got.notes[1], &["404", &format!("asking {}", good.home())]);
    assert_eq!(got.files(), [root.path().join(NAME)]);
}

/// The address of a port where nobody listens.
fn nobody() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", free.local_addr().unwrap())
}

#[test]
fn what_is_in_the_way_is_left_alone() {
    let bytes = made_up(1000);
    let server = Server::new(&bytes, Manner::Well);
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(NAME), "mine").unwrap();
    let (message, users) = get(&bytes, &[&server.home()], root.path()).mistake();
    says(
        &message,
        &[
            NAME,
            "is there already",
            &sha256(b"mine"),
            "nothing is overwritten",
        ],
    );
    assert!(users);
    assert_eq!(fs::read(root.path().join(NAME)).unwrap(), b"mine");

    // A folder below a file cannot be made.
    let below = root.path().join(NAME).join("x");
    let (message, users) = get(&bytes, &[&server.home()], &below).mistake();
    says(&message, &["cannot be created", "another folder"]);
    assert!(users);
    // A part that is a folder cannot be written.
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(part(root.path())).unwrap();
    let (message, users) = get(&bytes, &[&server.home()], root.path()).mistake();
    says(&message, &[".part", "cannot be opened for writing"]);
    assert!(users);
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let bytes = made_up(1000);
    let server = Server::new(&bytes, Manner::Well);
    let root = tempfile::tempdir().unwrap();
    let mine = root.path().join("mine");
    for is_there in [false, true] {
        if is_there {
            fs::write(&mine, "mine").unwrap();
        }
        let folder = root.path().join(is_there.to_string());
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&mine, part(&folder)).unwrap();
        let (message, users) = get(&bytes, &[&server.home()], &folder).mistake();
        says(&message, &[".part: is a link", "another folder"]);
        assert!(users);
        assert_eq!(mine.exists(), is_there);
    }
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
}

/// Linux has a file that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let bytes = made_up(200_000);
    let server = Server::new(&bytes, Manner::Well);
    let root = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", part(root.path())).unwrap();
    let (message, users) = get(&bytes, &[&server.home()], root.path()).mistake();
    says(
        &message,
        &[
            ".part: the disk is full; 200000 bytes are missing",
            "continues there",
        ],
    );
    assert!(!users);
}

#[test]
fn addresses_that_are_none_are_mistakes() {
    let root = tempfile::tempdir().unwrap();
    for home in [
        "",
        "here",
        "ftp://127.0.0.1/",
        "/tmp/files",
        "http://",
        "http://a b/",
    ] {
        let (message, users) = get(b"x", &[home], root.path()).mistake();
        says(&message, &["from", "https://example.org/"]);
        assert!(users, "{home}");
    }
}

#[test]
fn the_table_is_whole() {
    for collection in COLLECTIONS {
        let is_source = wavetrain::source::source(collection.source).is_some();
        // A text, which the source of texts reads.
        assert!(is_source || collection.source == "shakespeare");
        assert!(!collection.archives.is_empty());
        for archive in collection.archives {
            assert_eq!(archive.sha256.len(), 64, "{}", archive.name);
            assert!(
                archive
                    .sha256
                    .bytes()
                    .all(|digit| b"0123456789abcdef".contains(&digit))
            );
        }
        for home in collection.homes {
            assert!(home.starts_with("http") && home.ends_with('/'), "{home}");
        }
    }
}

// ---- the program

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetrain"));
    command.args(["data", "get"]).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_program_says_what_is_wrong_with_another_file() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mnist");
    let server = Server::new(&made_up(9_912_422), Manner::Well);
    let arguments = [
        "mnist",
        "--to",
        folder.to_str().unwrap(),
        "--from",
        &server.home(),
    ];
    let output = program(&arguments).output().unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    says(
        &stderr,
        &["error: ", "train-images-idx3-ubyte.gz", "440fcabf73cc546f"],
    );
    assert_eq!(stdout, "");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
    assert!(names(&folder).is_empty());

    let output = program(&["mnst"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    says(&text(&output).1, &["mnist", "fashion_mnist", "cifar10"]);
    let output = program(&["mnist", "--to", "x", "--from", "nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_program_that_is_killed_leaves_only_a_part() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::new(&made_up(9_912_422), Manner::Stops(3_000_000));
    let arguments = [
        "mnist",
        "--to",
        root.path().to_str().unwrap(),
        "--from",
        &server.home(),
    ];
    let mut child = program(&arguments).spawn().unwrap();
    let part = root.path().join("train-images-idx3-ubyte.gz.part");
    let patience = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&part).map_or(0, |found| found.len()) < 3_000_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(Instant::now() < patience, "nothing was received");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(root.path()), ["train-images-idx3-ubyte.gz.part"]);
    // The next call goes on where it was.
    let server = Server::new(&made_up(9_912_422), Manner::Cut(4_000_000));
    let arguments = [
        "mnist",
        "--to",
        root.path().to_str().unwrap(),
        "--from",
        &server.home(),
    ];
    let output = program(&arguments).output().unwrap();
    says(
        &text(&output).1,
        &["the transfer ended after 4000000 of 9912422 bytes"],
    );
    assert_eq!(
        server.requests(),
        ["/train-images-idx3-ubyte.gz from 3000000"]
    );
}
