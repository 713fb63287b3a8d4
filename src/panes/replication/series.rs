//! What the graphs show, out of what is kept.

use jiff::{SignedDuration, Timestamp};

use crate::domain::cluster::Cluster;
use crate::domain::history::{History, Series, Stage};
use crate::domain::names::InstanceName;
use crate::domain::picture::Picture;
use crate::domain::replication::Standby;
use crate::domain::words::{mark, words};
use crate::panes::Scene;
use crate::ui::theme::Role;
use crate::ui::widgets::graph::{Mark, Point};

use super::Units;

/// Standbys that exist, and whoever else streams from the primary now (a replica cluster, `pg_receivewal`), by name. A
/// join or a base backup is over in a minute and is no standby.
pub fn standbys(scene: &Scene<'_>, cluster: &Cluster) -> Vec<InstanceName> {
    let picture = Picture::of(&scene.known.facts, cluster);
    let mut all: Vec<InstanceName> = picture.standbys().map(|i| i.name().clone()).collect();
    let streams = |r: &&Standby| r.state.as_deref() == Some("streaming") && !r.name.is_empty();
    all.extend(picture.rows.unwrap_or_default().iter().filter(streams).map(|r| InstanceName::from(&r.name)));
    all.sort();
    all.dedup();
    all
}

/// The series of one standby.
pub fn lag_of<'h>(history: &'h History, name: &InstanceName, units: Units, stage: Stage) -> Option<&'h Series> {
    let lag = history.standbys.get(name)?;
    match units {
        Units::Bytes => lag.bytes.get(&stage),
        Units::Seconds => lag.time.get(&stage),
    }
}

/// The points of a series between the edges, one for each of `n` columns where anything was measured. A column shows
/// its worst value, so that no peak is lost at any width.
pub fn points(series: &Series, from: Timestamp, to: Timestamp, n: usize) -> Vec<Point> {
    let width = to.duration_since(from).as_secs_f64() / n.max(1) as f64;
    let middle = |i: usize| {
        let offset = SignedDuration::from_millis(((i as f64 + 0.5) * width * 1000.0) as i64);
        from.checked_add(offset).unwrap_or(to)
    };
    let buckets = series.window(from, to, n.max(1));
    let point = |(i, b): (usize, Option<crate::domain::history::Bucket>)| {
        b.map(|b| Point { at: middle(i), value: Some(f64::from(b.max)) })
    };
    buckets.into_iter().enumerate().filter_map(point).collect()
}

/// Points further apart than this are not joined: clusters out of sight are asked every 10 s.
pub fn gap(from: Timestamp, to: Timestamp, n: usize) -> SignedDuration {
    let column = to.duration_since(from).as_secs_f64() / n.max(1) as f64;
    SignedDuration::from_millis(((column * 3.0).max(16.0) * 1000.0) as i64)
}

/// What happened between the edges: where, with which letter, in words. Oldest first.
pub fn marks(scene: &Scene<'_>, cluster: &Cluster, from: Timestamp, to: Timestamp) -> Vec<(Mark, String)> {
    let inside = scene.known.happenings.of(&cluster.key).filter(|h| h.at >= from && h.at <= to);
    inside
        .filter_map(|h| {
            let (letter, weight) = mark(h)?;
            let w = words(h);
            let role = match w.level {
                crate::domain::health::Level::Bad => Role::Bad,
                crate::domain::health::Level::Warn => Role::Warn,
                _ => Role::Info,
            };
            let object = if w.object.is_empty() { String::new() } else { format!("{} ", w.object) };
            Some((Mark { at: h.at, letter, weight, role }, format!("{} {object}{}", w.what, w.text)))
        })
        .collect()
}
