//! What stands around the pane: where am I, may I change anything, how fresh is my truth, which keys work here.

use jiff::Timestamp;
use ratatui::text::{Line, Span};
use std::collections::BTreeSet;

use super::command::subject;
use super::model::Model;
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::domain::names::Context;
use crate::domain::quantity;
use crate::domain::source::{SourceHealth, SourceId, SourceState};
use crate::panes::{Pane, times};
use crate::procedure::Kind;
use crate::ui::theme::Role;
use crate::ui::widgets::header::{Dot, SourceDot};
use crate::ui::widgets::hints::{self, Hint};
use crate::ui::widgets::tabs::Tab;

/// Contexts anything is known of.
pub fn contexts(model: &Model) -> BTreeSet<Context> {
    let mut all: BTreeSet<Context> = watches(model).map(|(context, _, _)| context.clone()).collect();
    // Clusters come ordered by context: a thousand of one context are one insertion.
    let mut last: Option<&Context> = None;
    for key in model.known.facts.clusters.keys() {
        if last != Some(&key.context) {
            all.insert(key.context.clone());
            last = Some(&key.context);
        }
    }
    all
}

/// The sources that watch whole contexts. They come first among all sources: those of a thousand clusters are not
/// walked through.
fn watches(model: &Model) -> impl Iterator<Item = (&Context, &SourceId, &SourceHealth)> {
    let context = |id: &'_ SourceId| matches!(id, SourceId::Kubernetes(_) | SourceId::Watch(..));
    model.known.facts.sources.iter().take_while(move |(id, _)| context(id)).filter_map(|(id, health)| match id {
        SourceId::Kubernetes(c) | SourceId::Watch(c, _) => Some((c, id, health)),
        _ => None,
    })
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
    match &subject(model) {
        Some(key) if model.front != 0 || !model.viewers.is_empty() => into(key.to_string(), Role::Text),
        _ => into(namespaces, Role::Text),
    }
    Line::from(spans)
}

/// May anything be changed, and what is under way.
pub fn mode<'a>(model: &Model) -> Line<'a> {
    let mut spans = under_way(model);
    spans.extend(armed(model));
    Line::from(spans)
}

/// What time it is, as times are written here.
pub fn clock<'a>(model: &Model) -> Line<'a> {
    let (clock, zone) = (times::clock(model.now, &model.habits), times::zone_name(model.now, &model.habits));
    Line::from(Span::styled(format!("{clock} {zone}"), model.look.style(Role::Dim)))
}

/// What can be changed now, and for how long. Said on every screen.
fn armed<'a>(model: &Model) -> Vec<Span<'a>> {
    let wide = model.size.width >= NARROW;
    let left = |until: Timestamp| quantity::age_of(until.duration_since(model.now));
    let all: Vec<_> = model.doing.arming.all(model.now).collect();
    let here = subject(model);
    let here = here.as_ref().filter(|key| all.iter().any(|(k, _)| k == key));
    let Some(key) = here.or(all.first().map(|a| a.0)) else {
        let key = model.keymap.shown(Scope::Global, Command::Arm).filter(|_| wide && !model.doing.arming.locked);
        let hint = key.map(|k| format!("  {k} arm")).unwrap_or_default();
        let read_only = Span::styled("READ-ONLY", model.look.style(Role::Info));
        return vec![read_only, Span::styled(hint, model.look.style(Role::Dim))];
    };
    let until = all.iter().find(|(k, _)| *k == key).map(|(_, until)| left(*until)).unwrap_or_default();
    let name = if wide { format!(" {}", key.name) } else { String::new() };
    let more = if all.len() > 1 { format!(" +{}", all.len() - 1) } else { String::new() };
    vec![Span::styled(format!(" {} ARMED{name} {until}{more} ", model.look.marks.warn), model.look.style(Role::Danger))]
}

/// Runs under way: they go on whatever is on the screen.
fn under_way<'a>(model: &Model) -> Vec<Span<'a>> {
    let runs: Vec<_> = model.doing.under_way().filter(|d| d.run().plan.kind != Kind::Runbook).collect();
    let Some(first) = runs.first() else { return Vec::new() };
    let asks = runs.iter().any(|d| !d.asked.is_empty());
    let since = quantity::age_of(model.now.duration_since(first.run().opened));
    let more = if runs.len() > 1 { format!(" +{}", runs.len() - 1) } else { String::new() };
    let (mark, role) = if asks { (model.look.marks.frozen, Role::Warn) } else { (model.look.marks.late, Role::Accent) };
    let word = if asks { " asks" } else { "" };
    let wide = model.size.width >= NARROW;
    let name = if wide { first.run().plan.kind.name() } else { "" };
    vec![Span::styled(
        format!("{mark} {name}{}{since}{word}{more}  ", if wide { " " } else { "" }),
        model.look.style(role),
    )]
}

/// Below this width the header has no room for a dot of each kind of source.
const NARROW: u16 = 110;

/// One dot per kind of source: of all contexts' watches, and of the cluster in question.
pub fn dots(model: &Model) -> Vec<SourceDot<'static>> {
    let shown = |c: &Context| model.choice.contexts.as_ref().is_none_or(|all| all.contains(c));
    let watched = watches(model).filter(|(c, _, _)| shown(c)).map(|(_, _, health)| health);
    let mut all: Vec<_> = dot("kube", watched, model).into_iter().collect();
    if let Some(key) = &model.chosen {
        let of = |id: SourceId| model.known.facts.sources.get(&id).into_iter();
        all.extend(dot("status", of(SourceId::Status(key.clone())), model));
        all.extend(dot("metrics", of(SourceId::Metrics(key.clone())), model));
        all.extend(dot("sql", of(SourceId::Sql(key.clone())), model));
        all.extend(dot("store", of(SourceId::Store(key.clone())), model));
    }
    if model.size.width >= NARROW {
        return all;
    }
    // One dot for all that is well leaves room to say that nothing can be changed.
    let (well, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|d| d.dot == Dot::Live);
    let name = if rest.is_empty() { "sources" } else { "others" };
    let well = (!well.is_empty()).then(|| SourceDot { name, dot: Dot::Live, age: String::new() });
    rest.into_iter().chain(well).collect()
}

/// The dot of the worst of these.
fn dot<'h>(
    name: &'static str,
    all: impl Iterator<Item = &'h SourceHealth>,
    model: &Model,
) -> Option<SourceDot<'static>> {
    let worst = all.max_by_key(|h| (rank(&h.state), h.proven.map(std::cmp::Reverse)))?;
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
        SourceId::Store(key) => format!("object store of {key}"),
        SourceId::Other(name) => name.clone(),
    }
}

/// What stands in the notice line as long as it lasts: a context's watches that can't be trusted.
pub fn trouble(model: &Model) -> Option<(Level, String)> {
    let shown = |c: &Context| model.choice.contexts.as_ref().is_none_or(|all| all.contains(c));
    watches(model).filter(|(c, _, _)| shown(c)).find_map(|(_, id, health)| {
        if !matches!(id, SourceId::Kubernetes(_)) {
            return None;
        }
        let seen = health.proven.map_or("nothing was learned yet".to_owned(), |t| {
            format!("this is what was true {} ago", quantity::age(t, model.now))
        });
        let name = source_name(id);
        match &health.state {
            SourceState::Late(_) => Some((Level::Warn, format!("{name} is late: {seen}"))),
            SourceState::Failing { why, again_at, .. } => {
                let wait = again_at.duration_since(model.now).as_secs().max(0);
                Some((Level::Bad, format!("{name} fails, {seen}, again in {wait}s: {why}")))
            }
            SourceState::Absent(why) => Some((Level::Unknown, format!("{name} can't be had: {why}"))),
            SourceState::Connecting | SourceState::Live => None,
        }
    })
}

/// What stands on the tabs.
pub fn tabs(model: &Model) -> Vec<Tab> {
    let tab = |pane: &dyn Pane| Tab { title: pane.title(), short: pane.short() };
    model.tabs().into_iter().map(|n| tab(model.panes[n].as_ref())).collect()
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
                (pane.typing_scope(), overlay_hints(pane.typing_scope()))
            } else {
                (pane.scope(), pane.hints().to_vec())
            }
        }
    };
    if !matches!(scope, Scope::Prompt | Scope::Choice | Scope::Schedule | Scope::Editor) {
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
        Scope::Schedule => {
            vec![(Command::Accept, "plan it"), (Command::ChoiceDown, "next"), (Command::Cancel, "leave")]
        }
        Scope::Editor => vec![(Command::KeepText, "keep it"), (Command::LeaveText, "leave it a draft")],
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
