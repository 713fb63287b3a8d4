//! The lab's folder: one lab per folder, locked, and nothing left of it afterwards.

use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// A folder that belongs to one running lab. Removed when the value is dropped (what was made in it).
#[derive(Debug)]
pub struct LabDir {
    root: PathBuf,
}

impl LabDir {
    /// Takes `dir` (made when missing, else it must be empty or a former lab's), or a fresh folder in the temporary
    /// place. Clears what labs that were killed have left behind.
    ///
    /// # Errors
    /// When another lab is using it, when it holds something else, or when it can't be written.
    pub fn open(dir: Option<&Path>) -> Result<LabDir, Problem> {
        let _ = dir;
        Err(Problem::new("lab folder: not built yet"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }
}
