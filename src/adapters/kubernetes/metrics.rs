//! Prometheus' text format → what is read of CNPG's metrics.
//!
//! Names and labels: cloudnative-pg `pkg/management/postgres/webserver/metricserver/pg_collector.go` and its default
//! queries. A line that can't be read is passed over.

use jiff::SignedDuration;
use std::collections::BTreeMap;

use crate::domain::sample::MetricsSample;

/// Reads the answer of `GET …/pods/<scheme>:<pod>:9187/proxy/metrics`.
pub fn read(text: &str) -> MetricsSample {
    let mut m = MetricsSample::default();
    let mut sync: (Option<u32>, Option<u32>) = (None, None);
    for sample in text.lines().filter_map(line) {
        let value = sample.value;
        let truth = || (value == 1.0 || value == 0.0).then_some(value == 1.0);
        match sample.name {
            "cnpg_collector_up" => m.up = truth(),
            "cnpg_collector_fencing_on" => m.fenced = truth(),
            "cnpg_pg_replication_in_recovery" => m.in_recovery = truth(),
            "cnpg_pg_replication_is_wal_receiver_up" => m.receiver_up = truth(),
            "cnpg_pg_replication_lag" => m.replay_age = seconds(value),
            "cnpg_pg_replication_streaming_replicas" => m.streaming_replicas = count(value),
            // -1 until something has been archived.
            "cnpg_pg_stat_archiver_seconds_since_last_archival" => m.since_last_archival = seconds(value),
            "cnpg_collector_pg_wal_archive_status" if sample.label("value") == Some("ready") => {
                m.ready_wal_files = count(value).map(u64::from);
            }
            "cnpg_collector_sync_replicas" => match sample.label("value") {
                Some("expected") => sync.0 = count(value),
                Some("observed") => sync.1 = count(value),
                _ => {}
            },
            _ => {}
        }
    }
    m.sync_replicas = sync.0.zip(sync.1);
    m
}

/// One sample by its name and labels: the first that has them all. `None`: there is none, or it is no number.
pub fn sample(text: &str, name: &str, labels: &BTreeMap<String, String>) -> Option<f64> {
    let has = |s: &Sample<'_>| s.name == name && labels.iter().all(|(l, v)| s.label(l) == Some(v));
    text.lines().filter_map(line).find(has).map(|s| s.value).filter(|v| v.is_finite())
}

struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl Sample<'_> {
    /// A label's value, as far as it holds no escapes.
    fn label(&self, name: &str) -> Option<&str> {
        let mut rest = self.labels;
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            if key.trim_matches([',', ' ']) == name {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

/// `name{labels} value [timestamp]`.
fn line(text: &str) -> Option<Sample<'_>> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let (name, labels, rest) = match text.split_once('{') {
        Some((name, rest)) => {
            let (labels, rest) = rest.rsplit_once('}')?;
            (name, labels, rest)
        }
        None => {
            let (name, rest) = text.split_once(char::is_whitespace)?;
            (name, "", rest)
        }
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.trim(), labels, value })
}

fn count(value: f64) -> Option<u32> {
    (value >= 0.0 && value <= f64::from(u32::MAX)).then_some(value as u32)
}

fn seconds(value: f64) -> Option<SignedDuration> {
    (value >= 0.0).then(|| SignedDuration::try_from_secs_f64(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cnpg_exports() {
        let m = read(concat!(
            "# HELP cnpg_collector_up 1 if PostgreSQL is up\n# TYPE cnpg_collector_up gauge\n",
            "cnpg_collector_up{cluster=\"demo\"} 1\n",
            "cnpg_collector_pg_wal_archive_status{value=\"done\"} 4\ncnpg_collector_pg_wal_archive_status{value=\"ready\"} 2\n",
            "cnpg_collector_sync_replicas{value=\"expected\"} 1\ncnpg_collector_sync_replicas{value=\"max\"} 0\n",
            "cnpg_collector_sync_replicas{value=\"observed\"} 2\ncnpg_pg_replication_lag 0.25\n",
            "cnpg_pg_stat_archiver_seconds_since_last_archival -1\ncnpg_pg_replication_streaming_replicas NaN\n",
        ));
        assert_eq!((m.up, m.ready_wal_files, m.sync_replicas), (Some(true), Some(2), Some((1, 2))));
        assert_eq!(m.replay_age, Some(SignedDuration::from_millis(250)));
        assert_eq!((m.since_last_archival, m.streaming_replicas, m.fenced), (None, None, None));
    }

    #[test]
    fn one_sample_by_its_labels() {
        let text = "# a comment\nup 1\nwal{value=\"done\"} 4\nwal{value=\"ready\",x=\"y\"} 2\nodd NaN\n";
        let labels = |v: &str| BTreeMap::from([("value".to_owned(), v.to_owned())]);
        assert_eq!(sample(text, "wal", &labels("ready")), Some(2.0));
        assert_eq!(sample(text, "wal", &labels("never")), None);
        assert_eq!((sample(text, "up", &BTreeMap::new()), sample(text, "odd", &BTreeMap::new())), (Some(1.0), None));
    }

    proptest! {
        #[test]
        fn no_text_panics(s in any::<String>(), l in "[a-z_]{1,9}\\{[a-z\"=,\\\\]{0,20}\\} [0-9eE.+-]{0,9}") {
            let _ = read(&s);
            let _ = read(&format!("cnpg_collector_sync_replicas{l}\n{l}\ncnpg_pg_replication_lag {s}"));
        }
    }
}
