//! `howdah runs`: what was done, and going on with what was interrupted.

use clap::{Args, Subcommand};
use jiff::SignedDuration;
use serde::Serialize;

use super::args::{Global, Output};
use super::collect::{Live, ahead};
use super::conduct::{Following, TakenUp, result_text, store};
use super::human::{columns, faint};
use super::output::{Style, answer, complain, say};
use super::runbook::meanwhile;
use crate::adapters::runs::Store;
use crate::problem::{Exit, Problem};
use crate::procedure::runbook::record;
use crate::procedure::{Kind, Run, RunId, Summary};

/// `howdah runs`.
#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: RunsCommand,
}

/// What `howdah runs` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum RunsCommand {
    /// Every run, the newest first
    List,
    /// One run: its steps, what proved them, what was noted
    Show {
        /// Its name, or the beginning of it
        run: String,
    },
    /// Takes up a run that was interrupted: finds out from the cluster what happened, and goes on or asks
    Resume {
        /// Its name, or the beginning of it
        run: String,
        /// How to answer
        #[command(flatten)]
        following: Resuming,
    },
}

/// How questions are answered on the way.
#[derive(Clone, Debug, Default, Args)]
pub struct Resuming {
    /// The name that a guarded step asks for
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Why a step that is stuck goes on as it does; goes into the journal
    #[arg(long, value_name = "WORDS")]
    pub because: Option<String>,
}

/// How long the first answers may take.
const FIRST: SignedDuration = SignedDuration::from_secs(10);

/// Runs it.
///
/// # Errors
/// No such run, a damaged journal, a run that another process drives; of resuming as [`TakenUp::follow`].
pub async fn run(global: &Global, args: &RunsArgs) -> Result<Exit, Problem> {
    let store = store(global)?;
    match &args.command {
        RunsCommand::List => list(global, &store),
        RunsCommand::Show { run } => show(global, &store, &store.find(run)?),
        RunsCommand::Resume { run, following } => resume(global, &store, &store.find(run)?, following).await,
    }
}

#[derive(Serialize)]
struct Row {
    run: String,
    kind: String,
    context: String,
    cluster: String,
    title: String,
    by: String,
    opened: jiff::Timestamp,
    last: jiff::Timestamp,
    state: String,
}

fn row(s: Summary) -> Row {
    let state = s.state();
    Row {
        run: s.run.to_string(),
        kind: s.kind.name().into(),
        context: s.cluster.context.to_string(),
        cluster: s.cluster.to_string(),
        title: s.title,
        by: s.by,
        opened: s.opened,
        last: s.last,
        state,
    }
}

fn list(global: &Global, store: &Store) -> Result<Exit, Problem> {
    let mut rows = Vec::new();
    let mut damaged = false;
    for summary in store.list()? {
        match summary {
            Ok(summary) => rows.push(row(summary)),
            Err(problem) => {
                damaged = true;
                complain(&problem);
            }
        }
    }
    let form = global.output.unwrap_or_default();
    let _ = say(&answer(form, &rows, || table(&rows, Style::of_stdout()), || markdown(&rows))?);
    Ok(if damaged { Exit::No } else { Exit::Ok })
}

fn cells(r: &Row) -> Vec<String> {
    vec![r.run.clone(), r.cluster.clone(), r.title.clone(), r.by.clone(), format!("{:.0}", r.opened), r.state.clone()]
}

const HEAD: [&str; 6] = ["RUN", "CLUSTER", "WHAT", "BY", "BEGAN", "STATE"];

fn table(rows: &[Row], style: Style) -> String {
    if rows.is_empty() {
        return faint(style, "nothing was done yet") + "\n";
    }
    let mut all = vec![HEAD.map(str::to_owned).to_vec()];
    all.extend(rows.iter().map(cells));
    columns(&all, &[]).join("\n") + "\n"
}

fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|{}\n", HEAD.join(" | ").to_lowercase(), "---|".repeat(HEAD.len()));
    for row in rows {
        let cells: Vec<_> = cells(row).iter().map(|c| c.replace('|', "\\|")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

fn show(global: &Global, store: &Store, run: &RunId) -> Result<Exit, Problem> {
    let written = store.read(run)?;
    let folded = Run::fold(written.entries)?;
    let form = global.output.unwrap_or_default();
    let text = match (folded.plan.kind, form) {
        (Kind::Runbook, Output::Md) => record::markdown(&folded, &meanwhile(&folded, store)?),
        _ => result_text(&folded, form, Style::of_stdout(), Some(&store.folder(run)))?,
    };
    let _ = say(&text);
    if let (Output::Table, None) = (form, folded.closed) {
        let hint = match written.holder {
            Some(holder) => format!("under way: {}\n", holder.words()),
            None => format!("interrupted: howdah runs resume {run}\n"),
        };
        let _ = say(&hint);
    }
    Ok(Exit::Ok)
}

async fn resume(global: &Global, store: &Store, run: &RunId, resuming: &Resuming) -> Result<Exit, Problem> {
    if Run::fold(store.read(run)?.entries)?.plan.kind == Kind::Runbook {
        return super::runbook::resume(global, store, run).await;
    }
    let taken = TakenUp::new(global, run)?;
    if taken.run.closed.is_some() {
        return taken.told(global);
    }
    let cluster = taken.run.plan.cluster.clone();
    // The run names its context; another one's cluster of the same name is another cluster.
    let global = Global { context: vec![cluster.context.to_string()], ..global.clone() };
    let mut live = Live::start(&global, false)?;
    live.settle(ahead(FIRST)).await;
    live.focus(std::slice::from_ref(&cluster), ahead(FIRST)).await;
    let executor = live.executor(store);
    let flags = Following { plan: false, confirm: resuming.confirm.clone(), because: resuming.because.clone() };
    taken.follow(&global, &flags, (live, executor)).await
}
