//! All runbooks: those that came with howdah and a person's own.

use include_dir::{Dir, include_dir};
use std::collections::BTreeMap;

use super::{Runbook, file};
use crate::document::Mistake;
use crate::domain::health::{Health, Level, Reason, ReasonCode};
use crate::procedure::kind::Kind;
use crate::procedure::run::Run;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/runbooks");

/// All runbooks by name.
#[derive(Clone, Debug, Default)]
pub struct Runbooks {
    all: BTreeMap<String, Runbook>,
}

/// Files that came with howdah, as `(name, text)`.
pub(super) fn shipped_files() -> impl Iterator<Item = (String, String)> {
    let toml = SHIPPED.files().filter(|f| f.path().extension().is_some_and(|e| e == "toml"));
    toml.filter_map(|f| Some((f.path().display().to_string(), f.contents_utf8()?.to_owned())))
}

impl Runbooks {
    /// Those that came with howdah.
    pub fn shipped() -> Runbooks {
        Runbooks::with([]).0
    }

    /// Those that came with howdah and a person's own `(path, text)`; a file of a shipped one's name replaces it. One with a
    /// mistake is left out as a whole (the shipped one of that name stays), and every mistake is reported.
    pub fn with(own: impl IntoIterator<Item = (String, String)>) -> (Runbooks, Vec<Mistake>) {
        let mut all = BTreeMap::new();
        for (path, text) in shipped_files() {
            // What ships is free of mistakes; a test says so.
            let (runbook, _) = file::read(&path, &text);
            all.insert(runbook.name.clone(), runbook);
        }
        let mut mistakes = Vec::new();
        for (path, text) in own {
            let (runbook, wrong) = file::read(&path, &text);
            if wrong.is_empty() {
                all.insert(runbook.name.clone(), Runbook { own: true, ..runbook });
            }
            mistakes.extend(wrong);
        }
        (Runbooks { all }, mistakes)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Runbook> {
        self.all.values()
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Runbook> {
        self.all.get(name)
    }

    /// The one that a run walks; `None`: it walks none, or that is gone.
    pub fn of(&self, run: &Run) -> Option<&Runbook> {
        (run.plan.kind == Kind::Runbook).then(|| self.get(run.plan.parameters.get("runbook")?)).flatten()
    }

    /// The one that fits a reason best: a person's own first, then where the code stands nearest to the front, then the one
    /// for fewer reasons.
    pub fn for_reason(&self, code: ReasonCode) -> Option<&Runbook> {
        let fits = self.all.values().filter_map(|r| Some((r.when.iter().position(|c| *c == code)?, r)));
        fits.min_by_key(|(place, r)| (!r.own, *place, r.when.len())).map(|(_, r)| r)
    }

    /// The reasons of a verdict that lead to this one, the worst first.
    pub fn because<'h>(&self, runbook: &Runbook, health: &'h Health) -> Vec<&'h Reason> {
        let bad = health.reasons().filter(|r| r.level > Level::Ok);
        bad.filter(|r| self.for_reason(r.code).is_some_and(|f| f.name == runbook.name)).collect()
    }

    /// Those that a verdict asks for, the one for its worst reason first; each once.
    pub fn applies(&self, health: &Health) -> Vec<&Runbook> {
        let mut found: Vec<&Runbook> = Vec::new();
        for reason in health.reasons().filter(|r| r.level > Level::Ok) {
            if let Some(runbook) = self.for_reason(reason.code)
                && found.iter().all(|f| f.name != runbook.name)
            {
                found.push(runbook);
            }
        }
        found
    }
}
