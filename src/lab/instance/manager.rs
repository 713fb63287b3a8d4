//! The instance manager's loop: look, decide ([`super::decide`]), do one step, look again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::chores::Chores;
use super::decide::{self, Disk, Lease, Server, Step};
use super::{Instance, Intent, PATIENCE, lease};
use crate::lab::api::resources::{CLUSTERS, LEASES};
use crate::lab::postgres::{Start, State, Stop};
use crate::problem::Problem;

/// Time between two looks while something is under way, and while nothing is.
const BUSY: Duration = Duration::from_millis(200);
const QUIET: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to stop before it is killed, and to promote.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const PROMOTE_WITHIN: Duration = Duration::from_secs(60);
/// How long a promotion takes at least: in the recordings 0.8 s and more from the lease to `currentPrimary`, where
/// PostgreSQL's part alone is a tenth of that here. What an old primary leaves behind is cleared away meanwhile.
const PROMOTION: Duration = Duration::from_millis(700);
/// Between giving the lease back and the end of the manager's process: in the recordings 160 ms to 1.8 s.
const LINGER: Duration = Duration::from_millis(200);
/// How long the operator may take for its first look at a primary that is being stopped.
const LOOKED: Duration = Duration::from_secs(1);

/// The exit code that says that there is no room for WAL (CNPG: `MissingWALDiskSpaceExitCode`).
pub const NO_ROOM: i32 = 4;

/// What follows from a step.
enum After {
    /// Look again at once.
    Again,
    /// Look again when something changes, or after a while.
    Later(Duration),
    /// The container ends with this code.
    End(i32),
}

/// One run of the loop.
struct Loop {
    instance: Arc<Instance>,
    /// Whether the lease is being renewed.
    holding: Arc<AtomicBool>,
    chores: Chores,
    /// The last reason to wait that was logged.
    waits_for: &'static str,
    /// The server has been started in this container.
    started: bool,
}

impl Instance {
    /// Runs until the container ends. `term` asks for a graceful end, `kill` ends everything at once. The exit code.
    pub async fn run(self: Arc<Self>, term: CancellationToken, kill: CancellationToken) -> i32 {
        let holding = Arc::new(AtomicBool::new(false));
        let mut helpers = JoinSet::new();
        // Before PostgreSQL runs: what it archives first must go by the network, too.
        self.setup.mind_store(&self.server);
        helpers.spawn(Arc::clone(&self).keep_minding_store());
        helpers.spawn(Arc::clone(&self).keep_lease(Arc::clone(&holding)));
        helpers.spawn(Arc::clone(&self).copy_log());
        helpers.spawn(Arc::clone(&self).keep_backing_up());
        helpers.spawn(Arc::clone(&self).keep_plugin_store());
        let work =
            Loop { instance: Arc::clone(&self), holding, chores: Chores::default(), waits_for: "", started: false };
        let code = tokio::select! {
            biased;
            () = kill.cancelled() => {
                // It may have ended already: then there is nothing to kill.
                let _ = self.server.kill_all();
                137
            }
            code = work.run(&term) => code,
        };
        helpers.shutdown().await;
        self.setup.roads.set_end(&self.setup.namespace, &self.setup.instance, None);
        code
    }

    /// Renews the lease as long as it is held.
    async fn keep_lease(self: Arc<Self>, holding: Arc<AtomicBool>) {
        loop {
            let times = self.view().lease;
            tokio::time::sleep(Duration::from_secs(times.retry.max(1))).await;
            // A holder that can't renew it goes on until it hears of another: only then does it know.
            if holding.load(Ordering::SeqCst) && self.setup.reaches_api() {
                let setup = &self.setup;
                let mine = lease::hold(&setup.store, &setup.namespace, &setup.cluster, &setup.instance, times.duration);
                if !mine {
                    setup.log.error("The primary lease was lost", "it is held by another instance");
                    holding.store(false, Ordering::SeqCst);
                }
            }
        }
    }

    /// Copies PostgreSQL's log into the container's.
    async fn copy_log(self: Arc<Self>) {
        let (_, mut coming) = self.server.logs();
        loop {
            match coming.recv().await {
                Ok(record) => self.setup.log.record(&record),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    }
}

impl Loop {
    async fn run(mut self, term: &CancellationToken) -> i32 {
        let instance = Arc::clone(&self.instance);
        let mut clusters = instance.setup.store.watch(&CLUSTERS, Some(&instance.setup.namespace));
        let mut leases = instance.setup.store.news(&LEASES);
        let mut server = instance.server.state();
        loop {
            if term.is_cancelled() {
                return self.shut_down().await;
            }
            while clusters.try_next().is_some() {}
            // Without the API, what was read last counts.
            if instance.setup.reaches_api() {
                let Some(view) = instance.setup.view() else {
                    // The cluster was deleted: the pod's end is on its way.
                    term.cancelled().await;
                    continue;
                };
                instance.shared().view = view;
            }
            leases.mark_unchanged();
            let state = server.borrow_and_update().clone();
            if let Some(code) = self.crashed(&state) {
                return code;
            }
            let wait = match self.step().await {
                After::Again => continue,
                After::End(code) => return code,
                After::Later(wait) => wait,
            };
            tokio::select! {
                () = term.cancelled() => {}
                _ = clusters.next() => {}
                _ = leases.changed(), if wait == BUSY => {}
                _ = server.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The exit code when the postmaster has ended by itself.
    fn crashed(&mut self, state: &State) -> Option<i32> {
        let State::Ended { asked: false, status } = state else { return None };
        if !self.started {
            return None;
        }
        let log = &self.instance.setup.log;
        log.info("postmaster exited", &[("postmasterExitStatus", json!(status.to_string()))]);
        if !self.instance.setup.has_wal_room() {
            // It ended for want of room: whoever leads next would want it, too, so the lease is not given up.
            return Some(NO_ROOM);
        }
        self.give_lease_back();
        Some(0)
    }

    async fn step(&mut self) -> After {
        let instance = Arc::clone(&self.instance);
        let view = instance.view();
        let server = self.look().await;
        let held = self.lease();
        self.holding.store(held == Lease::Mine, Ordering::SeqCst);
        let step = decide::next(instance.name(), &view, self.disk(), server, held);
        match self.perform(step, server).await {
            Ok(after) => after,
            Err(problem) => {
                instance.setup.log.error("Reconciler error", &problem.line());
                After::Later(QUIET)
            }
        }
    }

    /// Who holds the lease, as far as can be told.
    fn lease(&self) -> Lease {
        let setup = &self.instance.setup;
        if !setup.reaches_api() {
            return if self.holding.load(Ordering::SeqCst) { Lease::Mine } else { Lease::Held };
        }
        let lease = setup.store.get(&LEASES, &setup.namespace, &setup.cluster);
        lease::look(lease.as_deref(), &setup.instance, Timestamp::now())
    }

    fn disk(&self) -> Disk {
        let signal = self.instance.server.data().join("standby.signal");
        if signal.exists() { Disk::Standby } else { Disk::Primary }
    }

    /// What the server does now.
    async fn look(&self) -> Server {
        if self.instance.server.pid().is_none() {
            return Server::Down;
        }
        let ask = "select pg_is_in_recovery()::int as recovery, \
                   (select count(*) from pg_stat_wal_receiver)::int as receivers";
        let Ok(rows) = self.instance.server.sql().rows("postgres", ask, PATIENCE).await else { return Server::Deaf };
        let is = |key: &str, wanted: &str| {
            rows.first().and_then(|row| row.get(key)).is_some_and(|v| v.as_deref() == Some(wanted))
        };
        Server::Up { recovery: is("recovery", "1"), receiver: !is("receivers", "0") }
    }

    async fn perform(&mut self, step: Step, server: Server) -> Result<After, Problem> {
        let instance = Arc::clone(&self.instance);
        let setup = &instance.setup;
        if matches!(server, Server::Up { .. }) && instance.shared().intent == Intent::Restart {
            instance.shared().intent = Intent::Run;
        }
        match step {
            Step::Wait(why) => {
                if why != self.waits_for {
                    self.waits_for = why;
                    setup.log.info("Waiting", &[("reason", json!(why))]);
                }
                if setup.view().is_some_and(|v| v.is_fenced(instance.name())) {
                    instance.shared().intent = Intent::Fenced;
                }
                return Ok(After::Later(BUSY));
            }
            Step::Keep => {
                self.waits_for = "";
                self.chores.run(&instance, server).await;
                return Ok(After::Later(QUIET));
            }
            Step::Start if !setup.has_wal_room() => {
                let why = "no room for another WAL file on the volume";
                setup.log.error("Detected low-disk space condition, avoid starting the instance", why);
                return Ok(After::End(NO_ROOM));
            }
            Step::Start => self.start().await?,
            Step::Rejoin => {
                if !self.rejoin().await? {
                    return Ok(After::Later(BUSY));
                }
            }
            Step::Fence => self.fence().await?,
            Step::Demote => return self.demote().await,
            Step::RestartInPlace => self.restart().await?,
            Step::TakeLease => {
                let times = instance.view().lease;
                if !lease::hold(&setup.store, &setup.namespace, &setup.cluster, instance.name(), times.duration) {
                    return Ok(After::Later(BUSY));
                }
                self.holding.store(true, Ordering::SeqCst);
                setup.log.info("Primary lease acquired", &[("holder", json!(instance.name()))]);
            }
            Step::Promote => {
                setup.log.info("I'm the target primary, wait for the wal_receiver to be terminated", &[]);
                let (promoted, ()) =
                    tokio::join!(instance.server.promote(PROMOTE_WITHIN), tokio::time::sleep(PROMOTION));
                promoted?;
                setup.log.info("Promoted to primary", &[("instance", json!(instance.name()))]);
            }
            Step::Announce => {
                self.chores.before_leading(&instance).await;
                setup.announce();
                setup.log.info("Setting myself as the current primary", &[("instance", json!(instance.name()))]);
            }
        }
        Ok(After::Again)
    }

    async fn start(&mut self) -> Result<(), Problem> {
        let instance = &self.instance;
        if instance.shared().intent == Intent::Fenced {
            instance
                .setup
                .log
                .info("Fence lifting request received, will proceed with restarting the instance if needed", &[]);
            instance.shared().intent = Intent::Restart;
        }
        let how = match self.disk() {
            Disk::Primary => {
                self.chores.configure(instance)?;
                Start::Primary
            }
            Disk::Standby => {
                self.chores.configure_standby(instance).await?;
                Start::Standby { upstream: instance.setup.upstream.address() }
            }
        };
        instance.server.start(&how).await?;
        self.started = true;
        instance.setup.roads.set_end(&instance.setup.namespace, instance.name(), Some(instance.target()));
        instance.setup.log.info("postmaster started", &[("postMasterPID", json!(instance.server.pid()))]);
        Ok(())
    }

    /// An old primary becomes a standby: by rewinding, and if the histories can't be joined, by a new clone.
    async fn rejoin(&mut self) -> Result<bool, Problem> {
        let instance = Arc::clone(&self.instance);
        let log = &instance.setup.log;
        let leader = instance.view().current;
        if !instance.setup.upstream.targets().iter().any(|t| Some(&t.place.name) == leader.as_ref()) {
            // What -rw leads to now is not the new primary, and nobody must be followed or copied before it is.
            return Ok(false);
        }
        let upstream = instance.setup.upstream.address();
        instance.shared().rewinding = true;
        log.info("This is an old primary node. Requesting rewind to the new primary", &[]);
        let mut done = instance.server.rewind(upstream).await;
        if let Err(problem) = &done
            && !problem.line().contains("connection to server")
        {
            log.error("pg_rewind failed, cloning the primary again", &problem.line());
            done = instance.server.clone_primary(upstream).await;
        }
        instance.shared().rewinding = false;
        done?;
        instance.setup.follow(&instance.server)?;
        log.info("Demoting instance", &[("instance", json!(instance.name()))]);
        Ok(true)
    }

    async fn fence(&mut self) -> Result<(), Problem> {
        self.instance.shared().intent = Intent::Fenced;
        self.instance.setup.log.info("Fence request received, will proceed shutting down the instance", &[]);
        self.instance.server.stop(Stop::Fast, STOP_WITHIN).await?;
        self.instance.setup.log.info("Instance is down, will not restart it until the fence is lifted", &[]);
        Ok(())
    }

    async fn demote(&mut self) -> Result<After, Problem> {
        self.instance.shared().intent = Intent::Stop;
        let log = &self.instance.setup.log;
        log.info("This is an old primary instance, waiting for the switchover to finish", &[]);
        self.instance.server.stop(Stop::Fast, STOP_WITHIN).await?;
        self.give_lease_back();
        tokio::time::sleep(LINGER).await;
        Ok(After::End(0))
    }

    async fn restart(&mut self) -> Result<(), Problem> {
        let instance = Arc::clone(&self.instance);
        instance.shared().intent = Intent::Restart;
        instance.setup.log.info("Restarting primary instance in-place", &[]);
        instance.server.stop(Stop::Fast, STOP_WITHIN).await?;
        self.start().await?;
        instance.server.ready(PROMOTE_WITHIN).await?;
        instance.shared().intent = Intent::Run;
        instance.setup.restarted_in_place();
        Ok(())
    }

    /// The container was asked to end: stop PostgreSQL, then give the lease back.
    async fn shut_down(&mut self) -> i32 {
        let instance = Arc::clone(&self.instance);
        instance.shared().intent = Intent::Stop;
        let setup = &instance.setup;
        setup.log.info("Received termination signal", &[("signal", json!("terminated"))]);
        if instance.server.pid().is_some() {
            let view = instance.view();
            let smart = Duration::from_secs(view.smart_shutdown);
            // CNPG skips the smart shutdown when the pod's time to stop is no longer than that.
            let done = if view.stop_delay > view.smart_shutdown && view.smart_shutdown > 0 {
                setup.log.info("Requesting smart shutdown of the PostgreSQL instance", &[]);
                tokio::time::timeout(smart, instance.server.stop(Stop::Smart, smart)).await.unwrap_or(Ok(()))
            } else {
                Ok(())
            };
            setup.log.info("Requesting fast shutdown of the PostgreSQL instance", &[]);
            let fast = async {
                if instance.server.pid().is_some() {
                    instance.server.stop(Stop::Fast, STOP_WITHIN).await
                } else {
                    Ok(())
                }
            };
            if let Err(problem) = done.and(fast.await) {
                setup.log.error("Error while shutting down the PostgreSQL instance", &problem.line());
            }
        }
        // A real shutdown writes a checkpoint and takes longer than the operator's first look at a pod that goes.
        setup.store.quiet(LOOKED).await;
        self.give_lease_back();
        tokio::time::sleep(LINGER).await;
        0
    }

    fn give_lease_back(&self) {
        self.holding.store(false, Ordering::SeqCst);
        let setup = &self.instance.setup;
        if setup.reaches_api() && lease::release(&setup.store, &setup.namespace, &setup.cluster, &setup.instance) {
            setup.log.info("Primary lease released", &[("holder", json!(setup.instance))]);
        }
    }
}
