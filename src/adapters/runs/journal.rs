//! One run's journal: append, and on the disk before anything is done.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::lock::Lock;
use crate::problem::Problem;
use crate::procedure::Entry;

/// A journal that this process writes.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// A write failed: how much of it is on the disk is not known, and nothing may follow it.
    broken: bool,
    _lock: Lock,
}

/// What a journal says.
#[derive(Debug)]
pub struct Contents {
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
    /// Bytes up to the end of the last whole line.
    pub whole: u64,
    /// The last line is not whole: the machine or the process ended while it was written.
    pub torn: bool,
}

impl Journal {
    /// Begins a journal in a folder that this process has locked.
    ///
    /// # Errors
    /// There is one already, or it can't be written.
    pub(super) fn create(path: PathBuf, lock: Lock) -> Result<Journal, Problem> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| unwritable(&path, &e))?;
        // A file is on the disk only once its folder's entry is, too.
        let folders = path.ancestors().skip(1).take(2);
        for folder in folders {
            sync_folder(folder).map_err(|e| unwritable(&path, &e))?;
        }
        Ok(Journal { path, file, broken: false, _lock: lock })
    }

    /// Opens one to go on with it: a torn last line is cut off. Says whether there was one.
    ///
    /// # Errors
    /// It can't be read or written, or a line before the last one is damaged (with file and line).
    pub(super) fn go_on(path: PathBuf, lock: Lock) -> Result<(Journal, Vec<Entry>, bool), Problem> {
        let read = read(&path)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(|e| unwritable(&path, &e))?;
        if read.torn {
            file.set_len(read.whole).and_then(|()| file.sync_all()).map_err(|e| unwritable(&path, &e))?;
        }
        Ok((Journal { path, file, broken: false, _lock: lock }, read.entries, read.torn))
    }

    /// Appends an entry. When this returns, it is on the disk.
    ///
    /// # Errors
    /// It can't be written. Nothing may be done on the strength of it, and nothing more is written.
    pub fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        if self.broken {
            return Err(unwritable(&self.path, &"an earlier line could not be written"));
        }
        let mut line = serde_json::to_string(entry).map_err(|e| unwritable(&self.path, &e))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()).map_err(|e| {
            self.broken = true;
            unwritable(&self.path, &e)
        })
    }
}

/// Makes a private folder with everything above it.
pub(super) fn private_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

fn unwritable(path: &Path, why: &dyn std::fmt::Display) -> Problem {
    Problem::new("the journal can't be written")
        .because(format!("{}: {why}", path.display()))
        .try_this("nothing more is done without it: make room or give the right, then resume the run")
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Problem {
    Problem::new("the journal can't be read").because(format!("{}: {why}", path.display()))
}

/// Reads a journal whole.
///
/// # Errors
/// It can't be read, or a line that is not the last one is damaged.
pub(super) fn read(path: &Path) -> Result<Contents, Problem> {
    let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let torn = whole < bytes.len();
    let mut entries = Vec::new();
    for (number, line) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
        let entry = serde_json::from_slice(line).map_err(|e| damaged(path, number + 1, &e))?;
        entries.push(entry);
    }
    Ok(Contents { entries, whole: whole as u64, torn })
}

fn damaged(path: &Path, line: usize, why: &serde_json::Error) -> Problem {
    // serde_json counts lines within what it was given: only its own words and column are of use.
    let column = why.column();
    let words = why.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    Problem::new("the journal is damaged")
        .because(format!("{}:{line}:{column}: {words}", path.display()))
        .try_this("nothing is done on a guess: look at the cluster, and begin anew")
}

/// The first and the last whole entry, without reading what is between.
pub(super) fn ends(path: &Path) -> Result<(Entry, Entry), Problem> {
    let mut file = File::open(path).map_err(|e| unreadable(path, &e))?;
    let mut first = Vec::new();
    BufReader::new(&file).read_until(b'\n', &mut first).map_err(|e| unreadable(path, &e))?;
    let first: Entry = serde_json::from_slice(&first).map_err(|e| damaged(path, 1, &e))?;
    let length = file.metadata().map_err(|e| unreadable(path, &e))?.len();
    let mut reach = 8 * 1024;
    loop {
        let from = length.saturating_sub(reach);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(from)).map_err(|e| unreadable(path, &e))?;
        (&file).take(length - from).read_to_end(&mut tail).map_err(|e| unreadable(path, &e))?;
        let whole = tail.iter().rposition(|b| *b == b'\n').unwrap_or(0);
        let start = tail[..whole].iter().rposition(|b| *b == b'\n').map(|at| at + 1);
        match start.or((from == 0).then_some(0)) {
            Some(start) if whole > start => {
                let last = serde_json::from_slice(&tail[start..whole]).unwrap_or_else(|_| first.clone());
                return Ok((first, last));
            }
            // Nothing but a first line, itself perhaps not whole.
            Some(_) => return Ok((first.clone(), first)),
            None => reach *= 8,
        }
    }
}
