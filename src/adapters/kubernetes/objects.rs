//! All watched objects of one context, cut down when decoded to what is shown or judged.
//!
//! A [`World`] never shows half of itself: until every expected list has been read once (or is known to be forbidden),
//! [`World::apply`] reports no change, and a list that is being read again replaces the old one only when it is whole.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempts::{Attempts, LastWords};
use super::decode::{self, Part, Said};
use super::shelves::{Id, Shelves};
use crate::domain::cluster::{Attempt, Complaint, Job, Node, Operator, OperatorState};
use crate::domain::names::{ClusterKey, Context, InstanceName};

pub use super::kinds::Kind;

/// Something that happened to a watched object. Scope: the namespace a watch looks at, `None` for everywhere.
#[derive(Clone, Copy, Debug)]
pub enum ObjectEvent<'a> {
    /// Added or modified.
    Applied(Kind, &'a Value),
    /// Deleted; the last version of it.
    Deleted(Kind, &'a Value),
    /// A whole new list of this kind in this scope, at once.
    Restarted(Kind, Option<&'a str>, &'a [Value]),
    /// A new list begins; what was known stays until [`ObjectEvent::ListDone`].
    ListBegun(Kind, Option<&'a str>),
    /// One object of the list being read.
    Listed(Kind, Option<&'a str>, &'a Value),
    /// The list is whole: what it does not hold is gone.
    ListDone(Kind, Option<&'a str>),
    /// This kind can't be read in this scope (a missing right or API): it is not waited for.
    Absent(Kind, Option<&'a str>),
}

/// What must be looked at again after an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Clusters whose picture may be different. One that has no picture any more is gone.
    pub clusters: BTreeSet<ClusterKey>,
    /// [`World::nodes`] may be different.
    pub nodes: bool,
    /// [`World::operators`] may be different.
    pub operators: bool,
}

impl Changed {
    /// Nothing at all.
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty() && !self.nodes && !self.operators
    }

    /// Takes the other one in.
    pub fn merge(&mut self, other: Changed) {
        self.clusters.extend(other.clusters);
        self.nodes |= other.nodes;
        self.operators |= other.operators;
    }
}

/// The service of CNPG's webhook, in the operator's namespace (cloudnative-pg `config/webhook/service.yaml`).
const WEBHOOK: &str = "cnpg-webhook-service";

type ListKey = (Kind, Option<String>);

/// All watched objects of one context.
#[derive(Debug)]
pub struct World {
    context: Context,
    shelves: Shelves,
    attempts: Attempts,
    /// All lists there are to be.
    lists: BTreeSet<ListKey>,
    /// Lists that have not been read yet.
    waiting: BTreeSet<ListKey>,
    absent: BTreeSet<ListKey>,
    staged: BTreeMap<ListKey, Vec<(Id, Part)>>,
    settled: bool,
}

impl World {
    /// An empty world that waits for `lists`: each kind with the namespace it is watched in.
    pub fn new(context: Context, lists: impl IntoIterator<Item = (Kind, Option<String>)>) -> Self {
        let lists: BTreeSet<ListKey> = lists.into_iter().collect();
        World {
            context,
            shelves: Shelves::default(),
            attempts: Attempts::default(),
            waiting: lists.clone(),
            lists,
            absent: BTreeSet::new(),
            staged: BTreeMap::new(),
            settled: false,
        }
    }

    /// The context it is of.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Every expected list has been read, or can't be.
    pub fn settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// This kind could not be read anywhere it was looked for.
    pub fn is_absent(&self, kind: Kind, namespace: &str) -> bool {
        self.absent.iter().any(|(k, scope)| *k == kind && scope.as_deref().is_none_or(|s| s == namespace))
    }

    /// Takes an event in and says what must be looked at again. Nothing, until the world has settled; then everything.
    pub fn apply(&mut self, event: ObjectEvent) -> Changed {
        let mut changed = Changed::default();
        match event {
            ObjectEvent::Applied(kind, object) => return self.applied(kind, decode::part(kind, object)),
            ObjectEvent::Deleted(kind, object) => return self.deleted(kind, decode::id(object)),
            ObjectEvent::Restarted(kind, scope, all) => {
                let list = all.iter().filter_map(|o| decode::part(kind, o)).collect();
                self.replace(kind, scope, list, &mut changed);
            }
            ObjectEvent::ListBegun(kind, scope) => {
                self.staged.insert((kind, scope.map(str::to_owned)), Vec::new());
            }
            ObjectEvent::Listed(kind, scope, object) => self.listed(kind, scope, decode::part(kind, object)),
            ObjectEvent::ListDone(kind, scope) => {
                let list = self.staged.remove(&(kind, scope.map(str::to_owned))).unwrap_or_default();
                self.replace(kind, scope, list, &mut changed);
            }
            ObjectEvent::Absent(kind, scope) => {
                let key = (kind, scope.map(str::to_owned));
                self.waiting.remove(&key);
                if self.absent.insert(key) && self.settled {
                    changed = self.everything();
                }
            }
        }
        self.seen(changed)
    }

    /// What was kept of an object that was added or modified: see [`ObjectEvent::Applied`].
    pub(super) fn applied(&mut self, kind: Kind, part: Option<(Id, Part)>) -> Changed {
        let mut changed = Changed::default();
        if let Some((id, part)) = part {
            self.put(kind, id, part, &mut changed);
        }
        self.seen(changed)
    }

    /// See [`ObjectEvent::Deleted`].
    pub(super) fn deleted(&mut self, kind: Kind, id: Option<Id>) -> Changed {
        let mut changed = Changed::default();
        if let Some(id) = id {
            self.remove(kind, &id, &mut changed);
        }
        self.seen(changed)
    }

    /// What was kept of an object of a list that is being read: see [`ObjectEvent::Listed`].
    pub(super) fn listed(&mut self, kind: Kind, scope: Option<&str>, part: Option<(Id, Part)>) {
        if let Some((id, part)) = part {
            self.staged.entry((kind, scope.map(str::to_owned))).or_default().push((id, part));
        }
    }

    /// What a failed pod of a job said before it ended.
    pub fn told(&mut self, last: &LastWords) -> Changed {
        let mut changed = Changed::default();
        let id: Id = (last.namespace.clone(), last.job.as_str().into());
        if self.attempts.told(last)
            && let Some(part) = self.shelves.get(Kind::Job, &id.0, &id.1)
        {
            self.touch(Kind::Job, &id, part, &mut changed);
        }
        self.seen(changed)
    }

    /// The attempt of a job that failed last.
    pub(super) fn attempt(&self, namespace: &str, job: &Job) -> Option<Attempt> {
        self.attempts.last(namespace, job)
    }

    /// What a change looks like from outside: nothing before the world has settled, and then everything at once.
    fn seen(&mut self, changed: Changed) -> Changed {
        if !self.settled() {
            return Changed::default();
        }
        if !self.settled {
            self.settled = true;
            return self.everything();
        }
        changed
    }

    fn everything(&self) -> Changed {
        Changed { clusters: self.keys().collect(), nodes: true, operators: true }
    }

    /// The keys of all clusters.
    pub fn keys(&self) -> impl Iterator<Item = ClusterKey> {
        self.shelves.all(Kind::Cluster).map(|(namespace, name, _)| self.key(namespace, name))
    }

    fn key(&self, namespace: &Arc<str>, name: &Arc<str>) -> ClusterKey {
        ClusterKey { context: self.context.clone(), namespace: namespace.clone(), name: name.clone() }
    }

    fn replace(&mut self, kind: Kind, scope: Option<&str>, mut list: Vec<(Id, Part)>, changed: &mut Changed) {
        // Of one that moved while the list was read, the last word counts.
        list.sort_by(|a, b| a.0.cmp(&b.0));
        let key = (kind, scope.map(str::to_owned));
        self.waiting.remove(&key);
        self.absent.remove(&key);
        let gone: Vec<Id> = self
            .shelves
            .all(kind)
            .filter(|(namespace, ..)| scope.is_none_or(|s| ***namespace == *s))
            .map(|(namespace, name, _)| (namespace.clone(), name.clone()))
            .filter(|id| list.binary_search_by(|(listed, _)| listed.cmp(id)).is_err())
            .collect();
        for id in gone {
            self.remove(kind, &id, changed);
        }
        for (id, part) in list {
            self.put(kind, id, part, changed);
        }
        self.shelves.compact(kind);
        // A list that was read again without a difference is still the proof that there is none.
        changed.nodes |= kind == Kind::Node;
        changed.operators |= kind == Kind::Deployment;
    }

    fn put(&mut self, kind: Kind, id: Id, part: Part, changed: &mut Changed) {
        match self.shelves.get(kind, &id.0, &id.1) {
            Some(old) if *old == part => return,
            // The cluster it leaves looks different, too.
            Some(old) if old.cluster() != part.cluster() => self.remove(kind, &id, changed),
            _ => {}
        }
        self.touch(kind, &id, &part, changed);
        self.attempts.seen(kind, &id, &part);
        self.shelves.put(kind, id, part);
    }

    fn remove(&mut self, kind: Kind, id: &Id, changed: &mut Changed) {
        if let Some(part) = self.shelves.remove(kind, id) {
            self.attempts.gone(kind, id);
            self.touch(kind, id, &part, changed);
        }
    }

    /// Marks what depends on this object.
    fn touch(&self, kind: Kind, id: &Id, part: &Part, changed: &mut Changed) {
        match kind {
            Kind::Cluster => {
                changed.clusters.insert(self.key(&id.0, &id.1));
            }
            Kind::Node => {
                changed.nodes = true;
                let zone = |p: Option<&Part>| p.and_then(Part::node).and_then(|n| n.zone.clone());
                let known = self.shelves.get(Kind::Node, &id.0, &id.1);
                if known.is_none() || zone(known) != zone(Some(part)) {
                    changed.clusters.extend(self.on_node(&id.1));
                }
            }
            Kind::Deployment => changed.operators = true,
            Kind::EndpointSlice | Kind::Endpoints if part.about().is_some_and(|(_, name)| *name == *WEBHOOK) => {
                changed.operators = true;
            }
            Kind::ObjectStore => changed.clusters.extend(self.keys().filter(|k| k.namespace == id.0)),
            _ => {
                let owner = self.owner(id, part).filter(|c| self.shelves.get(Kind::Cluster, &id.0, c).is_some());
                changed.clusters.extend(owner.map(|c| self.key(&id.0, &c)));
            }
        }
    }

    /// The cluster an object belongs to: its own word, or that of the object it is about.
    fn owner(&self, id: &Id, part: &Part) -> Option<Arc<str>> {
        part.cluster().or_else(|| {
            let (kind, name) = part.about()?;
            self.shelves.get(kind, &id.0, &name)?.cluster()
        })
    }

    fn on_node(&self, node: &str) -> impl Iterator<Item = ClusterKey> {
        self.shelves.all(Kind::Pod).filter_map(move |(namespace, _, part)| {
            let on_it = part.pod()?.pod.node.as_ref()? == node;
            on_it.then(|| part.cluster().map(|c| self.key(namespace, &c)))?
        })
    }

    pub(super) fn part(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Part> {
        self.shelves.get(kind, namespace, name)
    }

    /// The objects of this kind that belong to a cluster, by name.
    pub(super) fn of(&self, key: &ClusterKey, kind: Kind) -> impl Iterator<Item = (&str, &Part)> {
        self.shelves.of(&key.namespace, &key.name, kind)
    }

    /// The pods behind each endpoints object of a service.
    pub(super) fn endpoints(
        &self,
        namespace: &str,
        kind: Kind,
        service: &str,
    ) -> impl Iterator<Item = &[InstanceName]> {
        let about = self.shelves.about(namespace, service).filter(move |(k, ..)| *k == kind);
        about.filter_map(|(_, _, p)| if let Said::Endpoints(e) = &p.said { Some(&*e.pods) } else { None })
    }

    /// The complaints about a cluster and its objects, each with the name of the event.
    pub(super) fn complaints<'w>(&'w self, key: &'w ClusterKey) -> impl Iterator<Item = (&'w str, &'w Complaint)> {
        let members = self.shelves.members_of(&key.namespace, &key.name);
        let objects = members.iter().map(|(kind, name)| (*kind, &**name)).chain([(Kind::Cluster, &*key.name)]);
        objects.flat_map(move |(kind, name)| {
            self.shelves.about(&key.namespace, name).filter_map(move |(_, event, p)| match &p.said {
                Said::Complaint(c) if c.of == kind => Some((&**event, &c.complaint)),
                _ => None,
            })
        })
    }

    /// The cluster of an object, as `Kind` and name: for events.
    pub(super) fn cluster_of(&self, kind: Kind, namespace: &str, name: &str) -> Option<ClusterKey> {
        if kind == Kind::Cluster {
            return Some(ClusterKey::new(self.context.clone(), namespace, name));
        }
        let cluster = self.part(kind, namespace, name)?.cluster()?;
        Some(ClusterKey { context: self.context.clone(), namespace: namespace.into(), name: cluster })
    }

    /// Nobody stands behind the service of CNPG's webhook: the API server refuses changes of clusters.
    fn webhook_trouble(&self, operator: &OperatorState) -> Option<String> {
        let (namespace, _) = operator.deployment.split_once('/')?;
        if operator.operator != Operator::Cnpg {
            return None;
        }
        let mut seen = [Kind::EndpointSlice, Kind::Endpoints]
            .into_iter()
            .flat_map(|kind| self.endpoints(namespace, kind, WEBHOOK))
            .peekable();
        // No endpoints object at all: not seen, or another name for the service.
        seen.peek()?;
        seen.all(<[InstanceName]>::is_empty)
            .then(|| format!("{WEBHOOK} has no ready pod: changes of clusters are refused"))
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> Vec<Node> {
        self.shelves.all(Kind::Node).filter_map(|(_, _, p)| p.node().cloned()).collect()
    }

    /// The operators' deployments; `None` where they can't be read.
    pub fn operators(&self) -> Option<Vec<OperatorState>> {
        let found: Vec<_> = self
            .shelves
            .all(Kind::Deployment)
            .filter_map(|(_, _, p)| p.operator())
            .map(|o| OperatorState {
                context: self.context.clone(),
                webhook_trouble: self.webhook_trouble(o),
                ..o.clone()
            })
            .collect();
        // Finding none proves something only when every namespace was looked into.
        let everywhere = (Kind::Deployment, None);
        let looked = self.lists.contains(&everywhere) && !self.absent.contains(&everywhere);
        (!found.is_empty() || looked).then_some(found)
    }
}
