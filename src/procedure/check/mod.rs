//! Checks: what shows that a step is done, asked of the facts alone.
//!
//! A check is a question to witnesses: the watched objects, and the servers themselves. Only what was confirmed after the
//! step's start counts; a phase alone proves nothing, and what nobody said is no "yes". Every piece of evidence names its
//! witness. It must not know how facts come in, or what a step does.

mod asked;
mod backup;
mod leads;
mod pods;
mod purpose;
mod redundant;
mod restored;
mod schedule;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::facts::Facts;
use crate::domain::names::{ClusterKey, InstanceName, NodeName, ZoneName};
use crate::domain::wal::Timeline;

pub use backup::stage_of;

/// What must be seen. Plain data: it prints in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// All of these.
    All(Vec<Check>),
    /// This instance leads: the operator says so, it is out of recovery by its own word, the writes lead to it.
    Leads {
        /// Which.
        instance: InstanceName,
    },
    /// Another one than this leads, on a later timeline.
    AnotherLeads {
        /// Who led before.
        than: InstanceName,
        /// The timeline then.
        after: Option<Timeline>,
    },
    /// As many instances as asked for are ready, every standby streams from the primary on its timeline, and the
    /// promise of synchronous commit is met.
    FullyRedundant {
        /// How many instances.
        instances: u32,
    },
    /// The pod of this identity is gone.
    PodGone {
        /// Whose.
        instance: InstanceName,
        /// Its identity.
        uid: String,
    },
    /// The instance has another pod than this one, ready, and streams or leads.
    PodReplaced {
        /// Which.
        instance: InstanceName,
        /// The old pod's identity.
        uid: String,
    },
    /// PostgreSQL of this instance started after that time, and answers.
    RestartedSince {
        /// Which.
        instance: InstanceName,
        /// That time.
        since: Timestamp,
    },
    /// PostgreSQL of this instance answers for itself, and leads or streams from who leads.
    Serves {
        /// Which.
        instance: InstanceName,
    },
    /// No instance waits for a restart, and every one answers.
    Settled,
    /// The cluster object carries this request to the operator: an annotation with this value.
    Requested {
        /// The annotation.
        annotation: String,
        /// Its value.
        value: String,
    },
    /// Exactly these are fenced and their PostgreSQL is down; none: nobody is fenced and all answer.
    Fenced {
        /// Which; `*` for all.
        instances: Vec<String>,
    },
    /// Hibernated (true): no pod is left; or awake (false): ready again.
    Hibernated(bool),
    /// The maintenance window is open, or not.
    Maintenance(bool),
    /// The node takes no new pods, or does.
    Cordoned {
        /// Which.
        node: NodeName,
        /// It is cordoned.
        yes: bool,
    },
    /// No ready pod of the cluster is in this zone.
    ZoneLeft {
        /// Which.
        zone: ZoneName,
    },
    /// The heartbeat has had this many more acknowledged writes since the step began.
    Beats(u64),
    /// This holds for another cluster than the plan's.
    Of {
        /// Which.
        cluster: ClusterKey,
        /// What.
        check: Box<Check>,
    },
    /// The cluster's object is there. Not being there yet is no end.
    There,
    /// The cluster's data has been recovered from a backup.
    Recovered,
    /// Whoever leads is out of recovery, on a later timeline than this.
    LeadsOn {
        /// The timeline that the base backup was taken on.
        after: Option<Timeline>,
    },
    /// The Backup of that name is completed, and its last WAL segment is in the archive as far as anybody can tell.
    BackupDone {
        /// The Backup object.
        backup: String,
    },
    /// The Backup of that name is completed; its last WAL segment may still be on its way to the archive.
    BackupCompleted {
        /// The Backup object.
        backup: String,
    },
    /// The backup schedule carries this, and the operator doesn't complain of it.
    Scheduled {
        /// The ScheduledBackup object.
        schedule: String,
        /// Its expression.
        cron: String,
        /// It is suspended.
        suspended: bool,
        /// The operator must have looked at it.
        looked: bool,
        /// When it had last looked before.
        before: Option<Timestamp>,
    },
    /// The backup schedule of this identity is gone.
    ScheduleGone {
        /// The ScheduledBackup object.
        schedule: String,
        /// Its identity; empty: whichever has the name.
        uid: String,
    },
}

/// What the facts say to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It holds; what was seen, each with its witness.
    Yes(Vec<String>),
    /// Not yet, and what is still missing. Also: nothing fresh enough was heard.
    NotYet(String),
    /// It can't hold any more.
    Never(String),
}

impl Check {
    /// Asks the facts. Only what was confirmed after `since` counts; an older fact is no answer.
    pub fn judge(&self, facts: &Facts, cluster: &ClusterKey, since: Timestamp) -> Proof {
        if let Check::Of { cluster, check } = self {
            return check.judge(facts, cluster, since);
        }
        let told = match asked::Asked::new(facts, cluster, since) {
            Ok(asked) => self.ask(&asked),
            // A new object is told by its watch some time after it was made.
            Err(Proof::Never(_)) if *self == Check::There => asked::missing(format!("{cluster} has not been seen yet")),
            Err(proof) => Err(proof),
        };
        told.map_or_else(|proof| proof, Proof::Yes)
    }

    /// The other clusters that it asks of.
    pub fn others(&self) -> Vec<&ClusterKey> {
        match self {
            Check::Of { cluster, check } => std::iter::once(cluster).chain(check.others()).collect(),
            Check::All(checks) => checks.iter().flat_map(Check::others).collect(),
            _ => Vec::new(),
        }
    }

    /// The same, asked of another cluster.
    #[must_use]
    pub fn of(self, cluster: &ClusterKey) -> Check {
        Check::Of { cluster: cluster.clone(), check: Box::new(self) }
    }

    /// The evidence, or why it is not proven.
    fn ask(&self, a: &asked::Asked<'_>) -> asked::Told {
        match self {
            Check::All(checks) => {
                let mut evidence: Vec<String> = Vec::new();
                for check in checks {
                    for line in check.ask(a)? {
                        if !evidence.contains(&line) {
                            evidence.push(line);
                        }
                    }
                }
                Ok(evidence)
            }
            Check::Leads { instance } => leads::leads(a, instance),
            Check::AnotherLeads { than, after } => leads::another(a, than, *after),
            Check::FullyRedundant { instances } => redundant::fully(a, *instances),
            Check::PodGone { instance, uid } => pods::gone(a, instance, uid),
            Check::PodReplaced { instance, uid } => pods::replaced(a, instance, uid),
            Check::RestartedSince { instance, since } => pods::restarted(a, instance, *since),
            Check::Serves { instance } => redundant::serves(a, instance),
            Check::Settled => pods::settled(a),
            Check::Requested { annotation, value } => purpose::requested(a, annotation, value),
            Check::Fenced { instances } => purpose::fenced(a, instances),
            Check::Hibernated(yes) => purpose::hibernated(a, *yes),
            Check::Maintenance(open) => purpose::maintenance(a, *open),
            Check::Cordoned { node, yes } => pods::cordoned(a, node, *yes),
            Check::ZoneLeft { zone } => pods::zone_left(a, zone),
            Check::Beats(more) => purpose::beats(a, *more),
            Check::Of { cluster, check } => match check.judge(a.facts, cluster, a.since) {
                Proof::Yes(evidence) => Ok(evidence),
                proof => Err(proof),
            },
            Check::There => restored::there(a),
            Check::Recovered => restored::recovered(a),
            Check::LeadsOn { after } => restored::leads_on(a, *after),
            Check::BackupDone { backup } => backup::done(a, backup),
            Check::BackupCompleted { backup } => backup::completed(a, backup),
            Check::Scheduled { schedule, cron, suspended, looked, before } => {
                schedule::carries(a, schedule, (cron, *suspended), looked.then_some(*before))
            }
            Check::ScheduleGone { schedule, uid } => schedule::gone(a, schedule, uid),
        }
    }
}
