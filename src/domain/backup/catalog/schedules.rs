//! Schedules against what happened.

use jiff::{SignedDuration, Timestamp};

use super::Witnesses;
use super::flags::{Flag, FlagKind};
use crate::domain::backup::cron::{Cron, Dialect};
use crate::domain::cluster::{BackupObject, Operator, Schedule};
use crate::domain::health::Level;
use crate::domain::quantity::age;
use crate::text::shorten;
use std::sync::Arc;

/// Runs shown ahead.
const AHEAD: usize = 5;
/// An operator fires a run up to some 20 s late; this late is not on time any more.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// A schedule, what it means and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The object.
    pub schedule: Schedule,
    /// What its expression means, or why it means nothing.
    pub words: Result<String, String>,
    /// Five fields where six are meant.
    pub shifted: bool,
    /// The next runs; none while it is suspended.
    pub next: Vec<Timestamp>,
    /// Its newest backup that is over, or else the one under way.
    pub newest: Option<Arc<BackupObject>>,
    /// What is wrong with it.
    pub flag: Option<Flag>,
}

pub(super) fn all(w: &Witnesses<'_>, now: Timestamp) -> Vec<Planned> {
    w.objects.schedules.iter().map(|s| planned(s, w, now)).collect()
}

fn planned(schedule: &Schedule, w: &Witnesses<'_>, now: Timestamp) -> Planned {
    let dialect = match w.operator {
        Operator::Cnpg => Dialect::Cnpg,
        Operator::Pgo => Dialect::CronJob,
    };
    let cron = Cron::parse(&schedule.cron, dialect);
    let own = |o: &&Arc<BackupObject>| o.schedule.as_deref() == Some(&schedule.name);
    let when = |o: &Arc<BackupObject>| o.started.or(o.created);
    let newest = w.objects.objects.iter().filter(own).max_by_key(|o| when(o)).cloned();
    let flag = flag(schedule, cron.as_ref(), newest.as_deref(), now);
    let next = match &cron {
        Ok(cron) if !schedule.suspended => {
            // `@every` counts from the last run, a clock's fields from now.
            let from = cron.previous(now).map_or(schedule.last.or(schedule.checked).unwrap_or(now), |_| now);
            let runs = cron.runs(from, AHEAD + 1).into_iter().filter(|t| *t > now);
            let runs: Vec<_> = runs.take(AHEAD).collect();
            if runs.is_empty() { cron.runs(now, AHEAD) } else { runs }
        }
        _ => Vec::new(),
    };
    Planned {
        schedule: schedule.clone(),
        shifted: cron.as_ref().is_ok_and(Cron::is_shifted),
        words: cron.map(|c| c.words()),
        next,
        newest,
        flag,
    }
}

fn flag(s: &Schedule, cron: Result<&Cron, &String>, newest: Option<&BackupObject>, now: Timestamp) -> Option<Flag> {
    let behind = |level, text: String| Some(Flag::new(FlagKind::Behind, level, text));
    let cron = match cron {
        Ok(cron) => cron,
        Err(why) => return behind(Level::Bad, format!("its schedule {:?} means nothing: {why}", shorten(&s.cron, 60))),
    };
    if s.suspended {
        return Some(Flag::new(FlagKind::Suspended, Level::Warn, "it is suspended: it makes no backups"));
    }
    if let Some(why) = &s.error {
        return behind(Level::Warn, format!("the operator complains: {}", shorten(why, 160)));
    }
    if let Some(due) = missed(s, cron, now) {
        let last = s.last.map_or_else(|| "it never ran".into(), |t| format!("it last ran {} ago", age(t, now)));
        let text = match newest.filter(|o| !o.is_over()) {
            Some(running) => format!("it waits for backup {}, which is not over; {last}", running.name),
            None => format!("its run {} ago did not happen; {last}", age(due, now)),
        };
        return behind(Level::Warn, text);
    }
    match newest.filter(|o| o.is_failed()) {
        Some(o) => Some(Flag::new(FlagKind::Failed, Level::Warn, format!("its newest backup {} failed", o.name))),
        None if cron.is_shifted() => {
            let text = "five fields: the first is read as seconds, the hour is every hour. Six are wanted";
            Some(Flag::new(FlagKind::Behind, Level::Warn, text))
        }
        None => None,
    }
}

/// The run that was due and did not happen.
fn missed(s: &Schedule, cron: &Cron, now: Timestamp) -> Option<Timestamp> {
    let by_now = now.checked_sub(GRACE).ok()?;
    let due = cron.previous(by_now).or_else(|| cron.next(s.last.or(s.checked)?))?;
    // The first run it had to make is the first one after it was made or first looked at.
    let since = s.last.or(s.created).or(s.checked)?;
    (due <= by_now && due > since).then_some(due)
}
