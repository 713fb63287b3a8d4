//! The audit trail: a line for each request that was sent, over all runs and for good; faults of a lab have one before, too.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::journal::private_folder;
use crate::problem::Problem;
use crate::procedure::{Request, RunId, StepId};

/// One thing done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// When its end was known.
    pub at: Timestamp,
    /// Who: `ann@laptop`.
    pub by: String,
    /// Through which kubeconfig context.
    pub context: String,
    /// Which cluster: `namespace/name`.
    pub cluster: String,
    /// What it belongs to.
    #[serde(flatten)]
    pub of: Of,
    /// What was sent.
    pub request: Request,
    /// `taken`, `refused`, `unknown`, `found done`, `found not done`; of taking back: `undone: taken`, …; of a fault also
    /// `asked for`, `stands`, `failed: …`, `undone`.
    pub outcome: String,
}

/// What a request belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Of {
    /// A step of a run.
    Step {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
    },
    /// A fault of a lab.
    Fault {
        /// Its name; empty until the lab gives it one.
        fault: String,
        /// Its kind and parameters; null where they can't be told.
        spec: Value,
    },
}

/// Where it is written.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
}

impl Audit {
    /// The trail in this file.
    pub fn new(path: PathBuf) -> Audit {
        Audit { path }
    }

    /// Appends a line: one write, so that two consoles can't mix theirs.
    ///
    /// # Errors
    /// It can't be written.
    pub fn append(&self, done: &Done) -> Result<(), Problem> {
        let unwritable = |e: &dyn std::fmt::Display| {
            Problem::new("the audit trail can't be written").because(format!("{}: {e}", self.path.display()))
        };
        let mut line = serde_json::to_string(done).map_err(|e| unwritable(&e))?;
        line.push('\n');
        if let Some(folder) = self.path.parent() {
            private_folder(folder).map_err(|e| unwritable(&e))?;
        }
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).map_err(|e| unwritable(&e))?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(|e| unwritable(&e))
    }
}
