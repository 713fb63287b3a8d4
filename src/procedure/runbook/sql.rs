//! Is a text one query that only reads? A first look at a person's file; what runs it has a read-only transaction besides.

/// Functions that change something although a read-only transaction lets them: PostgreSQL can't tell. The list is what
/// PostgreSQL 18 documents under "System Administration Functions", sequences and large objects.
const CHANGE: [&str; 34] = [
    "pg_cancel_backend",
    "pg_terminate_backend",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_promote",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
    "pg_switch_wal",
    "pg_create_restore_point",
    "pg_backup_start",
    "pg_backup_stop",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_log_standby_snapshot",
    "pg_log_backend_memory_contexts",
    "pg_create_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_drop_replication_slot",
    "pg_copy_physical_replication_slot",
    "pg_copy_logical_replication_slot",
    "pg_replication_slot_advance",
    "pg_sync_replication_slots",
    "pg_logical_slot_get_changes",
    "pg_logical_slot_get_binary_changes",
    "pg_logical_emit_message",
    "pg_stat_reset",
    "pg_stat_reset_shared",
    "pg_stat_statements_reset",
    "pg_advisory_lock",
    "set_config",
    "setval",
    "nextval",
    "lo_import",
    "dblink_exec",
];

/// What speaks against a text, if anything does.
pub(super) fn wrong(text: &str) -> Option<String> {
    let bare = match bare(text) {
        Ok(bare) => bare,
        Err(open) => return Some(format!("{open} is not closed")),
    };
    let trimmed = bare.trim();
    if trimmed.is_empty() {
        return Some("a query was expected".into());
    }
    if trimmed.contains(';') {
        return Some("one query alone, without `;`".into());
    }
    let words: Vec<String> = trimmed
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect();
    let first = words.first().map(String::as_str).unwrap_or_default();
    if !["select", "with", "values", "table"].contains(&first) {
        return Some(format!("a query begins with SELECT, WITH, VALUES or TABLE, not with `{first}`"));
    }
    let changes = words.iter().find(|w| CHANGE.contains(&w.as_str()) || w.starts_with("pg_advisory"));
    changes.map(|w| format!("`{w}` changes something, and a check may only look"))
}

/// The text without what stands in quotes and comments; what is left open, where something is.
fn bare(text: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (skipped, open) = if rest.starts_with("--") {
            (rest.find('\n').or(Some(rest.len())), "")
        } else if rest.starts_with("/*") {
            (rest.find("*/").map(|n| n + 2), "a comment")
        } else if c == '\'' {
            (quoted(rest, '\''), "a text")
        } else if c == '"' {
            (quoted(rest, '"'), "a name in quotes")
        } else if let Some(tag) = dollar(rest) {
            (rest[tag.len()..].find(tag).map(|n| n + 2 * tag.len()), "a text in dollars")
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        rest = &rest[skipped.ok_or(open)?..];
        out.push(' ');
    }
    Ok(out)
}

/// Where a text in quotes ends; doubled quotes begin the next one, which comes to the same.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    rest[1..].find(quote).map(|n| n + 2)
}

/// `$$` or `$tag$`.
fn dollar(rest: &str) -> Option<&str> {
    let end = rest.strip_prefix('$')?.find('$')?;
    let tag = &rest[..end + 2];
    let name = &tag[1..=end];
    (!name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_query_that_reads() {
        for good in [
            "SELECT 1",
            " with a as (select 1) select * from a",
            "TABLE pg_stat_activity",
            "SELECT ';', $$;$$, $x$ a;b $x$ -- ;\n",
            "SELECT 'pg_promote()'",
            "VALUES ($1)",
        ] {
            assert_eq!(wrong(good), None, "{good}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (bad, why) in [
            ("", "a query was expected"),
            ("-- nothing", "a query was expected"),
            ("SELECT 1; DELETE FROM t", "one query alone"),
            ("DELETE FROM t", "not with `delete`"),
            ("SET transaction_read_only = off", "not with `set`"),
            ("SELECT pg_catalog.pg_terminate_backend(1)", "`pg_terminate_backend` changes"),
            ("SELECT pg_try_advisory_lock(1), pg_advisory_xact_lock(2)", "`pg_advisory_xact_lock` changes"),
            ("SELECT 'a", "a text is not closed"),
            ("SELECT /* ", "a comment is not closed"),
            ("SELECT E'\\'; DROP TABLE t; --'", "one query alone"),
        ] {
            let said = wrong(bad).unwrap_or_default();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(s in any::<String>(), t in "(select )?[$'\"/*-;a-zä]{0,30}") {
            let _ = wrong(&s);
            let _ = wrong(&t);
        }
    }
}
