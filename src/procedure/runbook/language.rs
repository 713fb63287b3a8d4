//! The language of checks: one named value, a comparison, a literal. Nothing else, so that a check can be read aloud.
//!
//! `archiver.ready > 4` · `every standbys.streaming = yes` · `primary.disk-wal >= 90 %` · `instance.trouble != none`
//!
//! A name may have several values, one for each instance, slot or event; then the check holds when *any* of them does, or
//! with `every` in front when all do. What can't be known makes the answer unknown, with the reason.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::domain::health::ReasonCode;
use crate::domain::quantity;

/// What kind of thing a value is: which literals it can be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `yes`, `no`.
    Flag,
    /// A whole number.
    Count,
    /// Bytes: `64 MiB`, `2 GB`.
    Bytes,
    /// `90 %`.
    Percent,
    /// `30 s`, `10 min`, `26 h`, `7 d`.
    Time,
    /// Words; `none` where there are none.
    Text,
    /// A reason of the verdict, by its code.
    Reason,
    /// What a query or a metric answers: known only when it is asked.
    Any,
}

impl Kind {
    fn example(self) -> &'static str {
        match self {
            Kind::Flag => "yes or no",
            Kind::Count => "a number such as 4",
            Kind::Bytes => "bytes such as 64 MiB",
            Kind::Percent => "a share such as 90 %",
            Kind::Time => "a time such as 30 s, 10 min, 26 h or 7 d",
            Kind::Text => "a text",
            Kind::Reason => "a reason's code such as archive-failing",
            Kind::Any => "yes, no, none, a number or a text",
        }
    }
}

/// A value, or a literal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Datum {
    /// `yes`, `no`.
    Flag(bool),
    /// A number.
    Number(f64),
    /// Bytes.
    Bytes(u64),
    /// Percent.
    Percent(f64),
    /// A time.
    Time(SignedDuration),
    /// Words.
    Text(String),
    /// There is none, and that is known.
    Nothing,
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Flag(true) => f.write_str("yes"),
            Datum::Flag(false) => f.write_str("no"),
            Datum::Number(n) => write!(f, "{n}"),
            Datum::Bytes(n) => f.write_str(&quantity::bytes(*n)),
            Datum::Percent(p) => write!(f, "{p:.0} %"),
            Datum::Time(t) => f.write_str(&quantity::span(*t)),
            Datum::Text(t) => f.write_str(t),
            Datum::Nothing => f.write_str("none"),
        }
    }
}

/// How a value is held against the literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Op {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

const OPS: [(&str, Op); 6] = [
    // Longer ones first: `<=` is no `<`.
    ("!=", Op::NotEqual),
    ("<=", Op::AtMost),
    (">=", Op::AtLeast),
    ("=", Op::Equal),
    ("<", Op::Less),
    (">", Op::More),
];

impl Op {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        OPS.iter().find(|(_, op)| *op == self).map_or("=", |(sign, _)| sign)
    }
}

/// The right-hand side: what a value is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// How.
    pub op: Op,
    /// What.
    pub literal: Datum,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As it is written, so that it can be read back.
        match &self.literal {
            Datum::Bytes(n) => write!(f, "{} {}", self.op.sign(), quantity::storage(*n)),
            literal => write!(f, "{} {literal}", self.op.sign()),
        }
    }
}

impl Against {
    /// Does the value satisfy it? `None`: the two can't be compared.
    pub fn holds(&self, value: &Datum) -> Option<bool> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (value, &self.literal) {
            (Datum::Flag(a), Datum::Flag(b)) => Some(a.cmp(b)),
            (Datum::Bytes(a), Datum::Bytes(b)) => Some(a.cmp(b)),
            (Datum::Time(a), Datum::Time(b)) => Some(a.cmp(b)),
            (Datum::Text(a), Datum::Text(b)) => Some(a.cmp(b)),
            (Datum::Nothing, Datum::Nothing) => Some(Equal),
            (Datum::Nothing, _) | (_, Datum::Nothing) => {
                // Something is not nothing; which of them is larger is no question.
                return match self.op {
                    Op::Equal => Some(false),
                    Op::NotEqual => Some(true),
                    _ => None,
                };
            }
            (Datum::Number(a) | Datum::Percent(a), Datum::Number(b) | Datum::Percent(b)) => a.partial_cmp(b),
            _ => None,
        }?;
        Some(match self.op {
            Op::Equal => order == Equal,
            Op::NotEqual => order != Equal,
            Op::Less => order == Less,
            Op::AtMost => order != Greater,
            Op::More => order == Greater,
            Op::AtLeast => order != Less,
        })
    }
}

/// A whole check: `every standbys.streaming = yes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// All of several values must satisfy it, not only one.
    pub every: bool,
    /// The value's name.
    pub name: String,
    /// What it is held against.
    pub against: Against,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = if self.every { "every " } else { "" };
        write!(f, "{every}{} {}", self.name, self.against)
    }
}

/// What is wrong in a text, and where: byte offsets within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What.
    pub what: String,
}

/// Reads a check. `kind` knows the names: what kind of value one is, or what to say of a name that is none.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn comparison(text: &str, kind: impl Fn(&str) -> Result<Kind, String>) -> Result<Comparison, Wrong> {
    let start = text.len() - text.trim_start().len();
    let (every, from) = match text[start..].strip_prefix("every ") {
        Some(rest) => (true, text.len() - rest.trim_start().len()),
        None => (false, start),
    };
    let end = text[from..].find(|c: char| c.is_whitespace() || "=<>!".contains(c)).map_or(text.len(), |n| from + n);
    let name = &text[from..end];
    let kind = kind(name).map_err(|what| Wrong { from, to: end, what })?;
    let against = against(&text[end..], kind).map_err(|w| Wrong { from: w.from + end, to: w.to + end, ..w })?;
    Ok(Comparison { every, name: name.to_owned(), against })
}

/// Reads `>= 90 %`.
///
/// # Errors
/// What is wrong, with its place.
pub fn against(text: &str, kind: Kind) -> Result<Against, Wrong> {
    let from = text.len() - text.trim_start().len();
    let Some((sign, op)) = OPS.into_iter().find(|(sign, _)| text[from..].starts_with(sign)) else {
        let what = "a comparison was expected: =, !=, <, <=, > or >=".to_owned();
        return Err(Wrong { from: from.min(text.len()), to: text.len(), what });
    };
    let rest = &text[from + sign.len()..];
    let at = text.len() - rest.trim_start().len();
    let word = rest.trim();
    let wrong = |what: String| Wrong { from: at, to: at + word.len(), what };
    let literal = literal(word, kind).map_err(wrong)?;
    let ordered = !matches!(literal, Datum::Flag(_) | Datum::Text(_) | Datum::Nothing);
    if !ordered && !matches!(op, Op::Equal | Op::NotEqual) {
        let what = format!("`{word}` is neither larger nor smaller than anything: write = or !=");
        return Err(Wrong { from, to: from + sign.len(), what });
    }
    Ok(Against { op, literal })
}

fn literal(word: &str, kind: Kind) -> Result<Datum, String> {
    let expected = || format!("expected {}, found `{word}`", kind.example());
    if word.is_empty() {
        return Err(format!("expected {}", kind.example()));
    }
    if word == "none" {
        return Ok(Datum::Nothing);
    }
    let flag = match word {
        "yes" => Some(Datum::Flag(true)),
        "no" => Some(Datum::Flag(false)),
        _ => None,
    };
    let number = || word.parse::<f64>().ok().filter(|n| n.is_finite());
    match kind {
        Kind::Flag => flag.ok_or_else(expected),
        Kind::Count => number().map(Datum::Number).ok_or_else(expected),
        Kind::Bytes => bytes(word).map(Datum::Bytes).ok_or_else(expected),
        Kind::Percent => percent(word).map(Datum::Percent).ok_or_else(expected),
        Kind::Time => time(word).map(Datum::Time).ok_or_else(expected),
        Kind::Text => Ok(Datum::Text(word.to_owned())),
        Kind::Reason => match ReasonCode::named(word) {
            Some(code) => Ok(Datum::Text(code.name().to_owned())),
            None => {
                let near = crate::document::mistake::did_you_mean(word, ReasonCode::names().iter().copied());
                Err(format!("no such reason: `{word}`{near}"))
            }
        },
        Kind::Any => Ok(flag.or_else(|| number().map(Datum::Number)).unwrap_or_else(|| Datum::Text(word.to_owned()))),
    }
}

fn bytes(word: &str) -> Option<u64> {
    let split = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (number, unit) = (word[..split].parse::<f64>().ok()?, word[split..].trim());
    let factor = match unit {
        "" | "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "Ki" | "KiB" | "kiB" => 1024.0,
        "Mi" | "MiB" => 1_048_576.0,
        "Gi" | "GiB" => 1_073_741_824.0,
        "Ti" | "TiB" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some((number * factor) as u64)
}

fn percent(word: &str) -> Option<f64> {
    word.strip_suffix('%')?.trim_end().parse().ok()
}

fn time(word: &str) -> Option<SignedDuration> {
    let split = word.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = (word[..split].parse::<f64>().ok()?, word[split..].trim());
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    SignedDuration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(name: &str) -> Result<Kind, String> {
        match name {
            "archiver.ready" => Ok(Kind::Count),
            "standbys.streaming" => Ok(Kind::Flag),
            "standbys.lag" => Ok(Kind::Bytes),
            "backup.age" => Ok(Kind::Time),
            "primary.disk-wal" => Ok(Kind::Percent),
            "instance.trouble" => Ok(Kind::Text),
            "cluster.reasons" => Ok(Kind::Reason),
            _ => Err(format!("no such value: `{name}`")),
        }
    }

    fn read(text: &str) -> Result<Comparison, Wrong> {
        comparison(text, known)
    }

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "archiver.ready > 4",
            "every standbys.streaming = yes",
            "standbys.lag >= 64Mi",
            "primary.disk-wal >= 90 %",
            "instance.trouble != none",
            "cluster.reasons = archive-failing",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(read("backup.age<7 d").unwrap().against.literal, Datum::Time(SignedDuration::from_hours(168)));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let wrong = |text: &str| {
            let w = read(text).unwrap_err();
            (text[w.from..w.to].to_owned(), w.what)
        };
        assert_eq!(wrong("archive.ready > 4"), ("archive.ready".into(), "no such value: `archive.ready`".into()));
        assert_eq!(wrong("archiver.ready 4").1, "a comparison was expected: =, !=, <, <=, > or >=");
        assert_eq!(wrong("archiver.ready > many").0, "many");
        assert_eq!(wrong("standbys.streaming > yes").0, ">");
        assert!(wrong("cluster.reasons = archive-faling").1.ends_with("did you mean `archive-failing`?"));
        assert_eq!(wrong("backup.age > 7").1, "expected a time such as 30 s, 10 min, 26 h or 7 d, found `7`");
        assert_eq!(wrong("backup.age >"), (String::new(), "expected a time such as 30 s, 10 min, 26 h or 7 d".into()));
    }

    #[test]
    fn nothing_is_neither_more_nor_less() {
        let more = against("> 4", Kind::Count).unwrap();
        assert_eq!(more.holds(&Datum::Number(5.0)), Some(true));
        assert_eq!(more.holds(&Datum::Number(4.0)), Some(false));
        assert_eq!(more.holds(&Datum::Nothing), None);
        assert_eq!(against("!= none", Kind::Text).unwrap().holds(&Datum::Text("x".into())), Some(true));
        assert_eq!(against("= none", Kind::Text).unwrap().holds(&Datum::Nothing), Some(true));
        assert_eq!(more.holds(&Datum::Text("5".into())), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(s in any::<String>(), t in "(every )?[a-z.]{1,9} ?[=<>!]{0,2} ?[0-9a-z% .]{0,9}") {
            let _ = read(&s);
            let _ = read(&t);
            let _ = read(&format!("archiver.ready {s}"));
        }
    }
}
