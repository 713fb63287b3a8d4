//! Where this machine has PostgreSQL's server programs.

use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// One folder with `postgres`, `initdb`, `pg_basebackup`, `pg_rewind` and the others, all of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub dir: PathBuf,
    /// The major version: 13 or newer.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
}

impl Binaries {
    /// The newest on this machine; `HOWDAH_PG_BIN` names a folder outright.
    ///
    /// # Errors
    /// When there is none of version 13 or newer: says where was looked and how to install one.
    pub fn find() -> Result<Binaries, Problem> {
        Err(Problem::new("binaries: not built yet"))
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        Path::new(&self.dir).join(name)
    }

    /// As `pg_settings.server_version_num` writes it: 150018.
    pub fn version_num(&self) -> u32 {
        self.major * 10_000 + self.minor
    }
}
