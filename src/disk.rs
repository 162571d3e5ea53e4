//! Files on the disk: whole or not there, growing, and locked while they are in use.
//!
//! Everything that a run writes goes through a [`Disk`], so that a test can let any single write,
//! sync or rename fail.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};

/// The start of the names of files that are being written.
pub(crate) const TEMPORARY: &str = ".wavetrain-";

/// Files that are being written are locked when they are this old.
const NEW: Duration = Duration::from_secs(2);

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A file or a folder is made.
    Create,
    /// Bytes are written.
    Write,
    /// Bytes, or the names in a folder, are brought onto the disk.
    Sync,
    /// A finished file gets its name.
    Rename,
    /// A file is cut off.
    Cut,
    /// A file is removed.
    Remove,
}

/// Fills `into` with the bytes of a file from `at` on, whoever else reads it.
///
/// # Errors
/// The system's; a file that ends before.
pub(crate) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, into, at);
    #[cfg(windows)]
    {
        let (mut into, mut at) = (into, at);
        while !into.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(file, into, at)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            into = &mut into[read..];
            at += read as u64;
        }
        Ok(())
    }
}

/// Decides whether an operation on a file fails.
type Fault = dyn Fn(Operation, &Path) -> io::Result<()> + Send + Sync;

/// A disk. The ordinary one ([`Disk::default`]) fails when the system does.
#[derive(Clone, Default)]
pub struct Disk {
    fault: Option<Arc<Fault>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("fails", &self.fault.is_some())
            .finish()
    }
}

impl Disk {
    /// A disk that also fails where `fault` says so, for tests. A write that fails leaves the first
    /// half of its bytes.
    #[must_use]
    pub fn failing(
        fault: impl Fn(Operation, &Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            fault: Some(Arc::new(fault)),
        }
    }

    fn ask(&self, operation: Operation, path: &Path) -> io::Result<()> {
        match &self.fault {
            Some(fault) => fault(operation, path),
            None => Ok(()),
        }
    }

    /// Writes a file so that it is either whole or not there: to a temporary name in the same folder,
    /// synced, then renamed over `path`, and the folder synced. A process that is killed leaves the
    /// old file as it was, and perhaps the temporary one, which the next that writes to the folder
    /// removes.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.replace_with(path, |file| file.write_all(bytes))
    }

    /// Like [`Disk::replace`], for what is too large to be held at once: `write` writes it piece by
    /// piece.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn replace_with(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        self.replace_file(path, |file| {
            let mut buffer = BufWriter::new(file);
            write(&mut buffer)?;
            buffer.flush()
        })
    }

    /// Like [`Disk::replace_with`], for what is not written from its start to its end.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn replace_file(
        &self,
        path: &Path,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<()> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        // Temporary files are private by default; this one becomes an ordinary file (less the umask).
        #[cfg(unix)]
        let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        #[cfg(unix)]
        builder.permissions(rights);
        let all = || -> io::Result<()> {
            self.ask(Operation::Create, path)?;
            sweep_abandoned(parent);
            let mut file = builder.tempfile_in(parent)?;
            // As long as this process lives: whoever sweeps sees that the file is not abandoned.
            let _ = file.as_file().try_lock();
            self.ask(Operation::Write, path)?;
            write(file.as_file_mut())?;
            self.ask(Operation::Sync, path)?;
            file.as_file().sync_all()?;
            self.ask(Operation::Rename, path)?;
            file.persist(path).map_err(|error| error.error)?;
            self.ask(Operation::Sync, parent)?;
            sync_folder(parent);
            Ok(())
        };
        all().map_err(Error::io(path, "writing"))
    }

    /// A file without a name in a folder, which goes with its last handle, and what `write` wrote to it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn nameless_file(
        &self,
        folder: &Path,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<File> {
        self.make_folder(folder)?;
        let all = || -> io::Result<File> {
            self.ask(Operation::Create, folder)?;
            let mut file = tempfile::tempfile_in(folder)?;
            self.ask(Operation::Write, folder)?;
            write(&mut file)?;
            Ok(file)
        };
        all().map_err(Error::io(folder, "writing"))
    }

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made.
    pub fn make_folder(&self, path: &Path) -> Result<()> {
        let asked = self.ask(Operation::Create, path);
        let made = asked.and_then(|()| fs::create_dir_all(path));
        made.map_err(Error::io(path, "creating"))
    }

    /// Removes a file, where it is there.
    ///
    /// # Errors
    /// [`Error::Io`] if it is there and cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<()> {
        let asked = self.ask(Operation::Remove, path);
        match asked.and_then(|()| fs::remove_file(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(Error::io(path, "removing")),
        }
    }

    /// Removes what processes that were killed left half-written in a folder.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be removed.
    pub fn sweep(&self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                self.remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes an empty file that grows; an existing one is overwritten.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made.
    pub fn grow(&self, path: &Path) -> Result<Growing> {
        let asked = self.ask(Operation::Create, path);
        let made = asked.and_then(|()| File::create(path));
        self.growing(path, made.map_err(Error::io(path, "creating"))?)
    }

    /// Opens a file to let it grow on from `length` bytes; what stands behind is cut off.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened or cut, or is shorter than that.
    pub fn grow_on(&self, path: &Path, length: u64) -> Result<Growing> {
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().append(true).open(path)?;
            let found = file.metadata()?.len();
            if found < length {
                let problem = format!("it has {found} bytes; expected {length} or more");
                return Err(io::Error::new(ErrorKind::UnexpectedEof, problem));
            }
            if found > length {
                self.ask(Operation::Cut, path)?;
                file.set_len(length)?;
            }
            Ok(file)
        };
        self.growing(path, open().map_err(Error::io(path, "reopening"))?)
    }

    fn growing(&self, path: &Path, file: File) -> Result<Growing> {
        Ok(Growing {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        })
    }

    /// Brings a file that grows onto the disk, and gives its length; `None` where it is not there.
    ///
    /// # Errors
    /// [`Error::Io`] if that fails.
    pub fn settle(&self, path: &Path) -> Result<Option<u64>> {
        // Some systems sync only what can be written to.
        let file = match OpenOptions::new().append(true).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(Error::io(path, "opening"))?,
        };
        let asked = self.ask(Operation::Sync, path);
        let synced = asked.and_then(|()| file.sync_data());
        let length = synced.and_then(|()| file.metadata());
        let length = length.map_err(Error::io(path, "syncing"))?;
        Ok(Some(length.len()))
    }
}

/// Removes what processes that were killed left half-written in a folder, but nothing that somebody
/// writes to: that is locked. Where it cannot, files stay; they harm nobody.
fn sweep_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        // Between its making and its lock a file is new.
        let age = entry.metadata().and_then(|found| found.modified());
        let age = age.ok().and_then(|time| time.elapsed().ok());
        let old = age.is_some_and(|age| age > NEW);
        let file = File::open(entry.path()).ok().filter(|_| old);
        if file.is_some_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The new name of a file is on the disk once its folder is; not every system can sync a folder.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// A file that grows piece by piece. A process that is killed may leave its last piece torn.
#[derive(Debug)]
pub struct Growing {
    disk: Disk,
    path: PathBuf,
    file: File,
}

impl Growing {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written (a full disk).
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let asked = self.disk.ask(Operation::Write, &self.path);
        let written = match asked {
            Ok(()) => self.file.write_all(bytes),
            Err(error) => self
                .file
                .write_all(&bytes[..bytes.len() / 2])
                .and(Err(error)),
        };
        written.map_err(Error::io(&self.path, "writing"))
    }
}

/// A lock that the system keeps for this process and takes from it when it ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock that a file stands for; `None` where another process has it. The file stays
    /// when the lock is given back: removing it would let two processes in. On a disk without locks
    /// everybody gets it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be made.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        let file = lock_file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Self::without(file, path, error).map(Some),
        }
    }

    /// Takes the lock as soon as no other process has it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be made.
    pub fn wait(path: &Path) -> Result<Self> {
        let file = lock_file(path)?;
        match file.lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(error) => Self::without(file, path, error),
        }
    }

    fn without(file: File, path: &Path, error: io::Error) -> Result<Self> {
        if error.kind() != ErrorKind::Unsupported {
            return Err(Error::io(path, "locking")(error));
        }
        log::warn!("{}: this disk has no locks", path.display());
        Ok(Self { _file: file })
    }
}

fn lock_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).open(path);
    opened.map_err(Error::io(path, "opening"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, age: u64| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            let made = std::time::SystemTime::now() - Duration::from_secs(age);
            file.set_modified(made).unwrap();
            (path, file)
        };
        let (left, _) = make(".wavetrain-left", 60);
        let (written, file) = make(".wavetrain-written", 60);
        file.lock().unwrap();
        let (new, _) = make(".wavetrain-new", 0);
        let (other, _) = make("other", 60);
        Disk::default()
            .replace(&folder.path().join("file"), b"x")
            .unwrap();
        let there = [left, written.clone(), new, other].map(|path| path.exists());
        assert_eq!(there, [false, true, true, true]);
        drop(file);
        Disk::default()
            .replace(&folder.path().join("file"), b"y")
            .unwrap();
        assert!(!written.exists());
    }

    #[test]
    fn what_fails_leaves_the_old_file_and_half_of_a_piece() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        Disk::default().replace(&path, b"old").unwrap();
        for fails in [
            Operation::Create,
            Operation::Write,
            Operation::Sync,
            Operation::Rename,
        ] {
            let disk = Disk::failing(move |operation, _| match operation == fails {
                true => Err(io::Error::from(ErrorKind::StorageFull)),
                false => Ok(()),
            });
            let error = disk.replace(&path, b"new").unwrap_err();
            assert!(
                error.to_string().contains("file: writing failed"),
                "{error}"
            );
            assert_eq!(fs::read(&path).unwrap(), b"old", "{fails:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut whole = Disk::default().grow(&path).unwrap();
        whole.append(b"whole").unwrap();
        let full = Disk::failing(|operation, _| match operation {
            Operation::Write => Err(io::Error::from(ErrorKind::StorageFull)),
            _ => Ok(()),
        });
        full.grow_on(&path, 5).unwrap().append(b"torn").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"wholeto");
        Disk::default().grow_on(&path, 5).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(Disk::default().grow_on(&path, 6).is_err());
    }
}
