//! What the watches of one context say, gathered into pictures of its clusters.
//!
//! Every event is folded into the [`World`]; the transitions it makes are posted before the picture is published, so that
//! two changes in one frame are still two entries of the timeline. Pictures are published at most ten times a second, and
//! what waits is taken many at once, so that a storm costs the console few wake-ups.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::super::inbox::Outbox;
use super::cnpg;
use super::decode::Object;
use super::kinds::Kind;
use super::objects::{Changed, ObjectEvent, World};
use super::watch::{Said, Scope};
use crate::domain::cluster::Cluster;
use crate::domain::detail::News;
use crate::domain::event::{Happening, Transition, What};
use crate::domain::facts::Fact;
use crate::domain::names::{ClusterKey, Context};

/// The newest picture of every cluster of a context.
pub type Pictures = Arc<BTreeMap<ClusterKey, Arc<Cluster>>>;

/// Pictures are published no more often than this.
const FRAME: Duration = Duration::from_millis(100);
/// As much as is taken at once of what the watches say.
const AT_ONCE: usize = 256;
/// How long a kind that does not answer is waited for before the others are shown without it.
const PATIENCE: Duration = Duration::from_secs(4);
/// Kubernetes events of this many objects are remembered so that a list read again does not tell them twice.
const REMEMBERED: usize = 20_000;

/// The gathering of one context.
pub struct Gather {
    context: Context,
    outbox: Outbox,
    pictures: watch::Sender<Pictures>,
    gate: watch::Sender<bool>,
    /// Kinds whose scope is not known yet.
    unscoped: BTreeSet<Kind>,
    scopes: BTreeMap<Kind, Vec<Scope>>,
    /// What came before the world could be made.
    early: Vec<(Kind, Scope)>,
    world: Option<World>,
    /// Lists that were never read whole.
    unread: BTreeSet<(Kind, Scope)>,
    last: BTreeMap<ClusterKey, Arc<Cluster>>,
    dirty: Dirty,
    published: Option<Instant>,
    /// Kubernetes events that were told, by uid: how often they had been repeated.
    told: HashMap<String, u32>,
    /// Events of a list that is being read, told when it is whole.
    events: Vec<cnpg::KubeEvent>,
    /// What is to be posted next.
    news: Vec<News>,
    deadline: Option<Instant>,
}

#[derive(Default)]
struct Dirty {
    clusters: BTreeSet<ClusterKey>,
    nodes: bool,
    operators: bool,
}

impl Dirty {
    fn is_clean(&self) -> bool {
        self.clusters.is_empty() && !self.nodes && !self.operators
    }
}

impl Gather {
    /// A gathering of `kinds`; the gate opens when their scopes are known, the pictures go to `pictures`.
    pub fn new(
        context: Context,
        outbox: Outbox,
        kinds: impl IntoIterator<Item = Kind>,
        gate: watch::Sender<bool>,
        pictures: watch::Sender<Pictures>,
    ) -> Self {
        Gather {
            context,
            outbox,
            pictures,
            gate,
            unscoped: kinds.into_iter().collect(),
            scopes: BTreeMap::new(),
            early: Vec::new(),
            world: None,
            unread: BTreeSet::new(),
            last: BTreeMap::new(),
            dirty: Dirty::default(),
            published: None,
            told: HashMap::new(),
            events: Vec::new(),
            news: Vec::new(),
            deadline: None,
        }
    }

    /// Gathers until every watch is gone.
    pub async fn run(mut self, mut said: mpsc::Receiver<Said>) {
        loop {
            let publish_at = (!self.dirty.is_clean()).then(|| self.published.map_or_else(Instant::now, |p| p + FRAME));
            tokio::select! {
                biased;
                () = until(publish_at) => self.publish(),
                next = said.recv() => {
                    let Some(next) = next else { return };
                    self.take(next);
                    let more = std::iter::from_fn(|| said.try_recv().ok()).take(AT_ONCE);
                    more.for_each(|said| self.take(said));
                }
                () = until(self.deadline) => self.go_without(),
            }
            self.outbox.post_all(std::mem::take(&mut self.news)).await;
        }
    }

    fn take(&mut self, said: Said) {
        match said {
            Said::Scoped(kind, scopes) => self.scoped(kind, scopes),
            Said::Narrowed(kind, scopes) => {
                self.notice(kind, &scopes);
                self.scoped(kind, scopes);
            }
            Said::Absent(kind, scope) => {
                self.unread.remove(&(kind, scope.clone()));
                match &mut self.world {
                    None => self.early.push((kind, scope)),
                    Some(_) => self.apply(ObjectEvent::Absent(kind, scope.as_deref())),
                }
            }
            Said::Begun(kind, scope) => self.apply(ObjectEvent::ListBegun(kind, scope.as_deref())),
            Said::Page(kind, scope, page) => self.page(kind, scope.as_deref(), page),
            Said::Whole(kind, scope) => {
                self.apply(ObjectEvent::ListDone(kind, scope.as_deref()));
                self.unread.remove(&(kind, scope));
                self.tell_events();
            }
            Said::Applied(kind, object) => self.applied(kind, object),
            Said::LastWords(last) => self.update(|world| world.told(&last)),
            Said::Deleted(kind, id) => self.update(|world| world.deleted(kind, Some(id))),
        }
        if self.unread.is_empty() && self.world.is_some() {
            self.deadline = None;
        }
    }

    fn scoped(&mut self, kind: Kind, scopes: Vec<Scope>) {
        self.unscoped.remove(&kind);
        if self.world.is_none() {
            self.scopes.insert(kind, scopes);
            self.deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
            if self.unscoped.is_empty() {
                self.begin();
            }
        }
    }

    /// Makes the world, now that it is known what to wait for, and lets the lists in.
    fn begin(&mut self) {
        let lists: BTreeSet<(Kind, Scope)> =
            self.scopes.iter().flat_map(|(kind, scopes)| scopes.iter().map(|s| (*kind, s.clone()))).collect();
        let named = lists.iter().map(|(kind, scope)| (*kind, scope.as_deref().map(str::to_owned)));
        self.world = Some(World::new(self.context.clone(), named));
        self.unread = lists;
        for (kind, scope) in std::mem::take(&mut self.early) {
            self.unread.remove(&(kind, scope.clone()));
            self.apply(ObjectEvent::Absent(kind, scope.as_deref()));
        }
        self.gate.send_replace(true);
        self.deadline = Some(Instant::now() + PATIENCE);
    }

    /// Some kinds have not answered in time: the others are shown without them. They are taken in when they come.
    fn go_without(&mut self) {
        self.deadline = None;
        if self.world.is_none() {
            for kind in std::mem::take(&mut self.unscoped) {
                self.scopes.insert(kind, vec![None]);
                self.early.push((kind, None));
            }
            self.begin();
            return;
        }
        for (kind, scope) in std::mem::take(&mut self.unread) {
            self.apply(ObjectEvent::Absent(kind, scope.as_deref()));
        }
    }

    fn page(&mut self, kind: Kind, scope: Option<&str>, page: Vec<Object>) {
        let Some(world) = &mut self.world else { return };
        for Object { part, event } in page {
            world.listed(kind, scope, part);
            self.events.extend(event.map(|e| *e));
        }
    }

    fn applied(&mut self, kind: Kind, Object { part, event }: Object) {
        let name = part.as_ref().map(|((_, name), _)| name.clone());
        self.update_of(name.map(|name| (kind, name)), |world| world.applied(kind, part));
        if let Some(event) = event {
            self.tell_event(*event);
        }
    }

    fn apply(&mut self, event: ObjectEvent<'_>) {
        self.update(|world| world.apply(event));
    }

    fn update(&mut self, change: impl FnOnce(&mut World) -> Changed) {
        self.update_of(None, change);
    }

    /// Changes the world and looks again at what it says has changed. `modified`: the one object it was about.
    fn update_of(&mut self, modified: Option<(Kind, Arc<str>)>, change: impl FnOnce(&mut World) -> Changed) {
        let Some(world) = &mut self.world else { return };
        let was_settled = world.settled();
        let changed = change(world);
        let done = was_settled && modified.is_some_and(|(kind, name)| self.piece(&changed, kind, &name));
        if !done {
            self.changed(changed, was_settled);
        }
        if !was_settled && self.world.as_ref().is_some_and(World::settled) {
            self.tell_events();
        }
    }

    /// Changes one piece of one picture, where that is all there is to do.
    fn piece(&mut self, changed: &Changed, kind: Kind, name: &str) -> bool {
        let Some(world) = &self.world else { return false };
        if changed.clusters.len() != 1 || changed.nodes || changed.operators {
            return false;
        }
        let Some(key) = changed.clusters.first() else { return false };
        let Some(shown) = self.last.get_mut(key) else { return false };
        let Some(piece) = cnpg::piece(world, shown, kind, name) else { return false };
        if let Some(transitions) = piece.transitions(shown) {
            // Copied once between two publications, and changed in place from then on.
            piece.put(Arc::make_mut(shown));
            self.tell(key, transitions);
            self.dirty.clusters.insert(key.clone());
        }
        true
    }

    fn tell(&mut self, key: &ClusterKey, transitions: Vec<Transition>) {
        let at = Timestamp::now();
        let happening =
            |t| Happening { at, context: key.context.clone(), cluster: Some(key.clone()), what: What::Transition(t) };
        self.news.extend(transitions.into_iter().map(happening).map(News::Happening));
    }

    fn changed(&mut self, changed: Changed, was_settled: bool) {
        self.dirty.nodes |= changed.nodes;
        self.dirty.operators |= changed.operators;
        for key in changed.clusters {
            let Some(world) = &self.world else { return };
            let new = cnpg::picture(world, &key).map(Arc::new);
            let old = match &new {
                Some(new) => self.last.insert(key.clone(), new.clone()),
                None => self.last.remove(&key),
            };
            let transitions = match (&old, &new) {
                (Some(old), Some(new)) if old == new => continue,
                (Some(old), Some(new)) if old.uid == new.uid => cnpg::transitions(old, new),
                (Some(_), Some(_)) => vec![Transition::Vanished, Transition::Appeared],
                (Some(_), None) => vec![Transition::Vanished],
                // What was there when howdah came did not appear.
                (None, Some(_)) if was_settled => vec![Transition::Appeared],
                (None, _) => Vec::new(),
            };
            self.tell(&key, transitions);
            self.dirty.clusters.insert(key);
        }
    }

    fn publish(&mut self) {
        self.published = Some(Instant::now());
        let dirty = std::mem::take(&mut self.dirty);
        let Some(world) = &self.world else { return };
        if !dirty.clusters.is_empty() {
            self.pictures.send_modify(|pictures| {
                let pictures = Arc::make_mut(pictures);
                for key in dirty.clusters {
                    match self.last.get(&key) {
                        Some(cluster) => {
                            pictures.insert(key, cluster.clone());
                            self.outbox.publish(Fact::Cluster(cluster.clone()));
                        }
                        None => {
                            pictures.remove(&key);
                            self.outbox.publish(Fact::ClusterGone(key));
                        }
                    }
                }
            });
        }
        if dirty.operators
            && let Some(operators) = world.operators()
        {
            self.outbox.publish(Fact::Operators(self.context.clone(), Arc::new(operators)));
        }
        // Last, so that whoever has seen the nodes has seen the clusters and the operators.
        if dirty.nodes {
            self.outbox.publish(Fact::Nodes(self.context.clone(), Arc::new(world.nodes())));
        }
    }

    /// Tells the listed events, oldest first, once the clusters they are about are known.
    fn tell_events(&mut self) {
        if !self.world.as_ref().is_some_and(World::settled) || self.events.is_empty() {
            return;
        }
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(|event| event.at);
        for event in events {
            self.tell_event(event);
        }
    }

    fn tell_event(&mut self, event: cnpg::KubeEvent) {
        let Some(world) = self.world.as_ref().filter(|w| w.settled()) else { return };
        let Some(happening) = event.happening(world, Timestamp::now()) else { return };
        if let What::Kubernetes { uid, count, .. } = &happening.what {
            if self.told.len() >= REMEMBERED {
                self.told.clear();
            }
            if self.told.insert(uid.clone(), *count) == Some(*count) {
                return;
            }
        }
        self.news.push(News::Happening(happening));
    }

    fn notice(&mut self, kind: Kind, scopes: &[Scope]) {
        // Told once for all kinds, by the one that matters most.
        if kind != Kind::Cluster {
            return;
        }
        let names: Vec<_> = scopes.iter().flatten().map(|s| &**s).collect();
        let text =
            format!("no right to look into all namespaces of {}: only {} is shown", self.context, names.join(", "));
        let happening = Happening {
            at: Timestamp::now(),
            context: self.context.clone(),
            cluster: None,
            what: What::Notice { text, warning: true },
        };
        self.news.push(News::Happening(happening));
    }
}

/// Waits for a moment; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::inbox::{Incoming, inbox_with_room};
    use super::*;
    use serde_json::{Value, json};

    fn pod(restarts: u32) -> Value {
        json!({"metadata": {"name": "demo-1", "namespace": "db", "uid": "u",
            "labels": {"cnpg.io/cluster": "demo", "cnpg.io/podRole": "instance"}},
            "status": {"phase": "Running", "containerStatuses": [{"name": "postgres", "restartCount": restarts}]}})
    }

    #[tokio::test]
    async fn changes_that_come_at_once_are_all_told_in_order() {
        let cluster = json!({"metadata": {"name": "demo", "namespace": "db"}});
        let (said, heard) = mpsc::channel(AT_ONCE);
        let (open, _gate) = watch::channel(false);
        let (pictures, _seen) = watch::channel(Pictures::default());
        // Room for less than what comes at once.
        let (outbox, mut inbox) = inbox_with_room(2);
        for kind in [Kind::Cluster, Kind::Pod] {
            said.send(Said::Scoped(kind, vec![None])).await.unwrap();
        }
        for (kind, object) in [(Kind::Cluster, cluster), (Kind::Pod, pod(0))] {
            said.send(Said::Page(kind, None, vec![Object::read(kind, &object)])).await.unwrap();
            said.send(Said::Whole(kind, None)).await.unwrap();
        }
        let applied = |restarts| Said::Applied(Kind::Pod, Object::read(Kind::Pod, &pod(restarts)));
        for said_of_it in (1..=3).map(applied).chain([
            Said::Deleted(Kind::Pod, ("db".into(), "demo-1".into())),
            applied(4),
            applied(5),
        ]) {
            said.send(said_of_it).await.unwrap();
        }
        drop(said);
        tokio::spawn(Gather::new("aks".into(), outbox, [Kind::Cluster, Kind::Pod], open, pictures).run(heard));
        let mut told = Vec::new();
        while let Some(incoming) = inbox.recv().await {
            if let Incoming::News(News::Happening(Happening { what: What::Transition(t), .. })) = incoming {
                told.extend(if let Transition::Pod { change, .. } = t { Some(change) } else { None });
            }
        }
        assert_eq!(told, ["restarted", "restarted", "restarted", "gone", "created", "restarted"]);
    }
}
