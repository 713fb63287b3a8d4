//! The lab: the faults that can be made in it, each an incident to practise on. It is there only where the context is a
//! lab.
//!
//! It keeps what is selected and what each fault shall be done to. What stands is learned from the lab's API, whoever
//! made it.

mod view;

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::step;
use super::{Effect, Pane, PaneId, Scene, Wish};
use crate::command::{Command, Scope};
use crate::domain::cluster::Cluster;
use crate::domain::fault::{FaultKind, FaultOrder, KINDS, Standing, Target};
use crate::domain::names::ClusterKey;
use crate::ui::theme::Look;

/// The pane's name.
pub const ID: PaneId = "lab";

/// The pane.
#[derive(Default)]
pub struct Lab {
    selected: usize,
    /// What a kind shall be done to, where it was chosen; otherwise the lab chooses.
    targets: BTreeMap<&'static str, String>,
}

impl Lab {
    fn cluster<'a>(scene: &Scene<'a>) -> Option<&'a Cluster> {
        scene.known.facts.clusters.get(scene.chosen?).map(|c| &**c)
    }

    fn kind(&self) -> &'static FaultKind {
        &KINDS[self.selected.min(KINDS.len() - 1)]
    }

    /// The faults that stand in the cluster in question.
    fn standing<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Standing> {
        let (key, faults) = (scene.chosen, &scene.known.facts.faults);
        let all = key.and_then(|key| faults.get(&key.context)).map(|all| all.as_slice()).unwrap_or_default();
        all.iter().filter(move |fault| {
            let own = |key: &ClusterKey| *key.namespace == *fault.namespace && *key.name == *fault.cluster;
            key.is_some_and(own)
        })
    }

    /// The fault of a kind that is meant: that on the chosen target, else the first.
    fn meant<'a>(&self, kind: &FaultKind, scene: &Scene<'a>) -> Option<&'a Standing> {
        let target = self.targets.get(kind.name);
        let hit = |f: &&Standing| target.is_none_or(|t| f.target.split([' ', ',']).any(|word| word == t));
        Self::standing(scene).filter(|f| f.kind == kind.name).find(hit)
    }

    /// What a kind can be done to, where there is a choice.
    fn choices(kind: &FaultKind, cluster: &Cluster) -> Vec<String> {
        let instances = cluster.instances.iter().map(|i| &i.name);
        match kind.target {
            Target::Standby => {
                instances.filter(|name| cluster.primary.as_ref() != Some(name)).map(ToString::to_string).collect()
            }
            Target::Instance => instances.map(ToString::to_string).collect(),
            Target::Zone => cluster.zones().into_iter().map(ToString::to_string).collect(),
            Target::Primary | Target::Cluster | Target::Api => Vec::new(),
        }
    }

    /// The next target of the selected kind; after the last one the lab chooses again.
    fn next_target(&mut self, scene: &Scene<'_>) {
        let kind = self.kind();
        let choices = Self::cluster(scene).map(|c| Self::choices(kind, c)).unwrap_or_default();
        let next = match self.targets.get(kind.name) {
            None => choices.first(),
            Some(now) => choices.iter().position(|c| c == now).and_then(|n| choices.get(n + 1)),
        };
        match next {
            Some(next) => self.targets.insert(kind.name, next.clone()),
            None => self.targets.remove(kind.name),
        };
    }

    /// Starts the selected fault, or ends it where it stands.
    fn switch(&self, scene: &Scene<'_>) -> Option<Wish> {
        let key = scene.chosen?.clone();
        let kind = self.kind();
        let order = match self.meant(kind, scene) {
            Some(fault) => FaultOrder::Stop { name: fault.name.clone() },
            None => {
                let target = self.targets.get(kind.name).cloned();
                let (instance, zone) = if kind.target == Target::Zone { (None, target) } else { (target, None) };
                FaultOrder::Start { kind: kind.name.to_owned(), instance, zone }
            }
        };
        Some(Wish::Effect(Effect::Fault(key, order)))
    }
}

impl Pane for Lab {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Lab"
    }

    fn there(&self, scene: &Scene<'_>) -> bool {
        scene.chosen.is_some_and(|key| scene.known.facts.faults.contains_key(&key.context))
    }

    fn scope(&self) -> Scope {
        Scope::Lab
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        &[
            (Command::Up, "move"),
            (Command::FaultSwitch, "start; stop"),
            (Command::FaultTarget, "done to"),
            (Command::Arm, "arm"),
        ]
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        match command {
            Command::FaultSwitch if Self::cluster(scene).is_none() => Some("no cluster is chosen".into()),
            Command::FaultSwitch => {
                let undoing = self.meant(self.kind(), scene).is_some_and(|f| f.state == "Undoing");
                undoing.then(|| "it is being undone".into())
            }
            Command::FaultTarget => {
                let choices = Self::cluster(scene).map(|c| Self::choices(self.kind(), c)).unwrap_or_default();
                choices.is_empty().then(|| format!("it is done to {}", self.kind().target.words()))
            }
            Command::Open => Some("what it does stands below the list".into()),
            Command::Filter | Command::Sort | Command::SortReverse => Some("every fault is shown".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        if let Some(place) = step(command, self.selected, KINDS.len(), || usize::from(scene.size.height / 2)) {
            self.selected = place;
        }
        match command {
            Command::FaultSwitch => return self.switch(scene).into_iter().collect(),
            Command::FaultTarget => self.next_target(scene),
            Command::Copy => return vec![Wish::copy(self.kind().name.to_owned())],
            _ => {}
        }
        Vec::new()
    }

    fn press(&mut self, _x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        // A second press only shows what is selected: nothing is broken by the mouse.
        if let Some(row) = view::row_at(self, scene, y) {
            self.selected = row;
        }
        Vec::new()
    }

    fn chosen(&mut self, _key: &ClusterKey) {
        self.targets.clear();
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        Some(view::counts(scene, look))
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}
