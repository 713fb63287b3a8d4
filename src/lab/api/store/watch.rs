//! Watching: each consumer reads the history at its own pace.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::{Key, Store, key, meta};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::Resource;
use crate::lab::api::selector::Selector;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Modified,
    Deleted,
}

/// One thing a watch tells.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    pub kind: Change,
    /// The object after the change; when deleted, as it was last.
    pub object: Arc<Value>,
}

/// One step of a kind's history.
#[derive(Clone, Debug)]
pub struct Past {
    pub version: u64,
    /// When it was taken.
    pub at: Instant,
    /// Absent when the object was created.
    pub before: Option<Arc<Value>>,
    /// Absent when it was deleted.
    pub object: Option<Arc<Value>>,
}

/// An endless watch of one kind, for the lab's own parts. It starts with what is there, as `Added`, and never misses
/// the newest state: where history was cut it compares instead.
pub struct Watch {
    store: Store,
    resource: &'static Resource,
    ns: Option<String>,
    at: u64,
    known: HashMap<Key, Arc<Value>>,
    ready: VecDeque<WatchEvent>,
    news: tokio::sync::watch::Receiver<u64>,
}

impl Store {
    /// Watches the objects of one namespace, or of all.
    pub fn watch(&self, resource: &'static Resource, ns: Option<&str>) -> Watch {
        let news = self.news(resource);
        let mut watch = Watch {
            store: self.clone(),
            resource,
            ns: ns.map(str::to_owned),
            at: 0,
            known: HashMap::new(),
            ready: VecDeque::new(),
            news,
        };
        watch.compare();
        watch
    }

    /// The steps after `since`, and the newest resource version of all kinds: the history is complete up to there.
    ///
    /// # Errors
    /// 410 when history does not reach back that far.
    pub fn past(&self, resource: &'static Resource, since: u64) -> Result<(Vec<Past>, u64), ApiError> {
        let mut world = self.world();
        let newest = world.version;
        let table = world.table(resource);
        if since < table.forgotten {
            return Err(ApiError::expired(since, table.forgotten));
        }
        let from = table.history.partition_point(|p| p.version <= since);
        Ok((table.history.range(from..).cloned().collect(), newest))
    }

    /// Changes its value with each step of that kind's history.
    pub fn news(&self, resource: &'static Resource) -> tokio::sync::watch::Receiver<u64> {
        self.world().table(resource).news.subscribe()
    }
}

impl Watch {
    /// The next event. Safe to drop while it waits.
    pub async fn next(&mut self) -> WatchEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            self.read();
            if self.ready.is_empty() && self.news.changed().await.is_err() {
                // The store holds the sender and this watch the store: it can't be gone. Wait rather than spin.
                std::future::pending::<()>().await;
            }
        }
    }

    /// An event that is ready now, if any.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        if self.ready.is_empty() {
            self.read();
        }
        self.ready.pop_front()
    }

    fn read(&mut self) {
        self.news.mark_unchanged();
        match self.store.past(self.resource, self.at) {
            Ok((steps, newest)) => {
                for step in steps {
                    self.apply(&step);
                }
                self.at = newest;
            }
            Err(_) => self.compare(),
        }
    }

    fn apply(&mut self, step: &Past) {
        let Some(any) = step.object.as_ref().or(step.before.as_ref()) else { return };
        let ns = meta::text(any, "namespace");
        if self.resource.namespaced && self.ns.as_deref().is_some_and(|own| own != ns) {
            return;
        }
        let key = key(self.resource, ns, meta::text(any, "name"));
        let kind = match (&step.before, &step.object) {
            (None, _) => Change::Added,
            (Some(_), Some(_)) => Change::Modified,
            (Some(_), None) => Change::Deleted,
        };
        match &step.object {
            Some(object) => drop(self.known.insert(key, Arc::clone(object))),
            None => drop(self.known.remove(&key)),
        }
        self.ready.push_back(WatchEvent { kind, object: Arc::clone(any) });
    }

    /// Takes the state as it is and tells the difference to what was told.
    fn compare(&mut self) {
        let listing = self.store.list(self.resource, self.ns.as_deref(), &Selector::everything());
        let mut gone = std::mem::take(&mut self.known);
        for object in listing.items {
            let key = key(self.resource, meta::text(&object, "namespace"), meta::text(&object, "name"));
            let kind = match gone.remove(&key) {
                None => Some(Change::Added),
                Some(old) if Arc::ptr_eq(&old, &object) => None,
                Some(_) => Some(Change::Modified),
            };
            if let Some(kind) = kind {
                self.ready.push_back(WatchEvent { kind, object: Arc::clone(&object) });
            }
            self.known.insert(key, object);
        }
        for (_, object) in gone {
            self.ready.push_back(WatchEvent { kind: Change::Deleted, object });
        }
        self.at = listing.resource_version;
    }
}
