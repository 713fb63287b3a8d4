//! Which rows of the pane are for what: one function of what there is and how much room, for drawing and the mouse.

use ratatui::layout::Rect;

use super::Looked;
use crate::ui::layout::split_top;

/// A zone's column narrower than this is no longer readable.
const NARROWEST: u16 = 25;

/// Lines of a card that can't be left out: name and position.
const SMALLEST_CARD: u16 = 2;

/// The regions of the pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Name and headline.
    pub title: Rect,
    /// Reasons of the verdicts.
    pub reasons: Rect,
    /// Zones side by side, or the list.
    pub zones: Rect,
    /// Zones are a list: too narrow or too low for columns.
    pub list: bool,
    /// Lines of each instance.
    pub card: u16,
    /// Who follows whom, services, slots, poolers.
    pub links: Rect,
    /// If the zone were lost now.
    pub lost: Rect,
    /// What happened.
    pub events: Rect,
}

/// How much there is of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content {
    /// Reasons that are not ok.
    pub reasons: u16,
    /// Lines of links.
    pub links: u16,
    /// Lines of the answer about the zone, with its head.
    pub lost: u16,
    /// Lines of the tallest card.
    pub card: u16,
}

/// Shares the rows out: title, reasons and zones first; then the links, the answer, the events.
pub fn plan(area: Rect, looked: &Looked, content: Content) -> Plan {
    let columns = (looked.columns.len() as u16).max(1);
    // Rows of the tallest column, without what cards take: its nodes and its own head.
    let nodes = looked.columns.iter().map(rows_of_nodes).max().unwrap_or(0);
    let cards = looked.columns.iter().map(|c| c.instances().count() as u16).max().unwrap_or(0);
    let instances: u16 = looked.columns.iter().map(|c| c.instances().count() as u16).sum();
    let (title, rest) = split_top(area, 1);
    let reasons = content.reasons.min(if area.height >= 30 {
        5
    } else if area.height >= 18 {
        3
    } else {
        2
    });
    let (reasons, rest) = split_top(rest, reasons);
    let roomy = area.height >= 26;
    let (_, rest) = split_top(rest, u16::from(area.height >= 18));
    let upright = |card: u16| 1 + nodes + cards * card;
    let must = |card: u16| upright(card) + content.links.min(3);
    let narrow = area.width / columns < NARROWEST;
    let list = narrow || must(SMALLEST_CARD) > rest.height;
    let (card, height) = if list {
        (1, (1 + instances).min(rest.height))
    } else {
        let wanted = content.card.max(SMALLEST_CARD);
        let full = content.links + content.lost + 3;
        let fits = |card: &u16| upright(*card) + if *card > 4 { full } else { content.links.min(4) } <= rest.height;
        let card = (SMALLEST_CARD..=wanted).rev().find(fits).unwrap_or(SMALLEST_CARD);
        (card, upright(card).min(rest.height))
    };
    let (zones, rest) = split_top(rest, height);
    let gap = |rest: Rect| split_top(rest, u16::from(roomy)).1;
    let (links, rest) = split_top(gap(rest), content.links);
    let rest = gap(rest);
    let lost = if rest.height >= 3 { content.lost.min(rest.height) } else { 0 };
    let (lost, rest) = split_top(rest, lost);
    let rest = if rest.height > 3 { gap(rest) } else { rest };
    let events = if rest.height >= 2 { rest } else { Rect { height: 0, ..rest } };
    Plan { title, reasons, zones, list, card, links, lost, events }
}

/// Rows a column's nodes take: one each with instances, one for all others.
pub fn rows_of_nodes(column: &super::Column) -> u16 {
    let with = column.nodes.iter().filter(|n| !n.instances.is_empty()).count() as u16;
    with + u16::from(column.nodes.iter().any(|n| n.instances.is_empty()))
}

/// The n-th of the columns.
pub fn column(zones: Rect, columns: usize, n: usize) -> Rect {
    let width = zones.width / (columns as u16).max(1);
    let x = zones.x + width * n as u16;
    Rect { x, width: width.saturating_sub(1), ..zones }
}
