//! From a server to a file with the right hash.

use super::{Archive, Collection, address, failed, http};
use crate::data::{Loading, Watcher};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read at a time.
const PORTION: usize = 128 << 10;

pub(super) fn get(
    collection: &Collection<'_>,
    from: Option<&str>,
    folder: &Path,
    watcher: Watcher<'_>,
) -> Result<Vec<PathBuf>> {
    let homes = from.map_or(collection.homes.to_vec(), |from| vec![from]);
    for home in &homes {
        http::check(home)?;
    }
    fs::create_dir_all(folder).map_err(|error| not_writable(folder, "created", &error))?;
    let files = collection.archives.iter().map(|archive| {
        let file = folder.join(archive.name);
        if is_there(&file, archive)? {
            let note = format!("{} is there already, and right", file.display());
            watcher(Loading::Note(&note));
        } else {
            from_the_first(&homes, archive, &file, watcher)?;
        }
        Ok(file)
    });
    files.collect()
}

/// Asks one server after the other.
fn from_the_first(
    homes: &[&str],
    archive: &Archive<'_>,
    file: &Path,
    watcher: Watcher<'_>,
) -> Result<()> {
    let mut failure = None;
    for home in homes {
        if let Some(Error::Download { what, problem, .. }) = &failure {
            let note = format!("{what}: {problem}; asking {home} instead");
            watcher(Loading::Note(&note));
        }
        match download(&address(home, archive), archive, file, watcher) {
            Err(error @ Error::Download { .. }) => failure = Some(error),
            ended => return ended,
        }
    }
    Err(failure.unwrap_or_else(|| failed(archive.name, "nobody publishes it", "name a server")))
}

/// Whether the file is there and right; one of that name that is not is left alone.
fn is_there(file: &Path, archive: &Archive<'_>) -> Result<bool> {
    if !file.exists() {
        return Ok(false);
    }
    let found = hash(file).map_err(Error::io(file, "reading"))?;
    if found == archive.sha256 {
        return Ok(true);
    }
    Err(Error::data(
        file,
        format!(
            "is there already with the SHA-256 {found}; expected {}",
            archive.sha256
        ),
        "move it away, or name another folder; nothing is overwritten",
    ))
}

/// Downloads one file from one server.
fn download(address: &str, archive: &Archive<'_>, file: &Path, watcher: Watcher<'_>) -> Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    refuse_link(&part)?;
    let resumed = receive(address, archive, &part, watcher)?;
    let mut found = hash(&part).map_err(Error::io(&part, "reading"))?;
    if found != archive.sha256 && resumed {
        // What was left from earlier may be of another file.
        watcher(Loading::Note(&format!(
            "the part of {} that was there does not fit; once more from the beginning",
            archive.name
        )));
        remove(&part)?;
        receive(address, archive, &part, watcher)?;
        found = hash(&part).map_err(Error::io(&part, "reading"))?;
    }
    if found != archive.sha256 {
        remove(&part)?;
        return Err(failed(
            address,
            format!(
                "what was received has the SHA-256 {found}; expected {}, that of the official file",
                archive.sha256
            ),
            "this is another file, or it was damaged on the way; nothing of it is kept. Try again, \
             or name another server",
        ));
    }
    keep(&part, file)
}

/// Refuses a link: behind it lies somebody else's file, which would be written to.
fn refuse_link(part: &Path) -> Result<()> {
    match fs::symlink_metadata(part) {
        // A device is nobody's file.
        Ok(found) if found.is_symlink() && !is_device(part) => Err(Error::data(
            part,
            "is a link; expected nothing, or the file of a download that was broken off",
            "take it away, or name another folder; nothing is written through a link",
        )),
        _ => Ok(()),
    }
}

/// Whether something lies there that is neither a file nor a folder.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Receives what the part lacks; whether there was a part before.
fn receive(
    address: &str,
    archive: &Archive<'_>,
    part: &Path,
    watcher: Watcher<'_>,
) -> Result<bool> {
    let progress = |done: u64| {
        watcher(Loading::Progress {
            doing: archive.name,
            done: usize::try_from(done).unwrap_or(usize::MAX),
            total: usize::try_from(archive.bytes).unwrap_or(usize::MAX),
        });
    };
    let has = fs::metadata(part).map_or(0, |found| found.len());
    if has == archive.bytes {
        progress(has);
        return Ok(true);
    }
    let start = if has < archive.bytes { has } else { 0 };
    let mut answer = http::ask(address, archive.bytes, start)?;
    let mut done = answer.start;
    let opened = OpenOptions::new().create(true).append(true).open(part);
    let mut out = opened.map_err(|error| not_writable(part, "opened for writing", &error))?;
    if done != has {
        // Writes go to the end, which must be where the answer begins.
        out.set_len(done)
            .map_err(|error| not_writable(part, "written", &error))?;
    }
    progress(done);
    let mut buffer = vec![0; PORTION];
    loop {
        let count = match answer.body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(cut_off(address, archive, done, &error.to_string())),
        };
        let room = archive.bytes - done;
        if count as u64 > room {
            remove(part)?;
            let problem = format!("sends more than the {} bytes of the file", archive.bytes);
            let help = "this is another file; name another server";
            return Err(failed(address, problem, help));
        }
        let written = out.write_all(&buffer[..count]);
        written.map_err(|error| not_written(part, archive.bytes - done, &error))?;
        done += count as u64;
        progress(done);
    }
    if done < archive.bytes {
        return Err(cut_off(
            address,
            archive,
            done,
            "the server ended the transfer",
        ));
    }
    Ok(has > 0)
}

fn cut_off(address: &str, archive: &Archive<'_>, done: u64, why: &str) -> Error {
    let all = archive.bytes;
    failed(
        address,
        format!("the transfer ended after {done} of {all} bytes: {why}"),
        "what was received is kept: the same command continues there",
    )
}

fn not_written(part: &Path, missing: u64, error: &io::Error) -> Error {
    if error.kind() != ErrorKind::StorageFull {
        return not_writable(part, "written", error);
    }
    failed(
        &part.display().to_string(),
        format!("the disk is full; {missing} bytes are missing"),
        "free some room, and the same command continues there, or name another folder",
    )
}

fn not_writable(path: &Path, action: &str, error: &io::Error) -> Error {
    Error::Output {
        path: path.into(),
        problem: format!("cannot be {action}: {error}"),
        help: "name another folder, which can be written to".into(),
    }
}

fn remove(part: &Path) -> Result<()> {
    fs::remove_file(part).map_err(Error::io(part, "removing"))
}

/// Gives the whole file its name, so that neither is lost if the machine stops now.
fn keep(part: &Path, file: &Path) -> Result<()> {
    let synced = File::open(part).and_then(|part| part.sync_all());
    synced.map_err(Error::io(part, "writing"))?;
    fs::rename(part, file).map_err(Error::io(file, "writing"))?;
    // Folders can be synced on some systems only.
    if let Some(Ok(folder)) = file.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal digits.
fn hash(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PORTION];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let digits = hash.finalize();
    Ok(digits.iter().map(|byte| format!("{byte:02x}")).collect())
}
