//! Who keeps up: parties that act on what they watch, and those who take their time until they have.
//!
//! In a cluster a controller's answer to a change is there within milliseconds, an operator's within a second, and
//! whoever has to start a process comes later. On a busy machine nothing makes that so but waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Store;
use crate::lab::api::resources::Resource;

/// All parties by number.
pub(super) type Followers = watch::Sender<BTreeMap<u64, Party>>;

/// One party.
pub(super) enum Party {
    /// Acts at once on every change of these kinds: so far on all up to this resource version.
    Swift { kinds: &'static [&'static Resource], acted: u64 },
    /// Acts when it is woken, after it has asked others: so often it was woken, so often it has acted on that.
    Slow { woken: u64, acted: u64 },
}

/// One who acts. Counts as long as it lives.
pub struct Follower {
    store: Store,
    number: u64,
}

impl Store {
    /// Somebody who acts at once on every change of these kinds from now on.
    pub fn swift(&self, kinds: &'static [&'static Resource]) -> Follower {
        self.follower(Party::Swift { kinds, acted: 0 })
    }

    /// Somebody who acts when woken.
    pub fn slow(&self) -> Follower {
        self.follower(Party::Slow { woken: 0, acted: 0 })
    }

    fn follower(&self, party: Party) -> Follower {
        let mut number = 0;
        self.inner.followers.send_modify(|all| {
            number = all.keys().next_back().map_or(0, |last| last + 1);
            all.insert(number, party);
        });
        Follower { store: self.clone(), number }
    }

    /// Waits until those who act at once have acted on what has happened so far. Who is stuck is not waited for longer
    /// than `within`.
    pub async fn settled(&self, within: Duration) {
        let newest: BTreeMap<(&str, &str), u64> = {
            let world = self.world();
            world.tables.iter().map(|(kind, table)| (*kind, *table.news.borrow())).collect()
        };
        let last = |kind: &&'static Resource| newest.get(&(kind.group, kind.plural)).copied().unwrap_or(0);
        let is_behind = |party: &Party| match party {
            Party::Swift { kinds, acted } => kinds.iter().map(last).max() > Some(*acted),
            Party::Slow { .. } => false,
        };
        let mut followers = self.inner.followers.subscribe();
        drop(timeout(within, followers.wait_for(|all| !all.values().any(is_behind))).await);
    }

    /// As [`Store::settled`], and until those who act when woken have as well.
    pub async fn quiet(&self, within: Duration) {
        let is_behind = |party: &Party| matches!(party, Party::Slow { woken, acted } if woken > acted);
        let mut followers = self.inner.followers.subscribe();
        let quiet = async {
            self.settled(within).await;
            drop(followers.wait_for(|all| !all.values().any(is_behind)).await);
        };
        drop(timeout(within, quiet).await);
    }
}

impl Follower {
    /// Takes in what is there, one by one, until `one` finds nothing more. Up to this resource version all of it is taken in:
    /// what comes while the one before is being taken in counts too, for nothing else would tell of it afterwards.
    pub fn take_in(&self, mut one: impl FnMut() -> bool) -> u64 {
        loop {
            let upto = self.store.resource_version();
            if !one() {
                return upto;
            }
        }
    }

    /// A swift one has acted on everything up to this resource version, or a slow one on so many wakes.
    pub fn acted(&self, upto: u64) {
        self.change(|party| {
            let (Party::Swift { acted, .. } | Party::Slow { acted, .. }) = party;
            let news = *acted < upto;
            *acted = upto.max(*acted);
            news
        });
    }

    /// A slow one is woken.
    pub fn wake(&self) {
        self.change(|party| match party {
            Party::Slow { woken, .. } => {
                *woken += 1;
                true
            }
            Party::Swift { .. } => false,
        });
    }

    /// How often a slow one was woken.
    pub fn wakes(&self) -> u64 {
        match self.store.inner.followers.borrow().get(&self.number) {
            Some(Party::Slow { woken, .. }) => *woken,
            _ => 0,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Party) -> bool) {
        self.store.inner.followers.send_if_modified(|all| all.get_mut(&self.number).is_some_and(change));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.store.inner.followers.send_if_modified(|all| all.remove(&self.number).is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;
    use crate::lab::api::resources::{LEASES, PODS};

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_happened_is_settled_when_everybody_has_acted_on_it() {
        let store = Store::new();
        let (pods, leases) = (store.swift(&const { [&PODS] }), store.swift(&const { [&LEASES] }));
        store.settled(LONG).await;
        store.create(&PODS, "pg", json!({"metadata": {"name": "one"}})).unwrap();
        let waiting = store.settled(LONG);
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        leases.acted(store.resource_version());
        assert!(futures::poll!(&mut waiting).is_pending(), "it was not for this one to act");
        pods.acted(store.resource_version());
        waiting.await;
    }

    #[tokio::test]
    async fn it_is_quiet_when_who_was_woken_has_acted() {
        let store = Store::new();
        let slow = store.slow();
        slow.wake();
        let waiting = store.quiet(LONG);
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        let upto = slow.wakes();
        slow.wake();
        slow.acted(upto);
        assert!(futures::poll!(&mut waiting).is_pending(), "it was woken again meanwhile");
        slow.acted(slow.wakes());
        waiting.await;
    }

    #[tokio::test]
    async fn what_comes_while_something_is_taken_in_is_taken_in_too() {
        let store = Store::new();
        let (pods, mut watch) = (store.swift(&const { [&PODS] }), store.watch(&PODS, None));
        let make = |name: &str| drop(store.create(&PODS, "pg", json!({"metadata": {"name": name}})).unwrap());
        make("one");
        let mut taken = Vec::new();
        let upto = pods.take_in(|| {
            if taken.len() == 1 {
                make("two");
            }
            watch.try_next().is_some_and(|event| {
                taken.push(crate::lab::object::name(&event.object).to_owned());
                true
            })
        });
        pods.acted(upto);
        assert_eq!(taken, ["one", "two"]);
        assert_eq!(futures::poll!(std::pin::pin!(store.settled(LONG))), std::task::Poll::Ready(()));
    }

    #[tokio::test]
    async fn who_is_stuck_or_gone_holds_nobody_up() {
        let store = Store::new();
        let (stuck, slow) = (store.swift(&const { [&PODS] }), store.slow());
        store.create(&PODS, "pg", json!({"metadata": {"name": "one"}})).unwrap();
        slow.wake();
        let begin = Instant::now();
        store.quiet(Duration::from_millis(1)).await;
        drop((stuck, slow));
        store.quiet(LONG).await;
        assert!(begin.elapsed() < LONG);
    }
}
