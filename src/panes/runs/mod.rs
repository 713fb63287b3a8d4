//! What is done: the plan before it begins, the run while it goes on, every run there was.
//!
//! One screen in three states, and always the one that matters: a plan that is looked at, else the run that was opened,
//! else the list. Acts and drills alike are led from here; where they are asked for is elsewhere.

mod detail;
mod drill;
mod list;
mod measured;
mod plan;
mod run;
mod steps;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::doing::current;
use super::list::{needs_one, step};
use super::{Effect, Pane, PaneId, RunEffect, Scene, Wish, runbooks};
use crate::command::{Command, Scope};
use crate::domain::names::ClusterKey;
use crate::procedure::runbook::walk::runbook_in;
use crate::procedure::{By, Kind, Run, Summary};
use crate::ui::theme::Look;
use crate::ui::widgets::table::Table;

/// The pane's name.
pub const ID: PaneId = "runs";

/// What is in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Front {
    #[default]
    List,
    Plan,
    Run,
}

/// What a run wants of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing: it has ended, or another process drives it.
    #[default]
    Told,
    /// Nothing now: it goes on.
    GoesOn,
    /// To be let through a gate.
    Gate,
    /// To be told how to go on.
    Stuck,
}

impl Stage {
    fn of(scene: &Scene<'_>) -> Stage {
        let driven = scene.doing.shown.as_ref().and_then(|id| scene.doing.runs.get(id)).filter(|d| d.open());
        match driven.map(|d| d.asked.first()) {
            None => Stage::Told,
            Some(None) => Stage::GoesOn,
            Some(Some(question)) if question.gate.is_some() => Stage::Gate,
            Some(Some(_)) => Stage::Stuck,
        }
    }
}

/// The pane.
#[derive(Default)]
pub struct Runs {
    front: Front,
    /// The selected run of the list.
    selected: usize,
    /// The selected step; `None`: the one that matters now.
    step: Option<usize>,
    /// Lines that the chosen step is scrolled by.
    top: usize,
    /// What the run in front is about to be told.
    stage: Stage,
    /// The plan or run the step belongs to.
    of: String,
    /// The list was asked for.
    asked: bool,
}

impl Runs {
    /// Every run but walks that are walked elsewhere and not ended: all that the list shows.
    fn rows<'a>(scene: &Scene<'a>) -> &'a [Summary] {
        scene.doing.listed.as_deref().unwrap_or_default()
    }

    fn row<'a>(&self, scene: &Scene<'a>) -> Option<&'a Summary> {
        Self::rows(scene).get(self.selected)
    }

    /// The run in front.
    fn run<'a>(scene: &Scene<'a>) -> Option<&'a Run> {
        scene.doing.run(scene.doing.shown.as_ref()?)
    }

    /// The run in front is a drill.
    fn is_drill(scene: &Scene<'_>) -> bool {
        Self::run(scene).is_some_and(|run| run.plan.kind.is_drill())
    }

    /// How many steps stand there, and which is selected.
    fn steps(&self, scene: &Scene<'_>) -> (usize, usize) {
        let (total, now) = match self.front {
            Front::List => (0, 0),
            Front::Plan => (scene.doing.proposal.as_ref().map_or(0, |p| p.plan.steps.len()), 0),
            Front::Run => Self::run(scene).map_or((0, 0), |run| (run.plan.steps.len(), current(run))),
        };
        (total, self.step.unwrap_or(now).min(total.saturating_sub(1)))
    }

    fn open(&self, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(row) = self.row(scene) else { return Vec::new() };
        let read =
            (scene.doing.run(&row.run).is_none() || row.outcome.is_none()) && !scene.doing.runs.contains_key(&row.run);
        let read = read.then(|| Wish::Effect(Effect::Run(RunEffect::Read(row.run.clone()))));
        // A walk is looked at where it is walked, as long as its runbook is there.
        let walked =
            row.kind == Kind::Runbook && runbook_in(&row.title).is_some_and(|r| scene.doing.runbooks.get(r).is_some());
        let show = match walked {
            true => vec![Wish::Walk(Some(row.run.clone())), Wish::Go(runbooks::ID)],
            false => vec![Wish::Show(Some(row.run.clone()))],
        };
        read.into_iter().chain(show).collect()
    }

    fn on_list(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let total = Self::rows(scene).len();
        if let Some(place) = step(command, self.selected, total, || usize::from(scene.size.height).saturating_sub(2)) {
            self.selected = place;
        }
        match command {
            Command::Open => self.open(scene),
            Command::Resume => self.row(scene).map(|row| take_up(scene, row)).into_iter().collect(),
            Command::Copy => self.row(scene).map(|row| Wish::copy(row.run.to_string())).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn on_run(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(run) = Self::run(scene) else { return Vec::new() };
        match command {
            // Of a run that has ended, Ctrl-C means what it means everywhere.
            Command::EndRun if scene.doing.runs.get(&run.id).is_none_or(|d| !d.open()) => vec![Wish::Do(Command::Quit)],
            Command::EndRun => vec![Wish::EndRun(run.id.clone())],
            Command::Note => vec![Wish::Note(run.id.clone())],
            Command::SaveReport if run.plan.kind == Kind::Runbook => vec![Wish::Record(run.id.clone())],
            Command::SaveReport => {
                let name = format!("{}.md", run.id);
                vec![Wish::Effect(Effect::Export { text: run.markdown(), name })]
            }
            Command::Copy => vec![Wish::copy(run.id.to_string())],
            _ => Vec::new(),
        }
    }
}

fn take_up(scene: &Scene<'_>, row: &Summary) -> Wish {
    let versions = By::met(&scene.known.facts, &row.cluster);
    Wish::Effect(Effect::Run(RunEffect::TakeUp(row.run.clone(), versions)))
}

impl Pane for Runs {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Runs"
    }

    fn scope(&self) -> Scope {
        match self.front {
            Front::List => Scope::Runs,
            Front::Plan => Scope::Plan,
            Front::Run => Scope::Run,
        }
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        match self.front {
            Front::List => &[
                (Command::Up, "move"),
                (Command::Open, "open"),
                (Command::Resume, "take up"),
                (Command::Act, "change something"),
                (Command::Arm, "arm"),
            ],
            Front::Plan => &[
                (Command::Up, "steps"),
                (Command::Arm, "arm"),
                (Command::Begin, "do it"),
                (Command::Again, "anew"),
                (Command::Back, "leave"),
            ],
            Front::Run => match self.stage {
                Stage::Told => {
                    &[(Command::Up, "steps"), (Command::SaveReport, "write the report"), (Command::Back, "list")]
                }
                Stage::GoesOn => &[
                    (Command::EndRun, "end it"),
                    (Command::Up, "steps"),
                    (Command::Note, "note"),
                    (Command::Back, "list"),
                ],
                Stage::Gate => &[
                    (Command::Grant, "yes, go on"),
                    (Command::LeaveRun, "leave it"),
                    (Command::EndRun, "end it"),
                    (Command::Up, "steps"),
                    (Command::Note, "note"),
                ],
                Stage::Stuck => &[
                    (Command::Retry, "once more"),
                    (Command::LeaveRun, "leave"),
                    (Command::EndRun, "end it"),
                    (Command::Up, "steps"),
                    (Command::Note, "note"),
                ],
            },
        }
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        let running = || scene.doing.shown.as_ref().and_then(|id| scene.doing.runs.get(id)).is_some_and(|d| d.open());
        match command {
            _ if needs_one(command) && self.front == Front::List && Self::rows(scene).is_empty() => {
                Some("nothing was done yet".into())
            }
            Command::Resume => match self.row(scene) {
                None => Some("nothing is selected".into()),
                Some(row) if row.outcome.is_some() => Some("it has ended".into()),
                Some(row) if row.kind == Kind::Runbook => Some("a walk goes on where runbooks are: open it".into()),
                Some(row) => row.holder.as_ref().map(|holder| format!("it is under way: {}", holder.words())),
            },
            Command::Note if !running() => Some("no run is under way here".into()),
            Command::Open if self.front != Front::List => Some("each step is shown beside the list".into()),
            Command::Filter | Command::Sort | Command::SortReverse => Some("runs stand in the order of time".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        if self.front == Front::List {
            return self.on_list(command, scene);
        }
        if command == Command::Back {
            // A step that was looked at gives way to the drill's picture first.
            if self.step.take().is_some() && self.front == Front::Run && Self::is_drill(scene) {
                return Vec::new();
            }
            return vec![match self.front {
                Front::Plan => Wish::Dismiss,
                _ => Wish::Show(None),
            }];
        }
        let (total, at) = self.steps(scene);
        match command {
            Command::PageDown => self.top += 5,
            Command::PageUp => self.top = self.top.saturating_sub(5),
            _ => {
                if let Some(place) = step(command, at, total, || 1) {
                    (self.step, self.top) = (Some(place), 0);
                }
            }
        }
        if self.front == Front::Run { self.on_run(command, scene) } else { Vec::new() }
    }

    fn press(&mut self, _x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        if self.front != Front::List {
            return Vec::new();
        }
        let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
        let table: Table<'_> = list::table(self, scene);
        match table.row_at(area, y) {
            Some(row) if row == self.selected => self.open(scene),
            Some(row) => {
                self.selected = row;
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        let shown = scene.doing.shown.as_ref().filter(|id| scene.doing.run(id).is_some());
        let (front, of) = match (&scene.doing.proposal, shown) {
            (Some(proposal), _) => (Front::Plan, format!("plan {}", proposal.number)),
            (None, Some(run)) => (Front::Run, run.to_string()),
            (None, None) => (Front::List, String::new()),
        };
        if self.of != of {
            (self.step, self.top, self.of) = (None, 0, of);
        }
        self.front = front;
        self.stage = Stage::of(scene);
        self.selected = self.selected.min(Self::rows(scene).len().saturating_sub(1));
        if std::mem::replace(&mut self.asked, true) {
            return Vec::new();
        }
        vec![Wish::Effect(Effect::Run(RunEffect::List))]
    }

    fn has_back(&self) -> bool {
        self.front != Front::List
    }

    fn about(&self, scene: &Scene<'_>) -> Option<ClusterKey> {
        match self.front {
            Front::List => self.row(scene).map(|row| row.cluster.clone()),
            Front::Plan => scene.doing.proposal.as_ref().map(|p| p.plan.cluster.clone()),
            Front::Run => Self::run(scene).map(|run| run.plan.cluster.clone()),
        }
    }

    fn visible(&self, scene: &Scene<'_>) -> Vec<ClusterKey> {
        // What a run watches is sampled each second, whichever cluster is in question.
        let mut all: Vec<_> = scene.chosen.cloned().into_iter().chain(self.about(scene)).collect();
        all.sort();
        all.dedup();
        all
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        (self.front == Front::List).then(|| list::counts(scene, look))
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        let (_, at) = self.steps(scene);
        match (self.front, &scene.doing.proposal, Self::run(scene)) {
            (Front::Plan, Some(proposal), _) => plan::draw(proposal, (at, self.top), scene, look, area, buf),
            (Front::Run, _, Some(run)) => {
                let eye = run::Eye { at, by_hand: self.step.is_some(), top: self.top };
                run::draw(run, eye, scene, look, area, buf);
            }
            _ => list::draw(self, scene, look, area, buf),
        }
    }
}
