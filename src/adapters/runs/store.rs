//! Where journals are, which there are, and what they are called.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::audit::Audit;
use super::journal::{self, Journal, private_folder};
use super::lock::Lock;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::{By, Entry, Holder, Kind, RunId, Summary, What};
use crate::text::clean_lines;

/// All runs of this account on this machine.
#[derive(Clone, Debug)]
pub struct Store {
    state: PathBuf,
}

/// A journal as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
    /// Its last line is not whole: it is just being written, or the writer ended while writing.
    pub torn: bool,
    /// Who drives it now.
    pub holder: Option<Holder>,
}

/// What the four letters are drawn from: none that is mistaken for another.
const LETTERS: &[u8] = b"bcdfghjkmnpqrstvwxz23456789";

impl Store {
    /// The runs below howdah's state folder.
    pub fn new(state: PathBuf) -> Store {
        Store { state }
    }

    /// A name for a new run: when, what, where, and four letters of chance. At most 63 characters, so that it is fit for
    /// a label; a long cluster's name gives way.
    pub fn name(kind: Kind, cluster: &ClusterKey, now: Timestamp) -> RunId {
        let when = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S");
        let kind = kind.name();
        let mut rng = rand::rng();
        let chance: String = (0..4).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect();
        let room = 63usize.saturating_sub(15 + kind.len() + chance.len() + 3);
        let cluster: String = cluster.name.chars().take(room).collect();
        let cluster = cluster.trim_end_matches(['-', '.']);
        RunId::from(format!("{when}-{kind}-{cluster}-{chance}").as_str())
    }

    /// The folder of a run: its journal, and what an executor keeps beside it.
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.state.join("runs").join(run.as_str())
    }

    /// The audit trail.
    pub fn audit(&self) -> Audit {
        Audit::new(self.state.join("audit.jsonl"))
    }

    /// Begins a journal.
    ///
    /// # Errors
    /// There is one of that name, or it can't be written.
    pub fn begin(&self, run: &RunId, by: &By, now: Timestamp) -> Result<Journal, Problem> {
        let folder = self.folder(run);
        private_folder(&folder).map_err(|e| {
            Problem::new("there is no place for the run's journal").because(format!("{}: {e}", folder.display()))
        })?;
        let lock = Lock::take(&folder.join("lock"), by, now)?;
        Journal::create(folder.join("journal.jsonl"), lock)
    }

    /// Takes a run up: its journal to go on with, its entries, and whether a torn last line was cut off.
    ///
    /// # Errors
    /// Another process drives it (exit 3), it is damaged, or it can't be read.
    pub fn go_on(&self, run: &RunId, by: &By, now: Timestamp) -> Result<(Journal, Vec<Entry>, bool), Problem> {
        let folder = self.folder(run);
        let lock = Lock::take(&folder.join("lock"), by, now)?;
        Journal::go_on(folder.join("journal.jsonl"), lock)
    }

    /// Reads a run's journal without taking it up.
    ///
    /// # Errors
    /// It is damaged, or can't be read.
    pub fn read(&self, run: &RunId) -> Result<Written, Problem> {
        let folder = self.folder(run);
        let journal::Contents { entries, torn, .. } = journal::read(&folder.join("journal.jsonl"))?;
        Ok(Written { entries, torn, holder: Lock::holder(&folder.join("lock")) })
    }

    /// The note that was being typed for a run when its console ended.
    pub fn draft(&self, run: &RunId) -> Option<String> {
        let text = fs::read_to_string(self.folder(run).join("draft")).ok()?;
        Some(clean_lines(&text)).filter(|text| !text.trim().is_empty())
    }

    /// Keeps the note that is being typed for a run; an empty one is none.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep_draft(&self, run: &RunId, text: &str) -> Result<(), Problem> {
        let (file, new) = (self.folder(run).join("draft"), self.folder(run).join("draft.new"));
        let kept = if text.is_empty() {
            fs::remove_file(&file).or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
        } else {
            // Whole or not at all: a crash leaves the older one.
            let mut open = OpenOptions::new();
            let open = open.write(true).create(true).truncate(true).mode(0o600).open(&new);
            open.and_then(|mut f| f.write_all(text.as_bytes())).and_then(|()| fs::rename(&new, &file))
        };
        kept.map_err(|e| Problem::new("the draft of a note can't be kept").because(format!("{}: {e}", file.display())))
    }

    /// Every run, the newest first. One that can't be read is told as a problem, and hides no other.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn list(&self) -> Result<Vec<Result<Summary, Problem>>, Problem> {
        let mut names = self.names()?;
        names.sort_by(|a, b| b.cmp(a));
        Ok(names.iter().map(|run| self.summary(run)).collect())
    }

    /// The run of that name, or the only one whose name begins so.
    ///
    /// # Errors
    /// None, or several (exit 2).
    pub fn find(&self, said: &str) -> Result<RunId, Problem> {
        let mut names = self.names()?;
        names.retain(|run| run.as_str().starts_with(said));
        names.sort();
        match names.as_slice() {
            [] => Err(Problem::usage(format!("no run is called {said}")).try_this("howdah runs list")),
            [run] => Ok(run.clone()),
            several if several.iter().any(|run| run.as_str() == said) => Ok(said.into()),
            several => Err(Problem::usage(format!("{} runs begin with {said}", several.len()))
                .because(several.iter().map(RunId::as_str).collect::<Vec<_>>().join(", "))
                .try_this("say more of its name")),
        }
    }

    fn names(&self) -> Result<Vec<RunId>, Problem> {
        let folder = self.state.join("runs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => {
                return Err(Problem::new("the runs can't be read").because(format!("{}: {e}", folder.display())));
            }
        };
        let names = entries.flatten().filter(|e| e.path().join("journal.jsonl").exists());
        Ok(names.filter_map(|e| e.file_name().to_str().map(RunId::from)).collect())
    }

    fn summary(&self, run: &RunId) -> Result<Summary, Problem> {
        let folder = self.folder(run);
        let (first, last) = journal::ends(&folder.join("journal.jsonl"))?;
        let What::Opened { plan, by, .. } = first.what else {
            return Err(Problem::new(format!("{run} is no run")).because("its journal's first line opens none"));
        };
        let outcome = match last.what {
            What::Closed { outcome } => Some(outcome),
            _ => None,
        };
        Ok(Summary {
            run: run.clone(),
            kind: plan.kind,
            cluster: plan.cluster,
            title: plan.title,
            by: format!("{}@{}", by.user, by.host),
            opened: first.at,
            last: last.at,
            outcome,
            holder: Lock::holder(&folder.join("lock")),
        })
    }
}

/// Who runs a run from this process.
pub fn by(through: &str, versions: BTreeMap<String, String>) -> By {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|u| u.name);
    let host = nix::unistd::gethostname().ok().and_then(|h| h.into_string().ok());
    By {
        user: user.unwrap_or_else(|| format!("uid {}", nix::unistd::getuid())),
        host: host.unwrap_or_else(|| "this machine".into()),
        howdah: env!("CARGO_PKG_VERSION").into(),
        through: through.into(),
        versions,
    }
}
