//! Kubernetes events → entries of the timeline.

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::kubernetes::decode::event_time;
use crate::adapters::kubernetes::kinds::Kind;
use crate::adapters::kubernetes::objects::World;
use crate::adapters::kubernetes::read::{at, count, message, raw, text};
use crate::domain::event::{Happening, What};
use crate::domain::names::ClusterKey;
use crate::text::clean;

/// A Kubernetes event as an entry of the timeline. `None` when it is about nothing of a known cluster or of the context's
/// nodes. `now` stands in where the event carries no time.
pub fn event_happening(world: &World, event: &Value, now: Timestamp) -> Option<Happening> {
    KubeEvent::read(event)?.happening(world, now)
}

/// A Kubernetes event, cut down to what the timeline tells of it.
#[derive(Clone, Debug)]
pub(in crate::adapters) struct KubeEvent {
    kind: Box<str>,
    namespace: Box<str>,
    name: Box<str>,
    /// When it was last said.
    pub at: Option<Timestamp>,
    what: What,
}

impl KubeEvent {
    /// `None` for one that is about nothing.
    pub fn read(event: &Value) -> Option<Self> {
        let about = event.get("involvedObject").or_else(|| event.get("regarding"))?;
        let (kind, name) = (raw(about, &["kind"])?, raw(about, &["name"])?);
        let namespace = raw(about, &["namespace"]).or_else(|| raw(event, &["metadata", "namespace"]));
        let message =
            if event.get("message").is_some() { message(event, &["message"]) } else { message(event, &["note"]) };
        let what = What::Kubernetes {
            warning: raw(event, &["type"]) == Some("Warning"),
            reason: text(event, &["reason"]).unwrap_or_default(),
            object: clean(&format!("{kind}/{name}")),
            message,
            count: count(event, &["series", "count"])
                .or_else(|| count(event, &["count"]))
                .or_else(|| count(event, &["deprecatedCount"]))
                .unwrap_or(1),
            uid: at(event, &["metadata"]).and_then(|m| text(m, &["uid"])).unwrap_or_default(),
        };
        Some(KubeEvent {
            kind: kind.into(),
            namespace: namespace.unwrap_or_default().into(),
            name: name.into(),
            at: event_time(event),
            what,
        })
    }

    /// As an entry of the timeline: see [`event_happening`].
    pub fn happening(self, world: &World, now: Timestamp) -> Option<Happening> {
        let cluster = cluster_of(world, &self.kind, &self.namespace, &self.name);
        if cluster.is_none() && *self.kind != *"Node" {
            return None;
        }
        Some(Happening { at: self.at.unwrap_or(now), context: world.context().clone(), cluster, what: self.what })
    }
}

/// The cluster an object belongs to. A pod or claim that is gone is known by its name: `<cluster>-<serial>…`.
fn cluster_of(world: &World, kind: &str, namespace: &str, name: &str) -> Option<ClusterKey> {
    let kind = Kind::ALL.into_iter().find(|k| k.api().3 == kind)?;
    let clean = clean(name);
    if kind == Kind::Cluster {
        return world.keys().find(|k| *k.namespace == *namespace && *k.name == *clean);
    }
    if let Some(key) = world.cluster_of(kind, namespace, &clean) {
        return Some(key);
    }
    let serial =
        |rest: &str| rest.split('-').next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    world
        .keys()
        .filter(|k| *k.namespace == *namespace)
        .filter(|k| clean.strip_prefix(&*k.name).and_then(|r| r.strip_prefix('-')).is_some_and(serial))
        .max_by_key(|k| k.name.len())
}
