//! What an instance manager does next. Pure: what it knows in, one step out; [`super::manager`] performs it and asks again.
//!
//! The order of the steps is CNPG 1.30's: a primary that should not lead stops at once and gives the lease back; a candidate
//! waits until its WAL receiver is down and the lease is free, takes it, promotes, and only then says that it leads; an
//! old primary waits for the new one before it rewinds and follows.

use super::view::View;

/// What the data directory says about its role, which outlives any process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// No `standby.signal`: it has led, or was just initialized.
    Primary,
    /// `standby.signal`: it follows.
    Standby,
}

/// What the PostgreSQL server of this container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// There is no postmaster.
    Down,
    /// There is one, but it takes no connections yet (or none any more).
    Deaf,
    /// It answers.
    Up {
        /// `pg_is_in_recovery()`.
        recovery: bool,
        /// Whether a WAL receiver runs.
        receiver: bool,
    },
}

/// Who has the right to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This instance.
    Mine,
    /// Nobody, or a holder whose time is over.
    Free,
    /// Somebody else.
    Held,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing until something changes. The words are for the log.
    Wait(&'static str),
    /// All is as it should be: keep up lease, settings and slots.
    Keep,
    /// Start PostgreSQL in the role its directory has.
    Start,
    /// Turn an old primary's directory into a standby's of the new primary.
    Rejoin,
    /// Stop PostgreSQL and keep the container: the instance is fenced.
    Fence,
    /// Stop PostgreSQL, give the lease back, and let the container end.
    Demote,
    /// Stop and start PostgreSQL inside the container, as asked by the Cluster's phase.
    RestartInPlace,
    /// Take the lease.
    TakeLease,
    /// Promote the standby.
    Promote,
    /// Write `status.currentPrimary`.
    Announce,
}

/// The phase that asks the primary to restart inside its container.
pub const RESTART_PHASE: &str = "Primary instance is being restarted in-place";

/// Decides. `me` is this instance's name.
pub fn next(me: &str, view: &View, disk: Disk, server: Server, lease: Lease) -> Step {
    let target = view.target.as_deref();
    let chosen = target == Some(me);
    let leads = view.current.as_deref() == Some(me);
    if view.is_fenced(me) {
        return if server == Server::Down { Step::Wait("the instance is fenced") } else { Step::Fence };
    }
    match (server, disk) {
        (Server::Down, Disk::Standby) => Step::Start,
        (Server::Down, Disk::Primary) if chosen && lease == Lease::Held => {
            Step::Wait("another instance holds the lease")
        }
        (Server::Down, Disk::Primary) if chosen => Step::Start,
        (Server::Down, Disk::Primary) if target.is_none() => Step::Wait("no primary is chosen yet"),
        (Server::Down, Disk::Primary) if view.current == view.target => Step::Rejoin,
        (Server::Down, Disk::Primary) => Step::Wait("the new primary does not lead yet"),
        // Not by asking it: a primary that hangs must give way too.
        (Server::Deaf, Disk::Primary) if target.is_some() && !chosen => Step::Demote,
        (Server::Deaf, _) => Step::Wait("PostgreSQL takes no connections"),
        (Server::Up { recovery: false, .. }, _) if !chosen || lease == Lease::Held => Step::Demote,
        (Server::Up { recovery: false, .. }, _) if !leads => Step::Announce,
        (Server::Up { recovery: false, .. }, _) if lease == Lease::Free => Step::TakeLease,
        (Server::Up { recovery: false, .. }, _) if view.phase == RESTART_PHASE => Step::RestartInPlace,
        (Server::Up { recovery: true, .. }, _) if !chosen => Step::Keep,
        (Server::Up { recovery: true, receiver: true }, _) if !leads => Step::Wait("the old primary still sends WAL"),
        (Server::Up { recovery: true, .. }, _) => match lease {
            Lease::Mine => Step::Promote,
            Lease::Free => Step::TakeLease,
            Lease::Held => Step::Wait("the old primary still holds the lease"),
        },
        (Server::Up { .. }, _) => Step::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: Server = Server::Up { recovery: false, receiver: false };
    const STANDBY: Server = Server::Up { recovery: true, receiver: true };
    const ORPHAN: Server = Server::Up { recovery: true, receiver: false };

    fn view(current: &str, target: &str) -> View {
        let name = |s: &str| Some(s.to_owned()).filter(|s| !s.is_empty());
        View { current: name(current), target: name(target), ..View::default() }
    }

    #[test]
    fn a_first_primary_starts_says_so_and_then_takes_the_lease() {
        let mut world = view("", "demo-1");
        let ask = |world: &View, server, lease| next("demo-1", world, Disk::Primary, server, lease);
        assert_eq!(ask(&world, Server::Down, Lease::Free), Step::Start);
        assert_eq!(ask(&world, Server::Deaf, Lease::Free), Step::Wait("PostgreSQL takes no connections"));
        assert_eq!(ask(&world, PRIMARY, Lease::Free), Step::Announce);
        world.current = Some("demo-1".to_owned());
        assert_eq!(ask(&world, PRIMARY, Lease::Free), Step::TakeLease);
        assert_eq!(ask(&world, PRIMARY, Lease::Mine), Step::Keep);
    }

    #[test]
    fn a_candidate_waits_for_receiver_and_lease_before_it_promotes() {
        let world = view("demo-1", "demo-3");
        let ask = |server, lease| next("demo-3", &world, Disk::Standby, server, lease);
        assert_eq!(ask(STANDBY, Lease::Free), Step::Wait("the old primary still sends WAL"));
        assert_eq!(ask(ORPHAN, Lease::Held), Step::Wait("the old primary still holds the lease"));
        assert_eq!(ask(ORPHAN, Lease::Free), Step::TakeLease);
        assert_eq!(ask(ORPHAN, Lease::Mine), Step::Promote);
        assert_eq!(ask(PRIMARY, Lease::Mine), Step::Announce);
    }

    #[test]
    fn an_old_primary_stops_waits_rewinds_and_follows() {
        let mut world = view("demo-1", "demo-3");
        let ask = |world: &View, disk, server| next("demo-1", world, disk, server, Lease::Mine);
        assert_eq!(ask(&world, Disk::Primary, PRIMARY), Step::Demote);
        assert_eq!(ask(&world, Disk::Primary, Server::Down), Step::Wait("the new primary does not lead yet"));
        world.current = Some("demo-3".to_owned());
        assert_eq!(ask(&world, Disk::Primary, Server::Down), Step::Rejoin);
        assert_eq!(ask(&world, Disk::Standby, Server::Down), Step::Start);
        assert_eq!(ask(&world, Disk::Standby, STANDBY), Step::Keep);
    }

    #[test]
    fn a_primary_demotes_when_the_failover_is_pending_or_the_lease_was_lost() {
        let pending = view("demo-1", super::super::view::PENDING);
        assert_eq!(next("demo-1", &pending, Disk::Primary, PRIMARY, Lease::Mine), Step::Demote);
        let lost = view("demo-1", "demo-1");
        assert_eq!(next("demo-1", &lost, Disk::Primary, PRIMARY, Lease::Held), Step::Demote);
    }

    #[test]
    fn a_primary_that_hangs_gives_way_too() {
        let world = view("demo-1", "demo-3");
        assert_eq!(next("demo-1", &world, Disk::Primary, Server::Deaf, Lease::Mine), Step::Demote);
        let same = view("demo-1", "demo-1");
        assert!(matches!(next("demo-1", &same, Disk::Primary, Server::Deaf, Lease::Mine), Step::Wait(_)));
        assert!(matches!(next("demo-3", &world, Disk::Standby, Server::Deaf, Lease::Free), Step::Wait(_)));
    }

    #[test]
    fn a_restarted_primary_does_not_start_beside_a_holder_of_the_lease() {
        let world = view("demo-2", "demo-2");
        let ask = |lease| next("demo-2", &world, Disk::Primary, Server::Down, lease);
        assert_eq!(ask(Lease::Held), Step::Wait("another instance holds the lease"));
        assert_eq!(ask(Lease::Free), Step::Start);
    }

    #[test]
    fn fencing_beats_every_role() {
        let mut world = View::of(&serde_json::json!({
            "metadata": {"annotations": {"cnpg.io/fencedInstances": "[\"demo-1\"]"}},
            "status": {"currentPrimary": "demo-1", "targetPrimary": "demo-1"}}));
        assert_eq!(next("demo-1", &world, Disk::Primary, PRIMARY, Lease::Mine), Step::Fence);
        assert_eq!(
            next("demo-1", &world, Disk::Primary, Server::Down, Lease::Mine),
            Step::Wait("the instance is fenced")
        );
        world = view("demo-1", "demo-1");
        assert_eq!(next("demo-1", &world, Disk::Primary, Server::Down, Lease::Mine), Step::Start);
    }

    #[test]
    fn the_phase_asks_only_the_primary_to_restart() {
        let mut world = view("demo-2", "demo-2");
        world.phase = RESTART_PHASE.to_owned();
        assert_eq!(next("demo-2", &world, Disk::Primary, PRIMARY, Lease::Mine), Step::RestartInPlace);
        assert_eq!(next("demo-1", &world, Disk::Standby, STANDBY, Lease::Held), Step::Keep);
    }
}
