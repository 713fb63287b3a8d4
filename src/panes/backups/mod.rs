//! Backups: what can be recovered of the cluster in question, from what, and what stands in the way.
//!
//! It keeps the catalog it last made of what is known, which backup is selected and how much time is shown. It lists no
//! store and reads no file: what the store holds comes as a fact, and where there is none it says why.

mod detail;
mod lanes;
mod line;
mod list;
mod offers;
mod picker;
mod schedules;
mod view;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::field::Field;
use super::list::{needs_one, step};
use super::{Pane, PaneId, Scene, Selected, Wish};
use crate::command::{Command, Scope};
use crate::domain::backup::catalog::{Entry, Witnesses};
use crate::domain::backup::{Catalog, StoreListing};
use crate::domain::cluster::{Cluster, Operator};
use crate::domain::detail::ObjectRef;
use crate::domain::names::ClusterKey;
use crate::domain::picture::Picture;
use crate::domain::source::{SourceId, SourceState};
use crate::ui::theme::Look;
use picker::{Ask, Picker};

/// The pane's name.
pub const ID: PaneId = "backups";

/// Spans of the time line, the longest first; the first is all there is.
const SPANS: [(Option<SignedDuration>, &str); 6] = [
    (None, "all"),
    (Some(SignedDuration::from_hours(24 * 30)), "30 days"),
    (Some(SignedDuration::from_hours(24 * 7)), "7 days"),
    (Some(SignedDuration::from_hours(24)), "24 hours"),
    (Some(SignedDuration::from_hours(6)), "6 hours"),
    (Some(SignedDuration::from_hours(1)), "1 hour"),
];

/// How old a catalog may be: what is late and what would be lost changes with the time alone.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

/// The pane.
#[derive(Default)]
pub struct Backups {
    /// The selected entry.
    selected: usize,
    /// Its name: the list moves under it when a backup comes.
    anchor: Option<String>,
    /// Which of the spans.
    span: usize,
    /// The moment that is picked to restore to.
    picker: Option<Picker>,
    made: Option<Made>,
    /// The schedule editor, while it is open.
    schedules: Option<schedules::Schedules>,
}

/// A catalog, and what it was made of.
struct Made {
    cluster: Arc<Cluster>,
    store: Option<Arc<StoreListing>>,
    at: Timestamp,
    catalog: Catalog,
}

impl Backups {
    fn catalog(&self, scene: &Scene<'_>) -> Option<&Catalog> {
        let made = self.made.as_ref().filter(|m| Some(&m.cluster.key) == scene.chosen)?;
        Some(&made.catalog)
    }

    fn entry(&self, scene: &Scene<'_>) -> Option<&Entry> {
        self.catalog(scene)?.entries.get(self.selected)
    }

    /// Makes the catalog anew where it is of something else, or too old.
    fn learn(&mut self, scene: &Scene<'_>) {
        let Some(cluster) = scene.chosen.and_then(|k| scene.known.facts.clusters.get(k)) else {
            self.made = None;
            return;
        };
        let store = scene.known.facts.stores.get(&cluster.key);
        let same = |m: &Made| {
            Arc::ptr_eq(&m.cluster, cluster)
                && m.store.as_ref().map(Arc::as_ptr) == store.map(Arc::as_ptr)
                && (SignedDuration::ZERO..FRESH).contains(&scene.now.duration_since(m.at))
        };
        if self.made.as_ref().is_some_and(same) {
            return;
        }
        let picture = Picture::of(&scene.known.facts, cluster);
        let witnesses = Witnesses {
            current: picture.current,
            archived: picture.archiver.last.and_then(|(wal, at)| Some((wal.parse().ok()?, at))),
            ..Witnesses::of(cluster, store.map(Arc::as_ref))
        };
        let catalog = Catalog::assemble(&witnesses, scene.now);
        self.made = Some(Made { cluster: cluster.clone(), store: store.cloned(), at: scene.now, catalog });
    }

    /// Why nothing can be restored from here; `None`: a moment can be picked.
    fn not_restorable(&self, scene: &Scene<'_>) -> Option<String> {
        let made = self.made.as_ref()?;
        if made.cluster.operator == Operator::Pgo {
            return Some("only CloudNativePG's way to recover is known".into());
        }
        if self.catalog(scene).is_some_and(|c| c.continuity.is_some()) {
            return None;
        }
        unknown(scene, &made.cluster).or_else(|| Some("the object store was not listed".into()))
    }

    /// A command while a moment is picked.
    fn pick(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let Some(made) = self.made.as_ref().filter(|m| Some(&m.cluster.key) == scene.chosen) else { return Vec::new() };
        let (catalog, key) = (&made.catalog, &made.cluster.key);
        let Some(picker) = &mut self.picker else { return Vec::new() };
        match command {
            Command::Accept => {
                return match picker.take(catalog, key) {
                    Ok(wish) => {
                        // It goes on in the plan; the picker stays where it is for who comes back.
                        wish.into_iter().collect()
                    }
                    Err(problem) => vec![Wish::Say(problem.line())],
                };
            }
            Command::Cancel => picker.ask = None,
            Command::Back => self.picker = None,
            Command::PickExact => {
                let at = picker.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                picker.ask(Ask::Target, &at);
            }
            Command::PickBase => picker.alone(),
            Command::PickTake => picker.ask(Ask::Name, &format!("{}-restored", key.name)),
            _ => {
                picker.moved(command, catalog, scene.now);
            }
        }
        Vec::new()
    }

    fn anchor(&mut self, scene: &Scene<'_>) {
        self.anchor = self.entry(scene).map(|e| e.name().to_owned());
    }
}

/// Why the store is not known, or not to be trusted now; `None`: it is.
pub(super) fn unknown(scene: &Scene<'_>, cluster: &Cluster) -> Option<String> {
    let listed = scene.known.facts.stores.get(&cluster.key);
    let health = scene.known.facts.sources.get(&SourceId::Store(cluster.key.clone()));
    match health.map(|h| &h.state) {
        Some(SourceState::Failing { why, try_this, .. }) => {
            let hint = try_this.as_ref().map(|h| format!("; try: {h}")).unwrap_or_default();
            Some(format!("the object store can't be listed: {why}{hint}"))
        }
        Some(SourceState::Absent(why)) => Some(format!("the object store can't be listed: {why}")),
        Some(SourceState::Late(_)) => Some("the object store does not answer".into()),
        Some(SourceState::Connecting) if listed.is_none() => Some("the object store is being listed".into()),
        Some(_) => None,
        None if listed.is_some() => None,
        None if cluster.operator == Operator::Pgo => {
            Some("a pgBackRest repository can't be read: what it holds is not known".into())
        }
        None if cluster.archiving.by.is_none() => Some("no object store is configured: WAL is archived nowhere".into()),
        None => Some("the object store was not listed".into()),
    }
}

impl Pane for Backups {
    fn id(&self) -> PaneId {
        ID
    }

    fn title(&self) -> &'static str {
        "Backups"
    }

    fn scope(&self) -> Scope {
        if self.picker.is_some() { Scope::Picker } else { Scope::Backups }
    }

    fn hints(&self) -> &'static [(Command, &'static str)] {
        if self.picker.is_some() {
            return &[
                (Command::PickTake, "restore"),
                (Command::MinuteBack, "earlier"),
                (Command::MinuteOn, "later"),
                (Command::HourBack, "an hour"),
                (Command::MarkBack, "base or edge"),
                (Command::PickExact, "type it"),
                (Command::PickBase, "base alone"),
                (Command::Back, "leave"),
            ];
        }
        &[
            (Command::Up, "move"),
            (Command::Restore, "restore"),
            (Command::TakeBackup, "take one"),
            (Command::EditSchedules, "schedules"),
            (Command::SpanShorter, "shorter"),
            (Command::SpanLonger, "longer"),
            (Command::Open, "describe"),
            (Command::Yaml, "YAML"),
            (Command::Copy, "copy id"),
        ]
    }

    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String> {
        match command {
            _ if scene.chosen.is_none() && needs_one(command) => Some("no cluster is chosen".into()),
            Command::Restore if scene.chosen.is_none() => Some("no cluster is chosen".into()),
            Command::Restore => self.not_restorable(scene),
            Command::PickTake => {
                let (picker, catalog) = (self.picker.as_ref()?, self.catalog(scene)?);
                let (target, plotted) = picker.plot(catalog);
                plotted.err().map(|why| format!("{}: {why}", why.word())).map(|why| format!("{target}: {why}"))
            }
            Command::Open | Command::Copy if self.entry(scene).is_none() => Some("no backup is known".into()),
            Command::Open if self.entry(scene).is_some_and(|e| e.object.is_none()) => {
                Some("no Backup object tells of this one".into())
            }
            Command::TakeBackup | Command::EditSchedules if scene.chosen.is_none() => {
                Some("no cluster is chosen".into())
            }
            Command::TakeBackup => offers::refuses_take(scene),
            Command::EditSchedules => offers::refuses_schedules(scene),
            Command::SpanShorter if self.span + 1 >= SPANS.len() => Some("this is the shortest".into()),
            Command::SpanLonger if self.span == 0 => Some("all there is is shown".into()),
            Command::Filter | Command::Sort | Command::SortReverse => Some("backups stand in the order of time".into()),
            _ => None,
        }
    }

    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        if let Some(editor) = &mut self.schedules {
            let wishes = editor.on(command, scene);
            if wishes.is_none() || wishes.as_ref().is_some_and(|w| w.iter().any(|w| matches!(w, Wish::Propose(_)))) {
                self.schedules = None;
            }
            return wishes.unwrap_or_default();
        }
        if self.picker.is_some() && !matches!(command, Command::SpanShorter | Command::SpanLonger) {
            return self.pick(command, scene);
        }
        let total = self.catalog(scene).map_or(0, |c| c.entries.len());
        if let Some(place) = step(command, self.selected, total, || usize::from(scene.size.height / 3)) {
            self.selected = place;
            self.anchor(scene);
        }
        match command {
            Command::SpanShorter => self.span = (self.span + 1).min(SPANS.len() - 1),
            Command::SpanLonger => self.span = self.span.saturating_sub(1),
            Command::Restore => self.picker = self.catalog(scene).map(|c| Picker::open(c, scene.now)),
            Command::Open => return vec![Wish::Do(Command::Describe)],
            Command::TakeBackup => return scene.chosen.map(offers::take_backup).into_iter().collect(),
            Command::EditSchedules => {
                let cluster = scene.chosen.and_then(|k| scene.known.facts.clusters.get(k));
                self.schedules = cluster.map(|c| schedules::Schedules::open(c));
            }
            Command::Copy => {
                let id = self.entry(scene).map(|e| e.id.clone().unwrap_or_else(|| e.name().to_owned()));
                return id.into_iter().map(Wish::copy).collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn typing(&mut self) -> Option<&mut Field> {
        match &mut self.schedules {
            Some(schedules) => Some(schedules.field()),
            None => self.picker.as_mut()?.ask.as_mut().map(|(_, field)| field),
        }
    }

    fn is_typing(&self) -> bool {
        self.schedules.is_some() || self.picker.as_ref().is_some_and(|p| p.ask.is_some())
    }

    fn typing_scope(&self) -> Scope {
        match self.schedules {
            Some(_) => Scope::Schedule,
            None => Scope::Prompt,
        }
    }

    fn has_back(&self) -> bool {
        self.schedules.is_some() || self.picker.is_some()
    }

    fn press(&mut self, _x: u16, y: u16, scene: &Scene<'_>) -> Vec<Wish> {
        if self.has_back() {
            return Vec::new();
        }
        if let Some(row) = view::row_at(self, scene, y) {
            self.selected = row;
            self.anchor(scene);
        }
        Vec::new()
    }

    fn settle(&mut self, scene: &Scene<'_>) -> Vec<Wish> {
        self.learn(scene);
        if self.schedules.as_ref().is_some_and(|s| !scene.known.facts.clusters.contains_key(s.cluster())) {
            self.schedules = None;
        }
        let place = self.catalog(scene).zip(self.anchor.as_deref()).and_then(|(c, name)| {
            let still = c.entries.get(self.selected).is_some_and(|e| e.name() == name);
            if still { None } else { c.entries.iter().position(|e| e.name() == name) }
        });
        let total = self.catalog(scene).map_or(0, |c| c.entries.len());
        self.selected = place.unwrap_or(self.selected).min(total.saturating_sub(1));
        self.anchor(scene);
        offers::may(scene).into_iter().collect()
    }

    fn chosen(&mut self, _key: &ClusterKey) {
        (self.selected, self.anchor, self.picker, self.schedules) = (0, None, None, None);
    }

    fn point_at(&mut self, name: &str) {
        self.anchor = Some(name.to_owned());
    }

    fn counts<'a>(&self, scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
        Some(view::counts(self.catalog(scene)?, look))
    }

    fn selected(&self, scene: &Scene<'_>) -> Option<Selected> {
        let (key, object) = (scene.chosen?, self.entry(scene)?.object.as_ref()?);
        let object = ObjectRef {
            context: key.context.clone(),
            api_version: "postgresql.cnpg.io/v1".into(),
            kind: "Backup".into(),
            namespace: key.namespace.to_string(),
            name: object.name.clone(),
        };
        Some(Selected { object, instance: None })
    }

    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
        if let Some(editor) = &self.schedules {
            editor.draw(scene, look, area, buf);
        }
    }
}
