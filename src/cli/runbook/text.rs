//! A step as text, for a person.

use crate::cli::human::{columns, faint, mark, strong};
use crate::cli::output::Style;
use crate::domain::health::Level;
use crate::domain::quantity;
use crate::procedure::runbook::answer::words;
use crate::procedure::runbook::{Answer, Judged, StepView};
use crate::text::wrap;
use jiff::Timestamp;

/// Columns that a paragraph may take.
const WIDTH: usize = 100;

/// One step: words, values, checks, commands.
pub fn step(view: &StepView, number: usize, of: usize, style: Style, now: Timestamp) -> String {
    let mut out = format!("\n{}\n", strong(style, &format!("{number}/{of}  {}", view.title)));
    for paragraph in &view.words {
        out.push('\n');
        for line in wrap(paragraph, WIDTH) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    if !view.values.is_empty() {
        out.push('\n');
        let rows: Vec<Vec<String>> = view
            .values
            .iter()
            .flat_map(|shown| {
                let none = shown.items.is_empty().then(|| vec![shown.name.clone(), "–".into()]);
                let some = shown.items.iter().enumerate().map(|(n, item)| {
                    let name = if n == 0 { shown.name.clone() } else { String::new() };
                    vec![name, words(item, now)]
                });
                none.into_iter().chain(some).collect::<Vec<_>>()
            })
            .collect();
        for line in columns(&rows, &[]) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    if !view.checks.is_empty() {
        out.push('\n');
    }
    for check in &view.checks {
        out.push_str(&judged(check, style));
    }
    commands(&mut out, view, style);
    out
}

/// A check: its answer, what is true when it holds, what was seen.
pub fn judged(check: &Judged, style: Style) -> String {
    let (sign, word) = match &check.answer {
        Some(Answer::Yes) => ("✓", "yes"),
        Some(Answer::No) => ("✗", "no"),
        Some(Answer::Unknown(_)) => (mark(Level::Unknown), "unknown"),
        None => ("·", ""),
    };
    let head = format!("  {sign} {}{}{word}", check.title, if word.is_empty() { "" } else { ": " });
    let mut out = format!("{}\n", strong(style, &head));
    // What many say is said once where it is the same for all that matters here.
    for line in &check.evidence {
        out.push_str(&format!("      {}\n", faint(style, line)));
    }
    for line in columns(&check.rows, &[]) {
        out.push_str(&format!("      {line}\n"));
    }
    out
}

fn commands(out: &mut String, view: &StepView, style: Style) {
    if view.commands.is_empty() && view.act.is_none() {
        return;
    }
    out.push('\n');
    for command in &view.commands {
        let why = command.why.as_ref().map(|w| format!("   # {w}")).unwrap_or_default();
        let kind = if command.kind == "change" { "CHANGE" } else { "look  " };
        out.push_str(&format!("  {kind}  {}{}\n", command.text, faint(style, &why)));
    }
    if let Some(act) = &view.act {
        out.push_str(&format!(
            "  CHANGE  {}{}\n",
            act.line,
            faint(style, "   # guarded: shown and checked before it is done")
        ));
    }
}

/// How old a moment is, in words for a heading.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", quantity::age(then, now))
}
