//! Kinds of plans, by name.

use serde::{Deserialize, Serialize};

/// What a plan is. The names are those of the command line and of journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation; each has its file in `catalog`")]
pub enum Kind {
    Switchover,
    RestartInstance,
    RestartCluster,
    Reload,
    Fence,
    Unfence,
    Hibernate,
    Wake,
    Rebuild,
    Scale,
    Maintenance,
    FailoverDrill,
    SwitchoverDrill,
    ZoneLossDrill,
    StandbyLossDrill,
    RestoreDrill,
    Runbook,
    Restore,
    TakeBackup,
    Schedule,
}

impl Kind {
    /// As journals and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Switchover => "switchover",
            Kind::RestartInstance => "restart-instance",
            Kind::RestartCluster => "restart-cluster",
            Kind::Reload => "reload",
            Kind::Fence => "fence",
            Kind::Unfence => "unfence",
            Kind::Hibernate => "hibernate",
            Kind::Wake => "wake",
            Kind::Rebuild => "rebuild",
            Kind::Scale => "scale",
            Kind::Maintenance => "maintenance",
            Kind::FailoverDrill => "failover-drill",
            Kind::SwitchoverDrill => "switchover-drill",
            Kind::ZoneLossDrill => "zone-loss-drill",
            Kind::StandbyLossDrill => "standby-loss-drill",
            Kind::RestoreDrill => "restore-drill",
            Kind::Runbook => "runbook",
            Kind::Restore => "restore",
            Kind::TakeBackup => "take-backup",
            Kind::Schedule => "schedule",
        }
    }

    /// It is a drill: what it measures is told by a report.
    pub fn is_drill(self) -> bool {
        self.name().ends_with("-drill")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kind_is_named_as_it_is_written() {
        for kind in [Kind::Switchover, Kind::RestartInstance, Kind::StandbyLossDrill, Kind::Runbook, Kind::TakeBackup] {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.name()));
        }
    }
}
