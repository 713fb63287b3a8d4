//! Checks and gates in words, for plans.

use std::fmt;

use super::check::Check;
use super::plan::Gate;

impl fmt::Display for Check {
    /// What is seen when it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::All(checks) => {
                for (n, check) in checks.iter().enumerate() {
                    let and = if n == 0 { "" } else { ", and " };
                    write!(f, "{and}{check}")?;
                }
                Ok(())
            }
            Check::Leads { instance } => write!(f, "{instance} leads"),
            Check::AnotherLeads { than, .. } => write!(f, "another instance than {than} leads, on a later timeline"),
            Check::FullyRedundant { instances } => {
                write!(f, "{instances} instances are ready, and every standby streams from the primary")
            }
            Check::PodGone { instance, .. } => write!(f, "the pod of {instance} is gone"),
            Check::PodReplaced { instance, .. } => write!(f, "{instance} has a new pod, which streams or leads"),
            Check::RestartedSince { instance, since } => {
                write!(f, "PostgreSQL of {instance} started after {since:.0}, and answers")
            }
            Check::Serves { instance } => write!(f, "PostgreSQL of {instance} answers, and leads or streams"),
            Check::Requested { annotation, value } => write!(f, "the cluster object carries {annotation}={value}"),
            Check::Settled => f.write_str("no instance waits for a restart, and every one answers"),
            Check::Fenced { instances } if instances.is_empty() => f.write_str("nobody is fenced, and all answer"),
            Check::Fenced { instances } if instances.iter().any(|i| i == "*") => {
                f.write_str("every instance is fenced, and its PostgreSQL is down")
            }
            Check::Fenced { instances } => {
                write!(f, "{} fenced alone, with PostgreSQL down", instances.join(", "))
            }
            Check::Hibernated(true) => f.write_str("no pod is left"),
            Check::Hibernated(false) => f.write_str("every instance is ready again"),
            Check::Maintenance(true) => f.write_str("the maintenance window is open"),
            Check::Maintenance(false) => f.write_str("the maintenance window is closed"),
            Check::Cordoned { node, yes: true } => write!(f, "{node} takes no new pods"),
            Check::Cordoned { node, yes: false } => write!(f, "{node} takes new pods"),
            Check::ZoneLeft { zone } => write!(f, "no ready pod is left in {zone}"),
            Check::Of { cluster, check } => write!(f, "of {}: {check}", cluster.name),
            Check::There => f.write_str("the cluster's object is there"),
            Check::Recovered => f.write_str("the recovery job has ended well"),
            Check::LeadsOn { after: Some(after) } => {
                write!(f, "one leads by its own word, on a later timeline than {after}")
            }
            Check::LeadsOn { after: None } => f.write_str("one leads by its own word"),
            Check::BackupCompleted { backup } => write!(f, "Backup {backup} is completed"),
            Check::BackupDone { backup } => {
                write!(f, "Backup {backup} is completed, and its last WAL segment is in the archive")
            }
            Check::Scheduled { schedule, cron, suspended, looked, .. } => {
                let state = if *suspended { " and is suspended" } else { "" };
                let seen = if *looked { ", and the operator has acted by it" } else { "" };
                write!(f, "schedule {schedule} says {cron}{state}{seen}")
            }
            Check::ScheduleGone { schedule, .. } => write!(f, "schedule {schedule} is gone"),
            Check::Beats(count) => write!(f, "the heartbeat has {count} more acknowledged writes"),
        }
    }
}

impl fmt::Display for Gate {
    /// What is asked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gate::None => f.write_str("asks nothing"),
            Gate::Approve => f.write_str("asks for your yes"),
            Gate::TypeName(name) => write!(f, "asks you to type {name}"),
            Gate::ByHand(_) => f.write_str("you do this by hand"),
        }
    }
}
