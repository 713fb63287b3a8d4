//! Keeps sources going, and says how each one is doing.
//!
//! A [`Source`] tells until it can't; the supervisor starts it again after a back-off with jitter and publishes its health
//! as a fact: connecting, live, late since, failing because and again at, absent. Dropping the supervising future ends the
//! source.

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

use super::inbox::Outbox;
use crate::domain::facts::Fact;
use crate::domain::source::{SourceHealth, SourceId, SourceState};
use crate::problem::Problem;

/// Something that tells.
pub trait Source: Send {
    /// Which one.
    fn id(&self) -> SourceId;

    /// A proven source that has been silent for longer than this is late.
    fn late_after(&self) -> Duration;

    /// The first pause after a failure, and the longest one.
    fn pauses(&self) -> (Duration, Duration) {
        (FIRST, LONGEST)
    }

    /// Tells until it can't go on, proving itself through `pulse`. Must be safe to drop at any await.
    fn tell(&mut self, pulse: &Pulse) -> impl Future<Output = Ended> + Send;
}

/// Why a source stopped telling.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// It failed and is started again.
    Failed(Problem),
    /// It can't be had here, for this reason. Tried again seldom, or when asked.
    Absent(String),
}

/// The first pause after a failure.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// How often something absent is looked for again: a right may be granted, an operator installed.
const ABSENT: Duration = Duration::from_secs(60);
/// Proofs that follow each other faster than this are told together.
const FOLD: SignedDuration = SignedDuration::from_millis(250);

/// How a source proves that it is alive.
pub struct Pulse {
    id: SourceId,
    outbox: Outbox,
    health: Mutex<(SourceHealth, Option<Timestamp>)>,
}

impl Pulse {
    /// A pulse of `id`, not yet proven.
    pub fn new(id: SourceId, outbox: Outbox) -> Self {
        let pulse = Pulse {
            id,
            outbox,
            health: Mutex::new((SourceHealth { state: SourceState::Connecting, proven: None }, None)),
        };
        pulse.say(SourceState::Connecting);
        pulse
    }

    fn health(&self) -> MutexGuard<'_, (SourceHealth, Option<Timestamp>)> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It answered, just now.
    pub fn proven(&self) {
        let now = Timestamp::now();
        let mut health = self.health();
        let (known, told) = &mut *health;
        known.proven = Some(now);
        let changed = known.state != SourceState::Live;
        known.state = SourceState::Live;
        if changed || told.is_none_or(|at| now.duration_since(at) >= FOLD) {
            *told = Some(now);
            self.outbox.publish(Fact::Source(self.id.clone(), known.clone()));
        }
    }

    /// Its state changed otherwise.
    pub fn say(&self, state: SourceState) {
        let mut health = self.health();
        let (known, told) = &mut *health;
        known.state = state;
        *told = Some(Timestamp::now());
        self.outbox.publish(Fact::Source(self.id.clone(), known.clone()));
    }

    /// When it was last proven.
    pub fn last(&self) -> Option<Timestamp> {
        self.health().0.proven
    }

    /// Tells of lateness, where it is live and has been silent for longer than `after`; of proofs not yet told, too.
    fn check(&self, after: Duration) {
        let now = Timestamp::now();
        let mut health = self.health();
        let (known, told) = &mut *health;
        let Some(proven) = known.proven else { return };
        let silent = now.duration_since(proven);
        if known.state == SourceState::Live && silent > SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX) {
            known.state = SourceState::Late(proven);
        } else if known.state != SourceState::Live || told.is_some_and(|t| t >= proven) {
            return;
        }
        *told = Some(now);
        self.outbox.publish(Fact::Source(self.id.clone(), known.clone()));
    }
}

/// Wakes waiting sources by name.
#[derive(Clone, Default)]
pub struct Wakers(Arc<Mutex<HashMap<SourceId, Arc<Notify>>>>);

impl Wakers {
    /// Tries a source again now. Nothing happens for one that is not waiting or not known.
    pub fn wake(&self, id: &SourceId) {
        if let Some(waker) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            waker.notify_waiters();
        }
    }

    /// The waker of a source, made when first asked for.
    pub fn of(&self, id: &SourceId) -> Arc<Notify> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_default().clone()
    }
}

/// Keeps `source` going for as long as this future is polled.
pub async fn supervise(mut source: impl Source, outbox: Outbox, wakers: Wakers) {
    let id = source.id();
    let waker = wakers.of(&id);
    let late_after = source.late_after();
    let pulse = Pulse::new(id, outbox);
    let mut pauses = pauses(source.pauses());
    loop {
        let started = pulse.last();
        let ended = told(&mut source, &pulse, late_after).await;
        if pulse.last() > started {
            pauses = self::pauses(source.pauses());
        }
        let pause = match &ended {
            Ended::Failed(_) => pauses.next().unwrap_or(source.pauses().1),
            Ended::Absent(_) => ABSENT,
        };
        match ended {
            Ended::Failed(problem) => {
                let again_at = Timestamp::now().checked_add(pause).unwrap_or(Timestamp::MAX);
                let why = problem.line();
                pulse.say(SourceState::Failing { why, again_at, try_this: problem.try_this });
            }
            Ended::Absent(why) => pulse.say(SourceState::Absent(why)),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = waker.notified() => {}
        }
    }
}

fn pauses((first, longest): (Duration, Duration)) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::default()
        .with_jitter()
        .with_factor(2.0)
        .with_min_delay(first)
        .with_max_delay(longest)
        .without_max_times()
        .build()
}

async fn told(source: &mut impl Source, pulse: &Pulse, late_after: Duration) -> Ended {
    let telling = source.tell(pulse);
    tokio::pin!(telling);
    let mut look = tokio::time::interval(Duration::from_secs(1).min(late_after));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ended = &mut telling => return ended,
            _ = look.tick() => pulse.check(late_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::inbox::{Inbox, Incoming, inbox};
    use super::*;

    struct Scripted {
        lives: Vec<(u64, Ended)>,
    }

    impl Source for Scripted {
        fn id(&self) -> SourceId {
            SourceId::Other("scripted".into())
        }

        fn late_after(&self) -> Duration {
            Duration::from_millis(40)
        }

        async fn tell(&mut self, pulse: &Pulse) -> Ended {
            let Some((silent_ms, ended)) = self.lives.pop() else { return std::future::pending().await };
            if silent_ms > 0 {
                pulse.proven();
                tokio::time::sleep(Duration::from_millis(silent_ms)).await;
            }
            ended
        }
    }

    async fn state(inbox: &mut Inbox) -> SourceState {
        match tokio::time::timeout(Duration::from_secs(5), inbox.recv()).await.unwrap() {
            Some(Incoming::Fact(Fact::Source(_, health))) => health.state,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a state that `is` holds of; others may come before, folded or not.
    async fn until(inbox: &mut Inbox, is: impl Fn(&SourceState) -> bool) -> SourceState {
        loop {
            let s = state(inbox).await;
            if is(&s) {
                return s;
            }
        }
    }

    #[tokio::test]
    async fn late_then_failing_then_absent_until_asked() {
        let (out, mut inbox) = inbox();
        let wakers = Wakers::default();
        let lives = vec![
            (0, Ended::Absent("no right to list pods".into())),
            (150, Ended::Failed(Problem::new("gone").because("reset"))),
        ];
        let id = SourceId::Other("scripted".into());
        let task = tokio::spawn(supervise(Scripted { lives }, out, wakers.clone()));
        until(&mut inbox, |s| *s == SourceState::Live).await;
        until(&mut inbox, |s| matches!(s, SourceState::Late(_))).await;
        let failing = until(&mut inbox, |s| matches!(s, SourceState::Failing { .. })).await;
        assert!(matches!(failing, SourceState::Failing { why, .. } if why == "gone: reset"));
        until(&mut inbox, |s| *s == SourceState::Absent("no right to list pods".into())).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(inbox.drain(9).is_empty(), "absent is not tried again at once");
        wakers.wake(&id);
        task.abort();
    }

    #[tokio::test]
    async fn proofs_fold_but_the_last_one_is_told() {
        let (out, mut inbox) = inbox();
        let pulse = Pulse::new(SourceId::Other("x".into()), out);
        for _ in 0..1000 {
            pulse.proven();
        }
        let last = pulse.last();
        tokio::time::sleep(Duration::from_millis(5)).await;
        pulse.check(Duration::from_secs(9));
        let told = inbox.drain(9);
        let [Incoming::Fact(Fact::Source(_, health))] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((health.proven, &health.state), (last, &SourceState::Live));
    }
}
