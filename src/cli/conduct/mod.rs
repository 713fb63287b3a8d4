//! A plan followed without the screen: shown, tried, allowed, done, told.
//!
//! `act`, `drill`, `runbook` and `runs resume` all end here, so they ask alike, refuse alike and leave the same journal as
//! the console. The plan and the progress go to standard error, the result to standard output. It decides nothing about
//! steps: [`Run::next`](crate::procedure::Run::next) does.

mod ask;
mod follow;
mod show;
mod told;

pub use ask::typed;
pub use follow::Conduct;
pub use show::plan_text;
pub use told::{RunReport, result_text};

use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::{Global, Output};
use super::collect::Live;
use super::output::{Style, say};
use crate::adapters::executor::Executor;
use crate::adapters::runs::{Conductor, Journal, Store, by, preflight};
use crate::problem::{Exit, Problem};
use crate::procedure::{By, Followed, Gate, Outcome, Plan, Run, RunId, Weight, What, catalog};
use crate::settings::Places;
use crate::text::clean;

/// Flags of every command that follows a plan.
#[derive(Clone, Debug, Default, Args)]
pub struct Following {
    /// Only show what would be done
    #[arg(long)]
    pub plan: bool,
    /// The name that a guarded step asks for
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Why it is done although something speaks against it; goes into the journal
    #[arg(long, value_name = "WORDS")]
    pub because: Option<String>,
}

/// Where runs are kept.
///
/// # Errors
/// There is no place for them.
pub fn store(global: &Global) -> Result<Store, Problem> {
    Ok(Store::new(Places::find(global.config.as_deref(), |name| std::env::var_os(name))?.state))
}

/// Follows a new plan to its end. `run` is the name that the plan was made for.
///
/// # Errors
/// Refused (read-only, blocked, not confirmed, rights, the world moved), out of reach, or the journal can't be written.
pub async fn conduct(
    global: &Global,
    flags: &Following,
    live: Live,
    executor: Arc<dyn Executor>,
    (run, mut plan): (RunId, Plan),
) -> Result<Exit, Problem> {
    let form = global.output.unwrap_or_default();
    if let Some(because) = &flags.because {
        plan.parameters.entry("because".into()).or_insert_with(|| clean(because));
    }
    if live.settings.protected.covers(&plan.cluster.context) {
        catalog::protect(&mut plan);
    }
    if flags.plan {
        let _ = say(&plan_text(&plan, &[], form, Style::of_stdout())?);
        return Ok(if plan.weight() == Weight::Blocks { Exit::Refused } else { Exit::Ok });
    }
    read_only(global, &plan.title)?;
    let error = Style::of_stderr();
    let allowed = catalog::admit(&plan).and_then(|()| ask::can_be_answered(global, flags, &plan));
    if let Err(problem) = allowed {
        told::tell(&plan_text(&plan, &[], Output::Table, error)?);
        return Err(problem);
    }
    let tried = match preflight(executor.as_ref(), &run, &plan).await {
        Ok(tried) => tried,
        Err(problem) => {
            told::tell(&plan_text(&plan, &[], Output::Table, error)?);
            return Err(problem);
        }
    };
    told::tell(&plan_text(&plan, &tried, Output::Table, error)?);
    let mut asker = ask::Asker::new(global, flags);
    if !asker.begin(&plan).await? {
        return Err(Problem::refused(format!("nothing was done: {}", plan.title)).because("you said no"));
    }
    live.attend(&plan);
    let me = by("command line", By::met(&live.facts, &plan.cluster));
    let store = store(global)?;
    let journal = store.begin(&run, &me, Timestamp::now())?;
    let (told, mut entries) = tokio::sync::mpsc::unbounded_channel();
    let clock = Arc::new(Timestamp::now);
    let kept = Box::new((journal, store.audit()));
    let conductor = Conductor::new((run.clone(), plan.clone(), &me), kept, executor, clock, told);
    let opened = What::Opened { run: run.clone(), plan: Box::new(plan), by: me };
    conductor.write(opened)?;
    let first = entries.recv().await.ok_or_else(|| Problem::new("the run could not begin"))?;
    let run = Run::open(first)?;
    let conduct = Conduct { followed: Followed::new(run), conductor, entries, live, asker };
    finish(conduct.follow().await?, form, &store)
}

/// A run that this process has taken up: nobody else can.
pub struct TakenUp {
    /// How far it has come.
    pub run: Run,
    journal: Journal,
    me: By,
    store: Store,
}

impl TakenUp {
    /// Takes a run up.
    ///
    /// # Errors
    /// Read-only, or another process drives it (exit 3); its journal is damaged.
    pub fn new(global: &Global, run: &RunId) -> Result<TakenUp, Problem> {
        read_only(global, &format!("resume {run}"))?;
        let (store, me) = (store(global)?, by("command line", BTreeMap::new()));
        let (journal, entries, torn) = store.go_on(run, &me, Timestamp::now())?;
        if torn {
            told::tell("the journal's last line was not whole and was cut off: what it announced was never done\n");
        }
        Ok(TakenUp { run: Run::fold(entries)?, journal, me, store })
    }

    /// Follows it to its end. One that was closed already only tells its result.
    ///
    /// # Errors
    /// As [`conduct`].
    pub async fn follow(
        self,
        global: &Global,
        flags: &Following,
        (live, executor): (Live, Arc<dyn Executor>),
    ) -> Result<Exit, Problem> {
        let TakenUp { run, journal, me, store } = self;
        let me = By { versions: By::met(&live.facts, &run.plan.cluster), ..me };
        live.attend(&run.plan);
        let (told, entries) = tokio::sync::mpsc::unbounded_channel();
        let kept = Box::new((journal, store.audit()));
        let whose = (run.id.clone(), run.plan.clone(), &me);
        let conductor = Conductor::new(whose, kept, executor, Arc::new(Timestamp::now), told).after(&run.entries);
        conductor.write(What::Resumed { by: me })?;
        let asker = ask::Asker::new(global, flags);
        let conduct = Conduct { followed: Followed::new(run), conductor, entries, live, asker };
        finish(conduct.follow().await?, global.output.unwrap_or_default(), &store)
    }

    /// The result of one that was closed already.
    ///
    /// # Errors
    /// It can't be written in the form that was asked for.
    pub fn told(self, global: &Global) -> Result<Exit, Problem> {
        finish(self.run, global.output.unwrap_or_default(), &self.store)
    }
}

/// # Errors
/// Flags forbid every change.
pub fn read_only(global: &Global, what: &str) -> Result<(), Problem> {
    if !global.read_only {
        return Ok(());
    }
    Err(Problem::refused(format!("can't {what}"))
        .because("--read-only was given")
        .try_this("say it without --read-only, or look at it with --plan"))
}

/// Prints the result and gives the exit code.
fn finish(run: Run, form: Output, store: &Store) -> Result<Exit, Problem> {
    let text = result_text(&run, form, Style::of_stdout(), Some(&store.folder(&run.id)))?;
    // Whoever stopped reading knows what they wanted to know; the journal has it all.
    let _ = say(&text);
    Ok(exit(&run))
}

/// The exit code of a run that was closed.
pub fn exit(run: &Run) -> Exit {
    match run.closed.map(|(_, outcome)| outcome) {
        Some(Outcome::Passed) => Exit::Ok,
        Some(Outcome::Refused) => Exit::Refused,
        Some(Outcome::Failed | Outcome::Undone | Outcome::Left) => Exit::No,
        None => Exit::Unknown,
    }
}

/// Some gate asks a person.
fn guarded(plan: &Plan) -> bool {
    plan.steps.iter().any(|s| !s.cleanup && s.gate != Gate::None)
}
