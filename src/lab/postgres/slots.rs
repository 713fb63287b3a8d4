//! High-availability slots as CNPG keeps them: `_cnpg_<instance>` on the primary, copied to the standbys.
//!
//! Source: `cnpg:internal/management/controller/slots/` (the primary's reconciler and the standbys' runner).

use std::{collections::BTreeSet, time::Duration};

use super::Server;
use crate::{domain::lsn::Lsn, problem::Problem};

/// `spec.replicationSlots.highAvailability.slotPrefix`.
const PREFIX: &str = "_cnpg_";

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
    let rest = instance.to_ascii_lowercase();
    let clean = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{PREFIX}{}", rest.chars().map(clean).collect::<String>())
}

/// The HA slots of a server.
///
/// # Errors
/// When the server can't be asked.
pub async fn list(server: &Server, within: Duration) -> Result<Vec<Slot>, Problem> {
    let statement = format!(
        "select slot_name, restart_lsn, active from pg_catalog.pg_replication_slots \
         where slot_type = 'physical' and not temporary and left(slot_name, {}) = '{PREFIX}' order by slot_name",
        PREFIX.len()
    );
    let rows = server.sql().rows("postgres", &statement, within).await?;
    let slot = |mut row: super::sql::Row| {
        let mut column = |name: &str| row.remove(name).flatten();
        Some(Slot {
            name: column("slot_name")?,
            restart_lsn: column("restart_lsn").and_then(|lsn| lsn.parse().ok()),
            active: column("active").as_deref() == Some("t"),
        })
    };
    Ok(rows.into_iter().filter_map(slot).collect())
}

/// On the primary: makes the slots of `instances` (all but its own) that are missing and drops inactive HA slots of others.
///
/// # Errors
/// When the server can't be asked or refuses.
pub async fn keep(primary: &Server, instances: &[String], within: Duration) -> Result<(), Problem> {
    let own = slot_name(&primary.spec().instance);
    let wanted: BTreeSet<String> = instances.iter().map(|name| slot_name(name)).filter(|name| *name != own).collect();
    let there = list(primary, within).await?;
    let missing = wanted.iter().filter(|name| !there.iter().any(|slot| slot.name == **name));
    let stale = there.iter().filter(|slot| !slot.active && !wanted.contains(&slot.name));
    // Collected first: a closure that lives across an await keeps the future from being sent between threads.
    let statements: Vec<String> =
        missing.map(|name| create(name)).chain(stale.map(|slot| drop_slot(&slot.name))).collect();
    apply(primary, statements, within).await
}

/// On a standby: follows the primary's slots (all but its own): makes, advances, drops.
///
/// # Errors
/// When the server can't be asked or refuses.
pub async fn follow(standby: &Server, of_primary: &[Slot], within: Duration) -> Result<(), Problem> {
    let there = list(standby, within).await?;
    let replayed = standby.sql().value("postgres", "select pg_last_wal_replay_lsn()", within).await?;
    let replayed = replayed.and_then(|lsn| lsn.parse().ok());
    apply(standby, changes(&slot_name(&standby.spec().instance), of_primary, &there, replayed), within).await
}

/// What brings the slots `there` to the primary's. A slot can't be moved beyond what the standby has replayed.
fn changes(own: &str, of_primary: &[Slot], there: &[Slot], replayed: Option<Lsn>) -> Vec<String> {
    let mut statements = Vec::new();
    let wanted = of_primary.iter().filter(|slot| slot.name != own && slot.restart_lsn.is_some());
    for slot in wanted.clone() {
        let here = there.iter().find(|h| h.name == slot.name);
        if here.is_none() {
            statements.push(create(&slot.name));
        }
        let target = slot.restart_lsn.min(replayed);
        let ahead = here.is_some_and(|here| !here.active && here.restart_lsn.is_some() && here.restart_lsn < target);
        if let Some(target) = target.filter(|_| ahead) {
            statements.push(format!("select pg_catalog.pg_replication_slot_advance('{}', '{target}')", slot.name));
        }
    }
    let stale = there.iter().filter(|here| !here.active && !wanted.clone().any(|slot| slot.name == here.name));
    statements.extend(stale.map(|here| drop_slot(&here.name)));
    statements
}

fn create(name: &str) -> String {
    format!("select pg_catalog.pg_create_physical_replication_slot('{name}', true)")
}

fn drop_slot(name: &str) -> String {
    format!("select pg_catalog.pg_drop_replication_slot('{}')", name.replace('\'', "''"))
}

async fn apply(server: &Server, statements: Vec<String>, within: Duration) -> Result<(), Problem> {
    for statement in statements {
        server.sql().rows("postgres", &statement, within).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, lsn: u64, active: bool) -> Slot {
        Slot { name: name.into(), restart_lsn: Some(Lsn(lsn)), active }
    }

    #[test]
    fn names_are_what_postgresql_allows() {
        assert_eq!(slot_name("pg-primary-2"), "_cnpg_pg_primary_2");
        assert_eq!(slot_name("a'; drop"), "_cnpg_a___drop");
    }

    #[test]
    fn a_standby_follows_all_slots_but_its_own() {
        let primary = [slot("_cnpg_b", 90, true), slot("_cnpg_c", 80, true), slot("_cnpg_d", 70, false)];
        let there = [slot("_cnpg_c", 60, false), slot("_cnpg_old", 10, false), slot("_cnpg_busy", 10, true)];
        let statements = changes("_cnpg_b", &primary, &there, Some(Lsn(75)));
        assert_eq!(
            statements,
            [
                "select pg_catalog.pg_replication_slot_advance('_cnpg_c', '0/4B')",
                "select pg_catalog.pg_create_physical_replication_slot('_cnpg_d', true)",
                "select pg_catalog.pg_drop_replication_slot('_cnpg_old')",
            ]
        );
        assert!(changes("_cnpg_b", &primary[..2], &[slot("_cnpg_c", 80, false)], Some(Lsn(99))).is_empty());
    }
}
