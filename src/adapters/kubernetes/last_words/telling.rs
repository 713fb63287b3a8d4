//! Which line of a log tells why it ended.

use serde_json::{Map, Value};

use crate::text::{clean, shorten};

/// The longest cause that is kept, in characters.
const LONGEST: usize = 300;

/// How much a line tells of the cause; of equals the last one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// The instance manager's own error: often no more than that a program failed.
    Manager,
    /// A program complains, or PostgreSQL refused a statement.
    Error,
    /// PostgreSQL could not go on.
    Fatal,
}

/// Reads a log line by line and keeps the one that tells most.
#[derive(Debug, Default)]
pub struct Telling {
    best: Option<(Weight, String)>,
}

impl Telling {
    /// The next line, as the container wrote it.
    pub fn line(&mut self, line: &str) {
        let Some((weight, text)) = weighed(line) else { return };
        if self.best.as_ref().is_none_or(|(best, _)| weight >= *best) {
            self.best = Some((weight, shorten(clean(&text).trim(), LONGEST)));
        }
    }

    /// The cause; `None`: no line tells one.
    pub fn cause(self) -> Option<String> {
        self.best.map(|(_, text)| text)
    }
}

fn weighed(line: &str) -> Option<(Weight, String)> {
    let json = line.find('{').and_then(|at| serde_json::from_str::<Value>(&line[at..]).ok());
    let Some(Value::Object(json)) = json else { return complaint(line) };
    if let Some(record) = json.get("record").and_then(Value::as_object) {
        return of_record(record);
    }
    let message = text(&json, "msg")?;
    if text(&json, "level") == Some("error") {
        return Some((Weight::Manager, text(&json, "error").or(text(&json, "err")).unwrap_or(message).to_owned()));
    }
    // It is asked for files that are not there in every recovery, up to the end of the archive.
    let asks = text(&json, "logger").is_some_and(|l| l.contains("wal-restore"));
    complaint(message).filter(|_| !asks)
}

fn text<'a>(of: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    of.get(field).and_then(Value::as_str).filter(|s| !s.is_empty())
}

/// A record of PostgreSQL's own log. Class 57P: it tells clients that it starts or stops, which is no cause.
fn of_record(record: &Map<String, Value>) -> Option<(Weight, String)> {
    let client = text(record, "backend_type") == Some("client backend");
    if text(record, "sql_state_code").is_some_and(|s| s.starts_with("57P")) {
        return None;
    }
    let weight = match text(record, "error_severity")? {
        "FATAL" | "PANIC" if !client => Weight::Fatal,
        "FATAL" | "PANIC" | "ERROR" => Weight::Error,
        _ => return None,
    };
    let detail = text(record, "detail").map(|d| format!(" ({d})")).unwrap_or_default();
    Some((weight, format!("{}{detail}", text(record, "message")?)))
}

/// What a program writes beside its manager: `… FATAL:  text`, `ERROR: text`.
fn complaint(line: &str) -> Option<(Weight, String)> {
    let of = |word: &str, weight| {
        let at = line.find(word)?;
        let said = line[at + word.len()..].lines().next().unwrap_or_default().trim();
        (!said.is_empty()).then(|| (weight, said.to_owned()))
    };
    of("FATAL:", Weight::Fatal).or_else(|| of("PANIC:", Weight::Fatal)).or_else(|| of("ERROR:", Weight::Error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(lines: &[&str]) -> Option<String> {
        let mut telling = Telling::default();
        lines.iter().for_each(|l| telling.line(l));
        telling.cause()
    }

    const FATAL: &str = r#"{"level":"info","logger":"postgres","msg":"record","record":{"error_severity":"FATAL","sql_state_code":"F0000","message":"recovery ended before configured recovery target was reached","backend_type":"startup"}}"#;
    const LOG: &str = r#"{"level":"info","logger":"postgres","msg":"record","record":{"error_severity":"LOG","message":"shutting down due to startup process failure"}}"#;
    const MANAGER: &str = r#"{"level":"error","msg":"restore error","error":"while restoring cluster: dial error","stacktrace":"a\n\tb"}"#;

    #[test]
    fn postgresqls_own_word_before_its_managers() {
        let why = "recovery ended before configured recovery target was reached";
        assert_eq!(cause(&[FATAL, LOG, MANAGER]).as_deref(), Some(why));
        assert_eq!(cause(&[MANAGER, LOG]).as_deref(), Some("while restoring cluster: dial error"));
        assert_eq!(cause(&[LOG, "", "Defaulted container", "{not json"]), None);
        let stamped = format!("2026-11-20T22:57:34.198846787Z {FATAL}");
        assert_eq!(cause(&[&stamped, MANAGER]).as_deref(), Some(why));
    }

    #[test]
    fn a_program_that_complains_says_more_than_its_exit_code() {
        let barman = r#"{"level":"info","logger":"barman-cloud-restore","msg":"ERROR: Unknown backup 'x' for server 's'\n","pipe":"stderr"}"#;
        let code = r#"{"level":"error","msg":"Can't restore backup","error":"Operation error (exit code 1)"}"#;
        assert_eq!(cause(&[barman, code]).as_deref(), Some("Unknown backup 'x' for server 's'"));
        let asks = r#"{"level":"info","logger":"barman-cloud-wal-restore","msg":"ERROR: WAL file 09 not found"}"#;
        assert_eq!(cause(&[asks]), None);
        let plain = "2026-11-20 22:57:32.159 UTC [37] FATAL:  could not open file \u{1b}[31m";
        assert_eq!(cause(&[plain, barman]).as_deref(), Some("could not open file \u{fffd}[31m"));
    }

    #[test]
    fn what_clients_are_told_while_it_starts_is_no_cause() {
        let starting = r#"{"msg":"record","record":{"error_severity":"FATAL","sql_state_code":"57P03","message":"the database system is starting up","backend_type":"client backend"}}"#;
        let refused = r#"{"msg":"record","record":{"error_severity":"ERROR","message":"relation exists","detail":"twice","backend_type":"client backend"}}"#;
        assert_eq!(cause(&[FATAL, refused, starting]).as_deref().map(str::len), Some(60));
        assert_eq!(cause(&[refused, MANAGER]).as_deref(), Some("relation exists (twice)"));
    }

    #[test]
    fn a_long_cause_is_cut() {
        let long = format!(r#"{{"level":"error","msg":"x","error":"{}"}}"#, "y".repeat(5000));
        assert_eq!(cause(&[&long]).map(|c| c.chars().count()), Some(LONGEST));
    }
}
