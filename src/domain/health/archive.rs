//! Recoverability, first half: does WAL leave the cluster?
//!
//! A cluster that never promised it gets a warning, not an alarm: it can't be brought back, and nothing is failing. The
//! operator's condition alone proves nothing good: it stays True on an archiver that merely stalls, and came 80 s late in
//! a recorded outage of the store. When it is False it is believed.

use jiff::{SignedDuration, Timestamp};

use super::evidence::Evidence;
use super::{Level, Reason, ReasonCode};
use crate::domain::quantity;
use crate::domain::source::Witness;
use crate::domain::wal::{DEFAULT_SEGMENT, WalName};
use crate::text::shorten;

/// What an instance says of its archiver.
#[derive(Debug)]
pub(super) struct Reading {
    pub witness: Witness,
    pub at: Timestamp,
    /// The last attempt failed.
    pub failing: Option<bool>,
    pub last: Option<(String, Option<Timestamp>)>,
    pub last_failed: Option<(String, Option<Timestamp>)>,
    /// Files waiting.
    pub ready: Option<u64>,
    /// Segments between the one archived last and the one written now.
    pub behind: Option<u64>,
}

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    if e.cluster.archiving.skipped {
        let text = "WAL archiving is switched off by an annotation";
        out.push(e.by_cluster(ReasonCode::ArchiveNotConfigured, Level::Warn, text));
        return;
    }
    if e.cluster.archiving.by.is_none() {
        let text = "no backup is configured: WAL is archived nowhere, it could not be brought back";
        out.push(e.by_cluster(ReasonCode::ArchiveNotConfigured, Level::Warn, text));
        return;
    }
    let condition = failing_condition(e);
    let told = condition.is_some();
    out.extend(condition);
    match reading(e) {
        Some(r) => archiver(e, &r, told, out),
        None if !told => {
            let text = if e.hibernating() {
                "whether the last WAL was archived before it was hibernated can't be told"
            } else {
                "whether WAL is archived can't be told: no instance says"
            };
            out.push(e.by(Witness::Sources, e.now, ReasonCode::CantBeAsked, Level::Unknown, text));
        }
        None => {}
    }
}

/// The operator's word, where it is a bad one.
fn failing_condition(e: &Evidence) -> Option<Reason> {
    let c = e.cluster.condition("ContinuousArchiving").filter(|c| c.status == Some(false))?;
    let level = level(e, c.since.unwrap_or(e.now));
    let since = c.since.map(|t| format!(" for {}", quantity::age(t, e.now))).unwrap_or_default();
    let text = format!("archiving fails{since}: {}", shorten(&c.message, 120));
    Some(e.by_cluster(ReasonCode::ArchiveFailing, level, text))
}

fn level(e: &Evidence, since: Timestamp) -> Level {
    if e.age(since) > e.limits.archive_failing_bad { Level::Bad } else { Level::Warn }
}

/// What the primary says of its archiver, by SQL or `/pg/status`.
pub(super) fn reading(e: &Evidence) -> Option<Reading> {
    let p = e.primary()?;
    let current = |segment: u64, wal: Option<&str>| -> Option<u64> {
        wal.and_then(|w| w.parse::<WalName>().ok()).map(|w| w.number(segment))
    };
    let by_sql = p.sql.and_then(|(s, at)| {
        let a = s.archiver.as_ref()?;
        let segment = s.segment_size.unwrap_or(DEFAULT_SEGMENT);
        let failed_at = a.last_failed.as_ref().map(|(_, t)| *t);
        let done_at = a.last_archived.as_ref().map(|(_, t)| *t);
        let writes = s.current.map(|lsn| lsn.0 / segment.max(1));
        let done = current(segment, a.last_archived.as_ref().map(|(w, _)| w.as_str()));
        Some(Reading {
            witness: Witness::Sql(p.name.clone(), "pg_stat_archiver".into()),
            at,
            failing: Some(failed_at > done_at),
            last: a.last_archived.clone().map(|(w, t)| (w, Some(t))),
            last_failed: a.last_failed.clone().map(|(w, t)| (w, Some(t))),
            ready: a.ready,
            behind: writes.zip(done).map(|(w, d)| w.saturating_sub(d + 1)),
        })
    });
    let by_status = p.status.map(|(s, at)| {
        let writes = current(DEFAULT_SEGMENT, s.current_wal.as_deref());
        let done = current(DEFAULT_SEGMENT, s.last_archived.as_ref().map(|(w, _)| w.as_str()));
        Reading {
            witness: Witness::Status(p.name.clone()),
            at,
            failing: s.is_archiving.map(|a| !a && s.last_failed.is_some()),
            last: s.last_archived.clone(),
            last_failed: s.last_failed.clone(),
            ready: s.ready_wal_files,
            behind: writes.zip(done).map(|(w, d)| w.saturating_sub(d + 1)),
        }
    });
    by_sql.or(by_status)
}

/// Files waiting by the primary's metrics, which need no right of their own and are asked for once a minute.
fn counted(e: &Evidence) -> Option<u64> {
    const LATELY: SignedDuration = SignedDuration::from_secs(90);
    let metrics = e.samples(e.primary()?.name)?.metrics.as_ref()?;
    metrics.value().filter(|_| e.age(metrics.at) <= LATELY)?.ready_wal_files
}

fn archiver(e: &Evidence, r: &Reading, told: bool, out: &mut Vec<Reason>) {
    let say = |code, level, text: String| e.by(r.witness.clone(), r.at, code, level, text);
    let archived_at = r.last.as_ref().and_then(|(_, t)| *t);
    let waiting = r.ready.or(r.behind).unwrap_or(0);
    if r.failing == Some(true) {
        let since = archived_at.or(r.last_failed.as_ref().and_then(|(_, t)| *t)).unwrap_or(r.at);
        let what = r.last_failed.as_ref().map(|(w, _)| format!(" on {w}")).unwrap_or_default();
        let text = format!("archiver failing{what}; nothing archived for {}", quantity::age(since, e.now));
        out.push(say(ReasonCode::ArchiveFailing, level(e, since), text));
        return;
    }
    let Some((wal, _)) = &r.last else {
        // A server that crashed has forgotten what it archived (PostgreSQL 15 and newer); its files know: none waits.
        if r.ready.or_else(|| counted(e)) == Some(0) {
            return;
        }
        let text = "nothing has been archived yet".to_owned();
        let late = e.cluster.created.is_some_and(|t| e.age(t) > e.limits.setup_time);
        out.push(say(ReasonCode::ArchiveStalled, if late { Level::Bad } else { Level::Warn }, text));
        return;
    };
    let old = archived_at.map(|t| e.age(t)).filter(|_| waiting > 0);
    let l = e.limits;
    let stuck =
        e.primary().and_then(|p| e.samples(p.name)?.unarchived.as_ref()).map(|(since, _)| r.at.duration_since(*since));
    let stuck = stuck.filter(|s| *s >= l.archive_wait_warn && waiting > 0);
    let level = if waiting >= l.ready_wal_bad || old.is_some_and(|a| a >= l.archive_age_bad) {
        Level::Bad
    } else if waiting >= l.ready_wal_warn || old.is_some_and(|a| a >= l.archive_age_warn) {
        Level::Warn
    } else if let Some(stuck) = stuck {
        let text = format!(
            "archiving stalls: {waiting} WAL files wait behind {wal}, none has left for {}",
            quantity::age_of(stuck)
        );
        out.push(say(ReasonCode::ArchiveStalled, Level::Warn, text));
        return;
    } else {
        if r.failing.is_none() && !told {
            out.push(say(ReasonCode::CantBeAsked, Level::Unknown, "the state of the archiver is hidden".into()));
        }
        return;
    };
    let age = archived_at.map(|t| format!(", the last one {} ago", quantity::age(t, e.now))).unwrap_or_default();
    let text = format!("archiving stalls: {waiting} WAL files wait behind {wal}{age}");
    out.push(say(ReasonCode::ArchiveStalled, level, text));
}

#[cfg(test)]
mod tests {
    use super::super::scene::{Scene, name, now};
    use super::super::{Limits, judge};
    use super::*;
    use crate::domain::facts::Fact;
    use crate::domain::sample::{MetricsSample, Probe};

    #[test]
    fn a_crashed_server_that_forgot_what_it_archived_is_believed_when_no_file_waits() {
        let told = |waiting: u64| {
            let mut scene = Scene::healthy();
            if let Some(archiver) = scene.leads().archiver.as_mut() {
                (archiver.last_archived, archiver.ready) = (None, None);
            }
            let metrics = MetricsSample { ready_wal_files: Some(waiting), ..MetricsSample::default() };
            scene.metrics.insert(name(1), Ok(metrics));
            let health = judge(&scene.facts(), &scene.cluster, None, &Limits::default(), now());
            health.recoverability.reasons.first().map(|r| r.code)
        };
        assert_eq!(told(0), None);
        assert_eq!(told(1), Some(ReasonCode::ArchiveStalled));
    }

    /// A program that archives tries again for more than a minute before PostgreSQL hears that it failed.
    #[test]
    fn wal_that_does_not_leave_is_told_before_anybody_calls_it_a_failure() {
        let mut scene = Scene::healthy();
        let mut facts = scene.facts();
        let mut after = |seconds: i64, archived: &str, ready: u64| {
            let archiver = scene.leads().archiver.as_mut().unwrap();
            let at = now() + SignedDuration::from_secs(seconds);
            archiver.last_archived = Some((archived.into(), at));
            archiver.ready = Some(ready);
            let answer = Ok(scene.leads().clone());
            let probe = Probe { at, took: SignedDuration::ZERO, answer };
            facts.absorb(Fact::Sql(scene.cluster.key.clone(), name(1), std::sync::Arc::new(probe)));
            let health = judge(&facts, &scene.cluster, None, &Limits::default(), at);
            health.reasons().find(|r| r.code == ReasonCode::ArchiveStalled).map(|r| r.text.clone())
        };
        let (four, five) = ("000000020000000000000004", "000000020000000000000005");
        assert_eq!(after(0, four, 1), None);
        assert_eq!(after(20, five, 1), None, "one has left: what waits is another one");
        assert_eq!(after(45, five, 2), None);
        let text = format!("archiving stalls: 2 WAL files wait behind {five}, none has left for 31s");
        assert_eq!(after(51, five, 2), Some(text));
        assert_eq!(after(52, five, 0), None);
        assert_eq!(after(90, five, 1), None, "it has only begun to wait");
    }
}
