//! A base backup in Barman's layout: `base/<id>/{backup.info,data.tar}`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Server, Store};
use crate::{domain::lsn::Lsn, domain::wal::WalName, problem::Problem};

/// What is known about a base backup: the fields of `backup.info` that CNPG copies into a Backup's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupInfo {
    /// `20261120T225646`.
    pub id: String,
    /// `backup-20261120225645`, or the Backup object's name.
    pub name: String,
    /// When it began.
    pub begin_time: Timestamp,
    /// When it ended.
    pub end_time: Timestamp,
    /// The first segment a restore needs.
    pub begin_wal: WalName,
    /// The last segment a restore needs to be consistent.
    pub end_wal: WalName,
    /// The position it starts at.
    pub begin_lsn: Lsn,
    /// The position it ends at.
    pub end_lsn: Lsn,
    /// The system identifier.
    pub system_id: String,
    /// The timeline it was taken on.
    pub timeline: u32,
    /// Bytes of `data.tar`.
    pub size: u64,
}

/// Takes a base backup of `server` into `store`.
///
/// # Errors
/// When the server can't be copied or the store not be written; a backup that failed leaves no `backup.info`.
pub async fn base_backup(server: &Server, store: &Store, name: &str) -> Result<BackupInfo, Problem> {
    let _ = (server, store);
    Err(Problem::new(format!("base backup {name}: not built yet")))
}
