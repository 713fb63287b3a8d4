//! Performs faults as their objects come and go: one task each, from `Starting` to the last finalizer.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Fault, Ground, Kept, Wish, of};
use crate::domain::fault::FINALIZER;
use crate::lab::api::resources::FAULTS;
use crate::lab::api::{ApiError, Change, Part, Store};
use crate::lab::object::{is_deleting, seconds, uid};
use crate::problem::Problem;

/// How often a standing fault is looked after.
const LOOK: Duration = Duration::from_secs(1);
/// Between two attempts to undo one.
const AGAIN: Duration = Duration::from_secs(1);

/// The running controller. Dropping it stops it at once: what faults have done ends with the lab itself.
pub struct FaultsHandle {
    task: JoinHandle<()>,
}

impl FaultsHandle {
    /// Stops it and waits.
    pub async fn stop(mut self) {
        self.task.abort();
        // An aborted task says nothing more.
        let _ = (&mut self.task).await;
    }
}

impl Drop for FaultsHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Performs faults from now on. Must be called within a tokio runtime.
pub fn start(mut ground: Ground) -> FaultsHandle {
    ground.store = ground.store.as_manager("howdah-lab");
    FaultsHandle { task: tokio::spawn(run(ground)) }
}

async fn run(ground: Ground) {
    let mut watch = ground.store.watch(&FAULTS, None);
    let mut tasks = JoinSet::new();
    let mut known = Known::default();
    loop {
        tokio::select! {
            Some(_) = tasks.join_next() => {}
            event = watch.next() => {
                let gone = event.kind == Change::Deleted;
                if let Some(end) = known.news(uid(&event.object), gone, is_deleting(&event.object)) {
                    let (ground, object) = (ground.clone(), event.object.clone());
                    tasks.spawn(async move { perform(&ground, &object, end).await });
                }
            }
        }
    }
}

/// The faults whose objects are there, and what ends each. A fault is forgotten with its object and not with its task: news
/// of it that are heard late would begin it anew.
#[derive(Default)]
struct Known(HashMap<String, CancellationToken>);

impl Known {
    /// Takes news of an object in. Gives what will end a fault that is to be begun.
    fn news(&mut self, id: &str, gone: bool, deleting: bool) -> Option<CancellationToken> {
        let new = (!gone && !self.0.contains_key(id)).then(CancellationToken::new);
        if let Some(end) = &new {
            self.0.insert(id.to_owned(), end.clone());
        }
        if let Some(end) = self.0.get(id).filter(|_| gone || deleting) {
            end.cancel();
        }
        if gone {
            self.0.remove(id);
        }
        new
    }
}

/// How far a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Active,
    Undoing,
    Failed,
}

/// The object of one fault.
struct Record<'a> {
    store: &'a Store,
    object: &'a Value,
    target: String,
}

impl Record<'_> {
    fn key(&self) -> (&str, &str) {
        (crate::lab::object::namespace(self.object), crate::lab::object::name(self.object))
    }

    /// Writes the status. An object that is gone, or another of that name, needs none.
    fn say(&self, stage: Stage, message: &str) {
        let (ns, name) = self.key();
        let word = format!("{stage:?}");
        let done = self.store.change(&FAULTS, ns, name, Part::Status, |fault| {
            self.is_mine(fault)?;
            let since = match fault["status"]["state"] == *word {
                true => fault["status"]["since"].clone(),
                false => json!(seconds(Timestamp::now())),
            };
            fault["status"] = json!({"state": word, "target": self.target, "message": message, "since": since});
            Ok(())
        });
        self.note(done.map(drop));
    }

    fn is_mine(&self, fault: &Value) -> Result<(), ApiError> {
        if uid(fault) == uid(self.object) {
            return Ok(());
        }
        Err(ApiError::new(404, "NotFound", "another fault of that name"))
    }

    fn note(&self, done: Result<(), ApiError>) {
        if let Err(why) = done
            && why.code != 404
        {
            tracing::warn!(fault = self.key().1, why = why.message, "the fault's object could not be written");
        }
    }

    /// Asks for its end, as a user would.
    fn delete(&self) {
        let (ns, name) = self.key();
        self.note(self.store.delete(&FAULTS, ns, name, &Default::default()).map(drop));
    }

    /// Lets the object go.
    fn release(&self) {
        let (ns, name) = self.key();
        let done = self.store.change(&FAULTS, ns, name, Part::Main, |fault| {
            self.is_mine(fault)?;
            if let Some(list) = fault["metadata"]["finalizers"].as_array_mut() {
                list.retain(|f| f != FINALIZER);
            }
            Ok(())
        });
        self.note(done.map(drop));
    }
}

/// One fault's whole life.
async fn perform(ground: &Ground, object: &Value, end: CancellationToken) {
    let wish = Wish::read(object);
    let target = wish.as_ref().map(Wish::target).unwrap_or_default();
    let seconds = wish.as_ref().map_or(0, |w| w.seconds);
    let record = Record { store: &ground.store, object, target };
    match wish.and_then(|wish| of(ground, wish)) {
        Some(mut fault) => {
            record.say(Stage::Starting, "");
            stand(&record, &mut *fault, seconds, &end).await;
            if end.is_cancelled() {
                record.say(Stage::Undoing, "");
                undo(&record, &mut *fault, Stage::Undoing).await;
            }
        }
        None => record.say(Stage::Failed, "this lab does not know such a fault"),
    }
    end.cancelled().await;
    record.release();
}

/// Until it is to end, or has failed and was undone.
async fn stand(record: &Record<'_>, fault: &mut dyn Fault, seconds: u64, end: &CancellationToken) {
    let started = tokio::select! {
        () = end.cancelled() => return,
        started = fault.start() => started,
    };
    match started {
        Ok(message) => {
            record.say(Stage::Active, &message);
            tokio::select! {
                () = end.cancelled() => {}
                () = keep(record, fault, seconds) => record.delete(),
            }
            end.cancelled().await;
        }
        Err(why) => {
            record.say(Stage::Failed, &why.line());
            // Whatever was done before it failed must not stand.
            undo(record, fault, Stage::Failed).await;
            record.say(Stage::Failed, &why.line());
        }
    }
}

/// Looks after it until its time is over.
async fn keep(record: &Record<'_>, fault: &mut dyn Fault, seconds: u64) {
    let over = (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds));
    loop {
        match fault.keep().await {
            Kept::Same => {}
            Kept::Says(message) => record.say(Stage::Active, &message),
            Kept::Over => return,
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = sleep_until(over.unwrap_or_else(Instant::now)), if over.is_some() => return,
        }
    }
}

async fn undo(record: &Record<'_>, fault: &mut dyn Fault, stage: Stage) {
    let mut told: Option<Problem> = None;
    while let Err(why) = fault.undo().await {
        if told.as_ref() != Some(&why) {
            record.say(stage, &why.line());
        }
        told = Some(why);
        sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_of_a_fault_that_come_late_do_not_begin_it_anew() {
        let mut known = Known::default();
        let end = known.news("a", false, false).unwrap();
        assert!(known.news("a", false, false).is_none() && !end.is_cancelled());
        assert!(known.news("a", false, true).is_none() && end.is_cancelled());
        // It is undone, and its object let go; what was written meanwhile is heard only now.
        assert!(known.news("a", false, true).is_none());
        assert!(known.news("a", true, true).is_none());
        assert!(known.0.is_empty());
        assert!(known.news("b", false, false).is_some());
    }
}
