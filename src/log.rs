//! The log: a file of bounded size that only its owner reads, and the last lines in memory.
//!
//! Secrets have no business here: nothing logs one on purpose, and what looks like one is struck out on the way.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::problem::Problem;
use crate::text::clean;

/// A file longer than this is put aside; one older file is kept.
const FILE_LIMIT: u64 = 5 << 20;
/// Lines kept in memory.
const RING_LIMIT: usize = 500;
/// Lines waiting for the disk; more are dropped rather than holding up the console.
const WAITING_LIMIT: usize = 10_000;
/// What is logged unless something else is asked for.
pub const DEFAULT_FILTER: &str = "warn,howdah=info";

/// The running log: what waits is written when this is dropped.
pub struct Log {
    /// The last lines.
    pub recent: Recent,
    /// The file.
    pub file: PathBuf,
    _writer: WorkerGuard,
}

/// Starts logging into `howdah.log` of a folder, which is made when it is missing.
///
/// # Errors
/// The filter is wrong, the folder or file can't be written, or logging was started before.
pub fn start(folder: &Path, filter: Option<&str>) -> Result<Log, Problem> {
    let filter = filter.unwrap_or(DEFAULT_FILTER);
    let targets: Targets = filter.parse().map_err(|e| {
        Problem::usage(format!("no log filter: {filter}"))
            .because(e)
            .try_this("--log info, or --log howdah=debug,kube=warn")
    })?;
    let file = folder.join("howdah.log");
    let writer = Rotating::open(&file)
        .map_err(|e| Problem::new(format!("can't write the log {}", file.display())).because(e))?;
    let (to_file, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LIMIT).lossy(true).finish(writer);
    let recent = Recent::default();
    let sink = Sink { file: to_file, recent: recent.clone() };
    tracing_subscriber::registry()
        .with(fmt::layer().with_ansi(false).with_writer(sink).with_filter(targets))
        .try_init()
        .map_err(|e| Problem::new("can't start the log").because(e))?;
    Ok(Log { recent, file, _writer: guard })
}

/// The last lines of the log.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Mutex<VecDeque<String>>>);

impl Recent {
    /// The last lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == RING_LIMIT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Where lines go, struck clean first: the file and the memory.
#[derive(Clone)]
struct Sink<W> {
    file: W,
    recent: Recent,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The formatter writes one whole event at a time.
        for line in String::from_utf8_lossy(bytes).lines() {
            let line = clean(&strike(line));
            self.file.write_all(format!("{line}\n").as_bytes())?;
            self.recent.push(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Sink<NonBlocking> {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// A file that is put aside when it grows too long.
struct Rotating {
    path: PathBuf,
    file: File,
    written: u64,
}

impl Rotating {
    fn open(path: &Path) -> io::Result<Rotating> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let written = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), file, written })
    }
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > FILE_LIMIT {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Rotating::open(&self.path)?;
        }
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Strikes out what looks like a secret: values after `password=`, `token:` and the like, `Bearer …`, and the password
/// within an address.
fn strike(line: &str) -> String {
    const WORDS: [&str; 6] = ["password", "passwd", "pgpassword", "secret", "token", "bearer"];
    let lower = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let word = WORDS.iter().find(|w| lower[at..].starts_with(**w));
        if let Some(value) = word.and_then(|w| value_after(&lower, at + w.len(), w)) {
            out.push_str(&line[at..value.start]);
            out.push_str("***");
            at = value.end;
        } else if lower[at..].starts_with("://") {
            let end = line[at + 3..]
                .find(|c: char| c.is_whitespace() || "/\"'".contains(c))
                .map_or(line.len(), |n| at + 3 + n);
            let host = &line[at + 3..end];
            match host.rsplit_once('@').and_then(|(login, host)| Some((login.split_once(':')?.0, host))) {
                Some((user, host)) => out.push_str(&format!("://{user}:***@{host}")),
                None => out.push_str(&line[at..end]),
            }
            at = end;
        } else {
            let c = line[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&line[at..at + c]);
            at += c;
        }
    }
    out
}

/// Where the value after a secret's word stands: behind `=`, `:` or (for `bearer`) a blank, quoted or not.
fn value_after(line: &str, at: usize, word: &str) -> Option<std::ops::Range<usize>> {
    let rest = &line[at..];
    let skipped = rest.trim_start_matches(['"', '\'']);
    let skipped = match skipped.strip_prefix(['=', ':']) {
        Some(value) => value,
        None if word == "bearer" => skipped.strip_prefix(' ')?,
        None => return None,
    };
    let value = skipped.trim_start();
    let quote = value.chars().next().filter(|c| *c == '"' || *c == '\'');
    let start = line.len() - value.len() + usize::from(quote.is_some());
    let stop = |c: char| match quote {
        Some(q) => c == q,
        None => c.is_whitespace() || ",;&}\"'".contains(c),
    };
    let end = line[start..].find(stop).map_or(line.len(), |n| start + n);
    (end > start).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_struck_out() {
        let hidden = [
            "connect host=a password=hunter2 user=b",
            "connect password='hunter2' x",
            "{\"token\":\"hunter2\",\"a\":1}",
            "Authorization: Bearer hunter2",
            "postgresql://me:hunter2@host:5432/db failed",
            "PGPASSWORD=hunter2 psql",
        ];
        for line in hidden {
            let shown = strike(line);
            assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
        }
        assert_eq!(strike("connect password=hunter2 user=b"), "connect password=*** user=b");
        for plain in ["watching secrets in ns", "https://host/path", "the token is missing", "größe"] {
            assert_eq!(strike(plain), plain);
        }
    }

    #[test]
    fn the_file_is_private_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/howdah.log");
        let mut log = Rotating::open(&path).unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let line = vec![b'x'; 1 << 20];
        for _ in 0..13 {
            log.write_all(&line).unwrap();
        }
        let kept: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap()).collect();
        assert_eq!(kept.len(), 2);
        assert!(kept.iter().all(|e| e.metadata().unwrap().len() <= FILE_LIMIT + (1 << 20)));
    }

    #[test]
    fn memory_keeps_the_last_lines() {
        let recent = Recent::default();
        let mut sink = Sink { file: Vec::new(), recent: recent.clone() };
        for n in 0..RING_LIMIT + 3 {
            sink.write_all(format!("line {n} token=x\n").as_bytes()).unwrap();
        }
        let lines = recent.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (RING_LIMIT, "line 3 token=***"));
        assert!(sink.file.starts_with(b"line 0 token=***\n"));
    }

    #[test]
    fn a_wrong_filter_is_a_problem() {
        let problem = start(Path::new("/nonexistent"), Some("howdah=loud")).err().unwrap();
        assert_eq!(problem.exit.code(), 2);
    }

    proptest! {
        #[test]
        fn any_line_is_survived(s in "\\PC{0,60}", word in "(password=|token: |Bearer |://)?") {
            let _ = strike(&format!("{s}{word}{s}"));
        }
    }
}
