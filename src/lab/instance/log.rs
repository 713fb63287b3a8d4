//! The log lines of an instance's container: JSON objects, one per line, as CNPG's instance manager writes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::lab::kubelet::logbook::LogBook;
use crate::lab::postgres::LogRecord;

/// Writes CNPG's lines into a container's log.
#[derive(Clone, Debug)]
pub struct Log {
    book: LogBook,
    pod: String,
}

/// RFC 3339 with nanoseconds, as the lines' `ts`.
fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

/// One line. Its keys come in CNPG's order: level, ts, logger, msg, the rest.
pub fn line(at: Timestamp, level: &str, logger: &str, pod: &str, msg: &str, more: &[(&str, Value)]) -> String {
    let mut out = format!(
        "{{\"level\":{},\"ts\":{},\"logger\":{},\"msg\":{},\"logging_pod\":{}",
        json!(level),
        json!(stamp(at)),
        json!(logger),
        json!(msg),
        json!(pod)
    );
    for (key, value) in more {
        out.push_str(&format!(",{}:{value}", json!(key)));
    }
    out.push('}');
    out
}

impl Log {
    /// A log of the pod of that name.
    pub fn new(book: LogBook, pod: &str) -> Self {
        Log { book, pod: pod.to_owned() }
    }

    /// The instance manager says something.
    pub fn info(&self, msg: &str, more: &[(&str, Value)]) {
        self.write("info", "instance-manager", msg, more);
    }

    /// The instance manager has failed at something.
    pub fn error(&self, msg: &str, error: &str) {
        self.write("error", "instance-manager", msg, &[("error", json!(error))]);
    }

    /// A program's output.
    pub fn pipe(&self, program: &str, msg: &str) {
        self.write("info", program, msg, &[("pipe", json!("stdout"))]);
    }

    /// What a program complains of.
    pub fn complaint(&self, program: &str, msg: &str) {
        self.write("info", program, msg, &[("pipe", json!("stderr"))]);
    }

    /// A record of PostgreSQL's log.
    pub fn record(&self, record: &LogRecord) {
        self.write("info", "postgres", "record", &[("record", json!(record))]);
    }

    fn write(&self, level: &str, logger: &str, msg: &str, more: &[(&str, Value)]) {
        let now = Timestamp::now();
        self.book.write(now, line(now, level, logger, &self.pod, msg, more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_in_cnpgs_order() {
        let at = "2026-11-20T23:11:17.607985559Z".parse().unwrap();
        let text = line(at, "info", "instance-manager", "demo-2", "say \"hi\"\n", &[("req", json!("FenceOff"))]);
        assert!(text.starts_with(
            r#"{"level":"info","ts":"2026-11-20T23:11:17.607985559Z","logger":"instance-manager","msg":"#
        ));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["msg"], &value["req"]), (&json!("say \"hi\"\n"), &json!("FenceOff")));
    }

    #[test]
    fn postgresqls_records_keep_their_fields() {
        let record = LogRecord {
            process_id: "23".to_owned(),
            error_severity: "LOG".to_owned(),
            message: "checkpoint starting: time".to_owned(),
            ..LogRecord::default()
        };
        let text = line(Timestamp::UNIX_EPOCH, "info", "postgres", "demo-1", "record", &[("record", json!(record))]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["record"]["message"], "checkpoint starting: time");
        assert_eq!(value["record"].get("user_name"), None);
    }
}
