//! Reading a theme's file.

use ratatui::style::Modifier;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

use super::{Role, colour};
use crate::document::mistake::Mistake;
use crate::document::{Document, entries};

/// A colour as written: looked up in the palette only when everything is inherited, so that a theme that changes one
/// palette colour changes it wherever its parent uses it.
#[derive(Clone, Debug)]
pub(in crate::ui) struct Paint {
    pub text: String,
    pub at: Range<usize>,
}

/// A role as written.
#[derive(Clone, Debug, Default)]
pub(in crate::ui) struct Stroke {
    pub fg: Option<Paint>,
    pub bg: Option<Paint>,
    pub modifiers: Modifier,
}

/// A theme as written.
#[derive(Clone, Debug)]
pub(in crate::ui) struct Written {
    pub file: String,
    pub text: String,
    pub about: String,
    pub inherits: Option<Paint>,
    pub palette: BTreeMap<String, Paint>,
    pub roles: Vec<(Role, Stroke)>,
}

const STROKE_KEYS: [&str; 7] = ["fg", "bg", "bold", "dim", "italic", "underline", "reverse"];

/// Reads one file; every mistake in it.
pub(super) fn read(file: &str, text: &str) -> (Written, Vec<Mistake>) {
    let (mut doc, table) = Document::parse(file, text);
    let mut out = Written {
        file: file.into(),
        text: text.into(),
        about: String::new(),
        inherits: None,
        palette: BTreeMap::new(),
        roles: Vec::new(),
    };
    for e in entries(&table) {
        match (e.key, Role::ALL.iter().find(|r| r.name() == e.key)) {
            ("inherits", _) => out.inherits = paint(&mut doc, e.value),
            ("about", _) => out.about = doc.text(e.value).unwrap_or_default().into(),
            ("palette", _) => {
                let Some(colours) = doc.table(e.value) else { continue };
                for c in entries(colours) {
                    let Some(p) = paint(&mut doc, c.value) else { continue };
                    if colour::parse(&p.text).is_none() {
                        doc.wrong(p.at.clone(), format!("no colour: `{}`; write #rrggbb or a terminal colour", p.text));
                    }
                    out.palette.insert(c.key.to_owned(), p);
                }
            }
            (_, Some(role)) => {
                if let Some(stroke) = stroke(&mut doc, e.value) {
                    out.roles.push((*role, stroke));
                }
            }
            (key, None) => {
                let known = Role::ALL.iter().map(|r| r.name()).chain(["inherits", "about", "palette"]);
                doc.unknown(e.at, "role", key, known);
            }
        }
    }
    (out, doc.mistakes)
}

fn paint(doc: &mut Document<'_>, value: &Spanned<DeValue<'_>>) -> Option<Paint> {
    doc.text(value).map(|text| Paint { text: text.to_owned(), at: value.span() })
}

fn stroke(doc: &mut Document<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stroke> {
    if value.get_ref().is_str() {
        return Some(Stroke { fg: paint(doc, value), ..Stroke::default() });
    }
    let Some(table) = value.get_ref().as_table() else {
        doc.expected(value, "a colour, or a table such as { fg = \"#ffffff\", bold = true }");
        return None;
    };
    let mut out = Stroke::default();
    for e in entries(table) {
        let modifier = match e.key {
            "fg" => {
                out.fg = paint(doc, e.value);
                continue;
            }
            "bg" => {
                out.bg = paint(doc, e.value);
                continue;
            }
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underline" => Modifier::UNDERLINED,
            "reverse" => Modifier::REVERSED,
            key => {
                doc.unknown(e.at, "part of a style", key, STROKE_KEYS);
                continue;
            }
        };
        out.modifiers.set(modifier, doc.flag(e.value).unwrap_or(false));
    }
    Some(out)
}
