//! The end of a heartbeat: its table read on the present primary, compared with what was acknowledged, and dropped.

use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

use super::account::Present;
use super::way::{Around, Lost, Rooms, Way};
use super::writer::words;
use super::{Hearts, TRIED, book, mistake};
use crate::adapters::executor::Refusal;
use crate::adapters::postgres::line::Line;
use crate::problem::Problem;
use crate::procedure::heartbeat::Heartbeat;
use crate::procedure::{Answer, Found};

/// Rows of one page.
const PAGE: i64 = 5_000;
/// How long one page may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a primary to count on is looked for.
const LOOKED: Duration = Duration::from_secs(60);

impl Hearts {
    /// Ends a heartbeat and counts what is there of it. Counted again it says the same.
    ///
    /// # Errors
    /// Nothing is known of what was acknowledged, or the table can't be read.
    pub async fn count(&self, heart: &Heartbeat, around: Around, beats: &Path) -> Result<Answer, Refusal> {
        let what = format!("the heartbeat in {} can't be counted", heart.cluster);
        mistake(heart).map_err(Refusal::Nothing)?;
        self.end(heart).await;
        let every = heart.every.max(SignedDuration::from_millis(1));
        let told = book::read(beats, heart.writers, every).map_err(|e| {
            let problem =
                Problem::new(&what).because(format!("what was acknowledged is not known: {}: {e}", beats.display()));
            Refusal::Nothing(problem)
        })?;
        // Between its last line and now nobody measured, unless it was ended in order.
        let now = Timestamp::now();
        let (account, until) = match told.ended {
            true => (told.account, told.last),
            false => (book::resumed(told, now), now),
        };
        let way = Way::new(around, heart);
        let present = present(&way, heart).await.map_err(|why| {
            Refusal::Nothing(Problem::new(&what).because(why).try_this("count again once a primary takes writes"))
        })?;
        Ok(Answer::Counted(Box::new(account.tally(&present, until))))
    }

    /// Drops the table, on whichever instance is the primary now.
    ///
    /// # Errors
    /// It is not known to be gone.
    pub async fn sweep(&self, heart: &Heartbeat, around: Around) -> Result<Answer, Refusal> {
        mistake(heart).map_err(Refusal::Nothing)?;
        self.end(heart).await;
        if heart.keep {
            return Ok(Answer::Already(format!("{} is kept, as asked", heart.table)));
        }
        let way = Way::new(around, heart);
        let drop = format!("DROP TABLE IF EXISTS {}", heart.table);
        way.statement(&drop, LOOKED).await.map_err(|(maybe, why)| {
            let problem = Problem::new(format!("{} may be left in {}", heart.table, heart.cluster));
            let problem = problem.because(why).try_this(format!("in psql, database {}: {drop}", heart.database));
            if maybe { Refusal::Unknown(problem) } else { Refusal::Nothing(problem) }
        })?;
        Ok(Answer::Done)
    }

    /// Whether the table is gone.
    pub async fn swept(&self, heart: &Heartbeat, around: Around) -> Found {
        if let Err(problem) = mistake(heart) {
            return Found::CantTell(problem.line());
        }
        let way = Way::new(around, heart);
        match there(&way, heart).await {
            Ok(true) => Found::NotDone,
            Ok(false) => Found::Done(format!("there is no table {}", heart.table)),
            Err(why) => Found::CantTell(why),
        }
    }
}

/// A connection to the present primary, looked for for a while.
async fn primary(way: &Way, time: Duration) -> Result<Line, String> {
    let end = Instant::now() + time;
    let mut turn = 0;
    loop {
        match way.open(Rooms::Primary, turn, "-c default_transaction_read_only=off").await {
            Ok(open) => return Ok(open.line),
            Err(Lost::Blind(why) | Lost::No(why)) if Instant::now() >= end => return Err(why),
            Err(_) => sleep(Duration::from_millis(250)).await,
        }
        turn += 1;
    }
}

async fn there(way: &Way, heart: &Heartbeat) -> Result<bool, String> {
    let line = primary(way, TRIED).await?;
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&heart.table];
    let asked = line.client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &parameters);
    let row = timeout(PATIENCE, asked).await.map_err(|_| late())?.map_err(|e| words(&e))?;
    row.try_get(0).map_err(|e| words(&e))
}

/// Every row that is there.
async fn present(way: &Way, heart: &Heartbeat) -> Result<Present, String> {
    let text = format!(
        "SELECT writer, n, count(*) FROM {} WHERE (writer, n) > ($1::int, $2::bigint) GROUP BY writer, n ORDER BY writer, n LIMIT $3",
        heart.table
    );
    let end = Instant::now() + LOOKED;
    loop {
        // From its beginning on each new connection: half of one server and half of another would be no count.
        let line = primary(way, end.saturating_duration_since(Instant::now())).await?;
        match pages(&line, &text).await {
            Ok(present) => return Ok(present),
            Err(why) if Instant::now() >= end => return Err(why),
            Err(_) => sleep(Duration::from_millis(250)).await,
        }
    }
}

async fn pages(line: &Line, text: &str) -> Result<Present, String> {
    let mut present = Present::default();
    let (mut writer, mut n) = (i32::MIN, i64::MIN);
    loop {
        let after = (writer, n);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&after.0, &after.1, &PAGE];
        let rows = timeout(PATIENCE, line.client.query(text, &parameters))
            .await
            .map_err(|_| late())?
            .map_err(|e| words(&e))?;
        for row in &rows {
            let count: i64 = row.try_get(2).map_err(|e| words(&e))?;
            (writer, n) = (row.try_get(0).map_err(|e| words(&e))?, row.try_get(1).map_err(|e| words(&e))?);
            match u64::try_from(n) {
                Ok(n) => present.rows.entry(writer).or_default().insert(n),
                Err(_) => present.wrong += 1,
            }
            present.wrong += u64::try_from(count - 1).unwrap_or(0);
        }
        if (rows.len() as i64) < PAGE {
            return Ok(present);
        }
    }
}

fn late() -> String {
    format!("no answer within {} s", PATIENCE.as_secs())
}
