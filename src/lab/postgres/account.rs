//! The account PostgreSQL runs as: never root.

use std::path::Path;

use crate::problem::Problem;

/// Who runs the server programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name, for messages.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// Whether this process has to change to it (it runs as root).
    pub change: bool,
}

impl Account {
    /// The account of this process, or `postgres`, else `nobody`, where this process is root's.
    ///
    /// # Errors
    /// When this process is root's and neither account exists.
    pub fn choose() -> Result<Account, Problem> {
        Err(Problem::new("account: not built yet"))
    }

    /// Whether it can reach `path`: every folder above must let it through.
    ///
    /// # Errors
    /// Names the folder that doesn't, and what to do.
    pub fn reaches(&self, path: &Path) -> Result<(), Problem> {
        let _ = path;
        Err(Problem::new("account: not built yet"))
    }
}
