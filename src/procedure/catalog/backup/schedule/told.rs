//! What a schedule comes to: how often, how many are kept, whether one runs into the next, and what goes with it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::backup::cron::Cron;
use crate::domain::cluster::Schedule;
use crate::domain::quantity::span;
use crate::domain::source::Witness;
use crate::procedure::catalog::making::Making;
use crate::procedure::plan::Weight;

/// Runs that are looked ahead at: enough for every working day of two weeks.
const AHEAD: usize = 10;
/// More often than this the operator is mostly busy with schedules.
const OFTEN: SignedDuration = SignedDuration::from_mins(5);
const DAY: i64 = 86_400;

/// The next runs, as people read them.
pub fn runs(cron: &Cron, now: Timestamp, count: usize) -> Vec<String> {
    cron.runs(now, count).iter().map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()).collect()
}

pub(super) fn times(m: &mut Making<'_>, text: &str, cron: &Cron) {
    let next = runs(cron, m.now(), 3);
    let about = "runs";
    if next.is_empty() {
        m.found(about, Weight::Justify, format!("{text}: {}; no such time comes", cron.words()));
        return;
    }
    m.good(about, format!("{text}: {}; next {} (UTC)", cron.words(), next.join(", ")));
    let often = shortest(cron, m.now()).filter(|gap| *gap < OFTEN);
    if let Some(gap) = often {
        let text = format!("one run follows the other after {}: each is a whole copy of the data", span(gap));
        m.found("how often", Weight::Justify, text);
    }
}

/// The shortest time between two of the next runs.
fn shortest(cron: &Cron, now: Timestamp) -> Option<SignedDuration> {
    let runs = cron.runs(now, AHEAD);
    runs.windows(2).map(|w| w[1].duration_since(w[0])).min()
}

/// Runs a day, over the next few of them.
fn a_day(cron: &Cron, now: Timestamp) -> Option<f64> {
    let runs = cron.runs(now, AHEAD);
    let time = runs.last()?.duration_since(*runs.first()?).as_secs();
    (time > 0).then(|| (runs.len() - 1) as f64 * DAY as f64 / time as f64)
}

pub(super) fn retention(m: &mut Making<'_>, cron: &Cron) {
    let about = "retention";
    let Some(a_day) = a_day(cron, m.now()) else { return };
    let often = match a_day {
        n if n >= 1.0 => format!("{n:.0} a day"),
        n => format!("one every {:.0} days", 1.0 / n),
    };
    match &m.cluster.backups.retention {
        None => m.good(about, format!("{often}; no retention is promised: none is ever removed from the store")),
        Some(text) => match days(text).map(|days| a_day * days) {
            // Barman keeps the newest one that is older than the window, and all WAL since.
            Some(at_a_time) if at_a_time < 1.0 => {
                m.good(
                    about,
                    format!(
                        "{often}: the newest one, and all WAL since it, is kept for longer than the {text} promised"
                    ),
                );
            }
            Some(at_a_time) => m.good(about, format!("{often}, kept for {text}, about {at_a_time:.0} at a time")),
            None => m.good(about, format!("{often}, kept for {text}")),
        },
    }
}

/// `7d`, `4w`, `6m` as days.
fn days(retention: &str) -> Option<f64> {
    let (number, unit) = retention.split_at_checked(retention.len().checked_sub(1)?)?;
    let unit = match unit {
        "d" => 1.0,
        "w" => 7.0,
        "m" => 30.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|n| n * unit)
}

/// A run that comes while the one before is not over is left out by the operator.
pub(super) fn overlap(m: &mut Making<'_>, cron: &Cron) {
    let objects = m.cluster.backups.objects.iter().filter(|o| o.is_completed());
    let took = objects.filter_map(|o| Some((o.stopped?.duration_since(o.started?), o.name.clone()))).max();
    let (Some((took, name)), Some(gap)) = (took, shortest(cron, m.now())) else { return };
    let about = "how long";
    if took >= gap {
        let text = format!(
            "{name} took {}, and the next run is due {} after the one before: the operator leaves out runs that come meanwhile",
            span(took),
            span(gap)
        );
        m.found_by(about, Weight::Justify, text, &Witness::Object(format!("Backup/{name}")));
    } else if took > SignedDuration::ZERO {
        m.good(about, format!("the slowest of those known took {}, a run is due every {}", span(took), span(gap)));
    }
}

/// Why new ones own nothing.
pub(super) fn owner(m: &mut Making<'_>) {
    let text = "its Backup objects belong to nobody (backupOwnerReference: none, CNPG's default): deleting the schedule leaves \
                them, and a restore by name stays possible";
    m.good("owner", text);
}

/// The operator counts from its last look: a run between then and now is made at once. Says so, and whether it is so.
pub(super) fn due(m: &mut Making<'_>, cron: &Cron, there: &Schedule) -> bool {
    let own = |o: &&std::sync::Arc<crate::domain::cluster::BackupObject>| o.schedule.as_deref() == Some(&there.name);
    if let Some(running) = m.cluster.backups.objects.iter().filter(own).find(|o| !o.is_over()) {
        let text = format!("{} is not over: the operator looks at the schedule when it is", running.name);
        m.good("missed run", text);
        return false;
    }
    let Some(checked) = there.checked else { return true };
    let at = cron.next(checked).filter(|at| *at <= m.now());
    if let Some(at) = at {
        let text = format!(
            "a backup is made at once: the operator counts from its last look, and by this a run was due at {at:.0}"
        );
        m.found_by("missed run", Weight::Good, text, &Witness::Object(format!("ScheduledBackup/{}", there.name)));
    }
    at.is_some()
}

/// Nobody takes backups any more.
pub(super) fn nobody(m: &mut Making<'_>, name: &str, state: &str) {
    let others = m.cluster.backups.schedules.iter().filter(|s| s.name != *name && !s.suspended);
    let others: Vec<_> = others.map(|s| s.name.as_str()).collect();
    let text = match others.is_empty() {
        true => format!("with {name} {state}, no schedule takes backups of this cluster"),
        false => format!("backups are still scheduled by {}", others.join(", ")),
    };
    m.good("other schedules", text);
}

/// What goes with it.
pub(super) fn lost(m: &mut Making<'_>, there: &Schedule) {
    let own: Vec<_> = m.cluster.backups.objects.iter().filter(|o| o.schedule.as_deref() == Some(&there.name)).collect();
    let (count, witness) = (own.len(), Witness::Object(format!("ScheduledBackup/{}", there.name)));
    let (objects, go) = match count {
        1 => ("its Backup object".to_owned(), "goes"),
        n => (format!("its {n} Backup objects"), "go"),
    };
    let text = match (there.owner.as_deref(), count) {
        (_, 0) => "it has no Backup objects".to_owned(),
        (Some("self"), _) => format!(
            "{objects} {go} with it (backupOwnerReference: self). What lies in the store stays: restored by the store and the \
             backup's id, no longer by a Backup's name"
        ),
        _ if count == 1 => format!("{objects} stays, and what lies in the store, too"),
        _ => format!("{objects} stay, and what lies in the store, too"),
    };
    m.found_by("what is lost", Weight::Good, text, &witness);
}
