//! Reading a keymap's file.

use std::ops::Range;

use crate::command::{Command, Scope};
use crate::document::mistake::Mistake;
use crate::document::{Document, entries};
use crate::ui::chord::{Chord, parse_keys};

/// One line of a keymap.
#[derive(Clone, Debug)]
pub(in crate::ui) struct Binding {
    pub scope: Scope,
    pub keys: Vec<Chord>,
    /// `None` (written `false`): inherited keys that mean nothing here.
    pub command: Option<Command>,
    pub at: Range<usize>,
}

/// A keymap as written.
#[derive(Clone, Debug)]
pub(in crate::ui) struct Written {
    pub file: String,
    pub text: String,
    pub about: String,
    pub inherits: Option<(String, Range<usize>)>,
    pub bindings: Vec<Binding>,
}

/// Reads one file; every mistake in it.
pub(super) fn read(file: &str, text: &str) -> (Written, Vec<Mistake>) {
    let (mut doc, table) = Document::parse(file, text);
    let mut out =
        Written { file: file.into(), text: text.into(), about: String::new(), inherits: None, bindings: Vec::new() };
    for e in entries(&table) {
        match (e.key, Scope::named(e.key)) {
            ("inherits", _) => out.inherits = doc.text(e.value).map(|t| (t.to_owned(), e.value.span())),
            ("about", _) => out.about = doc.text(e.value).unwrap_or_default().into(),
            (_, Some(scope)) => {
                let Some(lines) = doc.table(e.value) else { continue };
                for line in entries(lines) {
                    if let Some(b) = binding(&mut doc, scope, &line) {
                        out.bindings.push(b);
                    }
                }
            }
            (key, None) => {
                let known = Scope::ALL.iter().map(|s| s.name()).chain(["inherits", "about"]);
                doc.unknown(e.at, "section", key, known);
            }
        }
    }
    let mistakes = again(&mut doc, &out.bindings);
    (out, mistakes)
}

fn binding(doc: &mut Document<'_>, scope: Scope, line: &crate::document::Entry<'_, '_>) -> Option<Binding> {
    let keys = match parse_keys(line.key) {
        Ok(keys) => Some(keys),
        Err(why) => {
            doc.wrong(line.at.clone(), why);
            None
        }
    };
    let command = if line.value.get_ref().as_bool() == Some(false) {
        None
    } else {
        let Some(name) = line.value.get_ref().as_str() else {
            doc.expected(line.value, "a command in quotes, or false to unbind");
            return None;
        };
        let Some(command) = Command::named(name) else {
            doc.unknown(line.value.span(), "command", name, Command::ALL.iter().map(|c| c.name()));
            return None;
        };
        if !scope.reach().contains(&command.scope()) {
            let home = command.scope().name();
            doc.wrong(
                line.value.span(),
                format!("`{name}` means nothing in [{}]; it belongs to [{home}]", scope.name()),
            );
            return None;
        }
        Some(command)
    };
    Some(Binding { scope, keys: keys?, command, at: line.at.clone() })
}

/// The same keys twice in one section, written in two ways (TOML itself sees the same spelling twice).
fn again(doc: &mut Document<'_>, bindings: &[Binding]) -> Vec<Mistake> {
    for (n, b) in bindings.iter().enumerate() {
        if bindings[..n].iter().any(|a| a.scope == b.scope && a.keys == b.keys) {
            let keys = crate::ui::chord::show_keys(&b.keys);
            doc.wrong(b.at.clone(), format!("`{keys}` is bound twice in [{}]", b.scope.name()));
        }
    }
    std::mem::take(&mut doc.mistakes)
}
