//! Catalogs that were made: a verdict is asked many times a second, and what a listed archive holds changes seldom.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Catalog, Witnesses};
use crate::domain::backup::StoreListing;
use crate::domain::cluster::Cluster;
use crate::domain::names::ClusterKey;

/// How old a catalog may be: what is late changes with the time alone.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug)]
struct Made {
    cluster: Arc<Cluster>,
    listing: Arc<StoreListing>,
    at: Timestamp,
    catalog: Arc<Catalog>,
}

/// The last catalog of each cluster whose archive was listed. Of the others none is kept: there may be a thousand of them,
/// and theirs are made of little.
#[derive(Debug, Default)]
pub struct Kept(Mutex<BTreeMap<ClusterKey, Made>>);

impl Clone for Kept {
    /// Empty: whatever it held is made again.
    fn clone(&self) -> Self {
        Kept::default()
    }
}

impl Kept {
    /// The catalog of these witnesses, made anew where it is of another picture or listing, or too old.
    pub fn get(
        &self,
        cluster: &Arc<Cluster>,
        listing: &Arc<StoreListing>,
        witnesses: &Witnesses<'_>,
        now: Timestamp,
    ) -> Arc<Catalog> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |m: &&Made| {
            Arc::ptr_eq(&m.cluster, cluster)
                && Arc::ptr_eq(&m.listing, listing)
                && (SignedDuration::ZERO..FRESH).contains(&now.duration_since(m.at))
        };
        let known = kept.get(&cluster.key);
        if let Some(made) = known.filter(same) {
            return made.catalog.clone();
        }
        let before = known.filter(|m| Arc::ptr_eq(&m.listing, listing)).and_then(|m| m.catalog.continuity.clone());
        let catalog = Arc::new(Catalog::join(witnesses, before, now));
        let made = Made { cluster: cluster.clone(), listing: listing.clone(), at: now, catalog: catalog.clone() };
        kept.insert(cluster.key.clone(), made);
        catalog
    }

    /// Lets a cluster's go.
    pub fn forget(&self, key: &ClusterKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
