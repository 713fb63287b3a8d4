//! All watched objects of one context, cut down when decoded to what is shown or judged.
//!
//! A [`World`] never shows half of itself: until every expected list has been read once (or is known to be forbidden),
//! [`World::apply`] reports no change, and a list that is being read again replaces the old one only when it is whole.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decode::{self, Part, Said};
use crate::domain::cluster::{Complaint, Node, Operator, OperatorState};
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

/// Namespace and name.
pub(super) type Id = (Arc<str>, Arc<str>);
type ListKey = (Kind, Option<String>);

/// All watched objects of one context.
#[derive(Debug)]
pub struct World {
    context: Context,
    shelves: BTreeMap<Kind, BTreeMap<Id, Part>>,
    /// Names of the objects of each cluster, by kind.
    members: BTreeMap<Id, BTreeSet<(Kind, Arc<str>)>>,
    /// All lists there are to be.
    lists: BTreeSet<ListKey>,
    /// Lists that have not been read yet.
    waiting: BTreeSet<ListKey>,
    absent: BTreeSet<ListKey>,
    staged: BTreeMap<ListKey, BTreeMap<Id, Part>>,
    settled: bool,
}

impl World {
    /// An empty world that waits for `lists`: each kind with the namespace it is watched in.
    pub fn new(context: Context, lists: impl IntoIterator<Item = (Kind, Option<String>)>) -> Self {
        let lists: BTreeSet<ListKey> = lists.into_iter().collect();
        World {
            context,
            shelves: BTreeMap::new(),
            members: BTreeMap::new(),
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
        self.absent.contains(&(kind, None)) || self.absent.contains(&(kind, Some(namespace.to_owned())))
    }

    /// Takes an event in and says what must be looked at again. Nothing, until the world has settled; then everything.
    pub fn apply(&mut self, event: ObjectEvent) -> Changed {
        let mut changed = Changed::default();
        match event {
            ObjectEvent::Applied(kind, object) => {
                if let Some((id, part)) = decode::part(kind, object) {
                    self.put(kind, id, part, &mut changed);
                }
            }
            ObjectEvent::Deleted(kind, object) => {
                if let Some(id) = decode::id(object) {
                    self.remove(kind, &id, &mut changed);
                }
            }
            ObjectEvent::Restarted(kind, scope, all) => {
                let list = all.iter().filter_map(|o| decode::part(kind, o)).collect();
                self.replace(kind, scope, list, &mut changed);
            }
            ObjectEvent::ListBegun(kind, scope) => {
                self.staged.insert((kind, scope.map(str::to_owned)), BTreeMap::new());
            }
            ObjectEvent::Listed(kind, scope, object) => {
                if let Some((id, part)) = decode::part(kind, object) {
                    self.staged.entry((kind, scope.map(str::to_owned))).or_default().insert(id, part);
                }
            }
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
        self.shelf(Kind::Cluster).map(|(id, _)| self.key(id))
    }

    fn key(&self, id: &Id) -> ClusterKey {
        ClusterKey { context: self.context.clone(), namespace: id.0.clone(), name: id.1.clone() }
    }

    fn replace(&mut self, kind: Kind, scope: Option<&str>, list: BTreeMap<Id, Part>, changed: &mut Changed) {
        let key = (kind, scope.map(str::to_owned));
        self.waiting.remove(&key);
        self.absent.remove(&key);
        let gone: Vec<Id> = self
            .shelf(kind)
            .map(|(id, _)| id)
            .filter(|id| scope.is_none_or(|s| *id.0 == *s) && !list.contains_key(*id))
            .cloned()
            .collect();
        for id in gone {
            self.remove(kind, &id, changed);
        }
        for (id, part) in list {
            self.put(kind, id, part, changed);
        }
        // A list that was read again without a difference is still the proof that there is none.
        changed.nodes |= kind == Kind::Node;
        changed.operators |= kind == Kind::Deployment;
    }

    fn put(&mut self, kind: Kind, id: Id, part: Part, changed: &mut Changed) {
        let old = self.shelves.get(&kind).and_then(|s| s.get(&id));
        if old == Some(&part) {
            return;
        }
        if let Some(old) = old
            && old.cluster() != part.cluster()
        {
            self.remove(kind, &id, changed);
        }
        self.touch(kind, &id, &part, changed);
        if let Some(cluster) = part.cluster() {
            self.members.entry((id.0.clone(), cluster)).or_default().insert((kind, id.1.clone()));
        }
        self.shelves.entry(kind).or_default().insert(id, part);
    }

    fn remove(&mut self, kind: Kind, id: &Id, changed: &mut Changed) {
        let Some(part) = self.shelves.get_mut(&kind).and_then(|s| s.remove(id)) else { return };
        self.touch(kind, id, &part, changed);
        if let Some(cluster) = part.cluster() {
            let owner = (id.0.clone(), cluster);
            if let Some(names) = self.members.get_mut(&owner) {
                names.remove(&(kind, id.1.clone()));
                if names.is_empty() {
                    self.members.remove(&owner);
                }
            }
        }
    }

    /// Marks what depends on this object.
    fn touch(&self, kind: Kind, id: &Id, part: &Part, changed: &mut Changed) {
        match kind {
            Kind::Cluster => {
                changed.clusters.insert(self.key(id));
            }
            Kind::Node => {
                changed.nodes = true;
                let zone = |p: Option<&Part>| p.and_then(Part::node).and_then(|n| n.zone.clone());
                let known = self.shelves.get(&Kind::Node).and_then(|s| s.get(id));
                if known.is_none() || zone(known) != zone(Some(part)) {
                    changed.clusters.extend(self.on_node(&id.1));
                }
            }
            Kind::Deployment => changed.operators = true,
            Kind::EndpointSlice | Kind::Endpoints if part.about().is_some_and(|(_, name)| *name == *WEBHOOK) => {
                changed.operators = true;
            }
            Kind::ObjectStore => changed.clusters.extend(self.keys().filter(|k| k.namespace == id.0)),
            _ => changed.clusters.extend(
                self.owner(id, part).map(|c| (id.0.clone(), c)).filter(|c| self.has_cluster(c)).map(|c| self.key(&c)),
            ),
        }
    }

    /// The cluster an object belongs to: its own word, or that of the object it is about.
    fn owner(&self, id: &Id, part: &Part) -> Option<Arc<str>> {
        part.cluster().or_else(|| {
            let (kind, name) = part.about()?;
            let other = self.shelves.get(&kind)?.get(&(id.0.clone(), name))?;
            other.cluster()
        })
    }

    fn has_cluster(&self, id: &Id) -> bool {
        self.shelves.get(&Kind::Cluster).is_some_and(|s| s.contains_key(id))
    }

    fn on_node(&self, node: &str) -> impl Iterator<Item = ClusterKey> {
        self.shelf(Kind::Pod).filter_map(move |(id, part)| {
            let on_it = part.pod()?.pod.node.as_ref()? == node;
            on_it.then(|| part.cluster().map(|c| self.key(&(id.0.clone(), c))))?
        })
    }

    pub(super) fn shelf(&self, kind: Kind) -> impl Iterator<Item = (&Id, &Part)> {
        self.shelves.get(&kind).into_iter().flatten()
    }

    pub(super) fn part(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Part> {
        self.shelves.get(&kind)?.get(&(namespace.into(), name.into()))
    }

    /// The objects of this kind that belong to a cluster, by name.
    pub(super) fn of(&self, key: &ClusterKey, kind: Kind) -> impl Iterator<Item = (&str, &Part)> {
        let from = (kind, Arc::from(""));
        self.members
            .get(&(key.namespace.clone(), key.name.clone()))
            .into_iter()
            .flat_map(move |names| names.range(from.clone()..).take_while(move |(k, _)| *k == kind))
            .filter_map(move |(k, name)| Some((&**name, self.part(*k, &key.namespace, name)?)))
    }

    /// The pods behind each endpoints object of a service.
    pub(super) fn endpoints(
        &self,
        namespace: &str,
        kind: Kind,
        service: &str,
    ) -> impl Iterator<Item = &Vec<InstanceName>> {
        self.shelf_in(kind, namespace).filter_map(move |(_, p)| match &p.said {
            Said::Endpoints(of, pods) if **of == *service => Some(pods),
            _ => None,
        })
    }

    /// The complaints in a namespace, with the kind and name of the object each is about.
    pub(super) fn complaints(&self, namespace: &str) -> impl Iterator<Item = (Kind, &str, &Complaint)> {
        self.shelf_in(Kind::Event, namespace).filter_map(|(_, p)| match &p.said {
            Said::Complaint(kind, name, complaint) => Some((*kind, &**name, &**complaint)),
            _ => None,
        })
    }

    fn shelf_in(&self, kind: Kind, namespace: &str) -> impl Iterator<Item = (&Id, &Part)> {
        let namespace: Arc<str> = namespace.into();
        let from: Id = (namespace.clone(), "".into());
        let shelf = self.shelves.get(&kind).into_iter();
        shelf.flat_map(move |s| s.range(from.clone()..)).take_while(move |((ns, _), _)| *ns == namespace)
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
        seen.all(Vec::is_empty).then(|| format!("{WEBHOOK} has no ready pod: changes of clusters are refused"))
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> Vec<Node> {
        self.shelf(Kind::Node).filter_map(|(_, p)| p.node().cloned()).collect()
    }

    /// The operators' deployments; `None` where they can't be read.
    pub fn operators(&self) -> Option<Vec<OperatorState>> {
        let found: Vec<_> = self
            .shelf(Kind::Deployment)
            .filter_map(|(_, p)| p.operator())
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
