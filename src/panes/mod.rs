//! The console's screens. Each folder is one: its state, what its commands do, how it looks.
//!
//! A pane sees a [`Scene`] and nothing else: no clock, no I/O, no other pane. It holds only what is its own (a
//! selection, a filter, a cursor), asks for things by [`Wish`]es, and draws itself from values. A new pane is a folder,
//! one line in [`all`], rows in the command table and lines in the keymaps.

pub mod backups;
pub mod detail;
pub mod digest;
pub mod doing;
pub mod drills;
pub mod editor;
pub mod events;
pub mod field;
pub mod fleet;
pub mod fuzzy;
pub mod known;
pub mod lab;
pub mod list;
pub mod name;
pub mod paper;
pub mod replication;
pub mod rights;
pub mod runbooks;
pub mod runs;
pub mod times;
pub mod topology;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::text::Line;
use serde::{Deserialize, Serialize};

use crate::command::{Command, Scope};
use crate::domain::cluster::{Cluster, Operator};
use crate::domain::detail::{ObjectRef, Subject};
use crate::domain::fault::FaultOrder;
use crate::domain::names::{ClusterKey, Context, InstanceName};
use crate::domain::source::{SourceId, SourceState};
use crate::procedure::question::Asked;
use crate::procedure::{Plan, Right, RunId, Todo, What as EntryWhat};
use crate::ui::keymap::Keymap;
use crate::ui::text::put;
use crate::ui::theme::{Look, Role};
use doing::{Doing, FromSource, Wanted};
use known::Known;
use std::collections::{BTreeMap, BTreeSet};

/// A pane's name: its tab is the title, this is how others point to it.
pub type PaneId = &'static str;

/// Something only the outside can do. Plain data: `run.rs` performs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Back to the shell until `fg`.
    Suspend,
    /// Clear the terminal and draw everything anew.
    Redraw,
    /// Put this on the clipboard (OSC 52).
    Copy(String),
    /// Ring the bell.
    Bell,
    /// Hand the terminal to `psql` in this instance.
    Psql {
        /// Which cluster.
        cluster: ClusterKey,
        /// Which instance.
        instance: InstanceName,
        /// Its transactions can't write unless told otherwise: the cluster is not armed.
        read_only: bool,
    },
    /// Learn this until it is let go.
    Watch(Subject),
    /// Nobody looks at it any more.
    Unwatch(Subject),
    /// These clusters are on screen: sample them each second, the others less often.
    Focus(Vec<ClusterKey>),
    /// Something for a run, or its journal.
    Run(RunEffect),
    /// Start a fault of a lab's cluster, or stop it.
    Fault(ClusterKey, FaultOrder),
    /// Write this text to a file of about this name.
    Export {
        /// The contents.
        text: String,
        /// A file name, not a path.
        name: String,
    },
    /// Try this source now.
    RetrySource(SourceId),
    /// Read settings, theme and keymap anew.
    ReloadSettings,
}

/// What only the outside can do for runs. Each is answered by a message.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEffect {
    /// Ask which of these rights are missing.
    Rights(ClusterKey, BTreeSet<Right>),
    /// Have the API try a plan; the number comes back with its answer.
    Try(u64, Box<Plan>),
    /// Begin a journal with this plan; what was met of which version.
    Begin(Box<Plan>, BTreeMap<String, String>),
    /// Take a run up from its journal.
    TakeUp(RunId, BTreeMap<String, String>),
    /// Do this and write what comes of it.
    Perform(RunId, Todo),
    /// Write this.
    Write(RunId, EntryWhat),
    /// Keep this text beside its journal until its note is written; an empty one is no draft.
    Draft(RunId, String),
    /// It is closed, or left: let its journal go.
    Release(RunId),
    /// Read which runs there are.
    List,
    /// Read a journal to look at it.
    Read(RunId),
    /// Put a walk's question to an instance.
    Put(RunId, ClusterKey, Asked),
    /// Read what this is planned from.
    Ground(Box<FromSource>),
}

/// What a pane asks of the console around it.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Perform this.
    Effect(Effect),
    /// This cluster is the one the other panes are about.
    Choose(ClusterKey),
    /// Go to this pane.
    Go(PaneId),
    /// Do this, as if its key had been pressed.
    Do(Command),
    /// Say this.
    Say(String),
    /// Ask which of these rights are missing.
    Rights(ClusterKey, BTreeSet<Right>),
    /// Look at the plan of this.
    Propose(Wanted),
    /// Look at the plan of this, once what it is made from was read.
    Restore(Box<FromSource>),
    /// Leave the plan that is looked at.
    Dismiss,
    /// Look at this run; `None`: at none.
    Show(Option<RunId>),
    /// Stand in this walk; `None`: in none.
    Walk(Option<RunId>),
    /// Begin a walk of this runbook on this cluster.
    BeginWalk(ClusterKey, String),
    /// Have a note typed for this run's journal.
    Note(RunId),
    /// Write the incident record of this walk.
    Record(RunId),
    /// Write this into a run's journal.
    Write(RunId, EntryWhat),
    /// Ask for a line of text, for this.
    Type(Purpose),
    /// Ask how this run shall be ended.
    EndRun(RunId),
}

/// What a typed line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// This cluster's name, to arm it.
    Arm(ClusterKey),
    /// This name, to let the step that asks through its gate.
    Gate(RunId, String),
    /// Why the proposed plan shall begin although something speaks against it.
    Because,
}

/// How times and marks are written.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Times in UTC instead of local.
    pub utc: bool,
    /// Where "local" is.
    pub zone: TimeZone,
    /// Ring the bell when a verdict changes.
    pub bell: bool,
}

/// All a pane may see.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What is known.
    pub known: &'a Known,
    /// The cluster in question, where one is chosen.
    pub chosen: Option<&'a ClusterKey>,
    /// What is done.
    pub doing: &'a Doing,
    /// Which contexts and namespaces are shown.
    pub choice: &'a Choice,
    /// What time it is.
    pub now: Timestamp,
    /// How big the pane is drawn: the app and the mouse use the same number.
    pub size: Size,
    /// How times are written.
    pub habits: &'a Habits,
    /// How it looks: where lines break depends on the marks' and the words' widths.
    pub look: &'a Look,
    /// The keys in use: what is offered in a text names its key.
    pub keymap: &'a Keymap,
}

impl Scene<'_> {
    /// The key of a command, as it is shown; its name where it has none.
    pub fn key(&self, scope: Scope, command: Command) -> String {
        self.keymap.shown(scope, command).unwrap_or_else(|| format!(":{}", command.name()))
    }
}

/// Which clusters are shown: `None` is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Only of these contexts.
    pub contexts: Option<BTreeSet<Context>>,
    /// Only in these namespaces.
    pub namespaces: Option<BTreeSet<String>>,
}

impl Choice {
    /// Is this cluster shown?
    pub fn shows(&self, key: &ClusterKey) -> bool {
        self.contexts.as_ref().is_none_or(|c| c.contains(&key.context))
            && self.namespaces.as_ref().is_none_or(|n| n.contains(&*key.namespace))
    }
}

/// What is selected in a pane: what YAML, description, logs and psql are about.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// The object itself.
    pub object: ObjectRef,
    /// The cluster and instance, where it belongs to one.
    pub instance: Option<(ClusterKey, InstanceName)>,
}

/// A screen.
pub trait Pane {
    /// Its name.
    fn id(&self) -> PaneId;
    /// The word on its tab.
    fn title(&self) -> &'static str;
    /// The same where there is less room.
    fn short(&self) -> &'static str {
        self.title()
    }
    /// It has a tab now. Most have one always.
    fn there(&self, _scene: &Scene<'_>) -> bool {
        true
    }
    /// Where its keys are looked for.
    fn scope(&self) -> Scope;
    /// Why this can't be done now; `None`: it can.
    fn refuses(&self, command: Command, scene: &Scene<'_>) -> Option<String>;
    /// Does it. Only asked for what is not refused.
    fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish>;
    /// The line that typed text goes to, while there is one.
    fn typing(&mut self) -> Option<&mut field::Field> {
        None
    }
    /// There is such a line now.
    fn is_typing(&self) -> bool {
        false
    }
    /// Where keys are looked for while there is one.
    fn typing_scope(&self) -> Scope {
        Scope::Prompt
    }
    /// The mouse was pressed at this place within the pane.
    fn press(&mut self, _x: u16, _y: u16, _scene: &Scene<'_>) -> Vec<Wish> {
        Vec::new()
    }
    /// Something it shows may have changed: its selection and its order are put right here, so that drawing is pure. What
    /// it needs to know for the first time it may ask for.
    fn settle(&mut self, _scene: &Scene<'_>) -> Vec<Wish> {
        Vec::new()
    }
    /// `back` means something here: a filter to undo, a screen to close.
    fn has_back(&self) -> bool {
        false
    }
    /// The cluster that is in question as long as this pane is in front.
    fn suggests(&self) -> Option<&ClusterKey> {
        None
    }
    /// The cluster that what it shows is about, where that is not the one in question: a run's, a plan's.
    fn about(&self, _scene: &Scene<'_>) -> Option<ClusterKey> {
        None
    }
    /// Another pane chose this cluster.
    fn chosen(&mut self, _key: &ClusterKey) {}
    /// Another place asks for what has this name here: it is selected.
    fn point_at(&mut self, _name: &str) {}
    /// Keys worth naming at the bottom, with a word each, the most useful first.
    fn hints(&self) -> &'static [(Command, &'static str)];
    /// What the end of the footer says: how many of what.
    fn counts<'a>(&self, _scene: &Scene<'_>, _look: &Look) -> Option<Line<'a>> {
        None
    }
    /// What is selected.
    fn selected(&self, _scene: &Scene<'_>) -> Option<Selected> {
        None
    }
    /// Clusters it shows now: they are sampled each second.
    fn visible(&self, scene: &Scene<'_>) -> Vec<ClusterKey> {
        scene.chosen.cloned().into_iter().collect()
    }
    /// Draws it. The same scene gives the same picture.
    fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer);
}

impl Wish {
    /// Put this on the clipboard.
    pub fn copy(text: String) -> Wish {
        Wish::Effect(Effect::Copy(text))
    }
}

/// The screens, in the order of their tabs.
pub fn all() -> Vec<Box<dyn Pane>> {
    vec![
        Box::new(fleet::Fleet::default()),
        Box::new(topology::Topology::default()),
        Box::new(replication::Replication::default()),
        Box::new(backups::Backups::default()),
        Box::new(drills::Drills::default()),
        Box::new(runs::Runs::default()),
        Box::new(runbooks::Runbooks::default()),
        Box::new(events::Events::default()),
        Box::new(lab::Lab::default()),
    ]
}

impl Habits {
    /// The zone times are written in.
    pub fn zone(&self) -> &TimeZone {
        static UTC: TimeZone = TimeZone::UTC;
        if self.utc { &UTC } else { &self.zone }
    }
}

/// A pod.
pub fn pod_object(key: &ClusterKey, name: &str) -> ObjectRef {
    core_object(key, "Pod", name)
}

/// An object of the core group in a cluster's namespace.
pub fn core_object(key: &ClusterKey, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        context: key.context.clone(),
        api_version: "v1".into(),
        kind: kind.into(),
        namespace: key.namespace.to_string(),
        name: name.into(),
    }
}

/// The object of a cluster itself.
pub fn object_of(cluster: &Cluster) -> ObjectRef {
    let (api_version, kind) = match cluster.operator {
        Operator::Cnpg => ("postgresql.cnpg.io/v1", "Cluster"),
        Operator::Pgo => ("postgres-operator.crunchydata.com/v1beta1", "PostgresCluster"),
    };
    let key = &cluster.key;
    ObjectRef {
        context: key.context.clone(),
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    }
}

/// What is said where nothing is shown: that it is being learned, that it can't be (and on a second line what to try),
/// or `empty`.
pub fn loading(scene: &Scene<'_>, empty: &str) -> String {
    let watches = scene.known.facts.sources.iter().filter(|(id, _)| matches!(id, SourceId::Kubernetes(_)));
    let states: Vec<_> = watches.map(|(_, health)| &health.state).collect();
    let connecting = states.is_empty() || states.iter().any(|s| matches!(s, SourceState::Connecting));
    let failing = states.iter().find_map(|s| match s {
        SourceState::Failing { why, again_at, try_this } => {
            let wait = again_at.duration_since(scene.now).as_secs().max(0);
            let hint = try_this.as_ref().map(|h| format!("\nTry: {h}")).unwrap_or_default();
            Some(format!("Can't ask Kubernetes: {why}. Trying again in {wait}s.{hint}"))
        }
        SourceState::Absent(why) => Some(format!("Can't ask Kubernetes: {why}.")),
        _ => None,
    });
    failing.unwrap_or_else(|| if connecting { "Asking Kubernetes…".into() } else { empty.to_owned() })
}

/// `── events ────────`.
pub fn rule(text: &str, look: &Look, area: Rect, buf: &mut Buffer) {
    let line = look.marks.rule;
    let style = look.style(Role::Border);
    let x = put(buf, area, area.x, area.y, &format!("{line}{line} "), style);
    let x = put(buf, area, x, area.y, text, look.style(Role::Dim));
    let rest = usize::from(area.right().saturating_sub(x + 1));
    put(buf, area, x, area.y, &format!(" {}", line.repeat(rest)), style);
}
