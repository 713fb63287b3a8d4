//! Barman's `backup.info`: what a base backup says of itself.
//!
//! `key=value` lines as Barman's `FieldListFile` writes them: `None` is "not told", blank lines and `#` comments are
//! passed over, fields that are not known here too. A time without a zone is the writer's local time there; a
//! container's is UTC, and so it is read.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::domain::lsn::Lsn;
use crate::domain::wal::{Timeline, WalName};
use crate::text::{clean, shorten};

/// The status Barman gives a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupStatus {
    /// The file does not say.
    #[default]
    Untold,
    /// `EMPTY`: made, nothing in it yet.
    Empty,
    /// `STARTED`: under way, or left so by a crash.
    Started,
    /// `WAITING_FOR_WALS` and `SYNCING`: copied, its WAL not all there.
    Waiting,
    /// `DONE`
    Done,
    /// `FAILED`
    Failed,
    /// A word not known here.
    Other(String),
}

impl BackupStatus {
    fn read(word: &str) -> Self {
        match word {
            "EMPTY" => BackupStatus::Empty,
            "STARTED" => BackupStatus::Started,
            "WAITING_FOR_WALS" | "SYNCING" => BackupStatus::Waiting,
            "DONE" => BackupStatus::Done,
            "FAILED" => BackupStatus::Failed,
            other => BackupStatus::Other(shorten(&clean(other), 40)),
        }
    }

    /// The word for it.
    pub fn word(&self) -> &str {
        match self {
            BackupStatus::Untold => "not told",
            BackupStatus::Empty => "empty",
            BackupStatus::Started => "started",
            BackupStatus::Waiting => "waiting for WAL",
            BackupStatus::Done => "done",
            BackupStatus::Failed => "failed",
            BackupStatus::Other(word) => word,
        }
    }
}

/// A tablespace beside the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tablespace {
    /// Its name.
    pub name: String,
    /// Its object id: its file in the backup is called after it.
    pub oid: u32,
    /// Where it was on the server.
    pub location: String,
}

/// What a base backup says of itself. Every field may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupInfo {
    /// How it went.
    pub status: BackupStatus,
    /// The name given by whoever asked for it: CNPG's `backup-<time>`.
    pub name: Option<String>,
    /// When it began.
    pub begin: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// First segment a restore needs.
    pub begin_wal: Option<WalName>,
    /// Last segment a restore needs.
    pub end_wal: Option<WalName>,
    /// Where it began.
    pub begin_lsn: Option<Lsn>,
    /// Where it ended: consistent from there on.
    pub end_lsn: Option<Lsn>,
    /// The timeline it was taken on.
    pub timeline: Option<Timeline>,
    /// PostgreSQL's system identifier.
    pub system_id: Option<String>,
    /// The name the backup program was given. barman-cloud writes `cloud` whatever the folder is called.
    pub server_name: Option<String>,
    /// PostgreSQL's version number, such as 170011.
    pub version: Option<u32>,
    /// Bytes as Barman counts them; barman-cloud leaves it out.
    pub size: Option<u64>,
    /// Bytes of the data directory when it was taken.
    pub cluster_size: Option<u64>,
    /// `gzip`, `bzip2`, `snappy`, …
    pub compression: Option<String>,
    /// Bytes of a WAL segment.
    pub segment_size: Option<u64>,
    /// Tablespaces in it.
    pub tablespaces: Vec<Tablespace>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Why a text is no `backup.info`. The line counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadInfo {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for BadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadInfo {}

impl BackupInfo {
    /// Reads a `backup.info`.
    pub fn parse(text: &str) -> Result<Self, BadInfo> {
        let mut info = BackupInfo::default();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |why: String| BadInfo { line: place + 1, why };
            let (key, value) =
                line.split_once('=').ok_or_else(|| bad(format!("{:?} is not key=value", shorten(&clean(line), 60))))?;
            let (key, value) = (key.trim(), value.trim());
            if !value.is_empty() && value != "None" {
                info.take(key, value)
                    .map_err(|what| bad(format!("{}: {:?} is not {what}", clean(key), shorten(&clean(value), 60))))?;
            }
        }
        Ok(info)
    }

    /// Takes one field; the error is what was expected.
    fn take(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let words = || Some(shorten(&clean(value), 300));
        match key {
            "status" => self.status = BackupStatus::read(value),
            "backup_name" => self.name = words(),
            "begin_time" => self.begin = Some(time(value).ok_or("a time")?),
            "end_time" => self.end = Some(time(value).ok_or("a time")?),
            "begin_wal" => self.begin_wal = Some(value.parse().map_err(|_| "a WAL segment's name")?),
            "end_wal" => self.end_wal = Some(value.parse().map_err(|_| "a WAL segment's name")?),
            "begin_xlog" => self.begin_lsn = Some(value.parse().map_err(|_| "a WAL position")?),
            "end_xlog" => self.end_lsn = Some(value.parse().map_err(|_| "a WAL position")?),
            "timeline" => self.timeline = Some(value.parse().map_err(|_| "a timeline")?),
            "systemid" => self.system_id = words(),
            "server_name" => self.server_name = words(),
            "version" => self.version = Some(value.parse().map_err(|_| "a version number")?),
            "size" => self.size = Some(value.parse().map_err(|_| "a number of bytes")?),
            "cluster_size" => self.cluster_size = Some(value.parse().map_err(|_| "a number of bytes")?),
            "compression" => self.compression = words(),
            "xlog_segment_size" => self.segment_size = Some(segment_size(value).ok_or("a segment size")?),
            "tablespaces" => self.tablespaces = tablespaces(value).ok_or("a list of tablespaces")?,
            "error" => self.error = words(),
            _ => {}
        }
        Ok(())
    }

    /// The time a restore of it alone reaches at the earliest: its end, else its begin.
    pub fn reached(&self) -> Option<Timestamp> {
        self.end.or(self.begin)
    }
}

/// A power of two from 1 MB to 1 GB, as `initdb --wal-segsize` allows.
fn segment_size(value: &str) -> Option<u64> {
    value.parse::<u64>().ok().filter(|n| n.is_power_of_two() && (1 << 20..=1 << 30).contains(n))
}

/// `2026-11-20 22:56:46.176558+00:00`; without a zone: UTC. Older Barman writes `Mon Nov 20 22:56:46 2026`.
fn time(value: &str) -> Option<Timestamp> {
    if let Ok(at) = value.parse::<Timestamp>() {
        return Some(at);
    }
    let naive = value.parse::<DateTime>().or_else(|_| DateTime::strptime("%a %b %e %H:%M:%S %Y", value)).ok()?;
    TimeZone::UTC.to_timestamp(naive).ok()
}

/// Python's `[('name', 16385, '/path'), …]`.
fn tablespaces(value: &str) -> Option<Vec<Tablespace>> {
    let mut rest = value.strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let inner = rest.strip_prefix(['(', '['])?;
        let (name, after) = quoted(inner)?;
        let (oid, after) = after.trim_start().strip_prefix(',')?.split_once(',')?;
        let (location, after) = quoted(after.trim_start())?;
        let after = after.trim_start().trim_start_matches(',').trim_start().strip_prefix([')', ']'])?;
        all.push(Tablespace { name: clean(&name), oid: oid.trim().parse().ok()?, location: clean(&location) });
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    Some(all)
}

/// A Python string literal at the start of a text, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start().trim_start_matches(['u', 'b']);
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?.1),
            c if c == quote => return Some((out, &text[place + 1..])),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From a backup of our own, shortened.
    const WHOLE: &str = "backup_label='START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\\n'\n\
        backup_name=backup-20261120225645\n\
        begin_offset=40\n\
        begin_time=2026-11-20 22:56:46.176558+00:00\n\
        begin_wal=000000010000000000000003\n\
        begin_xlog=0/3000028\n\
        children_backup_ids=None\n\
        cluster_size=31067936\n\
        compression=None\n\
        copy_stats={'total_time': 2.512058, 'number_of_workers': 2}\n\
        end_time=2026-11-20 22:56:48.580730+00:00\n\
        end_wal=000000010000000000000004\n\
        end_xlog=0/4087A78\n\
        error=None\n\
        server_name=cloud\n\
        size=None\n\
        status=DONE\n\
        systemid=7710391222804942868\n\
        tablespaces=None\n\
        timeline=1\n\
        version=170011\n\
        xlog_segment_size=16777216\n";

    #[test]
    fn a_whole_one() {
        let info = BackupInfo::parse(WHOLE).unwrap();
        assert_eq!(info.status, BackupStatus::Done);
        assert_eq!(info.name.as_deref(), Some("backup-20261120225645"));
        assert_eq!(info.end_wal.unwrap().to_string(), "000000010000000000000004");
        assert_eq!(info.end_lsn.unwrap().to_string(), "0/4087A78");
        assert_eq!(info.end, Some("2026-11-20T22:56:48.58073Z".parse().unwrap()));
        assert_eq!((info.size, info.error, info.compression), (None, None, None));
        assert_eq!((info.timeline, info.segment_size), (Some(1), Some(DEFAULT)));
        assert_eq!(info.system_id.as_deref(), Some("7710391222804942868"));
    }

    const DEFAULT: u64 = crate::domain::wal::DEFAULT_SEGMENT;

    #[test]
    fn one_that_only_began_and_one_that_failed() {
        let began = BackupInfo::parse("status=STARTED\nbegin_time=2026-11-20 22:56:46\n").unwrap();
        assert_eq!(began.status, BackupStatus::Started);
        assert_eq!(began.begin, Some("2026-11-20T22:56:46Z".parse().unwrap()), "no zone is UTC");
        let failed = BackupInfo::parse("# a comment\n\nstatus = FAILED\nerror = failure uploading data (exit 2)\n");
        assert_eq!(failed.unwrap().error.as_deref(), Some("failure uploading data (exit 2)"));
        assert_eq!(BackupInfo::parse("").unwrap().status, BackupStatus::Untold);
        assert_eq!(BackupInfo::parse("status=SYNCING").unwrap().status, BackupStatus::Waiting);
        assert_eq!(BackupInfo::parse("status=RETRYING").unwrap().status.word(), "RETRYING");
    }

    #[test]
    fn times_of_old_and_new_writers() {
        let at = |text: &str| time(text).map(|t| t.to_string());
        assert_eq!(at("2026-11-20 22:56:46+01:00").as_deref(), Some("2026-11-20T21:56:46Z"));
        assert_eq!(at("Fri Nov 20 22:56:46 2026").as_deref(), Some("2026-11-20T22:56:46Z"));
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn tablespaces_as_python_writes_them() {
        let text = r#"tablespaces=[('hot', 16385, '/srv/hot'), ("it's", 16386, '/srv/it\'s')]"#;
        let info = BackupInfo::parse(text).unwrap();
        assert_eq!(info.tablespaces.len(), 2);
        assert_eq!(info.tablespaces[1].name, "it's");
        assert_eq!((info.tablespaces[1].oid, info.tablespaces[1].location.as_str()), (16386, "/srv/it's"));
    }

    #[test]
    fn a_mistake_names_its_line() {
        let why = |text: &str| BackupInfo::parse(text).unwrap_err().to_string();
        assert_eq!(why("status=DONE\nnonsense"), "line 2: \"nonsense\" is not key=value");
        assert_eq!(why("timeline=one"), "line 1: timeline: \"one\" is not a timeline");
        assert_eq!(why("end_wal=0000"), "line 1: end_wal: \"0000\" is not a WAL segment's name");
        assert_eq!(why("xlog_segment_size=17"), "line 1: xlog_segment_size: \"17\" is not a segment size");
        assert_eq!(why("tablespaces=[(1"), "line 1: tablespaces: \"[(1\" is not a list of tablespaces");
    }

    proptest! {
        #[test]
        fn never_panics(s in any::<String>(), value in any::<String>()) {
            let _ = BackupInfo::parse(&s);
            let _ = BackupInfo::parse(&format!("tablespaces=[({value})]"));
            let _ = BackupInfo::parse(&format!("begin_time={value}"));
        }
    }
}
