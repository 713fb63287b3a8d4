//! Values of the cluster as a whole: the operator's word, services, lease, synchronous commit, slots, nodes, sources.

use std::collections::BTreeSet;

use super::{Eye, Item, Read, Whole, optional, text};
use crate::domain::cluster::{Fenced, Node, OperatorState, ServicePurpose, Target};
use crate::domain::event::What;
use crate::domain::health::Level;
use crate::domain::replication::Slot;
use crate::domain::source::{SourceId, SourceState, Witness};
use crate::procedure::runbook::language::{Datum, Kind};
use crate::text::shorten;

/// Events shown at once.
const EVENTS: usize = 8;

pub(super) const VALUES: &[Whole] = &[
    one("cluster.phase", Kind::Text, "the operator's summary, word for word", |e| {
        e.told(Some(optional(e.cluster().phase.as_ref().map(|p| &p.text))))
    }),
    one("cluster.primary", Kind::Text, "the primary as the operator last confirmed it", |e| {
        e.told(Some(optional(e.cluster().primary.as_ref().map(|p| p.as_str()))))
    }),
    one("cluster.target", Kind::Text, "the primary as the operator wants it; pending while it chooses", |e| {
        e.told(Some(optional(e.cluster().target.as_ref().map(|t| match t {
            Target::Pending => "pending",
            Target::Instance(name) => name.as_str(),
        }))))
    }),
    one("cluster.moving", Kind::Flag, "the operator wants another primary than it has", |e| {
        e.told(Some(Datum::Flag(e.evidence.moving())))
    }),
    one("cluster.ready", Kind::Count, "instances the operator counts as ready", |e| {
        e.told(e.cluster().ready.map(|n| Datum::Number(n.into())))
    }),
    one("cluster.wanted", Kind::Count, "instances asked for", |e| {
        e.told(e.cluster().wanted.map(|n| Datum::Number(n.into())))
    }),
    one("cluster.missing", Kind::Count, "instances asked for that have no pod", |e| {
        let there = e.cluster().instances.iter().filter(|i| i.pod.is_some()).count();
        e.told(e.cluster().wanted.map(|n| Datum::Number((f64::from(n) - there as f64).max(0.0))))
    }),
    one("cluster.reconciled", Kind::Flag, "the operator tends it: it was not told to leave it alone", |e| {
        e.told(Some(Datum::Flag(!e.cluster().reconciliation_disabled)))
    }),
    one("cluster.hibernated", Kind::Flag, "it is hibernated, or on its way there", |e| {
        e.told(Some(Datum::Flag(e.cluster().hibernation.is_some())))
    }),
    one("cluster.maintenance", Kind::Flag, "a node maintenance window is open", |e| {
        e.told(Some(Datum::Flag(e.cluster().maintenance)))
    }),
    one("cluster.fenced", Kind::Text, "fenced instances; * is all", |e| {
        e.told(Some(match &e.cluster().fenced {
            Fenced::None => Datum::Nothing,
            Fenced::All => text("*"),
            Fenced::Some(names) => text(names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ")),
        }))
    }),
    one("cluster.operator-version", Kind::Text, "the operator's version that last touched it", |e| {
        e.told(Some(optional(e.cluster().operator_version.as_ref())))
    }),
    one("cluster.postgres-version", Kind::Text, "PostgreSQL's version", |e| {
        e.told(Some(optional(e.cluster().postgres_version.as_ref())))
    }),
    many("cluster.reasons", Kind::Reason, "codes of the reasons that speak against it now", |e| {
        let told = e.sight.health.reasons().filter(|r| r.level > Level::Ok);
        none_if_empty(e, told.map(|r| (None, text(r.code.name()))).collect())
    }),
    many("cluster.conditions", Kind::Text, "conditions of the cluster object that are false", |e| {
        let bad = e.cluster().conditions.iter().filter(|c| c.status == Some(false));
        let said = bad.map(|c| (Some(c.kind.clone()), text(format!("{}: {}", c.reason, shorten(&c.message, 160)))));
        none_if_empty(e, said.collect())
    }),
    many("cluster.complaints", Kind::Text, "recent warnings about its claims, jobs and webhook", |e| {
        let all = e.cluster().complaints.iter();
        let said = all.map(|c| (Some(c.object.clone()), text(format!("{}: {}", c.reason, shorten(&c.message, 160)))));
        none_if_empty(e, said.collect())
    }),
    many("cluster.events", Kind::Text, "its newest warning events", events),
    many("cluster.jobs", Kind::Text, "jobs that build instances and do not get on", |e| {
        let open = e.cluster().jobs.iter().filter(|j| !j.done);
        let said = open.map(|j| {
            let why = j.trouble.as_deref().map(|t| format!(": {}", shorten(t, 160))).unwrap_or_default();
            (Some(j.name.clone()), text(format!("{}, {} failed{why}", j.role, j.failed)))
        });
        none_if_empty(e, said.collect())
    }),
    many("cluster.volumes", Kind::Text, "phases of its volume claims", |e| {
        let all = e.cluster().volumes.iter();
        none_if_empty(e, all.map(|v| (Some(v.name.clone()), text(&v.phase))).collect())
    }),
    one("writes.lead-to", Kind::Text, "where the read-write service leads", |e| match leads_to(e) {
        Some((name, to)) => e.object(Witness::Object(format!("Service/{name}")), Ok(text(to.join(", ")))),
        None => e.unknown("its endpoints can't be read"),
    }),
    one("writes.lead-to-primary", Kind::Flag, "the read-write service leads to the primary", |e| {
        match (leads_to(e), e.evidence.primary()) {
            (Some((name, to)), Some(primary)) => {
                let yes = to.iter().any(|t| primary.name == &**t);
                e.object(Witness::Object(format!("Service/{name}")), Ok(Datum::Flag(yes)))
            }
            (Some((name, _)), None) => e.object(Witness::Object(format!("Service/{name}")), Ok(Datum::Flag(false))),
            (None, _) => e.unknown("its endpoints can't be read"),
        }
    }),
    one("lease.holder", Kind::Text, "who holds the primary's lease", |e| {
        let lease = e.cluster().lease.as_ref();
        let value = lease.map(|l| optional(l.holder.as_ref().map(|h| h.as_str())));
        e.object(
            Witness::Object(format!("Lease/{}", e.cluster().key.name)),
            value.ok_or_else(|| "no lease is seen; CNPG keeps one from 1.30".into()),
        )
    }),
    one("sync.wanted", Kind::Count, "standbys that must confirm a commit; 0 is asynchronous", |e| {
        let kept = e.picture.sync_kept().map(|(_, wanted)| Datum::Number(wanted.into()));
        by_primary(e, "synchronous_standby_names", kept)
    }),
    one("sync.kept", Kind::Count, "standbys that confirm now, at most as many as must", |e| {
        let kept = e.picture.sync_kept().map(|(have, _)| Datum::Number(have.into()));
        by_primary(e, "pg_stat_replication", kept)
    }),
    one("sync.met", Kind::Flag, "as many standbys confirm as must", |e| {
        by_primary(e, "pg_stat_replication", e.picture.sync_kept().map(|(have, wanted)| Datum::Flag(have >= wanted)))
    }),
    one("sync.required", Kind::Flag, "commits wait, rather than go on alone, when standbys are missing", |e| {
        let s = &e.cluster().sync;
        e.told(Some(Datum::Flag(s.number > 0 && !s.preferred)))
    }),
    many("slots.inactive", Kind::Bytes, "slots nobody uses, and the WAL each holds", |e| slots(e, |s| !s.active)),
    many("slots.holding", Kind::Bytes, "every slot, and the WAL it holds", |e| slots(e, |_| true)),
    many("slots.lost", Kind::Text, "slots that have lost WAL they need", |e| {
        let Some(all) = e.picture.slots else { return vec![by_primary(e, "pg_replication_slots", None)] };
        let lost: Vec<_> = all.iter().filter(|s| s.wal_status.as_deref() == Some("lost")).collect();
        match lost.is_empty() {
            true => vec![by_primary(e, "pg_replication_slots", Some(Datum::Nothing))],
            false => lost.iter().map(|s| by_primary(e, "pg_replication_slots", Some(text(&s.name)))).collect(),
        }
    }),
    one("operator.running", Kind::Flag, "the operator has a running pod", |e| {
        let ours = operators(e);
        let value = ours.map(|o| Datum::Flag(o.iter().any(|o| o.available > 0)));
        e.object(Witness::Object("Deployment".into()), value.ok_or_else(|| "its deployment can't be seen".into()))
    }),
    one("operator.webhook", Kind::Text, "what is wrong with the operator's webhook", |e| {
        let ours = operators(e);
        let value = ours.map(|o| optional(o.iter().find_map(|o| o.webhook_trouble.as_ref())));
        e.object(Witness::Object("Deployment".into()), value.ok_or_else(|| "its deployment can't be seen".into()))
    }),
    many("nodes.ready", Kind::Flag, "every node of this Kubernetes, and whether it is ready", |e| {
        nodes(e, |n| Datum::Flag(n.ready == Some(true)))
    }),
    many("nodes.cordoned", Kind::Flag, "every node, and whether it takes no new pods", |e| {
        nodes(e, |n| Datum::Flag(n.unschedulable))
    }),
    many("zones.ready", Kind::Flag, "every zone, and whether a node of it is ready", |e| {
        let Some(all) = e.sight.facts.nodes.get(&e.cluster().key.context) else {
            return vec![e.unknown("nodes can't be read")];
        };
        let zones: BTreeSet<_> = all.iter().filter_map(|n| n.zone.as_ref()).collect();
        let ready = |z| all.iter().any(|n| n.zone.as_ref() == Some(z) && n.ready == Some(true));
        zones.into_iter().map(|z| whose(e, z.as_str(), Datum::Flag(ready(z)))).collect()
    }),
    one("zones.used", Kind::Count, "zones its instances are in", |e| {
        e.told(Some(Datum::Number(e.cluster().zones().len() as f64)))
    }),
    one("kubernetes.answers", Kind::Flag, "the Kubernetes API answers", |e| {
        let id = SourceId::Kubernetes(e.cluster().key.context.clone());
        let health = e.sight.facts.sources.get(&id);
        let value = match health.map(|h| &h.state) {
            // It is told as failing only after a while; its watches know sooner.
            Some(SourceState::Live) => Ok(Datum::Flag(!every_watch_fails(e))),
            Some(SourceState::Failing { .. } | SourceState::Late(_)) => Ok(Datum::Flag(false)),
            Some(SourceState::Absent(why)) => Err(why.clone()),
            Some(SourceState::Connecting) | None => Err("it has not answered yet".into()),
        };
        Item { value, ..e.unknown("") }
    }),
    many("sources.failing", Kind::Text, "sources of this cluster that do not answer, and why", |e| {
        let key = &e.cluster().key;
        let all = e.sight.facts.sources.iter().filter_map(|(id, health)| {
            let word = match id {
                SourceId::Kubernetes(c) if *c == key.context => "kubernetes".to_owned(),
                SourceId::Watch(c, kind) if *c == key.context => kind.clone(),
                SourceId::Status(k) if k == key => "/pg/status".into(),
                SourceId::Metrics(k) if k == key => "metrics".into(),
                SourceId::Sql(k) if k == key => "sql".into(),
                SourceId::Store(k) if k == key => "object store".into(),
                _ => return None,
            };
            match &health.state {
                state if state.is_not_installed() => None,
                SourceState::Failing { why, .. } | SourceState::Absent(why) => {
                    Some(whose(e, &word, text(shorten(why, 160))))
                }
                SourceState::Late(_) => Some(whose(e, &word, text("has not answered lately"))),
                SourceState::Live | SourceState::Connecting => None,
            }
        });
        let all: Vec<_> = all.map(|i| Item { witness: Witness::Sources, ..i }).collect();
        if all.is_empty() { vec![Item { value: Ok(Datum::Nothing), ..e.unknown("") }] } else { all }
    }),
    many("certificates.left", Kind::Time, "certificates, and how long each is still good", |e| {
        let all = e.cluster().certificates.iter();
        all.map(|c| {
            let left = c.expires.duration_since(e.sight.now).max(jiff::SignedDuration::ZERO);
            whose(e, &c.name, Datum::Time(left))
        })
        .collect()
    }),
    many("poolers.ready", Kind::Count, "poolers, and how many of their pods are ready", |e| {
        let all = e.cluster().poolers.iter();
        none_if_empty(e, all.filter_map(|p| Some((Some(p.name.clone()), Datum::Number(p.ready?.into())))).collect())
    }),
];

const fn one(name: &'static str, kind: Kind, about: &'static str, read: fn(&Eye) -> Item) -> Whole {
    Whole { name, kind, about, read: Read::One(read) }
}

const fn many(name: &'static str, kind: Kind, about: &'static str, read: fn(&Eye) -> Vec<Item>) -> Whole {
    Whole { name, kind, about, read: Read::Many(read) }
}

/// What several objects say, or that none says anything.
fn none_if_empty(e: &Eye, said: Vec<(Option<String>, Datum)>) -> Vec<Item> {
    match said.is_empty() {
        true => vec![e.told(Some(Datum::Nothing))],
        false => said.into_iter().map(|(who, value)| Item { who, ..e.told(Some(value)) }).collect(),
    }
}

fn whose(e: &Eye, who: &str, value: Datum) -> Item {
    Item { who: Some(who.to_owned()), ..e.told(Some(value)) }
}

/// Warnings of its newest events, newest first. Without a timeline nothing is known of them.
fn events(e: &Eye) -> Vec<Item> {
    let Some(all) = e.sight.happenings else { return vec![e.unknown("events are not kept here")] };
    let key = &e.cluster().key;
    let warnings = all.of(key).rev().filter(|h| h.cluster.as_ref() == Some(key)).filter_map(|h| match &h.what {
        What::Kubernetes { warning: true, reason, object, message, count, .. } => {
            let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
            Some((h.at, object.clone(), text(format!("{reason}: {}{times}", shorten(message, 160)))))
        }
        _ => None,
    });
    let said: Vec<_> = warnings
        .take(EVENTS)
        .map(|(at, object, value)| Item {
            who: Some(object.clone()),
            value: Ok(value),
            witness: Witness::Object(object),
            seen: at.min(e.sight.now),
        })
        .collect();
    if said.is_empty() { vec![e.told(Some(Datum::Nothing))] } else { said }
}

fn leads_to(e: &Eye) -> Option<(String, Vec<String>)> {
    let service = e.cluster().services.iter().find(|s| s.purpose == ServicePurpose::ReadWrite)?;
    let to = service.leads_to.as_ref()?;
    Some((service.name.clone(), to.iter().map(ToString::to_string).collect()))
}

/// What the primary says of everybody.
pub(super) fn by_primary(e: &Eye, view: &str, value: Option<Datum>) -> Item {
    e.sampled(e.primarys_word(view), e.picture.primary_seen, value)
}

fn slots(e: &Eye, wanted: impl Fn(&Slot) -> bool) -> Vec<Item> {
    let said = |value| by_primary(e, "pg_replication_slots", value);
    let Some(all) = e.picture.slots else { return vec![said(None)] };
    let chosen: Vec<_> = all.iter().filter(|s| wanted(s)).collect();
    if chosen.is_empty() {
        return vec![said(Some(Datum::Nothing))];
    }
    let kept = |s: &Slot| e.picture.current.and_then(|c| s.retained(c)).map(Datum::Bytes);
    chosen.into_iter().map(|s| Item { who: Some(s.name.clone()), ..said(kept(s)) }).collect()
}

fn operators<'a>(e: &Eye<'a>) -> Option<Vec<&'a OperatorState>> {
    let all = e.sight.facts.operators.get(&e.cluster().key.context)?;
    Some(all.iter().filter(|o| o.operator == e.cluster().operator).collect())
}

fn nodes(e: &Eye, read: impl Fn(&Node) -> Datum) -> Vec<Item> {
    let Some(all) = e.sight.facts.nodes.get(&e.cluster().key.context) else {
        return vec![e.unknown("nodes can't be read")];
    };
    all.iter()
        .map(|n| Item { witness: Witness::Node(n.name.to_string()), ..whose(e, n.name.as_str(), read(n)) })
        .collect()
}

/// All that is watched in its context fails, but for what can't be had there.
fn every_watch_fails(e: &Eye<'_>) -> bool {
    let context = &e.cluster().key.context;
    let ours = e.sight.facts.sources.iter().filter(|(id, _)| matches!(id, SourceId::Watch(c, _) if c == context));
    let mut had = ours.map(|(_, h)| &h.state).filter(|state| !matches!(state, SourceState::Absent(_))).peekable();
    had.peek().is_some() && had.all(|state| matches!(state, SourceState::Failing { .. }))
}
