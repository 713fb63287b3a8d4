//! What a server writes to its log, as records with CNPG's field names.
//!
//! Servers log to their standard error with a prefix of our own ([`PREFIX`]), read by one task per server. So there are no
//! files to rotate, nobody polls, and memory is bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::broadcast,
};

/// Records a server's log book keeps.
const KEPT: usize = 2_000;
/// Characters of one message that are kept.
const LONGEST: usize = 8 * 1024;
/// Between fields: a character that no message can have at these places.
const BETWEEN: char = '\u{1f}';

/// `log_line_prefix` as it is written into the configuration: `\037` is the unit separator.
pub(super) const PREFIX: &str =
    r"\037%m\037%u\037%d\037%p\037%r\037%c\037%l\037%i\037%s\037%v\037%x\037%e\037%a\037%b\037";
/// How many fields that makes.
const FIELDS: usize = 14;

/// One log record: the fields of CNPG's `record` (those of csvlog).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// `2026-11-20 22:56:46.176 UTC`.
    pub log_time: String,
    /// The session's user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_name: String,
    /// The session's database.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub database_name: String,
    /// The process that wrote it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub process_id: String,
    /// Host and port of the client.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub connection_from: String,
    /// The session.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_id: String,
    /// Running number in the session.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_line_num: String,
    /// What the session is doing: `SELECT`, `startup`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command_tag: String,
    /// When the process started.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session_start_time: String,
    /// `3/17`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub virtual_transaction_id: String,
    /// `0` when there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub transaction_id: String,
    /// `LOG`, `ERROR`, `FATAL`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_severity: String,
    /// SQLSTATE.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sql_state_code: String,
    /// The message.
    pub message: String,
    /// What the server adds as DETAIL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What the server adds as HINT.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// What the server adds as CONTEXT.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// The statement that caused it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// The client's `application_name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub application_name: String,
    /// `client backend`, `checkpointer`, …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub backend_type: String,
}

/// A server's records: the last ones, and a stream of those to come.
#[derive(Debug)]
pub(super) struct LogBook {
    last: Mutex<VecDeque<Arc<LogRecord>>>,
    stream: broadcast::Sender<Arc<LogRecord>>,
}

impl Default for LogBook {
    fn default() -> Self {
        LogBook { last: Mutex::default(), stream: broadcast::Sender::new(512) }
    }
}

impl LogBook {
    /// Both at one moment: no record is missed or told twice.
    pub(super) fn read(&self) -> (Vec<Arc<LogRecord>>, broadcast::Receiver<Arc<LogRecord>>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.iter().cloned().collect(), self.stream.subscribe())
    }

    /// The last messages, for an error's reason.
    pub(super) fn tail(&self, lines: usize) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |r: &Arc<LogRecord>| format!("{}: {}", r.error_severity, r.message);
        let skip = last.len().saturating_sub(lines);
        last.iter().skip(skip).map(text).collect::<Vec<_>>().join("; ")
    }

    fn add(&self, record: LogRecord) {
        let record = Arc::new(record);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(record.clone());
        let _ = self.stream.send(record);
    }

    /// Reads a server's standard error to its end.
    pub(super) async fn follow(&self, pipe: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(pipe);
        let mut open: Option<LogRecord> = None;
        let mut line = Vec::new();
        loop {
            line.clear();
            // Nothing more at hand: what has come so far is whole enough to tell.
            if lines.buffer().is_empty() {
                self.close(&mut open);
            }
            match lines.read_until(b'\n', &mut line).await {
                Ok(n) if n > 0 => self.take(&mut open, String::from_utf8_lossy(&line).trim_end_matches('\n')),
                _ => break,
            }
        }
        self.close(&mut open);
    }

    fn close(&self, open: &mut Option<LogRecord>) {
        if let Some(record) = open.take() {
            self.add(record);
        }
    }

    /// A new record, an addition to the open one, or (indented by a tab) one more line of it.
    fn take(&self, open: &mut Option<LogRecord>, line: &str) {
        match (parse(line), open.as_mut()) {
            (Some(next), Some(record)) if is_addition(&next, record) => append(record, next),
            (Some(next), _) => {
                self.close(open);
                *open = Some(next);
            }
            (None, Some(record)) if line.starts_with('\t') => {
                push(&mut record.message, &format!("\n{}", line.trim_start_matches('\t')));
            }
            (None, _) => {
                self.close(open);
                // Not of the server's own making: an archive command, a library.
                self.add(LogRecord { error_severity: "LOG".into(), message: shorten(line), ..LogRecord::default() });
            }
        }
    }
}

/// Additions come as lines of their own right after their message, by the same process.
fn is_addition(next: &LogRecord, record: &LogRecord) -> bool {
    next.process_id == record.process_id
        && matches!(&*next.error_severity, "DETAIL" | "HINT" | "CONTEXT" | "STATEMENT" | "QUERY" | "LOCATION")
}

fn append(record: &mut LogRecord, next: LogRecord) {
    match &*next.error_severity {
        "DETAIL" => record.detail = next.message,
        "HINT" => record.hint = next.message,
        "CONTEXT" => record.context = next.message,
        "STATEMENT" => record.query = next.message,
        _ => {}
    }
}

fn push(text: &mut String, more: &str) {
    if text.len() + more.len() <= LONGEST {
        text.push_str(more);
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn parse(line: &str) -> Option<LogRecord> {
    let mut parts = line.splitn(FIELDS + 2, BETWEEN);
    if !parts.next()?.is_empty() {
        return None;
    }
    let mut field = || parts.next().map(str::to_owned);
    let mut record = LogRecord {
        log_time: field()?,
        user_name: field()?,
        database_name: field()?,
        process_id: field()?,
        connection_from: field()?,
        session_id: field()?,
        session_line_num: field()?,
        command_tag: field()?,
        session_start_time: field()?,
        virtual_transaction_id: field()?,
        transaction_id: field()?,
        sql_state_code: field()?,
        application_name: field()?,
        backend_type: field()?,
        ..LogRecord::default()
    };
    let (severity, message) = parts.next()?.split_once(':')?;
    record.error_severity = severity.to_owned();
    record.message = shorten(message.trim_start());
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: u32, rest: &str) -> String {
        let fields = format!(
            "2026-11-20 22:56:46.176 UTC|app|app|{pid}|127.0.0.1(4242)|6a1.2|1|SELECT|2026-11-20|3/17|0|42P01|psql|client backend|"
        );
        format!("\u{1f}{}{rest}\n", fields.replace('|', "\u{1f}"))
    }

    #[tokio::test]
    async fn a_record_with_its_additions_and_lines() {
        let book = LogBook::default();
        let (_, mut stream) = book.read();
        let text = [
            line(7, "ERROR:  relation \"x\" does not exist at character 15"),
            line(7, "STATEMENT:  select * from x"),
            line(8, "LOG:  first line"),
            "\tsecond line\n".to_owned(),
            "cp: no such file\n".to_owned(),
        ]
        .concat();
        book.follow(text.as_bytes()).await;
        let (records, _) = book.read();
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].message, "relation \"x\" does not exist at character 15");
        assert_eq!((&*records[0].query, &*records[0].sql_state_code), ("select * from x", "42P01"));
        assert_eq!(records[1].message, "first line\nsecond line");
        assert_eq!(records[2].message, "cp: no such file");
        assert_eq!(stream.recv().await.unwrap(), records[0]);
        assert!(book.tail(1).ends_with("cp: no such file"));
    }

    #[test]
    fn a_separator_in_the_message_harms_nothing() {
        let record = parse(line(7, "LOG:  a\u{1f}b: c").trim_end()).unwrap();
        assert_eq!(record.message, "a\u{1f}b: c");
        assert_eq!(parse("plain"), None);
        assert_eq!(parse("\u{1f}too\u{1f}few"), None);
    }
}
