//! robfig's fields in croner's words.

use croner::parser::{CronParser, Seconds, Year};

use super::Dialect;
use crate::text::{clean, shorten};

/// A field: its name, its bounds, the names its values may have.
type Field = (&'static str, u32, u32, &'static [&'static str]);

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const FIELDS: [Field; 6] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day", 1, 31, &[]),
    ("month", 1, 12, &MONTHS),
    ("weekday", 0, 6, &WEEKDAYS),
];

pub(super) fn read(text: &str, dialect: Dialect) -> Result<croner::Cron, String> {
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    match (dialect, fields.len()) {
        (Dialect::Cnpg, 6) => {}
        (Dialect::Cnpg, 5) => fields.push("*"),
        (Dialect::CronJob, 5) => fields.insert(0, "0"),
        (Dialect::Cnpg, n) => return Err(format!("six fields are wanted (seconds first), there are {n}")),
        (Dialect::CronJob, n) => return Err(format!("five fields are wanted (minutes first), there are {n}")),
    }
    let mut starred = [false; 6];
    let mut parts = Vec::with_capacity(6);
    for (place, field) in fields.iter().enumerate() {
        let (part, star) = one(field, &FIELDS[place], dialect)?;
        starred[place] = star;
        parts.push(part);
    }
    // robfig: a day must suit both fields where one of them has a star, else one of them is enough.
    let both = starred[3] || starred[5];
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).dom_and_dow(both).build();
    parser.parse(&parts.join(" ")).map_err(|e| clean(&e.to_string()))
}

/// One field, and whether robfig sets its star bit.
fn one(field: &str, about: &Field, dialect: Dialect) -> Result<(String, bool), String> {
    let (mut parts, mut star) = (Vec::new(), false);
    for part in field.split(',').filter(|p| !p.is_empty()) {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, part, about)?)),
            None => (part, None),
        };
        if step == Some(0) {
            return Err(format!("{}: a step of 0 never comes to an end", about.0));
        }
        let (first, last) = if matches!(range, "*" | "?") {
            // v3 forgets the star of a step, v1.2 does not.
            star |= dialect == Dialect::Cnpg || step.is_none_or(|s| s == 1);
            (about.1, about.2)
        } else {
            let (low, high) = range.split_once('-').map_or((range, None), |(low, high)| (low, Some(high)));
            let low = number(low, part, about)?;
            match high {
                Some(high) => (low, number(high, part, about)?),
                None if step.is_some() => (low, about.2),
                None => (low, low),
            }
        };
        if first < about.1 || last > about.2 || first > last {
            let (name, low, high) = (about.0, about.1, about.2);
            return Err(format!("{name}: {:?} is not within {low} and {high}", shorten(&clean(part), 20)));
        }
        // The range goes to the end: a single star says so too, and is left as it is for croner's stars.
        let whole = (first, last) == (about.1, about.2) && matches!(range, "*" | "?");
        parts.push(match step {
            Some(step) => format!("{first}-{last}/{step}"),
            None if whole => "*".to_owned(),
            None => format!("{first}-{last}"),
        });
    }
    if parts.iter().any(|p| p == "*") {
        return Ok(("*".to_owned(), star));
    }
    if parts.is_empty() {
        return Err(format!("{}: nothing is said", about.0));
    }
    Ok((parts.join(","), star))
}

fn number(text: &str, part: &str, about: &Field) -> Result<u32, String> {
    let named = || about.3.iter().position(|n| n.eq_ignore_ascii_case(text)).map(|n| n as u32 + about.1);
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    let read = if digits { text.parse().ok() } else { named() };
    read.ok_or_else(|| format!("{}: {:?} can't be read", about.0, shorten(&clean(part), 20)))
}
