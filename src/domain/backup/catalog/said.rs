//! What the primary says of its archive, beside what was seen there.

use super::Witnesses;
use super::entry::Entry;
use crate::domain::backup::continuity::Restorable;
use crate::domain::wal::DEFAULT_SEGMENT;

/// Whether the last segment of a backup left the cluster, by the primary's word: where no store was listed that is all there
/// is, and what was archived after a listing was begun is not in it.
pub(super) fn judged(entry: &mut Entry, w: &Witnesses<'_>, segment: Option<u64>) {
    let Some((archived, at)) = w.archived else { return };
    let Some(end) = entry.end_wal().filter(|_| entry.is_done()) else { return };
    // Another timeline's archive says nothing about this one's: its end was archived before the switch, or never.
    if end.timeline != archived.timeline {
        return;
    }
    let size = segment.unwrap_or(DEFAULT_SEGMENT);
    let left = end.number(size) <= archived.number(size);
    let later = w.store.is_none_or(|listing| at.is_some_and(|at| at >= listing.asked));
    match &entry.restorable {
        None if w.store.is_none() && !left => entry.restorable = Some(Restorable::Awaits(end)),
        Some(Restorable::Awaits(_)) if left && later => entry.restorable = None,
        _ => {}
    }
}
