//! The moment to restore to, picked on the time line.
//!
//! It holds a cursor and what was typed; whether a recovery gets there is asked of the catalog anew for each picture.

pub(super) mod view;

use jiff::{SignedDuration, Timestamp};

use crate::command::Command;
use crate::domain::backup::Catalog;
use crate::domain::backup::continuity::Window;
use crate::domain::backup::target::{Plotted, RecoveryTarget, Refused, choose};
use crate::domain::names::ClusterKey;
use crate::panes::Wish;
use crate::panes::doing::FromSource;
use crate::panes::field::Field;
use crate::problem::Problem;
use crate::procedure::catalog::restore::{self, RestoreWish};

/// The picker.
pub(super) struct Picker {
    /// Where the cursor is.
    pub at: Timestamp,
    /// Another target than that time: one that was typed.
    typed: Option<RecoveryTarget>,
    /// The base backup at the cursor, and no WAL beyond what it needs.
    alone: bool,
    /// What is being typed.
    pub ask: Option<(Ask, Field)>,
}

/// What a line is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The target.
    Target,
    /// The new cluster's name.
    Name,
}

impl Picker {
    /// At the newest moment that can be recovered.
    pub fn open(catalog: &Catalog, now: Timestamp) -> Picker {
        let until = catalog.continuity.as_ref().and_then(|c| c.windows.iter().filter_map(end).max());
        Picker { at: until.unwrap_or(now), typed: None, alone: false, ask: None }
    }

    /// The target as it stands, and the base backup that was asked for.
    pub fn target(&self, catalog: &Catalog) -> (RecoveryTarget, Option<String>) {
        let before = || choose(catalog, &RecoveryTarget::Time(self.at), None).ok().map(|p| p.base.id);
        match &self.typed {
            // Where these lie is known to nobody: they begin with the base backup before the cursor.
            Some(typed @ (RecoveryTarget::Xid(_) | RecoveryTarget::Name(_))) => (typed.clone(), before()),
            Some(typed) => (typed.clone(), None),
            None if self.alone => (RecoveryTarget::Immediate, before()),
            None => (RecoveryTarget::Time(self.at), None),
        }
    }

    /// Whether a recovery gets there, and how.
    pub fn plot(&self, catalog: &Catalog) -> (RecoveryTarget, Result<Plotted, Refused>) {
        let (target, backup) = self.target(catalog);
        let plotted = match (&target, &backup) {
            (RecoveryTarget::Immediate, None) => {
                choose(catalog, &RecoveryTarget::Time(self.at), None).map(|p| Plotted { target: target.clone(), ..p })
            }
            _ => choose(catalog, &target, backup.as_deref()),
        };
        (target, plotted)
    }

    /// Moves the cursor. Says whether the command was one of those that do.
    pub fn moved(&mut self, command: Command, catalog: &Catalog, now: Timestamp) -> bool {
        let to = match command {
            Command::SecondBack => back(self.at, 1),
            Command::SecondOn => on(self.at, 1),
            Command::MinuteBack => back(self.at, 60),
            Command::MinuteOn => on(self.at, 60),
            Command::HourBack => back(self.at, 3_600),
            Command::HourOn => on(self.at, 3_600),
            Command::DayBack => self.at - SignedDuration::from_hours(24),
            Command::DayOn => self.at + SignedDuration::from_hours(24),
            Command::MarkBack => marks(catalog).into_iter().rev().find(|m| *m < self.at).unwrap_or(self.at),
            Command::MarkOn => marks(catalog).into_iter().find(|m| *m > self.at).unwrap_or(self.at),
            Command::First => marks(catalog).first().copied().unwrap_or(self.at),
            Command::Last => marks(catalog).last().copied().unwrap_or(self.at),
            _ => return false,
        };
        let oldest = marks(catalog).first().map_or(now, |first| *first - SignedDuration::from_hours(24));
        (self.at, self.typed) = (to.clamp(oldest.min(now), now), None);
        true
    }

    /// The base backup alone, or the time again.
    pub fn alone(&mut self) {
        (self.alone, self.typed) = (!self.alone && self.typed.is_none(), None);
    }

    /// Asks for a line.
    pub fn ask(&mut self, ask: Ask, text: &str) {
        self.ask = Some((ask, Field::with(text)));
    }

    /// The line was taken: what is asked of the console, or what is wrong with it.
    pub fn take(&mut self, catalog: &Catalog, cluster: &ClusterKey) -> Result<Option<Wish>, Problem> {
        let Some((ask, field)) = &self.ask else { return Ok(None) };
        let text = field.text().trim().to_owned();
        match ask {
            Ask::Target => {
                let target = read(&text)?;
                if let Some(at) = target.time() {
                    (self.at, self.typed) = (at, None);
                } else {
                    self.typed = Some(target);
                }
                (self.alone, self.ask) = (false, None);
                Ok(None)
            }
            Ask::Name => {
                let wish = wish(&text, cluster, self.target(catalog))?;
                self.ask = None;
                Ok(Some(Wish::Restore(Box::new(FromSource::Restore(wish)))))
            }
        }
    }
}

/// A time, a position, `latest`; `xid N` and `point NAME`.
fn read(text: &str) -> Result<RecoveryTarget, Problem> {
    match text.split_once(' ') {
        Some(("xid", xid)) => RecoveryTarget::xid(xid),
        Some(("point", name)) => RecoveryTarget::name(name.trim()),
        _ => RecoveryTarget::parse(text),
    }
}

/// `NAME instances=1 archive-as=FOLDER`.
fn wish(
    text: &str,
    cluster: &ClusterKey,
    (target, backup): (RecoveryTarget, Option<String>),
) -> Result<RestoreWish, Problem> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    restore::named(&name)?;
    let mut wish = RestoreWish {
        cluster: cluster.clone(),
        name,
        target,
        backup,
        instances: None,
        archive_as: None,
        service_account: None,
        because: None,
    };
    for word in words {
        let bad = || {
            Problem::usage(format!("{word:?} means nothing here"))
                .try_this("instances=1, archive-as=FOLDER, service-account=NAME")
        };
        match word.split_once('=').ok_or_else(bad)? {
            ("instances", n) => wish.instances = Some(n.parse().map_err(|_| bad())?),
            ("archive-as", folder) if !folder.is_empty() => wish.archive_as = Some(folder.to_owned()),
            ("service-account", account) if !account.is_empty() => wish.service_account = Some(account.to_owned()),
            _ => return Err(bad()),
        }
    }
    Ok(wish)
}

/// The end of a window, which is not before its beginning: stores tell the second alone.
fn end(window: &Window) -> Option<Timestamp> {
    window.until.map(|until| window.from.map_or(until, |from| until.max(from)))
}

/// Moments worth a jump: ends of base backups, and the edges of what can be recovered, in order.
fn marks(catalog: &Catalog) -> Vec<Timestamp> {
    let windows = catalog.continuity.iter().flat_map(|c| &c.windows).flat_map(|w| [w.from, end(w)]);
    let bases = catalog.entries.iter().map(|e| e.ended());
    let mut all: Vec<Timestamp> = windows.chain(bases).flatten().collect();
    all.sort();
    all.dedup();
    all
}

/// The whole multiple of so many seconds before.
fn back(at: Timestamp, step: i64) -> Timestamp {
    let before = (at.as_nanosecond() - 1).div_euclid(i128::from(step) * 1_000_000_000);
    Timestamp::from_nanosecond(before * i128::from(step) * 1_000_000_000).unwrap_or(at)
}

/// The whole multiple of so many seconds after.
fn on(at: Timestamp, step: i64) -> Timestamp {
    Timestamp::from_second((at.as_second().div_euclid(step) + 1) * step).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn steps_end_on_whole_ones() {
        let here = at("2026-11-20T22:57:22.5Z");
        assert_eq!(back(here, 1), at("2026-11-20T22:57:22Z"));
        assert_eq!(on(here, 1), at("2026-11-20T22:57:23Z"));
        assert_eq!(back(here, 60), at("2026-11-20T22:57:00Z"));
        assert_eq!(back(at("2026-11-20T22:57:00Z"), 60), at("2026-11-20T22:56:00Z"));
        assert_eq!(on(at("2026-11-20T22:57:00Z"), 60), at("2026-11-20T22:58:00Z"));
        assert_eq!(on(here, 3_600), at("2026-11-20T23:00:00Z"));
    }

    #[test]
    fn lines_as_they_are_typed() {
        assert_eq!(read("xid 731"), Ok(RecoveryTarget::Xid(731)));
        assert_eq!(read("point before the flood"), Ok(RecoveryTarget::Name("before the flood".into())));
        assert_eq!(read("2026-11-20 22:57:22 UTC").unwrap().time(), Some(at("2026-11-20T22:57:22Z")));
        let key = ClusterKey::new("aks", "pg", "shop");
        let asked = |text: &str| wish(text, &key, (RecoveryTarget::Latest, None));
        let full = asked("shop-2 instances=1 archive-as=shop-2").unwrap();
        assert_eq!(
            (full.name.as_str(), full.instances, full.archive_as.as_deref()),
            ("shop-2", Some(1), Some("shop-2"))
        );
        assert!(asked("Shop").is_err() && asked("").is_err());
        assert_eq!(asked("shop-2 one").unwrap_err().what, "\"one\" means nothing here");
        assert!(asked("shop-2 instances=many").is_err() && asked("shop-2 archive-as=").is_err());
    }
}
