//! High-availability slots as CNPG keeps them: `_cnpg_<instance>` on the primary, copied to the standbys.

use std::time::Duration;

use super::Server;
use crate::{domain::lsn::Lsn, problem::Problem};

/// A physical slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The oldest WAL it keeps.
    pub restart_lsn: Option<Lsn>,
    /// Whether someone streams from it.
    pub active: bool,
}

/// `pg-primary-2` → `_cnpg_pg_primary_2`.
pub fn slot_name(instance: &str) -> String {
    format!("_cnpg_{}", instance.replace('-', "_"))
}

/// The HA slots of a server.
///
/// # Errors
/// When the server can't be asked.
pub async fn list(server: &Server, within: Duration) -> Result<Vec<Slot>, Problem> {
    let _ = (server, within);
    Err(Problem::new("slots: not built yet"))
}

/// On the primary: makes the slots of `instances` that are missing and drops inactive HA slots of others.
///
/// # Errors
/// When the server can't be asked or refuses.
pub async fn keep(primary: &Server, instances: &[String], within: Duration) -> Result<(), Problem> {
    let _ = (primary, instances, within);
    Err(Problem::new("slots: not built yet"))
}

/// On a standby: follows the primary's slots (all but its own): makes, advances, drops.
///
/// # Errors
/// When the server can't be asked or refuses.
pub async fn follow(standby: &Server, of_primary: &[Slot], within: Duration) -> Result<(), Problem> {
    let _ = (standby, of_primary, within);
    Err(Problem::new("slots: not built yet"))
}
