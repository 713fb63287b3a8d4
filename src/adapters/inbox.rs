//! One inbox, two lanes: facts replace, news add.
//!
//! [`Outbox::publish`] never waits and keeps the newest fact of each key, so a slow or suspended reader costs memory
//! only by the number of keys. [`Outbox::post`] is bounded and lossless: it waits for room, and everything posted arrives in
//! order.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore};

use crate::domain::detail::News;
use crate::domain::facts::{Fact, FactKey};

/// What comes out of an inbox.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The newest fact of its key.
    Fact(Fact),
    /// One piece of news; every one arrives, in order.
    News(News),
}

/// Room for news that nobody has read yet.
pub const NEWS_ROOM: usize = 4096;

struct Shared {
    lanes: Mutex<Lanes>,
    arrived: Notify,
    room: Semaphore,
    /// All the room there is.
    most: usize,
    senders: AtomicUsize,
}

#[derive(Default)]
struct Lanes {
    /// Keys in the order in which they first became unread.
    order: VecDeque<FactKey>,
    facts: HashMap<FactKey, Fact>,
    news: VecDeque<News>,
    closed: bool,
}

impl Shared {
    /// The lanes hold plain values that no panic can leave half-written, so a poisoned lock is still good.
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that tells. Cheap to clone.
pub struct Outbox(Arc<Shared>);

/// The end that is read.
pub struct Inbox(Arc<Shared>);

/// A new inbox with room for [`NEWS_ROOM`] unread news.
pub fn inbox() -> (Outbox, Inbox) {
    inbox_with_room(NEWS_ROOM)
}

/// A new inbox with room for `news` unread news (at least one).
pub fn inbox_with_room(news: usize) -> (Outbox, Inbox) {
    let shared = Arc::new(Shared {
        lanes: Mutex::default(),
        arrived: Notify::new(),
        room: Semaphore::new(news.max(1)),
        most: news.max(1),
        senders: AtomicUsize::new(1),
    });
    (Outbox(shared.clone()), Inbox(shared))
}

impl Outbox {
    /// Tells a fact. Never waits; an unread older fact of the same key is forgotten.
    pub fn publish(&self, fact: Fact) {
        let mut lanes = self.0.lanes();
        if lanes.closed {
            return;
        }
        let key = fact.key();
        if lanes.facts.insert(key.clone(), fact).is_none() {
            lanes.order.push_back(key);
        }
        drop(lanes);
        self.0.arrived.notify_one();
    }

    /// Adds news, waiting for room. Returns at once when the reader is gone.
    pub async fn post(&self, news: News) {
        self.post_all(vec![news]).await;
    }

    /// Adds news in order, waiting for room: told as many at once as there may be room for.
    pub async fn post_all(&self, news: Vec<News>) {
        let mut news = news.into_iter();
        while news.len() > 0 {
            let some = news.len().min(self.0.most);
            // Never more than all the room there is, so it fits into the semaphore's own count.
            let Ok(permits) = self.0.room.acquire_many(some as u32).await else { return };
            permits.forget();
            let mut lanes = self.0.lanes();
            if !lanes.closed {
                lanes.news.extend(news.by_ref().take(some));
            }
            drop(lanes);
            self.0.arrived.notify_one();
        }
    }
}

impl Clone for Outbox {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Outbox(self.0.clone())
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.arrived.notify_one();
        }
    }
}

impl Inbox {
    /// The next thing that arrived: news first, in order, then facts. `None` when nothing is left and every outbox is
    /// gone. Cancel-safe: what was not returned stays.
    pub async fn recv(&mut self) -> Option<Incoming> {
        loop {
            // Made before looking, so that an arrival in between is not missed.
            let arrived = self.0.arrived.notified();
            if let Some(next) = self.take(&mut self.0.lanes()) {
                return Some(next);
            }
            if self.0.senders.load(Ordering::Acquire) == 0 {
                // An outbox may have told something last between the two looks.
                return self.take(&mut self.0.lanes());
            }
            arrived.await;
        }
    }

    /// Up to `max` things that are there now, without waiting.
    pub fn drain(&mut self, max: usize) -> Vec<Incoming> {
        let mut lanes = self.0.lanes();
        let mut out = Vec::with_capacity(max.min(lanes.news.len() + lanes.order.len()));
        while out.len() < max
            && let Some(next) = self.take(&mut lanes)
        {
            out.push(next);
        }
        out
    }

    fn take(&self, lanes: &mut Lanes) -> Option<Incoming> {
        if let Some(news) = lanes.news.pop_front() {
            self.0.room.add_permits(1);
            return Some(Incoming::News(news));
        }
        let key = lanes.order.pop_front()?;
        lanes.facts.remove(&key).map(Incoming::Fact)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut lanes = self.0.lanes();
        *lanes = Lanes { closed: true, ..Lanes::default() };
        drop(lanes);
        self.0.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Happening, What};
    use crate::domain::names::{ClusterKey, Context};
    use crate::domain::source::{SourceHealth, SourceId, SourceState};
    use std::time::Duration;

    fn gone(n: usize) -> Fact {
        Fact::ClusterGone(ClusterKey::new("lab", "pg", &n.to_string()))
    }

    fn notice(n: usize) -> News {
        News::Happening(Happening {
            at: jiff::Timestamp::UNIX_EPOCH,
            context: Context::from("lab"),
            cluster: None,
            what: What::Notice { text: n.to_string(), warning: false },
        })
    }

    #[tokio::test]
    async fn a_later_fact_replaces_an_unread_one() {
        let (out, mut inbox) = inbox();
        let source = |state| Fact::Source(SourceId::Other("x".into()), SourceHealth { state, proven: None });
        out.publish(source(SourceState::Connecting));
        out.publish(gone(1));
        out.publish(source(SourceState::Live));
        assert_eq!(inbox.recv().await, Some(Incoming::Fact(source(SourceState::Live))));
        assert_eq!(inbox.drain(10), [Incoming::Fact(gone(1))]);
    }

    #[tokio::test]
    async fn news_wait_for_room_and_arrive_in_order() {
        let (out, mut inbox) = inbox_with_room(3);
        let teller = tokio::spawn(async move {
            for n in 0..1000 {
                out.post(notice(n)).await;
            }
        });
        for n in 0..1000 {
            assert_eq!(inbox.recv().await, Some(Incoming::News(notice(n))));
        }
        teller.await.unwrap();
        assert_eq!(inbox.recv().await, None, "every outbox is gone and nothing is left");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn floods_fold_and_cancelling_loses_nothing() {
        let (out, mut inbox) = inbox_with_room(64);
        let facts = {
            let out = out.clone();
            tokio::spawn(async move {
                for n in 0..100_000 {
                    out.publish(gone(n % 100));
                    if n % 1000 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        };
        let news = tokio::spawn(async move {
            for n in 0..10_000 {
                out.post(notice(n)).await;
            }
        });
        let (mut seen_facts, mut next) = (0usize, 0usize);
        loop {
            // A receive that is given up half of the time must not lose what was under way.
            let got = tokio::select! {
                biased;
                got = inbox.recv() => got,
                () = tokio::time::sleep(Duration::from_nanos(1)) => continue,
            };
            match got {
                Some(Incoming::News(n)) => {
                    assert_eq!(n, notice(next));
                    next += 1;
                }
                Some(Incoming::Fact(_)) => seen_facts += 1,
                None => break,
            }
        }
        facts.await.unwrap();
        news.await.unwrap();
        assert_eq!(next, 10_000);
        assert!((100..=100_000).contains(&seen_facts), "{seen_facts}");
    }

    #[tokio::test]
    async fn a_gone_reader_holds_nobody_up() {
        let (out, inbox) = inbox_with_room(1);
        out.post(notice(0)).await;
        let waiting = tokio::spawn(async move { out.post(notice(1)).await });
        tokio::task::yield_now().await;
        drop(inbox);
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    }
}
