//! All keymaps: the shipped ones, a person's own, and what each inherits.

use include_dir::{Dir, include_dir};
use std::collections::BTreeMap;

use super::check::hidden;
use super::file::{Binding, Written, read};
use super::{Bound, Keymap};
use crate::command::Scope;
use crate::document::mistake::{Mistake, did_you_mean};
use crate::ui::chord::Chord;
use crate::ui::resolve::{self, Inherits};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/keymaps");

/// The keymap used when none is chosen.
const DEFAULT: &str = "default";

/// All keymaps by name.
#[derive(Clone, Debug)]
pub struct Keymaps {
    all: BTreeMap<String, Keymap>,
}

impl Keymaps {
    /// The shipped keymaps.
    pub fn shipped() -> Keymaps {
        Keymaps::with([]).0
    }

    /// The shipped keymaps and a person's own `(path, text)`; a file of a shipped keymap's name replaces it. A file
    /// with any mistake is left out as a whole, and every mistake is reported.
    pub fn with(own: impl IntoIterator<Item = (String, String)>) -> (Keymaps, Vec<Mistake>) {
        let (all, mistakes) = resolve::resolve(shipped_files(), own);
        (Keymaps { all }, mistakes)
    }

    /// Names in order, the default first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        resolve::names(&self.all, DEFAULT)
    }

    /// A keymap by its name.
    pub fn get(&self, name: &str) -> Option<&Keymap> {
        self.all.get(name)
    }

    /// The keymap of this name, else the default one.
    pub fn or_default(&self, name: &str) -> Keymap {
        let empty = || Keymap { name: DEFAULT.into(), about: String::new(), signs: true, bindings: BTreeMap::new() };
        self.get(name).or_else(|| self.get(DEFAULT)).cloned().unwrap_or_else(empty)
    }
}

pub(super) fn shipped_files() -> impl Iterator<Item = (String, &'static str)> {
    resolve::files("keymaps", &SHIPPED)
}

impl Inherits for Keymap {
    type Written = Written;

    fn read(file: &str, text: &str) -> (Written, Vec<Mistake>) {
        read(file, text)
    }

    fn file(written: &Written) -> &str {
        &written.file
    }

    fn resolve(name: &str, all: &BTreeMap<String, Written>) -> Result<Keymap, Vec<Mistake>> {
        resolve(name, all)
    }
}

/// From the keymap to what it inherits at last, the keymap itself first.
fn chain<'w>(name: &str, all: &'w BTreeMap<String, Written>) -> Result<Vec<&'w Written>, Mistake> {
    let mut names = vec![name.to_owned()];
    let mut chain: Vec<&Written> = all.get(name).into_iter().collect();
    while let Some(Written { file, text, inherits: Some((parent, at)), .. }) = chain.last() {
        let wrong = |what| Mistake::at(file, text, at.clone(), what);
        let Some(next) = all.get(parent) else {
            let hint = did_you_mean(parent, all.keys().map(String::as_str));
            return Err(wrong(format!("no such keymap: `{parent}`{hint}")));
        };
        if names.contains(parent) {
            return Err(wrong(format!("`{name}` inherits itself through `{parent}`")));
        }
        names.push(parent.clone());
        chain.push(next);
    }
    Ok(chain)
}

fn resolve(name: &str, all: &BTreeMap<String, Written>) -> Result<Keymap, Vec<Mistake>> {
    let chain = chain(name, all).map_err(|m| vec![m])?;
    let mut map = Keymap {
        name: name.to_owned(),
        about: chain.first().map_or_else(String::new, |w| w.about.clone()),
        signs: true,
        bindings: BTreeMap::new(),
    };
    let mut origin: BTreeMap<(Scope, Vec<Chord>), (&Written, &Binding)> = BTreeMap::new();
    for (depth, written) in chain.iter().enumerate().rev() {
        for (line, b) in written.bindings.iter().enumerate() {
            let rank = depth * 10_000 + line;
            let section = map.bindings.entry(b.scope).or_default();
            match b.command {
                Some(command) => section.insert(b.keys.clone(), Bound { command, rank }),
                None => section.remove(&b.keys),
            };
            origin.insert((b.scope, b.keys.clone()), (written, b));
        }
    }
    let own = chain.first();
    let here =
        |place: &(Scope, Vec<Chord>)| origin.get(place).filter(|(w, _)| own.is_some_and(|own| std::ptr::eq(*w, *own)));
    let wrong: Vec<Mistake> = hidden(&map)
        .into_iter()
        // What is inherited is hidden by a line of this file, if it is hidden.
        .map(|h| match here(&(h.scope, h.keys)).or_else(|| here(&h.by)) {
            Some((w, b)) => Mistake::at(&w.file, &w.text, b.at.clone(), h.what),
            None => Mistake::of_file(own.map_or("", |w| &w.file), h.what),
        })
        .collect();
    if wrong.is_empty() { Ok(map) } else { Err(wrong) }
}
