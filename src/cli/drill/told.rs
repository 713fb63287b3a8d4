//! Drills as text: the report of one, the list of all.

use jiff::SignedDuration;
use serde::Serialize;

use crate::adapters::runs::Store;
use crate::cli::args::{Global, Output};
use crate::cli::collect::means;
use crate::cli::conduct::store;
use crate::cli::human::{coloured, columns, faint, mark, strong};
use crate::cli::output::{Style, answer, complain, say};
use crate::domain::health::Level;
use crate::domain::names::ClusterKey;
use crate::domain::quantity::{bytes, span};
use crate::domain::trial::Verdict;
use crate::problem::{Exit, Problem};
use crate::procedure::drill::{History, Past, Report, Restored, Trend};
use crate::procedure::{Kind, Outcome};

/// The report of a drill.
///
/// # Errors
/// It can't be written in this form.
pub fn report(report: &Report, form: Output, style: Style) -> Result<String, Problem> {
    answer(form, report, || table(report, style), || report.markdown())
}

fn table(r: &Report, style: Style) -> String {
    let level = Outcome::level(r.outcome);
    let word = r.outcome.map_or("not ended", Outcome::word);
    let mut out =
        format!("{} {}\n", coloured(style, level, &format!("{} {word}", mark(level))), strong(style, &r.title));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, is: String| rows.push(vec![format!("  {what}"), is]);
    for o in &r.objectives {
        let met = match o.met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "not measured",
        };
        row(&o.name, format!("{met}: {}", o.text));
    }
    if r.phases.struck.is_some() {
        let name =
            |n: &Option<crate::domain::names::InstanceName>| n.as_ref().map_or("unknown".into(), ToString::to_string);
        row("primary", format!("{} → {}", name(&r.leader.0), name(&r.leader.1)));
        let phases: Vec<_> = r.spans.iter().filter(|s| s.phase != "full redundancy").collect();
        let one = |s: &&crate::procedure::drill::Span| format!("{} {}", s.phase, took(s.ms));
        row("phases", phases.iter().map(one).collect::<Vec<_>>().join(", "));
        row("full redundancy", format!("after {}", took(r.spans.last().and_then(|s| s.ms))));
    }
    if let Some(t) = &r.tally {
        let unknown = t.unknown_there + t.unknown_gone;
        row(
            "writes",
            format!("{} acknowledged, {} lost, {unknown} unknown, {} refused", t.acknowledged, t.lost, t.refused),
        );
        row("reads", format!("{} answered, {} failed", t.reads.0, t.reads.1));
        if !t.lost_names.is_empty() {
            row("lost", t.lost_names.iter().take(10).cloned().collect::<Vec<_>>().join(", "));
        }
    }
    if let Some(restored) = &r.restored {
        restore(restored).into_iter().for_each(|(what, is)| row(what, is));
    }
    row("run", r.run.to_string());
    out.push_str(&(columns(&rows, &[]).join("\n") + "\n"));
    for step in r.steps.iter().filter(|s| s.problem.is_some()) {
        if let Some(problem) = &step.problem {
            out.push_str(&format!("  {} {}: {}\n", mark(Level::Bad), step.title, problem.line()));
        }
    }
    if let Some(viewpoint) = r.viewpoint() {
        out.push_str(&faint(style, &format!("  {viewpoint}")));
        out.push('\n');
    }
    out
}

/// What a restore drill tells beside its objectives.
fn restore(r: &Restored) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let base = r.base.as_deref().unwrap_or("not known");
    let tries = if r.failed > 0 { format!(", at attempt {}", r.failed + 1) } else { String::new() };
    let wal = r.wal_bytes.map(|n| format!(", {} of WAL replayed", bytes(n))).unwrap_or_default();
    rows.push(("base backup", format!("{base}{tries}{wal}")));
    if !r.spans.is_empty() {
        let parts: Vec<_> = r.spans.iter().map(|s| format!("{} {}", s.phase, took(s.ms))).collect();
        rows.push(("parts", parts.join(", ")));
    }
    if let Some(reached) = &r.reached {
        let last = reached.last_transaction.as_ref().map(|at| format!("last transaction of {at}"));
        let told: Vec<_> = last.into_iter().chain(reached.stopped.clone()).collect();
        if !told.is_empty() {
            rows.push(("reached", told.join("; ")));
        }
    }
    let telling = r.tables.iter().filter(|(_, t)| t.verdict != Verdict::Same);
    rows.extend(telling.map(|(name, t)| ("table", format!("{name}: {}", t.text))));
    if !r.elsewhere.is_empty() {
        rows.push(("not compared", format!("other databases: {}", r.elsewhere.join(", "))));
    }
    if let Some(checked) = r.checked.as_ref().filter(|c| c.well.is_none()) {
        rows.push(("data files", format!("not looked through: {}", checked.how)));
    }
    rows
}

fn took(ms: Option<i64>) -> String {
    ms.map_or("not seen".into(), |ms| span(SignedDuration::from_millis(ms)))
}

#[derive(Serialize)]
struct Listed {
    context: String,
    cluster: String,
    drills: Vec<Past>,
    trends: Vec<Trend>,
}

/// Past drills and where they go.
///
/// # Errors
/// The journals can't be read.
pub fn list(global: &Global, cluster: Option<&str>) -> Result<Exit, Problem> {
    let (reports, damaged) = reports(&store(global)?)?;
    let mut keys: Vec<&ClusterKey> = reports.iter().map(|r| &r.cluster).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| cluster.is_none_or(|said| means(said, key)));
    let listed: Vec<Listed> = keys.into_iter().map(|key| listed(key, &reports)).collect();
    let form = global.output.unwrap_or_default();
    let _ = say(&answer(form, &listed, || rows(&listed, Style::of_stdout()), || markdown(&listed))?);
    Ok(if damaged { Exit::No } else { Exit::Ok })
}

fn listed(key: &ClusterKey, reports: &[Report]) -> Listed {
    let history = History::of(key, reports);
    let kinds =
        [Kind::FailoverDrill, Kind::SwitchoverDrill, Kind::ZoneLossDrill, Kind::StandbyLossDrill, Kind::RestoreDrill];
    let trends = kinds.iter().filter_map(|kind| history.trend(*kind)).collect();
    Listed { context: key.context.to_string(), cluster: key.to_string(), drills: history.past, trends }
}

/// The reports of all drills whose journals can be read, and whether one could not.
///
/// # Errors
/// The folder of journals can't be read.
pub fn reports(store: &Store) -> Result<(Vec<Report>, bool), Problem> {
    let (mut reports, mut damaged) = (Vec::new(), false);
    for summary in store.list()? {
        let written = summary.and_then(|s| match s.kind.is_drill() {
            true => store.read(&s.run).map(Some),
            false => Ok(None),
        });
        match written {
            Ok(Some(written)) => reports.extend(Report::of(&written.entries)),
            Ok(None) => {}
            Err(problem) => {
                damaged = true;
                complain(&problem);
            }
        }
    }
    Ok((reports, damaged))
}

const HEAD: [&str; 7] = ["BEGAN", "DRILL", "OUTCOME", "OUTAGE", "LOST", "FULL REDUNDANCY", "RESTORED IN"];

fn cells(p: &Past) -> Vec<String> {
    // A restore has no outage, and an outage no restore.
    let restore = p.kind == Kind::RestoreDrill;
    let outage = |words: String| if restore { String::new() } else { words };
    vec![
        format!("{:.0}", p.began),
        p.kind.name().to_owned(),
        p.outcome.map_or("not ended", Outcome::word).to_owned(),
        outage(took(p.rto_ms)),
        outage(p.rpo.map_or("not counted".into(), |n| n.to_string())),
        outage(took(p.redundant_ms)),
        if restore { took(p.restored_ms) } else { String::new() },
    ]
}

fn rows(listed: &[Listed], style: Style) -> String {
    if listed.is_empty() {
        return faint(style, "no drill was done yet; howdah drill failover CLUSTER is one") + "\n";
    }
    let mut out = String::new();
    for l in listed {
        out.push_str(&format!("{}\n", strong(style, &l.cluster)));
        let mut all = vec![HEAD.map(str::to_owned).to_vec()];
        all.extend(l.drills.iter().map(cells));
        out.push_str(&(columns(&all, &[]).join("\n") + "\n"));
        for t in &l.trends {
            out.push_str(&faint(style, &format!("{}: {} ({} measured)", t.kind.name(), t.text, t.drills)));
            out.push('\n');
        }
    }
    out
}

fn markdown(listed: &[Listed]) -> String {
    let mut out = String::new();
    for l in listed {
        out.push_str(&format!(
            "## {}\n\n| {} |\n|{}\n",
            l.cluster,
            HEAD.join(" | ").to_lowercase(),
            "---|".repeat(HEAD.len())
        ));
        for p in &l.drills {
            out.push_str(&format!("| {} |\n", cells(p).join(" | ")));
        }
        out.push('\n');
    }
    out
}
