//! All behaviour: what each message changes, and what the outside is asked to do about it.

use jiff::{SignedDuration, Timestamp};

use super::model::Model;
use super::msg::{Done, Msg};
use super::{keys, runs, walks};
use crate::domain::detail::News;
use crate::domain::health::Level;
use crate::panes::Effect;
use crate::panes::known::Change;

/// The clock comes each second; after a longer silence the console was away.
const AWAY: SignedDuration = SignedDuration::from_secs(3);

/// Takes one message in. [`Model::take_dirty`] says afterwards whether something visible changed.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Input(input) => keys::input(model, input),
        Msg::Clock(now) => clock(model, now),
        Msg::Facts(facts) => {
            let (changed, changes) = model.known.absorb(facts, model.now);
            model.dirty |= changed;
            verdicts(model, changes)
        }
        Msg::News(news) => {
            for one in news {
                take(model, one);
            }
            Vec::new()
        }
        Msg::Reloaded(taste) => {
            model.wear(&taste);
            if taste.problems.is_empty() {
                model.say("settings, themes and keys were read anew", false);
            }
            Vec::new()
        }
        Msg::Done(done) => {
            finished(model, done);
            Vec::new()
        }
        Msg::Problem(problem) => {
            let hint = problem.try_this.as_ref().map(|h| format!(" – try {h}")).unwrap_or_default();
            model.say(format!("{}{hint}", problem.line()), true);
            Vec::new()
        }
        Msg::Run(news) => runs::take(model, news),
        Msg::Quit => {
            model.leaving = true;
            vec![Effect::Quit]
        }
    };
    effects.extend(runs::step(model));
    effects.extend(model.settle());
    effects
}

fn clock(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    // Clocks go back now and then; ages don't.
    let slept = now.duration_since(model.now) > AWAY;
    model.now = model.now.max(now);
    model.expire();
    model.dirty |= model.shows_age();
    if slept {
        // Back from psql or the shell: what was learned meanwhile is still waiting. Judged before it is read, everything
        // would look old for a moment, and verdicts would be told that never were.
        return Vec::new();
    }
    let changes = model.known.tick(model.now, &model.focused);
    let mut effects = verdicts(model, changes);
    effects.extend(walks::keep_draft(model));
    effects
}

/// A verdict that changed is an entry of the timeline, and a sound for those who asked for one.
fn verdicts(model: &mut Model, changes: Vec<Change>) -> Vec<Effect> {
    let loud = changes.iter().any(|c| c.from != Level::Unknown && c.to != Level::Unknown);
    for change in changes {
        model.known.happened(change.happening(model.now));
        model.dirty = true;
    }
    if loud && model.habits.bell { vec![Effect::Bell] } else { Vec::new() }
}

fn take(model: &mut Model, news: News) {
    match news {
        News::Happening(happening) => {
            for driven in model.doing.runs.values_mut().filter(|d| d.open()) {
                if happening.cluster.as_ref() == Some(&driven.run().plan.cluster) {
                    driven.heard.push(happening.clone());
                }
            }
            model.known.happened(happening);
            model.dirty = true;
        }
        News::Detail(subject, news) => model.dirty |= model.known.detail(&subject, news),
    }
}

fn finished(model: &mut Model, done: Done) {
    match done {
        Done::Copied => {}
        Done::Exported(path) => model.say(format!("written to {path}"), false),
        Done::Psql(None) => model.say("back from psql", false),
        Done::Psql(Some(problem)) => model.say(problem.line(), true),
        Done::Resumed => {}
    }
    // The terminal was someone else's: everything has to be drawn.
    model.dirty = true;
}
