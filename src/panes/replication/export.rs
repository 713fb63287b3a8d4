//! The graphs as a table for other programs.

use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

use crate::domain::history::{Series, Stage};
use crate::panes::Scene;

/// Rows of an export at most.
const ROWS: i64 = 1_440;

/// The CSV text and a name for its file; `None` when nothing was measured.
pub fn csv(scene: &Scene<'_>, from: Timestamp, to: Timestamp) -> Option<(String, String)> {
    let key = scene.chosen?;
    let history = scene.known.history.of(key)?;
    let rows = to.duration_since(from).as_secs().clamp(1, ROWS) as usize;
    let mut columns: Vec<(String, &Series)> = vec![("wal_bytes_per_second".into(), &history.wal_rate)];
    for (name, lag) in &history.standbys {
        for stage in [Stage::Write, Stage::Flush, Stage::Replay] {
            let word = format!("{stage:?}").to_lowercase();
            columns.extend(lag.bytes.get(&stage).map(|s| (format!("{name} {word}_lag_bytes"), s)));
            columns.extend(lag.time.get(&stage).map(|s| (format!("{name} {word}_lag_seconds"), s)));
        }
    }
    for (name, series) in &history.slots {
        columns.push((format!("slot {name} retained_bytes"), series));
    }
    let mut out = String::from("time");
    for (name, _) in &columns {
        let _ = write!(out, ",{}", quoted(name));
    }
    out.push('\n');
    let values: Vec<_> = columns.iter().map(|(_, s)| s.window(from, to, rows)).collect();
    let step = to.duration_since(from).as_secs_f64() / rows as f64;
    for row in 0..rows {
        if values.iter().all(|v| v[row].is_none()) {
            continue;
        }
        let offset = SignedDuration::from_secs((row as f64 * step) as i64);
        let _ = write!(out, "{}", from.checked_add(offset).unwrap_or(to).strftime("%Y-%m-%dT%H:%M:%SZ"));
        for value in &values {
            match value[row] {
                Some(bucket) => {
                    let _ = write!(out, ",{}", bucket.max);
                }
                None => out.push(','),
            }
        }
        out.push('\n');
    }
    let file = format!("{}-{}-{}.csv", key.namespace, key.name, to.strftime("%Y%m%dT%H%M%SZ"));
    Some((out, file.replace(['/', '\\'], "-")))
}

/// A field that no program takes for a formula or for two fields.
fn quoted(text: &str) -> String {
    let safe = text.trim_start_matches(['=', '+', '-', '@']);
    if safe.contains([',', '"']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_fields() {
        assert_eq!(quoted("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(quoted("=cmd()"), "cmd()");
    }
}
