//! Windows above the pane: palette, help, sources, notices, choices of contexts and namespaces.

use std::collections::BTreeSet;

use super::command::{dispatch, refuses};
use super::menu::{self, Menu, Picked};
use super::model::Model;
use super::{frame, runs, walks};
use crate::command::{Command, Scope};
use crate::domain::names::Context;
use crate::domain::source::{SourceId, SourceState};
use crate::panes::editor::Editor;
use crate::panes::field::Field;
use crate::panes::{Effect, Purpose};
use crate::procedure::RunId;
use crate::ui::widgets::choices::{self, Choice, Choices, Matched};
use crate::ui::widgets::help;

/// What can be chosen of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Contexts.
    Contexts,
    /// Namespaces.
    Namespaces,
}

/// The window on top.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// Commands by name.
    Palette {
        /// What was typed.
        field: Field,
        /// Which of those that match.
        selected: usize,
        /// The commands there were when it was opened, with their keys and refusals.
        all: Vec<(Command, Choice)>,
    },
    /// Keys that work here.
    Help {
        /// First line shown.
        top: usize,
        /// Where "here" is.
        focus: Scope,
    },
    /// What howdah learns from.
    Sources {
        /// Which one.
        selected: usize,
    },
    /// What was said.
    Notices {
        /// Lines scrolled up from the newest.
        top: usize,
    },
    /// A menu made of the situation.
    Menu {
        /// Which.
        menu: Menu,
        /// What was typed.
        field: Field,
        /// Which of those that match.
        selected: usize,
        /// Its choices.
        all: Vec<(Picked, Choice)>,
    },
    /// A line of text is asked for.
    Line {
        /// What for.
        purpose: Purpose,
        /// What was typed.
        field: Field,
    },
    /// A note for a run's journal is typed.
    Note {
        /// Which run's.
        run: RunId,
        /// The text.
        editor: Box<Editor>,
        /// What of it would outlive this console.
        kept: String,
    },
    /// Contexts or namespaces to show.
    Choose {
        /// Which of the two.
        which: Which,
        /// What was typed.
        field: Field,
        /// Which of those that match.
        selected: usize,
        /// All there are; [`Choice::taken`] says which are shown.
        all: Vec<Choice>,
    },
}

impl Overlay {
    /// The palette for where the focus is.
    pub fn palette(model: &mut Model) -> Overlay {
        let focus = model.scope();
        let all = choices::commands(&model.keymap, focus, |c| refuses(model, c));
        Overlay::Palette { field: Field::default(), selected: 0, all }
    }

    /// A menu.
    pub fn menu(model: &Model, menu: Menu) -> Overlay {
        let all = menu.items(model);
        Overlay::Menu { menu, field: Field::default(), selected: 0, all }
    }

    /// A line to type, for this.
    pub fn line(purpose: Purpose) -> Overlay {
        Overlay::Line { purpose, field: Field::default() }
    }

    /// The sources, on the first of those that do worst.
    pub fn sources(model: &Model) -> Overlay {
        let ill = |state: &SourceState| match state {
            SourceState::Failing { .. } => 0,
            SourceState::Late(_) => 1,
            SourceState::Connecting => 2,
            SourceState::Live | SourceState::Absent(_) => 3,
        };
        let states = model.known.facts.sources.values().map(|h| ill(&h.state));
        Overlay::Sources { selected: states.enumerate().min_by_key(|(n, ill)| (*ill, *n)).map_or(0, |(n, _)| n) }
    }

    /// The choice of contexts or namespaces.
    pub fn choose(model: &Model, which: Which) -> Overlay {
        let names: BTreeSet<String> = match which {
            Which::Contexts => frame::contexts(model).iter().map(ToString::to_string).collect(),
            Which::Namespaces => model.known.facts.clusters.keys().map(|k| k.namespace.to_string()).collect(),
        };
        let taken = |name: &str| match which {
            Which::Contexts => model.choice.contexts.as_ref().is_none_or(|c| c.contains(&Context::from(name))),
            Which::Namespaces => model.choice.namespaces.as_ref().is_none_or(|n| n.contains(name)),
        };
        let count = |name: &str| {
            let of = |k: &&crate::domain::names::ClusterKey| match which {
                Which::Contexts => k.context == *name,
                Which::Namespaces => &*k.namespace == name,
            };
            let n = model.known.facts.clusters.keys().filter(of).count();
            format!("{n} cluster{}", if n == 1 { "" } else { "s" })
        };
        let all = names
            .into_iter()
            .map(|text| Choice { aside: count(&text), taken: Some(taken(&text)), refused: None, text })
            .collect();
        Overlay::Choose { which, field: Field::default(), selected: 0, all }
    }

    /// Where its keys are looked for.
    pub fn scope(&self) -> Scope {
        match self {
            Overlay::Palette { .. } | Overlay::Menu { .. } | Overlay::Line { .. } => Scope::Prompt,
            Overlay::Choose { .. } => Scope::Choice,
            Overlay::Note { .. } => Scope::Editor,
            Overlay::Sources { .. } => Scope::SourceList,
            Overlay::Help { .. } | Overlay::Notices { .. } => Scope::List,
        }
    }

    /// The line that typed text goes to.
    pub fn field(&mut self) -> Option<&mut Field> {
        match self {
            Overlay::Palette { field, .. }
            | Overlay::Choose { field, .. }
            | Overlay::Menu { field, .. }
            | Overlay::Line { field, .. } => Some(field),
            _ => None,
        }
    }

    /// It has a line to type in.
    pub fn types(&self) -> bool {
        matches!(self, Overlay::Palette { .. } | Overlay::Choose { .. } | Overlay::Menu { .. })
    }

    /// Its choices, and those that match what was typed.
    pub fn choices(&self) -> (Vec<Choice>, Vec<Matched>) {
        match self {
            Overlay::Palette { field, all, .. } => {
                let found = choices::matching(all.iter().map(|(_, c)| c), field.text());
                (all.iter().map(|(_, c)| c.clone()).collect(), found)
            }
            Overlay::Menu { field, all, .. } => {
                let found = choices::matching(all.iter().map(|(_, c)| c), field.text());
                (all.iter().map(|(_, c)| c.clone()).collect(), found)
            }
            Overlay::Choose { field, all, .. } => (all.clone(), choices::matching(all, field.text())),
            _ => (Vec::new(), Vec::new()),
        }
    }
}

/// Something was typed into the window: the best match is selected.
pub fn typed(model: &mut Model) {
    if let Some(Overlay::Palette { selected, .. } | Overlay::Choose { selected, .. } | Overlay::Menu { selected, .. }) =
        &mut model.overlay
    {
        *selected = 0;
    }
}

/// Does a command within the window.
pub fn on(model: &mut Model, command: Command) -> Vec<Effect> {
    let Some(mut overlay) = model.overlay.take() else { return Vec::new() };
    if matches!(command, Command::Back | Command::Cancel | Command::Quit) || reopens(&overlay, command) {
        return Vec::new();
    }
    match &mut overlay {
        Overlay::Palette { .. } | Overlay::Choose { .. } | Overlay::Menu { .. } => {
            return choice(model, overlay, command);
        }
        Overlay::Line { .. } => return line(model, overlay, command),
        Overlay::Note { .. } => return walks::noting(model, overlay, command),
        Overlay::Help { top, focus } => {
            let most = help::most(model.screen(), &model.keymap, *focus, &model.look);
            *top = scrolled(*top, command, usize::from(model.size.height) / 2).min(most);
        }
        Overlay::Notices { top } => {
            *top = scrolled(*top, command, usize::from(model.size.height) / 2).min(model.notices.len());
        }
        Overlay::Sources { selected } => {
            let count = model.known.facts.sources.len();
            *selected = scrolled(*selected, command, 10).min(count.saturating_sub(1));
            if command == Command::RetrySource {
                let id = model.known.facts.sources.keys().nth(*selected).cloned();
                model.overlay = Some(overlay);
                return id.map(|id| retry(model, id)).unwrap_or_default();
            }
        }
    }
    // Commands that mean something everywhere mean it under a window too; the window goes.
    let scrolls = command.scope() == Scope::List;
    if scrolls {
        model.overlay = Some(overlay);
        return Vec::new();
    }
    dispatch(model, command)
}

fn retry(model: &mut Model, id: SourceId) -> Vec<Effect> {
    model.say(format!("asking {} now", frame::source_name(&id)), false);
    vec![Effect::RetrySource(id)]
}

/// The key that opened a window closes it.
fn reopens(overlay: &Overlay, command: Command) -> bool {
    matches!(
        (overlay, command),
        (Overlay::Help { .. }, Command::Help)
            | (Overlay::Sources { .. }, Command::Sources)
            | (Overlay::Notices { .. }, Command::Notices)
    )
}

fn scrolled(at: usize, command: Command, page: usize) -> usize {
    match command {
        Command::Up => at.saturating_sub(1),
        Command::Down => at + 1,
        Command::PageUp => at.saturating_sub(page),
        Command::PageDown => at + page,
        Command::First => 0,
        Command::Last => usize::MAX / 2,
        _ => at,
    }
}

fn choice(model: &mut Model, mut overlay: Overlay, command: Command) -> Vec<Effect> {
    let (_, found) = overlay.choices();
    match &mut overlay {
        Overlay::Palette { selected, all, .. } => {
            if command == Command::Accept {
                let picked = found.get(*selected).and_then(|m| all.get(m.index)).map(|(c, _)| *c);
                return picked.map(|c| dispatch(model, c)).unwrap_or_default();
            }
            *selected = moved(*selected, found.len(), command);
        }
        Overlay::Menu { selected, all, .. } => {
            if command == Command::Accept {
                let picked = found.get(*selected).and_then(|m| all.get(m.index));
                let Some((picked, choice)) = picked.cloned() else { return Vec::new() };
                return match choice.refused {
                    Some(why) => {
                        model.say(format!("{}: {why}", choice.text), false);
                        Vec::new()
                    }
                    None => menu::pick(model, picked),
                };
            }
            *selected = moved(*selected, found.len(), command);
        }
        Overlay::Choose { which, selected, all, .. } => match command {
            Command::Accept => {
                let picked = found.get(*selected).map(|m| m.index);
                accept(model, *which, all, picked);
                return Vec::new();
            }
            Command::ToggleChoice => {
                if let Some(choice) = found.get(*selected).and_then(|m| all.get_mut(m.index)) {
                    choice.taken = choice.taken.map(|t| !t);
                }
            }
            Command::ToggleChoices => {
                let every = all.iter().all(|c| c.taken == Some(true));
                all.iter_mut().for_each(|c| c.taken = Some(!every));
            }
            _ => *selected = moved(*selected, found.len(), command),
        },
        _ => {}
    }
    model.overlay = Some(overlay);
    Vec::new()
}

/// A line is typed: taken, it is used for what it was asked for.
fn line(model: &mut Model, overlay: Overlay, command: Command) -> Vec<Effect> {
    match overlay {
        Overlay::Line { purpose, field } if command == Command::Accept => runs::typed(model, purpose, field.text()),
        other => {
            model.overlay = Some(other);
            Vec::new()
        }
    }
}

/// What an open menu says has changed: it is made anew, on the same choice.
pub fn refresh(model: &mut Model) {
    let Some(Overlay::Menu { menu, .. }) = &model.overlay else { return };
    let new = menu.items(model);
    if let Some(Overlay::Menu { all, .. }) = &mut model.overlay {
        *all = new;
    }
}

fn moved(selected: usize, total: usize, command: Command) -> usize {
    match command {
        Command::ChoiceUp => selected.checked_sub(1).unwrap_or(total.saturating_sub(1)),
        Command::ChoiceDown if selected + 1 < total => selected + 1,
        Command::ChoiceDown => 0,
        _ => selected,
    }
}

/// Shows what was taken. Nothing taken: the one under the cursor alone; everything taken: no restriction.
fn accept(model: &mut Model, which: Which, all: &[Choice], picked: Option<usize>) {
    let mut names: Vec<&str> = all.iter().filter(|c| c.taken == Some(true)).map(|c| c.text.as_str()).collect();
    if names.is_empty() {
        names.extend(picked.and_then(|n| all.get(n)).map(|c| c.text.as_str()));
    }
    let everything = names.len() == all.len();
    match which {
        Which::Contexts => {
            model.choice.contexts = (!everything).then(|| names.iter().map(Context::from).collect());
        }
        Which::Namespaces => {
            model.choice.namespaces = (!everything).then(|| names.iter().map(ToString::to_string).collect());
        }
    }
}

/// The mouse was pressed while the window is open: on a choice it takes it, outside it closes the window.
pub fn press(model: &mut Model, x: u16, y: u16) -> Vec<Effect> {
    let screen = model.screen();
    let Some(overlay) = &mut model.overlay else { return Vec::new() };
    if matches!(overlay, Overlay::Note { .. }) {
        // A slip of the mouse takes nobody's text away.
        return Vec::new();
    }
    if !overlay.types() {
        model.overlay = None;
        return Vec::new();
    }
    let (all, found) = overlay.choices();
    let (Overlay::Palette { selected, field, .. }
    | Overlay::Choose { selected, field, .. }
    | Overlay::Menu { selected, field, .. }) = overlay
    else {
        return Vec::new();
    };
    let shown = Choices { title: "", typed: field.text(), cursor: 0, all: &all, found: &found, selected: *selected };
    let inside = shown.place(screen).contains(ratatui::layout::Position { x, y });
    if let Some(n) = shown.at(screen, x, y) {
        *selected = n;
        let one = matches!(overlay, Overlay::Palette { .. } | Overlay::Menu { .. });
        let command = if one { Command::Accept } else { Command::ToggleChoice };
        return on(model, command);
    }
    if !inside {
        model.overlay = None;
    }
    Vec::new()
}
