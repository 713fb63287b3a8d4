//! How the primary's archiver fares, by SQL where it tells, else by `/pg/status`.

use jiff::Timestamp;

use crate::domain::facts::Samples;

/// What the primary says of its archiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiverPicture<'a> {
    /// The last WAL file that arrived, and when.
    pub last: Option<(&'a str, Option<Timestamp>)>,
    /// The last one that failed, and when.
    pub failed: Option<(&'a str, Option<Timestamp>)>,
    /// The last success is newer than the last failure.
    pub working: Option<bool>,
    /// Files waiting.
    pub ready: Option<u64>,
}

impl<'a> ArchiverPicture<'a> {
    pub(super) fn of(primary: &'a Samples) -> Self {
        let status = primary.status.as_ref().and_then(|p| p.value());
        let sql = primary.sql.as_ref().and_then(|p| p.value()?.archiver.as_ref());
        let by_sql = |file: &'a Option<(String, Timestamp)>| file.as_ref().map(|(wal, at)| (wal.as_str(), Some(*at)));
        let by_status =
            |file: &'a Option<(String, Option<Timestamp>)>| file.as_ref().map(|(wal, at)| (wal.as_str(), *at));
        let last = sql.and_then(|a| by_sql(&a.last_archived)).or_else(|| by_status(&status?.last_archived));
        let failed = sql.and_then(|a| by_sql(&a.last_failed)).or_else(|| by_status(&status?.last_failed));
        let newer = last.and_then(|(_, at)| at).map(|at| failed.and_then(|(_, f)| f).is_none_or(|f| at > f));
        ArchiverPicture {
            last,
            failed,
            working: status.and_then(|s| s.is_archiving).or(newer),
            ready: sql.and_then(|a| a.ready).or_else(|| status.and_then(|s| s.ready_wal_files)),
        }
    }
}
