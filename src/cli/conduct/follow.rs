//! The loop: news come in, what is to be done goes out, until the run is closed.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::ask::Asker;
use super::told::{news, tell};
use crate::adapters::runs::Conductor;
use crate::cli::collect::Live;
use crate::cli::drill;
use crate::problem::Problem;
use crate::procedure::{Choice, Decision, Entry, Followed, Question, Run, StepId, Todo, What};

/// How often the time is looked at while nothing else happens.
const TICK: Duration = Duration::from_millis(250);
/// How often a line of progress is shown.
const PROGRESS: Duration = Duration::from_secs(1);

/// A run that is followed.
pub struct Conduct {
    /// How far it has come.
    pub followed: Followed,
    /// Who does it.
    pub conductor: Conductor,
    /// What was written.
    pub entries: UnboundedReceiver<Entry>,
    /// The world.
    pub live: Live,
    /// Who answers.
    pub asker: Asker,
}

/// What came of a todo.
type Ended = (StepId, Result<(), Problem>);

/// What a person is being asked.
enum Asked {
    Question(Question),
    /// After Ctrl-C.
    Interrupt,
}

/// The loop's own state.
struct Loop {
    conductor: Arc<Conductor>,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    asked: Option<Asked>,
    shown: Instant,
}

impl Conduct {
    /// Follows the run until it is closed.
    ///
    /// # Errors
    /// The journal can't be written, or the person left in the middle: the run can be resumed.
    pub async fn follow(mut self) -> Result<Run, Problem> {
        let mut signals = Signals::new()?;
        let conductor = Arc::new(self.conductor);
        let mut now = Loop { conductor, under_way: FuturesUnordered::new(), asked: None, shown: Instant::now() };
        let (followed, live, asker) = (&mut self.followed, &mut self.live, &mut self.asker);
        let entries = &mut self.entries;
        loop {
            take_in(followed, entries);
            let heard = live.heard();
            for what in followed.look(&heard, &live.facts) {
                now.conductor.write(what)?;
            }
            take_in(followed, entries);
            if followed.run.closed.is_some() {
                return Ok(self.followed.run);
            }
            if now.go_on(followed, live, asker)? {
                continue;
            }
            if now.shown.elapsed() >= PROGRESS {
                now.shown = Instant::now();
                if let Some(line) = drill::progress(&followed.run, &live.facts, Timestamp::now()) {
                    tell(&format!("{line}\n"));
                }
            }
            tokio::select! {
                biased;
                () = signals.next() => now.interrupted(&followed.run, asker.terminal)?,
                Some((step, ended)) = now.under_way.next() => {
                    followed.ended(&step);
                    ended?;
                }
                line = asker.line(), if now.asked.is_some() => now.answered(asker, line)?,
                _ = live.news(Instant::now() + TICK) => {}
            }
        }
    }
}

impl Loop {
    /// Begins everything that is to be done now. Says whether something was written, so that it must be looked at anew.
    fn go_on(&mut self, followed: &mut Followed, live: &Live, asker: &Asker) -> Result<bool, Problem> {
        let (mut written, mut questions) = (false, Vec::new());
        for todo in followed.next(&live.facts, Timestamp::now()) {
            match todo {
                Todo::Ask(question) => match asker.by_flag(&question) {
                    Some(what) => {
                        self.conductor.write(what)?;
                        written = true;
                    }
                    None => questions.push(question),
                },
                Todo::Write(what) => {
                    self.conductor.write(what)?;
                    written = true;
                }
                act => self.begin(act),
            }
        }
        if let Some(Asked::Question(asked)) = &self.asked
            && !questions.contains(asked)
        {
            // It has answered itself.
            self.asked = None;
        }
        if !written && let Some(question) = questions.into_iter().next() {
            written = self.ask(followed, asker, question)?;
        }
        Ok(written)
    }

    fn begin(&mut self, todo: Todo) {
        let Some(step) = todo.step().cloned() else { return };
        let conductor = self.conductor.clone();
        self.under_way.push(Box::pin(async move {
            let ended = conductor.perform(&todo).await;
            (step, ended)
        }));
    }

    /// Puts a question to the person; where nobody is there, leaves as soon as nothing else is under way.
    fn ask(&mut self, followed: &Followed, asker: &Asker, question: Question) -> Result<bool, Problem> {
        if asker.terminal {
            let same = match &self.asked {
                None => false,
                Some(Asked::Question(asked)) => *asked == question,
                Some(Asked::Interrupt) => true,
            };
            if !same {
                asker.show(&question);
                self.asked = Some(Asked::Question(question));
            }
            return Ok(false);
        }
        if followed.is_busy() || followed.run.wake().is_some() {
            return Ok(false);
        }
        let leave = question.answer(Choice::Decide(Decision::Leave), Some("nobody was there to be asked".into()));
        self.conductor.write(leave)?;
        Ok(true)
    }

    /// A person typed a line, or is gone.
    fn answered(&mut self, asker: &mut Asker, line: Option<String>) -> Result<(), Problem> {
        let Some(line) = line else {
            // Standard input has ended: from now on nobody is there.
            (self.asked, asker.terminal) = (None, false);
            return Ok(());
        };
        match self.asked.take() {
            Some(Asked::Question(question)) => match asker.understand(&question, &line) {
                Some(what) => self.conductor.write(what),
                None => {
                    asker.show(&question);
                    self.asked = Some(Asked::Question(question));
                    Ok(())
                }
            },
            Some(Asked::Interrupt) => match line.trim() {
                "u" => self.conductor.write(What::Aborted { undo: true }),
                "l" => self.conductor.write(What::Aborted { undo: false }),
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Ctrl-C, or SIGTERM.
    fn interrupted(&mut self, run: &Run, terminal: bool) -> Result<(), Problem> {
        if run.aborted.is_some() {
            return Err(Problem::new("left before the run was closed")
                .because("it was interrupted while it was being ended")
                .try_this(format!("howdah runs resume {}", run.id))
                .exit(crate::problem::Exit::No));
        }
        if terminal && !matches!(self.asked, Some(Asked::Interrupt)) {
            tell(
                "\nInterrupted. g: go on   u: undo what can be undone, and end   l: leave things as they are, and end ",
            );
            self.asked = Some(Asked::Interrupt);
            return Ok(());
        }
        self.asked = None;
        tell("\nleaving: what cleans up is still done\n");
        self.conductor.write(What::Aborted { undo: false })
    }
}

fn take_in(followed: &mut Followed, entries: &mut UnboundedReceiver<Entry>) {
    while let Ok(entry) = entries.try_recv() {
        if let Some(line) = news(&followed.run, &entry) {
            tell(&format!("{line}\n"));
        }
        followed.absorb(entry);
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Problem> {
        let deaf = |e| Problem::new("can't listen for Ctrl-C").because(e);
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt()).map_err(deaf)?,
            terminate: signal(SignalKind::terminate()).map_err(deaf)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
