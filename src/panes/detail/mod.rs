//! Texts one reads: an object's YAML, its description, a pod's log. Opened over a pane, closed with `back`.
//!
//! The text itself is in what is known, under its subject; here is only where one is in it and what one looks for.

mod lines;
mod view;

use super::field::Field;
use super::{Scene, Wish};
use crate::command::{Command, Scope};
use crate::domain::detail::Subject;
use crate::ui::theme::Look;
use crate::ui::widgets::textview::find;
use lines::{Line, least_level, lines};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A text that is being read.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// What it is.
    pub subject: Subject,
    /// Containers of the pod whose log this is, in the order a key goes through them.
    containers: Vec<String>,
    /// First line shown, counted among those the level lets through.
    top: usize,
    /// Cells cut off at the left of long lines.
    left: usize,
    follow: bool,
    wrap: bool,
    search: Field,
    typing: bool,
    /// The line of the last match gone to.
    found: Option<usize>,
    /// 0: all lines; 1: warnings and worse; 2: errors and worse.
    least: u8,
}

impl Viewer {
    /// A viewer of this subject. `containers` are those a log can be switched to.
    pub fn new(subject: Subject, containers: Vec<String>) -> Self {
        let follow = matches!(subject, Subject::Logs { .. });
        let fresh = Viewer {
            subject,
            containers,
            top: 0,
            left: 0,
            follow,
            wrap: true,
            search: Field::default(),
            typing: false,
            found: None,
            least: 0,
        };
        Viewer { wrap: follow, ..fresh }
    }

    /// Where its keys are looked for.
    pub fn scope(&self) -> Scope {
        Scope::Detail
    }

    /// The line that typed text goes to, while there is one.
    pub fn typing(&mut self) -> Option<&mut Field> {
        self.typing.then_some(&mut self.search)
    }

    /// There is such a line now.
    pub fn is_typing(&self) -> bool {
        self.typing
    }

    /// Keys worth naming at the bottom.
    pub fn hints(&self) -> Vec<(Command, &'static str)> {
        let mut all = vec![(Command::Back, "close"), (Command::Search, "search"), (Command::SearchNext, "next")];
        if self.is_log() {
            all.extend([
                (Command::Follow, "follow"),
                (Command::LogLevel, "level"),
                (Command::ContainerNext, "container"),
            ]);
        }
        all.extend([(Command::Wrap, "wrap"), (Command::Copy, "copy")]);
        all
    }

    /// `back` means something here before it closes: a search to undo.
    pub fn has_back(&self) -> bool {
        self.typing || !self.search.is_empty()
    }

    fn is_log(&self) -> bool {
        matches!(self.subject, Subject::Logs { .. })
    }

    /// Why this can't be done now.
    pub fn refuses(&self, command: Command, _scene: &Scene<'_>) -> Option<String> {
        let log_only = || (!self.is_log()).then(|| "this is no log".to_owned());
        match command {
            Command::Follow | Command::LogLevel => log_only(),
            Command::ContainerNext if self.containers.len() < 2 => {
                Some(log_only().unwrap_or_else(|| "the pod has no other container".into()))
            }
            Command::SearchNext | Command::SearchPrevious if self.search.is_empty() => {
                Some("nothing was searched for yet".into())
            }
            Command::Left | Command::Right if self.wrap => Some("long lines are wrapped".into()),
            Command::Filter => Some("a text is searched, not filtered".into()),
            Command::Sort | Command::SortReverse => Some("a text has no columns".into()),
            Command::Open => Some("there is nothing to open here".into()),
            _ => None,
        }
    }

    /// Does it. What it wants of the outside comes back; a changed [`Viewer::subject`] is noticed by the app.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) -> Vec<Wish> {
        let total = self.lines(scene).len();
        let page = usize::from(scene.size.height).saturating_sub(2).max(1);
        match command {
            Command::Up => self.go(self.top.saturating_sub(1)),
            Command::Down => self.go(self.top + 1),
            Command::PageUp => self.go(self.top.saturating_sub(page)),
            Command::PageDown => self.go(self.top + page),
            Command::First => self.go(0),
            Command::Last => {
                self.go(total);
                self.follow = self.is_log();
            }
            Command::Left => self.left = self.left.saturating_sub(8),
            Command::Right => self.left = (self.left + 8).min(2_000),
            Command::Follow => self.follow = !self.follow,
            Command::Wrap => {
                self.wrap = !self.wrap;
                self.left = 0;
            }
            Command::LogLevel => self.least = (self.least + 1) % 3,
            Command::Search => self.typing = true,
            Command::Accept => {
                self.typing = false;
                return self.find(scene, Direction::Here);
            }
            Command::Cancel | Command::Back => {
                self.typing = false;
                self.found = None;
                self.search.clear();
            }
            Command::SearchNext => return self.find(scene, Direction::Next),
            Command::SearchPrevious => return self.find(scene, Direction::Previous),
            Command::ContainerNext => self.next_container(),
            Command::Copy => return vec![Wish::copy(self.whole(scene))],
            _ => {}
        }
        self.settle(scene);
        Vec::new()
    }

    /// Moves by hand stop following.
    fn go(&mut self, top: usize) {
        self.follow = false;
        self.top = top;
    }

    /// Keeps the first line where a line is, and at the end while following.
    pub fn settle(&mut self, scene: &Scene<'_>) {
        let all = self.lines(scene);
        self.top = view::first(self, &all, scene);
    }

    fn lines<'a>(&self, scene: &Scene<'a>) -> Vec<Line<'a>> {
        let least = least_level(self.least);
        scene.known.details.get(&self.subject).map(|d| lines(d, least)).unwrap_or_default()
    }

    fn whole(&self, scene: &Scene<'_>) -> String {
        self.lines(scene).iter().map(|l| l.text).collect::<Vec<_>>().join("\n")
    }

    fn find(&mut self, scene: &Scene<'_>, direction: Direction) -> Vec<Wish> {
        let all = self.lines(scene);
        let hits: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, l)| !find(l.text, self.search.text()).is_empty())
            .map(|(n, _)| n)
            .collect();
        let from = self.found.unwrap_or(self.top);
        let next = match direction {
            Direction::Here => hits.iter().find(|n| **n >= self.top),
            Direction::Next => hits.iter().find(|n| **n > from),
            Direction::Previous => hits.iter().rev().find(|n| **n < from),
        };
        let around = if direction == Direction::Previous { hits.last() } else { hits.first() };
        let Some(&line) = next.or(around) else {
            let said = format!("\"{}\" is not in the text", self.search.text());
            return if self.search.is_empty() { Vec::new() } else { vec![Wish::Say(said)] };
        };
        self.found = Some(line);
        self.go(line.saturating_sub(usize::from(scene.size.height) / 3));
        self.settle(scene);
        Vec::new()
    }

    fn next_container(&mut self) {
        if let Subject::Logs { container, .. } = &mut self.subject {
            let at = self.containers.iter().position(|c| c == container).map_or(0, |n| n + 1);
            if let Some(next) = self.containers.get(at % self.containers.len().max(1)) {
                container.clone_from(next);
            }
        }
        self.top = 0;
        self.found = None;
        self.follow = true;
    }

    /// Draws it.
    pub fn view(&self, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
        view::draw(self, scene, look, area, buf);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Here,
    Next,
    Previous,
}
