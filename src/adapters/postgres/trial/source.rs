//! The source's part: its markers, its tables on both sides of the moment, its archive.

use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::prints::{self, ELSEWHERE, TABLES};
use super::tongue::Tongue;
use super::{SOON, primary};
use crate::adapters::postgres::heartbeat::Around;
use crate::domain::trial::{Archived, Mark, Printed, Prints};
use crate::procedure::Found;
use crate::procedure::trial::{Answers, Trial, last_mark};

/// Between a batch of markers and the moment: more than what clocks and roundings make of it.
const APART: &str = "SELECT pg_sleep(0.2)";
/// How often the archive is asked for.
const AGAIN: Duration = Duration::from_secs(1);

/// Makes the table and commits the first batch.
pub async fn mark(trial: &Trial, around: &Around) -> Result<Mark, String> {
    let source = primary(&trial.source, around, &trial.database).await?;
    let said = act(&source, &[trial.create_table(), trial.insert(1), read_back(trial, 1)]).await?;
    batch(1, said.last())
}

/// Both looks at the tables, and the moment in between.
pub async fn print(trial: &Trial, around: &Around, time: Duration) -> Result<Printed, String> {
    let source = primary(&trial.source, around, &trial.database).await?;
    let list = source.one(TABLES, SOON).await?.unwrap_or_default();
    prints::present(&prints::tables(&list)?, &trial.tables)?;
    // An earlier attempt may have been interrupted after its last batch.
    let again = format!("DELETE FROM {} WHERE batch > 1", trial.marks());
    let said = act(&source, &[again, trial.insert(2), read_back(trial, 2)]).await?;
    let second = batch(2, said.last())?;
    let before = look(&source, trial, time).await?;
    let moment = "SELECT to_json(clock_timestamp() AT TIME ZONE 'UTC')::text".to_owned();
    let all = [APART.into(), moment, APART.into(), trial.insert(3), read_back(trial, 3)];
    let said = act(&source, &all).await?;
    let target = clock(said[1].as_deref())?;
    let third = batch(3, said.last())?;
    let after = look(&source, trial, time).await?;
    let elsewhere = source.one(ELSEWHERE, SOON).await.ok().flatten();
    let elsewhere = elsewhere.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Ok(Printed { by: source.by, target, marks: vec![second, third], before, after, elsewhere })
}

/// Puts statements that must all be taken. None of them waits for a lock for long.
async fn act(source: &Tongue, statements: &[String]) -> Result<Vec<Option<String>>, String> {
    let mut all = vec!["SET lock_timeout = 5000".to_owned()];
    all.extend_from_slice(statements);
    let said = source.ask(&all, SOON).await?;
    said.into_iter().skip(1).collect()
}

/// The tables as they are now.
pub(super) async fn look(server: &Tongue, trial: &Trial, time: Duration) -> Result<Prints, String> {
    let list = server.one(TABLES, SOON).await?.unwrap_or_default();
    let mut tables = prints::tables(&list)?;
    if !trial.tables.is_empty() {
        // One that is gone now is told by its absence.
        tables.retain(|t| trial.tables.iter().any(|said| t.is(said)));
    }
    let each = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(i32::MAX as u64);
    let put = prints::statements(&tables, trial.most, each);
    let said = server.ask(&put, time).await?;
    prints::read(&tables, trial.most, &said)
}

#[derive(Deserialize)]
struct Written {
    at: String,
    lsn: String,
}

/// Asks for a batch that was committed. A statement of its own: the position is behind the commit.
fn read_back(trial: &Trial, batch: u8) -> String {
    format!(
        "SELECT json_build_object('at', max(at) AT TIME ZONE 'UTC', 'lsn', pg_current_wal_lsn())::text FROM {} WHERE \
         batch = {batch}",
        trial.marks()
    )
}

fn batch(batch: u8, said: Option<&Option<String>>) -> Result<Mark, String> {
    let text = said.and_then(Option::as_deref).unwrap_or_default();
    let written: Written = serde_json::from_str(text).map_err(|e| format!("the markers can't be read back: {e}"))?;
    let lsn = written.lsn.parse().map_err(|e| format!("the markers' position can't be read: {e}"))?;
    Ok(Mark { batch, at: clock(Some(&written.at))?, lsn })
}

/// A time without a zone, which is UTC.
pub(super) fn clock(text: Option<&str>) -> Result<jiff::Timestamp, String> {
    let text = text.unwrap_or_default().trim_matches('"');
    format!("{text}Z").parse().map_err(|e| format!("the server's time can't be read: {e}"))
}

#[derive(Deserialize)]
struct Archiver {
    wal: String,
    /// There is a sign of its own that this segment is archived.
    done: bool,
    last: String,
    failed: Option<String>,
}

/// Waits until the segment of the last markers is in the archive.
pub async fn archive(trial: &Trial, around: &Around, answers: &Answers, time: Duration) -> Result<Archived, String> {
    let mark = last_mark(answers).ok_or("the markers are not known")?;
    let source = primary(&trial.source, around, &trial.database).await?;
    let ended = match source.one("SELECT pg_switch_wal()::text", SOON).await {
        Ok(_) => "the segment was ended for it".to_owned(),
        Err(why) => format!("archive_timeout had to end the segment ({why})"),
    };
    // The server's own notes where it may be asked; else what the archiver says it archived last.
    let seen = match source.one("SELECT count(*)::text FROM pg_ls_archive_statusdir()", SOON).await {
        Ok(_) => "EXISTS (SELECT FROM pg_ls_archive_statusdir() s WHERE s.name = w.wal || '.done')",
        Err(_) => "false",
    };
    let asked = format!(
        "SELECT json_build_object('wal', w.wal, 'done', {seen}, 'last', coalesce(a.last_archived_wal, ''), 'failed', \
         a.last_failed_wal)::text FROM pg_stat_archiver a, (SELECT pg_walfile_name('{}') AS wal) w",
        mark.lsn
    );
    let end = Instant::now() + time;
    loop {
        let told = source
            .one(&asked, SOON)
            .await
            .and_then(|text| serde_json::from_str::<Archiver>(&text.unwrap_or_default()).map_err(|e| e.to_string()));
        let why = match told {
            Ok(told) if told.done || reached(&told.last, &told.wal) => {
                return Ok(Archived { wal: told.wal, how: format!("{ended}, the archiver of {} says so", source.by) });
            }
            Ok(told) => {
                let failed = told.failed.map(|f| format!(", and it failed at {f}")).unwrap_or_default();
                format!("{} is not archived; the last one is {}{failed}", told.wal, told.last)
            }
            Err(why) => why,
        };
        if Instant::now() >= end {
            return Err(format!("after {} s: {why}", time.as_secs()));
        }
        sleep(AGAIN).await;
    }
}

/// A segment that is as far as `wal` or further, on this or a later timeline. Other files of the archive are none.
fn reached(last: &str, wal: &str) -> bool {
    let segment = |name: &str| name.len() == 24 && name.bytes().all(|b| b.is_ascii_hexdigit());
    segment(last) && segment(wal) && last[8..] >= wal[8..]
}

/// Drops the table of the markers.
pub async fn sweep(trial: &Trial, around: &Around) -> Result<(), String> {
    let end = Instant::now() + SOON * 3;
    loop {
        let swept = async {
            let source = primary(&trial.source, around, &trial.database).await?;
            act(&source, &[trial.drop_table()]).await
        };
        match swept.await {
            Ok(_) => return Ok(()),
            Err(why) if Instant::now() >= end => return Err(why),
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// Whether it is gone.
pub async fn swept(trial: &Trial, around: &Around) -> Found {
    let asked = format!("SELECT (to_regclass('{}') IS NULL)::text", trial.marks());
    let told = match primary(&trial.source, around, &trial.database).await {
        Ok(source) => source.one(&asked, SOON).await,
        Err(why) => Err(why),
    };
    match told.as_ref().map(Option::as_deref) {
        Ok(Some("true")) => Found::Done(format!("there is no table {}", trial.table)),
        Ok(_) => Found::NotDone,
        Err(why) => Found::CantTell(why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_of_the_archive_tell_nothing() {
        let wal = "000000010000000000000007";
        assert!(reached(wal, wal) && reached("000000020000000000000008", wal));
        assert!(!reached("000000010000000000000006", wal));
        assert!(!reached("000000010000000000000009.00000028.backup", wal) && !reached("00000002.history", wal));
        assert!(!reached("", wal));
    }

    #[test]
    fn a_servers_clock() {
        assert_eq!(clock(Some("\"2026-11-21T13:00:00.123456\"")).unwrap().to_string(), "2026-11-21T13:00:00.123456Z");
        assert!(clock(None).is_err());
    }
}
