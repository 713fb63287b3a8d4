//! What fills up inside the servers: disks, connections, transaction ids.

use super::evidence::{Evidence, Voice};
use super::{Level, Reason, ReasonCode};
use crate::domain::cluster::{Instance, VolumePurpose};
use crate::domain::quantity;
use crate::domain::source::Witness;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    for i in e.serving() {
        let about = |r: Reason| Reason { instance: Some(i.name.clone()), ..r };
        disks(e, i, &mut |r| out.push(about(r)));
        full(e, i, &mut |r| out.push(about(r)));
        let Voice::Serves(a) = e.voice(&i.name) else { continue };
        let Some((sql, at)) = a.sql else { continue };
        let by = |view: &str, code, level, text: String| {
            about(e.by(Witness::Sql(i.name.clone(), view.into()), at, code, level, text))
        };
        if let Some((used, most)) = sql.connections.filter(|(_, most)| *most > 0)
            && let Some(level) =
                grade(u64::from(used) * 100 / u64::from(most), e.limits.connections_warn, e.limits.connections_bad)
        {
            let text = format!("{used} of {most} connections used on {}", i.name);
            out.push(by("pg_stat_activity", ReasonCode::ConnectionsNearLimit, level, text));
        }
        if let Some(age) = sql.frozen_xid_age.filter(|a| *a >= e.limits.frozen_age_warn) {
            let level = if age >= e.limits.frozen_age_bad { Level::Bad } else { Level::Warn };
            let text =
                format!("transaction ids are {} million old on {}: writes stop near 2,100", age / 1_000_000, i.name);
            out.push(by("pg_database", ReasonCode::WraparoundNear, level, text));
        }
        if let Some(age) = sql.oldest_transaction.filter(|a| *a >= e.limits.transaction_warn) {
            let text = format!("a transaction on {} has run for {}", i.name, quantity::age_of(age));
            out.push(by("pg_stat_activity", ReasonCode::LongTransaction, Level::Warn, text));
        }
    }
}

/// A server that has no connection left can't say how many it has: its refusal is the word that counts.
fn full(e: &Evidence, i: &Instance, out: &mut impl FnMut(Reason)) {
    const WORDS: [&str; 3] = ["too many clients", "remaining connection slots", "too many connections for"];
    let Some(probe) = e.samples(&i.name).and_then(|s| s.sql.as_ref()) else { return };
    let Err(silence) = &probe.answer else { return };
    if e.age(probe.at) <= e.limits.sample_stale && WORDS.iter().any(|words| silence.why.contains(words)) {
        let text = format!("{} takes no more connections: {}", i.name, silence.why);
        let witness = Witness::Sql(i.name.clone(), "connection".into());
        out(e.by(witness, probe.at, ReasonCode::ConnectionsNearLimit, Level::Bad, text));
    }
}

fn disks(e: &Evidence, i: &Instance, out: &mut impl FnMut(Reason)) {
    let Some(probe) = e.samples(&i.name).and_then(|s| s.metrics.as_ref()) else { return };
    if e.age(probe.at) > e.limits.sample_stale {
        return; // a disk nobody has looked at lately is not told at all
    }
    let Some(metrics) = probe.value() else { return };
    for d in metrics.disks.iter().filter(|d| d.size > 0) {
        let percent = u64::try_from(u128::from(d.used) * 100 / u128::from(d.size)).unwrap_or(100);
        let Some(level) = grade(percent, e.limits.disk_warn, e.limits.disk_bad) else { continue };
        let what = match d.purpose {
            VolumePurpose::Data => "data volume",
            VolumePurpose::Wal => "WAL volume",
            VolumePurpose::Other => "a volume",
        };
        let text = format!("{what} of {} is {percent}% full ({})", i.name, d.source);
        out(e.by(Witness::Metrics(i.name.clone()), probe.at, ReasonCode::DiskFilling, level, text));
    }
}

fn grade(percent: u64, warn: u8, bad: u8) -> Option<Level> {
    match percent {
        p if p >= u64::from(bad) => Some(Level::Bad),
        p if p >= u64::from(warn) => Some(Level::Warn),
        _ => None,
    }
}
