//! Lag and WAL over time: graphs per standby, the slots, and marks where something happened.
//!
//! It keeps how long a time is shown, whether the picture is held still, and a cursor that reads all series at one
//! moment. Without a hold the right edge is now.

mod export;
pub mod series;
mod view;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Effect, Pane, PaneId, Scene, Selected, Wish, object_of};
use crate::command::{Command, Scope};
use crate::domain::cluster::Cluster;
use crate::domain::history::Stage;
use crate::ui::theme::Look;

/// The pane's name.
pub const ID: PaneId = "replication";

/// Times that can be shown, in seconds, and how they are called.
const WINDOWS: [(i64, &str); 7] = [
    (60, "1 min"),
    (300, "5 min"),
    (900, "15 min"),
    (3_600, "1 h"),
    (6 * 3_600, "6 h"),
    (12 * 3_600, "12 h"),
    (24 * 3_600, "24 h"),
];

/// What lag is measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// Bytes behind the primary.
    #[default]
    Bytes,
    /// Seconds, as PostgreSQL measures them.
    Seconds,
}

/// The pane.
pub struct Replication {
    window: usize,
    units: Units,
    stage: Stage,
    /// The right edge, while held still.
    held: Option<Timestamp>,
    /// The moment one reads.
    cursor: Option<Timestamp>,
    /// The selected standby, by its place.
    selected: usize,
}

impl Default for Replication {
    fn default() -> Self {
        Replication { window: 1, units: Units::Bytes, stage: Stage::Replay, held: None, cursor: None, selected: 0 }
    }
}

impl Replication {
    fn cluster<'a>(scene: &Scene<'a>) -> Option<&'a Cluster> {
        scene.known.facts.clusters.get(scene.chosen?).map(|c| &**c)
    }

    fn span(&self) -> SignedDuration {
        SignedDuration::from_secs(WINDOWS[self.window].0)
    }

    /// The edges of the time shown.
    fn edges(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let to = self.held.unwrap_or(now);
        (to.checked_sub(self.span()).unwrap_or(Timestamp::MIN), to)
    }

    /// Moves the cursor by this many columns of the graph; the picture is held from then on.
    fn scrub(&mut self, columns: i64, scene: &Scene<'_>) {
        let (from, to) = self.edges(scene.now);
        self.held = Some(to);
        let width = i64::from(scene.size.width.saturating_sub(9).max(1));
        let step = SignedDuration::from_millis(self.span().as_secs() * 1000 / width);
        let at = self.cursor.unwrap_or(to);
        let step = SignedDuration::from_millis(step.as_millis() as i64 * columns);
        self.cursor = Some(at.checked_add(step).unwrap_or(at).clamp(from, to));
    }

    fn zoom(&mut self, window: usize) {
        self.window = window.min(WINDOWS.len() - 1);
    }

    fn release(&mut self) {
        self.held = None;
        self.cursor = None;
    }
}

impl Pane for Replication {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Replication"
    }

    fn short(&self) -> &'static str {
        "Repl"
    }

    fn scope(&self) -> Scope {
        Scope::Replication
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        &[
            (Command::ScrubLeft, "scrub"),
            (Command::Freeze, "hold"),
            (Command::ZoomOut, "longer"),
            (Command::ZoomIn, "shorter"),
            (Command::Units, "bytes/time"),
            (Command::Stage, "stage"),
            (Command::ExportCsv, "CSV"),
        ]
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        if Self::cluster(scene).is_none() {
            return Some("no cluster is chosen".into());
        }
        let nothing = || scene.chosen.and_then(|k| scene.known.history.of(k)).is_none();
        match command {
            Command::ExportCsv | Command::ScrubLeft | Command::ScrubRight if nothing() => {
                Some("nothing was measured yet".into())
            }
            Command::ZoomIn if self.window == 0 => Some(format!("{} is the shortest", WINDOWS[0].1)),
            Command::ZoomOut if self.window + 1 == WINDOWS.len() => {
                Some(format!("{} is the longest that is kept", WINDOWS[WINDOWS.len() - 1].1))
            }
            Command::Filter => Some("every standby is shown".into()),
            Command::Sort | Command::SortReverse => Some("standbys stand in the order of their names".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let standbys = Self::cluster(scene).map(|c| series::standbys(scene, c)).unwrap_or_default();
        let last = standbys.len().saturating_sub(1);
        let page = 10;
        match command {
            Command::Freeze if self.held.is_some() => self.release(),
            Command::Freeze => self.held = Some(scene.now),
            Command::Back => self.release(),
            Command::ScrubLeft | Command::Left => self.scrub(-1, scene),
            Command::ScrubRight | Command::Right => self.scrub(1, scene),
            Command::PageUp => self.scrub(-page, scene),
            Command::PageDown => self.scrub(page, scene),
            Command::First => self.scrub(-i64::from(u16::MAX), scene),
            Command::Last => self.release(),
            Command::ZoomIn => self.zoom(self.window.saturating_sub(1)),
            Command::ZoomOut => self.zoom(self.window + 1),
            Command::Units => {
                self.units = if self.units == Units::Bytes { Units::Seconds } else { Units::Bytes };
            }
            Command::Stage => {
                self.stage = match self.stage {
                    Stage::Replay => Stage::Write,
                    Stage::Write => Stage::Flush,
                    Stage::Flush => Stage::Replay,
                };
            }
            Command::Up => self.selected = self.selected.min(last).saturating_sub(1),
            Command::Down => self.selected = (self.selected + 1).min(last),
            Command::Open => return vec![Wish::Do(Command::Describe)],
            Command::Copy => {
                return standbys.get(self.selected.min(last)).map(|s| Wish::copy(s.to_string())).into_iter().collect();
            }
            Command::ExportCsv => {
                let (from, to) = self.edges(scene.now);
                return export::csv(scene, from, to)
                    .map(|(text, name)| Wish::Effect(Effect::Export { text, name }))
                    .into_iter()
                    .collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn has_back(&self) -> bool {
        self.held.is_some()
    }

    fn press(&mut self, x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        if let Some(at) = view::moment_at(self, scene, x, y) {
            self.held = Some(self.edges(scene.now).1);
            self.cursor = Some(at);
        } else if let Some(standby) = view::standby_at(self, scene, y) {
            self.selected = standby;
        }
        Vec::new()
    }

    fn selected(&self, scene: &Scene<'_>) -> Option<Selected> {
        let cluster = Self::cluster(scene)?;
        let standbys = series::standbys(scene, cluster);
        let name = standbys.get(self.selected.min(standbys.len().saturating_sub(1)));
        let instance = name.and_then(|n| cluster.instance(n)).map(|i| (cluster.key.clone(), i.name.clone()));
        let pod = name.and_then(|n| cluster.instance(n)).and_then(|i| i.pod.as_ref());
        let object = match pod {
            Some(pod) => super::pod_object(&cluster.key, &pod.name),
            None => object_of(cluster),
        };
        Some(Selected { object, instance })
    }

    fn chosen(&mut self, _key: &crate::domain::names::ClusterKey) {
        self.release();
        self.selected = 0;
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        Some(view::counts(self, scene, look))
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}
