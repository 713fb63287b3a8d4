//! What happened: one timeline for Kubernetes events, transitions howdah saw, and its own notices.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names::InstanceName;
use super::names::{ClusterKey, Context};
use super::replication::Standby;
use super::wal::Timeline;

/// One entry of the timeline. Events add; they are never folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// When it happened, as its teller says; else when howdah learned it.
    pub at: Timestamp,
    /// Whose it is: a cluster's, or of a whole context.
    pub context: Context,
    /// The cluster, where it belongs to one.
    pub cluster: Option<ClusterKey>,
    /// What happened.
    pub what: What,
}

/// Kinds of happenings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A Kubernetes event.
    Kubernetes {
        /// `Normal` is false, `Warning` is true.
        warning: bool,
        /// `FailingOver`, `Killing`, …
        reason: String,
        /// `Kind/name`.
        object: String,
        /// Cleaned.
        message: String,
        /// How often it was repeated.
        count: u32,
        /// The event object's uid: a later version of the same event replaces it in the timeline.
        uid: String,
    },
    /// Something that howdah saw change.
    Transition(Transition),
    /// A notice of howdah's own.
    Notice {
        /// In words.
        text: String,
        /// It wants attention.
        warning: bool,
    },
}

/// A change between two pictures of a cluster, posted by the source that saw it: two changes in one frame fold into one
/// fact, but both of their transitions arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// The cluster appeared.
    Appeared,
    /// The cluster went.
    Vanished,
    /// The phase's text changed.
    Phase {
        /// Before.
        from: Option<String>,
        /// Now.
        to: Option<String>,
    },
    /// The operator wants another primary (`pending` while undecided).
    Target {
        /// Before.
        from: Option<String>,
        /// Now.
        to: Option<String>,
    },
    /// The primary changed.
    Primary {
        /// Before.
        from: Option<InstanceName>,
        /// Now.
        to: Option<InstanceName>,
    },
    /// The timeline in the status changed.
    Timeline {
        /// Before.
        from: Option<Timeline>,
        /// Now.
        to: Option<Timeline>,
    },
    /// The lease changed hands; `None` is released.
    Lease {
        /// Before.
        from: Option<InstanceName>,
        /// Now.
        to: Option<InstanceName>,
    },
    /// The read-write service leads elsewhere; empty is nowhere.
    ReadWrite {
        /// Before.
        from: Vec<InstanceName>,
        /// Now.
        to: Vec<InstanceName>,
    },
    /// Ready instances changed.
    Ready {
        /// Before.
        from: Option<u32>,
        /// Now.
        to: Option<u32>,
    },
    /// An instance's pod appeared, went, or became (un)ready.
    Pod {
        /// Which.
        instance: InstanceName,
        /// `created`, `deleting`, `gone`, `ready`, `not ready`, `restarted`.
        change: String,
    },
    /// An instance's role label changed.
    Role {
        /// Which.
        instance: InstanceName,
        /// Before.
        from: Option<String>,
        /// Now.
        to: Option<String>,
    },
    /// A condition changed its status.
    Condition {
        /// Which.
        kind: String,
        /// Now.
        status: Option<bool>,
        /// Its reason.
        reason: String,
    },
    /// Fencing changed; the names, `*` for all.
    Fencing {
        /// Now fenced.
        now: Vec<String>,
    },
    /// Hibernation changed: asked, done, off.
    Hibernation {
        /// In a word.
        now: String,
    },
    /// A standby began or ceased to stream.
    Streaming {
        /// Which.
        instance: InstanceName,
        /// Now.
        streaming: bool,
    },
    /// An attempt of a job that builds an instance failed, or was heard to say why.
    Job {
        /// The job.
        job: String,
        /// What it does: `full-recovery`, `join`, …
        role: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why, as far as it is known.
        why: String,
    },
    /// A Backup came to another phase.
    Backup {
        /// Which.
        name: String,
        /// Its phase, word for word.
        phase: String,
        /// It failed, or is about to.
        failing: bool,
        /// Its error, where it has one.
        why: Option<String>,
    },
    /// A verdict changed.
    Verdict {
        /// `availability` or `recoverability`.
        about: String,
        /// Before.
        from: String,
        /// Now.
        to: String,
        /// The first reason now.
        reason: Option<String>,
    },
    /// A source became late, failing or live again.
    Source {
        /// Which, in words.
        source: String,
        /// Now, in words.
        now: String,
    },
}

impl Transition {
    /// Who began or ceased to stream between two lists of one primary, `pg_stat_replication` then and now. A hidden state
    /// changes nothing.
    pub fn streaming(then: &[Standby], now: &[Standby]) -> Vec<Transition> {
        let streams = |rows: &[Standby], name: &str| match rows.iter().find(|r| r.name == name) {
            Some(row) => row.state.as_deref().map(|s| s == "streaming"),
            None => Some(false),
        };
        let mut names: Vec<&str> = then.iter().chain(now).map(|r| r.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter_map(|name| {
                let (before, after) = (streams(then, name)?, streams(now, name)?);
                (before != after).then(|| Transition::Streaming { instance: name.into(), streaming: after })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streaming_begins_and_ends_and_hidden_is_neither() {
        let row = |name: &str, state: Option<&str>| Standby {
            name: name.into(),
            state: state.map(str::to_owned),
            ..Standby::default()
        };
        let then = [row("a", Some("streaming")), row("b", Some("catchup")), row("c", Some("streaming"))];
        let now = [row("b", Some("streaming")), row("c", None)];
        let told = Transition::streaming(&then, &now);
        let change = |instance: &str, streaming| Transition::Streaming { instance: instance.into(), streaming };
        assert_eq!(told, [change("a", false), change("b", true)]);
        assert!(Transition::streaming(&now, &now).is_empty());
    }
}
