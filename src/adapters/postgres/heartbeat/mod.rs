//! A drill's heartbeat: numbered rows written through the tunnel, read beside, told ten times a second, counted at the end.
//!
//! [`account`] is what became of every attempt; [`gaps`] the outages in it; [`book`] the same on disk, for a howdah that was
//! killed; [`way`] how the present primary and the standbys are found and reached, anew after each failure; [`writer`] and
//! [`reader`] try; [`count`] compares with the table. Besides the sessions of its own table it changes nothing. It must not
//! know what a drill is, nor what an outage is good or bad for.

mod account;
mod book;
mod count;
mod gaps;
mod ranges;
mod reader;
mod way;
mod writer;

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::account::Account;
use self::book::Book;
use self::way::Way;
pub use self::way::{Around, front};
use crate::adapters::executor::Refusal;
use crate::domain::facts::Fact;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::heartbeat::Heartbeat;
use crate::procedure::{Answer, Found};

/// How often it is told.
const TOLD: Duration = Duration::from_millis(100);
/// A process that told nothing for longer than this did not run.
const ASLEEP: SignedDuration = SignedDuration::from_secs(1);
/// Reads are written down once in so many tellings.
const READS: u32 = 10;
/// How long its beginning and its sweeping are tried.
const TRIED: Duration = Duration::from_secs(20);

/// The heartbeats of this process. Dropped, they end.
#[derive(Default)]
pub struct Hearts(Mutex<HashMap<(ClusterKey, String), Heart>>);

struct Heart {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What all tasks of a heartbeat share.
struct Shared {
    heart: Heartbeat,
    way: Way,
    state: Mutex<State>,
}

struct State {
    account: Account,
    book: Book,
    /// Reads since they were last written down.
    reads: (u64, u64),
    blind: bool,
    /// When this process was last seen to run.
    awake: Timestamp,
}

impl Hearts {
    fn all(&self) -> MutexGuard<'_, HashMap<(ClusterKey, String), Heart>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to beat, or goes on where a process that was ended left off: `beats` is its book.
    ///
    /// # Errors
    /// Nobody takes writes, or the book can't be written. Nothing beats then.
    pub async fn begin(&self, heart: &Heartbeat, around: Around, beats: &Path) -> Result<Answer, Refusal> {
        mistake(heart).map_err(Refusal::Nothing)?;
        let id = (heart.cluster.clone(), heart.table.clone());
        if self.all().contains_key(&id) {
            return Ok(Answer::Already("it beats".into()));
        }
        let way = Way::new(around, heart);
        if !beats.exists() {
            // One that goes on has its table, and may go on in the middle of an outage.
            let made = way.statement(&heart.create_table(), TRIED).await;
            made.map_err(|(_, why)| Refusal::Nothing(begin_failed(heart, &why)))?;
        }
        let every = heart.every.max(SignedDuration::from_millis(1));
        let (book, account) = Book::open(beats, heart.writers, every, Timestamp::now())
            .map_err(|e| Refusal::Nothing(begin_failed(heart, &format!("{}: {e}", beats.display()))))?;
        let state = State { account, book, reads: (0, 0), blind: false, awake: Timestamp::now() };
        let shared = Arc::new(Shared { heart: heart.clone(), way, state: Mutex::new(state) });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for writer in 0..heart.writers {
            tasks.spawn(writer::write(shared.clone(), writer, stopped.clone()));
        }
        for reader in 0..heart.readers {
            tasks.spawn(reader::read(shared.clone(), reader, stopped.clone()));
        }
        tasks.spawn(tell(shared.clone(), stopped));
        self.all().insert(id, Heart { shared, stop, tasks });
        Ok(Answer::Begun)
    }

    /// Whether it beats in this process.
    pub fn find(&self, heart: &Heartbeat) -> Found {
        match self.all().contains_key(&(heart.cluster.clone(), heart.table.clone())) {
            true => Found::Done("it beats".into()),
            false => Found::NotDone,
        }
    }

    /// Ends it, once every attempt under way has its answer.
    async fn end(&self, heart: &Heartbeat) {
        let ended = self.all().remove(&(heart.cluster.clone(), heart.table.clone()));
        let Some(mut ended) = ended else { return };
        ended.stop.send_replace(true);
        let patience = way::patience(heart) + Duration::from_secs(2);
        let all = timeout(patience, async { while ended.tasks.join_next().await.is_some() {} });
        if all.await.is_err() {
            ended.tasks.shutdown().await;
        }
        let mut state = ended.shared.state();
        let now = Timestamp::now();
        state.note_reads(now);
        state.book.end(now);
        let pulse = state.account.pulse(now);
        drop(state);
        ended.shared.way.around.outbox.publish(Fact::Heartbeat(heart.cluster.clone(), Arc::new(pulse)));
    }
}

/// Why this heartbeat can't be: its words go into statements.
fn mistake(heart: &Heartbeat) -> Result<(), Problem> {
    let plain = heart.table.len() <= 63
        && heart.table.starts_with("howdah_")
        && heart.table.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let commits = ["on", "off", "local", "remote_write", "remote_apply"];
    let what = if !plain {
        format!("{} is no table of howdah's own", heart.table)
    } else if heart.commit.as_ref().is_some_and(|c| !commits.contains(&c.as_str())) {
        format!("synchronous_commit can't be {}", heart.commit.as_deref().unwrap_or_default())
    } else if heart.writers == 0 {
        "nobody would write".into()
    } else {
        return Ok(());
    };
    Err(Problem::usage("the heartbeat can't begin").because(what))
}

fn begin_failed(heart: &Heartbeat, why: &str) -> Problem {
    Problem::new(format!("the heartbeat can't begin in {}", heart.cluster)).because(why).try_this(
        "can psql write there? howdah writes as the application's user, or as the secret that the settings name",
    )
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, writer: u8) -> u64 {
        self.state().account.next(writer)
    }

    fn acknowledged(&self, writer: u8, n: u64, took: SignedDuration) {
        let mut state = self.state();
        let at = Timestamp::now();
        state.awake(at);
        state.sight(at);
        let outage = state.account.acknowledged(writer, n, at, took);
        state.book.acknowledged(writer, n, at);
        if let Some(outage) = outage {
            state.book.outage(&outage);
        }
    }

    fn unknown(&self, writer: u8, n: u64, why: &str) {
        let mut state = self.state();
        let at = Timestamp::now();
        state.awake(at);
        state.account.unknown(writer, n, at);
        state.account.say(why);
        state.book.unknown(writer, n, at);
    }

    fn refused(&self, why: &str) {
        let mut state = self.state();
        let at = Timestamp::now();
        state.awake(at);
        state.sight(at);
        state.account.refused(at);
        state.account.say(why);
        state.book.refused(at);
    }

    /// Our own way is cut since then: what the cluster does can't be told.
    fn blind(&self, since: Timestamp, why: &str) {
        let mut state = self.state();
        state.account.gaps.lose_sight(since);
        state.account.say(why);
        if !std::mem::replace(&mut state.blind, true) {
            state.book.blind(true, since);
        }
    }

    fn goes(&self, via: &str) {
        let mut state = self.state();
        if state.account.goes(via) {
            state.book.goes(via);
        }
        let now = Timestamp::now();
        state.sight(now);
    }

    fn answered(&self, well: bool) {
        let mut state = self.state();
        let (answered, failed) = (u64::from(well), u64::from(!well));
        state.account.read(answered, failed);
        state.reads.0 += answered;
        state.reads.1 += failed;
    }
}

impl State {
    /// A process that did not run (a laptop that slept, a machine with too much to do) measured nothing meanwhile.
    fn awake(&mut self, at: Timestamp) {
        let slept = self.awake;
        self.awake = slept.max(at);
        if at.duration_since(slept) > ASLEEP && !self.blind {
            self.account.gaps.lose_sight(slept);
            self.account.gaps.sight_again(at);
            self.book.blind(true, slept);
            self.book.blind(false, at);
        }
    }

    fn note_reads(&mut self, now: Timestamp) {
        let reads = std::mem::take(&mut self.reads);
        self.book.reads(reads, self.account.gaps.resolution(), now);
    }

    fn sight(&mut self, at: Timestamp) {
        if std::mem::replace(&mut self.blind, false) {
            self.account.gaps.sight_again(at);
            self.book.blind(false, at);
        }
    }
}

/// Tells the pulse until it ends.
async fn tell(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut tick = interval(TOLD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut told = 0u32;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
        told = told.wrapping_add(1);
        let pulse = {
            let mut state = shared.state();
            let now = Timestamp::now();
            state.awake(now);
            if told.is_multiple_of(READS) {
                state.note_reads(now);
            }
            if let Some(broken) = state.book.broken.clone() {
                state.account.say(&broken);
            }
            state.account.pulse(now)
        };
        let key = shared.heart.cluster.clone();
        shared.way.around.outbox.publish(Fact::Heartbeat(key, Arc::new(pulse)));
    }
}

/// Waits, or returns at once when it ends: `true` while it goes on.
async fn rest(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        // A sender that is gone is an end, too.
        _ = stop.wait_for(|stopped| *stopped) => false,
    }
}
