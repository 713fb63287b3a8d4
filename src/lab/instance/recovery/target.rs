//! Where a recovery is to end, and which base backup it begins with. Pure; CNPG's rules, and PostgreSQL's settings.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::domain::lsn::Lsn;
use crate::lab::object::{flag, text};
use crate::lab::postgres::Base;
use crate::problem::Problem;

/// `spec.bootstrap.recovery.recoveryTarget`. What is not asked for is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The base backup to begin with.
    pub backup: String,
    /// `latest`, a number, or nothing, which is as good as `latest`.
    pub timeline: String,
    /// Up to this time.
    pub time: String,
    /// Up to this position.
    pub lsn: String,
    /// Up to this transaction.
    pub xid: String,
    /// Up to the restore point of this name.
    pub name: String,
    /// As soon as the data is consistent.
    pub immediate: bool,
    /// To the last moment before the target.
    pub exclusive: bool,
}

impl Target {
    /// Reads it from `spec.bootstrap.recovery`; `None` where no target is given.
    pub fn of(recovery: &Value) -> Option<Target> {
        let target = recovery.get("recoveryTarget").filter(|target| target.is_object())?;
        let word = |field: &str| text(target, field).to_owned();
        Some(Target {
            backup: word("/backupID"),
            timeline: word("/targetTLI"),
            time: word("/targetTime"),
            lsn: word("/targetLSN"),
            xid: word("/targetXID"),
            name: word("/targetName"),
            immediate: flag(target, "/targetImmediate"),
            exclusive: flag(target, "/exclusive"),
        })
    }

    /// PostgreSQL's settings for it. (`cnpg:api/v1/cluster_funcs.go`, `BuildPostgresOptions`.)
    pub fn settings(&self) -> Vec<(String, String)> {
        let given = [
            ("recovery_target_timeline", self.timeline.clone()),
            ("recovery_target_xid", self.xid.clone()),
            ("recovery_target_name", self.name.clone()),
            ("recovery_target_lsn", self.lsn.clone()),
            ("recovery_target_time", postgres_time(&self.time)),
            ("recovery_target", if self.immediate { "immediate" } else { "" }.to_owned()),
            ("recovery_target_inclusive", if self.exclusive { "false" } else { "true" }.to_owned()),
        ];
        given.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn is_timeline_of(&self, base: &Base) -> bool {
        let any = matches!(self.timeline.as_str(), "" | "latest");
        any || base.timeline.is_some_and(|timeline| timeline.to_string() == self.timeline)
    }
}

/// The time a text means; without a zone it is UTC. `None` when it is none.
pub fn moment(text: &str) -> Option<Timestamp> {
    let zoned = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    text.parse().ok().or_else(zoned)
}

/// RFC 3339 as PostgreSQL writes it; everything else as it was given.
fn postgres_time(text: &str) -> String {
    match moment(text).filter(|_| text.contains('T')) {
        Some(at) => at.strftime("%Y-%m-%d %H:%M:%S.%6f+00").to_string(),
        None => text.to_owned(),
    }
}

/// The base backup to begin with, out of all in the order in which they began. (`barman-cloud:pkg/catalog/catalog.go`,
/// `FindBackupInfo`: by its id; the newest that ended before the time or position; the newest of the timeline.)
///
/// # Errors
/// When there is none.
pub fn choose<'a>(bases: &'a [Base], target: Option<&Target>) -> Result<&'a Base, Problem> {
    let everything = Target::default();
    let target = target.unwrap_or(&everything);
    if !target.backup.is_empty() {
        let named = bases.iter().find(|base| base.is_done() && base.id == target.backup);
        return named.ok_or_else(|| Problem::new(format!("no backup found with ID {}", target.backup)));
    }
    let mut newest_first = bases.iter().rev().filter(|base| base.is_done() && target.is_timeline_of(base));
    let chosen = if !target.time.is_empty() {
        let until = moment(&target.time).ok_or_else(|| Problem::new("while parsing recovery target targetTime"))?;
        newest_first.find(|base| base.end_time.is_some_and(|end| end <= until))
    } else if !target.lsn.is_empty() {
        let until: Lsn =
            target.lsn.parse().map_err(|e| Problem::new("while parsing recovery target targetLSN").because(e))?;
        newest_first.find(|base| base.end_lsn.is_some_and(|end| end < until))
    } else {
        newest_first.next()
    };
    chosen.ok_or_else(|| Problem::new("no target backup found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base(id: &str, hour: i32, timeline: u32) -> Base {
        let at = |minute: i32| Some(format!("2026-11-20T{hour:02}:{minute:02}:00Z").parse().unwrap());
        let lsn = u64::try_from(hour).unwrap() << 24;
        Base {
            id: id.into(),
            begin_time: at(0),
            end_time: at(5),
            end_lsn: Some(Lsn(lsn)),
            timeline: Some(timeline),
            ..Base::default()
        }
    }

    fn bases() -> Vec<Base> {
        let unfinished = Base { end_time: None, ..base("d", 5, 2) };
        vec![base("a", 1, 1), base("b", 2, 1), base("c", 3, 2), unfinished]
    }

    fn chosen(target: Value) -> Result<String, String> {
        let target = Target::of(&json!({"recoveryTarget": target}));
        choose(&bases(), target.as_ref()).map(|base| base.id.clone()).map_err(|problem| problem.line())
    }

    #[test]
    fn the_newest_backup_that_ended_before_the_target() {
        assert_eq!(chosen(Value::Null).as_deref(), Ok("c"));
        assert_eq!(
            chosen(json!({"targetTime": "2026-11-20 02:05:00+00"})).as_deref(),
            Ok("b"),
            "its very end is enough"
        );
        assert_eq!(
            chosen(json!({"targetTime": "2026-11-20 02:04:59"})).as_deref(),
            Ok("a"),
            "without a zone it is UTC"
        );
        assert_eq!(chosen(json!({"targetTime": "2026-11-20T03:04:59+01:00"})).as_deref(), Ok("a"));
        assert_eq!(chosen(json!({"targetTime": "2026-11-20 01:00:00Z"})), Err("no target backup found".into()));
        assert_eq!(chosen(json!({"targetTime": "soon"})), Err("while parsing recovery target targetTime".into()));
        assert_eq!(chosen(json!({"targetLSN": "0/2000001"})).as_deref(), Ok("b"));
        assert_eq!(
            chosen(json!({"targetLSN": "0/2000000"})).as_deref(),
            Ok("a"),
            "the position must be behind its end"
        );
    }

    #[test]
    fn a_backup_by_its_id_and_a_timeline_of_its_own() {
        assert_eq!(chosen(json!({"backupID": "a", "targetImmediate": true})).as_deref(), Ok("a"));
        assert_eq!(chosen(json!({"backupID": "d"})), Err("no backup found with ID d".into()), "it never ended");
        assert_eq!(chosen(json!({"targetTLI": "1"})).as_deref(), Ok("b"));
        assert_eq!(chosen(json!({"targetTLI": "latest"})).as_deref(), Ok("c"));
        assert_eq!(chosen(json!({"targetTLI": "7"})), Err("no target backup found".into()));
    }

    #[test]
    fn the_settings_are_those_of_the_recording() {
        let settings = |target: Value| Target::of(&json!({"recoveryTarget": target})).unwrap().settings();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            settings(json!({"targetTime": "2026-11-20 22:57:22.985094+00"})),
            [pair("recovery_target_time", "2026-11-20 22:57:22.985094+00"), pair("recovery_target_inclusive", "true")]
        );
        let rfc = settings(json!({"targetTime": "2026-11-20T23:57:22.985094+01:00", "exclusive": true}));
        assert_eq!(
            rfc,
            [pair("recovery_target_time", "2026-11-20 22:57:22.985094+00"), pair("recovery_target_inclusive", "false")]
        );
        let immediate = settings(json!({"backupID": "a", "targetImmediate": true, "targetTLI": "1"}));
        assert_eq!(
            immediate,
            [
                pair("recovery_target_timeline", "1"),
                pair("recovery_target", "immediate"),
                pair("recovery_target_inclusive", "true")
            ]
        );
        assert_eq!(Target::of(&json!({"source": "origin"})), None);
    }
}
