//! A happening in words: how bad, one short word, one line.

use super::event::{Happening, Transition, What};
use super::health::Level;
use super::names::InstanceName;

/// What a row of the timeline says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// How much it wants attention.
    pub level: Level,
    /// The reason or the kind of change, short.
    pub what: String,
    /// About which object; empty where the cluster says it all.
    pub object: String,
    /// The rest.
    pub text: String,
    /// Who tells it.
    pub teller: Teller,
}

/// Who tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// A Kubernetes event.
    Kubernetes,
    /// A change howdah saw.
    Seen,
    /// A notice of howdah's own.
    Notice,
}

impl Teller {
    /// The word in the column.
    pub fn word(self) -> &'static str {
        match self {
            Teller::Kubernetes => "event",
            Teller::Seen => "seen",
            Teller::Notice => "notice",
        }
    }
}

/// A happening in words.
pub fn words(happening: &Happening) -> Words {
    match &happening.what {
        What::Kubernetes { warning, reason, object, message, count, .. } => Words {
            level: if *warning { Level::Warn } else { Level::Ok },
            what: reason.clone(),
            object: object.clone(),
            text: if *count > 1 { format!("{message} (×{count})") } else { message.clone() },
            teller: Teller::Kubernetes,
        },
        What::Notice { text, warning } => Words {
            level: if *warning { Level::Warn } else { Level::Ok },
            what: "Notice".into(),
            object: String::new(),
            text: text.clone(),
            teller: Teller::Notice,
        },
        What::Transition(transition) => of_transition(transition),
    }
}

fn of_transition(transition: &Transition) -> Words {
    use Transition::*;
    let (level, what, object, text) = match transition {
        Appeared => (Level::Ok, "Cluster", String::new(), "appeared".into()),
        Vanished => (Level::Warn, "Cluster", String::new(), "is gone".into()),
        Phase { from, to } => (Level::Ok, "Phase", String::new(), change(from.as_deref(), to.as_deref())),
        Target { from, to } => (Level::Warn, "Target", String::new(), change(from.as_deref(), to.as_deref())),
        Primary { from, to } => (Level::Warn, "Primary", String::new(), change(name(from), name(to))),
        Timeline { from, to } => (Level::Warn, "Timeline", String::new(), numbers(*from, *to)),
        Lease { from, to } => (Level::Ok, "Lease", String::new(), change(name(from), name(to))),
        ReadWrite { from, to } => {
            let level = if to.is_empty() { Level::Bad } else { Level::Ok };
            (level, "Writes", String::new(), format!("{} → {}", names(from), names(to)))
        }
        Ready { from, to } => {
            let level = if to.unwrap_or(0) < from.unwrap_or(0) { Level::Warn } else { Level::Ok };
            (level, "Ready", String::new(), numbers(*from, *to))
        }
        Pod { instance, change } => {
            let trouble = matches!(change.as_str(), "gone" | "not ready" | "restarted" | "deleting");
            (if trouble { Level::Warn } else { Level::Ok }, "Pod", instance.to_string(), change.clone())
        }
        Role { instance, from, to } => {
            (Level::Ok, "Role", instance.to_string(), change(from.as_deref(), to.as_deref()))
        }
        Condition { kind, status, reason } => {
            let (level, text) = condition(kind, *status, reason);
            (level, "Condition", String::new(), text)
        }
        Fencing { now } if now.is_empty() => (Level::Ok, "Fencing", String::new(), "lifted".into()),
        Fencing { now } => (Level::Warn, "Fencing", String::new(), now.join(", ")),
        Hibernation { now } if now == "off" => (Level::Ok, "Hibernation", String::new(), now.clone()),
        Hibernation { now } => (Level::Warn, "Hibernation", String::new(), now.clone()),
        Streaming { instance, streaming: true } => {
            (Level::Ok, "Streaming", instance.to_string(), "streams again".into())
        }
        Streaming { instance, streaming: false } => {
            (Level::Warn, "Streaming", instance.to_string(), "streams no more".into())
        }
        Job { job, attempt, why, .. } => (Level::Warn, "Job", job.clone(), format!("attempt {attempt} failed: {why}")),
        Backup { name, phase, failing, why } => {
            let level = if *failing { Level::Warn } else { Level::Ok };
            let why = why.as_ref().map(|w| format!(": {w}")).unwrap_or_default();
            (level, "Backup", name.clone(), format!("{phase}{why}"))
        }
        Verdict { about, from, to, reason } => {
            let reason = reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            (level_of(to), "Verdict", String::new(), format!("{about} {from} → {to}{reason}"))
        }
        Source { source, now } => {
            let level = if now == "live" { Level::Ok } else { Level::Unknown };
            (level, "Source", source.clone(), now.clone())
        }
    };
    Words { level, what: what.into(), object, text, teller: Teller::Seen }
}

fn condition(kind: &str, status: Option<bool>, reason: &str) -> (Level, String) {
    let (level, word) = match status {
        Some(true) => (Level::Ok, "true"),
        Some(false) => (Level::Warn, "false"),
        // A condition that an operator takes away is no longer a concern.
        None if reason == "Removed" => (Level::Ok, "gone"),
        None => (Level::Unknown, "unknown"),
    };
    (level, if word == "gone" { format!("{kind} is gone") } else { format!("{kind} is {word}: {reason}") })
}

fn numbers(from: Option<u32>, to: Option<u32>) -> String {
    let text = |n: Option<u32>| n.map(|n| n.to_string());
    change(text(from).as_deref(), text(to).as_deref())
}

fn level_of(word: &str) -> Level {
    [Level::Ok, Level::Warn, Level::Bad].into_iter().find(|l| l.word() == word).unwrap_or(Level::Unknown)
}

fn change(from: Option<&str>, to: Option<&str>) -> String {
    format!("{} → {}", from.unwrap_or("–"), to.unwrap_or("–"))
}

fn name(name: &Option<InstanceName>) -> Option<&str> {
    name.as_ref().map(InstanceName::as_str)
}

fn names(names: &[InstanceName]) -> String {
    if names.is_empty() {
        return "nowhere".into();
    }
    names.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ")
}

/// The letter that marks it on a graph's time axis, and how much it matters where two fall on one column (more is more);
/// `None`: it is not marked there. Marks tell who leads, who follows and how it was judged, not each step on the way.
pub fn mark(happening: &Happening) -> Option<(char, u8)> {
    match &happening.what {
        What::Transition(t) => match t {
            Transition::Primary { .. } => Some(('P', 8)),
            Transition::Timeline { .. } => Some(('T', 7)),
            Transition::Hibernation { .. } => Some(('H', 6)),
            Transition::Fencing { .. } => Some(('F', 6)),
            Transition::Target { .. } => Some(('G', 5)),
            Transition::ReadWrite { .. } => Some(('W', 4)),
            Transition::Verdict { .. } => Some(('V', 3)),
            Transition::Streaming { .. } => Some(('S', 2)),
            Transition::Role { .. } => Some(('R', 1)),
            _ => None,
        },
        What::Kubernetes { reason, .. } if LEADERSHIP.contains(&reason.as_str()) => Some(('E', 5)),
        What::Kubernetes { .. } | What::Notice { .. } => None,
    }
}

/// The operator's events about who leads.
const LEADERSHIP: [&str; 4] = ["FailingOver", "FailoverTarget", "SwitchingOver", "Switchover"];

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(what: What) -> Option<char> {
        let at = jiff::Timestamp::UNIX_EPOCH;
        mark(&Happening { at, context: "lab".into(), cluster: None, what }).map(|(letter, _)| letter)
    }

    #[test]
    fn marks_tell_the_story_and_no_probe_noise() {
        let event = |reason: &str| What::Kubernetes {
            warning: true,
            reason: reason.into(),
            object: "Pod/pg-1".into(),
            message: "Startup probe failed".into(),
            count: 1,
            uid: "u".into(),
        };
        assert_eq!(marked(event("Unhealthy")), None);
        assert_eq!(marked(event("FailedScheduling")), None);
        assert_eq!(marked(event("FailingOver")), Some('E'));
        let kind = "Ready".to_owned();
        let condition = Transition::Condition { kind, status: Some(true), reason: "ClusterIsReady".into() };
        assert_eq!(marked(What::Transition(condition)), None);
        let ready = Transition::Pod { instance: "pg-1".into(), change: "ready".into() };
        assert_eq!(marked(What::Transition(ready)), None);
        let target = Transition::Target { from: Some("pg-1".into()), to: Some("pending".into()) };
        assert_eq!(marked(What::Transition(target)), Some('G'));
    }
}
