//! The same for people: as a table, and as Markdown for a ticket.

use jiff::{SignedDuration, Timestamp};

use super::check::{CheckReport, WindowReport};
use super::list::{BackupReport, ListReport};
use super::{RiskReport, StoreReport};
use crate::cli::human::{coloured, columns, faint, mark, strong};
use crate::cli::output::Style;
use crate::domain::health::Level;
use crate::domain::quantity::{age, age_of, bytes, count};
use crate::text::markdown as escaped;

const HEAD: [&str; 8] = ["BACKUP", "VERDICT", "ENDED", "AGE", "METHOD", "SIZE", "TL", "END WAL"];
const RIGHT: [usize; 3] = [3, 5, 6];
const WINDOW: [&str; 5] = ["FROM", "UNTIL", "TL", "LAST WAL", "BACKUPS"];

/// A table row by row, as text.
struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn rows(&mut self, rows: &[Vec<String>], right: &[usize], level: impl Fn(usize) -> Option<Level>) {
        for (n, text) in columns(rows, right).iter().enumerate() {
            let text = match (n.checked_sub(1).map(&level), n) {
                (_, 0) => faint(self.style, text),
                (Some(Some(level)), _) => coloured(self.style, level, text),
                _ => text.clone(),
            };
            self.line(&format!("  {text}"));
        }
    }

    fn archive(&mut self, store: Option<&StoreReport>, at_risk: Option<&RiskReport>) {
        self.line(&format!("  store     {}", of_store(store)));
        if let Some(at_risk) = at_risk {
            self.line(&format!("  last WAL  {}", risk(at_risk)));
        }
    }

    fn finding(&mut self, level: Level, text: &str) {
        let sign = coloured(self.style, level, mark(level));
        self.line(&format!("  {sign} {text}"));
    }
}

/// The catalog.
pub fn list(report: &ListReport, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    let name = strong(style, &format!("{}/{}", report.namespace, report.cluster));
    page.line(&format!("{name}  {}", faint(style, &beside(report).join(" · "))));
    page.archive(report.store.as_ref(), report.at_risk.as_ref());
    if report.backups.is_empty() {
        page.line(&format!("  {}", nothing(report)));
    } else {
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        rows.extend(report.backups.iter().map(|b| cells(b, report.at)));
        page.rows(&rows, &RIGHT, |n| report.backups.get(n).map(|b| b.level).filter(|l| *l > Level::Unknown));
        for (backup, flag) in report.backups.iter().flat_map(|b| b.flags.iter().map(move |f| (b, f))) {
            if flag.level > Level::Ok {
                page.finding(flag.level, &format!("{}: {}", backup.name, flag.reason));
            }
        }
    }
    for schedule in &report.schedules {
        let means = schedule.means.as_deref().unwrap_or("means nothing");
        let next = schedule.next.first().map(|t| format!("; next {}", clock(*t))).unwrap_or_default();
        page.line(&format!("  schedule {} ({}): {means}{next}", schedule.name, schedule.cron));
        if let Some(flag) = &schedule.flag {
            page.finding(flag.level, &format!("{}: {}", schedule.name, flag.reason));
        }
    }
    page.text
}

fn nothing(report: &ListReport) -> &'static str {
    match (report.store.is_some(), report.objects_listed) {
        (true, true) => "there is no backup",
        (true, false) => "there is no backup in the store; Backup objects could not be listed",
        (false, _) => "no backup is known",
    }
}

fn beside(report: &ListReport) -> Vec<String> {
    let retention = report.retention.as_ref().map(|r| format!("retention {r}"));
    std::iter::once(report.context.clone()).chain(retention).collect()
}

fn of_store(store: Option<&StoreReport>) -> String {
    let Some(store) = store else { return "not listed".to_owned() };
    format!(
        "{}/{}: {} segments, {} of WAL, {} of base backups",
        store.destination.trim_end_matches('/'),
        store.server,
        count(store.segments),
        bytes(store.wal_bytes),
        bytes(store.base_bytes)
    )
}

fn risk(risk: &RiskReport) -> String {
    let age = risk.age_s.map_or_else(|| "?".to_owned(), |s| age_of(SignedDuration::from_secs(s)));
    let since = risk.bytes.filter(|n| *n > 0).map(|n| format!(", {} written since", bytes(n))).unwrap_or_default();
    format!("{} stored {age} ago{since}", risk.last_wal)
}

fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn cells(b: &BackupReport, now: Timestamp) -> Vec<String> {
    let dash = || "–".to_owned();
    let at = b.ended.or(b.started);
    vec![
        b.name.clone(),
        format!("{} {}", mark(b.level), b.verdict),
        b.ended.map_or_else(dash, clock),
        at.map_or_else(dash, |t| age(t, now)),
        b.method.clone(),
        b.bytes.map_or_else(dash, bytes),
        b.timeline.map_or_else(dash, |t| t.to_string()),
        b.end_wal.clone().unwrap_or_else(dash),
    ]
}

fn archive_markdown(store: Option<&StoreReport>, at_risk: Option<&RiskReport>) -> String {
    let last = at_risk.map(|r| format!("- last WAL: {}\n", escaped(&risk(r)))).unwrap_or_default();
    format!("- store: {}\n{last}", escaped(&of_store(store)))
}

/// The catalog as Markdown.
pub fn list_markdown(report: &ListReport) -> String {
    let mut out = format!("## Backups of {}/{}\n\n", escaped(&report.namespace), escaped(&report.cluster));
    out += &archive_markdown(report.store.as_ref(), report.at_risk.as_ref());
    if let Some(retention) = &report.retention {
        out += &format!("- retention: {}\n", escaped(retention));
    }
    out.push('\n');
    if report.backups.is_empty() {
        out += &format!("{}\n", nothing(report));
    } else {
        out += &table(&HEAD, &RIGHT, report.backups.iter().map(|b| cells(b, report.at)));
        let flags = report.backups.iter().flat_map(|b| b.flags.iter().map(move |f| (&b.name, f)));
        out.push('\n');
        for (name, flag) in flags {
            out += &format!("- {} {}: {}\n", flag.level.word(), escaped(name), escaped(&flag.reason));
        }
    }
    for s in &report.schedules {
        let means = s.means.as_deref().unwrap_or("means nothing");
        out += &format!("- schedule {} (`{}`): {}\n", escaped(&s.name), escaped(&s.cron), escaped(means));
    }
    out
}

fn table(head: &[&str], right: &[usize], rows: impl Iterator<Item = Vec<String>>) -> String {
    let rule = (0..head.len()).map(|n| if right.contains(&n) { "---:" } else { "---" });
    let mut out = format!("| {} |\n| {} |\n", head.join(" | "), rule.collect::<Vec<_>>().join(" | "));
    for cells in rows {
        out += &format!("| {} |\n", cells.iter().map(|c| escaped(c.trim())).collect::<Vec<_>>().join(" | "));
    }
    out
}

/// The archive's continuity.
pub fn check(report: &CheckReport, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    let name = strong(style, &format!("{}/{}", report.namespace, report.cluster));
    let level = coloured(style, report.level, &format!("{} {}", mark(report.level), report.level.word()));
    page.line(&format!("{level}  {name}  {}", faint(style, &report.context)));
    page.archive(Some(&report.store), report.at_risk.as_ref());
    for finding in &report.findings {
        page.finding(finding.level, &finding.text);
    }
    for backup in &report.backups {
        let said = match (backup.restorable, &backup.why) {
            (Some(true), _) => coloured(style, Level::Ok, "restorable"),
            (can, why) => {
                let level = if can.is_some() { Level::Bad } else { Level::Unknown };
                let word = if can.is_some() { "not restorable" } else { "unknown" };
                format!("{}: {}", coloured(style, level, word), why.as_deref().unwrap_or("nobody says why"))
            }
        };
        page.line(&format!("  base {}  {said}", backup.id));
    }
    if !report.windows.is_empty() {
        let mut rows = vec![WINDOW.map(str::to_owned).to_vec()];
        rows.extend(report.windows.iter().map(span));
        page.rows(&rows, &[2], |_| None);
    }
    page.text
}

fn span(w: &WindowReport) -> Vec<String> {
    let or = |t: Option<Timestamp>| t.map_or_else(|| "?".to_owned(), clock);
    let until = if w.open { format!("{} and on", or(w.until)) } else { or(w.until) };
    vec![or(w.from), until, w.timeline.to_string(), w.last_wal.clone(), w.backups.join(", ")]
}

/// The archive's continuity as Markdown.
pub fn check_markdown(report: &CheckReport) -> String {
    let name = format!("{}/{}", escaped(&report.namespace), escaped(&report.cluster));
    let mut out = format!("## Archive of {name}: {}\n\n", report.level.word());
    out += &archive_markdown(Some(&report.store), report.at_risk.as_ref());
    out.push('\n');
    for finding in &report.findings {
        out += &format!("- {} {}\n", finding.level.word(), escaped(&finding.text));
    }
    for b in &report.backups {
        let said = match b.restorable {
            Some(true) => "restorable",
            Some(false) => "not restorable",
            None => "unknown",
        };
        let why = b.why.as_ref().map(|w| format!(": {}", escaped(w))).unwrap_or_default();
        out += &format!("- base {} {said}{why}\n", escaped(&b.id));
    }
    if !report.windows.is_empty() {
        out.push('\n');
        out += &table(&WINDOW, &[2], report.windows.iter().map(span));
    }
    out
}
