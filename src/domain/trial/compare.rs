//! Tables of a restored cluster against those of its source.
//!
//! The source goes on while it is looked at, so it is looked at twice, before and after the moment that was recovered to.
//! A table that was the same both times had not changed, and must be exactly the same in the restored one. Of one that
//! changed nothing can be proven: that is told, and is no failure. A count alone proves no contents.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::{Print, Prints, ROWS, many};

/// What came of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It must be the same and is not.
    Different,
    /// Rows and checksum are those of the source.
    Same,
    /// As many rows as in the source; their contents were not compared.
    Counted,
    /// It changed in the source while it was looked at.
    Changed,
    /// It was not compared.
    Skipped,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// What came of it.
    pub verdict: Verdict,
    /// Its rows in the restored cluster.
    pub rows: Option<u64>,
    /// In words.
    pub text: String,
}

/// Everything that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Who was asked, and how.
    pub by: String,
    /// Marker rows that are there, by batch.
    pub marks: BTreeMap<u8, u64>,
    /// When the newest of them was written.
    pub newest: Option<Timestamp>,
    /// Where the restored cluster left its source's timeline, as PostgreSQL wrote it down.
    pub left: Option<String>,
    /// Tables by name.
    pub tables: BTreeMap<String, Compared>,
}

/// How many tables came to which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as the verdicts")]
pub struct Counts {
    pub same: usize,
    pub counted: usize,
    pub changed: usize,
    pub different: usize,
    pub skipped: usize,
}

impl Comparison {
    /// What is wrong with the markers: batches 1 and 2 must be there, and nothing of batch 3.
    pub fn missed(&self) -> Option<String> {
        let rows = |batch: u8| self.marks.get(&batch).copied().unwrap_or_default();
        for (batch, which) in [(1, "first markers"), (2, "markers right before the moment")] {
            if rows(batch) != ROWS {
                return Some(format!("{} of {ROWS} of the {which} are there: it ends too early", rows(batch)));
            }
        }
        (rows(3) > 0).then(|| format!("{} markers from after the moment are there: it ends too late", rows(3)))
    }

    /// How many came to which verdict.
    pub fn counts(&self) -> Counts {
        let of = |verdict| self.tables.values().filter(|t| t.verdict == verdict).count();
        Counts {
            same: of(Verdict::Same),
            counted: of(Verdict::Counted),
            changed: of(Verdict::Changed),
            different: of(Verdict::Different),
            skipped: of(Verdict::Skipped),
        }
    }

    /// The moment is right, and no table differs.
    pub fn well(&self) -> bool {
        self.missed().is_none() && self.counts().different == 0
    }

    /// In words.
    pub fn words(&self) -> String {
        let marks = self.missed().unwrap_or_else(|| "it ends at the right moment".into());
        let different: Vec<_> =
            self.tables.iter().filter(|(_, t)| t.verdict == Verdict::Different).map(|(n, _)| n.as_str()).collect();
        let names = if different.is_empty() { String::new() } else { format!(" ({})", different.join(", ")) };
        format!("{marks}; {}{names}", self.counts().words())
    }
}

impl Counts {
    /// `3 tables the same, 1 changed meanwhile, 0 different`.
    pub fn words(self) -> String {
        let Counts { same, counted, changed, different, skipped } = self;
        let mut words = format!("{} the same", many(same, "table"));
        for (n, what) in
            [(counted, "the same by count alone"), (changed, "changed meanwhile"), (skipped, "not compared")]
        {
            if n > 0 {
                words.push_str(&format!(", {n} {what}"));
            }
        }
        format!("{words}, {different} different")
    }

    /// `12 tables the same`; where there are any, only `1 table different`; `no table different` where all there are changed
    /// meanwhile.
    pub fn short(self) -> String {
        match (self.different, self.same + self.counted, self.changed) {
            (0, 0, 0) => "no table compared".into(),
            (0, 0, _) => "no table different".into(),
            (0, same, _) => format!("{} the same", many(same, "table")),
            (n, ..) => format!("{} different", many(n, "table")),
        }
    }
}

/// Compares every table that any of the three looks shows.
pub fn compare(before: &Prints, after: &Prints, restored: &Prints) -> BTreeMap<String, Compared> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).chain(restored.keys()).collect();
    let one = |name: &String| {
        let (verdict, text) = table(before.get(name), after.get(name), restored.get(name));
        let rows = restored.get(name).and_then(|p| p.rows);
        (name.clone(), Compared { verdict, rows, text })
    };
    names.into_iter().map(one).collect()
}

fn table(before: Option<&Print>, after: Option<&Print>, restored: Option<&Print>) -> (Verdict, String) {
    let (Some(before), Some(after)) = (before, after) else {
        let text = match (before, after, restored) {
            (Some(_), None, _) => "dropped in the source meanwhile",
            (None, Some(_), _) => "made in the source meanwhile",
            _ => "not in the source when it was looked at",
        };
        return (Verdict::Changed, text.into());
    };
    let (Some(first), Some(last)) = (before.rows, after.rows) else {
        let why = before.without.as_ref().or(after.without.as_ref());
        return (Verdict::Skipped, why.cloned().unwrap_or_else(|| "it could not be read in the source".into()));
    };
    if (first, &before.sum) != (last, &after.sum) {
        let there = match restored.and_then(|r| r.rows) {
            Some(rows) => format!("; {rows} are there"),
            None => "; it could not be read in the restored cluster".into(),
        };
        let text = match first == last {
            true => format!("its {first} rows changed meanwhile{there}"),
            false => format!("changed meanwhile, rows between {} and {}{there}", first.min(last), first.max(last)),
        };
        return (Verdict::Changed, text);
    }
    let Some(restored) = restored else {
        return (Verdict::Different, format!("it is not there; the source has {first} rows"));
    };
    let Some(rows) = restored.rows else {
        let why = restored.without.as_deref().unwrap_or("no reason is known");
        return (Verdict::Different, format!("it can't be read in the restored cluster: {why}"));
    };
    if rows != first {
        return (Verdict::Different, format!("{rows} rows are there, the source has {first}"));
    }
    match (&before.sum, &restored.sum) {
        (Some(a), Some(b)) if a == b => (Verdict::Same, format!("{rows} rows")),
        (Some(_), Some(_)) => (Verdict::Different, format!("{rows} rows as in the source, with other contents")),
        _ => {
            let why = before.without.as_ref().or(restored.without.as_ref());
            let why = why.map(|w| format!(": {w}")).unwrap_or_default();
            (Verdict::Counted, format!("{rows} rows; their contents were not compared{why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(rows: u64, sum: &str) -> Print {
        Print { rows: Some(rows), sum: Some(sum.into()), without: None }
    }

    fn unread(why: &str) -> Print {
        Print { rows: None, sum: None, without: Some(why.into()) }
    }

    fn counted(rows: u64) -> Print {
        Print { rows: Some(rows), sum: None, without: Some("larger than 1 GB".into()) }
    }

    fn verdict(before: Option<Print>, after: Option<Print>, restored: Option<Print>) -> (Verdict, String) {
        table(before.as_ref(), after.as_ref(), restored.as_ref())
    }

    #[test]
    fn what_did_not_change_must_be_the_same() {
        let a = || Some(print(3, "7"));
        assert_eq!(verdict(a(), a(), a()), (Verdict::Same, "3 rows".into()));
        assert_eq!(verdict(a(), a(), Some(print(3, "8"))).0, Verdict::Different);
        assert_eq!(verdict(a(), a(), Some(print(2, "7"))).0, Verdict::Different);
        assert_eq!(verdict(a(), a(), None).0, Verdict::Different);
        let (broken, text) = verdict(a(), a(), Some(unread("invalid page in block 7")));
        assert_eq!((broken, text.contains("invalid page")), (Verdict::Different, true));
    }

    #[test]
    fn of_what_changed_nothing_is_proven() {
        let (before, after) = (Some(print(3, "7")), Some(print(9, "8")));
        let (found, text) = verdict(before.clone(), after.clone(), Some(print(100, "1")));
        assert_eq!(
            (found, text.as_str()),
            (Verdict::Changed, "changed meanwhile, rows between 3 and 9; 100 are there")
        );
        assert_eq!(verdict(before.clone(), after.clone(), None).0, Verdict::Changed);
        let updated = verdict(before.clone(), Some(print(3, "8")), before.clone());
        assert_eq!(updated, (Verdict::Changed, "its 3 rows changed meanwhile; 3 are there".into()));
        assert_eq!(verdict(None, after.clone(), None).1, "made in the source meanwhile");
        assert_eq!(verdict(before, None, None).1, "dropped in the source meanwhile");
        assert_eq!(verdict(None, None, after).0, Verdict::Changed);
    }

    #[test]
    fn a_count_is_no_proof_of_contents() {
        assert_eq!(verdict(Some(counted(5)), Some(counted(5)), Some(counted(5))).0, Verdict::Counted);
        assert_eq!(verdict(Some(counted(5)), Some(counted(5)), Some(print(5, "1"))).0, Verdict::Counted);
        assert_eq!(verdict(Some(counted(5)), Some(counted(5)), Some(counted(4))).0, Verdict::Different);
        let skipped = verdict(Some(unread("unlogged")), Some(unread("unlogged")), Some(print(0, "0")));
        assert_eq!(skipped, (Verdict::Skipped, "unlogged".into()));
    }

    fn comparison(marks: &[(u8, u64)]) -> Comparison {
        let tables = compare(
            &Prints::from([("a".into(), print(1, "1")), ("b".into(), print(1, "1"))]),
            &Prints::from([("a".into(), print(1, "1")), ("b".into(), print(2, "2"))]),
            &Prints::from([("a".into(), print(1, "1")), ("b".into(), print(2, "2"))]),
        );
        Comparison { by: "psql".into(), marks: marks.iter().copied().collect(), newest: None, left: None, tables }
    }

    #[test]
    fn the_markers_tell_where_it_ends() {
        assert!(comparison(&[(1, ROWS), (2, ROWS)]).well());
        assert!(comparison(&[(1, ROWS)]).missed().unwrap().contains("too early"));
        assert!(comparison(&[]).missed().unwrap().contains("too early"));
        assert!(comparison(&[(1, ROWS), (2, ROWS), (3, 1)]).missed().unwrap().contains("too late"));
        assert_eq!(
            comparison(&[(1, ROWS), (2, ROWS)]).words(),
            "it ends at the right moment; 1 table the same, 1 changed meanwhile, 0 different"
        );
    }

    proptest! {
        /// Whatever is restored is the same only when it is the very same as both looks at the source.
        #[test]
        fn same_means_the_same_three_times(a in 0u64..3, b in 0u64..3, c in 0u64..3, x in 0u8..2, y in 0u8..2, z in 0u8..2) {
            let (a, b, c) = (print(a, &x.to_string()), print(b, &y.to_string()), print(c, &z.to_string()));
            let (found, _) = table(Some(&a), Some(&b), Some(&c));
            prop_assert_eq!(found == Verdict::Same, a == b && b == c);
            prop_assert_eq!(found == Verdict::Different, a == b && b != c);
        }
    }
}
