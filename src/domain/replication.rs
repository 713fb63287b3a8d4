//! Who follows whom, how far behind, and what synchronous commit promises.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use super::lsn::Lsn;

/// One row of `pg_stat_replication`, from SQL or from the primary's `/pg/status`.
///
/// PostgreSQL hides the details from a user without `pg_monitor`: every hidden field is `None`, which is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standby {
    /// `application_name`: for CNPG and Patroni the instance's name.
    pub name: String,
    /// `streaming`, `catchup`, `startup`, `backup`.
    pub state: Option<String>,
    /// Sent by the primary.
    pub sent: Option<Lsn>,
    /// Written by the standby.
    pub write: Option<Lsn>,
    /// Flushed by the standby: safe there.
    pub flush: Option<Lsn>,
    /// Replayed by the standby: visible there.
    pub replay: Option<Lsn>,
    /// Time until written, as PostgreSQL measures it. `None` while idle.
    pub write_lag: Option<SignedDuration>,
    /// Time until flushed.
    pub flush_lag: Option<SignedDuration>,
    /// Time until replayed.
    pub replay_lag: Option<SignedDuration>,
    /// Sync state.
    pub sync: Option<SyncState>,
    /// `sync_priority`.
    pub priority: Option<i32>,
    /// Where it connects from.
    pub address: Option<String>,
}

/// `pg_stat_replication.sync_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncState {
    /// Does not hold up commits.
    Async,
    /// Would be synchronous if one before it failed.
    Potential,
    /// Commits wait for it (`FIRST n`).
    Sync,
    /// Commits wait for n of these (`ANY n`).
    Quorum,
}

impl SyncState {
    /// PostgreSQL's word.
    pub fn word(self) -> &'static str {
        match self {
            SyncState::Async => "async",
            SyncState::Potential => "potential",
            SyncState::Sync => "sync",
            SyncState::Quorum => "quorum",
        }
    }
}

impl FromStr for SyncState {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        match s {
            "async" => Ok(SyncState::Async),
            "potential" => Ok(SyncState::Potential),
            "sync" => Ok(SyncState::Sync),
            "quorum" => Ok(SyncState::Quorum),
            _ => Err(()),
        }
    }
}

/// One row of `pg_replication_slots`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// `physical` or `logical`.
    pub kind: String,
    /// A connection uses it now.
    pub active: bool,
    /// WAL from here on is kept for it.
    pub restart: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
    /// Bytes that may still be written before it is in danger (`max_slot_wal_keep_size`).
    pub safe_wal_size: Option<i64>,
}

impl Slot {
    /// WAL kept back for it when the primary is at `current`, in bytes.
    pub fn retained(&self, current: Lsn) -> Option<u64> {
        self.restart.map(|r| current.since(r))
    }
}

/// What the running server promises: the parsed `synchronous_standby_names`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRule {
    /// How the standbys are chosen.
    pub method: SyncMethod,
    /// W: how many must confirm.
    pub number: u32,
    /// The names; `*` is everyone.
    pub names: Vec<String>,
}

/// `FIRST` or `ANY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncMethod {
    /// The first n that are connected, in order.
    First,
    /// Any n.
    Any,
}

impl fmt::Display for SyncRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            SyncMethod::First => "FIRST",
            SyncMethod::Any => "ANY",
        };
        write!(f, "{method} {}", self.number)
    }
}

impl SyncRule {
    /// Does the rule name this standby?
    pub fn names(&self, standby: &str) -> bool {
        self.names.iter().any(|n| n == "*" || n.eq_ignore_ascii_case(standby))
    }

    /// Reads `synchronous_standby_names`. `Ok(None)`: empty, so commits wait for nobody.
    ///
    /// The grammar is PostgreSQL's (`syncrep_gram.y`): a bare list means `FIRST 1`, `n (…)` means `FIRST n (…)`.
    pub fn parse(text: &str) -> Result<Option<SyncRule>, String> {
        let mut words = tokens(text)?.into_iter().peekable();
        let Some(first) = words.next() else { return Ok(None) };
        let (method, number, mut names) = match (&first, words.peek()) {
            (Token::Bare(w), Some(Token::Bare(n))) if is_method(w) && n.parse::<u32>().is_ok() => {
                let method = if w.eq_ignore_ascii_case("any") { SyncMethod::Any } else { SyncMethod::First };
                let number = n.parse().map_err(|_| format!("not a number: {n}"))?;
                words.next();
                expect(&mut words, &Token::Open)?;
                (method, number, Vec::new())
            }
            (Token::Bare(n), Some(Token::Open)) if n.parse::<u32>().is_ok() => {
                let number = n.parse().map_err(|_| format!("not a number: {n}"))?;
                words.next();
                (SyncMethod::First, number, Vec::new())
            }
            (Token::Bare(n) | Token::Quoted(n), _) => {
                let mut names = vec![n.clone()];
                list(&mut words, &mut names)?;
                return match words.next() {
                    None => Ok(Some(SyncRule { method: SyncMethod::First, number: 1, names })),
                    Some(t) => Err(format!("unexpected {t:?} in synchronous_standby_names")),
                };
            }
            (t, _) => return Err(format!("unexpected {t:?} in synchronous_standby_names")),
        };
        match words.next() {
            Some(Token::Bare(n) | Token::Quoted(n)) => names.push(n),
            t => return Err(format!("a standby name was expected, not {t:?}")),
        }
        list(&mut words, &mut names)?;
        expect(&mut words, &Token::Close)?;
        Ok(Some(SyncRule { method, number, names }))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Bare(String),
    Quoted(String),
    Open,
    Close,
    Comma,
}

fn is_method(word: &str) -> bool {
    word.eq_ignore_ascii_case("any") || word.eq_ignore_ascii_case("first")
}

fn expect(words: &mut impl Iterator<Item = Token>, wanted: &Token) -> Result<(), String> {
    match words.next() {
        Some(t) if &t == wanted => Ok(()),
        t => Err(format!("{wanted:?} was expected in synchronous_standby_names, not {t:?}")),
    }
}

fn list(words: &mut std::iter::Peekable<impl Iterator<Item = Token>>, names: &mut Vec<String>) -> Result<(), String> {
    while words.next_if_eq(&Token::Comma).is_some() {
        match words.next() {
            Some(Token::Bare(n) | Token::Quoted(n)) => names.push(n),
            t => return Err(format!("a standby name was expected, not {t:?}")),
        }
    }
    Ok(())
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' => out.push(Token::Open),
            ')' => out.push(Token::Close),
            ',' => out.push(Token::Comma),
            '"' => {
                let mut name = String::new();
                loop {
                    match chars.next() {
                        Some('"') if chars.next_if_eq(&'"').is_some() => name.push('"'),
                        Some('"') => break,
                        Some(c) => name.push(c),
                        None => return Err("a quotation mark is left open in synchronous_standby_names".into()),
                    }
                }
                out.push(Token::Quoted(name));
            }
            c => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | ',' | '"')) {
                    word.push(c);
                }
                out.push(Token::Bare(word));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(text: &str) -> (SyncMethod, u32, Vec<String>) {
        let r = SyncRule::parse(text).unwrap().unwrap();
        (r.method, r.number, r.names)
    }

    #[test]
    fn what_cnpg_and_patroni_write() {
        let names = |n: &[&str]| n.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        assert_eq!(rule(r#"ANY 1 ("demo-2","demo-3")"#), (SyncMethod::Any, 1, names(&["demo-2", "demo-3"])));
        assert_eq!(rule("FIRST 2 (a, b, c)"), (SyncMethod::First, 2, names(&["a", "b", "c"])));
        assert_eq!(rule("2 (a, b)"), (SyncMethod::First, 2, names(&["a", "b"])));
        assert_eq!(rule("hippo-a-7x2k-0"), (SyncMethod::First, 1, names(&["hippo-a-7x2k-0"])));
        assert_eq!(rule("*"), (SyncMethod::First, 1, names(&["*"])));
        assert_eq!(rule("first, any"), (SyncMethod::First, 1, names(&["first", "any"])));
        assert_eq!(SyncRule::parse("  "), Ok(None));
    }

    #[test]
    fn refuses_half_rules() {
        for bad in ["ANY 1 (", "ANY 1 ()", "ANY (a)x y", "\"a", "a b", "ANY 1 (a", "(a)"] {
            assert!(SyncRule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_names_everyone() {
        assert!(SyncRule::parse("ANY 1 (*)").unwrap().unwrap().names("anything"));
        assert!(!SyncRule::parse("ANY 1 (a)").unwrap().unwrap().names("b"));
    }

    proptest! {
        #[test]
        fn never_panics(s in any::<String>()) {
            let _ = SyncRule::parse(&s);
        }
    }
}
