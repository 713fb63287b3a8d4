//! Who follows whom and how, the slots, the services and where they lead now, the poolers.

use ratatui::text::{Line, Span};

use super::card;
use crate::domain::cluster::{Cluster, Service, ServicePurpose};
use crate::domain::health::Level;
use crate::domain::names::InstanceName;
use crate::domain::picture::{Follows, InstancePicture, Picture, SeenRole};
use crate::domain::quantity;
use crate::domain::replication::SyncState;
use crate::panes::digest::Digest;
use crate::ui::theme::{Look, Role};

/// `★ pg-1 ═ANY 1═▶ ◈ pg-2  ◈ pg-3   ─▷ ◇ pg-4   ╳ pg-5`.
pub fn chain(picture: &Picture<'_>, look: &Look) -> Line<'static> {
    let m = &look.marks;
    let dim = look.style(Role::Dim);
    let Some(primary) = &picture.primary else {
        return Line::styled("nobody leads", look.style(Role::Bad));
    };
    let lead = match picture.get(primary) {
        Some(one) if one.role == SeenRole::Primary => {
            Span::styled(format!("{} {primary}", m.primary), look.style(Role::Primary))
        }
        _ => Span::styled(format!("{} {primary}, by the operator's word", m.unknown), look.style(Role::Unknown)),
    };
    let mut spans = vec![lead];
    let rule = match picture.rule {
        Some(Some(rule)) => rule.to_string(),
        Some(None) => String::new(),
        None => m.unknown.to_owned(),
    };
    let promised: Vec<_> = of(picture, |i| matches!(i.sync, Some(SyncState::Sync | SyncState::Quorum)));
    if !promised.is_empty() {
        let arrow = format!(" {}{rule}{}{} ", m.double, m.double, m.leads_to);
        spans.push(Span::styled(arrow, look.style(Role::Sync)));
        names(&promised, look, &mut spans);
    } else if matches!(picture.rule, Some(Some(_))) {
        let arrow = format!(" {}{rule}{} ", m.double, m.double);
        spans.push(Span::styled(format!("{arrow}nobody confirms"), look.style(Role::Bad)));
    }
    let free = of(picture, |i| {
        i.follows != Follows::Broken && !matches!(i.sync, Some(SyncState::Sync | SyncState::Quorum)) && follower(i)
    });
    if !free.is_empty() {
        spans.push(Span::styled(format!("  {}{} ", m.rule, m.leads_to), dim));
        names(&free, look, &mut spans);
    }
    let broken = of(picture, |i| i.follows == Follows::Broken || !follower(i));
    if !broken.is_empty() {
        spans.push(Span::styled("   ", dim));
        names(&broken, look, &mut spans);
    }
    Line::from(spans)
}

fn follower(one: &InstancePicture<'_>) -> bool {
    one.role == SeenRole::Standby || one.role == SeenRole::Primary
}

fn of<'p, 'a>(picture: &'p Picture<'a>, which: impl Fn(&InstancePicture<'a>) -> bool) -> Vec<&'p InstancePicture<'a>> {
    picture.standbys().filter(|i| which(i)).collect()
}

fn names(all: &[&InstancePicture<'_>], look: &Look, spans: &mut Vec<Span<'static>>) {
    for (n, one) in all.iter().enumerate() {
        let gap = if n > 0 { "  " } else { "" };
        let text = format!("{gap}{} {}", card::mark(one, &look.marks), one.name());
        spans.push(Span::styled(text, card::style(one, look)));
        if one.follows == Follows::Broken || !follower(one) {
            spans.push(Span::styled(format!(" {}", card::word(one)), look.style(Role::Dim)));
        }
    }
}

/// `slots _cnpg_pg_2 0 B  _cnpg_pg_3 8 kB`.
pub fn slots(picture: &Picture<'_>, look: &Look) -> Option<Line<'static>> {
    let slots = picture.slots.filter(|s| !s.is_empty())?;
    let mut spans = vec![Span::styled("slots", look.style(Role::Dim))];
    for slot in slots {
        let kept = picture.current.and_then(|c| slot.retained(c)).map(quantity::bytes);
        let lost = slot.wal_status.as_deref() == Some("lost");
        let role = match (slot.active, lost) {
            (_, true) => Role::Bad,
            (false, _) => Role::Warn,
            (true, _) => Role::Text,
        };
        let state = if lost {
            " lost"
        } else if slot.active {
            ""
        } else {
            " inactive"
        };
        let kept = kept.unwrap_or_else(|| look.marks.nothing.to_owned());
        spans.push(Span::styled(format!("  {} ", slot.name), look.style(Role::Dim)));
        spans.push(Span::styled(format!("{kept}{state}"), look.style(role)));
    }
    Some(Line::from(spans))
}

/// `-rw ▶ pg-1    -ro ▶ pg-2, -3    -r ▶ all`.
pub fn services(cluster: &Cluster, look: &Look) -> Vec<Line<'static>> {
    let mut all: Vec<&Service> = cluster.services.iter().collect();
    // The operator's own first, in the order of what they are for; then what people added.
    all.sort_by_key(|s| (s.name.strip_prefix(&*cluster.key.name).is_none(), s.purpose, &s.name));
    all.iter().map(|s| service(cluster, s, look)).collect()
}

fn service(cluster: &Cluster, service: &Service, look: &Look) -> Line<'static> {
    let name = service.name.strip_prefix(&*cluster.key.name).filter(|n| n.len() > 1).unwrap_or(&service.name);
    let (leads, role) = match &service.leads_to {
        None => ("can't be told".to_owned(), Role::Unknown),
        Some(to) if to.is_empty() && cluster.hibernation.is_some() => ("nowhere".to_owned(), Role::Dim),
        Some(to) if to.is_empty() => {
            ("nowhere".to_owned(), if service.purpose == ServicePurpose::ReadWrite { Role::Bad } else { Role::Warn })
        }
        Some(to) if to.len() == cluster.instances.len() && to.len() > 1 => ("all".to_owned(), Role::Text),
        Some(to) => (short_names(cluster, to), Role::Text),
    };
    let mut spans = vec![
        Span::styled(name.to_owned(), look.style(Role::Title)),
        Span::styled(format!(" {} ", look.marks.leads_to), look.style(Role::Dim)),
        Span::styled(leads, look.style(role)),
    ];
    if service.kind == "LoadBalancer" || !service.external.is_empty() {
        let at = if service.external.is_empty() { "no address yet".to_owned() } else { service.external.join(" ") };
        let ports = service.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        spans.push(Span::styled(format!("  {} {at}:{ports}", service.kind), look.style(Role::Dim)));
    }
    Line::from(spans)
}

/// `pg-primary-2, -3`: what all share is said once.
fn short_names(cluster: &Cluster, names: &[InstanceName]) -> String {
    let prefix = &*cluster.key.name;
    let mut out = String::new();
    for (n, name) in names.iter().enumerate() {
        let short = name.as_str().strip_prefix(prefix).filter(|s| n > 0 && s.len() > 1);
        if n > 0 {
            out.push_str(", ");
        }
        out.push_str(short.unwrap_or(name.as_str()));
    }
    out
}

/// `◎ pooler pg-rw rw 2/2 transaction`.
pub fn poolers(digest: &Digest, look: &Look) -> Vec<Line<'static>> {
    let line = |(level, text): &(Level, String)| {
        let style = if *level == Level::Ok { look.style(Role::Text) } else { look.level(*level) };
        Line::styled(format!("{} {text}", look.marks.pooler), style)
    };
    digest.poolers.iter().map(line).collect()
}
