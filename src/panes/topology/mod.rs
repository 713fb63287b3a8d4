//! One cluster across its zones: nodes, instances, who follows whom, where the services lead, and what would happen if
//! a zone were lost now.
//!
//! It keeps a selected zone (by name) and a selected instance in it; everything else comes from the scene.

mod card;
mod columns;
mod links;
mod lost;
mod plan;
mod view;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Pane, PaneId, Scene, Selected, Wish, object_of};
use crate::command::{Command, Scope};
use crate::domain::cluster::Cluster;
use crate::domain::detail::ObjectRef;
use crate::domain::names::{InstanceName, ZoneName};
use crate::ui::theme::Look;
use columns::{Column, columns};

pub use card::{mark as mark_of, style as style_of, word as word_of};

/// The pane's name.
pub const ID: PaneId = "topology";

/// The pane.
#[derive(Default)]
pub struct Topology {
    /// The zone one looks at; `None`: the primary's.
    zone: Option<ZoneName>,
    /// The instance one looks at; `None`: the first of the zone.
    instance: Option<InstanceName>,
}

/// What is looked at in a cluster.
struct Looked {
    columns: Vec<Column>,
    column: usize,
    instance: Option<InstanceName>,
}

impl Topology {
    fn cluster<'a>(scene: &Scene<'a>) -> Option<&'a Cluster> {
        scene.known.facts.clusters.get(scene.chosen?).map(|c| &**c)
    }

    fn looked(&self, scene: &Scene<'_>) -> Option<Looked> {
        let cluster = Self::cluster(scene)?;
        let columns = columns(&scene.known.facts, cluster);
        let has = |c: &Column, name: &InstanceName| c.instances().any(|i| i == name);
        let by_zone = || self.zone.as_ref().and_then(|z| columns.iter().position(|c| c.zone.as_ref() == Some(z)));
        let by_instance = || self.instance.as_ref().and_then(|i| columns.iter().position(|c| has(c, i)));
        let by_primary = || cluster.primary.as_ref().and_then(|p| columns.iter().position(|c| has(c, p)));
        let column = by_zone().or_else(by_instance).or_else(by_primary).unwrap_or(0);
        let here = columns.get(column);
        let mine = self.instance.as_ref().filter(|i| here.is_some_and(|c| has(c, i)));
        let instance = mine.or_else(|| here.and_then(|c| c.instances().next())).cloned();
        Some(Looked { columns, column, instance })
    }

    fn look_at(&mut self, looked: &Looked, column: usize) {
        if let Some(c) = looked.columns.get(column) {
            self.zone.clone_from(&c.zone);
            self.instance = c.instances().next().cloned();
        }
    }

    /// All instances from top to bottom, left to right.
    fn step(&mut self, looked: &Looked, step: isize) {
        let all: Vec<(usize, &InstanceName)> =
            looked.columns.iter().enumerate().flat_map(|(n, c)| c.instances().map(move |i| (n, i))).collect();
        let at = looked.instance.as_ref().and_then(|i| all.iter().position(|(_, name)| *name == i));
        let next = match at {
            Some(at) => at.saturating_add_signed(step).min(all.len().saturating_sub(1)),
            None => 0,
        };
        if let Some((column, name)) = all.get(next) {
            self.zone.clone_from(&looked.columns[*column].zone);
            self.instance = Some((*name).clone());
        }
    }
}

impl Pane for Topology {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Topology"
    }

    fn short(&self) -> &'static str {
        "Topo"
    }

    fn scope(&self) -> Scope {
        Scope::Topology
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        &[
            (Command::ZoneNext, "zone"),
            (Command::Down, "instance"),
            (Command::Runbook, "runbook"),
            (Command::Logs, "logs"),
            (Command::Describe, "describe"),
            (Command::Yaml, "YAML"),
            (Command::Psql, "psql"),
            (Command::ClusterNext, "next cluster"),
        ]
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        let Some(looked) = self.looked(scene) else { return Some("no cluster is chosen".into()) };
        match command {
            Command::Left | Command::Right | Command::ZoneNext | Command::ZonePrevious if looked.columns.len() < 2 => {
                Some("there is no other zone".into())
            }
            Command::Up | Command::Down | Command::First | Command::Last | Command::Open | Command::Copy
                if looked.instance.is_none() =>
            {
                Some("no instance is selected".into())
            }
            Command::Filter => Some("everything of the cluster is shown".into()),
            Command::Sort | Command::SortReverse => Some("zones stand in the order of their names".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(looked) = self.looked(scene) else { return Vec::new() };
        let n = looked.columns.len();
        match command {
            Command::Left => self.look_at(&looked, looked.column.saturating_sub(1)),
            Command::Right => self.look_at(&looked, (looked.column + 1).min(n.saturating_sub(1))),
            Command::ZoneNext => self.look_at(&looked, (looked.column + 1) % n),
            Command::ZonePrevious => self.look_at(&looked, (looked.column + n - 1) % n),
            Command::Up | Command::PageUp => self.step(&looked, -1),
            Command::Down | Command::PageDown => self.step(&looked, 1),
            Command::First => self.look_at(&looked, 0),
            Command::Last => self.look_at(&looked, n - 1),
            Command::Open => return vec![Wish::Do(Command::Describe)],
            Command::Copy => return looked.instance.map(|i| Wish::copy(i.to_string())).into_iter().collect(),
            _ => {}
        }
        Vec::new()
    }

    fn press(&mut self, x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(looked) = self.looked(scene) else { return Vec::new() };
        if let Some(hit) = view::at(&looked, scene, x, y) {
            match hit {
                view::Hit::Zone(column) => self.look_at(&looked, column),
                view::Hit::Instance(column, name) => {
                    self.zone.clone_from(&looked.columns[column].zone);
                    self.instance = Some(name);
                }
            }
        }
        Vec::new()
    }

    fn selected(&self, scene: &Scene<'_>) -> Option<Selected> {
        let cluster = Self::cluster(scene)?;
        let looked = self.looked(scene)?;
        let key = &cluster.key;
        let object = |kind: &str, namespace: &str, name: &str| ObjectRef {
            context: key.context.clone(),
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        if let Some(name) = looked.instance {
            let pod = cluster.instance(&name).and_then(|i| i.pod.as_ref());
            let object = pod.map_or_else(|| object_of(cluster), |p| object("Pod", &key.namespace, &p.name));
            return Some(Selected { object, instance: Some((key.clone(), name)) });
        }
        let node = looked.columns.get(looked.column)?.nodes.first()?.node.clone();
        let object = node.map_or_else(|| object_of(cluster), |n| object("Node", "", n.as_str()));
        Some(Selected { object, instance: None })
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        view::counts(scene, look)
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}
