//! The schedule editor: which schedule, its expression with what it means while it is typed, suspended or not.
//!
//! It changes nothing: what was typed becomes a plan, which is looked at, armed and begun like every other.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::offers;
use crate::command::{Command, Scope};
use crate::domain::backup::cron::Cron;
use crate::domain::cluster::{Cluster, Schedule};
use crate::domain::names::ClusterKey;
use crate::panes::field::Field;
use crate::panes::{Scene, Wish, times};
use crate::procedure::catalog::Act;
use crate::procedure::catalog::backup::{Scheduling, cron};
use crate::text::wrap;
use crate::ui::layout::split_top;
use crate::ui::text::{cut_line, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::dialog::window;
use crate::ui::widgets::{prompt, table};

/// What a new schedule begins with.
const NEW: &str = "0 0 3 * * *";
/// Runs that are shown.
const AHEAD: usize = 5;
/// Schedules in sight at once.
const SHOWN: usize = 4;
/// From this height on each run has a line of its own.
const TALL: u16 = 18;
/// Cells before what is typed.
const LABEL: &str = "when    ";

/// The editor while it is open.
pub(super) struct Schedules {
    cluster: ClusterKey,
    /// The schedule, by name; `None`: a new one.
    name: Option<String>,
    field: Field,
    suspend: bool,
    immediate: bool,
}

impl Schedules {
    /// Opens it on the cluster's first schedule, or on a new one.
    pub fn open(cluster: &Cluster) -> Schedules {
        let mut editor = Schedules {
            cluster: cluster.key.clone(),
            name: None,
            field: Field::with(NEW),
            suspend: false,
            immediate: false,
        };
        editor.choose(cluster.backups.schedules.first());
        editor
    }

    /// Whose schedules.
    pub fn cluster(&self) -> &ClusterKey {
        &self.cluster
    }

    /// What is typed.
    pub fn field(&mut self) -> &mut Field {
        &mut self.field
    }

    fn choose(&mut self, schedule: Option<&Schedule>) {
        self.name = schedule.map(|s| s.name.clone());
        self.field = Field::with(schedule.map_or(NEW, |s| &s.cron));
        (self.suspend, self.immediate) = (schedule.is_some_and(|s| s.suspended), false);
    }

    fn there<'a>(&self, cluster: &'a Cluster) -> Option<&'a Schedule> {
        let name = self.name.as_ref()?;
        cluster.backups.schedules.iter().find(|s| s.name == *name)
    }

    /// The place of the chosen one; the new one stands last.
    fn place(&self, cluster: &Cluster) -> usize {
        let all = &cluster.backups.schedules;
        self.name.as_ref().and_then(|n| all.iter().position(|s| s.name == *n)).unwrap_or(all.len())
    }

    /// Does a command. `None`: it is over.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) -> Option<Vec<Wish>> {
        let cluster = scene.known.facts.clusters.get(&self.cluster)?;
        let (all, place) = (&cluster.backups.schedules, self.place(cluster));
        match command {
            Command::Cancel | Command::Back => return None,
            Command::ChoiceUp => self.choose(all.get((place + all.len()) % (all.len() + 1))),
            Command::ChoiceDown => self.choose(all.get((place + 1) % (all.len() + 1))),
            Command::ScheduleSuspend => self.suspend = !self.suspend,
            Command::ScheduleImmediate if self.name.is_some() => {
                return Some(vec![Wish::Say("only a new schedule makes a backup at once".into())]);
            }
            Command::ScheduleImmediate => self.immediate = !self.immediate,
            Command::ScheduleDelete if self.name.is_none() => {
                return Some(vec![Wish::Say("a new schedule can't be deleted".into())]);
            }
            Command::ScheduleDelete | Command::Accept => {
                let wanted = Act::Schedule(self.wanted(cluster, command == Command::ScheduleDelete));
                return Some(vec![match offers::refuses(&self.cluster, wanted.clone(), scene) {
                    Some(why) => Wish::Say(why),
                    None => offers::propose(&self.cluster, wanted),
                }]);
            }
            _ => {}
        }
        Some(Vec::new())
    }

    /// What differs from what is there.
    fn wanted(&self, cluster: &Cluster, delete: bool) -> Scheduling {
        let there = self.there(cluster);
        let name = self.name.clone().unwrap_or_else(|| new_name(cluster));
        if delete {
            return Scheduling { name: Some(name), delete, ..Scheduling::default() };
        }
        let text = self.field.text().trim();
        Scheduling {
            name: Some(name),
            cron: there.is_none_or(|s| s.cron != text).then(|| text.to_owned()),
            suspend: (there.is_some_and(|s| s.suspended) != self.suspend).then_some(self.suspend),
            immediate: self.immediate,
            ..Scheduling::default()
        }
    }

    /// Draws it over the pane.
    pub fn draw(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        let Some(cluster) = scene.known.facts.clusters.get(&self.cluster) else { return };
        let width = area.width.saturating_sub(4).min(76);
        let below = self.below(cluster, scene, look, usize::from(width.saturating_sub(4)));
        let list = (cluster.backups.schedules.len() + 1).min(SHOWN) as u16;
        let height = (list + 4 + below.len() as u16).min(area.height);
        let title = format!("Schedules of {}", self.cluster.name);
        let inner = window(area, buf, look, (width, height), &title);
        let (top, rest) = split_top(inner, list);
        self.list(cluster, look, top, buf);
        let (_, rest) = split_top(rest, 1);
        let (line, rest) = split_top(rest, 1);
        let cursor = prompt::draw(line, buf, look, LABEL, self.field.text(), self.field.cursor());
        if let Some(at) = cursor {
            buf[at].set_style(Style::default().add_modifier(Modifier::REVERSED));
        }
        for (text, y) in below.iter().zip(rest.y..rest.bottom()) {
            put_line(buf, rest, rest.x, y, &cut_line(text.clone(), rest.width.into(), look.marks.more));
        }
    }

    fn list(&self, cluster: &Cluster, look: &Look, area: Rect, buf: &mut Buffer) {
        let (all, place) = (&cluster.backups.schedules, self.place(cluster));
        let first = table::window(place, all.len() + 1, area.height.into());
        for (n, y) in (first..=all.len()).zip(area.y..area.bottom()) {
            let (name, aside) = match all.get(n) {
                Some(s) if s.suspended => (s.name.clone(), format!("  {}  suspended", s.cron)),
                Some(s) => (s.name.clone(), format!("  {}", s.cron)),
                None => ("a new one".to_owned(), format!("  {}", new_name(cluster))),
            };
            let chosen = n == place;
            let mark = if chosen { look.marks.cursor } else { " " };
            let style = look.style(if chosen { Role::Title } else { Role::Overlay });
            let line = Line::from(vec![
                if chosen { Span::styled(mark, look.cursor()) } else { Span::raw(mark) },
                Span::raw(" "),
                Span::styled(name, style),
                Span::styled(aside, look.style(Role::Dim)),
            ]);
            put_line(buf, area, area.x, y, &cut_line(line, area.width.into(), look.marks.more));
        }
    }

    /// What is typed in words with its next runs, or what is wrong with it; then the keys.
    fn below<'a>(&self, cluster: &Cluster, scene: &Scene<'_>, look: &Look, width: usize) -> Vec<Line<'a>> {
        let indent = " ".repeat(LABEL.len());
        let room = width.saturating_sub(LABEL.len()).max(20);
        let mut out = Vec::new();
        let mut say = |text: &str, role: Role| {
            let style = look.style(role);
            out.extend(wrap(text, room).into_iter().map(|l| Line::styled(format!("{indent}{l}"), style)));
        };
        match cron(self.field.text()) {
            Ok(cron) => {
                let zone = if self.field.text().trim().starts_with("TZ=") { "" } else { " (UTC)" };
                say(&format!("{}{zone}", cron.words()), Role::Good);
                let runs = runs(&cron, scene);
                match runs.is_empty() {
                    true => say("no such time comes", Role::Warn),
                    false if scene.size.height < TALL => say(&runs.join(", "), Role::Dim),
                    false => runs.iter().for_each(|run| say(run, Role::Dim)),
                }
            }
            Err(problem) => {
                for text in [Some(problem.what), problem.because, problem.try_this].into_iter().flatten() {
                    say(&text, Role::Warn);
                }
            }
        }
        out.push(Line::default());
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let key = |command| scene.key(Scope::Schedule, command);
        let mut keys = vec![format!("{} suspended: {}", key(Command::ScheduleSuspend), yes(self.suspend))];
        keys.push(match self.there(cluster) {
            None => format!("{} a backup at once: {}", key(Command::ScheduleImmediate), yes(self.immediate)),
            Some(_) => format!("{} delete it", key(Command::ScheduleDelete)),
        });
        out.push(Line::styled(keys.join("   "), look.style(Role::Overlay)));
        out
    }
}

/// The next runs, in the person's own time; a day is said once.
fn runs(cron: &Cron, scene: &Scene<'_>) -> Vec<String> {
    let mut before = scene.now;
    let mut said = |at: Timestamp| {
        let day = times::day(at, before, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
        before = at;
        format!("{day}{}", times::clock(at, scene.habits))
    };
    cron.runs(scene.now, AHEAD).into_iter().map(&mut said).collect()
}

/// A name that no schedule has yet.
fn new_name(cluster: &Cluster) -> String {
    let taken = |name: &str| cluster.backups.schedules.iter().any(|s| s.name == *name);
    let plain = format!("{}-scheduled", cluster.key.name);
    let numbered = (2u32..).map(|n| format!("{plain}-{n}"));
    std::iter::once(plain.clone()).chain(numbered).find(|n| !taken(n)).unwrap_or(plain)
}
