//! What is kept of a cluster over time, and how facts fill it.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};

use super::series::{Resolution, Series};
use crate::domain::facts::{Fact, Facts};
use crate::domain::lsn::Lsn;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::replication::{Slot, Standby};

/// Clusters with full resolution at most: those looked at last.
const FOCUSED: usize = 8;
/// Standbys, and slots, of one cluster with a history: table synchronisations and base backups come under ever new names.
const NAMES: usize = 64;
/// A rate is measured over at least this many seconds.
const LEAST_APART: f64 = 0.4;
/// While SQL answered within this time, `/pg/status` is not mixed into the same series.
const SQL_SPEAKS: SignedDuration = SignedDuration::from_secs(5);

/// Where on its way to a standby WAL is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Written by the standby.
    Write,
    /// Flushed: safe there.
    Flush,
    /// Replayed: visible there.
    Replay,
}

/// A series for each stage that was measured. Kept to size: of a thousand clusters only the trend of one is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stages(Vec<(Stage, Series)>);

impl Stages {
    /// The series of a stage, where it was measured.
    pub fn get(&self, stage: &Stage) -> Option<&Series> {
        self.all().find(|(s, _)| s == stage).map(|(_, series)| series)
    }

    fn all(&self) -> impl Iterator<Item = (Stage, &Series)> {
        self.0.iter().map(|(stage, series)| (*stage, series))
    }

    fn push(&mut self, stage: Stage, resolution: Resolution, at: Timestamp, value: f64) {
        let place = self.0.iter().position(|(s, _)| *s == stage).unwrap_or_else(|| {
            self.0.reserve_exact(1);
            self.0.push((stage, Series::new(resolution)));
            self.0.len() - 1
        });
        self.0[place].1.push(at, value);
    }

    fn kept_in(&self, resolution: Resolution) -> Stages {
        Stages(self.all().map(|(stage, series)| (stage, series.kept_in(resolution))).collect())
    }
}

/// Lag of one standby.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LagSeries {
    /// In bytes behind the primary's current position.
    pub bytes: Stages,
    /// In seconds, as PostgreSQL measures it.
    pub time: Stages,
}

impl LagSeries {
    /// When the newest of its values was.
    fn heard(&self) -> Option<Timestamp> {
        let all = self.bytes.all().chain(self.time.all());
        all.filter_map(|(_, series)| series.last()).map(|(at, _)| at).max()
    }
}

/// What is kept of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// How much is kept.
    pub resolution: Resolution,
    /// Lag by standby.
    pub standbys: BTreeMap<InstanceName, LagSeries>,
    /// WAL written by the primary, bytes a second.
    pub wal_rate: Series,
    /// WAL kept back, bytes, by slot.
    pub slots: BTreeMap<String, Series>,
    written: Option<(Timestamp, InstanceName, Lsn)>,
    sql_at: Option<Timestamp>,
}

impl History {
    fn new(resolution: Resolution) -> Self {
        History {
            resolution,
            standbys: BTreeMap::new(),
            wal_rate: Series::new(resolution),
            slots: BTreeMap::new(),
            written: None,
            sql_at: None,
        }
    }

    fn wal(&mut self, at: Timestamp, primary: &InstanceName, current: Lsn) {
        if let Some((then, who, before)) = &self.written {
            let passed = at.duration_since(*then).as_secs_f64();
            // Two witnesses of nearly the same moment: what lies between them is no rate.
            if who == primary && (0.0..LEAST_APART).contains(&passed) {
                return;
            }
            if who == primary && passed > 0.0 && current >= *before {
                self.wal_rate.push(at, current.since(*before) as f64 / passed);
            }
            if passed < 0.0 {
                return;
            }
        }
        self.written = Some((at, primary.clone(), current));
    }

    fn lag(&mut self, at: Timestamp, current: Lsn, row: &Standby) {
        let resolution = self.resolution;
        let name = InstanceName::from(&row.name);
        make_room(&mut self.standbys, &name, LagSeries::heard);
        let lag = self.standbys.entry(name).or_default();
        let stages = [
            (Stage::Write, row.write, row.write_lag),
            (Stage::Flush, row.flush, row.flush_lag),
            (Stage::Replay, row.replay, row.replay_lag),
        ];
        for (stage, position, time) in stages {
            if resolution == Resolution::Trend && stage != Stage::Replay {
                continue;
            }
            if let Some(position) = position {
                lag.bytes.push(stage, resolution, at, current.since(position) as f64);
            }
            // PostgreSQL says nothing while there is nothing to do: with no byte missing, the lag is none.
            let idle = position.is_some_and(|p| p >= current).then_some(0.0);
            if let Some(time) = time.map(|t| t.as_secs_f64()).or(idle) {
                lag.time.push(stage, resolution, at, time);
            }
        }
    }

    fn slot(&mut self, at: Timestamp, current: Lsn, slot: &Slot) {
        let Some(kept) = slot.retained(current) else { return };
        let resolution = self.resolution;
        make_room(&mut self.slots, &slot.name, |kept| kept.last().map(|(at, _)| at));
        self.slots.entry(slot.name.clone()).or_insert_with(|| Series::new(resolution)).push(at, kept as f64);
    }

    /// A standby whose row is gone (`wal_sender_timeout`): its slot still gives a lower bound of the lag.
    fn unseen(&mut self, at: Timestamp, current: Lsn, slot_of: &BTreeMap<InstanceName, &Slot>, rows: &[Standby]) {
        for (name, slot) in slot_of {
            if rows.iter().all(|r| *name != *r.name)
                && let Some(restart) = slot.restart
            {
                self.lag(
                    at,
                    current,
                    &Standby {
                        name: name.to_string(),
                        flush: Some(restart),
                        replay: Some(restart),
                        ..Standby::default()
                    },
                );
            }
        }
    }

    fn observe(&mut self, at: Timestamp, name: &InstanceName, current: Lsn, seen: Seen) {
        self.wal(at, name, current);
        if let Some(rows) = seen.rows {
            for row in rows {
                self.lag(at, current, row);
            }
            self.unseen(at, current, &seen.slot_of, rows);
        }
        if self.resolution == Resolution::Full {
            for slot in seen.slots {
                self.slot(at, current, slot);
            }
        }
    }
}

/// Before a new name is entered: of more than [`NAMES`], the one heard of longest ago goes.
fn make_room<K: Ord + Clone, V>(all: &mut BTreeMap<K, V>, name: &K, heard: impl Fn(&V) -> Option<Timestamp>) {
    if all.len() >= NAMES && !all.contains_key(name) {
        let oldest = all.iter().min_by_key(|(_, v)| heard(v)).map(|(k, _)| k.clone());
        oldest.map(|k| all.remove(&k));
    }
}

/// What a primary said of its standbys.
struct Seen<'a> {
    rows: Option<&'a [Standby]>,
    slots: &'a [Slot],
    /// High-availability slots by the standby they are for.
    slot_of: BTreeMap<InstanceName, &'a Slot>,
}

/// The histories of all clusters.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    all: BTreeMap<ClusterKey, History>,
    /// Looked at last, newest last.
    focused: VecDeque<ClusterKey>,
}

impl Histories {
    /// The history of a cluster, where anything was learned.
    pub fn of(&self, key: &ClusterKey) -> Option<&History> {
        self.all.get(key)
    }

    /// Somebody looks at this cluster now: from here on it is kept in full. The one looked at longest ago makes room.
    pub fn focus(&mut self, key: &ClusterKey) {
        self.focused.retain(|k| k != key);
        self.focused.push_back(key.clone());
        if self.all.get(key).is_some_and(|h| h.resolution == Resolution::Trend) {
            self.all.insert(key.clone(), self.start(key));
        }
        if self.focused.len() > FOCUSED
            && let Some(old) = self.focused.pop_front()
        {
            self.all.remove(&old);
        }
    }

    fn start(&self, key: &ClusterKey) -> History {
        let resolution = if self.focused.contains(key) { Resolution::Full } else { Resolution::Trend };
        let mut fresh = History::new(resolution);
        let Some(old) = self.all.get(key) else { return fresh };
        fresh.wal_rate = old.wal_rate.kept_in(resolution);
        for (name, lag) in &old.standbys {
            let kept = LagSeries { bytes: lag.bytes.kept_in(resolution), time: lag.time.kept_in(resolution) };
            fresh.standbys.insert(name.clone(), kept);
        }
        fresh.written.clone_from(&old.written);
        fresh
    }

    /// Takes in what a fact says of lag, WAL and slots. `facts` is what is known, this fact included.
    pub fn observe(&mut self, facts: &Facts, fact: &Fact, now: Timestamp) {
        let (key, name, at, current, rows, slots, sql) = match fact {
            Fact::ClusterGone(key) => {
                self.all.remove(key);
                self.focused.retain(|k| k != key);
                return;
            }
            Fact::Sql(key, name, probe) => {
                let Some(s) = probe.value().filter(|s| !s.in_recovery) else { return };
                // From a user without pg_monitor the rows are hidden: then they are read from /pg/status.
                let rows = s.sees_all.then_some(s.standbys.as_slice());
                (key, name, probe.at, s.current, rows, s.slots.as_slice(), s.sees_all)
            }
            Fact::Status(key, name, probe) => {
                let Some(s) = probe.value().filter(|s| s.is_primary == Some(true)) else { return };
                let slots = s.slots.as_deref().unwrap_or_default();
                (key, name, probe.at, s.current, s.standbys.as_deref(), slots, false)
            }
            _ => return,
        };
        let Some(current) = current else { return };
        let Some(cluster) = facts.clusters.get(key) else { return };
        let slot_of = cluster
            .instances
            .iter()
            .filter(|i| i.name != *name)
            .filter_map(|i| {
                Some((i.name.clone(), slots.iter().find(|s| Some(&s.name) == cluster.slot_of(&i.name).as_ref())?))
            })
            .collect();
        if !self.all.contains_key(key) {
            self.all.insert(key.clone(), self.start(key));
        }
        let Some(history) = self.all.get_mut(key) else { return };
        if sql {
            history.sql_at = Some(at);
        } else if history.sql_at.is_some_and(|t| now.duration_since(t) < SQL_SPEAKS) {
            return;
        }
        history.observe(at.min(now), name, current, Seen { rows, slots, slot_of });
    }
}
