//! The issuer's files: whole or not there, and readable by their owner alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use uuid::Uuid;

use super::IssuerError;

/// The file's bytes, or `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, IssuerError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(at(path, source)),
    }
}

/// Beside the file first, then over it: a reader sees the old file or the new one.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), IssuerError> {
    let beside = path.with_extension(format!("{}.new", Uuid::new_v4().simple()));
    write_new(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| _ = fs::remove_file(&beside))
        .map_err(|source| at(path, source))
}

/// A file that two processes may want to make at once: the first one wins, and both read what is there.
pub(super) fn write_once(path: &Path, bytes: &[u8]) -> Result<(), IssuerError> {
    let beside = path.with_extension(format!("{}.new", Uuid::new_v4().simple()));
    let written = write_new(&beside, bytes).and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    _ = fs::remove_file(&beside);
    written.map_err(|source| at(path, source))
}

/// Whether there was such a file.
pub(super) fn remove(path: &Path) -> Result<bool, IssuerError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(at(path, source)),
    }
}

pub(super) fn create_folder(path: &Path) -> Result<(), IssuerError> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path).map_err(|source| at(path, source))
}

/// The names of the files in a folder, in order; none when there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, IssuerError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(at(folder, source)),
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Held by the system for as long as the file is open, so that a killed process leaves nothing behind.
pub(super) fn lock(folder: &Path) -> Result<File, IssuerError> {
    let path = folder.join("lock");
    let file = private_file().truncate(false).open(&path).map_err(|source| at(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IssuerError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(at(&path, source)),
    }
}

pub(super) fn at(path: &Path, source: io::Error) -> IssuerError {
    IssuerError::File { path: path.to_owned(), source }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_file().create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
