//! The columns of the fleet: what each shows, how bad it is, and how clusters are ordered by it.

use jiff::Timestamp;
use std::cmp::{Ordering, Reverse};

use crate::domain::health::Level;
use crate::domain::picture::Lag;
use crate::domain::quantity;
use crate::panes::digest::Digest;
use crate::panes::name::{PREFIX, name_in, whole_name};
use crate::ui::marks::Marks;
use crate::ui::text::{cut_middle, width};
use crate::ui::widgets::table as widgets;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Cluster,
    Operator,
    Postgres,
    Ready,
    Zones,
    Primary,
    Sync,
    Lag,
    Archived,
    Backup,
    Seen,
}

use Column::*;

/// All, as they stand.
pub const ALL: [Column; 11] = [Cluster, Operator, Postgres, Ready, Zones, Primary, Sync, Lag, Archived, Backup, Seen];

/// Cells of the longest name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widest {
    /// With its namespace, and its context where there are several.
    whole: usize,
    /// Alone.
    name: usize,
}

impl Widest {
    /// Of these clusters.
    pub fn of(all: &[&Digest], several_contexts: bool) -> Widest {
        let longest = |cells: &dyn Fn(&Digest) -> usize| all.iter().map(|d| cells(d)).max().unwrap_or(0);
        Widest {
            whole: longest(&|d| width(&whole_name(&d.key, several_contexts))),
            name: longest(&|d| width(&d.key.name)),
        }
    }
}

/// How they are drawn on a screen this wide. A name is the last thing to be cut: other columns vanish for it. Its
/// namespace may take a third of the screen with it. None grows beyond what it wants: on a wide screen a row has to stay
/// one thing for the eye. The mark of the verdict comes first and is no column to sort by.
pub fn shapes(widest: Widest, screen: u16) -> [widgets::Column; 12] {
    let third = usize::from(screen) / 3;
    let least = widest.whole.min(third.max(widest.name + PREFIX)).clamp(NAME.0, NAME.1) as u16;
    let most = widest.whole.clamp(NAME.0, NAME.1) as u16;
    [
        widgets::Column::text("", 1, 1).priority(0),
        widgets::Column::text("CLUSTER", least, most.max(least)).priority(0),
        widgets::Column::text("OPERATOR", 9, 9).priority(8),
        widgets::Column::text("PG", 5, 5).priority(7),
        widgets::Column::number("READY", 5).priority(0),
        widgets::Column::number("ZONES", 5).priority(6),
        widgets::Column::text("PRIMARY", 15, 32).priority(5),
        widgets::Column::number("SYNC", 6).priority(4),
        widgets::Column::number("LAG", 12).priority(1),
        widgets::Column::number("ARCHIVED", 8).priority(3),
        widgets::Column::number("BACKUP", 6).priority(2),
        widgets::Column::number("SEEN", 4).priority(9),
    ]
}

/// The narrowest and the widest column of names.
const NAME: (usize, usize) = (23, 44);

/// What cells are made with.
pub struct Around<'a> {
    /// Signs.
    pub marks: &'a Marks,
    /// Now.
    pub now: Timestamp,
    /// A cluster's context is part of its name.
    pub several_contexts: bool,
}

impl Column {
    /// What it shows of a cluster in this room, and how bad that is. `Level::Ok` is drawn as plain text.
    pub fn cell(self, d: &Digest, around: &Around<'_>, room: usize) -> (String, Level) {
        let (marks, now) = (around.marks, around.now);
        let none = || marks.nothing.to_owned();
        let marked = |text: String, level: Level| match level {
            Level::Ok | Level::Unknown => (text, level),
            Level::Warn | Level::Bad => (format!("{text} {}", marks.level(level)), level),
        };
        match self {
            Cluster => (name_in(&d.key, around.several_contexts, room, marks.more), Level::Ok),
            Operator => (d.operator.clone(), Level::Ok),
            Postgres => (d.postgres.clone().unwrap_or_else(none), Level::Ok),
            Ready => match d.ready {
                (None, _) => (marks.unknown.into(), Level::Unknown),
                (Some(ready), Some(wanted)) => (format!("{ready}/{wanted}"), d.marks.ready),
                (Some(ready), None) => (format!("{ready}/?"), d.marks.ready),
            },
            Zones => match d.zones {
                None => (none(), Level::Ok),
                Some((have, could)) => (format!("{have}/{could}"), d.marks.zones),
            },
            Primary => (primary(d, marks, room), d.marks.primary),
            Sync => match d.sync {
                None => (none(), Level::Ok),
                Some((_, 0)) => ("async".into(), d.marks.sync),
                Some((have, wanted)) => (format!("{have} of {wanted}"), d.marks.sync),
            },
            Lag => (lag(&d.lag, d.rising, marks), d.marks.lag),
            Archived => marked(age(d.archived, now, marks), d.marks.archived),
            Backup => marked(age(d.backup, now, marks), d.marks.backup),
            Seen => (age(d.seen, now, marks), Level::Ok),
        }
    }

    /// Its value is what an instance said: it grows stale with the instances' answers, not with the watch.
    pub fn sampled(self) -> bool {
        matches!(self, Sync | Lag | Archived | Seen)
    }

    /// The order of two clusters by this column: what wants attention comes first.
    pub fn compare(self, a: &Digest, b: &Digest) -> Ordering {
        match self {
            Cluster => a.key.cmp(&b.key),
            Operator => a.operator.cmp(&b.operator),
            Postgres => a.postgres.cmp(&b.postgres),
            Ready => gap(b.ready.0.zip(b.ready.1)).cmp(&gap(a.ready.0.zip(a.ready.1))),
            Zones => gap(b.zones).cmp(&gap(a.zones)),
            Primary => a.primary.as_ref().map(|p| &p.0).cmp(&b.primary.as_ref().map(|p| &p.0)),
            Sync => gap(b.sync).cmp(&gap(a.sync)),
            Lag => (b.lag.bytes, b.lag.time).cmp(&(a.lag.bytes, a.lag.time)),
            Archived => a.archived.cmp(&b.archived),
            Backup => a.backup.cmp(&b.backup),
            Seen => a.seen.cmp(&b.seen),
        }
    }
}

/// The order without a chosen column: worst first, then by name. What can't be told stands before what is well.
pub fn worst_first(a: &Digest, b: &Digest) -> Ordering {
    (Reverse(a.level), &a.key).cmp(&(Reverse(b.level), &b.key))
}

fn gap(pair: Option<(u32, u32)>) -> Option<u32> {
    pair.map(|(have, wanted)| wanted.saturating_sub(have))
}

fn age(then: Option<Timestamp>, now: Timestamp, marks: &Marks) -> String {
    then.map_or_else(|| marks.nothing.to_owned(), |t| quantity::age(t, now))
}

/// `pg-orders-2 z2`: the zone by what tells it from the others. Where there is little room the name's middle goes: its
/// beginning is the cluster's name.
fn primary(d: &Digest, marks: &Marks, room: usize) -> String {
    if let Some(nature) = &d.nature {
        return nature.clone();
    }
    match &d.primary {
        None => marks.nothing.to_owned(),
        Some((name, None)) => cut_middle(name.as_str(), room, marks.more),
        Some((name, Some(zone))) => {
            let zone = short_zone(zone.as_str());
            let left = room.saturating_sub(width(&zone) + 1);
            format!("{} {zone}", cut_middle(name.as_str(), left, marks.more))
        }
    }
}

/// `westus3-2` → `z2`, `us-east-1b` → `1b`: the last part is what tells the zones of a region apart.
pub fn short_zone(zone: &str) -> String {
    let last = zone.rsplit('-').next().unwrap_or(zone);
    if last.bytes().all(|b| b.is_ascii_digit()) { format!("z{last}") } else { last.to_owned() }
}

/// `38 MB 12s ↑`.
pub fn lag(lag: &Lag, rising: bool, marks: &Marks) -> String {
    let mut text = match lag.bytes {
        None if lag.time.is_none() => return marks.nothing.to_owned(),
        None => String::new(),
        Some(n) if lag.at_least => format!("{}{}", if marks.ascii { ">=" } else { "≥" }, quantity::bytes(n)),
        Some(n) => quantity::bytes(n),
    };
    // Below ten milliseconds the time says nothing that the bytes don't.
    if let Some(time) = lag.time.filter(|t| t.as_millis() >= 10) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&quantity::span(time).replace(' ', ""));
    }
    if rising {
        text.push(' ');
        text.push_str(marks.rising);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn zones_by_their_last_part() {
        assert_eq!(["westus3-2", "us-east-1b", "eu", "2"].map(short_zone), ["z2", "1b", "eu", "z2"]);
    }

    #[test]
    fn lag_says_what_matters() {
        let time = |ms| Some(SignedDuration::from_millis(ms));
        let show = |bytes, time, at_least, rising| lag(&Lag { bytes, time, at_least }, rising, &Marks::SIGNS);
        assert_eq!(show(Some(0), time(0), false, false), "0 B");
        assert_eq!(show(Some(38_000_000), time(12_000), false, true), "38 MB 12s ↑");
        assert_eq!(show(Some(8_200), time(31), false, false), "8.2 kB 31ms");
        assert_eq!(show(Some(8_200), None, true, false), "≥8.2 kB");
        assert_eq!(show(None, None, false, false), "–");
    }

    #[test]
    fn every_column_has_a_shape() {
        assert_eq!(ALL.len() + 1, shapes(Widest::default(), 120).len());
    }
}
