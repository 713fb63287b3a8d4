//! `status` for people: as a table, and as Markdown for a ticket.

use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

use super::human::{coloured, columns, faint, mark, strong};
use super::output::Style;
use super::report::{
    ArchivingReport, BackupsReport, ClusterReport, InstanceReport, Report, ServiceReport, SyncReport, VerdictReport,
};
use crate::domain::health::Level;
use crate::domain::quantity::{age_of, bytes, span};
use crate::text::markdown as escaped;

const HEADS: [&str; 11] = ["INSTANCE", "ROLE", "ZONE", "NODE", "READY", "STATE", "SYNC", "LSN", "LAG", "TIME", "TL"];
/// Figures stand on the right.
const RIGHT: [usize; 4] = [7, 8, 9, 10];

/// The table.
pub fn table(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for (n, cluster) in report.clusters.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        one(&mut out, cluster, style);
    }
    // An API that a cluster does not use and this Kubernetes does not have is no news to a person.
    let told: Vec<_> = report.sources.iter().filter(|s| !s.not_installed).collect();
    if !told.is_empty() {
        out.push('\n');
        for source in told {
            let why = source.why.as_deref().map(|w| format!(": {w}")).unwrap_or_default();
            line(&mut out, &faint(style, &format!("{} {}{why}", source.source, source.state)));
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn one(out: &mut String, c: &ClusterReport, style: Style) {
    let name = strong(style, &format!("{}/{}", c.namespace, c.name));
    let head = coloured(style, c.level, &format!("{} {}", mark(c.level), c.level.word()));
    line(out, &format!("{head}  {name}  {}", faint(style, &facts(c).join(" · "))));
    for (title, verdict) in [("availability", &c.availability), ("recoverability", &c.recoverability)] {
        let word = coloured(style, verdict.level, verdict.level.word());
        line(out, &format!("  {title:<15}{word}"));
        for reason in &verdict.reasons {
            let runbook = reason.runbook.as_ref().map(|name| format!("; runbook: {name}")).unwrap_or_default();
            let said = faint(style, &format!("({}, {} ago{runbook})", reason.witness, ago(reason.age_s)));
            let sign = coloured(style, reason.level, mark(reason.level));
            line(out, &format!("    {sign} {} {said}", reason.text));
        }
    }
    let mut rows = vec![HEADS.iter().map(ToString::to_string).collect()];
    rows.extend(c.instances.iter().map(|i| row(i, c)));
    for (n, text) in columns(&rows, &RIGHT).iter().enumerate() {
        line(out, &format!("  {}", if n == 0 { faint(style, text) } else { text.clone() }));
    }
    for instance in &c.instances {
        if let Some(why) = &instance.silent {
            line(out, &format!("  {} can't be asked: {why}", instance.name));
        }
    }
    for (title, text) in foot(c) {
        line(out, &format!("  {title:<15}{text}"));
    }
}

/// What stands beside a cluster's name.
fn facts(c: &ClusterReport) -> Vec<String> {
    let number = |n: Option<u32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let mut out = vec![
        c.context.clone(),
        format!("{}/{} ready", number(c.ready), number(c.wanted)),
        match c.zones.len() {
            0 => "zones unknown".to_owned(),
            1 => "1 zone".to_owned(),
            n => format!("{n} zones"),
        },
    ];
    out.extend(c.postgres_version.as_ref().map(|v| format!("PostgreSQL {v}")));
    out.push(format!("{} {}", c.operator, c.operator_version.as_deref().unwrap_or("?")).trim().to_owned());
    out.extend(c.timeline.map(|t| format!("timeline {t}")));
    out.extend(c.phase.clone());
    out
}

fn row(i: &InstanceReport, c: &ClusterReport) -> Vec<String> {
    let dash = || "–".to_owned();
    let text = |t: Option<&str>| t.map_or_else(dash, ToOwned::to_owned);
    let star = if i.role == Some("primary") { "★ " } else { "  " };
    let role = match (i.role, i.role_by) {
        // Told by a label only: the instance itself was not heard.
        (Some(role), Some("label")) => format!("{role}?"),
        (role, _) => text(role),
    };
    let fenced = c.fenced.iter().any(|f| f == "*" || *f == i.name);
    vec![
        format!("{star}{}", i.name),
        role,
        text(i.zone.as_deref()),
        text(i.node.as_deref()),
        match (fenced, i.ready) {
            (true, _) => "fenced".into(),
            (false, Some(true)) => "yes".into(),
            (false, Some(false)) => "no".into(),
            (false, None) => dash(),
        },
        text(i.state.as_deref()),
        text(i.sync),
        i.lsn.map_or_else(dash, |l| l.to_string()),
        i.lag_bytes.map_or_else(dash, |n| format!("{}{}", if i.lag_at_least { "≥" } else { "" }, bytes(n))),
        i.replay_lag_s.and_then(|s| SignedDuration::try_from_secs_f64(s).ok()).map_or_else(dash, span),
        i.timeline.map_or_else(dash, |t| t.to_string()),
    ]
}

fn foot(c: &ClusterReport) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    if let Some(target) = c.target.as_ref().filter(|t| c.primary.as_ref() != Some(*t)) {
        out.push(("primary", format!("{} ▶ {target}", c.primary.as_deref().unwrap_or("–"))));
    }
    out.push(("sync", sync(&c.sync)));
    out.push(("archiving", archiving(&c.archiving)));
    out.push(("backups", backups(&c.backups)));
    let leads: Vec<_> = c.services.iter().filter_map(|s| leads(c, s)).collect();
    if !leads.is_empty() {
        out.push(("services", leads.join("   ")));
    }
    out
}

fn sync(sync: &SyncReport) -> String {
    match (&sync.promised, sync.live.as_deref()) {
        (None, Some("")) => "asynchronous".to_owned(),
        (promised, live) => {
            let promised = promised.as_deref().unwrap_or("nothing");
            let live = match live {
                Some("") => "; live: none".to_owned(),
                Some(live) => format!("; live: {live}"),
                None => String::new(),
            };
            format!("promised {promised}{live}")
        }
    }
}

fn archiving(a: &ArchivingReport) -> String {
    let mut out = match (&a.by, a.working) {
        (None, _) => "not set up".to_owned(),
        (Some(_), Some(true)) => "ok".to_owned(),
        (Some(_), Some(false)) => "failing".to_owned(),
        (Some(_), None) => "unknown".to_owned(),
    };
    if let (Some(wal), Some(age)) = (&a.last_wal, a.last_age_s) {
        let _ = write!(out, "; last {wal} {} ago", ago(age));
    }
    if let Some(waiting) = a.ready_wal_files {
        let _ = write!(out, "; {waiting} waiting");
    }
    if let Some(to) = &a.destination {
        let _ = write!(out, "; to {to}");
    }
    out
}

fn backups(b: &BackupsReport) -> String {
    match (b.listed, b.last_successful_age_s) {
        (_, Some(age)) => {
            let since = b.first_recoverability_point.map(|t| format!("; recoverable since {t}")).unwrap_or_default();
            format!("last good one {} ago{since}", ago(age))
        }
        (true, None) => "none".to_owned(),
        (false, None) => "unknown".to_owned(),
    }
}

/// `-rw ▶ pg-primary-1`; services of other names are left to the other forms.
fn leads(c: &ClusterReport, service: &ServiceReport) -> Option<String> {
    let to = match service.leads_to.as_deref() {
        None => "?".to_owned(),
        Some([]) => "nowhere".to_owned(),
        Some(names) => names.join(", "),
    };
    let short = service.name.strip_prefix(c.name.as_str()).filter(|s| s.starts_with('-'))?;
    Some(format!("{short} ▶ {to}"))
}

fn ago(seconds: i64) -> String {
    age_of(SignedDuration::from_secs(seconds))
}

/// The same as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let at = report.at.round(jiff::Unit::Second).unwrap_or(Timestamp::UNIX_EPOCH);
    line(&mut out, &format!("Status at {at}: **{}**", report.level.word()));
    for c in &report.clusters {
        line(&mut out, &format!("\n## {}/{}: {}\n", escaped(&c.namespace), escaped(&c.name), c.level.word()));
        line(&mut out, &escaped(&facts(c).join(" · ")));
        out.push('\n');
        verdict(&mut out, "availability", &c.availability);
        verdict(&mut out, "recoverability", &c.recoverability);
        out.push('\n');
        line(&mut out, &format!("| {} |", HEADS.join(" | ")));
        let rule = (0..HEADS.len()).map(|n| if RIGHT.contains(&n) { "---:" } else { "---" });
        line(&mut out, &format!("| {} |", rule.collect::<Vec<_>>().join(" | ")));
        for i in &c.instances {
            let cells: Vec<_> = row(i, c).iter().map(|t| escaped(t.trim())).collect();
            line(&mut out, &format!("| {} |", cells.join(" | ")));
        }
        out.push('\n');
        for (title, text) in foot(c) {
            line(&mut out, &format!("- {title}: {}", escaped(&text)));
        }
    }
    for source in report.sources.iter().filter(|s| !s.not_installed) {
        let why = source.why.as_deref().map(|w| format!(": {}", escaped(w))).unwrap_or_default();
        line(&mut out, &format!("- source {} is {}{why}", escaped(&source.source), source.state));
    }
    out
}

fn verdict(out: &mut String, title: &str, v: &VerdictReport) {
    line(out, &format!("- {title}: **{}**", v.level.word()));
    for r in &v.reasons {
        let level = if r.level == Level::Ok { "" } else { r.level.word() };
        let runbook = r.runbook.as_ref().map(|name| format!("; runbook: `{name}`")).unwrap_or_default();
        let said = format!("{}, {} ago", escaped(&r.witness), ago(r.age_s));
        line(out, &format!("  - {level} {} ({said}{runbook})", escaped(&r.text)));
    }
}
