//! The log of a recovery's job, read for what it tells: which base backup, how far, when, and why not.
//!
//! The words are CNPG's instance manager's (`pkg/management/postgres/restore.go`) and PostgreSQL's
//! (`src/backend/access/transam/xlogrecovery.c`). What is not told stays unknown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::lsn::Lsn;
use crate::text::{clean, shorten};

/// The longest reason that is kept.
const REASON: usize = 400;

/// What a recovery's log told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The base backup that was taken, by the store's name for it.
    pub base: Option<String>,
    /// Its first line.
    pub began: Option<Timestamp>,
    /// The base backup was unpacked.
    pub unpacked: Option<Timestamp>,
    /// The last of the WAL was replayed.
    pub replayed: Option<Timestamp>,
    /// It is a primary of its own.
    pub promoted: Option<Timestamp>,
    /// Before or after what it stopped, in PostgreSQL's words.
    pub stopped: Option<String>,
    /// When the last transaction that it replayed was committed, in PostgreSQL's words.
    pub last_transaction: Option<String>,
    /// Where replay began and ended.
    pub wal: (Option<Lsn>, Option<Lsn>),
    /// What it complained of last: of a recovery that failed, the reason.
    pub trouble: Option<String>,
}

/// One line of a log that is JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Line(Value);

impl Line {
    /// Reads a line; one that begins with Kubernetes' own time is read behind it.
    pub fn read(line: &str) -> Option<Line> {
        let text = &line[line.find('{')?..];
        serde_json::from_str(text).ok().filter(Value::is_object).map(Line)
    }

    fn word(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn at(&self) -> Option<Timestamp> {
        self.word("/ts").parse().ok()
    }
}

impl Story {
    /// Reads a whole log.
    pub fn of(log: &str) -> Story {
        let mut story = Story::default();
        log.lines().filter_map(Line::read).for_each(|line| story.hear(&line));
        story
    }

    /// Bytes of WAL that were replayed.
    pub fn replayed_bytes(&self) -> Option<u64> {
        let (from, to) = self.wal;
        Some(to?.since(from?))
    }

    fn hear(&mut self, line: &Line) {
        self.began = self.began.or(line.at());
        match (line.word("/logger"), line.word("/msg")) {
            ("postgres", "record") => self.postgres(line),
            (_, "Target backup found") => {
                let id =
                    ["/backup/backup_id", "/backup/id"].map(|p| line.word(p)).into_iter().find(|id| !id.is_empty());
                self.base = id.map(clean);
            }
            (_, "Recovering existing backup") if self.base.is_none() => {
                self.base = Some(clean(line.word("/backup/status/backupId"))).filter(|id| !id.is_empty());
            }
            (_, "Restore completed") => self.unpacked = line.at(),
            (logger, msg) if logger.starts_with("barman-cloud") && !msg.trim().is_empty() => self.troubled(msg, false),
            (_, msg) if line.word("/level") == "error" => {
                self.troubled(&format!("{msg}: {}", line.word("/error")), true);
            }
            _ => {}
        }
    }

    fn postgres(&mut self, line: &Line) {
        let message = line.word("/record/message");
        let position = |words: &str| message.strip_prefix(words)?.split_whitespace().next()?.parse().ok();
        if let Some(lsn) = position("redo starts at ") {
            self.wal.0 = Some(lsn);
        } else if let Some(lsn) = position("redo done at ") {
            (self.wal.1, self.replayed) = (Some(lsn), line.at());
        } else if let Some(when) = message.strip_prefix("last completed transaction was at log time ") {
            self.last_transaction = Some(clean(when));
        } else if message.starts_with("recovery stopping ") {
            self.stopped = Some(clean(message));
        } else if message == "archive recovery complete" {
            self.promoted = line.at();
        }
        // Whoever asks a server that is not there yet is told so, too.
        let asked_early = message.starts_with("the database system is ");
        if matches!(line.word("/record/error_severity"), "FATAL" | "PANIC") && !asked_early {
            self.troubled(message, false);
        }
    }

    /// What PostgreSQL or Barman says is the reason; what the instance manager makes of it only where they said nothing.
    fn troubled(&mut self, words: &str, only_where_nothing: bool) {
        if self.trouble.is_none() || !only_where_nothing {
            self.trouble = Some(shorten(&clean(words.trim()), REASON));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manager(at: &str, msg: &str, more: Value) -> String {
        let mut line = json!({"level": "info", "ts": format!("2026-11-20T22:57:{at}Z"), "msg": msg});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    }

    fn postgres(at: &str, severity: &str, message: &str) -> String {
        let record = json!({"record": {"error_severity": severity, "message": message}, "logger": "postgres"});
        manager(at, "record", record)
    }

    fn second(at: &str) -> Option<Timestamp> {
        format!("2026-11-20T22:57:{at}Z").parse().ok()
    }

    #[test]
    fn a_recovery_that_came_to_its_end() {
        let lines = [
            "not JSON".to_owned(),
            manager("30.4", "Starting webserver", json!({})),
            manager("30.8", "Target backup found", json!({"backup": {"backup_id": "20261120T225646"}})),
            format!("2026-11-20T22:57:31.7Z {}", manager("31.6", "Restore completed", json!({}))),
            postgres("32.9", "LOG", "redo starts at 0/3000028"),
            postgres("33.1", "LOG", "recovery stopping before commit of transaction 743, time 2026-11-20 22:57:23+00"),
            postgres("33.2", "LOG", "redo done at 0/5000148 system usage: CPU: user: 0.00 s"),
            postgres("33.3", "LOG", "last completed transaction was at log time 2026-11-20 22:57:22.98+00"),
            postgres("33.6", "LOG", "archive recovery complete"),
        ];
        let story = Story::of(&lines.join("\n"));
        let expected = Story {
            base: Some("20261120T225646".into()),
            began: second("30.4"),
            unpacked: second("31.6"),
            replayed: second("33.2"),
            promoted: second("33.6"),
            stopped: Some("recovery stopping before commit of transaction 743, time 2026-11-20 22:57:23+00".into()),
            last_transaction: Some("2026-11-20 22:57:22.98+00".into()),
            wal: (Some(Lsn(0x300_0028)), Some(Lsn(0x500_0148))),
            trouble: None,
        };
        assert_eq!(story, expected);
        assert_eq!(story.replayed_bytes(), Some(0x200_0120));
    }

    #[test]
    fn the_reason_is_that_of_who_knows_it() {
        let error = |at: &str, error: &str| {
            manager(at, "Error while restoring a backup", json!({"level": "error", "error": error}))
        };
        let early = postgres("34.1", "FATAL", "recovery ended before configured recovery target was reached");
        let told = Story::of(&[early, error("38.7", "while waiting for PostgreSQL to stop recovery mode")].join("\n"));
        assert_eq!(told.trouble.as_deref(), Some("recovery ended before configured recovery target was reached"));
        let barman = manager(
            "31.0",
            "ERROR: Barman cloud restore exception: unexpected end of data",
            json!({"logger": "barman-cloud-restore"}),
        );
        let told = Story::of(&[barman, error("31.1", "General error (exit code 4)")].join("\n"));
        assert_eq!(told.trouble.as_deref(), Some("ERROR: Barman cloud restore exception: unexpected end of data"));
        let told = Story::of(&error("31.1", "no target backup found"));
        assert_eq!(told.trouble.as_deref(), Some("Error while restoring a backup: no target backup found"));
    }
}
