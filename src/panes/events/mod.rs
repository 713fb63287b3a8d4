//! One timeline of what happened: Kubernetes events, changes howdah saw, its own notices.
//!
//! It follows the newest until one moves up; then it holds still on that entry while others come in below.

mod view;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::field::Field;
use super::fuzzy::Fuzzy;
use super::list::{self, Filter};
use super::{Pane, PaneId, Scene, Selected, Wish, core_object, object_of};
use crate::command::{Command, Scope};
use crate::domain::event::{Happening, What};
use crate::domain::health::Level;
use crate::domain::names::ClusterKey;
use crate::domain::words::{Teller, Words, words};
use crate::ui::theme::Look;

pub use view::ticker;

/// The pane's name.
pub const ID: PaneId = "events";

/// Which kinds are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kinds {
    #[default]
    All,
    Warnings,
    Transitions,
}

impl Kinds {
    fn word(self) -> &'static str {
        match self {
            Kinds::All => "everything",
            Kinds::Warnings => "warnings only",
            Kinds::Transitions => "changes howdah saw",
        }
    }

    fn shows(self, words: &Words) -> bool {
        match self {
            Kinds::All => true,
            Kinds::Warnings => words.level != Level::Ok,
            Kinds::Transitions => words.teller == Teller::Seen,
        }
    }
}

/// The pane.
#[derive(Default)]
pub struct Events {
    /// The number of the selected entry; `None`: the newest, and following.
    selected: Option<u64>,
    kinds: Kinds,
    filter: Filter,
    /// Numbers of the entries shown, oldest first.
    shown: Vec<u64>,
    made_of: Option<(u64, super::Choice, Kinds, String)>,
}

impl Events {
    fn place(&self) -> usize {
        let last = self.shown.len().saturating_sub(1);
        let Some(selected) = self.selected else { return last };
        // The selected one may be gone: then the next one there is.
        let exact = self.shown.iter().position(|n| *n == selected);
        exact.or_else(|| self.shown.iter().position(|n| *n > selected)).unwrap_or(last)
    }

    fn go(&mut self, place: usize) {
        let last = self.shown.len().saturating_sub(1);
        self.selected = if place >= last { None } else { self.shown.get(place).copied() };
    }

    fn entry<'a>(&self, scene: &Scene<'a>) -> Option<&'a Happening> {
        scene.known.happenings.get(*self.shown.get(self.place())?)
    }

    fn page(scene: &Scene<'_>) -> usize {
        usize::from(scene.size.height).saturating_sub(2).max(1)
    }

    fn gather(&mut self, scene: &Scene<'_>) {
        let version = scene.known.happenings.version();
        let recipe = (version, scene.choice.clone(), self.kinds, self.filter.text().to_owned());
        if self.made_of.as_ref() == Some(&recipe) {
            return;
        }
        let mut fuzzy = Fuzzy::new(self.filter.text());
        let in_choice = |h: &Happening| match &h.cluster {
            Some(key) => scene.choice.shows(key),
            None => scene.choice.contexts.as_ref().is_none_or(|c| c.contains(&h.context)),
        };
        let mut wanted = |h: &Happening| {
            if self.kinds == Kinds::All && self.filter.is_empty() {
                return true;
            }
            let w = words(h);
            let whose = h.cluster.as_ref().map(ClusterKey::to_string).unwrap_or_default();
            let text = || format!("{} {whose} {} {} {}", w.level.word(), w.what, w.object, w.text);
            self.kinds.shows(&w) && fuzzy.matches(&text())
        };
        self.shown =
            scene.known.happenings.numbered().filter(|(_, h)| in_choice(h) && wanted(h)).map(|(n, _)| n).collect();
        self.made_of = Some(recipe);
    }
}

impl Pane for Events {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Events"
    }

    fn scope(&self) -> Scope {
        Scope::Events
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        &[
            (Command::Up, "move"),
            (Command::Filter, "filter"),
            (Command::EventKinds, "kinds"),
            (Command::Follow, "follow"),
            (Command::Describe, "describe"),
            (Command::Copy, "copy"),
        ]
    }

    fn refuses(&self, command: Command, _scene: &Scene<'_>) -> Option<String> {
        match command {
            _ if self.shown.is_empty() && list::needs_one(command) => Some("nothing is shown".into()),
            Command::Sort | Command::SortReverse => Some("the timeline stands in the order of time".into()),
            Command::Left | Command::Right => Some("the timeline has no sides".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let step = list::step(command, self.place(), self.shown.len(), || Self::page(scene));
        if let Some(place) = step {
            self.go(place);
        }
        self.filter.on(command);
        match command {
            Command::Follow => {
                self.selected = match self.selected {
                    None => self.shown.last().copied(),
                    Some(_) => None,
                };
            }
            Command::Open => return vec![Wish::Do(Command::Describe)],
            Command::Copy => {
                return self.entry(scene).map(|h| Wish::copy(view::line_of(h, scene))).into_iter().collect();
            }
            Command::EventKinds => {
                self.kinds = match self.kinds {
                    Kinds::All => Kinds::Warnings,
                    Kinds::Warnings => Kinds::Transitions,
                    Kinds::Transitions => Kinds::All,
                };
            }
            _ => {}
        }
        self.settle(scene);
        Vec::new()
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

    fn press(&mut self, _x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
        let Some(place) = view::row_at(self, area, y) else { return Vec::new() };
        if place == self.place() && self.selected.is_some() {
            return vec![Wish::Do(Command::Describe)];
        }
        self.selected = self.shown.get(place).copied();
        Vec::new()
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        self.gather(scene);
        Vec::new()
    }

    fn selected(&self, scene: &Scene<'_>) -> Option<Selected> {
        let happening = self.entry(scene)?;
        let cluster = happening.cluster.as_ref().and_then(|k| scene.known.facts.clusters.get(k))?;
        let named = match &happening.what {
            What::Kubernetes { object, .. } => object.split_once('/'),
            _ => None,
        };
        let w = words(happening);
        let instance = cluster.instances.iter().find(|i| {
            let pod = i.pod.as_ref().is_some_and(|p| named.is_some_and(|(kind, n)| kind == "Pod" && n == p.name));
            pod || i.name == *w.object.as_str()
        });
        let instance = instance.map(|i| (cluster.key.clone(), i.name.clone()));
        let object = match (named, &instance) {
            (Some((kind @ ("Pod" | "PersistentVolumeClaim" | "Service"), name)), _) => {
                core_object(&cluster.key, kind, name)
            }
            (None, Some((key, name))) => {
                let pod = cluster.instance(name).and_then(|i| i.pod.as_ref());
                pod.map_or_else(|| object_of(cluster), |p| core_object(key, "Pod", &p.name))
            }
            _ => object_of(cluster),
        };
        Some(Selected { object, instance })
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        Some(view::counts(self, scene, look))
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}

/// Is this entry old enough to be drawn dimmer than what is new?
fn is_old(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) > jiff::SignedDuration::from_hours(1)
}
