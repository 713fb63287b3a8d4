//! A cluster's name in as many cells as there are.

use crate::domain::names::ClusterKey;
use crate::ui::text::{cut, cut_middle, width};

/// Cells that a hint of what stands before the name takes at least: `lo…/`.
pub const PREFIX: usize = 4;

/// `orders/pg-orders`; `aks:orders/pg-orders` where there are several contexts.
pub fn whole_name(key: &ClusterKey, several_contexts: bool) -> String {
    if several_contexts { format!("{}:{key}", key.context) } else { key.to_string() }
}

/// The name in this room: what stands before it is cut first, then left away, the name itself is cut last.
pub fn name_in(key: &ClusterKey, several_contexts: bool, room: usize, more: &str) -> String {
    let whole = whole_name(key, several_contexts);
    if width(&whole) <= room {
        return whole;
    }
    let before = room.saturating_sub(width(&key.name) + 1);
    if before + 1 < PREFIX {
        return cut_middle(&key.name, room, more);
    }
    let prefix = whole.strip_suffix(&*key.name).unwrap_or(&whole).trim_end_matches('/');
    format!("{}/{}", cut(prefix, before, more), key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_last_thing_to_be_cut() {
        let key = ClusterKey::new("aks", "logistics", "pg-accounts-11");
        let cut = |room| name_in(&key, false, room, "…");
        assert_eq!(
            [24, 23, 19, 18, 14, 10].map(cut),
            [
                "logistics/pg-accounts-11",
                "logisti…/pg-accounts-11",
                "log…/pg-accounts-11",
                "lo…/pg-accounts-11",
                "pg-accounts-11",
                "pg-acc…-11",
            ]
        );
        assert_eq!(name_in(&key, true, 28, "…"), "aks:logistics/pg-accounts-11");
    }
}
