//! One process drives a run.

use jiff::Timestamp;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::problem::Problem;
use crate::procedure::By;
use crate::procedure::Holder;

/// A run's lock. It ends with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Tries for the lock: whoever only looks holds it for a moment.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

impl Lock {
    /// Takes the lock and says who has it.
    ///
    /// # Errors
    /// Another process has it (exit 3, naming who), or the file can't be written.
    pub fn take(path: &Path, by: &By, now: Timestamp) -> Result<Lock, Problem> {
        let trouble = |e: &dyn std::fmt::Display| {
            Problem::new("the run can't be locked").because(format!("{}: {e}", path.display()))
        };
        let mut file = open(path).map_err(|e| trouble(&e))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(held(&mut file)),
                Err(TryLockError::Error(e)) => return Err(trouble(&e)),
            }
        }
        let holder = Holder {
            user: by.user.clone(),
            host: by.host.clone(),
            process: std::process::id(),
            through: by.through.clone(),
            since: now,
        };
        let text = serde_json::to_string(&holder).map_err(|e| trouble(&e))?;
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(|e| trouble(&e))?;
        Ok(Lock { _file: file })
    }

    /// Who holds it now; `None`: nobody.
    pub fn holder(path: &Path) -> Option<Holder> {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read(&mut file).unwrap_or_default()),
            // Held by nobody; given back as the file is closed.
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn held(file: &mut File) -> Problem {
    let who = read(file).map_or("another howdah has it".into(), |holder| holder.words());
    Problem::refused("the run is driven by another howdah")
        .because(who)
        .try_this("go on there, or end that process and resume the run here")
}
