//! `howdah lag`: one line of JSON for each look.

use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::args::{Global, LagArgs};
use super::collect::{Live, ahead};
use super::output::say;
use super::reading::report;
use super::report::ClusterReport;
use crate::domain::lsn::Lsn;
use crate::problem::{Exit, Problem};

/// How long the first answers may take.
const FIRST: Duration = Duration::from_secs(5);

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    cluster: String,
    primary: Option<&'a str>,
    lsn: Option<Lsn>,
    timeline: Option<u32>,
    standbys: Vec<StandbyLine<'a>>,
}

#[derive(Serialize)]
struct StandbyLine<'a> {
    name: &'a str,
    state: Option<&'a str>,
    sync: Option<&'a str>,
    replay_lsn: Option<Lsn>,
    lag_bytes: Option<u64>,
    lag_at_least: bool,
    write_lag_s: Option<f64>,
    flush_lag_s: Option<f64>,
    replay_lag_s: Option<f64>,
    silent: Option<&'a str>,
}

/// Runs it.
///
/// # Errors
/// What can't even begin, a cluster that is not there, or a Kubernetes out of reach.
pub async fn run(global: &Global, args: &LagArgs) -> Result<Exit, Problem> {
    let mut live = Live::start(global, false)?;
    let first = Instant::now() + FIRST;
    live.settle(first).await;
    let keys = live.choose(Some(&args.cluster))?;
    live.focus(&keys, first).await;
    let end = ahead(args.duration);
    let mut tick = interval(Duration::try_from(args.every).unwrap_or(Duration::from_secs(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut measured = false;
    loop {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep_until(end) => break,
            _ = tick.tick() => {
                let now = report(&live.facts, &keys, false, &live.limits, Timestamp::now());
                for cluster in &now.clusters {
                    let line = line(cluster, now.at);
                    measured |= line.standbys.iter().any(|s| s.lag_bytes.is_some());
                    let text = serde_json::to_string(&line).map_err(|e| Problem::new("can't write the answer").because(e))?;
                    if !say(&(text + "\n")) {
                        return Ok(Exit::Ok);
                    }
                }
            }
            _ = live.until(end, |_| false) => {}
        }
    }
    Ok(if measured { Exit::Ok } else { Exit::Unknown })
}

fn line(c: &ClusterReport, at: Timestamp) -> Line<'_> {
    let primary = c.instances.iter().find(|i| i.role == Some("primary"));
    let standbys = c.instances.iter().filter(|i| i.role != Some("primary")).map(|i| StandbyLine {
        name: &i.name,
        state: i.state.as_deref(),
        sync: i.sync,
        replay_lsn: i.lsn,
        lag_bytes: i.lag_bytes,
        lag_at_least: i.lag_at_least,
        write_lag_s: i.write_lag_s,
        flush_lag_s: i.flush_lag_s,
        replay_lag_s: i.replay_lag_s,
        silent: i.silent.as_deref(),
    });
    Line {
        at,
        cluster: format!("{}/{}", c.namespace, c.name),
        primary: primary.map(|p| p.name.as_str()),
        lsn: primary.and_then(|p| p.lsn),
        timeline: primary.and_then(|p| p.timeline),
        standbys: standbys.collect(),
    }
}
