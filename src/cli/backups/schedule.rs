//! `howdah backups schedule`: the schedules of a cluster as they are, or one of them changed.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::acting::act;
use super::take::{How, Where};
use crate::cli::act::At;
use crate::cli::args::Global;
use crate::cli::collect::Live;
use crate::cli::human::{coloured, faint, mark, strong};
use crate::cli::output::{Style, answer, say};
use crate::domain::backup::catalog::{Catalog, Flag, Witnesses};
use crate::domain::backup::cron::{Cron, Dialect};
use crate::domain::cluster::Cluster;
use crate::domain::health::Level;
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::Act;
use crate::procedure::catalog::backup::Scheduling;
use crate::text::markdown as escaped;

/// Runs that are told of each schedule.
const AHEAD: usize = 5;

/// Which schedule, and what becomes of it.
#[derive(Clone, Debug, Args)]
pub struct ScheduleArgs {
    /// Whose, and how it is followed.
    #[command(flatten)]
    pub at: At,
    /// The schedule [default: the cluster's only one, or a new one]
    pub name: Option<String>,
    /// When: six fields, seconds first; '0 0 3 * * *' is every day at 03:00 UTC
    #[arg(long, value_name = "CRON", conflicts_with = "delete")]
    pub cron: Option<String>,
    /// Make no backups by it
    #[arg(long, conflicts_with_all = ["resume", "delete"])]
    pub suspend: bool,
    /// Make backups by it again
    #[arg(long, conflicts_with = "delete")]
    pub resume: bool,
    /// A new one makes a backup as soon as it is made
    #[arg(long, conflicts_with = "delete")]
    pub immediate: bool,
    /// How its backups are taken
    #[arg(long, value_enum, default_value_t, conflicts_with = "delete")]
    pub method: How,
    /// From which instance
    #[arg(long, value_enum, conflicts_with = "delete")]
    pub target: Option<Where>,
    /// It goes; asks for its name
    #[arg(long)]
    pub delete: bool,
}

impl ScheduleArgs {
    /// What is asked for; `None`: only to see them.
    fn wanted(&self) -> Option<Scheduling> {
        let wanted = Scheduling {
            name: self.name.clone(),
            cron: self.cron.clone(),
            suspend: (self.suspend || self.resume).then_some(self.suspend),
            immediate: self.immediate,
            method: self.method.method(),
            from: self.target.map(Where::target),
            delete: self.delete,
        };
        let only_named = Scheduling { name: self.name.clone(), ..Scheduling::default() };
        (wanted != only_named).then_some(wanted)
    }
}

/// Shows them, or changes one.
///
/// # Errors
/// As [`act`]; a name that none of them has.
pub async fn run(global: &Global, args: &ScheduleArgs) -> Result<Exit, Problem> {
    if let Some(wanted) = args.wanted() {
        return act(global, &args.at, Act::Schedule(wanted)).await;
    }
    let mut live = Live::with_stores(global, false)?;
    let key = args.at.look(&mut live).await?;
    let known = live.facts.clusters.get(&key).cloned();
    let cluster = known.ok_or_else(|| Problem::new(format!("{key} is gone")))?;
    let report = report(&cluster, args.name.as_deref(), Timestamp::now())?;
    let style = Style::of_stdout();
    let said = answer(global.output.unwrap_or_default(), &report, || text(&report, style), || markdown(&report))?;
    // Whoever stopped reading knows what they wanted to know.
    let _ = say(&said);
    Ok(Exit::Ok)
}

/// The schedules of a cluster.
#[derive(Clone, Debug, Serialize)]
struct Report {
    at: Timestamp,
    context: String,
    namespace: String,
    cluster: String,
    retention: Option<String>,
    schedules: Vec<One>,
}

/// One schedule.
#[derive(Clone, Debug, Serialize)]
struct One {
    name: String,
    cron: String,
    /// What that means; null where it means nothing.
    means: Option<String>,
    suspended: bool,
    method: Option<String>,
    target: Option<String>,
    /// Who owns its Backup objects: with `self` they go with it.
    owner: Option<String>,
    last: Option<Timestamp>,
    /// By the expression, while it is not suspended.
    next: Vec<Timestamp>,
    /// Backup objects it made, of those seen.
    backups: usize,
    flag: Option<Flag>,
}

fn report(cluster: &Cluster, name: Option<&str>, now: Timestamp) -> Result<Report, Problem> {
    let b = &cluster.backups;
    if !b.listed {
        return Err(Problem::new(format!("the schedules of {} are not known", cluster.key))
            .because("backups and their schedules can't be listed here")
            .exit(Exit::Unknown));
    }
    let catalog = Catalog::assemble(&Witnesses::of(cluster, None), now);
    let one = |p: &crate::domain::backup::catalog::Planned| One {
        name: p.schedule.name.clone(),
        cron: p.schedule.cron.clone(),
        means: p.words.as_ref().ok().cloned(),
        suspended: p.schedule.suspended,
        method: p.schedule.method.clone(),
        target: p.schedule.target.clone(),
        owner: p.schedule.owner.clone(),
        last: p.schedule.last,
        next: next(&p.schedule.cron, p.schedule.suspended, &p.next, now),
        backups: b.objects.iter().filter(|o| o.schedule.as_deref() == Some(&p.schedule.name)).count(),
        flag: p.flag.clone(),
    };
    let wanted = |p: &&crate::domain::backup::catalog::Planned| name.is_none_or(|n| n.trim() == p.schedule.name);
    let schedules: Vec<One> = catalog.schedules.iter().filter(wanted).map(one).collect();
    if let (Some(name), true) = (name, schedules.is_empty()) {
        let names: Vec<_> = b.schedules.iter().map(|s| s.name.as_str()).collect();
        let hint = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
        let name = crate::text::clean(name);
        return Err(Problem::usage(format!("{} has no schedule {name}", cluster.key)).try_this(hint));
    }
    Ok(Report {
        at: now,
        context: cluster.key.context.to_string(),
        namespace: cluster.key.namespace.to_string(),
        cluster: cluster.key.name.to_string(),
        retention: b.retention.clone(),
        schedules,
    })
}

/// The catalog's runs, and a few more.
fn next(cron: &str, suspended: bool, known: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    match Cron::parse(cron, Dialect::Cnpg) {
        Ok(cron) if !suspended && cron.previous(now).is_some() => cron.runs(now, AHEAD),
        _ => known.to_vec(),
    }
}

fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// What is said of one, beside its expression.
fn facts(s: &One) -> Vec<String> {
    let mut out = vec![match (&s.method, &s.target) {
        (Some(method), Some(target)) => format!("{method} from {target}"),
        (Some(method), None) => method.clone(),
        (None, _) => "CNPG's default method".into(),
    }];
    out.push(s.last.map_or_else(|| "it never ran".into(), |at| format!("last run {}", clock(at))));
    let objects = if s.backups == 1 { "1 Backup object".to_owned() } else { format!("{} Backup objects", s.backups) };
    out.push(match s.owner.as_deref() {
        Some("self") => format!("{objects}, deleted with it"),
        _ => objects,
    });
    out
}

fn runs(s: &One) -> String {
    match s.next.is_empty() {
        true if s.suspended => "suspended: none".into(),
        true => "none".into(),
        false => format!("{} (UTC)", s.next.iter().map(|t| clock(*t)).collect::<Vec<_>>().join(", ")),
    }
}

fn text(report: &Report, style: Style) -> String {
    let retention = report.retention.as_ref().map_or_else(|| "no retention".into(), |r| format!("kept for {r}"));
    let name = strong(style, &format!("{}/{}", report.namespace, report.cluster));
    let mut out = format!("{name}  {}\n", faint(style, &format!("{} · {retention}", report.context)));
    if report.schedules.is_empty() {
        out += "  no schedule takes backups of it\n";
    }
    for s in &report.schedules {
        let means = s.means.as_deref().unwrap_or("means nothing");
        out += &format!("  {}  {}  {means}\n", strong(style, &s.name), s.cron);
        out += &format!("    {}\n    next  {}\n", faint(style, &facts(s).join(" · ")), runs(s));
        if let Some(flag) = &s.flag {
            out += &format!("    {} {}\n", coloured(style, flag.level, mark(flag.level)), flag.reason);
        }
    }
    out
}

fn markdown(report: &Report) -> String {
    let mut out = format!("# Schedules of {}/{}\n\n", escaped(&report.namespace), escaped(&report.cluster));
    if report.schedules.is_empty() {
        out += "No schedule takes backups of it.\n";
    }
    for s in &report.schedules {
        let means = escaped(s.means.as_deref().unwrap_or("means nothing"));
        out += &format!(
            "- {} (`{}`): {means}\n  - {}\n",
            escaped(&s.name),
            escaped(&s.cron),
            escaped(&facts(s).join(" · "))
        );
        out += &format!("  - next: {}\n", runs(s));
        if let Some(flag) = s.flag.as_ref().filter(|f| f.level > Level::Ok) {
            out += &format!("  - {}\n", escaped(&flag.reason));
        }
    }
    out
}
