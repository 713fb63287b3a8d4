//! Schedules: a new one, another time, suspended, resumed, deleted.
//!
//! What exists is changed, what does not is made: the plan says which. A cron expression is read before anything is sent,
//! as CNPG would read it, and five fields are refused with what they would come to mean.

mod told;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Method, TakenFrom, named, writes};
use crate::domain::backup::cron::{Cron, Dialect};
use crate::domain::cluster::Schedule;
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::guards::Needs;
use crate::procedure::catalog::making::{Making, SOON};
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step};
use crate::text::{clean, shorten};

/// What shall become of a schedule; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduling {
    /// Which; `None`: the cluster's only one, or a new one.
    pub name: Option<String>,
    /// When, in CNPG's six fields.
    pub cron: Option<String>,
    /// Makes no backups.
    pub suspend: Option<bool>,
    /// A new one makes a backup as soon as it is made.
    pub immediate: bool,
    /// How; of a new one `None` is as the cluster is set up.
    pub method: Option<Method>,
    /// From where.
    pub from: Option<TakenFrom>,
    /// It goes.
    pub delete: bool,
}

pub(in crate::procedure::catalog) fn plan(m: &mut Making<'_>, wanted: &Scheduling) -> Result<Plan, Problem> {
    let there = which(m, wanted)?;
    m.guard(Needs { awake: false, settled: false, operator: !wanted.delete, ..Needs::USUAL });
    let (mut plan, name) = match there {
        None => create(m, wanted)?,
        Some(schedule) if wanted.delete => (delete(m, &schedule)?, schedule.name),
        Some(schedule) => (change(m, wanted, &schedule)?, schedule.name),
    };
    plan.parameters.insert("schedule".into(), name);
    if let Some(cron) = &wanted.cron {
        plan.parameters.insert("cron".into(), clean(cron));
    }
    Ok(plan)
}

/// The schedule that is meant, where it is there.
fn which(m: &Making<'_>, wanted: &Scheduling) -> Result<Option<Schedule>, Problem> {
    let b = &m.cluster.backups;
    if !b.listed {
        return Err(Problem::refused(format!("the schedules of {} are not known", m.cluster.key))
            .because("backups and their schedules can't be listed here"));
    }
    let names = || b.schedules.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match (&wanted.name, b.schedules.as_slice()) {
        (Some(name), all) => all.iter().find(|s| s.name == name.trim()),
        (None, [only]) => Some(only),
        (None, []) => None,
        (None, _) => {
            return Err(Problem::usage(format!("{} has more than one schedule", m.cluster.key))
                .try_this(format!("name one of {}, or a new one", names())));
        }
    };
    if found.is_none() && wanted.cron.is_none() {
        let hint = match b.schedules.is_empty() {
            true => "a new one needs its time: --cron '0 0 3 * * *' is every day at 03:00 UTC".to_owned(),
            false => format!("it has {}; a new one needs its time: --cron '0 0 3 * * *'", names()),
        };
        let name = wanted.name.as_ref().map(|n| format!(" {}", shorten(&clean(n), 80))).unwrap_or_default();
        return Err(Problem::usage(format!("{} has no schedule{name}", m.cluster.key)).try_this(hint));
    }
    Ok(found.cloned())
}

/// Reads an expression as CNPG does.
///
/// # Errors
/// It means nothing, or has five fields, which CNPG would take for something else than what is meant.
pub fn cron(text: &str) -> Result<Cron, Problem> {
    let text = text.trim();
    let shown = shorten(&clean(text), 60);
    let cron = Cron::parse(text, Dialect::Cnpg).map_err(|why| {
        Problem::usage(format!("{shown:?} is no schedule"))
            .because(why)
            .try_this("six fields: second minute hour day month weekday; '0 0 3 * * *' is every day at 03:00 UTC")
    })?;
    if !cron.is_shifted() {
        return Ok(cron);
    }
    let mut problem = Problem::usage(format!("{shown:?} has five fields"))
        .because(format!("CNPG takes six, seconds first, and would read it as: {}", cron.words()));
    if let Ok(meant) = Cron::parse(&format!("0 {text}"), Dialect::Cnpg) {
        problem = problem.try_this(format!("'0 {shown}' is {}", meant.words()));
    }
    Err(problem)
}

fn create(m: &mut Making<'_>, wanted: &Scheduling) -> Result<(Plan, String), Problem> {
    if wanted.delete {
        return Err(Problem::usage("a new schedule can't be deleted").try_this("name one that is there"));
    }
    let text = wanted.cron.as_deref().unwrap_or_default().trim();
    let cron = cron(text)?;
    let method = super::method(m.cluster, wanted.method)?;
    let name = wanted.name.as_deref().map_or_else(|| format!("{}-scheduled", m.name()), |n| n.trim().to_owned());
    named(&name)?;
    let suspended = wanted.suspend == Some(true);
    told::times(m, text, &cron);
    told::retention(m, &cron);
    told::overlap(m, &cron);
    told::owner(m);
    if suspended {
        m.good("suspended", "it makes no backups before it is resumed");
    } else if wanted.immediate {
        m.good("first backup", "as soon as it is made (immediate)");
    }
    let new = writes::NewSchedule {
        name: &name,
        cron: text,
        suspended,
        immediate: wanted.immediate,
        method,
        from: wanted.from,
    };
    let within = SOON;
    let (looked, expression) = (!suspended, text.to_owned());
    let proof = Check::Scheduled { schedule: name.clone(), cron: expression, suspended, looked, before: None };
    let step = Step::new(
        "schedule",
        format!("schedule backups as {name}: {}", cron.words()),
        format!(
            "The operator makes a Backup each time, and none while the one before is not over. Waits up to {within:#} for the \
             operator to have looked at it."
        ),
    )
    .gated(Gate::Approve)
    .does(writes::schedule(m.cluster, &new, m.now()))
    .undone_by(writes::delete_schedule(m.cluster, &name, ""))
    .proven_by(proof, within);
    let plan = m.plan(Kind::Schedule, format!("schedule backups of {}", m.name()), vec![step]);
    Ok((plan, name))
}

fn change(m: &mut Making<'_>, wanted: &Scheduling, there: &Schedule) -> Result<Plan, Problem> {
    if wanted.immediate {
        return Err(Problem::usage("an immediate backup is made only when a schedule is new")
            .because(format!("the operator has looked at {} already", there.name))
            .try_this(format!("take one now: howdah backups take {}", m.cluster.key)));
    }
    let (spec, back) = differences(m, wanted, there)?;
    if spec.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Problem::refused(format!("schedule {} is so already", there.name)).exit(Exit::No));
    }
    let text = wanted.cron.as_deref().map_or(there.cron.as_str(), str::trim).to_owned();
    let suspended = wanted.suspend.unwrap_or(there.suspended);
    let cron = match &wanted.cron {
        Some(new) => Some(cron(new)?),
        None => Cron::parse(&text, Dialect::Cnpg).ok(),
    };
    let mut looked = false;
    if let Some(cron) = cron.as_ref().filter(|_| !suspended) {
        told::times(m, &text, cron);
        told::retention(m, cron);
        told::overlap(m, cron);
        looked = told::due(m, cron, there);
    }
    if suspended {
        told::nobody(m, &there.name, "suspended");
    }
    let title = titled(wanted, there, cron.as_ref());
    let (schedule, before) = (there.name.clone(), there.checked);
    let proof = Check::Scheduled { schedule, cron: text, suspended, looked, before };
    let step = Step::new(
        "schedule",
        title.clone(),
        format!(
            "The operator reads it anew when it looks at it next; backups that were made stay. Waits up to {SOON:#} for the \
             object to carry it{}.",
            if looked { ", and for the operator to act by it" } else { "" }
        ),
    )
    .gated(Gate::Approve)
    .does(writes::change_schedule(m.cluster, there, &spec))
    .undone_by(writes::change_schedule(m.cluster, there, &back))
    .proven_by(proof, SOON);
    Ok(m.plan(Kind::Schedule, title, vec![step]))
}

fn titled(wanted: &Scheduling, there: &Schedule, cron: Option<&Cron>) -> String {
    let name = &there.name;
    match (&wanted.cron, wanted.suspend) {
        (Some(_), _) => {
            let words = cron.map(Cron::words).unwrap_or_default();
            let and = match wanted.suspend {
                Some(true) => ", suspended",
                Some(false) if there.suspended => ", resumed",
                _ => "",
            };
            format!("have schedule {name} run {words}{and}")
        }
        (None, Some(true)) => format!("suspend schedule {name}"),
        (None, Some(false)) => format!("resume schedule {name}"),
        (None, None) => format!("change schedule {name}"),
    }
}

/// What of its spec would be different, and what takes it back.
fn differences(m: &Making<'_>, wanted: &Scheduling, there: &Schedule) -> Result<(Value, Value), Problem> {
    let (mut spec, mut back) = (json!({}), json!({}));
    let mut differs = |field: &str, new: Value, old: Value| {
        if new != old {
            (spec[field], back[field]) = (new, old);
        }
    };
    if let Some(cron) = &wanted.cron {
        differs("schedule", cron.trim().into(), there.cron.as_str().into());
    }
    if let Some(suspend) = wanted.suspend {
        differs("suspend", suspend.into(), there.suspended.into());
    }
    if let Some(from) = wanted.from {
        differs("target", from.word().into(), there.target.as_deref().map_or(Value::Null, Value::from));
    }
    if let Some(method) = wanted.method {
        let method = super::method(m.cluster, Some(method))?;
        let plugin = |word: Option<&str>| match (word, &m.cluster.backups.methods.plugin) {
            (Some("plugin"), Some(name)) => json!({"name": name}),
            _ => Value::Null,
        };
        let old = there.method.as_deref();
        if old != Some(method.word()) {
            differs("method", method.word().into(), old.map_or(Value::Null, Value::from));
            differs("pluginConfiguration", plugin(Some(method.word())), plugin(old));
        }
    }
    Ok((spec, back))
}

fn delete(m: &mut Making<'_>, there: &Schedule) -> Result<Plan, Problem> {
    told::lost(m, there);
    told::nobody(m, &there.name, "gone");
    let name = &there.name;
    let within = SOON + SignedDuration::from_mins(2);
    let step = Step::new(
        "delete",
        format!("delete schedule {name}"),
        format!("No backup is made by it any more. What lies in the store stays there. Waits up to {within:#}."),
    )
    .gated(Gate::TypeName(name.clone()))
    .does(writes::delete_schedule(m.cluster, name, &there.uid))
    .proven_by(Check::ScheduleGone { schedule: name.clone(), uid: there.uid.clone() }, within);
    Ok(m.plan(Kind::Schedule, format!("delete schedule {name} of {}", m.name()), vec![step]))
}
