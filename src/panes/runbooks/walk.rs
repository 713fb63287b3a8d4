//! Standing in a walk: what is asked of instances for the step in front, and what a person says to it.

use std::collections::BTreeSet;

use crate::command::Command;
use crate::panes::doing::{Driven, Wanted};
use crate::panes::{Effect, RunEffect, Scene, Wish};
use crate::procedure::catalog;
use crate::procedure::question::Asked;
use crate::procedure::runbook::answer::questions;
use crate::procedure::runbook::walk::{Said, about_of};
use crate::procedure::runbook::{StepView, Walk, step_view};
use crate::procedure::{By, RunId, What};

/// Keys of a walk. The first is of a step that offers a change.
const HINTS: [(Command, &str); 12] = [
    (Command::Offer, "the change"),
    (Command::GoOn, "go on"),
    (Command::SayYes, "yes"),
    (Command::SayNo, "no"),
    (Command::SayUnknown, "unknown"),
    (Command::PageDown, "more"),
    (Command::WalkNote, "note"),
    (Command::AskAnew, "ask anew"),
    (Command::Copy, "copy command"),
    (Command::WalkRecord, "record"),
    (Command::EndWalk, "end"),
    (Command::Back, "list"),
];

/// Where one stands in a walk.
pub struct Walking {
    /// The walk.
    pub of: RunId,
    /// The step in front, as it was when there was one: while an answer is being written there is none.
    pub here: Option<usize>,
    /// The step one looks at; `None`: the one in front.
    pub step: Option<usize>,
    /// The first line of its page.
    pub top: usize,
    /// It is driven here and has not ended.
    pub open: bool,
    /// It has ended.
    ended: bool,
    /// The step one looks at offers a change.
    offers: bool,
    /// Questions of the step in front that were put.
    put: BTreeSet<Asked>,
    /// Command lines of the step that were copied: the next time it is the next one.
    copied: usize,
}

impl Walking {
    /// At the step in front.
    pub fn new(of: RunId) -> Walking {
        Walking {
            of,
            here: None,
            step: None,
            top: 0,
            open: false,
            ended: false,
            offers: false,
            put: BTreeSet::new(),
            copied: 0,
        }
    }

    fn driven<'a>(&self, scene: &Scene<'a>) -> Option<&'a Driven> {
        scene.doing.runs.get(&self.of).filter(|d| d.open())
    }

    /// It was left before its end, and nobody drives it here.
    fn left(&self, walk: Walk<'_>, scene: &Scene<'_>) -> bool {
        walk.run.closed.is_none() && !scene.doing.runs.contains_key(&self.of)
    }

    /// Which step the page is of; `None`: the end.
    pub fn at(&self) -> Option<usize> {
        self.step.or(self.here.filter(|_| self.open))
    }

    /// A step as it is now.
    pub fn view(&self, walk: Walk<'_>, step: usize, scene: &Scene<'_>) -> Option<StepView> {
        let about = about_of(walk.run);
        let sight = scene.known.sight(&walk.run.plan.cluster, about.as_ref(), scene.now)?;
        let none = Default::default();
        step_view(walk.runbook, step, &sight, scene.doing.replies.get(&self.of).unwrap_or(&none))
    }

    /// Questions whose answers are on their way.
    pub fn asking(&self, scene: &Scene<'_>) -> usize {
        scene.doing.asking.get(&self.of).map_or(0, BTreeSet::len)
    }

    fn questions(&self, walk: Walk<'_>, scene: &Scene<'_>) -> Vec<Asked> {
        let about = about_of(walk.run);
        let sight = scene.known.sight(&walk.run.plan.cluster, about.as_ref(), scene.now);
        let step = self.here.and_then(|n| walk.runbook.steps.get(n));
        step.zip(sight).map(|(step, sight)| questions(step, &sight)).unwrap_or_default()
    }

    /// Puts the questions of the step in front that were not put since it came there.
    fn put(&mut self, walk: Walk<'_>, scene: &Scene<'_>) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for asked in self.questions(walk, scene) {
            if self.put.insert(asked.clone()) {
                let cluster = walk.run.plan.cluster.clone();
                wishes.push(Wish::Effect(Effect::Run(RunEffect::Put(self.of.clone(), cluster, asked))));
            }
        }
        wishes
    }

    /// Something changed: another step may be in front.
    pub fn settle(&mut self, walk: Walk<'_>, scene: &Scene<'_>) -> Vec<Wish> {
        let ended = walk.run.closed.is_some();
        if ended && !self.ended {
            // It ended, or is looked at: its end comes first.
            (self.step, self.top) = (None, 0);
        }
        (self.open, self.ended) = (self.driven(scene).is_some(), ended);
        let here = walk.here();
        if here.is_some() && here != self.here {
            (self.here, self.step, self.top, self.copied) = (here, None, 0, 0);
            self.put.clear();
        }
        self.offers = self.at().and_then(|n| walk.runbook.steps.get(n)).is_some_and(|s| s.act.is_some());
        if self.open && here.is_some() { self.put(walk, scene) } else { Vec::new() }
    }

    /// Keys worth naming.
    pub fn hints(&self) -> &'static [(Command, &'static str)] {
        if !self.open {
            return match self.ended {
                true => &[(Command::WalkRecord, "record"), (Command::Up, "steps"), (Command::Back, "list")],
                false => &[(Command::GoOn, "take it up"), (Command::Up, "steps"), (Command::Back, "list")],
            };
        }
        if self.offers { &HINTS } else { &HINTS[1..] }
    }

    /// Why a command can't be done now.
    pub fn refuses(&self, command: Command, walk: Walk<'_>, scene: &Scene<'_>) -> Option<String> {
        use Command::{AskAnew, EndWalk, GoOn, SayNo, SayUnknown, SayYes, WalkNote};
        if command == GoOn && self.left(walk, scene) {
            return None;
        }
        if matches!(command, GoOn | SayYes | SayNo | SayUnknown | AskAnew | EndWalk | WalkNote) && !self.open {
            return Some(match walk.run.closed {
                Some(_) => "the walk has ended".into(),
                None => "the walk is not driven here".into(),
            });
        }
        match command {
            // From another step it only leads back to the one in front.
            GoOn if self.step.is_some() => None,
            GoOn | SayYes | SayNo | SayUnknown => self.refuses_answer(command, walk, scene),
            AskAnew if self.questions(walk, scene).is_empty() => {
                Some("this step asks nothing of PostgreSQL or its exporter; its values are live".into())
            }
            Command::Offer => match self.offer(walk, scene) {
                None => Some("this step offers no change".into()),
                Some(Err(why)) => Some(why),
                Some(Ok(_)) => None,
            },
            Command::Copy if self.lines(walk, scene).is_empty() => Some("this step suggests no command".into()),
            Command::Filter | Command::Sort | Command::SortReverse => {
                Some("steps stand in the order of the runbook".into())
            }
            Command::Left | Command::Right => Some("steps go up and down".into()),
            _ => None,
        }
    }

    fn refuses_answer(&self, command: Command, walk: Walk<'_>, scene: &Scene<'_>) -> Option<String> {
        if self.step.is_some() {
            return Some("this is not the step in front; going on leads back to it".into());
        }
        if self.driven(scene).is_none_or(|d| d.writing > 0) || walk.here().is_none() {
            return Some("the journal is being written".into());
        }
        let Some(view) = self.view(walk, walk.here()?, scene) else {
            return Some(format!("{} is gone", walk.run.plan.cluster));
        };
        let said = said(command)?;
        if said == Said::GoOn && self.asking(scene) > 0 {
            return Some("answers are on their way".into());
        }
        said.answer(&view).is_none().then(|| "no check decides here: say yes, no or unknown".into())
    }

    /// The change that the step one looks at offers; `Err`: why it can't be asked for.
    fn offer(&self, walk: Walk<'_>, scene: &Scene<'_>) -> Option<Result<Wanted, String>> {
        let offer = self.view(walk, self.at()?, scene)?.act?;
        let cluster = walk.run.plan.cluster.clone();
        Some(offer.act().map(|act| Wanted::Act(catalog::Wish { cluster, act, because: None })))
    }

    /// Command lines of the step one looks at.
    fn lines(&self, walk: Walk<'_>, scene: &Scene<'_>) -> Vec<String> {
        let view = self.at().and_then(|step| self.view(walk, step, scene));
        let Some(view) = view else { return Vec::new() };
        view.commands.into_iter().map(|c| c.text).chain(view.act.map(|act| act.line)).collect()
    }

    /// Does a command.
    pub fn on(&mut self, command: Command, walk: Walk<'_>, scene: &Scene<'_>) -> Vec<Wish> {
        let last = walk.runbook.steps.len().saturating_sub(1);
        let page = usize::from(scene.size.height).saturating_sub(8).max(1);
        match command {
            Command::Up | Command::Down | Command::First | Command::Last => self.look_at(command, last),
            Command::PageUp => self.top = self.top.min(super::page::most(self, walk, scene)).saturating_sub(page),
            Command::PageDown => self.top = (self.top + page).min(super::page::most(self, walk, scene)),
            Command::Back => return vec![Wish::Walk(None)],
            Command::GoOn if self.left(walk, scene) => {
                let versions = By::met(&scene.known.facts, &walk.run.plan.cluster);
                return vec![Wish::Effect(Effect::Run(RunEffect::TakeUp(self.of.clone(), versions)))];
            }
            Command::GoOn if self.step.is_some() => (self.step, self.top) = (None, 0),
            Command::GoOn | Command::SayYes | Command::SayNo | Command::SayUnknown => {
                return said(command).map(|said| self.say(said, walk, scene)).unwrap_or_default();
            }
            Command::AskAnew => {
                self.put.clear();
                return self.put(walk, scene);
            }
            Command::Offer => {
                let wanted = self.offer(walk, scene).and_then(Result::ok);
                return wanted.map(Wish::Propose).into_iter().collect();
            }
            Command::Copy => {
                let lines = self.lines(walk, scene);
                let line = lines.get(self.copied % lines.len().max(1)).cloned();
                self.copied += 1;
                return line.map(Wish::copy).into_iter().collect();
            }
            Command::WalkNote => return vec![Wish::Note(self.of.clone())],
            Command::WalkRecord => return vec![Wish::Record(self.of.clone())],
            Command::EndWalk => return vec![Wish::EndRun(self.of.clone())],
            _ => {}
        }
        Vec::new()
    }

    fn look_at(&mut self, command: Command, last: usize) {
        let at = self.at().unwrap_or(last + 1);
        let to = match command {
            Command::Up => at.saturating_sub(1),
            Command::Down => at + 1,
            Command::First => 0,
            _ => last,
        };
        let to = if self.open || to <= last { Some(to.min(last)) } else { None };
        self.step = if self.open && to == self.here { None } else { to };
        (self.top, self.copied) = (0, 0);
    }

    /// Writes the answer with what the checks say at this moment.
    fn say(&self, said: Said, walk: Walk<'_>, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(here) = walk.here() else { return Vec::new() };
        let Some(view) = self.view(walk, here, scene) else { return Vec::new() };
        let Some((answer, how)) = said.answer(&view) else { return Vec::new() };
        let entries: Vec<What> = walk.leave(here, &answer, &view.checks, how, scene.now);
        entries.into_iter().map(|what| Wish::Write(self.of.clone(), what)).collect()
    }
}

fn said(command: Command) -> Option<Said> {
    Some(match command {
        Command::GoOn => Said::GoOn,
        Command::SayYes => Said::Yes,
        Command::SayNo => Said::No,
        Command::SayUnknown => Said::Unknown,
        _ => return None,
    })
}
