//! Keys that could never be pressed: one sequence hides the rest of another.

use std::collections::BTreeMap;

use super::{Bound, Keymap};
use crate::command::Scope;
use crate::ui::chord::{Chord, show_keys};

/// A sequence that can't be reached, and what hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    pub scope: Scope,
    pub keys: Vec<Chord>,
    /// The scope and keys that hide it.
    pub by: (Scope, Vec<Chord>),
    pub what: String,
}

/// Every hidden sequence of a keymap. The same keys in a nearer scope are no mistake: that is how a scope changes what
/// a key means. A sequence that starts with a bound one is: it would never be heard.
pub(super) fn hidden(map: &Keymap) -> Vec<Hidden> {
    let mut out: Vec<Hidden> = Vec::new();
    for focus in Scope::ALL {
        for (near, scope) in focus.reach().iter().enumerate() {
            for (keys, command) in map.bindings(*scope) {
                for other in focus.reach().iter().take(near + 1) {
                    let Some((by, reason)) = hides(map.bindings.get(other), keys) else { continue };
                    let what = format!(
                        "`{}` ({}) is hidden by `{}` of [{}]: {reason}",
                        show_keys(keys),
                        command.name(),
                        show_keys(by),
                        other.name()
                    );
                    let found = Hidden { scope: *scope, keys: keys.to_vec(), by: (*other, by.to_vec()), what };
                    if out.iter().all(|h| h.scope != found.scope || h.keys != found.keys) {
                        out.push(found);
                    }
                }
            }
        }
    }
    out
}

type Section = BTreeMap<Vec<Chord>, Bound>;

fn hides<'m>(section: Option<&'m Section>, keys: &[Chord]) -> Option<(&'m [Chord], &'static str)> {
    section?.keys().find_map(|other| {
        if other.len() < keys.len() && keys.starts_with(other) {
            Some((other.as_slice(), "the shorter is taken first"))
        } else if other.len() > keys.len() && other.starts_with(keys) {
            Some((other.as_slice(), "the longer waits for its next key"))
        } else {
            None
        }
    })
}
