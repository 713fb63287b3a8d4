//! How the topology looks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::card::{self, Card};
use super::columns::Place;
use super::plan::{self, Content, Plan, plan};
use super::{Column, Looked, Topology, links, lost};
use crate::domain::cluster::Cluster;
use crate::domain::health::{Health, Level, Reason};
use crate::domain::names::InstanceName;
use crate::domain::picture::Picture;
use crate::domain::{quantity, quorum};
use crate::panes::digest::Digest;
use crate::panes::known::Judged;
use crate::panes::{Scene, events, fleet, loading, rule};
use crate::ui::layout::split_top;
use crate::ui::text::{cut, cut_line, cut_middle, fit, put, put_line, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table;

/// What the mouse can hit.
pub enum Hit {
    /// A zone's head or empty part.
    Zone(usize),
    /// An instance in a zone.
    Instance(usize, InstanceName),
}

/// Everything one drawing needs.
struct Sight<'a> {
    cluster: &'a Cluster,
    picture: Picture<'a>,
    health: &'a Health,
    digest: &'a Digest,
    links: Vec<Line<'static>>,
    lost: Vec<Line<'static>>,
    plan: Plan,
}

fn sight<'a>(looked: &Looked, scene: &Scene<'a>, look: &Look, area: Rect) -> Option<Sight<'a>> {
    let cluster = Topology::cluster(scene)?;
    let Judged { health, digest, .. } = scene.known.judged.get(&cluster.key)?;
    let picture = Picture::of(&scene.known.facts, cluster);
    let links = link_lines(&picture, digest, look, usize::from(area.width));
    let zone = looked.columns.get(looked.column).and_then(|c| c.zone.as_ref());
    let answer = zone.map(|z| quorum::if_zone_lost(&scene.known.facts, cluster, z, scene.now));
    let lost = answer.map(|a| {
        let cells = usize::from(area.width).saturating_sub(2);
        lost::lines(&a, scene.now, look, cells, area.height >= 30)
    });
    let lost = lost.unwrap_or_default();
    let cards = cluster.instances.iter().filter_map(|i| {
        let one = picture.get(&i.name)?;
        let history = scene.known.history.of(&cluster.key);
        Some(Card { picture: &picture, one, health, history, now: scene.now, look }.lines(30).len() as u16)
    });
    let content = Content {
        reasons: health.reasons().filter(|r| r.level != Level::Ok).count() as u16,
        links: links.len() as u16,
        lost: if lost.is_empty() { 0 } else { lost.len() as u16 + 1 },
        card: cards.max().unwrap_or(2),
    };
    let plan = plan(area, looked, content);
    Some(Sight { cluster, picture, health, digest, links, lost, plan })
}

/// Draws the pane.
pub fn draw(topology: &Topology, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let looked = topology.looked(scene);
    let sight = looked.as_ref().and_then(|l| Some((l, sight(l, scene, look, area)?)));
    let Some((looked, s)) = sight else {
        let words = loading(scene, "No cluster is chosen: choose one in the fleet.");
        put(buf, area, area.x + 2, area.y + 1, &words, look.style(Role::Dim));
        return;
    };
    title(&s, scene, look, buf);
    reasons(&s, scene, look, buf);
    if s.plan.list {
        list(looked, &s, scene, look, buf);
    } else {
        for (n, column) in looked.columns.iter().enumerate() {
            draw_column(looked, n, column, &s, scene, look, buf);
        }
    }
    for (n, line) in s.links.iter().enumerate().take(usize::from(s.plan.links.height)) {
        let y = s.plan.links.y + n as u16;
        let room = usize::from(s.plan.links.width).saturating_sub(2);
        put_line(buf, s.plan.links, s.plan.links.x + 1, y, &cut_line(line.clone(), room, look.marks.more));
    }
    if s.plan.lost.height > 0 {
        let zone = looked.columns.get(looked.column).map_or("", |c| c.title());
        let (head, body) = split_top(s.plan.lost, 1);
        rule(&format!("if {zone} were lost now"), look, head, buf);
        for (n, line) in s.lost.iter().enumerate().take(usize::from(body.height)) {
            let room = usize::from(body.width).saturating_sub(2);
            put_line(buf, body, body.x + 1, body.y + n as u16, &cut_line(line.clone(), room, look.marks.more));
        }
    }
    if s.plan.events.height > 0 {
        let (head, body) = split_top(s.plan.events, 1);
        rule("events", look, head, buf);
        events::ticker(scene, &s.cluster.key, look, body, buf);
    }
}

/// `pg-primary · cnpg-database         ● ok   3/3 ready · sync 1 of 1 · timeline 2 · WAL 1.2 MB/s`.
fn title(s: &Sight<'_>, scene: &Scene<'_>, look: &Look, buf: &mut Buffer) {
    let (area, d) = (s.plan.title, s.digest);
    let dot = format!(" {} ", look.marks.dot);
    let dim = look.style(Role::Dim);
    let level = s.health.headline();
    let mut right = vec![Span::styled(
        format!("{} {}", look.marks.level(level), level.word()),
        look.level(level).add_modifier(ratatui::style::Modifier::BOLD),
    )];
    let mut add = |text: String, level: Level| {
        right.push(Span::styled(if right.len() == 1 { "   ".to_owned() } else { dot.clone() }, dim));
        let style = if level == Level::Ok { look.style(Role::Text) } else { look.level(level) };
        right.push(Span::styled(text, style));
    };
    if let (Some(ready), Some(wanted)) = d.ready {
        add(format!("{ready}/{wanted} ready"), d.marks.ready);
    }
    match d.sync {
        Some((_, 0)) => add("async".into(), d.marks.sync),
        Some((have, wanted)) => add(format!("sync {have} of {wanted}"), d.marks.sync),
        None => {}
    }
    if let Some(timeline) = s.picture.primary.as_ref().and_then(|p| s.picture.get(p)?.timeline).or(s.cluster.timeline) {
        add(format!("timeline {timeline}"), Level::Ok);
    }
    let rate = scene.known.history.of(&s.cluster.key).and_then(|h| h.wal_rate.last());
    if let Some((_, rate)) = rate.filter(|(at, _)| scene.now.duration_since(*at) <= card::STALE) {
        add(format!("WAL {}/s", quantity::bytes(rate as u64)), Level::Ok);
    }
    // The name has its place before figures that stand below too.
    let most = usize::from(area.width).saturating_sub(width(&s.cluster.key.name) + 4).max(10);
    while right.len() > 1 && right.iter().map(Span::width).sum::<usize>() > most {
        right.truncate(right.len() - 2);
    }
    let right = Line::from(right);
    let room = usize::from(area.width).saturating_sub(right.width() + 4);
    let mut left = vec![Span::styled(s.cluster.key.name.to_string(), look.style(Role::Title))];
    let namespace = Some((s.cluster.key.namespace.to_string(), dim));
    let nature = d.nature.clone().map(|n| (n, look.style(Role::Info)));
    let version = d.postgres.as_ref().map(|v| (format!("PostgreSQL {v}"), dim));
    // What does not fit whole is left away: half a word tells nothing.
    for (text, style) in [nature, namespace, Some((d.operator.clone(), dim)), version].into_iter().flatten() {
        let text = format!("{dot}{text}");
        if left.iter().map(Span::width).sum::<usize>() + width(&text) <= room {
            left.push(Span::styled(text, style));
        }
    }
    let left = cut_line(Line::from(left), room, look.marks.more);
    put_line(buf, area, area.x + 1, area.y, &left);
    let x = area.right().saturating_sub(right.width() as u16 + 1).max(area.x);
    put_line(buf, area, x, area.y, &right);
}

fn reasons(s: &Sight<'_>, scene: &Scene<'_>, look: &Look, buf: &mut Buffer) {
    let area = s.plan.reasons;
    let all: Vec<&Reason> = s.health.reasons().filter(|r| r.level != Level::Ok).collect();
    for (n, reason) in all.iter().enumerate().take(usize::from(area.height)) {
        let room = usize::from(area.width).saturating_sub(2);
        let left = if n + 1 == usize::from(area.height) { all.len() - n - 1 } else { 0 };
        let wide = if left > 0 { room.saturating_sub(fleet::MORE) } else { room };
        let line = fleet::and_more(fleet::reason_line(reason, scene, look, wide), left, look, room);
        put_line(buf, area, area.x + 1, area.y + n as u16, &line);
    }
}

fn link_lines(picture: &Picture<'_>, digest: &Digest, look: &Look, room: usize) -> Vec<Line<'static>> {
    let mut out = vec![links::chain(picture, look)];
    out.extend(links::slots(picture, look));
    // Services and poolers side by side as long as they fit.
    let mut row: Option<Line<'static>> = None;
    for one in links::services(picture.cluster, look).into_iter().chain(links::poolers(digest, look)) {
        row = Some(match row.take() {
            Some(mut line) if line.width() + one.width() + 6 <= room => {
                line.push_span("    ");
                line.spans.extend(one.spans.into_iter().map(|s| s.patch_style(one.style)));
                line
            }
            Some(line) => {
                out.push(line);
                one
            }
            None => one,
        });
    }
    out.extend(row);
    out
}

fn draw_column(
    looked: &Looked,
    n: usize,
    column: &Column,
    s: &Sight<'_>,
    scene: &Scene<'_>,
    look: &Look,
    buf: &mut Buffer,
) {
    let area = plan::column(s.plan.zones, looked.columns.len(), n);
    let chosen = n == looked.column;
    let head = if chosen { look.style(Role::Accent) } else { look.style(Role::Title) };
    let cursor = if chosen { look.marks.cursor } else { " " };
    put(buf, area, area.x, area.y, cursor, look.style(Role::Accent));
    put(buf, area, area.x + 1, area.y, &cut(column.title(), usize::from(area.width), look.marks.more), head);
    let mut y = area.y + 1;
    for place in column.nodes.iter().filter(|p| !p.instances.is_empty()) {
        node_line(place, look, Rect { y, ..area }, buf);
        y += 1;
        for name in &place.instances {
            let rect = Rect { y, height: s.plan.card.min(area.bottom().saturating_sub(y)), ..area };
            let selected = chosen && looked.instance.as_ref() == Some(name);
            draw_card(name, s, scene, look, rect, selected, buf);
            y = y.saturating_add(s.plan.card);
        }
    }
    let others: Vec<&Place> = column.nodes.iter().filter(|p| p.instances.is_empty()).collect();
    if !others.is_empty() && y < area.bottom() {
        others_line(&others, look, Rect { y, ..area }, buf);
    }
}

fn node_line(place: &Place, look: &Look, area: Rect, buf: &mut Buffer) {
    let name = place.node.as_ref().map_or("no node", |n| n.as_str());
    let (trouble, role) = match &place.trouble {
        Some(trouble) => (format!(" {} {trouble}", look.marks.warn), Role::Warn),
        None => (String::new(), Role::Dim),
    };
    let room = usize::from(area.width).saturating_sub(width(&trouble) + 1);
    let x = put(buf, area, area.x + 1, area.y, &cut_middle(name, room, look.marks.more), look.style(Role::Dim));
    put(buf, area, x, area.y, &trouble, look.style(role));
}

/// Nodes without an instance: the first by name, the rest counted; trouble is said.
fn others_line(others: &[&Place], look: &Look, area: Rect, buf: &mut Buffer) {
    let troubled = others.iter().find(|p| p.trouble.is_some()).or(others.first());
    let Some(first) = troubled else { return };
    let more = if others.len() > 1 {
        format!(" +{} node{}", others.len() - 1, if others.len() == 2 { "" } else { "s" })
    } else {
        String::new()
    };
    let name = first.node.as_ref().map_or("", |n| n.as_str());
    let (trouble, role) = match &first.trouble {
        Some(trouble) => (format!(" {} {trouble}", look.marks.warn), Role::Warn),
        None => (String::new(), Role::Dim),
    };
    let room = usize::from(area.width).saturating_sub(width(&trouble) + width(&more) + 1);
    let x = put(buf, area, area.x + 1, area.y, &cut_middle(name, room, look.marks.more), look.style(Role::Dim));
    let x = put(buf, area, x, area.y, &trouble, look.style(role));
    put(buf, area, x, area.y, &more, look.style(Role::Dim));
}

fn draw_card(
    name: &InstanceName,
    s: &Sight<'_>,
    scene: &Scene<'_>,
    look: &Look,
    area: Rect,
    selected: bool,
    buf: &mut Buffer,
) {
    let Some(one) = s.picture.get(name) else { return };
    let history = scene.known.history.of(&s.cluster.key);
    let card = Card { picture: &s.picture, one, health: s.health, history, now: scene.now, look };
    let bar = match card.level() {
        Level::Ok | Level::Unknown => card::style(one, look),
        level => look.level(level),
    };
    let cells = usize::from(area.width).saturating_sub(3);
    let lines = card.lines(cells);
    let area = Rect { height: area.height.min(lines.len() as u16), ..area };
    for (n, line) in lines.into_iter().enumerate().take(usize::from(area.height)) {
        let y = area.y + n as u16;
        put(buf, area, area.x, y, look.marks.bar, bar);
        put_line(buf, area, area.x + 2, y, &cut_line(line, cells, look.marks.more));
    }
    if selected {
        buf.set_style(Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area }, look.style(Role::Selected));
    }
}

/// Instances as lines, where columns have no room.
fn list(looked: &Looked, s: &Sight<'_>, scene: &Scene<'_>, look: &Look, buf: &mut Buffer) {
    let (head, body) = split_top(s.plan.zones, 1);
    let names = looked.columns.iter().flat_map(Column::instances).map(|i| width(i.as_str()));
    let narrow = head.width < 90;
    let name_w = names.max().unwrap_or(8).clamp(8, if narrow { 18 } else { 30 });
    let [word_w, zone_w, lsn_w] = if narrow { [13usize, 4, 11] } else { [20, 12, 13] };
    let heads = format!(
        "  {} {} {} {:>lsn_w$}  LAG",
        fit("INSTANCE", name_w, ""),
        fit("ROLE", word_w, ""),
        fit("ZONE", zone_w, ""),
        "WAL",
    );
    put(buf, head, head.x + 1, head.y, &heads, look.style(Role::Dim));
    let all: Vec<_> = looked.columns.iter().flat_map(|c| c.instances().map(move |i| (c, i))).collect();
    let place = all.iter().position(|(_, i)| looked.instance.as_ref() == Some(*i)).unwrap_or(0);
    let top = table::window(place, all.len(), usize::from(body.height));
    for (row, (column, name)) in all.into_iter().skip(top).enumerate().take(usize::from(body.height)) {
        let Some(one) = s.picture.get(name) else { continue };
        let area = Rect { y: body.y + row as u16, height: 1, ..body };
        let more = look.marks.more;
        let lsn = one.lsn.map(|l| l.to_string()).unwrap_or_else(|| look.marks.nothing.into());
        let lag = fleet::lag(&one.lag, false, &look.marks);
        let lag = if Some(name) == s.picture.primary.as_ref() { String::new() } else { lag };
        let stale = one.seen.is_some_and(|t| scene.now.duration_since(t) > card::STALE);
        let text = look.style(if stale { Role::Stale } else { Role::Text });
        let line = Line::from(vec![
            Span::styled(format!("{} ", card::mark(one, &look.marks)), card::style(one, look)),
            Span::styled(format!("{} ", fit(name.as_str(), name_w, more)), card::style(one, look)),
            Span::styled(format!("{} ", fit(&card::word(one), word_w, more)), word_style(s, one.name(), look, text)),
            Span::styled(format!("{} ", fit(&zone_word(column, narrow), zone_w, more)), look.style(Role::Dim)),
            Span::styled(format!("{lsn:>lsn_w$}  {lag}"), text),
        ]);
        put_line(buf, area, area.x + 1, area.y, &line);
        if looked.instance.as_ref() == Some(name) {
            buf.set_style(area, look.style(Role::Selected));
        }
    }
}

fn zone_word(column: &Column, narrow: bool) -> String {
    match &column.zone {
        Some(zone) if narrow => fleet::short_zone(zone.as_str()),
        Some(zone) => zone.to_string(),
        None => "?".into(),
    }
}

fn word_style(s: &Sight<'_>, name: &InstanceName, look: &Look, plain: Style) -> Style {
    let about = s.health.reasons().filter(|r| r.instance.as_ref() == Some(name));
    match about.map(|r| r.level).max() {
        Some(level @ (Level::Warn | Level::Bad)) => look.level(level),
        _ => plain,
    }
}

/// What is at a place of the pane.
pub fn at(looked: &Looked, scene: &Scene<'_>, x: u16, y: u16) -> Option<Hit> {
    let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
    let plan = sight(looked, scene, scene.look, area)?.plan;
    let inside = |r: Rect| r.contains(ratatui::layout::Position { x, y });
    if plan.list {
        let row = usize::from(y.checked_sub(plan.zones.y + 1)?);
        let mut all = looked.columns.iter().enumerate().flat_map(|(n, c)| c.instances().map(move |i| (n, i)));
        return inside(plan.zones).then(|| all.nth(row)).flatten().map(|(n, i)| Hit::Instance(n, i.clone()));
    }
    let n = (0..looked.columns.len()).find(|n| inside(plan::column(plan.zones, looked.columns.len(), *n)))?;
    let mut top = plan.zones.y + 1;
    for place in looked.columns[n].nodes.iter().filter(|p| !p.instances.is_empty()) {
        top += 1;
        for name in &place.instances {
            if y >= top && y < top + plan.card {
                return Some(Hit::Instance(n, name.clone()));
            }
            top += plan.card;
        }
    }
    Some(Hit::Zone(n))
}

/// `3 instances in 3 zones`.
pub fn counts<'a>(scene: &Scene<'_>, look: &Look) -> Option<Line<'a>> {
    let cluster = Topology::cluster(scene)?;
    let (i, z) = (cluster.instances.len(), cluster.zones().len());
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let text = format!("{i} instance{} in {z} zone{} ", plural(i), plural(z));
    Some(Line::styled(text, look.style(Role::Dim)))
}
