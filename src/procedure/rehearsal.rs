//! What the API said when it was asked to try a change without making it.

use serde::{Deserialize, Serialize};

use super::plan::StepId;

/// What a server-side dry run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rehearsal {
    /// The API would take it; the object before and after, as lines of text: `-` goes, `+` comes, ` ` stays. Empty: nothing
    /// would change.
    Diff(Vec<String>),
    /// There is no dry run for it, and why. SQL has none.
    None(String),
}

/// A step that the API has tried without doing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub step: StepId,
    /// What it would do.
    pub shown: Rehearsal,
}
