//! The faults that can be made in a lab, as a table: their names, what each does, what it takes, how it is undone.
//!
//! The lab performs them and describes its API's objects by this table; the command line and the panes show the same
//! words. Nothing here does anything.

mod kinds;

pub use kinds::KINDS;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::ReasonCode;

/// The API group of the lab's own objects.
pub const GROUP: &str = "lab.howdah.dev";
/// Its version.
pub const VERSION: &str = "v1";
/// The kind of a fault's object.
pub const KIND: &str = "Fault";
/// Its plural, as paths and kubectl name it.
pub const PLURAL: &str = "faults";
/// Holds a fault's object until the fault is undone.
pub const FINALIZER: &str = "lab.howdah.dev/undo";
/// The longest that a fault may be given to end by itself, in seconds.
pub const LONGEST: u64 = 86_400;

/// What a fault is done to: which of `spec.instance` and `spec.zone` it takes, and what stands there where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The cluster's primary; `spec.instance` may name it and nothing else.
    Primary,
    /// A standby: `spec.instance`, else the first one.
    Standby,
    /// Any instance: `spec.instance`, else the primary.
    Instance,
    /// A zone: `spec.zone`, else that of the primary.
    Zone,
    /// The cluster as a whole.
    Cluster,
    /// The Kubernetes API.
    Api,
}

impl Target {
    /// In words, for lists.
    pub fn words(self) -> &'static str {
        match self {
            Target::Primary => "the primary",
            Target::Standby => "a standby",
            Target::Instance => "an instance",
            Target::Zone => "a zone",
            Target::Cluster => "the cluster",
            Target::Api => "the API",
        }
    }
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A whole number within these bounds, and what it is where nothing is said.
    Number {
        /// At least.
        least: u64,
        /// At most.
        most: u64,
        /// Otherwise.
        default: u64,
    },
    /// One of these words; the first where nothing is said.
    Word(&'static [&'static str]),
    /// Another instance of the cluster; may be left out.
    Instance,
}

/// A parameter of some kinds: a field of `spec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// The field.
    pub name: &'static str,
    /// What it means, with its unit.
    pub what: &'static str,
    /// What it may be.
    pub form: Form,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FaultKind {
    /// `spec.kind`.
    pub name: &'static str,
    /// A few words, for a list.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub what: &'static str,
    /// How it is undone, in one sentence.
    pub undo: &'static str,
    /// What it is done to.
    pub target: Target,
    /// What else it takes.
    pub parameters: &'static [Parameter],
    /// Seconds after which it ends by itself where nothing is said; 0: when it is stopped.
    pub seconds: u64,
    /// Two faults that share a place can't stand side by side on the same target: they would undo each other.
    #[serde(skip)]
    pub place: &'static str,
    /// What the verdict says of it, first and foremost: one of these. None where only a look into the object store tells.
    pub reasons: &'static [ReasonCode],
}

/// A fault that stands, as its object tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The object's name.
    pub name: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// The cluster it is done to; empty before the lab has completed the object.
    #[serde(default)]
    pub cluster: String,
    /// Its kind's name.
    pub kind: String,
    /// What it is done to.
    pub target: String,
    /// `Starting`, `Active`, `Undoing` or `Failed`; empty before the lab has seen it.
    pub state: String,
    /// What was done, or why it could not be.
    pub message: String,
    /// Since when it is in this state.
    pub since: Option<Timestamp>,
}

/// What is asked of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultOrder {
    /// Start one of this kind.
    Start {
        /// The kind's name.
        kind: String,
        /// The instance it is done to; `None`: one that fits.
        instance: Option<String>,
        /// The zone it is done to; `None`: one that fits.
        zone: Option<String>,
    },
    /// Stop the one of this name.
    Stop {
        /// The object's name.
        name: String,
    },
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static FaultKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_are_words_and_unique() {
        for (at, kind) in KINDS.iter().enumerate() {
            assert!(kind.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", kind.name);
            assert!(KINDS[..at].iter().all(|other| other.name != kind.name), "{} twice", kind.name);
            // What is wrong with the data of a base backup shows when somebody restores it.
            let unseen = kind.place == "base-backup";
            assert!(kind.reasons.is_empty() == unseen && !kind.place.is_empty(), "{}", kind.name);
            assert!(kind.what.ends_with('.') && kind.undo.ends_with('.'), "{}", kind.name);
        }
        assert_eq!(super::kind("zone-loss").map(|k| k.target), Some(Target::Zone));
        assert!(super::kind("nothing").is_none());
    }

    #[test]
    fn a_parameter_of_several_kinds_has_one_form() {
        let mut seen: BTreeMap<&str, std::mem::Discriminant<Form>> = BTreeMap::new();
        for parameter in KINDS.iter().flat_map(|kind| kind.parameters) {
            let form = std::mem::discriminant(&parameter.form);
            assert_eq!(*seen.entry(parameter.name).or_insert(form), form, "{}", parameter.name);
            if let Form::Number { least, most, default } = parameter.form {
                assert!((least..=most).contains(&default), "{}", parameter.name);
            }
        }
    }
}
