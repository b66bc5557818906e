//! `doorward users import FILE`: the records of a backup, where there are none.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::TransferError;
use super::export::{FORMAT, Head, Tail, hexadecimal};
use super::progress::bar;
use super::records::{AT_ONCE, Records};
use crate::config::Config;
use crate::control::{Outcome, Request};
use crate::record::Record;
use crate::terminal::print;

/// A record is smaller by far, whatever other programs keep in it: MongoDB's own bound for a document.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

pub(super) async fn restore(config: &Config, file: &Path, write: bool) -> Result<(), TransferError> {
    let count = check(config, file)?;
    let mut records = Records::open(config).await?;
    let mut lines = Lines::open(file)?;
    lines.next()?; // the head
    let (progress, mut counts) = (bar(Some(count), "restoring"), Counts::default());
    let mut left = count;
    while left > 0 {
        let mut chunk = Vec::with_capacity(AT_ONCE);
        while chunk.len() < AT_ONCE && left > 0 {
            chunk.push(lines.record()?);
            left -= 1;
        }
        let size = chunk.len() as u64;
        counts.add(records.outcomes(Request::Restore { records: chunk, write }).await?);
        progress.inc(size);
    }
    records.close().await?;
    progress.finish_and_clear();
    counts.print(count, write);
    Ok(())
}

/// Nothing is written of a file that is not whole, or of another instance: how many records it has.
fn check(config: &Config, file: &Path) -> Result<u64, TransferError> {
    let mut lines = Lines::open(file)?;
    let head: Head =
        lines.next().and_then(|line| lines.parse(&line, "it is no export of `doorward users export`"))?;
    if head.doorward_users != FORMAT {
        return Err(lines.wrong(format!("its format is {}, expected {FORMAT}", head.doorward_users)));
    }
    let issuer = config.clerk.issuer.as_str();
    if head.issuer != issuer {
        return Err(lines.wrong(format!("its users are those of {}, and not of {issuer}", head.issuer)));
    }
    let mut count = 0;
    loop {
        let before = hexadecimal(lines.hash.clone());
        let line = lines.next()?;
        if let Ok(tail) = serde_json::from_slice::<Tail>(&line) {
            if (tail.records, &tail.sha256) != (count, &before) {
                return Err(lines.wrong("its records are not those that were written".to_owned()));
            }
            return Ok(count);
        }
        let record: Record = lines.parse(&line, "a record can not be read")?;
        record.user().map_err(|error| lines.wrong(format!("line {}: {error}", lines.number)))?;
        count += 1;
    }
}

struct Lines<'a> {
    file: &'a Path,
    reader: BufReader<File>,
    hash: Sha256,
    number: u64,
}

impl<'a> Lines<'a> {
    fn open(file: &'a Path) -> Result<Lines<'a>, TransferError> {
        let reader = BufReader::new(File::open(file).map_err(TransferError::at(file))?);
        Ok(Lines { file, reader, hash: Sha256::new(), number: 0 })
    }

    fn next(&mut self) -> Result<Vec<u8>, TransferError> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        read.map_err(TransferError::at(self.file))?;
        if line.last() != Some(&b'\n') {
            return Err(
                self.wrong("it ends before its last line: the export did not come to its end".to_owned())
            );
        }
        self.hash.update(&line);
        self.number += 1;
        Ok(line)
    }

    fn record(&mut self) -> Result<Record, TransferError> {
        let line = self.next()?;
        self.parse(&line, "a record can not be read")
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, line: &[u8], wrong: &str) -> Result<T, TransferError> {
        serde_json::from_slice(line)
            .map_err(|error| self.wrong(format!("line {}: {wrong}: {error}", self.number)))
    }

    fn wrong(&self, wrong: String) -> TransferError {
        TransferError::Backup { path: self.file.to_owned(), wrong }
    }
}

/// What became of the records.
#[derive(Debug, Default)]
struct Counts {
    created: u64,
    same: u64,
    kept: u64,
    erased: u64,
    unreadable: u64,
}

impl Counts {
    fn add(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            *match outcome {
                Outcome::Created => &mut self.created,
                Outcome::Same => &mut self.same,
                Outcome::Changed(_) | Outcome::Kept => &mut self.kept,
                Outcome::Erased => &mut self.erased,
                Outcome::Unreadable => &mut self.unreadable,
            } += 1;
        }
    }

    fn print(&self, count: u64, write: bool) {
        let Counts { created, same, kept, erased, unreadable } = self;
        let created_words = if write { "written" } else { "to be written (nothing was: this is a dry run)" };
        print(format_args!(
            "{count} records in the file\n{created:>8} {created_words}\n{same:>8} there already\n\
             {kept:>8} there, and newer or other than the file's: kept as they are\n\
             {erased:>8} erased since: kept so\n{unreadable:>8} there, and not readable: left alone"
        ));
    }
}
