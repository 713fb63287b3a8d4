//! Walks of runbooks: what their journal gets by itself, notes, the incident record, the way from a reason to its runbook.
//! All behaviour, no outside.
//!
//! The command line walks by the same functions ([`Walk`], [`Hearing`](crate::procedure::runbook::Hearing)), so both leave
//! the same journal.

use jiff::Timestamp;
use std::collections::BTreeSet;

use super::command::{choose, go, subject};
use super::menu::Menu;
use super::model::Model;
use super::overlay::Overlay;
use super::runs;
use crate::command::Command;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::panes::doing::Driven;
use crate::panes::editor::Editor;
use crate::panes::known::Known;
use crate::panes::{self, Effect, RunEffect, runbooks};
use crate::procedure::runbook::answer::gone;
use crate::procedure::runbook::{Answer, Runbooks, Walk, about, record, walk};
use crate::procedure::{By, Run, RunId, What};

/// An incident record that is being put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The walk.
    run: RunId,
    /// Journals that are being read for it; `None`: which ones, is not known yet.
    waits: Option<BTreeSet<RunId>>,
}

/// What a walk's journal gets without a person: what follows from their answers, then what happened to the cluster.
pub fn due(known: &Known, runbooks: &Runbooks, driven: &mut Driven, now: Timestamp) -> Vec<What> {
    let run = &driven.followed.run;
    let Some(runbook) = runbooks.of(run) else { return Vec::new() };
    let (key, about) = (&run.plan.cluster, walk::about_of(run));
    let over = || match known.sight(key, about.as_ref(), now) {
        Some(sight) => gone(runbook, &sight),
        None => Answer::Unknown(format!("{key} is gone")),
    };
    let due = Walk { runbook, run }.due(&known.facts, now, over);
    match &mut driven.hearing {
        Some(hearing) if due.is_empty() => {
            let mut heard = hearing.take(run, &known.happenings);
            heard.extend(known.judged.get(key).into_iter().flat_map(|judged| hearing.judge(&judged.health, now)));
            heard
        }
        _ => due,
    }
}

/// Begins a walk of a runbook. Of which instance it speaks the verdict says; where it does not, the person is asked.
pub fn begin(model: &mut Model, key: ClusterKey, name: &str) -> Vec<Effect> {
    let Some(runbook) = model.doing.runbooks.get(name) else { return Vec::new() };
    let Some(sight) = model.known.sight(&key, None, model.now) else { return Vec::new() };
    let about = about(&sight, &runbook.when);
    if about.is_none() && runbook.names_instance() {
        model.overlay = Some(Overlay::menu(model, Menu::About(key, name.to_owned())));
        return Vec::new();
    }
    begin_about(model, &key, name, about)
}

/// Begins a walk that is about this instance.
pub fn begin_about(model: &Model, key: &ClusterKey, name: &str, about: Option<InstanceName>) -> Vec<Effect> {
    let Some(runbook) = model.doing.runbooks.get(name) else { return Vec::new() };
    let Some(sight) = model.known.sight(key, about.as_ref(), model.now) else { return Vec::new() };
    let versions = By::met(&model.known.facts, key);
    vec![Effect::Run(RunEffect::Begin(Box::new(walk::plan(runbook, &sight)), versions))]
}

/// A walk was begun or taken up: it is shown, and of a new one the reasons that led there are written.
pub fn opened(model: &mut Model, id: RunId) -> Vec<Effect> {
    model.doing.walking = Some(id.clone());
    // Whoever has gone elsewhere meanwhile is not called back.
    if [panes::runs::ID, runbooks::ID].contains(&model.front()) {
        model.show(runbooks::ID);
    }
    let Some(walk) = model.doing.walk(&id).filter(|walk| walk.run.entries.len() == 1) else { return Vec::new() };
    let about = walk::about_of(walk.run);
    let sight = model.known.sight(&walk.run.plan.cluster, about.as_ref(), model.now);
    let begins = sight.map(|sight| walk::begins(walk.runbook, &sight)).unwrap_or_default();
    begins.into_iter().flat_map(|what| runs::write(model, &id, what)).collect()
}

/// The runbook that the worst reason of the verdict asks for: of the cluster that the front is about.
pub fn reasoned(model: &Model) -> Option<(ClusterKey, String)> {
    let key = subject(model)?;
    let health = &model.known.judged.get(&key)?.health;
    let name = model.doing.runbooks.applies(health).first()?.name.clone();
    Some((key, name))
}

/// Goes to the runbook for the worst reason; to the walk of it where one is in front there.
pub fn runbook(model: &mut Model) -> Vec<Effect> {
    let Some((key, name)) = reasoned(model) else { return Vec::new() };
    let walking = model.doing.walking.as_ref().and_then(|id| model.doing.walk(id));
    if walking.is_none_or(|w| w.run.plan.cluster != key || w.runbook.name != name) {
        model.doing.walking = None;
    }
    choose(model, key);
    let Some(tab) = model.panes.iter().position(|p| p.id() == runbooks::ID) else { return Vec::new() };
    model.panes[tab].point_at(&name);
    go(model, tab)
}

/// Opens the editor for a note, with what was left there.
pub fn note(model: &mut Model, run: RunId) {
    let draft = model.drafts.get(&run).cloned().unwrap_or_default();
    model.overlay = Some(Overlay::Note { editor: Box::new(Editor::with(&draft)), run, kept: draft });
}

/// Has what was typed so far kept where it outlives this console: asked each second, so that no key waits for a disk.
pub fn keep_draft(model: &mut Model) -> Option<Effect> {
    let Some(Overlay::Note { run, editor, kept }) = &mut model.overlay else { return None };
    let text = editor.text();
    (*kept != text).then(|| {
        kept.clone_from(&text);
        Effect::Run(RunEffect::Draft(run.clone(), text))
    })
}

/// A command while a note is typed.
pub fn noting(model: &mut Model, overlay: Overlay, command: Command) -> Vec<Effect> {
    let Overlay::Note { run, editor, kept } = overlay else { return Vec::new() };
    let text = editor.text();
    let empty = text.trim().is_empty();
    match command {
        Command::KeepText => {
            model.drafts.remove(&run);
            let mut effects = if empty { Vec::new() } else { keep(model, &run, &text) };
            if !model.drafts.contains_key(&run) {
                effects.push(Effect::Run(RunEffect::Draft(run, String::new())));
            }
            effects
        }
        Command::LeaveText => {
            let text = if empty { String::new() } else { text };
            let kept = Effect::Run(RunEffect::Draft(run.clone(), text.clone()));
            if empty {
                model.drafts.remove(&run);
            } else {
                model.drafts.insert(run, text);
                model.say("the note is kept as a draft; it is not in the journal", false);
            }
            vec![kept]
        }
        _ => {
            model.overlay = Some(Overlay::Note { run, editor, kept });
            Vec::new()
        }
    }
}

fn keep(model: &mut Model, run: &RunId, text: &str) -> Vec<Effect> {
    let what = match model.doing.walk(run) {
        Some(walk) => walk.note(text),
        None => What::Noted { step: None, text: crate::text::clean_lines(text.trim()) },
    };
    let effects = runs::write(model, run, what);
    if effects.is_empty() {
        // It ended while the note was typed: nothing more goes into its journal, and nothing is lost.
        model.drafts.insert(run.clone(), text.to_owned());
        model.say("the run has ended; the note stays a draft", true);
    }
    effects
}

/// Puts the incident record of a walk together: first, which other runs there were.
pub fn record(model: &mut Model, run: RunId) -> Vec<Effect> {
    model.recording = Some(Recording { run, waits: None });
    vec![Effect::Run(RunEffect::List)]
}

/// The runs were listed: the journals of those that belong into the record are read.
pub fn listed(model: &mut Model) -> Vec<Effect> {
    let Some(run) = model.recording.as_ref().filter(|r| r.waits.is_none()).map(|r| r.run.clone()) else {
        return Vec::new();
    };
    let here = |id: &RunId| model.doing.runs.contains_key(id);
    let waits: BTreeSet<RunId> = others(model, &run).into_iter().filter(|id| !here(id)).collect();
    let reads = waits.iter().map(|id| Effect::Run(RunEffect::Read(id.clone()))).collect();
    if waits.is_empty() {
        return export(model);
    }
    model.recording = Some(Recording { run, waits: Some(waits) });
    reads
}

/// A journal was read, or could not be: a damaged one of another run does not take the record away.
pub fn read(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(waits) = model.recording.as_mut().and_then(|r| r.waits.as_mut()) else { return Vec::new() };
    if waits.remove(id) && waits.is_empty() { export(model) } else { Vec::new() }
}

/// Runs on the walk's cluster during the walk.
fn others(model: &Model, run: &RunId) -> Vec<RunId> {
    let Some(walk) = model.doing.run(run) else { return Vec::new() };
    let listed = model.doing.listed.iter().flatten();
    listed.filter(|other| record::meanwhile(walk, other)).map(|other| other.run.clone()).collect()
}

fn export(model: &mut Model) -> Vec<Effect> {
    let Some(Recording { run, .. }) = model.recording.take() else { return Vec::new() };
    let others: Vec<Run> = others(model, &run).iter().filter_map(|id| model.doing.run(id)).cloned().collect();
    let Some(walk) = model.doing.run(&run) else { return Vec::new() };
    vec![Effect::Export { text: record::markdown(walk, &others), name: format!("{run}.md") }]
}
