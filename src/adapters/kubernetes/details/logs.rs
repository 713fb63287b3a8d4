//! A container's log, followed through restarts; CNPG's JSON decoded.

use futures::{AsyncBufRead, AsyncBufReadExt, Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use serde_json::Value;
use std::time::Duration;

use super::super::client::Clients;
use super::super::trouble::{Trouble, TroubleKind};
use super::Teller;
use crate::domain::detail::{DetailNews, LogLine, ObjectRef};
use crate::problem::Problem;
use crate::text::{clean, shorten};

/// Lines from before that are shown first.
const TAIL: i64 = 500;
/// Lines told together.
const BATCH: usize = 200;
/// The longest line that is kept, in characters.
const LONGEST: usize = 4000;
/// The longest line that is read, in bytes: a record of JSON may hold a long statement beside what is kept of it. What is
/// longer is skipped up to its end.
const MOST: usize = 256 * 1024;
/// How often a log that ended is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells a log until it can't be told any more: `None` when it ended well (a log of the past).
pub async fn follow(
    clients: &Clients,
    pod: &ObjectRef,
    container: &str,
    previous: bool,
    teller: &Teller,
) -> Option<Problem> {
    let mut last: Option<Timestamp> = None;
    let mut waiting = false;
    loop {
        match once(clients, pod, container, previous, &mut last, teller).await {
            Ok(()) if previous => return None,
            Ok(()) => {
                if !waiting {
                    teller
                        .tell(notice(
                            "the log ended here: the container stopped, or the connection did; waiting for more",
                        ))
                        .await;
                }
                waiting = true;
            }
            // The pod is gone, or its container not there yet. One of the same name may come.
            Err(t) if last.is_some() && t.kind != TroubleKind::Forbidden => {
                if !waiting {
                    teller.tell(notice(&format!("no log now: {}; waiting", t.why))).await;
                }
                waiting = true;
            }
            Err(t) => return Some(t.problem(&format!("can't read the log of {}", pod.name))),
        }
        let before = last;
        tokio::time::sleep(AGAIN).await;
        waiting &= before == last;
    }
}

fn notice(text: &str) -> DetailNews {
    DetailNews::Lines(vec![LogLine { at: None, level: None, logger: Some("howdah".into()), text: clean(text) }])
}

async fn once(
    clients: &Clients,
    pod: &ObjectRef,
    container: &str,
    previous: bool,
    last: &mut Option<Timestamp>,
    teller: &Teller,
) -> Result<(), Trouble> {
    let pods: Api<Pod> = Api::namespaced(clients.get().await.client, &pod.namespace);
    let params = LogParams {
        container: Some(container.to_owned()),
        follow: !previous,
        previous,
        timestamps: true,
        tail_lines: last.is_none().then_some(TAIL),
        since_time: *last,
        ..LogParams::default()
    };
    let stream = pods.log_stream(&pod.name, &params).await?;
    let mut batches = Box::pin(lines(Box::pin(stream))).ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let mut out = Vec::with_capacity(batch.len());
        for line in batch {
            let line = line.map_err(|e| Trouble::new(TroubleKind::Unreachable, e.to_string()))?;
            let (at, text) = stamped(&line);
            // A log read again from a moment repeats that moment's lines.
            if let (Some(at), Some(last)) = (at, *last)
                && at <= last
            {
                continue;
            }
            *last = at.or(*last);
            out.push(decoded(at, text));
        }
        if !out.is_empty() {
            teller.tell(DetailNews::Lines(out)).await;
        }
    }
    Ok(())
}

/// The lines of a log, of each no more than [`MOST`] bytes.
pub(in crate::adapters::kubernetes) fn lines(
    reader: impl AsyncBufRead + Unpin,
) -> impl Stream<Item = std::io::Result<String>> {
    stream::try_unfold(reader, |mut reader| async move {
        let line = line(&mut reader).await?;
        Ok(line.map(|line| (line, reader)))
    })
}

/// One line without its end; `None` at the end of the log.
async fn line(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let chunk = reader.fill_buf().await?;
        let end = chunk.iter().position(|b| *b == b'\n');
        let read = end.unwrap_or(chunk.len());
        line.extend_from_slice(&chunk[..read.min(MOST - line.len())]);
        let over = chunk.is_empty();
        reader.consume_unpin(read + usize::from(end.is_some()));
        if over && line.is_empty() {
            return Ok(None);
        }
        if over || end.is_some() {
            let text = String::from_utf8_lossy(&line);
            return Ok(Some(text.strip_suffix('\r').unwrap_or(&text).to_owned()));
        }
    }
}

/// The kubelet's time in front of a line.
fn stamped(line: &str) -> (Option<Timestamp>, &str) {
    match line.split_once(' ') {
        Some((at, text)) => match at.parse() {
            Ok(at) => (Some(at), text),
            Err(_) => (None, line),
        },
        None => (line.parse().ok(), if line.parse::<Timestamp>().is_ok() { "" } else { line }),
    }
}

/// A line decoded: CNPG's instance manager writes JSON, and PostgreSQL's own record within it. Anything else stays as it is.
pub fn decoded(at: Option<Timestamp>, line: &str) -> LogLine {
    let plain = || LogLine { at, level: None, logger: None, text: clean(&shorten(line, LONGEST)) };
    if !line.starts_with('{') {
        return plain();
    }
    let Ok(Value::Object(json)) = serde_json::from_str::<Value>(line) else { return plain() };
    let word = |v: Option<&Value>| v.and_then(Value::as_str).filter(|s| !s.is_empty()).map(clean);
    let Some(message) = word(json.get("msg").or_else(|| json.get("message"))) else { return plain() };
    let own = word(json.get("ts")).and_then(|ts| ts.parse().ok());
    let mut line = LogLine {
        at: own.or(at),
        level: word(json.get("level")).map(|l| l.to_lowercase()),
        logger: word(json.get("logger")),
        text: message,
    };
    if let Some(record) = json.get("record").and_then(Value::as_object) {
        let field = |name: &str| word(record.get(name));
        line.level = field("error_severity").map(|l| l.to_lowercase()).or(line.level);
        let who = [field("user_name"), field("database_name")].into_iter().flatten().collect::<Vec<_>>().join("@");
        let mut text = field("message").unwrap_or(line.text);
        for (name, label) in
            [("detail", "detail"), ("hint", "hint"), ("query", "statement"), ("statement", "statement")]
        {
            if let Some(more) = field(name) {
                text.push_str(&format!("  {label}: {more}"));
            }
        }
        line.text = if who.is_empty() { text } else { format!("[{who}] {text}") };
    } else {
        for name in ["error", "err", "reason"] {
            if let Some(more) = word(json.get(name)) {
                line.text.push_str(&format!(": {more}"));
            }
        }
    }
    line.text = shorten(&line.text, LONGEST);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_without_end_takes_no_more_memory_than_one_that_is_read() {
        let long = "x".repeat(3 * MOST);
        let text = format!("one\r\n{long}\n\nthree");
        let all: Vec<String> = lines(text.as_bytes()).map(|l| l.unwrap()).collect().await;
        let lengths: Vec<usize> = all.iter().map(String::len).collect();
        assert_eq!(lengths, [3, MOST, 0, 5]);
        assert_eq!((all[0].as_str(), all[3].as_str()), ("one", "three"));
    }

    #[test]
    fn postgresqls_own_record() {
        let line = decoded(
            None,
            r#"{"level":"info","ts":"2026-11-20T23:11:09.36765009Z","logger":"postgres","msg":"record","logging_pod":"demo-2","record":{"user_name":"streaming_replica","database_name":"postgres","error_severity":"FATAL","message":"the database system is shutting down","backend_type":"client backend"}}"#,
        );
        assert_eq!(line.level.as_deref(), Some("fatal"));
        assert_eq!(line.logger.as_deref(), Some("postgres"));
        assert_eq!(line.text, "[streaming_replica@postgres] the database system is shutting down");
        assert_eq!(line.at, "2026-11-20T23:11:09.36765009Z".parse().ok());
    }

    #[test]
    fn the_instance_managers_errors() {
        let line = decoded(None, r#"{"level":"error","msg":"Error while archiving","error":"exit status 2"}"#);
        assert_eq!(
            (line.level.as_deref(), line.text.as_str()),
            (Some("error"), "Error while archiving: exit status 2")
        );
    }

    #[test]
    fn everything_else_as_it_came() {
        for text in ["plain", "{not json", "{\"a\":1}", ""] {
            assert_eq!(decoded(None, text).text, text);
        }
        assert_eq!(decoded(None, "\u{1b}[31mred").text, "\u{fffd}[31mred");
    }

    #[test]
    fn the_kubelets_time() {
        let at = "2026-11-20T23:11:09.367650090Z".parse().ok();
        assert_eq!(stamped("2026-11-20T23:11:09.367650090Z hello world"), (at, "hello world"));
        assert_eq!(stamped("hello world"), (None, "hello world"));
    }
}
