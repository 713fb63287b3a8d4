//! Fingerprints of tables: the statements, and what their answers mean.
//!
//! A row's text is hashed with settings that are the same everywhere, and the hashes are summed: the order of rows does
//! not matter, and no contents leave the server.

use serde::Deserialize;

use super::tongue::Said;
use crate::domain::quantity::bytes;
use crate::domain::trial::{Print, Prints};

/// A table as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Table {
    /// As SQL writes it.
    pub name: String,
    /// `r` a table, `m` a materialized view, `f` a foreign table.
    kind: String,
    /// `p` permanent, `u` unlogged.
    persistence: String,
    bytes: u64,
}

/// What every row's text hangs on, and what keeps the server from being troubled.
pub fn settings(statement_ms: u64) -> Vec<String> {
    let fixed = [
        "SET datestyle = 'ISO, YMD'",
        "SET intervalstyle = 'postgres'",
        "SET timezone = 'UTC'",
        "SET extra_float_digits = 1",
        "SET bytea_output = 'hex'",
        "SET xmloption = 'content'",
        "SET lc_monetary = 'C'",
        "SET row_security = off",
        "SET lock_timeout = 2000",
        "SET max_parallel_workers_per_gather = 0",
        "SET synchronize_seqscans = off",
    ];
    let mut all: Vec<String> = fixed.map(str::to_owned).into();
    all.push(format!("SET statement_timeout = {statement_ms}"));
    all
}

/// Asks for every table of people's own: not the system's, and not one of howdah's drills.
pub const TABLES: &str = "SELECT coalesce(json_agg(json_build_object('name', format('%I.%I', n.nspname, c.relname), \
     'kind', c.relkind, 'persistence', c.relpersistence, 'bytes', pg_table_size(c.oid)) ORDER BY n.nspname, c.relname), \
     '[]'::json)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
     AND n.nspname <> 'information_schema' AND c.relname !~ '^howdah_drill_'";

/// Asks for the other databases.
pub const ELSEWHERE: &str = "SELECT coalesce(json_agg(datname ORDER BY datname), '[]'::json)::text FROM pg_database \
     WHERE datallowconn AND NOT datistemplate AND datname NOT IN (current_database(), 'postgres')";

/// Reads the answer to [`TABLES`].
///
/// # Errors
/// It is none.
pub fn tables(text: &str) -> Result<Vec<Table>, String> {
    serde_json::from_str(text).map_err(|e| format!("the list of tables can't be read: {e}"))
}

/// All that are asked for by name are there.
///
/// # Errors
/// One that is not.
pub fn present(all: &[Table], wanted: &[String]) -> Result<(), String> {
    match wanted.iter().find(|said| !all.iter().any(|t| t.is(said))) {
        Some(missing) => Err(format!("there is no table {missing}")),
        None => Ok(()),
    }
}

impl Table {
    /// It is the one that is called so; a name may leave the schema `public` out.
    pub fn is(&self, said: &str) -> bool {
        said == self.name || self.name.strip_prefix("public.") == Some(said)
    }

    /// Why there is nothing to compare.
    fn without(&self) -> Option<&'static str> {
        match (self.kind.as_str(), self.persistence.as_str()) {
            ("f", _) => Some("a foreign table: its rows are elsewhere"),
            (_, "u") => Some("unlogged: a recovery always empties it"),
            _ => None,
        }
    }

    /// The statement that asks for its rows, and for their checksum where it is no larger than `most`.
    fn statement(&self, most: u64) -> String {
        let name = &self.name;
        if self.bytes > most {
            return format!("SELECT count(*)::text FROM ONLY {name}");
        }
        format!(
            "SELECT count(*)::text || ' ' || coalesce(sum(hashtextextended((\"row of howdah\".*)::text COLLATE \"C\", \
             0)::numeric), 0)::text FROM ONLY {name} AS \"row of howdah\""
        )
    }
}

/// The statements of one look at these tables, all in one snapshot. [`read`] understands their answers.
pub fn statements(tables: &[Table], most: u64, statement_ms: u64) -> Vec<String> {
    let mut all = settings(statement_ms);
    all.push("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".into());
    for table in tables.iter().filter(|t| t.without().is_none()) {
        all.push("SAVEPOINT howdah".into());
        all.push(table.statement(most));
        all.push("ROLLBACK TO SAVEPOINT howdah".into());
    }
    all.push("COMMIT".into());
    all
}

/// What was said to [`statements`].
///
/// # Errors
/// The settings or the snapshot were refused.
pub fn read(tables: &[Table], most: u64, said: &[Said]) -> Result<Prints, String> {
    let first = settings(0).len() + 1;
    if let Some(why) = said.iter().take(first).find_map(|s| s.as_ref().err()) {
        return Err(why.clone());
    }
    let mut answers = said.iter().skip(first + 1).step_by(3);
    let mut prints = Prints::new();
    for table in tables {
        let print = match table.without() {
            Some(why) => Print { rows: None, sum: None, without: Some(why.into()) },
            None => print(table, most, answers.next()),
        };
        prints.insert(table.name.clone(), print);
    }
    Ok(prints)
}

fn print(table: &Table, most: u64, said: Option<&Said>) -> Print {
    let unread = |why: &str| Print { rows: None, sum: None, without: Some(format!("it could not be read: {why}")) };
    match said {
        Some(Ok(Some(text))) => {
            let mut words = text.split_whitespace();
            let rows = words.next().and_then(|n| n.parse().ok());
            let sum = words.next().map(str::to_owned);
            let without = (sum.is_none() && table.bytes > most).then(|| format!("larger than {}", bytes(most)));
            if rows.is_none() { unread("its count is no number") } else { Print { rows, sum, without } }
        }
        Some(Err(why)) => unread(why),
        Some(Ok(None)) | None => unread("no answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, kind: &str, persistence: &str, bytes: u64) -> Table {
        Table { name: name.into(), kind: kind.into(), persistence: persistence.into(), bytes }
    }

    #[test]
    fn answers_belong_to_their_tables() {
        let tables = [
            table("public.a", "r", "p", 10),
            table("public.b", "r", "u", 10),
            table("public.c", "m", "p", 5_000),
            table("public.d", "r", "p", 10),
        ];
        let put = statements(&tables, 1_000, 60_000);
        let mut said: Vec<Said> = put.iter().map(|_| Ok(None)).collect();
        for (n, statement) in put.iter().enumerate() {
            if statement.contains("public.a") {
                said[n] = Ok(Some("3 -77".into()));
            } else if statement.contains("public.c") {
                assert!(!statement.contains("hashtext"), "{statement}");
                said[n] = Ok(Some("9".into()));
            } else if statement.contains("public.d") {
                said[n] = Err("permission denied for table d".into());
            }
        }
        let prints = read(&tables, 1_000, &said).unwrap();
        assert_eq!(prints["public.a"], Print { rows: Some(3), sum: Some("-77".into()), without: None });
        assert!(prints["public.b"].without.as_ref().unwrap().starts_with("unlogged"));
        assert_eq!((prints["public.c"].rows, &prints["public.c"].sum), (Some(9), &None));
        assert!(prints["public.c"].without.as_ref().unwrap().starts_with("larger than"));
        assert!(prints["public.d"].without.as_ref().unwrap().contains("permission denied"));
        said[0] = Err("no".into());
        assert!(read(&tables, 1_000, &said).is_err());
    }

    #[test]
    fn some_tables_by_name() {
        let all = [table("public.a", "r", "p", 1), table("shop.\"B c\"", "r", "p", 1)];
        let there = |said: &[&str]| present(&all, &said.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(there(&[]), Ok(()));
        assert_eq!(there(&["a", "public.a", "shop.\"B c\""]), Ok(()));
        assert!(there(&["a", "b"]).unwrap_err().contains("no table b"));
    }
}
