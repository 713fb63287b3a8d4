//! A controller at work: watches, a queue of names, one look at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{SelectAll, StreamExt as _};
use serde_json::Value;
use tokio::task::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lab::api::{Resource, Store, Watch, WatchEvent};
use crate::lab::described::is_described;
use crate::lab::object::{name, namespace};

/// The namespace (empty for kinds without one) and name of the object a controller looks after.
pub type Key = (String, String);

/// One controller.
pub trait Controller: Send + Sync + 'static {
    /// Whose name its writes carry.
    fn name(&self) -> &'static str;

    /// The kinds whose changes concern it.
    fn watches(&self) -> &'static [&'static Resource];

    /// Whom a change concerns.
    fn concerns(&self, store: &Store, kind: &'static Resource, object: &Value) -> Vec<Key>;

    /// Makes one object right. Says when to look again without a change.
    fn sync(&self, store: &Store, key: &Key) -> Option<Duration>;
}

/// The key of the object itself.
pub fn key_of(object: &Value) -> Key {
    (namespace(object).to_owned(), name(object).to_owned())
}

/// Runs a controller until it is told to stop.
pub async fn run(store: Store, controller: Arc<dyn Controller>, stop: CancellationToken) {
    let mut changes: SelectAll<_> =
        controller.watches().iter().map(|kind| stream(store.watch(kind, None), kind)).collect();
    let mut queue = Queue::default();
    let follower = store.swift(controller.watches());
    loop {
        // Whatever has happened already is taken in before the next look: many changes, one look.
        let upto = follower.take_in(|| match unconstrained(changes.next()).now_or_never() {
            Some(Some((kind, event))) => {
                queue.note(&store, &*controller, kind, &event);
                true
            }
            _ => false,
        });
        let next = queue.pop();
        if next.is_none() {
            follower.acted(upto);
        }
        if let Some(key) = next {
            if let Some(wait) = controller.sync(&store, &key) {
                queue.later(key, wait);
            }
            tokio::task::yield_now().await;
            if stop.is_cancelled() {
                return;
            }
            continue;
        }
        let sleep = queue.until_next();
        tokio::select! {
            change = changes.next() => match change {
                Some((kind, event)) => queue.note(&store, &*controller, kind, &event),
                None => return,
            },
            () = tokio::time::sleep(sleep) => {}
            () = stop.cancelled() => return,
        }
    }
}

type Change = (&'static Resource, WatchEvent);

fn stream(watch: Watch, kind: &'static Resource) -> futures::stream::BoxStream<'static, Change> {
    futures::stream::unfold(watch, move |mut watch| async move {
        let event = watch.next().await;
        Some(((kind, event), watch))
    })
    .boxed()
}

/// Names that wait for a look: now, in the order they came, or at a time.
#[derive(Default)]
struct Queue {
    now: VecDeque<Key>,
    queued: BTreeSet<Key>,
    later: BTreeMap<Instant, BTreeSet<Key>>,
    /// When each of the latter is due: a name waits for one look at a time.
    due: HashMap<Key, Instant>,
}

impl Queue {
    fn note(&mut self, store: &Store, controller: &dyn Controller, kind: &'static Resource, event: &WatchEvent) {
        if is_described(&event.object) {
            return;
        }
        for key in controller.concerns(store, kind, &event.object) {
            self.push(key);
        }
    }

    fn push(&mut self, key: Key) {
        if self.queued.insert(key.clone()) {
            self.now.push_back(key);
        }
    }

    /// Looks again then, unless it is to look earlier anyway.
    fn later(&mut self, key: Key, wait: Duration) {
        let at = Instant::now() + wait;
        match self.due.get(&key).copied() {
            Some(before) if before <= at => return,
            Some(before) => {
                if let Some(keys) = self.later.get_mut(&before) {
                    keys.remove(&key);
                }
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.later.entry(at).or_default().insert(key);
    }

    fn pop(&mut self) -> Option<Key> {
        let now = Instant::now();
        while let Some(due) = self.later.first_entry().filter(|due| *due.key() <= now) {
            for key in due.remove() {
                self.due.remove(&key);
                self.push(key);
            }
        }
        let key = self.now.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }

    fn until_next(&self) -> Duration {
        let next = self.later.keys().next();
        next.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_waits_for_one_look_the_earliest() {
        let (mut queue, key) = (Queue::default(), (String::new(), "n".to_owned()));
        for wait in [5, 3, 4] {
            queue.later(key.clone(), Duration::from_secs(wait));
        }
        assert_eq!(queue.later.values().map(BTreeSet::len).sum::<usize>(), 1);
        assert!(queue.until_next() <= Duration::from_secs(3));
        queue.later(key.clone(), Duration::ZERO);
        assert_eq!((queue.pop(), queue.pop()), (Some(key), None));
        assert!(queue.due.is_empty());
    }
}
