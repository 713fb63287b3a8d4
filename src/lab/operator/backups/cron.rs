//! Schedules as the operator reads them (robfig/cron): six fields, seconds first, the day of the week may be left out.
//! Times are UTC, as in the operator's container.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A schedule.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// Fields of a clock and a calendar.
    Clock(Box<Cron>),
    /// `@every 1h30m`: this long after whatever moment it is asked about, in whole seconds and one at least.
    Every(SignedDuration),
}

impl Schedule {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Schedule, String> {
        if let Some(every) = text.strip_prefix("@every ") {
            let span: SignedDuration = every.parse().map_err(|e| format!("Failed to parse duration {text}: {e}"))?;
            return Ok(Schedule::Every(SignedDuration::from_secs(span.as_secs().max(1))));
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        if !text.trim_start().starts_with('@') && !(5..=6).contains(&fields.len()) {
            return Err(format!("Expected 5 to 6 fields, found {}: {text}", fields.len()));
        }
        // What croner knows beyond that: the last day, the nearest weekday, the n-th one.
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        if !text.contains('@') && (text.contains(['#', '+']) || words.into_iter().any(|word| word.len() != 3)) {
            return Err(format!("Failed to parse schedule: {text}"));
        }
        let mut whole = fields.join(" ").replace('?', "*");
        if fields.len() == 5 {
            whole.push_str(" *");
        }
        let parser =
            CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).sloppy_ranges(true).build();
        parser.parse(&whole).map(|cron| Schedule::Clock(Box::new(cron))).map_err(|e| e.to_string())
    }

    /// The first moment of it after that one; `None` where there is none.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Clock(cron) => {
                let after = after.to_zoned(TimeZone::UTC);
                cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
            }
            Schedule::Every(span) => Timestamp::from_second(after.as_second()).ok()?.checked_add(*span).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str) -> String {
        let at: Timestamp = "2026-11-21T10:07:30.5Z".parse().unwrap();
        Schedule::parse(schedule).unwrap().next(at).unwrap().to_string()
    }

    #[test]
    fn six_fields_the_first_is_seconds() {
        assert_eq!(next("0 * * * * *"), "2026-11-21T10:08:00Z");
        assert_eq!(next("0 15 * ? * *"), "2026-11-21T10:15:00Z", "the guide's own: each hour");
        assert_eq!(next("0 0 0 * * *"), "2026-11-22T00:00:00Z");
        assert_eq!(next("*/20 * * * * *"), "2026-11-21T10:07:40Z");
        assert_eq!(next("0 0 3 * * MON"), "2026-11-23T03:00:00Z");
        assert_eq!(next("0 0/30 * * * *"), "2026-11-21T10:30:00Z");
    }

    #[test]
    fn five_fields_lack_the_day_of_the_week() {
        assert_eq!(next("0 30 4 1 *"), "2026-12-01T04:30:00Z");
        assert_eq!(next("@daily"), "2026-11-22T00:00:00Z");
    }

    #[test]
    fn words_for_fields_and_spans_counted_from_the_last_look() {
        assert_eq!(next("@hourly"), "2026-11-21T11:00:00Z");
        assert_eq!(next("@weekly"), "2026-11-22T00:00:00Z");
        assert_eq!(next("@every 1h30m"), "2026-11-21T11:37:30Z");
        assert_eq!(next("@every 90s"), "2026-11-21T10:09:00Z");
        assert_eq!(next("@every 10ms"), "2026-11-21T10:07:31Z", "a second at least");
        assert!(Schedule::parse("@every now and then").is_err());
    }

    #[test]
    fn a_day_of_either_kind_will_do() {
        assert_eq!(next("0 0 0 25 * SUN"), "2026-11-22T00:00:00Z");
    }

    #[test]
    fn what_the_operator_would_not_read_is_refused() {
        for text in ["", "* * * *", "0 0 0 * * * *", "61 * * * * *", "0 0 0 L * *", "0 0 0 * * 5#3", "soon"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
