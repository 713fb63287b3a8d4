//! The console's whole state. A value: the same messages make the same one.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::{Rect, Size};
use std::collections::BTreeMap;

use super::command::wishes;
use super::msg::Taste;
use super::overlay::Overlay;
use super::walks::Recording;
use crate::command::Scope;
use crate::domain::names::ClusterKey;
use crate::panes::doing::Doing;
use crate::panes::known::Known;
use crate::panes::{self, Choice, Effect, Habits, Pane, Scene, detail::Viewer};
use crate::procedure::RunId;
use crate::procedure::runbook::Runbooks;
use crate::ui::chord::Chord;
use crate::ui::layout::{Regions, regions};
use crate::ui::{Depth, Keymap, Keymaps, Look, Marks, Mistake, Themes};

/// How long a notice stays on the screen.
const NOTICE: SignedDuration = SignedDuration::from_secs(8);

/// What the console starts with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Colours the terminal can show.
    pub depth: Depth,
    /// Where "local time" is.
    pub zone: TimeZone,
    /// The time at the start.
    pub now: Timestamp,
    /// The terminal's size in columns and rows.
    pub size: (u16, u16),
    /// Looks and keys.
    pub taste: Taste,
    /// What the header calls the place: the context, the lab.
    pub place: String,
    /// Only these contexts and namespaces are shown at first.
    pub choice: Choice,
}

/// A line the console says for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// In words.
    pub text: String,
    /// It wants attention.
    pub warning: bool,
    /// When it was said.
    pub at: Timestamp,
}

/// The console's state.
pub struct Model {
    pub(super) known: Known,
    pub(super) doing: Doing,
    /// Plans proposed so far: each has its number.
    pub(super) proposals: u64,
    pub(super) panes: Vec<Box<dyn Pane>>,
    pub(super) front: usize,
    /// The pane from which a source was asked to be read for a plan.
    pub(super) reading: Option<usize>,
    /// Texts opened over the pane, the last on top.
    pub(super) viewers: Vec<Viewer>,
    pub(super) overlay: Option<Overlay>,
    /// Keys typed so far of a longer sequence.
    pub(super) pending: Vec<Chord>,
    pub(super) chosen: Option<ClusterKey>,
    pub(super) choice: Choice,
    pub(super) notice: Option<Notice>,
    pub(super) notices: Vec<Notice>,
    pub(super) focused: Vec<ClusterKey>,
    pub(super) habits: Habits,
    pub(super) place: String,
    pub(super) now: Timestamp,
    pub(super) size: Size,
    pub(super) depth: Depth,
    pub(super) themes: Themes,
    pub(super) keymap: Keymap,
    /// The chosen theme's name: the look's differs where the terminal can't show the chosen one.
    pub(super) theme: String,
    pub(super) look: Look,
    /// Notes that were left before they were kept, by run.
    pub(super) drafts: BTreeMap<RunId, String>,
    /// An incident record that waits for the journals that belong into it.
    pub(super) recording: Option<Recording>,
    pub(super) leaving: bool,
    pub(super) dirty: bool,
}

impl Model {
    /// A console that knows nothing yet.
    pub fn new(setup: Setup) -> Self {
        let (themes, keymap, look, mistakes) = prepare(&setup.taste, setup.depth);
        let mut model = Model {
            known: Known::with(setup.taste.limits.clone()),
            doing: Doing::default(),
            proposals: 0,
            panes: panes::all(),
            front: 0,
            reading: None,
            viewers: Vec::new(),
            overlay: None,
            pending: Vec::new(),
            chosen: None,
            choice: setup.choice,
            notice: None,
            notices: Vec::new(),
            focused: Vec::new(),
            habits: Habits { utc: setup.taste.utc, zone: setup.zone, bell: setup.taste.bell },
            place: setup.place,
            now: setup.now,
            size: Size::new(setup.size.0, setup.size.1),
            depth: setup.depth,
            themes,
            keymap,
            theme: setup.taste.theme.clone(),
            look,
            drafts: BTreeMap::new(),
            recording: None,
            leaving: false,
            dirty: true,
        };
        model.learn(&setup.taste);
        for problem in setup.taste.problems.iter().map(crate::problem::Problem::line) {
            model.say(problem, true);
        }
        model.report(&mistakes);
        model
    }

    /// The person asked to leave, or had to.
    pub fn leaving(&self) -> bool {
        self.leaving
    }

    /// Something visible changed since this was last asked: draw once and it is told.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// An age is on the screen: it wants to be drawn once a second although nothing happens.
    pub fn shows_age(&self) -> bool {
        self.notice.is_some() || !self.known.facts.sources.is_empty()
    }

    /// How it looks: `run.rs` needs the background for the terminal's edges.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// What is known, for tests and for leaving a summary behind.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The pane in front, by its name.
    pub fn front(&self) -> panes::PaneId {
        self.panes[self.front].id()
    }

    /// The cluster in question.
    pub fn chosen(&self) -> Option<&ClusterKey> {
        self.chosen.as_ref()
    }

    /// What was said, oldest first.
    pub fn notices(&self) -> impl Iterator<Item = &str> {
        self.notices.iter().map(|n| n.text.as_str())
    }

    /// The terminal's size in columns and rows.
    pub fn size(&self) -> (u16, u16) {
        (self.size.width, self.size.height)
    }

    /// The whole screen.
    pub(super) fn screen(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.size.width, height: self.size.height }
    }

    /// Where things are; `None` when the screen is too small.
    pub(super) fn regions(&self) -> Option<Regions> {
        regions(self.screen(), self.notice.is_some() || super::frame::trouble(self).is_some())
    }

    /// The panes that have a tab now, by their places.
    pub(super) fn tabs(&self) -> Vec<usize> {
        let scene = self.scene();
        (0..self.panes.len()).filter(|n| self.panes[*n].there(&scene)).collect()
    }

    /// The tab in front, counted among those that are there.
    pub(super) fn tab(&self) -> usize {
        self.tabs().iter().position(|n| *n == self.front).unwrap_or(0)
    }

    /// What the pane in front sees.
    pub(super) fn scene(&self) -> Scene<'_> {
        let body = self.regions().map(|r| r.body).unwrap_or_default();
        Scene {
            known: &self.known,
            doing: &self.doing,
            chosen: self.chosen.as_ref(),
            choice: &self.choice,
            now: self.now,
            size: body.as_size(),
            habits: &self.habits,
            look: &self.look,
            keymap: &self.keymap,
        }
    }

    /// Where keys are looked for now.
    pub(super) fn scope(&self) -> Scope {
        let pane = &self.panes[self.front];
        match (&self.overlay, self.viewers.last()) {
            (Some(overlay), _) => overlay.scope(),
            (None, Some(viewer)) if viewer.is_typing() => Scope::Prompt,
            (None, Some(viewer)) => viewer.scope(),
            (None, None) if pane.is_typing() => pane.typing_scope(),
            (None, None) => pane.scope(),
        }
    }

    /// Says something for a while and keeps it.
    pub(super) fn say(&mut self, text: impl Into<String>, warning: bool) {
        let notice = Notice { text: text.into(), warning, at: self.now };
        if self.notices.len() >= 200 {
            self.notices.remove(0);
        }
        self.notices.push(notice.clone());
        self.notice = Some(notice);
        self.dirty = true;
    }

    /// Takes a notice that was there long enough off the screen.
    pub(super) fn expire(&mut self) {
        if self.notice.as_ref().is_some_and(|n| self.now.duration_since(n.at) >= NOTICE) {
            self.notice = None;
            self.dirty = true;
        }
    }

    /// Takes on looks and keys.
    pub(super) fn wear(&mut self, taste: &Taste) {
        let (themes, keymap, look, mistakes) = prepare(taste, self.depth);
        self.themes = themes;
        self.keymap = keymap;
        self.theme.clone_from(&taste.theme);
        self.look = look;
        self.learn(taste);
        self.habits.utc = taste.utc;
        self.habits.bell = taste.bell;
        self.dirty = true;
        for problem in &taste.problems {
            self.say(problem.line(), true);
        }
        self.report(&mistakes);
    }

    /// Takes in what the settings say about what is done.
    fn learn(&mut self, taste: &Taste) {
        self.known.limits = taste.limits.clone();
        self.doing.arming.locked = taste.read_only;
        self.doing.protected = taste.protected.clone();
        self.doing.objectives = taste.objectives;
        // A runbook's mistakes are told with those of the settings.
        self.doing.runbooks = Runbooks::with(taste.runbooks.iter().cloned()).0;
    }

    /// Brings a pane to the front, over nothing.
    pub(super) fn show(&mut self, id: panes::PaneId) {
        if let Some(tab) = self.panes.iter().position(|p| p.id() == id) {
            self.front = tab;
        }
    }

    fn report(&mut self, mistakes: &[Mistake]) {
        if let Some(first) = mistakes.first() {
            let more = mistakes.len() - 1;
            let rest = if more > 0 { format!(" (and {more} more: howdah check)") } else { String::new() };
            self.say(format!("{first}{rest}"), true);
        }
    }

    /// Another theme, of those there are.
    pub(super) fn next_theme(&mut self) {
        let current = if self.themes.get(&self.theme).is_some() { self.theme.as_str() } else { "default" };
        let next = self.themes.after(current).to_owned();
        self.look = self.themes.look(&next, self.depth, self.look.marks);
        self.theme.clone_from(&next);
        self.say(format!("theme {next}"), false);
    }

    /// Marks as signs or plain ASCII.
    pub(super) fn toggle_ascii(&mut self) {
        self.look.marks = Marks::of(!self.look.marks.ascii);
        self.say(if self.look.marks.ascii { "marks in plain ASCII" } else { "marks as signs" }, false);
    }

    /// Puts selections right after something changed, and tells which clusters are on screen when that changed.
    pub(super) fn settle(&mut self) -> Vec<Effect> {
        if self.chosen.as_ref().is_none_or(|c| !self.known.facts.clusters.contains_key(c)) {
            let mut shown = self.known.judged.keys().filter(|k| self.choice.shows(k));
            self.chosen = shown.next().cloned();
        }
        if !self.panes[self.front].there(&self.scene()) {
            self.front = 0;
        }
        let mut panes = std::mem::take(&mut self.panes);
        let wanted = panes[self.front].settle(&self.scene());
        if let Some(key) = panes[self.front].suggests() {
            self.chosen = Some(key.clone());
        }
        let mut focused = panes[self.front].visible(&self.scene());
        self.panes = panes;
        // A run may ask of a cluster that it has made, and that no pane shows.
        let others = self.doing.under_way().flat_map(|d| d.run().plan.others().into_iter().cloned());
        focused.extend(others.filter(|key| !focused.contains(key)).collect::<Vec<_>>());
        if let Some(mut viewer) = self.viewers.pop() {
            viewer.settle(&self.scene());
            self.viewers.push(viewer);
        }
        let mut effects = wishes(self, wanted);
        if focused == self.focused {
            return effects;
        }
        if self.front != 0
            && let Some(key) = &self.chosen
        {
            self.known.history.focus(key);
        }
        self.focused.clone_from(&focused);
        effects.push(Effect::Focus(focused));
        effects
    }
}

fn prepare(taste: &Taste, depth: Depth) -> (Themes, Keymap, Look, Vec<Mistake>) {
    let (themes, mut mistakes) = Themes::with(taste.themes.iter().cloned());
    let (keymaps, wrong) = Keymaps::with(taste.keymaps.iter().cloned());
    mistakes.extend(wrong);
    let name = if themes.get(&taste.theme).is_some() { taste.theme.as_str() } else { "default" };
    let look = themes.look(name, depth, Marks::of(taste.ascii));
    let keymap = keymaps.or_default(&taste.keymap);
    (themes, keymap, look, mistakes)
}
