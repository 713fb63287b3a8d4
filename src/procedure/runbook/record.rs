//! The incident record: a walk's journal as Markdown, fit for a ticket and for whoever asks later. When, who, what was seen,
//! what was answered, done and noted, in the order of time.

use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

use super::walked::{observed, walked};
use crate::domain::quantity;
use crate::procedure::entry::{Decision, What};
use crate::procedure::plan::StepId;
use crate::procedure::run::Run;
use crate::procedure::summary::Summary;
use crate::text::markdown as escaped;

/// An entry that tells of something that happened to the cluster meanwhile: an event, a transition.
pub fn happened(at: Timestamp, text: &str) -> What {
    What::Observed { mark: "event".into(), seen: at, text: crate::text::shorten(&crate::text::clean(text), 300) }
}

/// Is this another run on the same cluster, begun during the walk? Its journal belongs to the record.
pub fn meanwhile(walk: &Run, other: &Summary) -> bool {
    let end = walk.closed.map(|(at, _)| at);
    other.run != walk.id
        && other.cluster == walk.plan.cluster
        && other.opened >= walk.opened
        && end.is_none_or(|end| other.opened <= end)
}

/// The record of a walk. `others` are runs on the same cluster that a person made meanwhile: acts, drills.
pub fn markdown(run: &Run, others: &[Run]) -> String {
    let mut out = String::new();
    head(&mut out, run);
    reasons(&mut out, run);
    notes(&mut out, run);
    steps(&mut out, run);
    timeline(&mut out, run, others);
    acts(&mut out, others);
    out
}

fn line(out: &mut String, text: &str) {
    // Writing into a String can't fail.
    let _ = writeln!(out, "{text}");
}

fn head(out: &mut String, run: &Run) {
    let runbook = run.plan.parameters.get("runbook").map_or("a runbook", String::as_str);
    let cluster = &run.plan.cluster;
    line(out, &format!("# Incident record: {} on {}\n", escaped(runbook), escaped(&cluster.to_string())));
    line(
        out,
        &format!("- cluster: {} in context {}", escaped(&cluster.to_string()), escaped(cluster.context.as_str())),
    );
    if let Some(instance) = run.plan.parameters.get("instance") {
        line(out, &format!("- about: {}", escaped(instance)));
    }
    line(out, &format!("- began: {}", second(run.opened)));
    match run.closed {
        Some((at, outcome)) => {
            let took = at.duration_since(run.opened);
            line(out, &format!("- ended: {} ({}), {}", second(at), outcome.word(), took_words(took)));
        }
        None => line(out, "- ended: not yet"),
    }
    if let Some(text) = observed(run, "gone:").last() {
        line(out, &format!("- at its end: {}", escaped(text.2)));
    }
    for by in &run.by {
        let versions: String = by.versions.iter().map(|(what, version)| format!(", {what} {version}")).collect();
        let who = format!("{} on {} ({}, howdah {}{versions})", by.user, by.host, by.through, by.howdah);
        line(out, &format!("- by: {}", escaped(&who)));
    }
    line(out, &format!("- run: {}", escaped(run.id.as_str())));
}

fn reasons(out: &mut String, run: &Run) {
    let all: Vec<_> = observed(run, "reason:").collect();
    line(out, "\n## What led here\n");
    if all.is_empty() {
        line(out, "No reason of the verdict: it was opened by hand.");
    }
    for (at, code, text) in all {
        line(out, &format!("- {} (`{code}`, {})", escaped(text), second(at)));
    }
}

fn notes(out: &mut String, run: &Run) {
    let notes = run.entries.iter().filter_map(|e| match &e.what {
        What::Noted { step, text } => Some((e.at, step, text)),
        _ => None,
    });
    let notes: Vec<_> = notes.collect();
    if notes.is_empty() {
        return;
    }
    line(out, "\n## Notes\n");
    for (at, step, text) in notes {
        let place = step.as_ref().map(|s| format!(" at *{}*", escaped(s.as_str()))).unwrap_or_default();
        let text = text.lines().map(escaped).collect::<Vec<_>>().join("  \n  ");
        line(out, &format!("- {}{place}: {text}", second(at)));
    }
}

fn steps(out: &mut String, run: &Run) {
    line(out, "\n## Steps\n");
    line(out, "| step | answer | how | checks |");
    line(out, "|---|---|---|---|");
    for step in &run.plan.steps {
        let walked = walked(run, &step.id);
        let answer = walked.answer.map_or("–".to_owned(), |(_, word)| word);
        let checks: Vec<_> = walked.checks.iter().map(|text| escaped(text)).collect();
        let row = [escaped(&step.title), answer, escaped(&walked.how), checks.join("<br>")];
        line(out, &format!("| {} |", row.join(" | ")));
    }
}

/// Everything in the order of time.
fn timeline(out: &mut String, run: &Run, others: &[Run]) {
    let title = |id: &StepId| run.plan.step(id).map_or(id.to_string(), |s| s.title.clone());
    let mut all: Vec<(Timestamp, &str, String)> = Vec::new();
    for entry in &run.entries {
        let (at, kind, text) = match &entry.what {
            What::Opened { by, .. } => (entry.at, "walk", format!("begun by {}", by.user)),
            What::Resumed { by } => (entry.at, "walk", format!("taken up by {}", by.user)),
            What::Observed { mark, seen, text } => match mark.split(':').next() {
                Some("event") => (*seen, "event", text.clone()),
                Some("answer") => (*seen, "answer", text.clone()),
                Some("check") => (*seen, "check", text.clone()),
                Some("gone") => (*seen, "verdict", text.clone()),
                _ => (*seen, "verdict", text.clone()),
            },
            What::Noted { text, .. } => (entry.at, "note", text.replace('\n', " ")),
            What::Decided { step, decision: Decision::Skip, reason: None } => {
                (entry.at, "walk", format!("{}: left out", title(step)))
            }
            What::Aborted { .. } => (entry.at, "walk", "left before its end".into()),
            What::Closed { outcome } => (entry.at, "walk", format!("ended: {}", outcome.word())),
            _ => continue,
        };
        all.push((at, kind, text));
    }
    for other in others {
        all.push((other.opened, "act", format!("{} begun ({})", other.plan.title, other.id)));
        if let Some((at, outcome)) = other.closed {
            all.push((at, "act", format!("{}: {}", other.plan.title, outcome.word())));
        }
    }
    all.sort_by_key(|(at, ..)| *at);
    line(out, "\n## Timeline\n");
    line(out, "| time | | what |");
    line(out, "|---|---|---|");
    for (at, kind, text) in all {
        line(out, &format!("| {} | {kind} | {} |", second(at), escaped(&text)));
    }
}

fn acts(out: &mut String, others: &[Run]) {
    if others.is_empty() {
        return;
    }
    line(out, "\n## Acts meanwhile\n");
    for other in others {
        let how = other.closed.map_or("not ended", |(_, outcome)| outcome.word());
        line(
            out,
            &format!(
                "- {}: {how} ({}, {})",
                escaped(&other.plan.title),
                second(other.opened),
                escaped(other.id.as_str())
            ),
        );
    }
}

fn second(at: Timestamp) -> String {
    at.round(jiff::Unit::Second).unwrap_or(at).to_string()
}

fn took_words(took: SignedDuration) -> String {
    format!("after {}", quantity::age_of(took))
}
