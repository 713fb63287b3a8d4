//! A backup schedule: what its object carries, and what the operator made of it.
//!
//! The operator writes into a schedule's status only when it looks at it for the first time and when a run is due. Of a
//! change in between nothing more can be seen than that the object carries it.

use jiff::Timestamp;

use super::asked::{Asked, Told, missing};
use crate::domain::cluster::Schedule;
use crate::text::shorten;

const KIND: &str = "scheduledbackups";

/// The schedule carries this; `before`: the operator must have looked at it, and later than then.
pub(super) fn carries(
    a: &Asked<'_>,
    name: &str,
    (cron, suspended): (&str, bool),
    before: Option<Option<Timestamp>>,
) -> Told {
    a.watched(KIND)?;
    let Some(s) = find(a, name) else { return missing(format!("schedule {name} is not seen yet")) };
    if s.cron != cron || s.suspended != suspended {
        return missing(format!("schedule {name}: {}", words(s)));
    }
    if let Some(why) = &s.error {
        return missing(format!("the operator complains of schedule {name}: {}", shorten(why, 200)));
    }
    let mut evidence = vec![format!("schedule {name}: {}", words(s))];
    match (before, s.checked) {
        (Some(before), Some(at)) if Some(at) > before => {
            evidence.push(format!("the operator looked at it at {at:.0}"));
            evidence.extend(s.next.map(|next| format!("its next run is at {next:.0}, by its status")));
        }
        (Some(_), _) => {
            return missing(format!("schedule {name}: {}; the operator has not looked at it yet", words(s)));
        }
        (None, _) if suspended => evidence.push("the operator leaves it alone, and writes nothing about it".into()),
        (None, _) => evidence.push("the operator writes nothing about it before its next run".into()),
    }
    Ok(evidence)
}

/// The schedule of this identity is gone.
pub(super) fn gone(a: &Asked<'_>, name: &str, uid: &str) -> Told {
    a.watched(KIND)?;
    match find(a, name) {
        Some(s) if uid.is_empty() || s.uid == uid => missing(format!("schedule {name} is still there")),
        Some(_) => Ok(vec![format!("schedule {name} is another one by now")]),
        None => Ok(vec![format!("schedule {name} is gone")]),
    }
}

fn find<'a>(a: &Asked<'a>, name: &str) -> Option<&'a Schedule> {
    a.cluster.backups.schedules.iter().find(|s| s.name == *name)
}

fn words(s: &Schedule) -> String {
    format!("{:?}{}", s.cron, if s.suspended { ", suspended" } else { "" })
}
