//! Runs that are driven from the console: each has a task that writes its journal and does its orders.
//!
//! What a task is told it does in that order; what came of it is told in the order in which it came about. The loop is
//! never held up by a disk or a wire.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::adapters::Handle;
use crate::adapters::executor::Executor;
use crate::adapters::practice::Trail;
use crate::adapters::runs::{Conductor, Journal, Store, by, preflight};
use crate::app::{Msg, RunNews};
use crate::panes::RunEffect;
use crate::problem::Problem;
use crate::procedure::{Entry, Plan, RunId, StepId, Todo, What};

/// Through which surface: journals say it.
const SURFACE: &str = "console";

/// Everything that drives runs.
pub(super) struct Drivers {
    store: Store,
    executor: Arc<dyn Executor>,
    adapters: Arc<Handle>,
    done: UnboundedSender<Msg>,
    driven: HashMap<RunId, UnboundedSender<Errand>>,
}

/// What a run's task is told.
enum Errand {
    Write(What),
    Draft(String),
    Perform(Todo),
}

/// A journal that was begun or taken up, on its way to a task.
struct Taken {
    id: RunId,
    plan: Plan,
    by: crate::procedure::By,
    journal: Journal,
    entries: Vec<Entry>,
    /// What is written first.
    first: What,
}

impl Drivers {
    /// Nothing is driven yet.
    pub fn new(store: Store, adapters: Arc<Handle>, done: UnboundedSender<Msg>) -> Drivers {
        let executor = Arc::new(adapters.hands(store.clone()));
        Drivers { store, executor, adapters, done, driven: HashMap::new() }
    }

    /// Where what is done beside runs is written down.
    pub fn trail(&self) -> Trail {
        Trail { audit: self.store.audit(), by: by(SURFACE, BTreeMap::new()) }
    }

    /// Performs an effect; what comes of it arrives as messages.
    pub fn perform(&mut self, effect: RunEffect) {
        match effect {
            RunEffect::Rights(cluster, rights) => {
                let executor = self.executor.clone();
                self.beside(async move {
                    let asked: Vec<_> = rights.iter().cloned().collect();
                    let missing = executor.may(&cluster, &asked).await;
                    RunNews::Rights(cluster, rights, missing)
                });
            }
            RunEffect::Try(number, plan) => {
                let executor = self.executor.clone();
                self.beside(async move {
                    // Its run has no name before it begins; a name of that form is all that a dry run needs.
                    let run = Store::name(plan.kind, &plan.cluster, Timestamp::now());
                    RunNews::Tried(number, preflight(executor.as_ref(), &run, &plan).await)
                });
            }
            RunEffect::Begin(plan, versions) => self.begin(*plan, versions),
            RunEffect::TakeUp(run, versions) => self.take_up(run, versions),
            RunEffect::Perform(run, todo) => self.errand(&run, Errand::Perform(todo)),
            RunEffect::Write(run, what) => self.errand(&run, Errand::Write(what)),
            RunEffect::Draft(run, text) => self.errand(&run, Errand::Draft(text)),
            RunEffect::Release(run) => {
                self.driven.remove(&run);
            }
            RunEffect::List => {
                let store = self.store.clone();
                self.blocking(move || listed(&store));
            }
            RunEffect::Read(run) => {
                let store = self.store.clone();
                self.blocking(move || {
                    let entries = store.read(&run).map(|written| written.entries);
                    Msg::Run(RunNews::Read(run, entries))
                });
            }
            RunEffect::Ground(wish) => {
                let ground = self.adapters.ground(wish.cluster(), wish.name());
                self.beside(async move { RunNews::Ground(wish, ground.await.map(Box::new)) });
            }
            RunEffect::Put(run, cluster, asked) => {
                let reply = self.adapters.ask(&cluster, asked.clone());
                self.beside(async move { RunNews::Reply(run, asked, reply.await) });
            }
        }
    }

    fn begin(&mut self, plan: Plan, versions: BTreeMap<String, String>) {
        let now = Timestamp::now();
        let (id, by) = (Store::name(plan.kind, &plan.cluster, now), by(SURFACE, versions));
        let first = What::Opened { run: id.clone(), plan: Box::new(plan.clone()), by: by.clone() };
        match self.store.begin(&id, &by, now) {
            Ok(journal) => self.drive(Taken { id, plan, by, journal, entries: Vec::new(), first }),
            Err(problem) => self.tell(Msg::Problem(problem)),
        }
    }

    fn take_up(&mut self, id: RunId, versions: BTreeMap<String, String>) {
        let by = by(SURFACE, versions);
        let taken = self.store.go_on(&id, &by, Timestamp::now()).and_then(|(journal, entries, _)| {
            let run = crate::procedure::Run::fold(entries.iter().cloned())?;
            Ok(Taken { id, plan: run.plan, first: What::Resumed { by: by.clone() }, by, journal, entries })
        });
        match taken {
            Ok(taken) => self.drive(taken),
            Err(problem) => self.tell(Msg::Problem(problem)),
        }
    }

    /// Gives a journal to a task of its own.
    fn drive(&mut self, taken: Taken) {
        let Taken { id, plan, by, journal, mut entries, first } = taken;
        let (told, mut written) = unbounded_channel();
        let kept = Box::new((journal, self.store.audit()));
        let clock = Arc::new(Timestamp::now);
        let conductor = Conductor::new((id.clone(), plan, &by), kept, self.executor.clone(), clock, told);
        let conductor = conductor.after(&entries);
        if let Err(problem) = conductor.write(first) {
            self.tell(Msg::Problem(problem));
            return;
        }
        entries.extend(written.try_recv());
        self.tell(Msg::Run(RunNews::Open(id.clone(), entries)));
        if let Some(draft) = self.store.draft(&id) {
            self.tell(Msg::Run(RunNews::Draft(id.clone(), draft)));
        }
        let (errands, told) = unbounded_channel();
        let (store, done) = (self.store.clone(), self.done.clone());
        let task = Task { id: id.clone(), conductor: Arc::new(conductor), written, store, done };
        tokio::spawn(task.follow(told));
        self.driven.insert(id, errands);
    }

    fn errand(&self, run: &RunId, errand: Errand) {
        if let Some(task) = self.driven.get(run) {
            // A task that has ended has said why.
            let _ = task.send(errand);
        }
    }

    fn beside(&self, news: impl Future<Output = RunNews> + Send + 'static) {
        let done = self.done.clone();
        tokio::spawn(async move {
            let _ = done.send(Msg::Run(news.await));
        });
    }

    fn blocking(&self, msg: impl FnOnce() -> Msg + Send + 'static) {
        let done = self.done.clone();
        tokio::task::spawn_blocking(move || {
            let _ = done.send(msg());
        });
    }

    fn tell(&self, msg: Msg) {
        // The receiver lives as long as the loop.
        let _ = self.done.send(msg);
    }
}

/// All runs of this machine.
fn listed(store: &Store) -> Msg {
    let all = match store.list() {
        Ok(all) => all,
        Err(problem) => return Msg::Problem(problem),
    };
    let (mut runs, mut damaged) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(summary) => runs.push(summary),
            Err(problem) => damaged.push(problem),
        }
    }
    Msg::Run(RunNews::Listed(runs, damaged))
}

/// One run's task.
struct Task {
    id: RunId,
    conductor: Arc<Conductor>,
    written: UnboundedReceiver<Entry>,
    store: Store,
    done: UnboundedSender<Msg>,
}

/// What came of an order.
type Ended = (Option<StepId>, Result<(), Problem>);

impl Task {
    /// Goes on until the console lets the run go, or its journal can't be written.
    async fn follow(mut self, mut errands: UnboundedReceiver<Errand>) {
        let mut under_way: FuturesUnordered<BoxFuture<'static, Ended>> = FuturesUnordered::new();
        loop {
            let ended = tokio::select! {
                biased;
                Some(entry) = self.written.recv() => {
                    self.tell(RunNews::Entry(self.id.clone(), entry));
                    continue;
                }
                Some(ended) = under_way.next() => ended,
                errand = errands.recv() => match errand {
                    None => return,
                    Some(Errand::Write(what)) => (None, self.conductor.write(what)),
                    // After what was written before: the draft of a note goes only when the note is in the journal.
                    Some(Errand::Draft(text)) => {
                        if let Err(problem) = self.store.keep_draft(&self.id, &text) {
                            let _ = self.done.send(Msg::Problem(problem));
                        }
                        continue;
                    }
                    Some(Errand::Perform(todo)) => {
                        let conductor = self.conductor.clone();
                        under_way.push(Box::pin(async move {
                            let ended = conductor.perform(&todo).await;
                            (todo.step().cloned(), ended)
                        }));
                        continue;
                    }
                },
            };
            // What was written before it ended is told before its end.
            while let Ok(entry) = self.written.try_recv() {
                self.tell(RunNews::Entry(self.id.clone(), entry));
            }
            let id = self.id.clone();
            match ended {
                (_, Err(problem)) => return self.tell(RunNews::Broken(id, problem)),
                (Some(step), Ok(())) => self.tell(RunNews::Ended(id, step)),
                (None, Ok(())) => self.tell(RunNews::Wrote(id)),
            }
        }
    }

    fn tell(&self, news: RunNews) {
        // The receiver lives as long as the loop.
        let _ = self.done.send(Msg::Run(news));
    }
}
