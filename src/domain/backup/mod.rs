//! Backups: what the store holds, what can be restored from it, and what the objects say about it.
//!
//! Pure: it is fed with listings, small texts and objects, and answers. It must not know where a listing comes from
//! (which cloud, which credentials), nor what time it is.

pub mod archive;
pub mod catalog;
pub mod continuity;
pub mod cron;
pub mod info;
pub mod target;

pub use archive::Archive;
pub use catalog::Catalog;
pub use continuity::Continuity;
pub use info::{BackupInfo, BackupStatus};
pub use target::RecoveryTarget;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The store of one cluster as it was last listed. How the listing goes (late, failing, absent and why) is the health
/// of its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreListing {
    /// Where it is, without credentials.
    pub destination: String,
    /// The server's folder in it.
    pub server: String,
    /// What it holds.
    pub archive: Archive,
    /// When the listing was begun: what was stored or removed later may not show.
    pub asked: Timestamp,
    /// How long it took so far.
    pub took: SignedDuration,
    /// Pages that came.
    pub pages: u64,
    /// All pages came and every small file was read or told bad. Before that, what is missing here may yet come.
    pub whole: bool,
}

impl StoreListing {
    /// It is of a copy in a folder: it stands for whichever store that was copied from.
    pub fn is_copy(&self) -> bool {
        self.destination.starts_with("file://")
    }
}

/// A store that holds what it held: what a later listing of it told beside that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenAgain {
    /// When it was begun.
    pub asked: Timestamp,
    /// How long it took.
    pub took: SignedDuration,
    /// Pages that came.
    pub pages: u64,
    /// Keys seen.
    pub keys: u64,
}

impl StoreListing {
    /// What a later listing tells anew, where it holds the same as this one.
    pub fn again(&self, later: &StoreListing) -> Option<SeenAgain> {
        let place = |l: &StoreListing| (l.destination == self.destination, l.server == self.server, l.whole);
        let same = place(later) == (true, true, self.whole) && self.archive.holds_the_same(&later.archive);
        let StoreListing { asked, took, pages, .. } = *later;
        same.then_some(SeenAgain { asked, took, pages, keys: later.archive.keys })
    }

    /// The later listing.
    #[must_use]
    pub fn seen_again(&self, again: &SeenAgain) -> StoreListing {
        let mut listing = self.clone();
        (listing.asked, listing.took, listing.pages) = (again.asked, again.took, again.pages);
        listing.archive.keys = again.keys;
        listing
    }
}
