//! Expressions, their words and their runs, as robfig/cron reads them.

use super::*;
use Dialect::{Cnpg, CronJob};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn words(text: &str) -> String {
    Cron::parse(text, Cnpg).map_or_else(|e| format!("! {e}"), |c| c.words())
}

fn runs(text: &str, dialect: Dialect, after: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(text, dialect).unwrap();
    cron.runs(at(after), count).iter().map(|t| t.strftime("%d %H:%M:%S").to_string()).collect()
}

#[test]
fn the_guides_schedule_is_at_minute_15_and_not_at_15_oclock() {
    assert_eq!(words("0 15 * ? * *"), "at minute 15 of every hour");
    assert_eq!(runs("0 15 * ? * *", Cnpg, "2026-11-21T09:41:30Z", 3), ["21 10:15:00", "21 11:15:00", "21 12:15:00"]);
}

#[test]
fn words_for_usual_schedules() {
    for (text, expected) in [
        ("0 0 0 * * *", "every day at 00:00"),
        ("0 30 2 * * *", "every day at 02:30"),
        ("30 0 2 * * *", "every day at 02:00:30"),
        ("0 0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"),
        ("0 5 */2 * * *", "at minute 5 of every 2nd hour"),
        ("0 */20 * * * *", "every 20 minutes"),
        ("0 0/20 * * * *", "every 20 minutes"),
        ("0 7,37 * * * *", "at minutes 7 and 37 of every hour"),
        ("0 * * * * *", "every minute"),
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "at every 10th second of every minute of every hour"),
        ("0 0 3 * * SUN", "at 03:00 on Sunday"),
        ("0 0 3 ? * 1-5", "at 03:00 on a working day (Monday to Friday)"),
        ("0 0 3 1 * ?", "at 03:00 on day 1 of the month"),
        ("0 0 3 1,15 jan-mar *", "at 03:00 on days 1 and 15 of the month in January to March"),
        ("0 0 3 1 * MON", "at 03:00 on day 1 of the month and on Monday"),
        ("0 0 3 */2 * MON", "at 03:00 on every 2nd day of the month if it is Monday"),
        ("@daily", "every day at 00:00"),
        ("@midnight", "every day at 00:00"),
        ("@weekly", "at 00:00 on Sunday"),
        ("@hourly", "at minute 0 of every hour"),
        ("@every 1h30m", "every 1h 30m"),
        ("TZ=Europe/Vienna 0 0 2 * * *", "every day at 02:00 (Europe/Vienna)"),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn five_fields_are_shifted_for_cnpg_and_right_for_a_cronjob() {
    let cnpg = Cron::parse("0 2 * * *", Cnpg).unwrap();
    assert!(cnpg.is_shifted());
    assert_eq!(cnpg.words(), "at minute 2 of every hour");
    let job = Cron::parse("0 2 * * *", CronJob).unwrap();
    assert!(!job.is_shifted());
    assert_eq!(job.words(), "every day at 02:00");
    assert_eq!(Cron::parse("@daily", CronJob).unwrap().words(), "every day at 00:00");
    assert!(Cron::parse("0 0 2 * * *", CronJob).is_err());
}

#[test]
fn days_join_as_robfig_joins_them() {
    // Either field: 1st, 2nd (Monday), 9th, …
    assert_eq!(runs("0 0 3 1 * MON", Cnpg, "2026-10-31T12:00:00Z", 3), ["01 03:00:00", "02 03:00:00", "09 03:00:00"]);
    // A star with a step is a star for v1.2, so both must suit: the odd days that are Mondays.
    assert_eq!(runs("0 0 3 */2 * MON", Cnpg, "2026-10-31T12:00:00Z", 3), ["09 03:00:00", "23 03:00:00", "07 03:00:00"]);
    // v3 has forgotten that star: one of them is enough.
    assert_eq!(
        runs("0 3 */2 * MON", CronJob, "2026-10-31T12:00:00Z", 3),
        ["01 03:00:00", "02 03:00:00", "03 03:00:00"]
    );
}

#[test]
fn what_robfig_refuses_is_refused() {
    for (text, why) in [
        ("", "! six fields are wanted (seconds first), there are 0"),
        ("0 0 3", "! six fields are wanted (seconds first), there are 3"),
        ("60 0 3 * * *", "! second: \"60\" is not within 0 and 59"),
        ("0 0 3 * * 7", "! weekday: \"7\" is not within 0 and 6"),
        ("0 0 3 L * *", "! day: \"L\" can't be read"),
        ("0 0 3 * * 5#2", "! weekday: \"5#2\" can't be read"),
        ("0 0 3 0 * *", "! day: \"0\" is not within 1 and 31"),
        ("0 5-1 3 * * *", "! minute: \"5-1\" is not within 0 and 59"),
        ("0 */0 3 * * *", "! minute: a step of 0 never comes to an end"),
        ("0 0 3 * * monday", "! weekday: \"monday\" can't be read"),
        ("@reboot", "! \"@reboot\" is no schedule"),
        ("@every soon", "! \"soon\" is no span of time"),
        ("TZ=Nowhere 0 0 3 * * *", "! \"Nowhere\" is no time zone"),
    ] {
        assert_eq!(words(text), why, "{text}");
    }
}

#[test]
fn the_run_before_and_spans() {
    let cron = Cron::parse("0 15 * * * *", Cnpg).unwrap();
    assert_eq!(cron.previous(at("2026-11-21T09:41:30.5Z")), Some(at("2026-11-21T09:15:00Z")));
    assert_eq!(cron.previous(at("2026-11-21T09:15:00Z")), Some(at("2026-11-21T09:15:00Z")));
    assert_eq!(cron.next(at("2026-11-21T09:15:00Z")), Some(at("2026-11-21T10:15:00Z")));
    let every = Cron::parse("@every 90s", Cnpg).unwrap();
    assert_eq!(every.next(at("2026-11-21T09:00:00.7Z")), Some(at("2026-11-21T09:01:30Z")));
    assert_eq!(every.previous(at("2026-11-21T09:00:00Z")), None);
    let zoned = Cron::parse("TZ=Europe/Vienna 0 0 2 * * *", Cnpg).unwrap();
    assert_eq!(zoned.next(at("2026-11-21T09:00:00Z")), Some(at("2026-11-22T01:00:00Z")));
}

/// One field of numbers, and the set it stands for, the slow way.
fn field(low: u32, high: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    prop_oneof![
        Just(("*".to_owned(), (low..=high).collect())),
        (low..=high).prop_map(|n| (n.to_string(), vec![n])),
        (low..=high, 1u32..9).prop_map(move |(n, s)| (format!("{n}/{s}"), (n..=high).step_by(s as usize).collect())),
        (low..=high, low..=high).prop_map(|(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            (format!("{a}-{b}"), (a..=b).collect())
        }),
    ]
}

proptest! {
    #[test]
    fn runs_agree_with_a_clock_that_tries_every_second(
        (second, seconds) in field(0, 59), (minute, minutes) in field(0, 59), hour in 0i64..24,
    ) {
        let cron = Cron::parse(&format!("{second} {minute} * * * ?"), Cnpg).unwrap();
        let start = at("2026-11-21T00:00:00Z") + SignedDuration::from_hours(hour);
        let slow = (1..7200).map(|s| start + SignedDuration::from_secs(s)).find(|t| {
            let z = t.to_zoned(TimeZone::UTC);
            seconds.contains(&(z.second() as u32)) && minutes.contains(&(z.minute() as u32))
        });
        prop_assert_eq!(cron.next(start), slow);
    }

    #[test]
    fn never_panics(s in any::<String>(), fields in "[0-9*?/,A-Z -]{0,24}") {
        for text in [s, fields] {
            if let Ok(cron) = Cron::parse(&text, Cnpg) {
                let _ = cron.words();
            }
        }
    }
}
