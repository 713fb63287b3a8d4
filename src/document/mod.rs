//! Reading a person's TOML file: every value with its place, every mistake collected instead of the first alone.
//!
//! Settings, themes, keymaps and runbooks are read with it. It must not know what any of them may say.

pub mod mistake;

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use mistake::{Mistake, did_you_mean};

/// A file that is being read, with the mistakes found so far.
pub struct Document<'t> {
    /// The file as the person named it.
    pub file: &'t str,
    /// Its text.
    pub text: &'t str,
    /// What was found wrong so far.
    pub mistakes: Vec<Mistake>,
}

/// A key with its place.
pub struct Entry<'e, 't> {
    /// The key.
    pub key: &'e str,
    /// Where the key stands.
    pub at: Range<usize>,
    /// The value.
    pub value: &'e Spanned<DeValue<'t>>,
}

impl<'t> Document<'t> {
    /// Parses what can be parsed; TOML's own complaints become mistakes.
    pub fn parse(file: &'t str, text: &'t str) -> (Document<'t>, DeTable<'t>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mistakes = errors.iter().map(|e| Mistake::of_toml(file, text, e)).collect();
        (Document { file, text, mistakes }, table.into_inner())
    }

    /// Notes a mistake at a place.
    pub fn wrong(&mut self, at: Range<usize>, what: impl Into<String>) {
        let mistake = Mistake::at(self.file, self.text, at, what);
        // What TOML complained about needs no second complaint.
        if self.mistakes.iter().all(|m| (m.line, m.column) != (mistake.line, mistake.column)) {
            self.mistakes.push(mistake);
        }
    }

    /// Notes a mistake at a place without showing the line: it may hold a secret.
    pub fn hide(&mut self, at: Range<usize>, what: impl Into<String>) {
        self.wrong(at, what);
        if let Some(m) = self.mistakes.last_mut() {
            m.source.clear();
        }
    }

    /// Notes that a key is not known here, with the nearest that is.
    pub fn unknown<'a>(&mut self, at: Range<usize>, kind: &str, key: &str, known: impl IntoIterator<Item = &'a str>) {
        let hint = did_you_mean(key, known);
        self.wrong(at, format!("no such {kind}: `{key}`{hint}"));
    }

    /// A text, or a mistake.
    pub fn text<'e>(&mut self, value: &'e Spanned<DeValue<'_>>) -> Option<&'e str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.expected(value, "a text in quotes");
        }
        text
    }

    /// `true` or `false`, or a mistake.
    pub fn flag(&mut self, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.expected(value, "true or false");
        }
        flag
    }

    /// A table, or a mistake.
    pub fn table<'e, 'v>(&mut self, value: &'e Spanned<DeValue<'v>>) -> Option<&'e DeTable<'v>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.expected(value, "a table");
        }
        table
    }

    /// A list of texts, or a mistake for each that is none.
    pub fn texts(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
        let Some(list) = value.get_ref().as_array() else {
            self.expected(value, "a list of texts");
            return None;
        };
        let texts: Vec<_> = list.iter().filter_map(|v| self.text(v).map(str::to_owned)).collect();
        (texts.len() == list.len()).then_some(texts)
    }

    /// Notes that something else was expected.
    pub fn expected(&mut self, value: &Spanned<DeValue<'_>>, what: &str) {
        let found = value.get_ref().type_str();
        self.wrong(value.span(), format!("expected {what}, found {} {found}", article(found)));
    }
}

/// The entries of a table in the order of the file.
pub fn entries<'e, 't>(table: &'e DeTable<'t>) -> Vec<Entry<'e, 't>> {
    let mut all: Vec<_> =
        table.iter().map(|(k, value)| Entry { key: k.get_ref().as_ref(), at: k.span(), value }).collect();
    all.sort_by_key(|e| e.at.start);
    all
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
