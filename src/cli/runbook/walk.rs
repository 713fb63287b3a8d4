//! A walk with a person: step by step, with answers and notes, journaled like every run.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::look::Looked;
use super::{RunArgs, instance, text};
use crate::adapters::runs::{Journal, Store, by};
use crate::cli::args::Global;
use crate::cli::conduct::{exit, store, typed};
use crate::cli::output::{Style, say};
use crate::problem::{Exit, Problem};
use crate::procedure::runbook::answer::{gone, questions};
use crate::procedure::runbook::record::{self, markdown};
use crate::procedure::runbook::walk::{self, Said};
use crate::procedure::runbook::{Answer, Hearing, Runbook, Runbooks, StepView, Walk, step_view};
use crate::procedure::{By, Entry, Kind, Run, RunId, What};

/// How long everything may take to answer before a walk that is taken up goes on.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// How often the time is looked at while nobody types.
const TICK: SignedDuration = SignedDuration::from_secs(1);

/// A walk under way: the run as its journal has it.
struct Book {
    journal: Journal,
    run: Run,
}

/// A person at a terminal, and what they walk.
struct Walker<'a> {
    global: &'a Global,
    runbook: &'a Runbook,
    looked: Looked,
    book: Book,
    store: Store,
    lines: UnboundedReceiver<String>,
    style: Style,
    /// How much of what happened is journaled.
    hearing: Hearing,
}

/// What a person typed at a step.
enum Typed {
    Answer(Answer, &'static str),
    Note(String),
    Again,
    Leave,
    End,
    Unclear,
}

/// Begins a walk.
///
/// # Errors
/// No such cluster or instance, Kubernetes out of reach, or the journal can't be written.
pub async fn begin(global: &Global, runbook: &Runbook, args: &RunArgs) -> Result<Exit, Problem> {
    let mut looked = Looked::at(global, &args.cluster, false, args.timeout).await?;
    looked.choose(runbook, instance(args))?;
    let store = store(global)?;
    let me = by("command line", By::met(&looked.live.facts, &looked.key));
    let (plan, first) = {
        let moment = looked.moment()?;
        let sight = looked.sight(&moment);
        (walk::plan(runbook, &sight), walk::begins(runbook, &sight))
    };
    let now = Timestamp::now();
    let id = Store::name(Kind::Runbook, &looked.key, now);
    let mut journal = store.begin(&id, &me, now)?;
    let opened = Entry { at: now, what: What::Opened { run: id, plan: Box::new(plan), by: me } };
    journal.append(&opened)?;
    let mut book = Book { journal, run: Run::open(opened)? };
    for what in first {
        book.write(what)?;
    }
    walked(global, runbook, looked, book, store).await
}

/// Takes a walk up again.
///
/// # Errors
/// It is no walk, its runbook is gone, another process drives it, or Kubernetes is out of reach.
pub async fn resume(global: &Global, runbooks: &Runbooks, store: &Store, id: &RunId) -> Result<Exit, Problem> {
    let me = by("command line", Default::default());
    let (mut journal, entries, _) = store.go_on(id, &me, Timestamp::now())?;
    let mut run = Run::fold(entries)?;
    let called = run.plan.parameters.get("runbook").cloned().unwrap_or_default();
    let Some(runbook) = runbooks.of(&run) else {
        return Err(Problem::usage(format!("{id} can't be walked")).because(match run.plan.kind {
            Kind::Runbook => format!("there is no runbook {called} any more"),
            _ => "it is no walk of a runbook".into(),
        }));
    };
    if run.closed.is_some() {
        return finish(&run, store, global);
    }
    let cluster = format!("{}:{}", run.plan.cluster.context, run.plan.cluster);
    let mut looked = Looked::at(global, &cluster, false, PATIENCE).await?;
    looked.choose(runbook, walk::about_of(&run))?;
    let me = By { versions: By::met(&looked.live.facts, &looked.key), ..me };
    let entry = Entry { at: Timestamp::now(), what: What::Resumed { by: me } };
    journal.append(&entry)?;
    run.absorb(entry);
    walked(global, runbook, looked, Book { journal, run }, store.clone()).await
}

async fn walked(global: &Global, runbook: &Runbook, looked: Looked, book: Book, store: Store) -> Result<Exit, Problem> {
    let (style, hearing) = (Style::of_stdout(), Hearing::new(&book.run));
    let mut walker = Walker { global, runbook, looked, book, store, lines: typed(), style, hearing };
    walker.go().await
}

impl Book {
    fn write(&mut self, what: What) -> Result<(), Problem> {
        let entry = Entry { at: Timestamp::now(), what };
        self.journal.append(&entry)?;
        self.run.absorb(entry);
        Ok(())
    }
}

impl Walker<'_> {
    /// Goes from step to step until the walk is over or the person leaves.
    async fn go(&mut self) -> Result<Exit, Problem> {
        let _ = say(&format!("{}\n{}\n", self.runbook.title, self.book.run.id));
        loop {
            self.settle()?;
            let walk = Walk { runbook: self.runbook, run: &self.book.run };
            let Some(here) = walk.here() else {
                return finish(&self.book.run, &self.store, self.global);
            };
            let view = self.show(here).await?;
            loop {
                let Some(said) = self.asked(&view).await? else {
                    return self.left();
                };
                match said {
                    Typed::Answer(answer, how) => {
                        self.leave(here, &answer, how)?;
                        break;
                    }
                    Typed::Note(note) => {
                        let what = Walk { runbook: self.runbook, run: &self.book.run }.note(&note);
                        self.book.write(what)?;
                        let _ = say("noted\n");
                    }
                    Typed::Again => break,
                    Typed::Leave => return self.left(),
                    Typed::End => {
                        self.book.write(What::Aborted { undo: false })?;
                        break;
                    }
                    Typed::Unclear => {
                        let _ = say(HELP);
                    }
                }
            }
        }
    }

    /// Writes everything that follows from what was said, until a person is needed or the walk is closed.
    fn settle(&mut self) -> Result<(), Problem> {
        loop {
            let walk = Walk { runbook: self.runbook, run: &self.book.run };
            let due = walk.due(&self.looked.live.facts, Timestamp::now(), || match self.looked.moment() {
                Ok(moment) => gone(self.runbook, &self.looked.sight(&moment)),
                Err(problem) => Answer::Unknown(problem.line()),
            });
            if due.is_empty() {
                return Ok(());
            }
            due.into_iter().try_for_each(|what| self.book.write(what))?;
        }
    }

    /// Asks what the step wants to know, and shows it.
    async fn show(&mut self, here: usize) -> Result<StepView, Problem> {
        let asked = {
            let moment = self.looked.moment()?;
            questions(&self.runbook.steps[here], &self.looked.sight(&moment))
        };
        self.looked.ask(asked).await;
        self.heard()?;
        let moment = self.looked.moment()?;
        let sight = self.looked.sight(&moment);
        let view = step_view(self.runbook, here, &sight, &self.looked.replies)
            .ok_or_else(|| Problem::new("the runbook has no such step"))?;
        let _ = say(&text::step(&view, here + 1, self.runbook.steps.len(), self.style, moment.now));
        Ok(view)
    }

    /// What a person says to a step; `None`: nobody is there any more.
    async fn asked(&mut self, view: &StepView) -> Result<Option<Typed>, Problem> {
        let _ = say(&prompt(view));
        loop {
            let deadline = Instant::now() + std::time::Duration::try_from(TICK).unwrap_or_default();
            tokio::select! {
                line = self.lines.recv() => return Ok(line.map(|line| understand(&line, view))),
                _ = tokio::signal::ctrl_c() => return Ok(Some(Typed::Leave)),
                _ = self.looked.live.news(deadline) => self.heard()?,
            }
        }
    }

    /// Journals what happened to the cluster since it was last looked at.
    fn heard(&mut self) -> Result<(), Problem> {
        let mut new = self.hearing.take(&self.book.run, &self.looked.live.happenings);
        if let Ok(moment) = self.looked.moment() {
            new.extend(self.hearing.judge(&moment.health, moment.now));
        }
        new.into_iter().try_for_each(|what| self.book.write(what))
    }

    /// Writes the answer with what the checks say at this moment.
    fn leave(&mut self, here: usize, answer: &Answer, how: &str) -> Result<(), Problem> {
        let entries = {
            let moment = self.looked.moment()?;
            let sight = self.looked.sight(&moment);
            let view = step_view(self.runbook, here, &sight, &self.looked.replies);
            let judged = view.map(|v| v.checks).unwrap_or_default();
            Walk { runbook: self.runbook, run: &self.book.run }.leave(here, answer, &judged, how, moment.now)
        };
        entries.into_iter().try_for_each(|what| self.book.write(what))
    }

    /// The person goes; the walk stays open.
    fn left(&mut self) -> Result<Exit, Problem> {
        record(&self.book.run, &self.store, self.global)?;
        let _ = say(&format!("left; to go on: howdah runs resume {}\n", self.book.run.id));
        Ok(Exit::Unknown)
    }
}

const HELP: &str = "  Enter goes on as the check says · y yes · n no · u unknown · a look again · t TEXT a note\n  \
                    e end the walk here · q leave, to go on later\n";

fn prompt(view: &StepView) -> String {
    let mut out = String::from("\n");
    if let Some(question) = &view.question {
        out.push_str(&format!("  {question}\n"));
    }
    for (answer, to) in &view.ways {
        out.push_str(&format!("  {answer:<8}→ {to}\n"));
    }
    let default = match (&view.answer, view.ways.is_empty()) {
        (Some(answer), _) => format!("Enter: {}", answer.word()),
        (None, true) => "Enter: done".to_owned(),
        (None, false) => "y/n/u".to_owned(),
    };
    out.push_str(&format!("[{default}, a again, t note, ? help, q leave] "));
    out
}

fn understand(line: &str, view: &StepView) -> Typed {
    let line = line.trim();
    let said = match line {
        "" => Said::GoOn,
        "y" | "yes" => Said::Yes,
        "n" | "no" => Said::No,
        "u" | "unknown" => Said::Unknown,
        "a" | "again" => return Typed::Again,
        "q" | "quit" => return Typed::Leave,
        "e" | "end" => return Typed::End,
        _ => match line.strip_prefix("t ").or_else(|| line.strip_prefix("note ")).map(str::trim) {
            Some(note) if !note.is_empty() => return Typed::Note(note.to_owned()),
            _ => return Typed::Unclear,
        },
    };
    said.answer(view).map_or(Typed::Unclear, |(answer, how)| Typed::Answer(answer, how))
}

/// Prints how it ended, and writes the record where one is wanted.
fn finish(run: &Run, store: &Store, global: &Global) -> Result<Exit, Problem> {
    record(run, store, global)?;
    let (_, outcome) = run.closed.unzip();
    let word = outcome.map_or("not ended", |o| o.word());
    let _ = say(&format!("\n{}: {word}\nthe record: howdah runs show {} -o md\n", run.plan.title, run.id));
    Ok(exit(run))
}

fn record(run: &Run, store: &Store, global: &Global) -> Result<(), Problem> {
    let Some(file) = &global.record else { return Ok(()) };
    let text = markdown(run, &meanwhile(run, store)?);
    std::fs::write(file, text)
        .map_err(|e| Problem::new("the record can't be written").because(format!("{}: {e}", file.display())))
}

/// Other runs on the same cluster during a walk.
///
/// # Errors
/// The runs can't be read.
pub fn meanwhile(run: &Run, store: &Store) -> Result<Vec<Run>, Problem> {
    let during = store.list()?.into_iter().flatten().filter(|s| record::meanwhile(run, s));
    // A damaged journal of another run does not take this record away.
    Ok(during.filter_map(|s| Run::fold(store.read(&s.run).ok()?.entries).ok()).collect())
}
