//! What stands around the pane: where am I, may I change anything, how fresh is my truth, which keys work here.

use ratatui::text::{Line, Span};
use std::collections::BTreeSet;

use super::model::Model;
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::domain::names::Context;
use crate::domain::quantity;
use crate::domain::source::{SourceHealth, SourceId, SourceState};
use crate::panes::times;
use crate::ui::theme::Role;
use crate::ui::widgets::header::{Dot, SourceDot};
use crate::ui::widgets::hints::{self, Hint};

/// Contexts anything is known of.
pub fn contexts(model: &Model) -> BTreeSet<Context> {
    let of_sources = model.known.facts.sources.keys().filter_map(|id| match id {
        SourceId::Kubernetes(context) | SourceId::Watch(context, _) => Some(context.clone()),
        _ => None,
    });
    of_sources.chain(model.known.facts.clusters.keys().map(|k| k.context.clone())).collect()
}

/// Context, namespaces, cluster.
pub fn place<'a>(model: &Model) -> Line<'a> {
    let all = contexts(model);
    let shown: Vec<_> = all.iter().filter(|c| model.choice.contexts.as_ref().is_none_or(|s| s.contains(*c))).collect();
    let context = match shown.as_slice() {
        [] => model.place.clone(),
        [one] => one.to_string(),
        several => format!("{} contexts", several.len()),
    };
    let namespaces = match &model.choice.namespaces {
        None => "all namespaces".to_owned(),
        Some(names) if names.len() == 1 => names.iter().next().cloned().unwrap_or_default(),
        Some(names) => format!("{} namespaces", names.len()),
    };
    let mut spans = vec![Span::styled(context, model.look.style(Role::Title))];
    let mut into = |text: String, role: Role| {
        spans.push(Span::styled(format!(" {} ", model.look.marks.cursor), model.look.style(Role::Dim)));
        spans.push(Span::styled(text, model.look.style(role)));
    };
    match &model.chosen {
        Some(key) if model.front != 0 || !model.viewers.is_empty() => into(key.to_string(), Role::Text),
        _ => into(namespaces, Role::Text),
    }
    Line::from(spans)
}

/// May anything be changed, and what time it is.
pub fn mode<'a>(model: &Model) -> Line<'a> {
    let read_only = Span::styled("READ-ONLY", model.look.style(Role::Info));
    if model.size.width < NARROW {
        return Line::from(read_only);
    }
    let clock = format!("{} {}", times::clock(model.now, &model.habits), times::zone_name(model.now, &model.habits));
    Line::from(vec![read_only, Span::styled(format!("  {clock}"), model.look.style(Role::Dim))])
}

/// Below this width the header has no room for a dot of each kind of source.
const NARROW: u16 = 110;

/// A kind of source: how the header calls it, and which sources are of it.
type Kind = (&'static str, fn(&SourceId) -> bool);

/// One dot per kind of source: of all contexts' watches, and of the cluster in question.
pub fn dots(model: &Model) -> Vec<SourceDot<'static>> {
    let kinds: [Kind; 4] = [
        ("kube", |id| matches!(id, SourceId::Kubernetes(_) | SourceId::Watch(..))),
        ("status", |id| matches!(id, SourceId::Status(_))),
        ("metrics", |id| matches!(id, SourceId::Metrics(_))),
        ("sql", |id| matches!(id, SourceId::Sql(_))),
    ];
    let all: Vec<_> = kinds.into_iter().filter_map(|(name, is)| dot(model, name, is)).collect();
    if model.size.width >= NARROW {
        return all;
    }
    // One dot for all that is well leaves room to say that nothing can be changed.
    let (well, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|d| d.dot == Dot::Live);
    let name = if rest.is_empty() { "sources" } else { "others" };
    let well = (!well.is_empty()).then(|| SourceDot { name, dot: Dot::Live, age: String::new() });
    rest.into_iter().chain(well).collect()
}

fn dot(model: &Model, name: &'static str, is: fn(&SourceId) -> bool) -> Option<SourceDot<'static>> {
    let concerns = |id: &SourceId| match id {
        SourceId::Status(k) | SourceId::Metrics(k) | SourceId::Sql(k) => model.chosen.as_ref() == Some(k),
        SourceId::Kubernetes(c) | SourceId::Watch(c, _) => {
            model.choice.contexts.as_ref().is_none_or(|all| all.contains(c))
        }
        SourceId::Other(_) => true,
    };
    let of_kind = model.known.facts.sources.iter().filter(|(id, _)| is(id) && concerns(id));
    let worst = of_kind.map(|(_, health)| health).max_by_key(|h| (rank(&h.state), h.proven.map(std::cmp::Reverse)))?;
    let age = match worst.state {
        SourceState::Late(_) | SourceState::Failing { .. } => {
            worst.proven.map(|t| quantity::age(t, model.now)).unwrap_or_default()
        }
        _ => String::new(),
    };
    Some(SourceDot { name, dot: dot_of(worst), age })
}

fn rank(state: &SourceState) -> u8 {
    match state {
        // An API that isn't installed says nothing about those that are: the screen of sources lists it.
        SourceState::Absent(_) => 0,
        SourceState::Live => 1,
        SourceState::Connecting => 2,
        SourceState::Late(_) => 3,
        SourceState::Failing { .. } => 4,
    }
}

/// The dot of a source.
pub fn dot_of(health: &SourceHealth) -> Dot {
    match health.state {
        SourceState::Live => Dot::Live,
        SourceState::Connecting => Dot::Connecting,
        SourceState::Late(_) => Dot::Late,
        SourceState::Failing { .. } => Dot::Failing,
        SourceState::Absent(_) => Dot::Absent,
    }
}

/// A source in words.
pub fn source_name(id: &SourceId) -> String {
    match id {
        SourceId::Kubernetes(context) => format!("Kubernetes in {context}"),
        SourceId::Watch(context, kind) => format!("{kind} in {context}"),
        SourceId::Status(key) => format!("/pg/status of {key}"),
        SourceId::Metrics(key) => format!("metrics of {key}"),
        SourceId::Sql(key) => format!("SQL in {key}"),
        SourceId::Other(name) => name.clone(),
    }
}

/// What stands in the notice line as long as it lasts: a context's watches that can't be trusted.
pub fn trouble(model: &Model) -> Option<(Level, String)> {
    let mut all = model.known.facts.sources.iter().filter(|(id, _)| match id {
        SourceId::Kubernetes(c) => model.choice.contexts.as_ref().is_none_or(|all| all.contains(c)),
        _ => false,
    });
    all.find_map(|(id, health)| {
        let seen = health.proven.map_or("nothing was learned yet".to_owned(), |t| {
            format!("this is what was true {} ago", quantity::age(t, model.now))
        });
        let name = source_name(id);
        match &health.state {
            SourceState::Late(_) => Some((Level::Warn, format!("{name} is late: {seen}"))),
            SourceState::Failing { why, again_at } => {
                let wait = again_at.duration_since(model.now).as_secs().max(0);
                Some((Level::Bad, format!("{name} fails, {seen}, again in {wait}s: {why}")))
            }
            SourceState::Absent(why) => Some((Level::Unknown, format!("{name} can't be had: {why}"))),
            SourceState::Connecting | SourceState::Live => None,
        }
    })
}

/// Titles of the tabs.
pub fn titles(model: &Model) -> Vec<&'static str> {
    model.panes.iter().map(|p| p.title()).collect()
}

/// Keys that work here.
pub fn hints(model: &Model) -> Vec<Hint> {
    let (scope, mut commands): (Scope, Vec<(Command, &str)>) = match (&model.overlay, model.viewers.last()) {
        (Some(overlay), _) => (overlay.scope(), overlay_hints(overlay.scope())),
        (None, Some(viewer)) if viewer.is_typing() => (Scope::Prompt, overlay_hints(Scope::Prompt)),
        (None, Some(viewer)) => (viewer.scope(), viewer.hints()),
        (None, None) => {
            let pane = &model.panes[model.front];
            if pane.is_typing() {
                (Scope::Prompt, overlay_hints(Scope::Prompt))
            } else {
                (pane.scope(), pane.hints().to_vec())
            }
        }
    };
    if scope != Scope::Prompt && scope != Scope::Choice {
        commands.extend([(Command::Palette, "commands"), (Command::Help, "help")]);
    }
    let mut all = hints::of(&model.keymap, scope, &commands);
    if model.look.marks.ascii {
        for hint in &mut all {
            hint.keys = plain(&hint.keys);
        }
    }
    all
}

/// Keys in plain ASCII.
fn plain(keys: &str) -> String {
    let mut out = keys.to_owned();
    for (sign, word) in [("↑", "up"), ("↓", "down"), ("←", "left"), ("→", "right"), ("⏎", "enter")] {
        out = out.replace(sign, word);
    }
    out.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

fn overlay_hints(scope: Scope) -> Vec<(Command, &'static str)> {
    match scope {
        Scope::Prompt => vec![(Command::Accept, "take"), (Command::Cancel, "leave"), (Command::ChoiceDown, "next")],
        Scope::Choice => vec![
            (Command::ToggleChoice, "take or leave"),
            (Command::ToggleChoices, "all or none"),
            (Command::Accept, "show these"),
            (Command::Cancel, "leave"),
        ],
        Scope::SourceList => vec![(Command::Down, "move"), (Command::RetrySource, "try now"), (Command::Back, "close")],
        _ => vec![(Command::Down, "scroll"), (Command::Back, "close")],
    }
}

/// The end of the footer.
pub fn counts<'a>(model: &Model) -> Line<'a> {
    if !model.viewers.is_empty() {
        return Line::default();
    }
    model.panes[model.front].counts(&model.scene(), &model.look).unwrap_or_default()
}
