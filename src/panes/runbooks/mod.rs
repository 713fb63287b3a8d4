//! What to do in an incident: the runbooks, those that the verdict asks for first, and the walk of one, step by step.
//!
//! One screen in two states: the list, or the walk that one stands in. All that a walk means (what an answer leads to, what
//! goes into its journal) is [`crate::procedure::runbook`]'s; the pane shows it and passes on what a person says.

mod end;
mod list;
mod page;
mod steps;
mod told;
mod walk;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::field::Field;
use super::list::{Filter, needs_one, step};
use super::{Effect, Pane, PaneId, RunEffect, Scene, Wish};
use crate::command::{Command, Scope};
use crate::domain::names::ClusterKey;
use crate::procedure::runbook::{Runbook, Walk, walk as walking};
use crate::procedure::{By, RunId};
use crate::ui::theme::Look;
use walk::Walking;

/// The pane's name.
pub const ID: PaneId = "runbooks";

/// How long a walk that was asked for may take to begin before it can be asked for once more.
const BEGINNING: SignedDuration = SignedDuration::from_secs(3);

/// The pane.
#[derive(Default)]
pub struct Runbooks {
    /// The selected runbook's name.
    selected: Option<String>,
    /// The selection was moved by hand; until then it is the first, the one for the worst reason.
    moved: bool,
    filter: Filter,
    /// What the filter was when the list was made last: the best match of a new one is selected.
    filtered: String,
    /// Names of those shown: those that the verdict asks for, then the others.
    order: Vec<String>,
    /// How many of them the verdict asks for.
    offered: usize,
    /// The cluster that the list of runs was asked for last.
    listed_for: Option<ClusterKey>,
    /// When a walk was asked for that has not begun yet.
    begun: Option<Timestamp>,
    /// The walk in front.
    walk: Option<Walking>,
}

/// A walk of a runbook that has not ended.
enum Unended<'a> {
    /// Driven by this console.
    Here(&'a RunId),
    /// Nobody drives it.
    Left(&'a RunId, Timestamp),
    /// Somebody else does.
    Elsewhere(String),
}

impl Runbooks {
    fn place(&self) -> usize {
        let selected = self.selected.as_ref();
        selected.and_then(|s| self.order.iter().position(|name| name == s)).unwrap_or(0)
    }

    fn go(&mut self, place: usize) {
        self.selected = self.order.get(place.min(self.order.len().saturating_sub(1))).cloned();
    }

    /// The selected one.
    fn runbook<'a>(&self, scene: &Scene<'a>) -> Option<&'a Runbook> {
        scene.doing.runbooks.get(self.selected.as_ref()?)
    }

    fn gather(&mut self, scene: &Scene<'_>) {
        let all = &scene.doing.runbooks;
        let health = scene.chosen.and_then(|key| scene.known.judged.get(key)).map(|j| &j.health);
        let offered: Vec<_> = health.map(|health| all.applies(health)).unwrap_or_default();
        let rest = all.iter().filter(|r| offered.iter().all(|o| o.name != r.name));
        let mut fuzzy = super::fuzzy::Fuzzy::new(self.filter.text());
        let all_shown = self.filter.is_empty();
        let mut score = |r: &Runbook| {
            let found = if all_shown { Some(0) } else { fuzzy.score(&format!("{} {}", r.name, r.title)) };
            found.map(|score| (std::cmp::Reverse(score), r.name.clone()))
        };
        // Stable: without a filter the verdict's order stays, and that of the names.
        let mut first: Vec<_> = offered.iter().filter_map(|r| score(r)).collect();
        let mut rest: Vec<_> = rest.filter_map(score).collect();
        first.sort_by_key(|(score, _)| *score);
        rest.sort_by_key(|(score, _)| *score);
        self.offered = first.len();
        let best = first.iter().chain(&rest).min_by_key(|(score, _)| *score).map(|(_, name)| name.clone());
        self.order = first.into_iter().chain(rest).map(|(_, name)| name).collect();
        let typed = std::mem::replace(&mut self.filtered, self.filter.text().to_owned()) != self.filtered;
        if typed && !all_shown {
            self.selected = best;
        } else if !self.moved || self.selected.as_ref().is_none_or(|s| !self.order.contains(s)) {
            self.go(0);
        }
    }

    /// The newest walk of a runbook on the chosen cluster that has not ended.
    fn unended<'a>(scene: &Scene<'a>, name: &str) -> Option<Unended<'a>> {
        let key = scene.chosen?;
        let here = scene.doing.under_way().filter(|d| d.run().plan.cluster == *key);
        let here = here.filter(|d| scene.doing.runbooks.of(d.run()).is_some_and(|r| r.name == name));
        if let Some(driven) = here.last() {
            return Some(Unended::Here(&driven.run().id));
        }
        let listed = scene.doing.listed.iter().flatten().filter(|s| s.outcome.is_none() && s.cluster == *key);
        let mut ours = listed.filter(|s| walking::runbook_in(&s.title) == Some(name));
        let found = ours.find(|s| !scene.doing.runs.contains_key(&s.run))?;
        Some(match &found.holder {
            None => Unended::Left(&found.run, found.last),
            Some(holder) => Unended::Elsewhere(holder.words()),
        })
    }

    /// Goes on with the walk of the selected runbook, or begins one.
    fn open(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(runbook) = self.runbook(scene) else { return Vec::new() };
        match Self::unended(scene, &runbook.name) {
            Some(Unended::Here(id)) => vec![Wish::Walk(Some(id.clone()))],
            Some(Unended::Left(id, _)) => {
                self.begun = Some(scene.now);
                let versions = scene.chosen.map(|key| By::met(&scene.known.facts, key)).unwrap_or_default();
                vec![Wish::Effect(Effect::Run(RunEffect::TakeUp(id.clone(), versions)))]
            }
            Some(Unended::Elsewhere(_)) | None => self.begin(scene, runbook),
        }
    }

    fn begin(&mut self, scene: &Scene<'_>, runbook: &Runbook) -> Vec<Wish> {
        self.begun = Some(scene.now);
        scene.chosen.map(|key| Wish::BeginWalk(key.clone(), runbook.name.clone())).into_iter().collect()
    }

    /// The walk in front.
    fn front<'a>(scene: &Scene<'a>) -> Option<Walk<'a>> {
        scene.doing.walk(scene.doing.walking.as_ref()?)
    }

    fn on_list(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let page = || list::page(self, scene);
        if let Some(place) = step(command, self.place(), self.order.len(), page) {
            self.go(place);
        }
        self.moved |= matches!(command.scope(), Scope::List | Scope::Runbooks);
        self.filter.on(command);
        let wishes = match command {
            Command::Open => self.open(scene),
            Command::WalkAnew => self.runbook(scene).map(|r| self.begin(scene, r)).unwrap_or_default(),
            Command::Copy => self.selected.clone().map(Wish::copy).into_iter().collect(),
            _ => Vec::new(),
        };
        self.gather(scene);
        wishes
    }

    fn refuses_list(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        match command {
            _ if self.order.is_empty() && (needs_one(command) || command == Command::WalkAnew) => {
                Some("no runbook matches the filter".into())
            }
            Command::Open | Command::WalkAnew => {
                let waits = self.begun.is_some_and(|at| scene.now.duration_since(at) < BEGINNING);
                let known = scene.chosen.is_some_and(|key| scene.known.sight(key, None, scene.now).is_some());
                match (known, waits) {
                    (false, _) => Some("no cluster is known to walk it on".into()),
                    (_, true) => Some("the walk is being begun".into()),
                    _ => None,
                }
            }
            Command::Sort | Command::SortReverse => Some("what the verdict asks for stands first".into()),
            Command::Left | Command::Right => Some("the list has no sides".into()),
            _ => None,
        }
    }
}

impl Pane for Runbooks {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Runbooks"
    }

    fn short(&self) -> &'static str {
        "Books"
    }

    fn scope(&self) -> Scope {
        if self.walk.is_some() { Scope::Walk } else { Scope::Runbooks }
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        match &self.walk {
            Some(walk) => walk.hints(),
            None => &[
                (Command::Up, "move"),
                (Command::Open, "walk it"),
                (Command::Filter, "filter"),
                (Command::WalkAnew, "begin anew"),
                (Command::ClusterNext, "next cluster"),
            ],
        }
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        match (&self.walk, Self::front(scene)) {
            (Some(walking), Some(walk)) => walking.refuses(command, walk, scene),
            _ => self.refuses_list(command, scene),
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        match (&mut self.walk, Self::front(scene)) {
            (Some(walking), Some(walk)) => walking.on(command, walk, scene),
            _ => self.on_list(command, scene),
        }
    }

    fn typing(&mut self) -> Option<&mut Field> {
        self.filter.typing()
    }

    fn is_typing(&self) -> bool {
        self.filter.is_typing()
    }

    fn press(&mut self, _x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        if self.walk.is_some() {
            return Vec::new();
        }
        match list::row_at(self, scene, y) {
            Some(row) if row == self.place() && self.refuses_list(Command::Open, scene).is_none() => self.open(scene),
            Some(row) => {
                self.moved = true;
                self.go(row);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        if let Some(walk) = Self::front(scene) {
            self.begun = None;
            let same = self.walk.take().filter(|w| w.of == walk.run.id);
            let walking = self.walk.insert(same.unwrap_or_else(|| Walking::new(walk.run.id.clone())));
            return walking.settle(walk, scene);
        }
        // Which walks are open may have changed while one was walked.
        let anew = self.walk.take().is_some() || self.listed_for.as_ref() != scene.chosen;
        self.gather(scene);
        self.listed_for = scene.chosen.cloned();
        if anew { vec![Wish::Effect(Effect::Run(RunEffect::List))] } else { Vec::new() }
    }

    fn has_back(&self) -> bool {
        self.walk.is_some() || self.filter.is_there()
    }

    fn about(&self, scene: &Scene<'_>) -> Option<ClusterKey> {
        self.walk.as_ref().and(Self::front(scene)).map(|walk| walk.run.plan.cluster.clone())
    }

    fn chosen(&mut self, _key: &ClusterKey) {
        self.moved = false;
    }

    fn point_at(&mut self, name: &str) {
        self.filter = Filter::default();
        (self.selected, self.moved) = (Some(name.to_owned()), true);
    }

    fn visible(&self, scene: &Scene<'_>) -> Vec<ClusterKey> {
        // What a walk looks at is sampled each second, whichever cluster is in question.
        let mut all: Vec<_> = scene.chosen.cloned().into_iter().chain(self.about(scene)).collect();
        all.sort();
        all.dedup();
        all
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        match &self.walk {
            Some(_) => None,
            None => Some(list::counts(self, scene, look)),
        }
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        match (&self.walk, Self::front(scene)) {
            (Some(walking), Some(walk)) => page::draw(walking, walk, scene, look, area, buf),
            _ => list::draw(self, scene, look, area, buf),
        }
    }
}
