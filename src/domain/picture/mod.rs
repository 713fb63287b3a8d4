//! One cluster's instances as all witnesses together show them: who leads, who follows, how far behind.
//!
//! The watched objects say what ought to be; the newest answer of each instance says what is. This module puts the two
//! side by side for everything that shows a cluster (panes, `status`), so that they can't tell different stories. It
//! does not judge: that is [`super::health`].

mod archiver;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use archiver::ArchiverPicture;

use super::cluster::{Cluster, Hibernation, Instance, Role, VolumePurpose};
use super::facts::{Facts, Samples};
use super::lsn::Lsn;
use super::names::InstanceName;
use super::replication::{Slot, Standby, SyncRule, SyncState};
use super::sample::{DiskReading, InstanceStatus, Probe, Silence, SqlSample};
use super::wal::Timeline;

/// What an instance turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeenRole {
    /// Takes writes, by its own word or (not asked) by its label.
    Primary,
    /// Follows.
    Standby,
    /// PostgreSQL is down on purpose, the pod kept.
    Fenced,
    /// No pod, on purpose.
    Hibernated,
    /// No pod runs.
    Gone,
    /// The pod is there and PostgreSQL does not serve yet.
    Starting,
    /// Can't be told.
    Unknown,
}

impl SeenRole {
    /// The word shown beside the mark.
    pub fn word(self) -> &'static str {
        match self {
            SeenRole::Primary => "primary",
            SeenRole::Standby => "standby",
            SeenRole::Fenced => "fenced",
            SeenRole::Hibernated => "hibernated",
            SeenRole::Gone => "no pod",
            SeenRole::Starting => "starting",
            SeenRole::Unknown => "unknown",
        }
    }
}

/// Whether an instance takes writes, by its own newest word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OwnWord {
    /// It takes writes.
    pub primary: bool,
    /// SQL was told so; else `/pg/status`.
    pub by_sql: bool,
}

/// Does a standby receive WAL?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Follows {
    /// Its stream stands and is at the live end.
    Streaming,
    /// Its stream stands and it reads what it missed.
    CatchingUp,
    /// No stream.
    Broken,
    /// Nobody could be asked.
    Unknown,
}

/// How far behind the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Bytes of WAL not replayed yet.
    pub bytes: Option<u64>,
    /// Time until replayed, as the primary measures it.
    pub time: Option<SignedDuration>,
    /// `bytes` is a lower bound: taken from the slot, the standby's own row is gone.
    pub at_least: bool,
}

impl Lag {
    /// Nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.bytes.is_none() && self.time.is_none()
    }
}

/// One instance.
#[derive(Clone, Debug)]
pub struct InstancePicture<'a> {
    /// What the objects say of it.
    pub instance: &'a Instance,
    /// What it is.
    pub role: SeenRole,
    /// What it says of that itself; `None` when it does not answer.
    pub own: Option<OwnWord>,
    /// Whether it receives WAL; of a primary, meaningless.
    pub follows: Follows,
    /// `pg_stat_replication.sync_state` of it on the primary.
    pub sync: Option<SyncState>,
    /// Its own row in the primary's `pg_stat_replication`.
    pub row: Option<&'a Standby>,
    /// Where it is: the write position of a primary, the replay position of a standby.
    pub lsn: Option<Lsn>,
    /// The timeline it writes or receives. Never `/pg/status`'s of a standby, which stays old after a failover.
    pub timeline: Option<Timeline>,
    /// How far behind.
    pub lag: Lag,
    /// Replay is paused by hand.
    pub replay_paused: bool,
    /// Connections used and allowed.
    pub connections: Option<(u32, u32)>,
    /// Volumes with bytes used and in all.
    pub disks: &'a [DiskReading],
    /// When the newest answer of it was asked for.
    pub seen: Option<Timestamp>,
    /// Why it did not answer, when its newest probe brought none.
    pub silence: Option<&'a Silence>,
}

impl InstancePicture<'_> {
    /// Its name.
    pub fn name(&self) -> &InstanceName {
        &self.instance.name
    }

    /// The fullest share (0 to 1) of the volume for this purpose.
    pub fn disk(&self, purpose: VolumePurpose) -> Option<f64> {
        let share = |d: &DiskReading| (d.size > 0).then(|| d.used as f64 / d.size as f64);
        self.disks.iter().filter(|d| d.purpose == purpose).filter_map(share).reduce(f64::max)
    }
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// The watched objects.
    pub cluster: &'a Cluster,
    /// Its instances, ordered by name.
    pub instances: Vec<InstancePicture<'a>>,
    /// Who leads: by its own word, else as the operator last said.
    pub primary: Option<InstanceName>,
    /// Where the primary writes.
    pub current: Option<Lsn>,
    /// The promise the running server keeps; `None` not known, `Some(None)` asynchronous.
    pub rule: Option<Option<&'a SyncRule>>,
    /// The primary's slots; `None` not known.
    pub slots: Option<&'a [Slot]>,
    /// Everybody who receives WAL from the primary, instances of the cluster or not; `None` not known.
    pub rows: Option<&'a [Standby]>,
    /// How its archiver fares.
    pub archiver: ArchiverPicture<'a>,
    /// When the primary was asked for `current`, `rows`, `rule` and `slots`.
    pub primary_seen: Option<Timestamp>,
}

impl<'a> Picture<'a> {
    /// Puts the newest words together.
    pub fn of(facts: &'a Facts, cluster: &'a Cluster) -> Self {
        let samples = facts.samples.get(&cluster.key);
        let sample = |name: &InstanceName| samples.and_then(|s| s.get(name));
        let own: Vec<Option<OwnWord>> = cluster.instances.iter().map(|i| sample(&i.name).and_then(own_word)).collect();
        let seen = |(i, own): (&Instance, &Option<OwnWord>)| (role(cluster, i, *own), *own);
        let roles: Vec<(SeenRole, Option<OwnWord>)> = cluster.instances.iter().zip(&own).map(seen).collect();
        let primary = leader(cluster, &roles);
        // Whoever says that it follows has nothing to say of followers.
        let follows = |name: &&InstanceName| {
            cluster.instances.iter().zip(&own).any(|(i, o)| i.name == **name && o.is_some_and(|o| !o.primary))
        };
        let told = primary.as_ref().filter(|name| !follows(name)).and_then(sample);
        let words = told.map(PrimaryWords::of).unwrap_or_default();
        let instances = cluster
            .instances
            .iter()
            .zip(roles)
            .map(|(instance, seen)| one(instance, seen, sample(&instance.name), &words, primary.as_ref()))
            .collect();
        Picture {
            cluster,
            instances,
            primary,
            current: words.current,
            rule: words.rule,
            slots: words.slots,
            rows: words.standbys,
            archiver: told.map(ArchiverPicture::of).unwrap_or_default(),
            primary_seen: words.seen,
        }
    }

    /// The picture of one instance.
    pub fn get(&self, name: &InstanceName) -> Option<&InstancePicture<'a>> {
        self.instances.iter().find(|i| i.name() == name)
    }

    /// Everything but the primary.
    pub fn standbys(&self) -> impl Iterator<Item = &InstancePicture<'a>> {
        self.instances.iter().filter(|i| Some(i.name()) != self.primary.as_ref())
    }

    /// Standbys whose confirmation counts now, and how many the rule wants. `None` when the rule is not known.
    pub fn sync_kept(&self) -> Option<(u32, u32)> {
        let wanted = match self.rule {
            Some(Some(rule)) => rule.number,
            Some(None) => 0,
            None => return None,
        };
        let sync = |i: &&InstancePicture<'_>| matches!(i.sync, Some(SyncState::Sync | SyncState::Quorum));
        let have = self.standbys().filter(sync).count() as u32;
        Some((have.min(wanted), wanted))
    }

    /// The worst lag of its standbys: most bytes, of equals most time.
    pub fn worst_lag(&self) -> Lag {
        self.standbys().map(|i| i.lag).max_by_key(|l| (l.bytes, l.time)).unwrap_or_default()
    }

    /// The newest answer of any instance.
    pub fn seen(&self) -> Option<Timestamp> {
        self.instances.iter().filter_map(|i| i.seen).max()
    }
}

/// What the primary says about everybody.
#[derive(Default)]
struct PrimaryWords<'a> {
    current: Option<Lsn>,
    timeline: Option<Timeline>,
    standbys: Option<&'a [Standby]>,
    slots: Option<&'a [Slot]>,
    rule: Option<Option<&'a SyncRule>>,
    seen: Option<Timestamp>,
}

impl<'a> PrimaryWords<'a> {
    fn of(samples: &'a Samples) -> Self {
        let sql = newest(&samples.sql);
        let status = newest(&samples.status);
        let rule = sql.and_then(|(_, s)| s.sync_rule.as_ref()?.as_ref().ok()).map(Option::as_ref);
        // PostgreSQL hides the rows' details from a user without pg_monitor; /pg/status asks as superuser. Rows and
        // position come from one answer: mixed, what was written in between would look like lag.
        let sql_tells = |at: Timestamp, s: &SqlSample| {
            let better =
                |(t, o): (Timestamp, &InstanceStatus)| !fresh_enough(at, t) || (!s.sees_all && o.standbys.is_some());
            !s.in_recovery && !status.is_some_and(better)
        };
        match (sql, status) {
            (Some((at, s)), _) if sql_tells(at, s) => PrimaryWords {
                current: s.current,
                timeline: s.timeline,
                standbys: s.sees_all.then_some(s.standbys.as_slice()),
                slots: Some(&s.slots),
                rule,
                seen: Some(at),
            },
            (_, Some((at, s))) => PrimaryWords {
                current: s.current,
                timeline: s.timeline,
                standbys: s.standbys.as_deref(),
                slots: s.slots.as_deref(),
                rule,
                seen: Some(at),
            },
            _ => PrimaryWords { rule, ..PrimaryWords::default() },
        }
    }
}

/// SQL tells more than `/pg/status`; it is preferred until it is well behind.
fn fresh_enough(sql: Timestamp, status: Timestamp) -> bool {
    status.duration_since(sql) <= SignedDuration::from_secs(5)
}

fn newest<T>(probe: &Option<std::sync::Arc<Probe<T>>>) -> Option<(Timestamp, &T)> {
    let probe = probe.as_deref()?;
    Some((probe.at, probe.value()?))
}

/// The later answer counts.
fn own_word(samples: &Samples) -> Option<OwnWord> {
    let sql = newest(&samples.sql).map(|(at, s)| (at, OwnWord { primary: !s.in_recovery, by_sql: true }));
    let status = newest(&samples.status)
        .and_then(|(at, s)| s.is_primary.map(|primary| (at, OwnWord { primary, by_sql: false })));
    [sql, status].into_iter().flatten().max_by_key(|(at, _)| *at).map(|(_, own)| own)
}

fn role(cluster: &Cluster, instance: &Instance, own: Option<OwnWord>) -> SeenRole {
    if cluster.fenced.covers(&instance.name) {
        return SeenRole::Fenced;
    }
    let Some(pod) = &instance.pod else {
        let asleep = cluster.hibernation == Some(Hibernation::Hibernated);
        return if asleep { SeenRole::Hibernated } else { SeenRole::Gone };
    };
    match own.map(|own| own.primary) {
        Some(true) => SeenRole::Primary,
        Some(false) => SeenRole::Standby,
        None if !pod.running => SeenRole::Starting,
        None => match instance.role {
            Some(Role::Primary) => SeenRole::Primary,
            Some(Role::Replica) => SeenRole::Standby,
            _ => SeenRole::Unknown,
        },
    }
}

/// An own word outweighs a label; of equals the operator's choice leads; where nobody leads, whom it named last.
fn leader(cluster: &Cluster, roles: &[(SeenRole, Option<OwnWord>)]) -> Option<InstanceName> {
    let leading = cluster.instances.iter().zip(roles).filter(|(_, (role, _))| *role == SeenRole::Primary);
    let first = leading.min_by_key(|(i, (_, own))| (own.is_none(), cluster.primary.as_ref() != Some(&i.name)));
    first.map(|(i, _)| i.name.clone()).or_else(|| cluster.primary.clone())
}

fn one<'a>(
    instance: &'a Instance,
    (role, own): (SeenRole, Option<OwnWord>),
    samples: Option<&'a Samples>,
    words: &PrimaryWords<'a>,
    primary: Option<&InstanceName>,
) -> InstancePicture<'a> {
    let sql = samples.and_then(|s| newest(&s.sql));
    let status = samples.and_then(|s| newest(&s.status));
    let row = words.standbys.and_then(|rows| rows.iter().find(|r| instance.name == *r.name.as_str()));
    let leads = role == SeenRole::Primary;
    let lsn = position(leads, sql, status).or_else(|| row.and_then(|r| r.replay));
    let is_primary = Some(&instance.name) == primary;
    let timeline = sql.and_then(|(_, s)| s.timeline).or_else(|| status.filter(|_| leads).and_then(|(_, s)| s.timeline));
    // Hidden from most users on the standby itself, but who streams from the primary is on the primary's.
    let streams = row.is_some_and(|r| r.state.as_deref() == Some("streaming"));
    InstancePicture {
        instance,
        role,
        own,
        follows: if leads { Follows::Unknown } else { follows(row, words, sql, status) },
        sync: row.and_then(|r| r.sync),
        row,
        lsn,
        timeline: timeline.or(words.timeline.filter(|_| streams && !leads)),
        lag: if is_primary { Lag::default() } else { lag(instance, row, words, lsn) },
        replay_paused: sql.and_then(|(_, s)| s.replay_paused).or(status.map(|(_, s)| s.replay_paused)).unwrap_or(false),
        connections: sql.and_then(|(_, s)| s.connections),
        disks: samples.and_then(|s| newest(&s.metrics)).map_or(&[], |(_, m)| m.disks.as_slice()),
        seen: sql.map(|(at, _)| at).max(status.map(|(at, _)| at)),
        silence: silence(samples),
    }
}

fn position(
    leads: bool,
    sql: Option<(Timestamp, &SqlSample)>,
    status: Option<(Timestamp, &InstanceStatus)>,
) -> Option<Lsn> {
    let sql = sql.and_then(|(at, s)| Some((at, if leads { s.current? } else { s.replayed? })));
    let status = status.and_then(|(at, s)| Some((at, if leads { s.current? } else { s.replayed? })));
    sql.max(status).map(|(_, lsn)| lsn)
}

fn follows(
    row: Option<&Standby>,
    words: &PrimaryWords<'_>,
    sql: Option<(Timestamp, &SqlSample)>,
    status: Option<(Timestamp, &InstanceStatus)>,
) -> Follows {
    match row.map(|r| r.state.as_deref()) {
        Some(Some("streaming")) => return Follows::Streaming,
        Some(Some(_)) => return Follows::CatchingUp,
        Some(None) => return Follows::Unknown, // hidden from this user
        None if words.standbys.is_some() => return Follows::Broken,
        None => {}
    }
    let receiver = sql.and_then(|(_, s)| s.receiver.as_ref()).map(|r| r.status.is_some());
    match receiver.or(status.and_then(|(_, s)| s.receiver_active)) {
        Some(true) => Follows::Streaming,
        Some(false) => Follows::Broken,
        None => Follows::Unknown,
    }
}

fn lag(instance: &Instance, row: Option<&Standby>, words: &PrimaryWords<'_>, own: Option<Lsn>) -> Lag {
    if let Some(row) = row {
        let bytes = words.current.zip(row.replay).map(|(c, r)| c.since(r));
        // While idle PostgreSQL measures no time; with nothing to replay that is zero, otherwise it is not known.
        let time = row.replay_lag.or((bytes == Some(0)).then_some(SignedDuration::ZERO));
        return Lag { bytes, time, at_least: false };
    }
    let slot = words.slots.and_then(|all| all.iter().find(|s| belongs(s, &instance.name)));
    let kept = words.current.and_then(|c| slot?.retained(c));
    match (kept, words.current.zip(own)) {
        (_, Some((current, own))) => Lag { bytes: Some(current.since(own)), time: None, at_least: false },
        (Some(kept), None) => Lag { bytes: Some(kept), time: None, at_least: true },
        (None, None) => Lag::default(),
    }
}

/// CNPG names the slot of `demo-2` `_cnpg_demo_2`, Patroni `demo_2`.
pub fn belongs(slot: &Slot, instance: &InstanceName) -> bool {
    let name = instance.as_str().replace(['-', '.'], "_");
    slot.name.strip_suffix(&name).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('_'))
}

/// Why nothing of it is known: only where nobody got an answer. `/pg/status` speaks first, so that the reason does not
/// change with whoever asked last.
fn silence(samples: Option<&Samples>) -> Option<&Silence> {
    let samples = samples?;
    let status = samples.status.as_deref().map(|p| p.answer.as_ref().err());
    let sql = samples.sql.as_deref().map(|p| p.answer.as_ref().err());
    match (status, sql) {
        (Some(None), _) | (_, Some(None)) => None,
        (status, sql) => status.flatten().or(sql.flatten()),
    }
}
