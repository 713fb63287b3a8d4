//! What the person at the terminal does: keys to commands, mouse to places, text to fields.

use super::command::{dispatch, wishes};
use super::model::Model;
use super::overlay::Overlay;
use super::{frame, overlay};
use crate::command::{Command, Scope};
use crate::panes::Effect;
use crate::ui::chord::{Chord, Key, show_keys};
use crate::ui::layout::Region;
use crate::ui::widgets::{hints, tabs};
use crate::ui::{Found, Input, Mouse, MouseAct};

/// Lines a turn of the wheel moves.
const WHEEL: usize = 3;

/// Takes one input in.
pub fn input(model: &mut Model, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(chord) => key(model, chord),
        Input::Mouse(mouse) => press(model, mouse),
        Input::Paste(text) => {
            if let Some(Overlay::Note { editor, .. }) = &mut model.overlay {
                editor.paste(&text);
            } else if let Some(field) = field(model) {
                field.paste(&text);
            } else {
                return Vec::new();
            }
            model.dirty = true;
            Vec::new()
        }
        Input::Resize(width, height) => {
            model.size = ratatui::layout::Size::new(width, height);
            model.dirty = true;
            Vec::new()
        }
        Input::Focus(_) => Vec::new(),
    }
}

fn key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let scope = model.scope();
    let waiting = !model.pending.is_empty();
    model.pending.push(chord);
    model.dirty = true;
    match model.keymap.find(scope, &model.pending) {
        Found::Command(command) => {
            model.pending.clear();
            dispatch(model, command)
        }
        // While a line is typed every character is text: no sequence may swallow its first key.
        Found::Prefix if !matches!(scope, Scope::Prompt | Scope::Choice | Scope::Schedule | Scope::Editor) => {
            Vec::new()
        }
        _ => {
            let keys = std::mem::take(&mut model.pending);
            if let Some(Overlay::Note { editor, .. }) = &mut model.overlay {
                editor.key(chord);
            } else if let Some(field) = field(model) {
                field.key(chord);
                overlay::typed(model);
            } else if !waiting || chord.key != Key::Esc {
                let help = model.keymap.shown(scope, Command::Help).map(|k| format!(", {k} shows the keys"));
                model.say(format!("{} means nothing here{}", show_keys(&keys), help.unwrap_or_default()), false);
            }
            Vec::new()
        }
    }
}

/// The line that typed text goes to.
fn field(model: &mut Model) -> Option<&mut crate::panes::field::Field> {
    if let Some(overlay) = &mut model.overlay {
        return overlay.field();
    }
    if let Some(viewer) = model.viewers.last_mut() {
        return viewer.typing();
    }
    model.panes[model.front].typing()
}

fn press(model: &mut Model, mouse: Mouse) -> Vec<Effect> {
    let wheel = match mouse.act {
        MouseAct::WheelUp => Some(Command::Up),
        MouseAct::WheelDown => Some(Command::Down),
        _ => None,
    };
    if let Some(command) = wheel {
        let command = match (&model.overlay, command) {
            (Some(o), Command::Up) if o.types() => Command::ChoiceUp,
            (Some(o), _) if o.types() => Command::ChoiceDown,
            _ => command,
        };
        return (0..WHEEL).flat_map(|_| dispatch(model, command)).collect();
    }
    if mouse.act != MouseAct::Press {
        return Vec::new();
    }
    model.dirty = true;
    if model.overlay.is_some() {
        return overlay::press(model, mouse.x, mouse.y);
    }
    let Some(regions) = model.regions() else { return Vec::new() };
    match regions.at(mouse.x, mouse.y) {
        Some(Region::Header) => dispatch(model, Command::Sources),
        Some(Region::Tabs) => {
            let tab = tabs::at(regions.tabs, &frame::tabs(model), model.tab(), mouse.x);
            tab.and_then(Command::of_tab).map(|c| dispatch(model, c)).unwrap_or_default()
        }
        Some(Region::Footer) => {
            let (hints, right) = (frame::hints(model), frame::counts(model).width() as u16);
            let hit = hints::at(regions.footer, &hints, right, mouse.x).map(|h| h.command);
            hit.map(|c| dispatch(model, c)).unwrap_or_default()
        }
        Some(Region::Notice) => dispatch(model, Command::Notices),
        Some(Region::Body) if model.viewers.is_empty() => {
            let (x, y) = (mouse.x - regions.body.x, mouse.y - regions.body.y);
            let mut panes = std::mem::take(&mut model.panes);
            let wanted = panes[model.front].press(x, y, &model.scene());
            model.panes = panes;
            wishes(model, wanted)
        }
        _ => Vec::new(),
    }
}
