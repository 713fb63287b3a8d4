//! "If this zone were lost now", in words.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::quorum::{Leader, Promise, Risk, WhatIf};
use crate::ui::theme::{Look, Role};

/// The answer: who would lead and what could be lost; then services; then what it is based on.
pub fn lines(answer: &WhatIf, now: Timestamp, look: &Look) -> Vec<Line<'static>> {
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
    let moved: Vec<String> = answer.services.iter().filter(|s| !s.loses.is_empty()).map(service).collect();
    if !moved.is_empty() {
        out.push(Line::styled(moved.join(" · "), text));
    }
    let basis: Vec<String> = answer
        .basis
        .iter()
        .map(|b| format!("{} ({}, {} ago)", b.statement, b.witness, quantity::age(b.seen, now)))
        .collect();
    if !basis.is_empty() {
        out.push(Line::styled(format!("Based on: {}", basis.join(" · ")), dim));
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

fn service(after: &crate::domain::quorum::ServiceAfter) -> String {
    let names = |all: &[InstanceName]| all.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ");
    match after.keeps.as_slice() {
        [] => format!("{} would lead nowhere until then", after.name),
        keeps => format!("{} would lead to {}", after.name, names(keeps)),
    }
}
