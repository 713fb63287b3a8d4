//! The composition root and the loop: the only room that knows every other one.
//!
//! [`console`] holds the terminal, the adapters and the model together. It waits for what happens, hands it to
//! [`update`] as a message, performs the effects that come back and draws when something visible
//! changed. No behaviour lives here: what a key does is in `app`, how a thing is learned in `adapters`.

mod effects;
mod lab;
mod runs;
mod show;
mod wishes;

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::adapters::inbox::{Inbox, Incoming, inbox};
use crate::adapters::live::Child;
use crate::adapters::runs::Store;
use crate::adapters::{Adapters, Config, Handle};
use crate::app::recording::Recorder;
use crate::app::{Model, Msg, Setup, Taste, update, view};
use crate::domain::facts::Fact;
use crate::panes::Choice;
use crate::problem::Problem;
use crate::ui::terminal::{Inputs, Terminal};
use crate::ui::{Depth, Input};

use lab::lab;
pub use show::show;

/// The shortest time between two frames: about thirty a second.
const FRAME: Duration = Duration::from_millis(33);
/// The time between frames while nothing but samples and ages come in: figures are read, not watched.
const CALM: Duration = Duration::from_secs(1);
/// How long after a key (or the start) everything is drawn at once.
const WATCHED: Duration = Duration::from_secs(3);
/// How long an interrupt that a program was meant to hear may be on its way to us after it has ended.
const DEAF: Duration = Duration::from_millis(500);
/// Arrivals taken in as one message: bounded, so that a key press waits for no more than some
/// ten milliseconds of judging.
pub const BATCH: usize = 200;

/// What the console starts with.
pub(crate) struct Start {
    /// Which world to look at.
    pub world: Config,
    /// Looks, keys, limits.
    pub taste: Taste,
    /// Reads the taste again, when asked to.
    pub reload: Box<dyn Fn() -> Taste + Send>,
    /// What the header calls the place.
    pub place: String,
    /// Where exports go.
    pub exports: PathBuf,
    /// Where journals are kept.
    pub state: PathBuf,
    /// The session is written here, to be played back.
    pub record: Option<PathBuf>,
    /// The mouse is used.
    pub mouse: bool,
    /// How many colours; `None`: as the environment says.
    pub depth: Option<Depth>,
}

/// Runs the console until the person leaves.
///
/// # Errors
/// What keeps it from beginning (no kubeconfig, an unknown context, no terminal) or from going on (the terminal is
/// gone). The terminal is given back before it returns.
pub(crate) async fn console(start: Start) -> Result<(), Problem> {
    let (outbox, inbox) = inbox();
    // Before the terminal is taken: what is wrong with the arguments is told on the plain screen.
    let adapters = Adapters::start(start.world, outbox)?;
    let terminal = Terminal::enter(start.mouse)?;
    let gone = |e: std::io::Error| Problem::new("the terminal is gone").because(e);
    let setup = Setup {
        depth: start.depth.unwrap_or_else(|| Depth::of_environment(|name| std::env::var(name).ok())),
        zone: TimeZone::system(),
        now: Timestamp::now(),
        size: terminal.size().map_err(gone)?,
        taste: start.taste,
        place: start.place,
        choice: Choice::default(),
    };
    let recorder = match &start.record {
        Some(path) => Some(record(path, &setup)?),
        None => None,
    };
    let (done, finished) = mpsc::unbounded_channel();
    let adapters = std::sync::Arc::new(adapters);
    let runs = runs::Drivers::new(Store::new(start.state), adapters.clone(), done.clone());
    let mut console = Console {
        model: Model::new(setup),
        terminal,
        inputs: Inputs::listen(),
        adapters,
        recorder,
        done,
        preparing: JoinSet::new(),
        runs,
        exports: start.exports,
        reload: start.reload,
        clock: Timestamp::now(),
        calm: false,
        touched: Instant::now(),
    };
    console.run(inbox, finished).await.map_err(gone)
}

fn record(path: &std::path::Path, setup: &Setup) -> Result<Recorder<BufWriter<File>>, Problem> {
    let cannot = |e| Problem::usage(format!("can't record to {}", path.display())).because(e);
    let file = private_file(path).map_err(cannot)?;
    Recorder::start(BufWriter::new(file), setup).map_err(cannot)
}

/// An answer or a source's health: it moves figures and ages. A cluster's picture is shown at once.
fn is_sample(fact: &Fact) -> bool {
    matches!(fact, Fact::Source(..) | Fact::Status(..) | Fact::Metrics(..) | Fact::Sql(..))
}

/// A new file that only this user can read: a session shows what was on the screen.
fn private_file(path: &std::path::Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The console while it runs.
struct Console {
    model: Model,
    terminal: Terminal,
    inputs: Inputs,
    adapters: std::sync::Arc<Handle>,
    recorder: Option<Recorder<BufWriter<File>>>,
    done: mpsc::UnboundedSender<Msg>,
    /// Programs that were asked for and can't be started yet.
    preparing: JoinSet<Result<Child, Problem>>,
    /// Runs that are driven from here.
    runs: runs::Drivers,
    exports: PathBuf,
    reload: Box<dyn Fn() -> Taste + Send>,
    /// The time the model was last told.
    clock: Timestamp,
    /// What came last was nothing but samples or the time: its frame can wait for the next second.
    calm: bool,
    /// The last key or click, or the start.
    touched: Instant,
}

/// Signals that end the console in order.
struct Ends {
    term: Signal,
    hangup: Signal,
    interrupt: Signal,
    /// Until then an interrupt was meant for the program that had the terminal.
    deaf_until: Instant,
}

impl Ends {
    fn listen() -> std::io::Result<Ends> {
        Ok(Ends {
            term: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            deaf_until: Instant::now(),
        })
    }

    async fn come(&mut self) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.hangup.recv() => return,
                _ = self.interrupt.recv() => if Instant::now() >= self.deaf_until {
                    return;
                },
            }
        }
    }

    /// Forgets an interrupt that a program was meant to hear, also one that is still on its way to us.
    fn forget_interrupt(&mut self) -> std::io::Result<()> {
        // A new listener has not heard what came before it.
        self.interrupt = signal(SignalKind::interrupt())?;
        self.deaf_until = Instant::now() + DEAF;
        Ok(())
    }

    /// Those that no key makes.
    async fn ordered(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

impl Console {
    async fn run(&mut self, mut inbox: Inbox, mut finished: mpsc::UnboundedReceiver<Msg>) -> std::io::Result<()> {
        let mut ends = Ends::listen()?;
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut drawn = Instant::now() - FRAME;
        let mut due: Option<Instant> = None;
        while !self.model.leaving() {
            if self.model.take_dirty() {
                let wait = if std::mem::take(&mut self.calm) { CALM } else { FRAME };
                let next = (drawn + wait).max(Instant::now());
                due = Some(due.map_or(next, |due| due.min(next)));
            }
            // In this order: a key is never behind data, and a frame never behind a flood.
            tokio::select! {
                biased;
                () = ends.come() => self.step(Msg::Quit).await?,
                input = self.inputs.next() => match input {
                    Some(Ok(input)) => self.input(input).await?,
                    Some(Err(e)) => return Err(e),
                    None => self.step(Msg::Quit).await?,
                },
                () = sleep_until(due.unwrap_or(drawn)), if due.is_some() => {
                    due = None;
                    self.draw()?;
                    drawn = Instant::now();
                }
                Some(prepared) = self.preparing.join_next() => {
                    let broken = |e| Err(Problem::new("can't open psql").because(e));
                    let lent = tokio::select! {
                        lent = self.psql(prepared.unwrap_or_else(broken)) => Some(lent),
                        () = ends.ordered() => None,
                    };
                    match lent {
                        Some(lent) => lent?,
                        None => self.step(Msg::Quit).await?,
                    }
                    // Ctrl-C in the program was meant for it, and is heard here too. Ours comes as a key.
                    ends.forget_interrupt()?;
                }
                Some(msg) = finished.recv() => self.step(msg).await?,
                Some(first) = inbox.recv() => self.arrivals(first, &mut inbox).await?,
                _ = second.tick(), if self.model.shows_age() => self.second().await?,
            }
        }
        self.finish_recording();
        Ok(())
    }

    async fn input(&mut self, input: Input) -> std::io::Result<()> {
        self.touched = Instant::now();
        self.tick().await?;
        self.step(Msg::Input(input)).await
    }

    /// Everything that waits in the inbox, as at most one message a lane.
    async fn arrivals(&mut self, first: Incoming, inbox: &mut Inbox) -> std::io::Result<()> {
        let (mut facts, mut news) = (Vec::new(), Vec::new());
        for one in std::iter::once(first).chain(inbox.drain(BATCH)) {
            match one {
                Incoming::Fact(fact) => facts.push(fact),
                Incoming::News(one) => news.push(one),
            }
        }
        self.tick().await?;
        let calm = news.is_empty() && facts.iter().all(is_sample);
        if !news.is_empty() {
            self.step(Msg::News(news)).await?;
        }
        if !facts.is_empty() {
            self.step(Msg::Facts(facts)).await?;
        }
        // Whoever has just asked for something wants to see what comes of it.
        self.calm = calm && self.touched.elapsed() > WATCHED;
        Ok(())
    }

    /// A second has passed and nothing else happened.
    async fn second(&mut self) -> std::io::Result<()> {
        self.tick().await?;
        self.calm = self.touched.elapsed() > WATCHED;
        Ok(())
    }

    /// Tells the model the time, at most once a second: a recording stays short, and ages are whole seconds.
    async fn tick(&mut self) -> std::io::Result<()> {
        let now = Timestamp::now();
        if now.duration_since(self.clock).abs() >= jiff::SignedDuration::from_secs(1) {
            self.clock = now;
            self.step(Msg::Clock(now)).await?;
        }
        Ok(())
    }

    /// One message: behaviour, then its effects.
    async fn step(&mut self, msg: Msg) -> std::io::Result<()> {
        self.calm = false;
        if let Some(recorder) = &mut self.recorder
            && let Err(e) = recorder.add(&msg)
        {
            self.recorder = None;
            let problem = Problem::new("the recording ends here").because(e);
            let _ = self.done.send(Msg::Problem(problem));
        }
        for effect in update(&mut self.model, msg) {
            self.perform(effect).await?;
        }
        Ok(())
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let model = &self.model;
        self.terminal.draw(|_, buf| view(model, buf))?;
        #[cfg(debug_assertions)]
        if std::env::var_os("HOWDAH_TEST_PANIC").is_some() {
            // tests/terminal.rs: whatever happens, the terminal is given back.
            panic!("HOWDAH_TEST_PANIC is set");
        }
        Ok(())
    }

    fn finish_recording(&mut self) {
        if let Some(recorder) = self.recorder.take()
            && let Err(e) = recorder.finish()
        {
            tracing::warn!(error = %e, "the recording is not complete");
        }
    }
}
