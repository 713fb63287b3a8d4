//! The restored cluster's part: its markers and tables against the source's, its data files.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

use super::source::{clock, look};
use super::tongue::Tongue;
use super::{SOON, primary};
use crate::adapters::kubernetes::exec;
use crate::adapters::postgres::heartbeat::Around;
use crate::domain::trial::{Checked, Comparison, compare as compared};
use crate::procedure::trial::{Answers, Trial, printed};
use crate::text::{clean, shorten};

/// Lines that are kept of what is damaged.
const LINES: usize = 20;
/// The longest of them.
const LINE: usize = 300;

#[derive(Deserialize)]
struct Marks {
    batches: BTreeMap<u8, u64>,
    newest: Option<String>,
}

/// Reads the restored cluster and compares it with what was learned of the source.
pub async fn compare(trial: &Trial, around: &Around, answers: &Answers, time: Duration) -> Result<Comparison, String> {
    let source = printed(answers).ok_or("the source's tables are not known")?;
    let restored = primary(&trial.scratch, around, &trial.database).await?;
    let marks = marks(&restored, trial).await?;
    let tables = look(&restored, trial, time).await?;
    let newest = marks.newest.as_deref().map(|at| clock(Some(at))).transpose()?;
    Ok(Comparison {
        by: restored.by.clone(),
        marks: marks.batches,
        newest,
        left: left(&restored).await,
        tables: compared(&source.before, &source.after, &tables),
    })
}

async fn marks(restored: &Tongue, trial: &Trial) -> Result<Marks, String> {
    let there = restored.one(&format!("SELECT to_regclass('{}')::text", trial.marks()), SOON).await?;
    if there.is_none() {
        return Ok(Marks { batches: BTreeMap::new(), newest: None });
    }
    let asked = format!(
        "SELECT json_build_object('batches', coalesce((SELECT json_object_agg(batch, rows) FROM (SELECT batch, count(*) AS \
         rows FROM {0} GROUP BY batch) b), '{{}}'::json), 'newest', (SELECT max(at) AT TIME ZONE 'UTC' FROM {0}))::text",
        trial.marks()
    );
    let text = restored.one(&asked, SOON).await?.unwrap_or_default();
    serde_json::from_str(&text).map_err(|e| format!("the markers can't be read: {e}"))
}

/// Where it left its source's timeline, from the history file that it wrote itself. Only a superuser may read it.
async fn left(restored: &Tongue) -> Option<String> {
    let asked = "SELECT pg_read_file('pg_wal/' || lpad(upper(to_hex(timeline_id)), 8, '0') || '.history', 0, 1000000, true) FROM \
                 pg_control_checkpoint()";
    let text = restored.one(asked, SOON).await.ok().flatten()?;
    let last = text.lines().rfind(|l| !l.trim().is_empty())?;
    Some(clean(&last.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Looks through data files and indexes: by `pg_amcheck` in the pod, else by the extension's functions.
pub async fn check(trial: &Trial, around: &Around, time: Duration) -> Checked {
    let not = |how: String| Checked { well: None, how, found: Vec::new() };
    let restored = match primary(&trial.scratch, around, &trial.database).await {
        Ok(restored) => restored,
        Err(why) => return not(why),
    };
    if !restored.is_superuser() {
        return not(format!("only a superuser may, and it was {}", restored.by));
    }
    let program = match by_program(trial, around, time).await {
        Ok(checked) => return checked,
        Err(why) => why,
    };
    match by_sql(&restored, time).await {
        Ok(found) => {
            let how = format!("by amcheck's functions through {}", restored.by);
            Checked { well: Some(found.is_empty()), how, found }
        }
        Err(why) => not(format!("{program}; {why}")),
    }
}

async fn by_program(trial: &Trial, around: &Around, time: Duration) -> Result<Checked, String> {
    let picture = around.pictures.borrow().get(&trial.scratch).cloned().ok_or("it is not known")?;
    let names = crate::adapters::postgres::heartbeat::front(&picture);
    let pod = names.iter().find_map(|n| picture.instance(n)?.pod.clone()).ok_or("it has no pod")?;
    let client = around.clients.get().await.client;
    let command = ["pg_amcheck", "-U", "postgres", "-d", &trial.database, "--install-missing", "--heapallindexed"];
    let run = exec::run(&client, &trial.scratch.namespace, &pod.name, &pod.container, &command);
    let said = tokio::time::timeout(time, run)
        .await
        .map_err(|_| format!("pg_amcheck gave no answer within {} s", time.as_secs()))?
        .map_err(|trouble| format!("pg_amcheck: {}", trouble.why))?;
    let lines: Vec<String> = said
        .out
        .lines()
        .chain(said.err.lines())
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(|l| shorten(&clean(l), LINE))
        .collect();
    // It ends with 2 where something is damaged, and with 1 where it could not look.
    let could_not = |l: &String| l.contains("pg_amcheck: error") || l.contains("executable file not found");
    if let Some(why) = lines.iter().find(|l| !said.well && could_not(l)) {
        return Err(why.clone());
    }
    let found = if said.well { Vec::new() } else { lines.into_iter().take(LINES).collect() };
    Ok(Checked { well: Some(said.well), how: format!("by pg_amcheck in {}", pod.name), found })
}

/// Every B-tree index and every table, each by itself.
async fn by_sql(restored: &Tongue, time: Duration) -> Result<Vec<String>, String> {
    let list = "SELECT coalesce(json_agg(format('%s %s', c.relkind, c.oid::regclass::text) ORDER BY c.oid), '[]'::json)::text \
                FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_am a ON a.oid = c.relam \
                WHERE c.relpersistence = 'p' AND (c.relkind IN ('r', 'm', 't') OR (c.relkind = 'i' AND a.amname = 'btree' \
                AND i.indisvalid))";
    restored.one("CREATE EXTENSION IF NOT EXISTS amcheck", SOON).await.map_err(|why| format!("amcheck: {why}"))?;
    let text = restored.one(list, SOON).await?.unwrap_or_default();
    let names: Vec<String> = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let put: Vec<String> = names
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(kind, name)| {
            let name = name.replace('\'', "''");
            match kind {
                "i" => format!("SELECT bt_index_check('{name}'::regclass, true)::text"),
                _ => format!("SELECT string_agg(msg, '; ') FROM verify_heapam('{name}'::regclass)"),
            }
        })
        .collect();
    let said = restored.ask(&put, time).await?;
    let found = names.iter().zip(said).filter_map(|(name, said)| match said {
        // A check that finds nothing gives no row, or an empty one.
        Ok(text) => text.filter(|t| !t.is_empty()).map(|t| format!("{name}: {t}")),
        Err(why) => Some(format!("{name}: {why}")),
    });
    Ok(found.map(|l| shorten(&clean(&l), LINE)).take(LINES).collect())
}
