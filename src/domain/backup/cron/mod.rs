//! Schedules: what a cron expression means, in words and in times.
//!
//! Two dialects of Go's robfig/cron: CNPG reads six fields with seconds first (v1.2: a sixth that is left out is `*`, so
//! five fields are one field *shifted*, a well-known trap), a Kubernetes CronJob (PGO) reads five (v3). Days are by croner;
//! what robfig accepts and croner reads otherwise (`?` anywhere, `N/step`, stars with steps) is put into croner's words
//! in [`fields`].

mod fields;
mod words;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::text::{clean, shorten};

/// Whose reading of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// CNPG's ScheduledBackup: `second minute hour day month weekday`.
    Cnpg,
    /// A Kubernetes CronJob, as PGO makes them: `minute hour day month weekday`.
    CronJob,
}

/// A schedule that is understood.
#[derive(Clone, Debug)]
pub struct Cron {
    kind: Kind,
    /// The zone its fields are in. Without a word about it: UTC, as an operator's container has it.
    zone: TimeZone,
    zone_told: Option<String>,
    shifted: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Fields(Box<croner::Cron>),
    Every(SignedDuration),
}

impl Cron {
    /// Reads an expression. The error says in words what is wrong with it.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, String> {
        let mut rest = text.trim();
        let (mut zone, mut zone_told) = (TimeZone::UTC, None);
        if let Some((told, after)) = rest.strip_prefix("TZ=").and_then(|r| r.split_once(char::is_whitespace)) {
            zone = TimeZone::get(told).map_err(|_| format!("{:?} is no time zone", shorten(&clean(told), 40)))?;
            (zone_told, rest) = (Some(clean(told)), after.trim());
        }
        let told = |kind, shifted| Cron { kind, zone, zone_told, shifted };
        if let Some(every) = rest.strip_prefix("@every ") {
            let span: SignedDuration =
                every.trim().parse().map_err(|_| format!("{:?} is no span of time", shorten(&clean(every), 40)))?;
            let whole = SignedDuration::from_secs(span.as_secs().max(1));
            return Ok(told(Kind::Every(whole), false));
        }
        let fields = match rest {
            "@yearly" | "@annually" => "0 0 0 1 1 *",
            "@monthly" => "0 0 0 1 * *",
            "@weekly" => "0 0 0 * * 0",
            "@daily" | "@midnight" => "0 0 0 * * *",
            "@hourly" => "0 0 * * * *",
            word if word.starts_with('@') => {
                return Err(format!("{:?} is no schedule", shorten(&clean(word), 40)));
            }
            fields => fields,
        };
        let named = fields != rest;
        let dialect = if named { Dialect::Cnpg } else { dialect };
        let shifted = dialect == Dialect::Cnpg && fields.split_whitespace().count() == 5;
        Ok(told(Kind::Fields(Box::new(fields::read(fields, dialect)?)), shifted))
    }

    /// What it means: `at minute 15 of every hour`.
    pub fn words(&self) -> String {
        let words = match &self.kind {
            Kind::Fields(cron) => words::of(cron),
            Kind::Every(span) => format!("every {}", words::span(*span)),
        };
        match &self.zone_told {
            Some(zone) => format!("{words} ({zone})"),
            None => words,
        }
    }

    /// Five fields where six are meant: the first is read as seconds, which hardly anybody wants.
    pub fn is_shifted(&self) -> bool {
        self.shifted
    }

    /// The first run after `after`. For `@every`, `after` is the run before.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Every(span) => floor(after)?.checked_add(*span).ok(),
            Kind::Fields(cron) => {
                let from = floor(after)?.to_zoned(self.zone.clone());
                cron.find_next_occurrence(&from, false).ok().map(|at| at.timestamp())
            }
        }
    }

    /// The next runs after `after`.
    pub fn runs(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next(after), |at| self.next(*at)).take(count).collect()
    }

    /// The last run at or before `now`, as the clock would have it. `None` for `@every`, which counts from its last run.
    pub fn previous(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Every(_) => None,
            Kind::Fields(cron) => {
                let from = floor(now)?.to_zoned(self.zone.clone());
                cron.find_previous_occurrence(&from, true).ok().map(|at| at.timestamp())
            }
        }
    }
}

fn floor(at: Timestamp) -> Option<Timestamp> {
    let second = at.as_nanosecond().div_euclid(1_000_000_000);
    Timestamp::from_second(i64::try_from(second).ok()?).ok()
}

#[cfg(test)]
mod tests;
