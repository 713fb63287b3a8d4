//! Every cluster of the chosen contexts and namespaces, worst first, with the reasons of its verdict.
//!
//! It keeps a selection by name (so that it stays on its cluster when the order changes), a filter and a sort column.

mod columns;
mod view;

use super::field::Field;
use super::fuzzy::Fuzzy;
use super::list::{self, Filter};
use super::{Choice, Pane, PaneId, Scene, Selected, Wish, object_of};
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::domain::names::ClusterKey;
use crate::ui::theme::Look;
use crate::ui::widgets::table::Table;
use columns::Column;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

pub use columns::{lag, short_zone};
pub use view::{MORE, and_more, reason_line};

/// The pane's name.
pub const ID: PaneId = "fleet";

/// The pane.
#[derive(Default)]
pub struct Fleet {
    selected: Option<ClusterKey>,
    /// The selection was moved by hand; until then it is the first, the worst.
    moved: bool,
    filter: Filter,
    sort: Option<Column>,
    reversed: bool,
    /// No reasons under the clusters that are not selected.
    terse: bool,
    order: Vec<ClusterKey>,
    several_contexts: bool,
    /// Cells of the longest name: with its namespace, and alone. Of all that could be shown, so that a filter moves no column.
    widest: columns::Widest,
    /// How many of the shown are ok, unknown, warn, bad.
    tally: [usize; 4],
    /// What the order was made from.
    made_of: Option<Recipe>,
}

/// What an order is made from: while this is the same, so is the order.
#[derive(Clone, PartialEq)]
struct Recipe {
    version: u64,
    choice: Choice,
    filter: String,
    sort: Option<Column>,
    reversed: bool,
}

impl Fleet {
    fn place(&self) -> usize {
        let selected = self.selected.as_ref();
        selected.and_then(|s| self.order.iter().position(|k| k == s)).unwrap_or(0)
    }

    fn go(&mut self, place: usize) {
        let place = place.min(self.order.len().saturating_sub(1));
        self.selected = self.order.get(place).cloned();
    }

    fn reorder(&mut self, scene: &Scene<'_>) {
        let recipe = Recipe {
            version: scene.known.version,
            choice: scene.choice.clone(),
            filter: self.filter.text().to_owned(),
            sort: self.sort,
            reversed: self.reversed,
        };
        if self.made_of.as_ref() == Some(&recipe) {
            return;
        }
        let mut fuzzy = Fuzzy::new(self.filter.text());
        let shown = scene.known.judged.values().map(|j| &j.digest).filter(|d| scene.choice.shows(&d.key));
        let shown: Vec<_> = shown.collect();
        self.several_contexts = shown.first().is_some_and(|f| shown.iter().any(|d| d.key.context != f.key.context));
        self.widest = columns::Widest::of(&shown, self.several_contexts);
        let mut rows: Vec<_> = shown
            .into_iter()
            .filter(|d| {
                self.filter.is_empty()
                    || fuzzy.matches(&format!("{} {} {} {}", d.key.context, d.key, d.operator, d.level.word()))
            })
            .collect();
        match self.sort {
            None => rows.sort_by(|a, b| columns::worst_first(a, b)),
            Some(column) => rows.sort_by(|a, b| column.compare(a, b).then_with(|| columns::worst_first(a, b))),
        }
        if self.reversed {
            rows.reverse();
        }
        self.tally = [Level::Ok, Level::Unknown, Level::Warn, Level::Bad]
            .map(|level| rows.iter().filter(|d| d.level == level).count());
        let place = if self.moved { self.place() } else { 0 };
        self.order = rows.into_iter().map(|d| d.key.clone()).collect();
        if !self.moved || self.selected.as_ref().is_none_or(|s| !self.order.contains(s)) {
            self.go(place);
        }
        self.made_of = Some(recipe);
    }

    /// Lines of a cluster: its own, and one of reasons. They do not depend on the selection, so that no row moves away
    /// from under the eye or the mouse.
    fn lines(&self, scene: &Scene<'_>, n: usize) -> u16 {
        let judged = self.order.get(n).and_then(|key| scene.known.judged.get(key));
        1 + u16::from(judged.is_some_and(|j| !self.terse && j.digest.level != Level::Ok))
    }

    fn table<'a>(&self, width: u16, lines: &'a dyn Fn(usize) -> u16, empty: &'a str) -> Table<'a> {
        Table {
            columns: columns::shapes(self.widest, width).to_vec(),
            total: self.order.len(),
            selected: (!self.order.is_empty()).then(|| self.place()),
            sort: self.sort.and_then(|s| columns::ALL.iter().position(|c| *c == s)).map(|n| (n + 1, !self.reversed)),
            lines: Some(lines),
            empty,
        }
    }

    /// Where the list is.
    fn area(scene: &Scene<'_>) -> Rect {
        view::parts(Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height }).0
    }

    fn page(&self, scene: &Scene<'_>) -> usize {
        let lines = |n: usize| self.lines(scene, n);
        self.table(scene.size.width, &lines, "").page(Self::area(scene))
    }

    fn next_sort(&mut self) {
        let next = self.sort.map_or(0, |c| columns::ALL.iter().position(|a| *a == c).map_or(0, |p| p + 1));
        self.sort = columns::ALL.get(next).copied();
        self.reversed = false;
    }
}

impl Pane for Fleet {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Fleet"
    }

    fn scope(&self) -> Scope {
        Scope::Fleet
    }

    fn refuses(&self, command: Command, _scene: &Scene<'_>) -> Option<String> {
        match command {
            _ if self.order.is_empty() && list::needs_one(command) => {
                let why = if self.filter.is_empty() { "no cluster is shown" } else { "no cluster matches the filter" };
                Some(why.into())
            }
            Command::Left | Command::Right => Some("the list has no sides: sort with the sort key".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let step = list::step(command, self.place(), self.order.len(), || self.page(scene));
        if let Some(place) = step {
            self.go(place);
        }
        self.moved |= command.scope() == Scope::List;
        self.filter.on(command);
        match command {
            Command::Open => {
                let chosen = self.selected.clone().map(Wish::Choose);
                return chosen.into_iter().chain([Wish::Go(super::topology::ID)]).collect();
            }
            Command::Copy => {
                let name = self.selected.as_ref().map(ToString::to_string).unwrap_or_default();
                return vec![Wish::copy(name)];
            }
            Command::Sort => self.next_sort(),
            Command::SortReverse => self.reversed = !self.reversed,
            Command::ToggleReasons => self.terse = !self.terse,
            _ => {}
        }
        self.settle(scene);
        self.selected.clone().map(Wish::Choose).into_iter().collect()
    }

    fn has_back(&self) -> bool {
        self.filter.is_there()
    }

    fn typing(&mut self) -> Option<&mut Field> {
        self.filter.typing()
    }

    fn is_typing(&self) -> bool {
        self.filter.is_typing()
    }

    fn press(&mut self, x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        let lines = |n: usize| self.lines(scene, n);
        let table = self.table(scene.size.width, &lines, "");
        let heading = table.heading_at(Self::area(scene), x, y);
        let row = table.row_at(Self::area(scene), y);
        if let Some(column) = heading.and_then(|n| columns::ALL.get(n.checked_sub(1)?)) {
            self.reversed = self.sort == Some(*column) && !self.reversed;
            self.sort = Some(*column);
        }
        match row {
            Some(place) if place == self.place() => return self.on(Command::Open, scene),
            Some(place) => self.go(place),
            None => {}
        }
        self.moved = true;
        self.settle(scene);
        self.selected.clone().map(Wish::Choose).into_iter().collect()
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        self.reorder(scene);
        Vec::new()
    }

    fn chosen(&mut self, key: &ClusterKey) {
        self.selected = Some(key.clone());
        self.moved = true;
    }

    fn suggests(&self) -> Option<&ClusterKey> {
        self.selected.as_ref()
    }

    fn selected(&self, scene: &Scene<'_>) -> Option<Selected> {
        let cluster = scene.known.facts.clusters.get(self.selected.as_ref()?)?;
        let primary = cluster.primary.clone().filter(|p| cluster.instance(p).is_some());
        Some(Selected { object: object_of(cluster), instance: primary.map(|p| (cluster.key.clone(), p)) })
    }

    fn visible(&self, scene: &Scene<'_>) -> Vec<ClusterKey> {
        let lines = |n: usize| self.lines(scene, n);
        let rows = self.table(scene.size.width, &lines, "").visible(Self::area(scene).height.saturating_sub(1));
        self.order.get(rows).map(<[_]>::to_vec).unwrap_or_default()
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        &[
            (Command::Down, "move"),
            (Command::Open, "open"),
            (Command::Filter, "filter"),
            (Command::Sort, "sort"),
            (Command::Runbook, "runbook"),
            (Command::ToggleReasons, "reasons"),
            (Command::Describe, "describe"),
            (Command::Psql, "psql"),
        ]
    }

    fn counts<'a>(&self, _scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        Some(view::counts(self, look))
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}
