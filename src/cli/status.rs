//! `howdah status`.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

use super::args::{Global, Output, StatusArgs};
use super::collect::{Live, ahead};
use super::output::{Style, answer, say};
use super::reading::{report, with_runbooks};
use super::report::Report;
use super::table;
use crate::domain::health::Level;
use crate::domain::names::ClusterKey;
use crate::problem::{Exit, Problem};

/// How often a watched status is looked at anew.
const FRAME: Duration = Duration::from_millis(500);

/// Where there is no terminal: a watched status is told at least this often, and no oftener than this for a figure alone.
const AT_LEAST: SignedDuration = SignedDuration::from_mins(1);
const FIGURES_APART: SignedDuration = SignedDuration::from_secs(5);

/// A segment of WAL, in bytes.
const SEGMENT: u64 = 16 * 1024 * 1024;

/// Runs it.
///
/// # Errors
/// What can't even begin, a cluster that is not there, or a Kubernetes out of reach.
pub async fn run(global: &Global, args: &StatusArgs) -> Result<Exit, Problem> {
    let form = global.output.unwrap_or_default();
    let mut live = Live::with_stores(global, !args.watch)?;
    let deadline = ahead(args.timeout);
    live.settle(deadline).await;
    let mut keys = live.choose(args.cluster.as_deref())?;
    live.focus(&keys, deadline).await;
    live.listed(&keys, deadline).await;
    let runbooks = super::runbook::load(global)?;
    let look = |live: &Live, keys: &[ClusterKey]| {
        let report = report(&live.facts, keys, args.cluster.is_none(), &live.limits, Timestamp::now());
        with_runbooks(report, &runbooks)
    };
    let mut now = look(&live, &keys);
    if !args.watch {
        // Whoever stopped reading knows what they wanted to know.
        let _ = say(&text(&now, form, Style::of_stdout())?);
        return Ok(exit(&now));
    }
    let mut shown = None;
    loop {
        if !show(&now, form, &mut shown)? {
            return Ok(exit(&now));
        }
        tokio::select! {
            _ = live.until(Instant::now() + FRAME, |_| false) => {}
            _ = tokio::signal::ctrl_c() => return Ok(exit(&now)),
        }
        keys = again(&live, args.cluster.as_deref(), keys);
        live.focus(&keys, Instant::now()).await;
        now = look(&live, &keys);
    }
}

/// The clusters to show now: new ones join, and one that went is no error while watching.
fn again(live: &Live, name: Option<&str>, before: Vec<ClusterKey>) -> Vec<ClusterKey> {
    live.choose(name).unwrap_or(before)
}

/// Shows a watched status: over the last one on a terminal; elsewhere after it, with its time, when it says something new.
fn show(report: &Report, form: Output, shown: &mut Option<Shown>) -> Result<bool, Problem> {
    let style = Style::of_stdout();
    if style.terminal && form == Output::Table {
        let page = text(report, form, style)?.replace('\n', "\u{1b}[K\n");
        return Ok(say(&format!("\u{1b}[H{page}\u{1b}[J")));
    }
    let now = Shown::of(report);
    if shown.as_ref().is_some_and(|before| !now.is_news_after(before)) {
        return Ok(true);
    }
    *shown = Some(now);
    let end = if form == Output::Table { "\n" } else { "" };
    let page = match form {
        Output::Json => json(report)?,
        Output::Yaml => format!("---\n{}", text(report, form, style)?),
        Output::Table => format!("{}\n{}", second(report.at), text(report, form, style)?),
        Output::Md => text(report, form, style)?,
    };
    Ok(say(&format!("{page}{end}")))
}

fn second(at: Timestamp) -> Timestamp {
    at.round(jiff::Unit::Second).unwrap_or(at)
}

/// What was told last, as far as it decides whether to tell again.
struct Shown {
    at: Timestamp,
    steady: String,
    /// Figures that grow while nothing else changes: lag in bytes by instance, WAL waiting for the archive by cluster.
    figures: BTreeMap<String, u64>,
}

impl Shown {
    fn of(report: &Report) -> Shown {
        let mut figures = BTreeMap::new();
        for c in &report.clusters {
            let name = format!("{}:{}/{}", c.context, c.namespace, c.name);
            let lags = c.instances.iter().filter_map(|i| Some((format!("{name}/{}", i.name), i.lag_bytes?)));
            figures.extend(lags);
            figures.extend(c.archiving.ready_wal_files.map(|n| (name, n.saturating_mul(SEGMENT))));
        }
        Shown { at: report.at, steady: steady(report), figures }
    }

    /// Something else is true now, a figure is another one by far, or a minute has passed in which it was not told that
    /// all is as it was.
    fn is_news_after(&self, before: &Shown) -> bool {
        let passed = self.at.duration_since(before.at);
        let figure = |(name, now): (&String, &u64)| is_far(*now, before.figures.get(name).copied().unwrap_or(0));
        self.steady != before.steady
            || passed >= AT_LEAST
            || (passed >= FIGURES_APART && self.figures.iter().any(figure))
    }
}

/// A figure doubled or halved, and not just by noise: less than a segment of WAL is none.
fn is_far(now: u64, before: u64) -> bool {
    let (less, more) = (now.min(before), now.max(before));
    more >= SEGMENT && more >= less.saturating_mul(2)
}

/// What is the same as long as nothing changed but ages and positions.
fn steady(report: &Report) -> String {
    let mut steady = report.clone();
    steady.at = Timestamp::UNIX_EPOCH;
    steady.sources.iter_mut().for_each(|s| s.proven = None);
    for c in &mut steady.clusters {
        for reason in c.availability.reasons.iter_mut().chain(&mut c.recoverability.reasons) {
            reason.seen = Timestamp::UNIX_EPOCH;
            reason.age_s = 0;
            // Figures move all the time; what is said of them stays.
            reason.text.retain(|c| !c.is_ascii_digit());
        }
        for i in &mut c.instances {
            // Both know; which of them spoke last changes every second.
            i.role_by = i.role_by.filter(|by| *by == "label");
            (i.lsn, i.lag_bytes) = (None, None);
            (i.write_lag_s, i.flush_lag_s, i.replay_lag_s) = (None, None, None);
        }
        (c.archiving.last_age_s, c.archiving.last_wal, c.archiving.last_at) = (None, None, None);
        (c.archiving.ready_wal_files, c.backups.last_successful_age_s) = (None, None);
    }
    serde_json::to_string(&steady).unwrap_or_default()
}

fn text(report: &Report, form: Output, style: Style) -> Result<String, Problem> {
    answer(form, report, || table::table(report, style), || table::markdown(report))
}

/// One line.
fn json(report: &Report) -> Result<String, Problem> {
    let text = serde_json::to_string(report);
    text.map(|t| t + "\n").map_err(|e| Problem::new("can't write the answer").because(e))
}

fn exit(report: &Report) -> Exit {
    match report.level {
        Level::Ok => Exit::Ok,
        Level::Warn | Level::Bad => Exit::No,
        Level::Unknown => Exit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(second: i64, steady: &str, lag: u64) -> Shown {
        let figures = BTreeMap::from([("pg-2".to_owned(), lag)]);
        Shown { at: Timestamp::from_second(second).unwrap(), steady: steady.into(), figures }
    }

    #[test]
    fn slow_growth_is_told_when_it_has_doubled_and_each_minute() {
        let before = shown(0, "ok", 20_000_000);
        assert!(!shown(30, "ok", 30_000_000).is_news_after(&before));
        assert!(shown(30, "ok", 40_000_000).is_news_after(&before));
        assert!(shown(30, "ok", 0).is_news_after(&before));
        assert!(shown(60, "ok", 20_000_000).is_news_after(&before));
        assert!(shown(1, "warn", 20_000_000).is_news_after(&before));
    }

    #[test]
    fn what_swings_is_not_told_with_each_swing() {
        assert!(!shown(1, "ok", 90_000_000).is_news_after(&shown(0, "ok", 20_000_000)));
        assert!(!shown(30, "ok", 900_000).is_news_after(&shown(0, "ok", 0)));
    }
}
