//! The WAL archive in Barman's cloud layout, in a folder that plays the object store.

use std::path::PathBuf;

/// One server's part of the object store: `<root>/<server>/{wals,base}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The bucket or container: a folder.
    pub root: PathBuf,
    /// Barman's server name: the cluster's name unless said otherwise.
    pub server: String,
}

impl Store {
    /// Where a WAL file, a `.history`, a `.backup` or a `.partial` file goes, relative to the root.
    pub fn wal_path(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }
}
