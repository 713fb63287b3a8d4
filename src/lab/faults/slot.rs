//! A replication slot that was left behind, and WAL for it to hold.

use std::time::Duration;

use futures::future::BoxFuture;

use super::{Fault, Ground, PATIENCE, Wish};
use crate::lab::postgres::Server;
use crate::problem::Problem;

/// The slot's name. Not one of the operator's: those it would clear away.
const SLOT: &str = "howdah_left_behind";
/// How long a checkpoint may take.
const CHECKPOINT: Duration = Duration::from_secs(60);

/// Ends the WAL segment that is being written and begins another. Needs something in it, or nothing would happen.
pub(super) async fn switch_wal(server: &Server) -> Result<(), Problem> {
    let statement = "select pg_logical_emit_message(false, 'howdah', 'fault'); select pg_switch_wal()";
    server.sql().rows("postgres", statement, PATIENCE).await.map(drop)
}

/// Has the server write that much WAL, rounded up to whole segments, which are mostly empty.
pub(super) async fn write_wal(server: &Server, mib: u64) -> Result<(), Problem> {
    let segment = u64::from(server.machine().options.wal_segment_mib.max(1));
    for _ in 0..mib.div_ceil(segment) {
        switch_wal(server).await?;
    }
    Ok(())
}

/// A physical slot that nobody uses.
pub(super) struct SlotLeftBehind {
    ground: Ground,
    wish: Wish,
}

impl SlotLeftBehind {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        SlotLeftBehind { ground, wish }
    }
}

impl Fault for SlotLeftBehind {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let instance = self.ground.instance(&self.wish.namespace, self.wish.instance())?;
            let server = instance.server();
            let make = format!("select pg_create_physical_replication_slot('{SLOT}', true)");
            server.sql().rows("postgres", &make, PATIENCE).await?;
            let mib = self.wish.number("writeMib");
            write_wal(server, mib).await?;
            Ok(format!("slot {SLOT} on {} holds {mib} MiB of WAL and all that follows", self.wish.instance()))
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            // A server that is down keeps the slot: it is asked until it answers, or its instance is gone.
            let Some(pod) = self.ground.kubelet.named(&self.wish.namespace, self.wish.instance()) else {
                return Ok(());
            };
            let Some(instance) = pod.instance() else {
                return Err(Problem::new("the slot is not dropped yet").because("its server does not run"));
            };
            let sql = instance.server().sql();
            let remove = format!(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{SLOT}'"
            );
            sql.rows("postgres", &remove, PATIENCE).await?;
            sql.rows("postgres", "checkpoint", CHECKPOINT).await.map(drop)
        })
    }
}
