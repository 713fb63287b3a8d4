//! Drills: what can be practised on the cluster in question, how it went before, and what was measured each time.
//!
//! It keeps what is selected, what a drill shall do besides, and what it read off old journals. It only proposes a plan:
//! whether it begins, and how it goes on, is the Runs pane's.

mod offers;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use offers::Besides;

use super::list::{needs_one, step};
use super::{Effect, Pane, PaneId, RunEffect, Scene, Wish, runs};
use crate::command::{Command, Scope};
use crate::domain::backup::target::Plotted;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::drill::{History, Past, Report};
use crate::procedure::{RunId, Summary};
use crate::ui::theme::Look;

/// The pane's name.
pub const ID: PaneId = "drills";

/// Journals that are read of a cluster: the newest.
const READ: usize = 30;
/// How long a base backup that was found is taken as found.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// The pane.
#[derive(Default)]
pub struct Drills {
    /// The selected drill, or past drill below them.
    selected: usize,
    /// The first primary leads again at the end.
    back: bool,
    /// The heartbeat's table stays.
    keep: bool,
    /// The list of runs was asked for.
    asked: bool,
    /// Journals that were asked for.
    wanted: BTreeSet<RunId>,
    /// What was read off them. A closed journal does not change any more.
    measured: BTreeMap<RunId, Past>,
    /// The base backup that a restore drill would take.
    base: Option<Base>,
}

/// The base backup of a cluster, or why there is none, and when that was found out.
struct Base {
    of: ClusterKey,
    at: Timestamp,
    found: Result<Plotted, Problem>,
}

impl Drills {
    /// The drills of the cluster in question, the newest first.
    fn past<'a>(scene: &Scene<'a>) -> Vec<&'a Summary> {
        let Some(key) = scene.chosen else { return Vec::new() };
        let listed = scene.doing.listed.as_deref().unwrap_or_default();
        listed.iter().filter(|s| s.kind.is_drill() && s.cluster == *key).take(READ).collect()
    }

    /// What was measured of these, the oldest first.
    fn history(&self, past: &[&Summary]) -> History {
        History { past: past.iter().rev().filter_map(|s| self.measured.get(&s.run)).cloned().collect() }
    }

    fn open(&self, scene: &Scene<'_>) -> Vec<Wish> {
        let offers = offers::KINDS.len();
        if self.selected < offers {
            let Some(key) = scene.chosen else { return Vec::new() };
            return vec![offers::wanted(offers::KINDS[self.selected], key, &self.besides(key), scene)];
        }
        let past = Self::past(scene);
        let Some(row) = past.get(self.selected - offers) else { return Vec::new() };
        let read =
            (scene.doing.run(&row.run).is_none()).then(|| Wish::Effect(Effect::Run(RunEffect::Read(row.run.clone()))));
        read.into_iter().chain([Wish::Show(Some(row.run.clone())), Wish::Go(runs::ID)]).collect()
    }

    /// Reads what is not known yet of the drills that are listed.
    fn learn(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        let mut wishes = Vec::new();
        if !std::mem::replace(&mut self.asked, true) && scene.doing.listed.is_none() {
            wishes.push(Wish::Effect(Effect::Run(RunEffect::List)));
        }
        for row in Self::past(scene) {
            if row.outcome.is_none() || self.measured.contains_key(&row.run) {
                continue;
            }
            match scene.doing.run(&row.run).filter(|run| run.closed.is_some()) {
                Some(run) => {
                    let measured = Report::of(&run.entries).map(|r| (row.run.clone(), Past::from(&r)));
                    self.measured.extend(measured);
                }
                None if self.wanted.insert(row.run.clone()) => {
                    wishes.push(Wish::Effect(Effect::Run(RunEffect::Read(row.run.clone()))));
                }
                None => {}
            }
        }
        wishes
    }

    /// What offers are made from besides what is known.
    fn besides(&self, key: &ClusterKey) -> Besides<'_> {
        let base = self.base.as_ref().filter(|b| b.of == *key).map(|b| &b.found);
        Besides { back: self.back, keep: self.keep, base }
    }

    /// Looks for a base backup where that was not done within the second: archives are long.
    fn look_for_base(&mut self, scene: &Scene<'_>) {
        let Some(key) = scene.chosen else { return };
        let fresh = |b: &Base| b.of == *key && (SignedDuration::ZERO..FRESH).contains(&scene.now.duration_since(b.at));
        if !self.base.as_ref().is_some_and(fresh) {
            self.base = Some(Base { of: key.clone(), at: scene.now, found: offers::base(key, scene) });
        }
    }

    /// Asks for the rights that are not known, or not lately.
    fn may(&self, scene: &Scene<'_>) -> Option<Wish> {
        let key = scene.chosen?;
        let wanted = offers::rights(key, &self.besides(key), scene);
        let due = scene.doing.rights.due(key, wanted, scene.now);
        (!due.is_empty()).then(|| Wish::Rights(key.clone(), due))
    }
}

impl Pane for Drills {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Drills"
    }

    fn scope(&self) -> Scope {
        Scope::Drills
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        &[
            (Command::Up, "move"),
            (Command::Open, "plan it; open"),
            (Command::DrillBack, "hand back"),
            (Command::DrillKeep, "keep table"),
            (Command::Arm, "arm"),
        ]
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        match command {
            _ if scene.chosen.is_none() && needs_one(command) => Some("no cluster is chosen".into()),
            Command::Open if self.selected < offers::KINDS.len() => {
                let key = scene.chosen?;
                offers::refuses(offers::KINDS[self.selected], key, &self.besides(key), scene)
            }
            Command::Filter | Command::Sort | Command::SortReverse => Some("drills stand in the order of time".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let total = offers::KINDS.len() + Self::past(scene).len();
        if let Some(place) = step(command, self.selected, total, || usize::from(scene.size.height / 3)) {
            self.selected = place;
        }
        match command {
            Command::Open => return self.open(scene),
            Command::DrillBack => self.back = !self.back,
            Command::DrillKeep => self.keep = !self.keep,
            Command::Copy => {
                let past = Self::past(scene);
                let row = self.selected.checked_sub(offers::KINDS.len()).and_then(|n| past.get(n));
                let text = row.map_or_else(
                    || offers::KINDS[self.selected.min(offers::KINDS.len() - 1)].name().to_owned(),
                    |r| r.run.to_string(),
                );
                return vec![Wish::copy(text)];
            }
            _ => {}
        }
        Vec::new()
    }

    fn press(&mut self, _x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        match view::row_at(self, scene, y) {
            Some(row) if row == self.selected => vec![Wish::Do(Command::Open)],
            Some(row) => {
                self.selected = row;
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        self.look_for_base(scene);
        let mut wishes = self.learn(scene);
        wishes.extend(self.may(scene));
        self.selected = self.selected.min(offers::KINDS.len() + Self::past(scene).len() - 1);
        wishes
    }

    fn chosen(&mut self, _key: &ClusterKey) {
        self.selected = 0;
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        Some(view::counts(scene, look))
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}
