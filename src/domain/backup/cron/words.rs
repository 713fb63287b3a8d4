//! A schedule in words.

use croner::Cron;
use jiff::SignedDuration;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Clock times that are still listed one by one.
const LISTED: usize = 6;

pub(super) fn of(cron: &Cron) -> String {
    let p = &cron.pattern;
    let days = days(cron);
    let time = time(&p.seconds.values(), &p.minutes.values(), &p.hours.values(), days.is_none());
    let months = p.months.values();
    let months = (months.len() < 12).then(|| format!("in {}", list(&months, |m| MONTHS[usize::from(m) - 1].into())));
    [Some(time), days, months].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `daily`: nothing else is said of the days.
fn time(seconds: &[u16], minutes: &[u16], hours: &[u16], daily: bool) -> String {
    let (every_hour, every_minute) = (hours.len() == 24, minutes.len() == 60);
    let of_hours = || match step(hours, 24) {
        _ if every_hour => "every hour".to_owned(),
        Some(n) => format!("every {} hour", ordinal(n)),
        None => format!("hours {}", list(hours, |h| h.to_string())),
    };
    let second = match seconds {
        [0] => String::new(),
        [s] => format!("second {s} of "),
        all if all.len() == 60 => "every second of ".into(),
        all => match step(all, 60) {
            Some(n) => format!("every {} second of ", ordinal(n)),
            None => format!("seconds {} of ", list(all, |s| s.to_string())),
        },
    };
    match (minutes, hours) {
        ([minute], few) if few.len() <= LISTED && seconds.len() == 1 => {
            let clock = |h: u16| match seconds {
                [0] => format!("{h:02}:{minute:02}"),
                all => format!("{h:02}:{minute:02}:{:02}", all.first().copied().unwrap_or_default()),
            };
            let every = if daily { "every day " } else { "" };
            format!("{every}at {}", list(few, clock))
        }
        ([minute], _) => format!("at {second}minute {minute} of {}", of_hours()),
        _ if every_minute && every_hour && second.is_empty() => "every minute".into(),
        _ if every_minute && every_hour && seconds.len() == 60 => "every second".into(),
        _ if every_minute => format!("at {second}every minute of {}", of_hours()),
        _ => match step(minutes, 60) {
            Some(n) if every_hour && second.is_empty() => format!("every {n} minutes"),
            Some(n) => format!("at {second}every {} minute of {}", ordinal(n), of_hours()),
            None => format!("at {second}minutes {} of {}", list(minutes, |m| m.to_string()), of_hours()),
        },
    }
}

fn days(cron: &Cron) -> Option<String> {
    let p = &cron.pattern;
    let (month, week) = (p.days.values(), p.days_of_week.values());
    let of_month = (month.len() < 31).then(|| match step_from(&month, 1, 31) {
        Some(n) => format!("every {} day of the month", ordinal(n)),
        None => {
            let word = if month.len() == 1 { "day" } else { "days" };
            format!("{word} {} of the month", list(&month, |d| d.to_string()))
        }
    });
    let of_week = (week.iter().filter(|d| **d < 7).count() < 7).then(|| match &week[..] {
        [1, 2, 3, 4, 5] => "a working day (Monday to Friday)".to_owned(),
        all => list(all, |d| WEEKDAYS[usize::from(d) % 7].into()),
    });
    match (of_month, of_week) {
        (None, None) => None,
        (Some(day), None) => Some(format!("on {day}")),
        (None, Some(day)) => Some(format!("on {day}")),
        (Some(a), Some(b)) if p.matches_dom_and_dow() => Some(format!("on {a} if it is {b}")),
        (Some(a), Some(b)) => Some(format!("on {a} and on {b}")),
    }
}

/// Every n-th of `count` values from 0 on, without a shorter round at the end.
fn step(values: &[u16], count: u16) -> Option<u16> {
    let n = *values.get(1)?;
    let even = values.first() == Some(&0) && count.is_multiple_of(n) && values.len() == usize::from(count / n);
    (even && n > 1 && values.iter().enumerate().all(|(i, v)| usize::from(*v) == i * usize::from(n))).then_some(n)
}

/// Every n-th value from `first` to `last`.
fn step_from(values: &[u16], first: u16, last: u16) -> Option<u16> {
    let n = values.get(1)?.checked_sub(first).filter(|n| *n > 1)?;
    let expected = (first..=last).step_by(usize::from(n));
    (values.len() > 2 && expected.eq(values.iter().copied())).then_some(n)
}

fn list(values: &[u16], word: impl Fn(u16) -> String) -> String {
    let ranged = values.len() > 2 && values.windows(2).all(|w| w[1] == w[0] + 1);
    let all: Vec<String> = values.iter().map(|v| word(*v)).collect();
    match &all[..] {
        [] => "never".into(),
        [one] => one.clone(),
        [first, .., last] if ranged => format!("{first} to {last}"),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn ordinal(n: u16) -> String {
    let ending = match (n % 10, n % 100) {
        (1, h) if h != 11 => "st",
        (2, h) if h != 12 => "nd",
        (3, h) if h != 13 => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// `1h 30m`.
pub(super) fn span(d: SignedDuration) -> String {
    let s = d.as_secs();
    let parts = [(s / 86_400, "d"), (s / 3600 % 24, "h"), (s / 60 % 60, "m"), (s % 60, "s")];
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect::<Vec<_>>().join(" ")
}
