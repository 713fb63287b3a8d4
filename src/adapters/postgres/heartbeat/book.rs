//! The account on disk, line by line, so that a howdah that was killed still counts truthfully.
//!
//! Every answer is written as soon as it came; what the system has taken survives this process, so nothing is flushed to
//! the disk. One line is a few bytes, times are milliseconds since the line before:
//!
//! ```text
//! o 1763694900000 1     opened at that time since 1970; version of the format
//! 3 12                  writer 3: its next number was acknowledged
//! 3=1028 9              writer 3: number 1028 was acknowledged
//! u3=1029 2000          its answer did not come
//! r 100                 refused
//! R 41 2 110 0          reads answered and failed since the last such line; the resolution in milliseconds
//! v app through a port-forward
//! x 1763694901000 4210  an outage ended: when it began, how long it was
//! b 0   s 900           nobody looks; somebody looks again
//! e 3                   ended in order
//! ```

use jiff::{SignedDuration, Timestamp};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::account::Account;
use crate::domain::heartbeat::Outage;

const VERSION: u32 = 1;

/// The book, open for more.
#[derive(Debug)]
pub struct Book {
    file: File,
    last: Timestamp,
    next: Vec<u64>,
    /// Why nothing more is written.
    pub broken: Option<String>,
}

/// What a book says.
#[derive(Debug)]
pub struct Told {
    /// The account.
    pub account: Account,
    /// When its last line was written.
    pub last: Timestamp,
    /// It was ended in order.
    pub ended: bool,
}

impl Book {
    /// Opens the book for more, after what it says already: the account goes on from there, and the time between is one that
    /// nobody measured.
    pub fn open(path: &Path, writers: u8, every: SignedDuration, now: Timestamp) -> io::Result<(Book, Account)> {
        let told = match read(path, writers, every) {
            Ok(told) => Some(told),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let mut account = match told {
            Some(told) => resumed(told, now),
            None => Account::new(writers, every, now),
        };
        account.gaps.sight_again(now);
        let next = (0..writers).map(|w| account.next(w)).collect();
        let mut book = Book { file, last: now, next, broken: None };
        // A torn line of a killed process ends here.
        book.put(&format!("\no {} {VERSION}\n", now.as_millisecond()));
        Ok((book, account))
    }

    fn put(&mut self, text: &str) {
        if self.broken.is_none()
            && let Err(e) = self.file.write_all(text.as_bytes())
        {
            self.broken = Some(format!("the heartbeat's book can't be written: {e}"));
        }
    }

    fn line(&mut self, what: &str, at: Timestamp) {
        let passed = at.as_millisecond().saturating_sub(self.last.as_millisecond()).max(0);
        self.last = self.last.max(at);
        self.put(&format!("{what} {passed}\n"));
    }

    fn numbered(&mut self, sign: &str, writer: u8, n: u64, at: Timestamp) {
        let slot = usize::from(writer);
        if slot >= self.next.len() {
            self.next.resize(slot + 1, 1);
        }
        let expected = std::mem::replace(&mut self.next[slot], n + 1);
        let number = if expected == n { String::new() } else { format!("={n}") };
        self.line(&format!("{sign}{writer}{number}"), at);
    }

    /// A write was acknowledged.
    pub fn acknowledged(&mut self, writer: u8, n: u64, at: Timestamp) {
        self.numbered("", writer, n, at);
    }

    /// A write's answer did not come.
    pub fn unknown(&mut self, writer: u8, n: u64, at: Timestamp) {
        self.numbered("u", writer, n, at);
    }

    /// A write was refused.
    pub fn refused(&mut self, at: Timestamp) {
        self.line("r", at);
    }

    /// Reads since the last call, and the resolution now.
    pub fn reads(&mut self, (answered, failed): (u64, u64), resolution: SignedDuration, at: Timestamp) {
        self.line(&format!("R {answered} {failed} {}", resolution.as_millis()), at);
    }

    /// The way that the writes go.
    pub fn goes(&mut self, via: &str) {
        self.put(&format!("v {via}\n"));
    }

    /// An outage ended.
    pub fn outage(&mut self, outage: &Outage) {
        if let Some(to) = outage.to {
            let length = to.duration_since(outage.from).as_millis();
            self.put(&format!("x {} {length}\n", outage.from.as_millisecond()));
        }
    }

    /// Nobody looks (`true`), or somebody looks again.
    pub fn blind(&mut self, blind: bool, at: Timestamp) {
        self.line(if blind { "b" } else { "s" }, at);
    }

    /// It ends in order.
    pub fn end(&mut self, at: Timestamp) {
        self.line("e", at);
    }
}

/// An account whose process was ended goes on at `now`.
pub fn resumed(told: Told, now: Timestamp) -> Account {
    let Told { mut account, last, ended } = told;
    account.gaps.lose_sight(last);
    if !ended {
        account.adrift();
    }
    account.gaps.sight_again(now);
    account
}

/// Reads a book. A line that can't be understood was torn by the end of its writer; anything after it counts.
pub fn read(path: &Path, writers: u8, every: SignedDuration) -> io::Result<Told> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut told: Option<Told> = None;
    let mut next: Vec<u64> = vec![1; writers.into()];
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        let Some(whole) = line.strip_suffix('\n') else { break };
        match (whole.strip_prefix("o "), &mut told) {
            (Some(opened), told) => {
                let at = opened.split(' ').next().and_then(|ms| ms.parse().ok()).and_then(millis);
                let at = at.ok_or_else(|| io::Error::other("it does not say when it was opened"))?;
                *told = Some(match told.take() {
                    None => Told { account: Account::new(writers, every, at), last: at, ended: false },
                    Some(was) => Told { account: resumed(was, at), last: at, ended: false },
                });
                if let Some(told) = told {
                    next = (0..writers).map(|w| told.account.next(w)).collect();
                }
            }
            (None, Some(told)) => drop(take(told, &mut next, whole)),
            (None, None) => {}
        }
    }
    told.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the heartbeat's book is empty"))
}

fn millis(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

/// Takes a line in.
fn take(told: &mut Told, next: &mut Vec<u64>, line: &str) -> Option<()> {
    if let Some(outage) = line.strip_prefix("x ") {
        let (from, length) = outage.split_once(' ')?;
        let from: i64 = from.parse().ok()?;
        let to = millis(from.checked_add(length.parse().ok()?)?)?;
        told.account.gaps.outages.push(Outage { from: millis(from)?, to: Some(to) });
        return Some(());
    }
    if let Some(via) = line.strip_prefix("v ") {
        told.account.goes(&crate::text::clean(via));
        return Some(());
    }
    let (what, passed) = line.rsplit_once(' ')?;
    let at = millis(told.last.as_millisecond().checked_add(passed.parse().ok()?)?)?;
    match what.split(' ').collect::<Vec<_>>()[..] {
        ["r"] => told.account.refused(at),
        ["R", answered, failed, resolution] => {
            told.account.read(answered.parse().ok()?, failed.parse().ok()?);
            told.account.gaps.restore_resolution(SignedDuration::from_millis(resolution.parse().ok()?));
        }
        ["b"] => told.account.gaps.lose_sight(at),
        ["s"] => told.account.gaps.sight_again(at),
        ["e"] => told.ended = true,
        [answer] => {
            let unknown = answer.strip_prefix('u');
            let (writer, n) = match unknown.unwrap_or(answer).split_once('=') {
                Some((writer, n)) => (writer, Some(n.parse().ok()?)),
                None => (unknown.unwrap_or(answer), None),
            };
            let writer: u8 = writer.parse().ok()?;
            if usize::from(writer) >= next.len() {
                next.resize(usize::from(writer) + 1, 1);
            }
            let slot = &mut next[usize::from(writer)];
            let n = n.unwrap_or(*slot);
            *slot = n + 1;
            match unknown {
                Some(_) => told.account.unknown(writer, n, at),
                None => told.account.restore(writer, n, at),
            }
        }
        _ => return None,
    }
    told.last = at;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::account::Present;
    use super::*;

    const EVERY: SignedDuration = SignedDuration::from_millis(10);

    fn ms(n: i64) -> Timestamp {
        Timestamp::from_millisecond(1_763_694_900_000 + n).unwrap()
    }

    #[test]
    fn a_killed_process_leaves_everything_that_was_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("beats");
        let (mut book, account) = Book::open(&path, 2, EVERY, ms(0)).unwrap();
        assert_eq!(account.next(0), 1);
        for n in 1..=1000 {
            book.acknowledged(0, n, ms(n as i64 * 10));
        }
        book.acknowledged(1, 1, ms(10_001));
        book.unknown(0, 1001, ms(10_010));
        book.refused(ms(10_020));
        book.outage(&Outage { from: ms(10_001), to: Some(ms(12_000)) });
        book.acknowledged(0, 1003, ms(12_000));
        book.goes("app through a port-forward");
        book.reads((40, 2), SignedDuration::from_millis(120), ms(12_000));
        drop(book);
        assert!(std::fs::metadata(&path).unwrap().len() < 6_000, "a few bytes for each");
        // Killed in the middle of a line.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"0=10").unwrap();

        let (mut book, account) = Book::open(&path, 2, EVERY, ms(60_000)).unwrap();
        assert_eq!((account.next(0), account.next(1)), (1005, 3), "what may have been on the way is not used again");
        book.acknowledged(0, 1005, ms(60_010));
        book.end(ms(60_020));
        let told = read(&path, 2, EVERY).unwrap();
        assert!(told.ended);
        let tally = told.account.tally(&Present::default(), ms(60_020));
        assert_eq!((tally.acknowledged, tally.lost, tally.unknown_gone, tally.refused), (1003, 1003, 1, 1));
        assert_eq!((tally.reads, tally.via.as_str()), ((40, 2), "app through a port-forward"));
        assert_eq!(tally.resolution, SignedDuration::from_millis(120));
        assert_eq!(tally.outages, [Outage { from: ms(10_001), to: Some(ms(12_000)) }]);
        assert_eq!(tally.unmeasured, [Outage { from: ms(12_000), to: Some(ms(60_000)) }]);
        assert_eq!(tally.lost_names.len(), 100);
    }

    #[test]
    fn it_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("beats");
        Book::open(&path, 1, EVERY, ms(0)).map(drop).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
