//! The kinds of faults, one entry each: the words that help, panes, runbooks and the API's schema show.

use super::{FaultKind, Form, Parameter, Target};
use crate::domain::health::ReasonCode;

const fn number(name: &'static str, least: u64, most: u64, default: u64, what: &'static str) -> Parameter {
    Parameter { name, what, form: Form::Number { least, most, default } }
}

const HOW: Parameter = Parameter {
    name: "how",
    what: "What the network does with packets: drop them, so that everything waits in vain, or refuse connections.",
    form: Form::Word(&["drop", "refuse"]),
};

const RETRY: Parameter = number(
    "retrySeconds",
    0,
    300,
    80,
    "How long one archive_command tries before it fails, in seconds. 80 is what a real one took.",
);

const BASE: FaultKind = FaultKind {
    name: "",
    title: "",
    what: "",
    undo: "",
    target: Target::Primary,
    parameters: &[],
    seconds: 0,
    place: "",
    reasons: &[],
};

/// All kinds, in the order of lists.
pub const KINDS: &[FaultKind] = &[
    FaultKind {
        name: "kill-primary",
        title: "the primary is killed",
        what: "SIGKILL, once, to all processes in the primary's container: PostgreSQL and its instance manager.",
        undo: "Nothing is left to undo: its node starts the container again.",
        place: "container",
        reasons: &[ReasonCode::PrimaryNotReady, ReasonCode::PrimaryNotAnswering, ReasonCode::NoPrimary],
        ..BASE
    },
    FaultKind {
        name: "freeze-standby",
        title: "a standby hangs",
        what: "SIGSTOP to all PostgreSQL processes of a standby: it is there and does nothing.",
        undo: "SIGCONT.",
        target: Target::Standby,
        place: "processes",
        reasons: &[
            ReasonCode::InstanceNotAnswering,
            ReasonCode::InstanceNotServing,
            ReasonCode::StandbyNotStreaming,
            ReasonCode::InstanceNotReady,
        ],
        ..BASE
    },
    FaultKind {
        name: "zone-loss",
        title: "a zone is lost",
        what: "The power of a whole zone goes: its nodes and all that runs on them are dead and out of reach, its volumes \
               with them. Kubernetes notices by the nodes' silence.",
        undo: "The zone returns: nodes report, containers start again, instances rejoin.",
        target: Target::Zone,
        place: "zone",
        reasons: &[ReasonCode::NodeNotReady],
        ..BASE
    },
    FaultKind {
        name: "zone-cut",
        title: "a zone is cut off",
        what: "The network of a zone is parted from everything outside it. What runs there runs on, on its own.",
        undo: "The network is whole again: nodes report, an old primary finds that it leads no more and rejoins.",
        target: Target::Zone,
        parameters: &[HOW],
        place: "zone",
        reasons: &[ReasonCode::NodeNotReady, ReasonCode::InstanceNotAnswering, ReasonCode::PrimaryNotAnswering],
        ..BASE
    },
    FaultKind {
        name: "link-cut",
        title: "a link is cut",
        what: "The network between an instance and another one (`to`), or between it and everything, lets nothing pass.",
        undo: "The link is whole again.",
        target: Target::Instance,
        parameters: &[
            Parameter {
                name: "to",
                what: "The instance at the other end. Without it, the link to everything is cut.",
                form: Form::Instance,
            },
            HOW,
        ],
        place: "link",
        reasons: &[
            ReasonCode::InstanceNotAnswering,
            ReasonCode::StandbyNotStreaming,
            ReasonCode::PrimaryNotAnswering,
            ReasonCode::InstanceNotReady,
        ],
        ..BASE
    },
    FaultKind {
        name: "slow-standby",
        title: "a standby is slow",
        what: "A standby's links carry few bytes a second, and if asked it applies what it has got late.",
        undo: "The links are fast again, the delay is taken out; it catches up.",
        target: Target::Standby,
        parameters: &[
            // Slower than that, one message of WAL (128 KiB) outlasts wal_receiver_timeout, and the standby turns to the archive.
            number("bytesPerSecond", 49_152, 1 << 30, 65_536, "What its links carry, in bytes a second."),
            number("applyDelaySeconds", 0, 3_600, 0, "recovery_min_apply_delay, in seconds."),
            number(
                "writeMib",
                0,
                512,
                96,
                "WAL that the primary writes when the fault begins, in MiB, so that there is something to be behind of.",
            ),
        ],
        place: "speed",
        reasons: &[ReasonCode::StandbyLagging, ReasonCode::StandbyLagRising],
        ..BASE
    },
    FaultKind {
        name: "replay-paused",
        title: "replay is paused",
        what: "pg_wal_replay_pause() on a standby: it receives and does not apply.",
        undo: "pg_wal_replay_resume().",
        target: Target::Standby,
        place: "replay",
        reasons: &[ReasonCode::ReplayPaused],
        ..BASE
    },
    FaultKind {
        name: "archive-failing",
        title: "WAL archiving fails",
        what: "The object store can't be reached from archive_command, which tries for a while and gives up.",
        undo: "The store answers again; what has waited is archived.",
        target: Target::Cluster,
        parameters: &[RETRY],
        place: "archive",
        reasons: &[ReasonCode::ArchiveFailing],
        ..BASE
    },
    FaultKind {
        name: "bucket-unreachable",
        title: "the bucket is unreachable",
        what: "The object store refuses everybody: who looks into it, archive_command and backups, which try for a while \
               and give up.",
        undo: "The store answers again at the same address; what has waited is archived.",
        target: Target::Cluster,
        parameters: &[RETRY],
        place: "archive",
        reasons: &[ReasonCode::ArchiveFailing],
        ..BASE
    },
    FaultKind {
        name: "wal-missing",
        title: "a WAL segment is missing",
        what: "A segment that was archived after the newest base backup is deleted from the object store: nothing behind it \
               can be recovered. WAL is written first where there is none such.",
        undo: "The segment is put back.",
        target: Target::Cluster,
        place: "archived-wal",
        reasons: &[ReasonCode::ArchiveGap],
        ..BASE
    },
    FaultKind {
        name: "end-wal-missing",
        title: "a backup's last WAL is missing",
        what: "The segment that the newest base backup ends in is deleted from the object store: that backup says it is \
               completed and can't be restored.",
        undo: "The segment is put back.",
        target: Target::Cluster,
        place: "archived-wal",
        reasons: &[ReasonCode::NothingRestorable, ReasonCode::BackupNotRestorable],
        ..BASE
    },
    FaultKind {
        name: "base-corrupted",
        title: "a base backup is corrupted",
        what: "The data of the newest base backup are damaged in the object store; what is told of it stays.",
        undo: "The data are as they were.",
        target: Target::Cluster,
        parameters: &[Parameter {
            name: "damage",
            what: "What was done to the data: they end in the middle, or bytes of them are changed here and there.",
            form: Form::Word(&["cut-short", "bytes-changed"]),
        }],
        place: "base-backup",
        ..BASE
    },
    FaultKind {
        name: "slot-left-behind",
        title: "a slot holds WAL",
        what: "A physical replication slot that nobody uses, and WAL written after it, which it holds.",
        undo: "The slot is dropped, and a checkpoint removes what it held.",
        parameters: &[number("writeMib", 0, 1_024, 320, "WAL that the primary writes after it, in MiB.")],
        place: "slot",
        reasons: &[ReasonCode::SlotInactive],
        ..BASE
    },
    FaultKind {
        name: "long-transaction",
        title: "a transaction stays open",
        what: "A session of the application begins a transaction, takes a snapshot and goes idle: nothing newer than \
               that can be vacuumed.",
        undo: "The transaction is rolled back, the session ends.",
        place: "transaction",
        reasons: &[ReasonCode::LongTransaction],
        ..BASE
    },
    FaultKind {
        name: "connections-exhausted",
        title: "connections are exhausted",
        what: "The application opens connections until only the reserved ones are left, and keeps them.",
        undo: "They are closed.",
        parameters: &[number("leave", 0, 1_000, 0, "How many are left for others, beside the reserved ones.")],
        place: "connections",
        reasons: &[ReasonCode::ConnectionsNearLimit],
        ..BASE
    },
    FaultKind {
        name: "wal-volume-nearly-full",
        title: "the WAL volume fills",
        what: "A ballast file fills the WAL volume of an instance up to a share of its claim's stated size. At 100 % \
               PostgreSQL stops, as it does on a full disk, and is not started before there is room.",
        undo: "The ballast is removed.",
        target: Target::Instance,
        parameters: &[number("percent", 1, 100, 90, "How full the volume is to be, in percent of the claim.")],
        place: "wal-volume",
        reasons: &[ReasonCode::DiskFilling],
        ..BASE
    },
    FaultKind {
        name: "api-outage",
        title: "the API is down",
        what: "The Kubernetes API answers nobody for a while. The world goes on, unseen.",
        undo: "By itself, since the API can't be asked; `howdah lab api start --dir …` ends it early.",
        target: Target::Api,
        seconds: 30,
        place: "api",
        reasons: &[ReasonCode::Stale, ReasonCode::CantBeAsked],
        ..BASE
    },
];
