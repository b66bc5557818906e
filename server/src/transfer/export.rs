//! `doorward users export`: every record, with their number and a hash, so that no part of a backup passes for whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::TransferError;
use super::progress::bar;
use super::records::Records;
use crate::clock::{Clock, SystemClock, rfc3339};
use crate::config::Config;
use crate::terminal::note;

/// The layout of the file. Another one is not read.
pub(super) const FORMAT: u32 = 1;

/// Write every record as NDJSON: a head, a record a line, and a last line with their number and SHA-256
///
/// Records that change meanwhile are in it as they were before or after. The running server answers where it holds the
/// folder.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The file to write, readable by its owner alone [default: standard output]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// [`FORMAT`].
    pub(super) doorward_users: u32,
    /// The Clerk instance whose users these are.
    pub(super) issuer: String,
    /// When it was written.
    pub(super) exported_at: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tail {
    /// How many records are before it.
    pub(super) records: u64,
    /// Of every byte before it, in hexadecimal digits.
    pub(super) sha256: String,
    /// How many documents of the store could not be read, and are not in the file.
    pub(super) unreadable: u64,
}

pub(super) async fn export(config: &Config, args: &Args) -> Result<(), TransferError> {
    let mut records = Records::open_existing(config).await?;
    let tail = match &args.file {
        None => {
            let out = Path::new("standard output");
            let mut lines = Lines::new(BufWriter::new(io::stdout()));
            let tail = write_all(config, &mut records, &mut lines, out).await?;
            lines.out.flush().map_err(TransferError::at(out))?;
            tail
        }
        Some(file) => to_file(config, &mut records, file).await?,
    };
    records.close().await?;
    note(format_args!("{} records were written", tail.records));
    if tail.unreadable > 0 {
        note(format_args!("{} documents can not be read, and are not among them", tail.unreadable));
    }
    Ok(())
}

/// Beside the file first, then over it: an older backup goes when the new one is whole.
async fn to_file(config: &Config, records: &mut Records, file: &Path) -> Result<Tail, TransferError> {
    let failed = TransferError::at(file);
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", Uuid::new_v4().simple()));
    let beside = PathBuf::from(beside);
    let written = async {
        let mut lines = Lines::new(BufWriter::new(create(&beside).map_err(&failed)?));
        let tail = write_all(config, records, &mut lines, file).await?;
        lines.out.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(&failed)?;
        fs::rename(&beside, file).map_err(&failed)?;
        Ok(tail)
    };
    let written = written.await;
    if written.is_err() {
        let _gone = fs::remove_file(&beside);
    }
    written
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn write_all(
    config: &Config,
    records: &mut Records,
    lines: &mut Lines<impl Write>,
    path: &Path,
) -> Result<Tail, TransferError> {
    let failed = TransferError::at(path);
    let head = Head {
        doorward_users: FORMAT,
        issuer: config.clerk.issuer.as_str().to_owned(),
        exported_at: rfc3339(SystemClock.now()),
    };
    lines.write(&head).map_err(&failed)?;
    let (progress, mut after, mut tail) = (bar(None, "exporting"), None, None);
    while tail.is_none() {
        let page = records.page(after.as_ref()).await?;
        lines.unreadable += page.unreadable as u64;
        for record in &page.records {
            lines.write(record).map_err(&failed)?;
            lines.records += 1;
        }
        progress.set_position(lines.records);
        after = page.last;
        tail = after.is_none().then(|| lines.tail());
    }
    let tail = tail.unwrap_or_else(|| lines.tail());
    lines.write(&tail).map_err(&failed)?;
    Ok(tail)
}

/// What was written, and the sum over it.
struct Lines<W> {
    out: W,
    hash: Sha256,
    records: u64,
    unreadable: u64,
}

impl<W: Write> Lines<W> {
    fn new(out: W) -> Lines<W> {
        Lines { out, hash: Sha256::new(), records: 0, unreadable: 0 }
    }

    fn write(&mut self, document: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(document)?;
        line.push(b'\n');
        self.hash.update(&line);
        self.out.write_all(&line)
    }

    fn tail(&self) -> Tail {
        let sha256 = hexadecimal(self.hash.clone());
        Tail { records: self.records, sha256, unreadable: self.unreadable }
    }
}

pub(super) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
