//! Keymaps: which keys mean which command, by scope, from `keymaps/*.toml` and a person's own files.
//!
//! A key is looked for in the scope that has the focus, then in wider ones ([`Scope::reach`]). A keymap may inherit
//! another and change some of it; a person's file with any mistake is refused as a whole, because a half-loaded keymap
//! could put one command where another was.

mod check;
mod file;
mod set;
mod show;

use std::collections::BTreeMap;

use super::chord::Chord;
use crate::command::{Command, Scope};

pub use set::Keymaps;

/// What a sequence of keys means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This command.
    Command(Command),
    /// The start of longer sequences: wait, and show [`Keymap::continuations`].
    Prefix,
    /// Nothing.
    Nothing,
}

/// What may follow a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// The next key.
    pub key: Chord,
    /// The command it leads to; `None`: to a further prefix.
    pub command: Option<Command>,
}

/// A keymap with all it inherits.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    /// Its file's name without `.toml`.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Arrows and the like are shown as signs (`↑`) instead of words (`up`).
    pub signs: bool,
    bindings: BTreeMap<Scope, BTreeMap<Vec<Chord>, Bound>>,
}

/// What keys are bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    command: Command,
    /// Its place in the file: of several keys for a command, hints show the first.
    rank: usize,
}

impl Keymap {
    /// What these keys mean where `focus` has the focus. The nearest scope wins.
    pub fn find(&self, focus: Scope, keys: &[Chord]) -> Found {
        for scope in focus.reach() {
            let Some(map) = self.bindings.get(scope) else { continue };
            if let Some(command) = map.get(keys) {
                return Found::Command(command.command);
            }
            if map.keys().any(|k| k.len() > keys.len() && k.starts_with(keys)) {
                return Found::Prefix;
            }
        }
        Found::Nothing
    }

    /// What may follow these keys, nearest scope first.
    pub fn continuations(&self, focus: Scope, prefix: &[Chord]) -> Vec<Continuation> {
        let mut out: Vec<Continuation> = Vec::new();
        for map in focus.reach().iter().filter_map(|s| self.bindings.get(s)) {
            for (keys, command) in map.iter().filter(|(k, _)| k.len() > prefix.len() && k.starts_with(prefix)) {
                let key = keys[prefix.len()];
                if out.iter().all(|c| c.key != key) {
                    out.push(Continuation {
                        key,
                        command: (keys.len() == prefix.len() + 1).then_some(command.command),
                    });
                }
            }
        }
        out
    }

    /// All keys of a command with the scope they are bound in, in the order of the file; inherited ones last.
    pub fn keys_of(&self, command: Command) -> Vec<(Scope, &[Chord])> {
        let bound = self.bindings.iter().flat_map(|(s, map)| map.iter().map(move |(k, b)| (*s, k.as_slice(), *b)));
        let mut out: Vec<_> = bound.filter(|(_, _, b)| b.command == command).collect();
        out.sort_by_key(|(_, _, b)| b.rank);
        out.into_iter().map(|(s, k, _)| (s, k)).collect()
    }

    /// The first keys that mean this command where `focus` has the focus: for hints, palette and help.
    pub fn shown(&self, focus: Scope, command: Command) -> Option<String> {
        let reachable = |(_, keys): &(Scope, &[Chord])| self.find(focus, keys) == Found::Command(command);
        self.keys_of(command).into_iter().find(reachable).map(|(_, keys)| show::short(keys, self.signs))
    }

    /// All keys that mean this command where `focus` has the focus, in the order of the file.
    pub fn all_shown(&self, focus: Scope, command: Command) -> Vec<String> {
        let reachable = |(_, keys): &(Scope, &[Chord])| self.find(focus, keys) == Found::Command(command);
        self.keys_of(command).into_iter().filter(reachable).map(|(_, keys)| show::short(keys, self.signs)).collect()
    }

    /// Everything bound in one scope.
    pub fn bindings(&self, scope: Scope) -> impl Iterator<Item = (&[Chord], Command)> {
        self.bindings.get(&scope).into_iter().flatten().map(|(k, b)| (k.as_slice(), b.command))
    }
}

#[cfg(test)]
mod tests;
