//! "If this zone were lost now", in words.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::quorum::{Leader, Promise, Risk, ServiceAfter, WhatIf};
use crate::ui::text::width;
use crate::ui::theme::{Look, Role};

/// The answer in lines of this many cells: who would lead and what could be lost; then services; then what it is based
/// on, whole where there is `ample` room.
pub fn lines(answer: &WhatIf, now: Timestamp, look: &Look, cells: usize, ample: bool) -> Vec<Line<'static>> {
    let text = look.style(Role::Text);
    let dim = look.style(Role::Dim);
    if answer.lost.is_empty() {
        return vec![Line::styled("No instance of this cluster is there: nothing would change.", text)];
    }
    let mut first = vec![leader(&answer.leader, look), Span::styled(" ", text)];
    first.extend(promise(&answer.promise, look));
    let mut second = vec![Span::styled("Acknowledged writes at risk: ", text), risk(&answer.risk, look)];
    if let Some(usual) = &answer.usual {
        let (from, to) = (usual.from.as_secs(), usual.to.as_secs());
        second.push(Span::styled(format!(" Usual time {from}–{to} s ({}).", usual.of), text));
    }
    let mut out = vec![Line::from(first), Line::from(second)];
    let moved = services(&answer.services);
    if !moved.is_empty() {
        out.extend(packed("", &moved, cells, if ample { 3 } else { 2 }).into_iter().map(|l| Line::styled(l, text)));
    }
    let basis: Vec<String> = answer
        .basis
        .iter()
        .map(|b| format!("{} ({}, {} ago)", b.statement, b.witness, quantity::age(b.seen, now)))
        .collect();
    if !basis.is_empty() {
        out.extend(
            packed("Based on: ", &basis, cells, if ample { 4 } else { 1 }).into_iter().map(|l| Line::styled(l, dim)),
        );
    }
    out
}

/// Statements side by side, as many on a line as fit, on `most` lines; the last one takes what is left and is cut there.
fn packed(head: &str, all: &[String], cells: usize, most: usize) -> Vec<String> {
    let mut out = vec![head.to_owned()];
    for (n, one) in all.iter().enumerate() {
        let lines = out.len();
        let Some(line) = out.last_mut() else { break };
        let gap = if n == 0 { "" } else { " · " };
        if n > 0 && lines < most && width(line) + width(gap) + width(one) > cells {
            out.push(format!("{}{one}", " ".repeat(width(head))));
        } else {
            line.push_str(gap);
            line.push_str(one);
        }
    }
    out
}

fn leader(leader: &Leader, look: &Look) -> Span<'static> {
    match leader {
        Leader::Stays(name) => Span::styled(format!("{name} goes on leading."), look.style(Role::Good)),
        Leader::Candidate(name) => Span::styled(format!("{name} would lead."), look.style(Role::Title)),
        Leader::Nobody => Span::styled("Nobody could lead.", look.style(Role::Bad)),
        Leader::Unknown(why) => {
            Span::styled(format!("Who would lead can't be told: {why}."), look.style(Role::Unknown))
        }
    }
}

fn promise(promise: &Promise, look: &Look) -> Option<Span<'static>> {
    Some(match promise {
        Promise::NotNeeded => return None,
        Promise::None => Span::styled("Commits wait for nobody: nothing is promised.", look.style(Role::Warn)),
        Promise::Quorum(q) if q.holds() => {
            Span::styled(format!("Quorum holds (R {} + W {} > N {}).", q.r, q.w, q.n), look.style(Role::Good))
        }
        Promise::Quorum(q) => {
            let not_more = if look.marks.ascii { "<=" } else { "≤" };
            let words = format!("Quorum does not hold (R {} + W {} {not_more} N {}).", q.r, q.w, q.n);
            Span::styled(words, look.style(Role::Bad))
        }
        Promise::Unknown(why) => Span::styled(format!("Quorum can't be told: {why}."), look.style(Role::Unknown)),
    })
}

fn risk(risk: &Risk, look: &Look) -> Span<'static> {
    match risk {
        Risk::None => Span::styled("none.", look.style(Role::Good)),
        Risk::UpTo { bytes: 0, primary, .. } => {
            let words = format!("none by position (both at {primary}), but nothing promises it.");
            Span::styled(words, look.style(Role::Warn))
        }
        Risk::UpTo { bytes, primary, candidate } => {
            let words = format!("up to {} of WAL ({candidate} to {primary}).", quantity::bytes(*bytes));
            Span::styled(words, look.style(Role::Warn))
        }
        Risk::All => Span::styled("everything since the last archived WAL.", look.style(Role::Bad)),
        Risk::Unknown(why) => Span::styled(format!("can't be told, {why}."), look.style(Role::Unknown)),
    }
}

/// Services that change, those with the same fate together: `a, b would lead nowhere until then`.
fn services(all: &[ServiceAfter]) -> Vec<String> {
    let mut fates: Vec<(&[InstanceName], Vec<&str>)> = Vec::new();
    for after in all.iter().filter(|s| !s.loses.is_empty()) {
        match fates.iter_mut().find(|(keeps, _)| *keeps == after.keeps) {
            Some((_, names)) => names.push(&after.name),
            None => fates.push((&after.keeps, vec![&after.name])),
        }
    }
    let fate = |(keeps, names): (&[InstanceName], Vec<&str>)| {
        let to = match keeps {
            [] => "nowhere until then".to_owned(),
            keeps => format!("to {}", keeps.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ")),
        };
        format!("{} would lead {to}", names.join(", "))
    };
    fates.into_iter().map(fate).collect()
}
