//! What an instance manager does beside its role, again and again: settings, slots, the archiver's condition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::decide::Server;
use super::view::View;
use super::{Instance, PATIENCE, configuration_hash, parameters};
use crate::lab::postgres::server::restore::enforced;
use crate::lab::postgres::slots;
use crate::problem::Problem;

/// How often slots and archiver are looked at when nothing has changed.
const SLOTS_EVERY: Duration = Duration::from_secs(5);
const ARCHIVER_EVERY: Duration = Duration::from_secs(2);
/// How long a reloaded server may take to have read its settings.
const RELOADED: Duration = Duration::from_millis(300);

/// What was done last.
#[derive(Debug, Default)]
pub struct Chores {
    parameters: Vec<(String, String)>,
    names: Vec<String>,
    slots_at: Option<Instant>,
    archiver_at: Option<Instant>,
    archiving: Option<bool>,
}

fn due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|at| at.elapsed() >= every)
}

impl Chores {
    /// Writes the settings that the Cluster wants now, if they are others than before. Says whether they are.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn configure(&mut self, instance: &Instance) -> Result<bool, Problem> {
        let view = instance.view();
        let wanted = parameters(&view);
        if wanted == self.parameters {
            return Ok(false);
        }
        instance.server.reload(wanted.clone())?;
        instance.shared().configuration = configuration_hash(&view);
        self.parameters = wanted;
        self.quorum(instance, &view);
        Ok(true)
    }

    /// Before a standby starts: no setting may be lower than its data directory asks for, whatever the Cluster wants, or
    /// recovery would be refused. The next round writes what is wanted, and the restart for it is pending then. (CNPG:
    /// `GetEnforcedParametersThroughPgControldata`.)
    ///
    /// # Errors
    /// When they can't be written.
    pub async fn configure_standby(&mut self, instance: &Instance) -> Result<(), Problem> {
        self.configure(instance)?;
        let control = instance.server.control_data().await?;
        let enforced = enforced(&self.parameters, &control.all);
        if enforced != self.parameters {
            instance.server.reload(enforced.clone())?;
            self.parameters = enforced;
        }
        Ok(())
    }

    /// Tells what commits wait for, where someone keeps account of it.
    fn quorum(&self, instance: &Instance, view: &View) {
        let leads = view.current.as_deref() == Some(instance.name());
        if let Some(sync) = view.synchronous.as_ref().filter(|_| leads) {
            instance.setup.failover_quorum(sync.method, sync.number, &view.standbys());
        }
    }

    /// One round.
    pub async fn run(&mut self, instance: &Arc<Instance>, server: Server) {
        if let Err(problem) = self.settings(instance).await {
            instance.setup.log.error("Error while reloading the configuration", &problem.line());
        }
        if server == (Server::Up { recovery: true, receiver: true })
            && let Err(problem) = self.follow_slots(instance).await
        {
            instance.setup.log.error("Error while synchronizing the replication slots", &problem.line());
        }
        if server == (Server::Up { recovery: false, receiver: false }) {
            if let Err(problem) = self.slots(instance).await {
                instance.setup.log.error("Error while managing the replication slots", &problem.line());
            }
            if let Err(problem) = self.archiver(instance).await {
                instance.setup.log.error("Error while reading the archiver", &problem.line());
            }
        }
    }

    async fn settings(&mut self, instance: &Instance) -> Result<(), Problem> {
        let before = self.parameters.clone();
        if !self.configure(instance)? {
            return Ok(());
        }
        instance.setup.log.info("Requesting configuration reload", &[("instance", json!(instance.name()))]);
        let own = |list: &[(String, String)]| {
            list.iter().filter(|(name, _)| name != "synchronous_standby_names").cloned().collect::<Vec<_>>()
        };
        if own(&before) == own(&self.parameters) {
            return Ok(());
        }
        tokio::time::sleep(RELOADED).await;
        let ask = "select count(*) as pending from pg_settings where pending_restart";
        let rows = instance.server.sql().rows("postgres", ask, PATIENCE).await?;
        let pending = rows.first().and_then(|row| row.get("pending")).is_some_and(|n| n.as_deref() != Some("0"));
        if pending {
            instance.setup.configuration_changed();
        }
        Ok(())
    }

    /// On the primary: a slot for every other instance.
    async fn slots(&mut self, instance: &Instance) -> Result<(), Problem> {
        let view = instance.view();
        if view.slot_prefix.is_none() || (view.instances == self.names && !due(self.slots_at, SLOTS_EVERY)) {
            return Ok(());
        }
        let others = |name: &&String| name.as_str() != instance.name();
        let names: Vec<String> = view.instances.iter().filter(others).cloned().collect();
        slots::keep(&instance.server, &names, PATIENCE).await?;
        self.names = view.instances;
        self.slots_at = Some(Instant::now());
        Ok(())
    }

    /// On a standby: the primary's slots for the others, so that they are there should this one lead.
    async fn follow_slots(&mut self, instance: &Instance) -> Result<(), Problem> {
        let view = instance.view();
        let (Some(primary), Some(_)) = (&view.current, &view.slot_prefix) else { return Ok(()) };
        if !due(self.slots_at, Duration::from_secs(view.slot_interval)) {
            return Ok(());
        }
        self.slots_at = Some(Instant::now());
        let setup = &instance.setup;
        let Some(neighbours) = setup.neighbours.upgrade() else { return Ok(()) };
        match neighbours.slots_of(&setup.namespace, primary, &setup.place).await {
            Some(theirs) => slots::follow(&instance.server, &theirs, PATIENCE).await,
            None => Ok(()),
        }
    }

    /// On the primary: the condition `ContinuousArchiving`.
    async fn archiver(&mut self, instance: &Instance) -> Result<(), Problem> {
        if !due(self.archiver_at, ARCHIVER_EVERY) || !instance.setup.reaches_api() {
            return Ok(());
        }
        self.archiver_at = Some(Instant::now());
        let ask = "select last_archived_time is not null as archived, \
                   coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as failing, \
                   last_failed_wal as wal from pg_stat_archiver";
        let rows = instance.server.sql().rows("postgres", ask, PATIENCE).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let is = |key: &str| row.get(key).is_some_and(|v| matches!(v.as_deref(), Some("t" | "true")));
        let now = match (is("failing"), is("archived")) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
        if now.is_some() && now != self.archiving {
            self.archiving = now;
            let wal = row.get("wal").cloned().flatten().unwrap_or_default();
            let failure = format!("archive_command failed for WAL file {wal}");
            instance.setup.archiving((now == Some(false)).then_some(failure.as_str()));
        }
        Ok(())
    }

    /// Before this instance says that it leads: slots for the others, and for a brand-new cluster a first file for the
    /// archive, so that archiving is proven early.
    pub async fn before_leading(&mut self, instance: &Instance) {
        self.slots_at = None;
        if let Err(problem) = self.slots(instance).await {
            instance.setup.log.error("Error while managing the replication slots", &problem.line());
        }
        if instance.view().current.is_none() {
            // Only to be early: without it the first file goes with the first full segment.
            let _ = instance.server.sql().rows("postgres", "select pg_switch_wal()", PATIENCE).await;
        }
    }
}
