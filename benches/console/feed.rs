//! The way of an object from the wire to the model, without the wire: text → cut down → world → picture → inbox → model.

use howdah::adapters::inbox::{Inbox, Incoming, inbox};
use howdah::adapters::kubernetes::gather::{Gather, Pictures};
use howdah::adapters::kubernetes::list::Page;
use howdah::adapters::kubernetes::objects::Kind;
use howdah::adapters::kubernetes::watch::{Object, Said};
use howdah::app::{Model, Msg, update, view};
use howdah::domain::cluster::Pod;
use howdah::run::BATCH;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

use super::measure::{Times, line, memory, timed};
use super::objects::{self, CLUSTERS, INSTANCES, PODS};
use super::{CONTEXT, SIZE, scenario};

/// As many events as the live watches may be ahead.
const AHEAD: usize = 2_048;
/// Objects of one page of a list.
const PAGE: usize = 500;
/// The shortest time between two frames of the console.
const FRAME: Duration = Duration::from_millis(33);

/// One context's gathering, and the inbox it tells into.
pub struct Feed {
    pub said: mpsc::Sender<Said>,
    pub inbox: Inbox,
    _pictures: watch::Receiver<Pictures>,
}

fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|k| *k != Kind::Endpoints)
}

/// One object's text as a watch hands it on.
fn decode(text: &str) -> Object {
    page(Kind::Pod, &format!(r#"{{"items":[{text}]}}"#)).pop().expect("one object")
}

fn page(kind: Kind, text: &str) -> Vec<Object> {
    Page::read(kind, text).expect("JSON made here").objects
}

impl Feed {
    pub async fn start() -> Feed {
        let (outbox, inbox) = inbox();
        let (said, heard) = mpsc::channel(AHEAD);
        let (open, mut gate) = watch::channel(false);
        let (pictures, seen) = watch::channel(Pictures::default());
        tokio::spawn(Gather::new(CONTEXT.into(), outbox, kinds(), open, pictures).run(heard));
        let feed = Feed { said, inbox, _pictures: seen };
        for kind in kinds() {
            feed.say(Said::Scoped(kind, vec![None])).await;
        }
        gate.wait_for(|open| *open).await.expect("the gathering runs");
        feed
    }

    async fn say(&self, said: Said) {
        self.said.send(said).await.expect("the gathering runs");
    }

    /// All pages of all lists; not yet that they are whole.
    pub async fn lists(&self) {
        let all = || 0..CLUSTERS;
        let each = || all().flat_map(|n| (1..=INSTANCES).map(move |s| (n, s)));
        let suffixed = || all().flat_map(|n| ["rw", "ro", "r"].map(|s| (n, s)));
        for kind in kinds() {
            self.say(Said::Begun(kind, None)).await;
        }
        self.pages(Kind::Cluster, all().map(objects::cluster)).await;
        self.pages(Kind::Pod, each().map(|(n, s)| objects::pod(n, s, 0))).await;
        self.pages(Kind::Node, objects::nodes()).await;
        self.pages(Kind::EndpointSlice, suffixed().map(|(n, s)| objects::slice(n, s))).await;
        self.pages(Kind::Service, suffixed().map(|(n, s)| objects::service(n, s))).await;
        self.pages(Kind::Lease, all().map(objects::lease)).await;
        self.pages(Kind::Pvc, each().map(|(n, s)| objects::claim(n, s))).await;
        self.pages(Kind::Event, all().map(objects::event)).await;
        // Until the gathering has taken all of them.
        while self.said.capacity() < AHEAD {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn pages(&self, kind: Kind, objects: impl Iterator<Item = Value>) {
        let mut objects = objects.peekable();
        while objects.peek().is_some() {
            let mut text = String::from(r#"{"items":["#);
            let begun = text.len();
            for object in objects.by_ref().take(PAGE) {
                if text.len() > begun {
                    text.push(',');
                }
                text.push_str(&object.to_string());
            }
            text.push_str("]}");
            self.say(Said::Page(kind, None, page(kind, &text))).await;
        }
    }

    /// The end of every list.
    pub async fn whole(&self) {
        for kind in kinds() {
            self.say(Said::Whole(kind, None)).await;
        }
    }
}

/// A model that knows nothing, now.
pub fn model() -> Model {
    let setup = scenario::play::setup(SIZE, "default", howdah::ui::Depth::True);
    let mut model = Model::new(setup);
    update(&mut model, Msg::Clock(Timestamp::now()));
    model
}

/// Takes in what arrived, as the console does; returns how long a key would have waited for it.
pub fn arrivals(model: &mut Model, first: Incoming, inbox: &mut Inbox) -> Duration {
    timed(|| {
        let (mut facts, mut news) = (Vec::new(), Vec::new());
        for one in std::iter::once(first).chain(inbox.drain(BATCH)) {
            match one {
                Incoming::Fact(fact) => facts.push(fact),
                Incoming::News(one) => news.push(one),
            }
        }
        if !news.is_empty() {
            update(model, Msg::News(news));
        }
        if !facts.is_empty() {
            update(model, Msg::Facts(facts));
        }
    })
}

fn is_whole(model: &Model) -> bool {
    let facts = &model.known().facts;
    facts.clusters.len() == CLUSTERS && !facts.nodes.is_empty()
}

fn pods(model: &Model) -> impl Iterator<Item = &Pod> {
    model.known().facts.clusters.values().flat_map(|c| c.instances.iter().filter_map(|i| i.pod.as_deref()))
}

fn press(model: &mut Model, keys: &str) {
    for chord in howdah::ui::chord::parse_keys(keys).expect("a key") {
        update(model, Msg::Input(howdah::ui::Input::Key(chord)));
    }
}

/// From the ends of the lists to the first frame of Topology with everything in it.
pub async fn first_topology() -> (Feed, Model) {
    println!("first topology: {CLUSTERS} clusters, {PODS} pods and claims, {} services", CLUSTERS * 3);
    let started = Instant::now();
    let mut feed = Feed::start().await;
    feed.lists().await;
    line("texts made, decoded, cut down", format!("{:.2?}", started.elapsed()), "");
    let mut model = model();
    press(&mut model, "2");
    let mut buf = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    let started = Instant::now();
    feed.whole().await;
    while !is_whole(&model) {
        let first = feed.inbox.recv().await.expect("the gathering runs");
        arrivals(&mut model, first, &mut feed.inbox);
    }
    let known = started.elapsed();
    view(&model, &mut buf);
    line("from the lists' end until everything is known", format!("{known:.2?}"), "");
    line("… and its first frame is made", format!("{:.2?}", started.elapsed()), "300 ms");
    (feed, model)
}

/// Events that change pods, and a person pressing keys all the while.
pub async fn storm(feed: &mut Feed, model: &mut Model) {
    let texts: std::sync::Arc<Vec<String>> = std::sync::Arc::new(
        (0..PODS).map(|n| objects::pod(n * 7 % CLUSTERS, n / CLUSTERS + 1, 4_000_000_000).to_string()).collect(),
    );
    println!("watch events of pods, {} kB each on average", texts.iter().map(String::len).sum::<usize>() / PODS / 1000);
    press(model, "1");
    let decoding = timed(|| texts.iter().for_each(|t| drop(decode(t))));
    line("10,000 events decoded and cut down", format!("{decoding:.2?}"), "");
    let flood = through(feed, model, texts.clone(), 1, 1, Duration::ZERO).await;
    line("10,000 events at once, until all are in the model", format!("{:.2?}", flood.took), "1 s");
    line("… the longest wait of a key for one batch", format!("{:.2?}", flood.batches.max()), "");
    let paced = through(feed, model, texts, 2, 5, Duration::from_millis(10)).await;
    line("50,000 events, 10,000 a second, were sent in", format!("{:.2?}", paced.sent), "5 s");
    line("… the last change is in the model after", format!("{:.2?}", paced.took), "5 s, and 100 ms for a picture");
    line("… batches", paced.batches.words(), "");
    line("… from a key press until it has been handled", paced.keys.words(), "");
    line("… 99 of 100 keys within", format!("{:.2?}", paced.keys.at(0.99)), "33 ms");
    let lost = PODS - pods(model).filter(|p| p.restarts == 6).count();
    line("… pods whose last change is missing", lost, "0");
}

struct Passed {
    /// Until the last was sent: the sender waits where the gathering does not keep up.
    sent: Duration,
    took: Duration,
    batches: Times,
    keys: Times,
}

/// Every text once for each round, a hundred at a time, and a key each 25 ms.
async fn through(
    feed: &mut Feed,
    model: &mut Model,
    texts: std::sync::Arc<Vec<String>>,
    first: u32,
    rounds: u32,
    pause: Duration,
) -> Passed {
    let said = feed.said.clone();
    let started = Instant::now();
    let feeder = tokio::spawn(async move {
        let (mut due, mut sent) = (tokio::time::Instant::now(), Duration::ZERO);
        for round in first..first + rounds {
            for hundred in texts.chunks(100) {
                for text in hundred {
                    let object = decode(&text.replace("4000000000", &round.to_string()));
                    said.send(Said::Applied(Kind::Pod, object)).await.expect("the gathering runs");
                }
                sent = started.elapsed();
                due += pause;
                tokio::time::sleep_until(due).await;
            }
        }
        sent
    });
    let (press_key, mut pressed) = mpsc::unbounded_channel();
    let keyboard = std::thread::spawn(move || {
        while press_key.send(Instant::now()).is_ok() {
            std::thread::sleep(Duration::from_millis(25));
        }
    });
    let mut buf = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    let mut passed =
        Passed { sent: Duration::ZERO, took: Duration::ZERO, batches: Times::default(), keys: Times::default() };
    let mut drawn = tokio::time::Instant::now();
    let mut due = None;
    let last = first + rounds - 1;
    loop {
        if due.is_none() && model.take_dirty() {
            due = Some(drawn + FRAME);
        }
        tokio::select! {
            biased;
            Some(at) = pressed.recv() => {
                press(model, "j");
                passed.keys.add(at.elapsed());
            }
            () = tokio::time::sleep_until(due.unwrap_or(drawn)), if due.is_some() => {
                due = None;
                view(model, &mut buf);
                drawn = tokio::time::Instant::now();
            }
            Some(arrived) = feed.inbox.recv() => {
                let wait = arrivals(model, arrived, &mut feed.inbox);
                passed.batches.add(wait);
                passed.took = started.elapsed();
                if feeder.is_finished() && pods(model).all(|p| p.restarts == last) {
                    break;
                }
            }
        }
        if started.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    feeder.abort();
    passed.sent = feeder.await.unwrap_or_default();
    drop(pressed);
    let _ = keyboard.join();
    passed
}

/// What a console holds in memory that has seen all of it, in a process of its own.
pub async fn resident() {
    let show = |what: &str, goal: &str| match memory("VmRSS:") {
        Some(mb) => line(what, format!("{mb:.1} MB"), goal),
        None => line(what, "not told by this system", goal),
    };
    println!("memory: resident size of a process of its own");
    show("before anything", "");
    let mut model = model();
    let mut feed = Feed::start().await;
    feed.lists().await;
    show("all pages decoded", "");
    feed.whole().await;
    while !is_whole(&model) {
        let first = feed.inbox.recv().await.expect("the gathering runs");
        arrivals(&mut model, first, &mut feed.inbox);
    }
    show("1,000 clusters, 10,000 pods and claims known", "60 MB");
    for n in 0..CLUSTERS {
        let key = scenario::key(&objects::namespace(n), &objects::name(n));
        let answers = (1..=INSTANCES).map(|serial| {
            let sample =
                if serial == 1 { scenario::leading("1/9000060", 1) } else { scenario::following("1/9000060", 1) };
            scenario::sql(&key, &format!("{}-{serial}", objects::name(n)), 1, sample)
        });
        update(&mut model, Msg::Facts(answers.collect()));
    }
    let mut buf = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    view(&model, &mut buf);
    show("… and an answer by SQL of every instance", "60 MB");
    if let Some(mb) = memory("VmHWM:") {
        line("the most it ever was", format!("{mb:.1} MB"), "");
    }
}
