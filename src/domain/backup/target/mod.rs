//! Where a recovery is to end, and the base backup it begins with.
//!
//! Times are told with their zone: CNPG reads one without as UTC, PostgreSQL as the server's own, and a person means the
//! one on the wall. An hour too many is data that is lost, so here such a time is refused.

mod choice;
mod refused;
#[cfg(test)]
mod tests;

pub use choice::{ChosenBase, Plotted, Replay, choose};
pub use refused::Refused;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned, civil::DateTime};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

use crate::domain::lsn::Lsn;
use crate::problem::Problem;
use crate::text::{clean, shorten};

/// PostgreSQL keeps names of restore points in 64 bytes, with the zero at the end.
const NAME: usize = 63;

/// Where a recovery is to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryTarget {
    /// The end of the archive.
    Latest,
    /// The last commit up to this time.
    Time(Timestamp),
    /// This position.
    Lsn(Lsn),
    /// The commit of this transaction.
    Xid(u32),
    /// The restore point of this name (`pg_create_restore_point`).
    Name(String),
    /// As soon as the base backup is consistent: nothing that was committed after its end.
    Immediate,
}

impl RecoveryTarget {
    /// Reads `latest`, a time with its zone, or a position in the WAL.
    ///
    /// # Errors
    /// It is none of these, or a time without a zone.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("latest") {
            return Ok(RecoveryTarget::Latest);
        }
        if let Ok(lsn) = text.parse() {
            return Ok(RecoveryTarget::Lsn(lsn));
        }
        time(text).map(RecoveryTarget::Time)
    }

    /// A transaction's number, as `pg_current_xact_id()::xid` or the log tells it.
    ///
    /// # Errors
    /// It is none.
    pub fn xid(text: &str) -> Result<Self, Problem> {
        text.trim().parse().map(RecoveryTarget::Xid).map_err(|_| {
            Problem::usage(format!("{:?} is no transaction", shorten(&clean(text), 40)))
                .because("CloudNativePG takes a number from 0 to 4294967295, without the epoch")
        })
    }

    /// A restore point.
    ///
    /// # Errors
    /// PostgreSQL can't have made one of that name.
    pub fn name(text: &str) -> Result<Self, Problem> {
        let why = match text.len() {
            0 => "it is empty",
            n if n > NAME => "it is longer than 63 bytes",
            _ if text.chars().any(char::is_control) => "it has control characters",
            _ => return Ok(RecoveryTarget::Name(text.to_owned())),
        };
        Err(Problem::usage(format!("{:?} is no restore point's name", shorten(&clean(text), 40))).because(why))
    }

    /// The time it names.
    pub fn time(&self) -> Option<Timestamp> {
        if let RecoveryTarget::Time(at) = self { Some(*at) } else { None }
    }

    /// `spec.bootstrap.recovery.recoveryTarget` for it, beginning with that base backup and led to that timeline, where one
    /// has to be named.
    pub fn for_cnpg(&self, backup: &str, timeline: Option<u32>) -> Value {
        let mut target = json!({"backupID": backup});
        match self {
            RecoveryTarget::Latest => {}
            RecoveryTarget::Time(at) => {
                target["targetTime"] = at.strftime("%Y-%m-%d %H:%M:%S.%6f+00").to_string().into()
            }
            RecoveryTarget::Lsn(at) => target["targetLSN"] = at.to_string().into(),
            RecoveryTarget::Xid(xid) => target["targetXID"] = xid.to_string().into(),
            RecoveryTarget::Name(name) => target["targetName"] = name.as_str().into(),
            RecoveryTarget::Immediate => target["targetImmediate"] = true.into(),
        }
        if let Some(timeline) = timeline {
            target["targetTLI"] = timeline.to_string().into();
        }
        target
    }
}

impl fmt::Display for RecoveryTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecoveryTarget::Latest => f.write_str("the end of the archive"),
            RecoveryTarget::Time(at) => write!(f, "{at}"),
            RecoveryTarget::Lsn(at) => write!(f, "position {at}"),
            RecoveryTarget::Xid(xid) => write!(f, "transaction {xid}"),
            RecoveryTarget::Name(name) => write!(f, "restore point {:?}", clean(name)),
            RecoveryTarget::Immediate => f.write_str("the end of the base backup"),
        }
    }
}

/// A time as people and PostgreSQL write it, with `Z`, an offset, or a zone's name in brackets. To the microsecond, which is
/// as fine as PostgreSQL keeps it.
fn time(text: &str) -> Result<Timestamp, Problem> {
    let shown = shorten(&clean(text), 60);
    let tries = "2026-11-20T22:57:22Z, 2026-11-20 23:57:22+01 or 2026-11-20T23:57:22[Europe/Berlin]";
    // "2026-11-20 22:57 +01:00" and "… UTC" are how people and psql write it.
    let tight = match text.rsplit_once(' ') {
        Some((rest, "UTC" | "GMT")) => format!("{rest}Z"),
        Some((rest, zone)) if zone.starts_with(['+', '-', '[']) => format!("{rest}{zone}"),
        _ => text.to_owned(),
    };
    let found = tight.parse::<Timestamp>().or_else(|_| tight.parse::<Zoned>().map(|at| at.timestamp()));
    if let Ok(at) = found {
        return micros(at).ok_or_else(|| Problem::usage(format!("{shown:?} is out of range")));
    }
    if let Ok(naive) = tight.parse::<DateTime>() {
        let utc = TimeZone::UTC.to_timestamp(naive).map(|at| format!(" for UTC: {at}")).unwrap_or_default();
        return Err(Problem::usage(format!("{shown:?} has no time zone"))
            .because("a restore to the wrong hour loses an hour")
            .try_this(format!("say which it is;{utc}")));
    }
    Err(Problem::usage(format!("{shown:?} is no time and no position in the WAL"))
        .try_this(format!("as in {tries}, or 0/9000060, or latest")))
}

fn micros(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.as_microsecond()).ok()
}
