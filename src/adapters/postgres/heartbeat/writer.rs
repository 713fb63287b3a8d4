//! One connection that writes: each row a commit, each number used once.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_postgres::Statement;

use super::way::{Lost, Open, Rooms, patience};
use super::{Shared, rest};
use crate::text::clean;

/// The pause between two tries to reach somebody.
const PACE: Duration = Duration::from_millis(100);

/// A connection that is ready to write.
struct Pen {
    open: Open,
    insert: Statement,
}

/// What became of a write that was not acknowledged.
enum Missed {
    Refused(String),
    Unknown(String),
}

/// Writes until stopped.
pub async fn write(shared: Arc<Shared>, writer: u8, mut stop: watch::Receiver<bool>) {
    let every = Duration::try_from(shared.heart.every).unwrap_or_default();
    let mut pen: Option<Pen> = None;
    let mut failed = 0usize;
    // The first failure that may have been our own way's.
    let mut suspect: Option<Timestamp> = None;
    // Writers begin one after the other, so that together they see more often than each alone.
    let mut pause = every * u32::from(writer) / u32::from(shared.heart.writers.max(1));
    while rest(&mut stop, pause).await {
        let began = Timestamp::now();
        let Some(ready) = pen.take() else {
            // Every other try goes to whoever stands in front; in between each writer tries another one.
            let turn = if failed.is_multiple_of(2) { 0 } else { failed.div_ceil(2) + usize::from(writer) };
            let reached = tokio::select! {
                reached = reach(&shared, turn) => reached,
                _ = stop.wait_for(|stopped| *stopped) => return,
            };
            pause = PACE.max(every);
            match reached {
                Ok(ready) => {
                    shared.goes(&ready.open.via);
                    (pen, failed, suspect, pause) = (Some(ready), 0, None, Duration::ZERO);
                    continue;
                }
                Err(Lost::Blind(why)) => shared.blind(suspect.unwrap_or(began), &why),
                Err(Lost::No(why)) => {
                    suspect = None;
                    shared.refused(&why);
                }
            }
            failed += 1;
            continue;
        };
        let n = shared.next(writer);
        let asked = Instant::now();
        pause = every;
        match ready.write(writer, n, patience(&shared.heart)).await {
            Ok(()) => {
                let took = SignedDuration::try_from(asked.elapsed()).unwrap_or(SignedDuration::MAX);
                shared.acknowledged(writer, n, took);
                pen = Some(ready);
            }
            Err(Missed::Refused(why)) => {
                shared.refused(&why);
                pause = PACE.max(every);
            }
            Err(Missed::Unknown(why)) => {
                suspect = Some(began);
                shared.unknown(writer, n, &why);
            }
        }
    }
}

async fn reach(shared: &Shared, turn: usize) -> Result<Pen, Lost> {
    let options = shared.heart.commit.as_ref().map(|c| format!("-c synchronous_commit={c}")).unwrap_or_default();
    let open = shared.way.open(Rooms::Primary, turn, &options).await?;
    let text = format!("INSERT INTO {} (writer, n) VALUES ($1, $2)", shared.heart.table);
    match timeout(patience(&shared.heart), open.line.client.prepare(&text)).await {
        Ok(Ok(insert)) => Ok(Pen { open, insert }),
        Ok(Err(e)) => Err(Lost::No(words(&e))),
        Err(_) => Err(Lost::No(format!("no answer within {:#}", shared.heart.patience))),
    }
}

impl Pen {
    async fn write(&self, writer: u8, n: u64, patience: Duration) -> Result<(), Missed> {
        let number = i64::try_from(n).unwrap_or(i64::MAX);
        let (writer, parameters) = (i32::from(writer), number);
        let done = timeout(patience, self.open.line.client.execute(&self.insert, &[&writer, &parameters])).await;
        match done {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) if said_no(&e) => Err(Missed::Refused(words(&e))),
            Ok(Err(e)) => Err(Missed::Unknown(words(&e))),
            Err(_) => Err(Missed::Unknown(format!("no answer within {:.1} s", patience.as_secs_f64()))),
        }
    }
}

/// The server said no, so the row is not there. A server that ends a session (class 57) may do so while it waits for its
/// standbys, with the row committed; a broken connection (08) says nothing either.
fn said_no(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| !code.code().starts_with("57") && !code.code().starts_with("08"))
}

/// An error in a line.
pub fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => clean(db.message()),
        None => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            clean(&cause.unwrap_or_else(|| error.to_string()))
        }
    }
}
