//! The instances that could lead, and what speaks against each.

use jiff::SignedDuration;

use super::making::{Making, why};
use crate::domain::cluster::Instance;
use crate::domain::health::evidence::{Answer, Voice};
use crate::domain::history::Stage;
use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::replication::{Standby, SyncState};
use crate::domain::source::Witness;
use crate::procedure::plan::{Candidate, Finding, Weight};

/// Every instance but the one that leads, the best first.
pub(super) fn candidates(m: &Making<'_>) -> Vec<Candidate> {
    let primary = m.e.primary();
    let leader = m.leader();
    let others = m.cluster.instances.iter().filter(|i| Some(&i.name) != leader);
    let mut all: Vec<Candidate> = others.map(|i| candidate(m, primary.as_ref(), i)).collect();
    let order = |c: &Candidate| {
        let confirms = matches!(c.sync.as_deref(), Some("sync" | "quorum"));
        (c.weight, !confirms, c.lag.unwrap_or(u64::MAX))
    };
    // Of equals, the first by name, as it was before.
    all.sort_by_key(order);
    all
}

/// What speaks against one.
struct Against(Vec<Finding>);

impl Against {
    fn add(&mut self, about: &str, weight: Weight, text: String, witness: &Witness) {
        self.0.push(Finding { about: about.into(), weight, text: format!("{text} ({witness})") });
    }
}

fn candidate(m: &Making<'_>, primary: Option<&Answer<'_>>, i: &Instance) -> Candidate {
    let mut against = Against(Vec::new());
    pod(m, i, &mut against);
    answers(m, i, &mut against);
    let row = primary.and_then(|p| {
        let (rows, all, witness, _) = p.standbys()?;
        Some((rows.iter().find(|r| i.name == *r.name), all, witness))
    });
    let streaming = streams(&i.name, primary, row.as_ref(), &mut against);
    // Where its own word is hidden from us: who streams from the primary is on the primary's timeline.
    let streams_from_it = || streaming.filter(|yes| *yes).and_then(|_| m.timeline());
    let timeline = timeline(m, primary, i, &mut against).or_else(streams_from_it);
    let row = row.and_then(|(row, _, witness)| Some((row?, witness)));
    let (lag, eta) = lag(m, primary, &i.name, row.as_ref(), &mut against);
    Candidate {
        instance: i.name.clone(),
        zone: i.zone.clone(),
        streaming,
        sync: row.and_then(|(r, _)| r.sync).map(|s: SyncState| s.word().to_owned()),
        lag,
        eta,
        timeline,
        weight: against.0.iter().map(|f| f.weight).max().unwrap_or(Weight::Good),
        against: against.0,
    }
}

fn pod(m: &Making<'_>, i: &Instance, out: &mut Against) {
    let witness = Witness::Pod(i.name.clone());
    let mut block = |text: String| out.add("pod", Weight::Blocks, text, &witness);
    match &i.pod {
        None => block("it has no pod".into()),
        Some(p) if p.deleting.is_some() => block("its pod is being deleted".into()),
        Some(p) if !p.running => block("its PostgreSQL container does not run".into()),
        Some(p) if !p.ready => block("its pod is not ready".into()),
        Some(_) => {}
    }
    if m.cluster.fenced.covers(&i.name) {
        out.add("fencing", Weight::Blocks, "it is fenced: its PostgreSQL is down".into(), &Witness::ClusterObject);
    }
    let Some(node) = m.view.facts.node_of(m.cluster, &i.name) else { return };
    let by = Witness::Node(node.name.to_string());
    if node.ready != Some(true) {
        out.add("node", Weight::Justify, format!("its node {} is not ready", node.name), &by);
    } else if node.unschedulable {
        out.add("node", Weight::Justify, format!("its node {} is cordoned: it may be about to go", node.name), &by);
    }
}

/// PostgreSQL there must answer for itself.
fn answers(m: &Making<'_>, i: &Instance, out: &mut Against) {
    let Some(i) = m.cluster.instance(&i.name).filter(|i| i.pod.is_some()) else { return };
    let text = || format!("it does not answer: {}", why(m, i));
    match m.e.voice(&i.name) {
        Voice::Serves(a) if a.is_primary() == Some(true) => {
            out.add("role", Weight::Blocks, "it says that it is primary, too".into(), &a.source().0);
        }
        Voice::Serves(a) => {
            let paused =
                a.sql.map_or(a.status.is_some_and(|(s, _)| s.replay_paused), |(s, _)| s.replay_paused == Some(true));
            if paused {
                out.add("replay", Weight::Blocks, "its replay is paused".into(), &a.source().0);
            }
        }
        Voice::Down { witness, .. } | Voice::Silent { witness, .. } => {
            out.add("answer", Weight::Blocks, text(), &witness);
        }
        Voice::Closed { witness, .. } | Voice::Stale { witness, .. } => {
            out.add("answer", Weight::Unknown, text(), &witness);
        }
        Voice::Unasked => out.add("answer", Weight::Unknown, text(), &Witness::Sources),
    }
}

type Row<'r> = (Option<&'r Standby>, bool, Witness);

fn streams(name: &InstanceName, p: Option<&Answer<'_>>, row: Option<&Row<'_>>, out: &mut Against) -> Option<bool> {
    let about = "streaming";
    match row {
        Some((Some(r), _, witness)) => match r.state.as_deref() {
            Some("streaming") => Some(true),
            Some(state) => {
                out.add(about, Weight::Blocks, format!("it is not streaming but in {state}"), witness);
                Some(false)
            }
            None => {
                out.add(about, Weight::Unknown, "whether it streams is hidden".into(), witness);
                None
            }
        },
        Some((None, true, witness)) => {
            let text = format!("it does not stream: the primary does not know {name}");
            out.add(about, Weight::Blocks, text, witness);
            Some(false)
        }
        Some((None, false, witness)) => {
            out.add(about, Weight::Unknown, "whether it streams is hidden: the user needs pg_monitor".into(), witness);
            None
        }
        None => {
            let why = if p.is_some() { "the primary does not tell its standbys" } else { "no primary answers" };
            out.add(about, Weight::Unknown, format!("whether it streams is not known: {why}"), &Witness::Sources);
            None
        }
    }
}

/// The timeline that its WAL receiver follows: `timeLineID` of `/pg/status` stays old on a healthy standby.
fn timeline(m: &Making<'_>, primary: Option<&Answer<'_>>, i: &Instance, out: &mut Against) -> Option<u32> {
    let i = m.cluster.instance(&i.name)?;
    let Voice::Serves(a) = m.e.voice(&i.name) else { return None };
    let (own, _) = a.sql?;
    let follows = own.receiver.as_ref().and_then(|r| r.timeline).or(own.timeline)?;
    let writes = primary.and_then(|p| p.sql).and_then(|(s, _)| s.timeline);
    if let Some(writes) = writes.filter(|w| *w != follows) {
        let witness = Witness::Sql(i.name.clone(), "pg_stat_wal_receiver".into());
        let text = format!("it follows timeline {follows}, the primary writes {writes}");
        out.add("timeline", Weight::Blocks, text, &witness);
    }
    Some(follows)
}

/// What it has not replayed, and when it will have at the rate seen.
fn lag(
    m: &Making<'_>,
    primary: Option<&Answer<'_>>,
    name: &InstanceName,
    row: Option<&(&Standby, Witness)>,
    out: &mut Against,
) -> (Option<u64>, Option<SignedDuration>) {
    let about = "replication lag";
    let figure = row.and_then(|(r, w)| Some((primary?.current()?.since(r.replay?), r.replay_lag, w)));
    let Some((bytes, time, witness)) = figure else {
        out.add(about, Weight::Unknown, "how far it is behind is not known".into(), &Witness::Sources);
        return (None, None);
    };
    let limits = m.e.limits;
    let eta = eta(m, name, bytes);
    let over = |b: u64, t: SignedDuration| bytes >= b || time.is_some_and(|lag| lag >= t);
    let weight = match () {
        () if over(limits.lag_bytes_bad, limits.lag_time_bad) => Weight::Blocks,
        () if over(limits.lag_bytes_warn, limits.lag_time_warn) => Weight::Justify,
        () => Weight::Good,
    };
    if weight > Weight::Good {
        let time = time.map(|t| format!(", {}", quantity::span(t))).unwrap_or_default();
        let eta = match eta {
            Some(eta) => format!("; it would be there in {}", quantity::age_of(eta)),
            None => "; at the rate seen it gets no nearer".into(),
        };
        out.add(about, weight, format!("it is {}{time} behind{eta}", quantity::bytes(bytes)), witness);
    }
    (Some(bytes), eta)
}

/// At the rate at which its lag fell lately.
fn eta(m: &Making<'_>, name: &InstanceName, bytes: u64) -> Option<SignedDuration> {
    if bytes == 0 {
        return Some(SignedDuration::ZERO);
    }
    let falls = -m.view.history?.standbys.get(name)?.bytes.get(&Stage::Replay)?.slope(m.e.limits.trend_over)?;
    let seconds = (bytes as f64 / falls).ceil();
    (falls > 0.0 && seconds < 1e9).then(|| SignedDuration::from_secs(seconds as i64))
}
