//! A pretended world: objects that change as they are told, checks that hold a while after, and a process that can be
//! killed between any two things it does. Its time is its own and passes only when nothing else happens.

pub mod drive;
pub mod plans;

use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use howdah::adapters::executor::{Deed, Executor, Refusal};
use howdah::adapters::runs::{Done, Ledger};
use howdah::domain::lsn::Lsn;
use howdah::domain::names::ClusterKey;
use howdah::domain::trial::{Archived, Checked, Comparison, Learned, Mark, Printed, Prints, ROWS, Recovered, TornDown};
use howdah::problem::Problem;
use howdah::procedure::order::{Delete, Form, Patch, Target};
use howdah::procedure::trial::{Part, Trial};
use howdah::procedure::{Answer, Entry, Found, Order, Plan, Premise, Proof, Rehearsal, Right, Step, StepId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// How long after an act its check holds.
const TAKES: SignedDuration = SignedDuration::from_secs(2);
/// How long after its start a process has heard from the world.
const HEARS: SignedDuration = SignedDuration::from_secs(1);

#[derive(Clone)]
pub struct World(Arc<Mutex<Inner>>);

struct Inner {
    now: Timestamp,
    /// When the process that looks was started.
    born: Timestamp,
    objects: BTreeMap<String, Value>,
    gone: BTreeSet<String>,
    /// Every change that reached the world, in order.
    acts: Vec<String>,
    /// When an order was last done.
    done: BTreeMap<String, Timestamp>,
    /// The journal's lines, as they are on the disk.
    lines: Vec<String>,
    /// Things the process may still do before it is killed.
    fuse: Option<usize>,
    dead: bool,
    points: usize,
    trouble: Trouble,
    cluster: String,
}

/// What goes wrong in this world.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Trouble {
    #[default]
    Nothing,
    /// This step's check never holds.
    Never(StepId),
    /// This step's order is refused.
    Refused(StepId),
}

impl World {
    pub fn new(plan: &Plan, seed: &[(&str, Value)], trouble: Trouble) -> World {
        let ClusterKey { namespace, name, .. } = &plan.cluster;
        let cluster = format!("/apis/postgresql.cnpg.io/v1/namespaces/{namespace}/clusters/{name}");
        let mut object = json!({"metadata": {"uid": plan.premise.uid}});
        let premise = plan.premise.values.iter().map(|(pointer, value)| (pointer.as_str(), value.clone()));
        for (pointer, value) in premise.chain(seed.iter().cloned()) {
            put(&mut object, pointer, value);
        }
        World(Arc::new(Mutex::new(Inner {
            now: plan.made,
            born: plan.made,
            objects: BTreeMap::from([(cluster.clone(), object)]),
            gone: BTreeSet::new(),
            acts: Vec::new(),
            done: BTreeMap::new(),
            lines: Vec::new(),
            fuse: None,
            dead: false,
            points: 0,
            trouble,
            cluster,
        })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// The time; it moves a little whenever it is read.
    pub fn now(&self) -> Timestamp {
        self.with(|w| {
            w.now += SignedDuration::from_millis(1);
            w.now
        })
    }

    /// Nothing else happens: a second passes, and the operator does its part.
    pub fn tick(&self) {
        self.with(|w| {
            w.now += SignedDuration::from_secs(1);
            let cluster = w.cluster.clone();
            if let Some(object) = w.objects.get_mut(&cluster)
                && let Some(target) = object.pointer("/status/targetPrimary").cloned()
                && object.pointer("/status/currentPrimary") != Some(&target)
            {
                put(object, "/status/currentPrimary", target);
                put(object, "/status/phase", "Cluster in healthy state".into());
            }
        });
    }

    /// Nothing will happen before then.
    pub fn leap(&self, to: Timestamp) {
        self.with(|w| w.now = w.now.max(to));
    }

    /// A process starts, and may do this many things.
    pub fn start(&self, fuse: Option<usize>) {
        self.with(|w| (w.fuse, w.dead, w.born) = (fuse, false, w.now));
    }

    pub fn dead(&self) -> bool {
        self.with(|w| w.dead)
    }

    /// How many points there were at which a process can be killed.
    pub fn points(&self) -> usize {
        self.with(|w| w.points)
    }

    pub fn lines(&self) -> Vec<String> {
        self.with(|w| w.lines.clone())
    }

    /// The changes that reached the world, and what it looks like.
    pub fn end(&self) -> (Vec<String>, BTreeMap<String, Value>, BTreeSet<String>) {
        self.with(|w| {
            let mut acts = w.acts.clone();
            acts.sort();
            (acts, w.looks(), w.gone.clone())
        })
    }

    /// A person looks: the step's order was done.
    pub fn was_done(&self, step: &Step) -> bool {
        step.order.as_ref().is_none_or(|order| self.with(|w| w.done.contains_key(&key(order))))
    }

    /// A point at which the process may be killed. `true`: it is dead.
    fn point(&self) -> bool {
        self.with(|w| {
            w.points += 1;
            match &mut w.fuse {
                Some(0) => w.dead = true,
                Some(left) => *left -= 1,
                None => {}
            }
            w.dead
        })
    }

    /// What the facts would say to a step's check.
    pub fn judge(&self, plan: &Plan, step: &Step) -> Proof {
        self.with(|w| {
            if w.now < w.born + HEARS {
                return Proof::NotYet("nothing was heard yet".into());
            }
            let late = |s: &Step| {
                let order = s.order.as_ref()?;
                w.done.get(&key(order)).is_none_or(|at| w.now < *at + TAKES).then(|| s.id.clone())
            };
            let waits = match &step.order {
                Some(_) => late(step),
                None => before(plan, step).into_iter().find_map(late),
            };
            match waits {
                _ if w.trouble == Trouble::Never(step.id.clone()) => Proof::NotYet("it never comes".into()),
                Some(id) => Proof::NotYet(format!("{id} is not seen")),
                None => Proof::Yes(vec!["seen".into()]),
            }
        })
    }

    fn perform(&self, deed: Deed<'_>) -> Result<Answer, Refusal> {
        let refused = |why: String| Err(Refusal::Nothing(Problem::refused("refused").because(why)));
        self.with(|w| {
            let step = deed.plan.steps.iter().find(|s| s.order.as_ref() == Some(deed.order));
            if let (Trouble::Refused(id), Some(step)) = (&w.trouble, step)
                && *id == step.id
            {
                return refused("the world says no".into());
            }
            if let Some(premise) = deed.premise {
                let moved = premise.moved(&w.objects[&w.cluster]);
                if !moved.is_empty() {
                    return refused(moved.join("; "));
                }
            }
            let before = (w.looks(), w.gone.clone());
            // What a restore drill makes has the moment in it that was learned before.
            let made = match deed.order {
                Order::Trial(trial) => trial.object(deed.answers).map(Order::Create),
                _ => None,
            };
            let answer = w.apply(made.as_ref().unwrap_or(deed.order));
            w.done.insert(key(deed.order), w.now);
            if before != (w.looks(), w.gone.clone()) {
                w.acts.push(key(deed.order));
            }
            Ok(answer)
        })
    }

    fn find(&self, deed: Deed<'_>) -> Found {
        self.with(|w| {
            let shows = match deed.order {
                Order::Patch(patch) if patch.mark.is_empty() => return Found::CantTell("it leaves no mark".into()),
                Order::Patch(patch) => w.marked(patch),
                Order::Create(create) => w.objects.contains_key(&create.target.path()),
                Order::Delete(Delete { uid, .. }) | Order::Evict(Delete { uid, .. }) => w.gone.contains(uid),
                order => w.done.contains_key(&key(order)),
            };
            if shows && !w.done.contains_key(&key(deed.order)) {
                // It was so before: then doing it must change nothing.
                let before = w.looks();
                w.apply(deed.order);
                assert!(w.looks() == before, "the marks tell that it was done, and it was not: {:?}", deed.order);
                w.done.insert(key(deed.order), w.now);
            }
            assert!(shows || !w.done.contains_key(&key(deed.order)), "the marks don't tell: {:?}", deed.order);
            if shows { Found::Done("it shows".into()) } else { Found::NotDone }
        })
    }
}

impl Inner {
    fn apply(&mut self, order: &Order) -> Answer {
        match order {
            Order::Patch(patch) => {
                let object = self.objects.entry(object_path(&patch.target)).or_insert_with(|| json!({"metadata": {}}));
                // Written times are no part of how it ends.
                let body = patch.filled(object, Timestamp::UNIX_EPOCH);
                match patch.form {
                    Form::Json => {
                        let operations: json_patch::Patch = serde_json::from_value(body).unwrap();
                        json_patch::patch(object, &operations).unwrap();
                    }
                    Form::Merge | Form::Strategic => json_patch::merge(object, &body),
                }
                Answer::Taken { version: "1".into(), uid: String::new() }
            }
            Order::Create(create) => {
                if create.body["kind"] == "Fault" {
                    self.strike();
                }
                self.objects.insert(create.target.path(), create.body.clone());
                Answer::Taken { version: "1".into(), uid: String::new() }
            }
            Order::Delete(delete) | Order::Evict(delete) => {
                self.gone.insert(delete.uid.clone());
                if self.primary().is_some_and(|primary| primary == delete.target.object.name) {
                    self.strike();
                }
                Answer::Taken { version: String::new(), uid: delete.uid.clone() }
            }
            Order::Heartbeat(_) => Answer::Begun,
            Order::Count(_) => Answer::Counted(Box::default()),
            Order::Sweep(_) => Answer::Done,
            Order::Trial(trial) => self.try_restore(trial),
        }
    }

    /// A part of a restore drill; the markers' table is an object, too.
    fn try_restore(&mut self, trial: &Trial) -> Answer {
        let at = Timestamp::UNIX_EPOCH;
        let mark = |batch| Mark { batch, at, lsn: Lsn(u64::from(batch)) };
        let learned = match &trial.part {
            Part::Mark => {
                self.objects.insert(trial.marks(), json!({"rows": 10}));
                Learned::Marked(mark(1))
            }
            Part::Print => {
                let (before, after) = (Prints::new(), Prints::new());
                let marks = vec![mark(2), mark(3)];
                Learned::Printed(Printed { by: "psql".into(), target: at, marks, before, after, elsewhere: Vec::new() })
            }
            Part::Archive => {
                Learned::Archived(Archived { wal: "000000010000000000000001".into(), how: "it is".into() })
            }
            Part::Make { .. } => unreachable!("it is made as an object"),
            Part::Recover => Learned::Recovered(Recovered::default()),
            Part::Compare => {
                let marks = BTreeMap::from([(1, ROWS), (2, ROWS)]);
                let tables = BTreeMap::new();
                Learned::Compared(Comparison { by: "psql".into(), marks, newest: Some(at), left: None, tables })
            }
            Part::Check => Learned::Checked(Checked { well: Some(true), how: "by hand".into(), found: Vec::new() }),
            Part::TearDown => {
                let ClusterKey { namespace, name, .. } = &trial.scratch;
                self.objects.remove(&format!("/apis/postgresql.cnpg.io/v1/namespaces/{namespace}/clusters/{name}"));
                Learned::TornDown(TornDown::default())
            }
            Part::Sweep => {
                self.objects.remove(&trial.marks());
                return Answer::Done;
            }
        };
        Answer::Learned(Box::new(learned))
    }

    /// Every object; what is empty is not there.
    fn looks(&self) -> BTreeMap<String, Value> {
        let mut objects = self.objects.clone();
        objects.values_mut().for_each(thin);
        objects.retain(|_, object| *object != json!({}));
        objects
    }

    fn primary(&self) -> Option<String> {
        self.objects[&self.cluster].pointer("/status/currentPrimary")?.as_str().map(str::to_owned)
    }

    /// The primary is gone: the operator has another one lead.
    fn strike(&mut self) {
        let Some(old) = self.primary() else { return };
        let stem = old.trim_end_matches(|c: char| c.is_ascii_digit());
        let new = if old.ends_with('2') { format!("{stem}3") } else { format!("{stem}2") };
        let cluster = self.cluster.clone();
        let object = self.objects.get_mut(&cluster).unwrap();
        put(object, "/status/targetPrimary", new.clone().into());
        put(object, "/status/currentPrimary", new.into());
    }

    fn marked(&self, patch: &Patch) -> bool {
        let null = Value::Null;
        let object = self.objects.get(&object_path(&patch.target)).unwrap_or(&null);
        !patch.mark.is_empty() && patch.mark.iter().all(|(p, v)| object.pointer(p).unwrap_or(&null) == v)
    }
}

fn thin(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.values_mut().for_each(thin);
        fields.retain(|_, field| !field.is_null() && *field != json!({}));
    }
}

/// The object's own path, whichever part of it is addressed.
fn object_path(target: &Target) -> String {
    Target { subresource: None, ..target.clone() }.path()
}

fn key(order: &Order) -> String {
    serde_json::to_string(order).unwrap()
}

/// Every step that this one builds on.
fn before<'a>(plan: &'a Plan, step: &Step) -> Vec<&'a Step> {
    let direct: Vec<&Step> = step.needs.iter().filter_map(|id| plan.step(id)).collect();
    direct.iter().flat_map(|s| before(plan, s)).chain(direct.iter().copied()).collect()
}

/// Sets a value by pointer, and makes the objects on the way.
pub fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut here = object;
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        if !here.is_object() {
            *here = json!({});
        }
        here = here.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
    }
    *here = value;
}

impl Executor for World {
    fn perform<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Result<Answer, Refusal>> {
        async move {
            // Killed on the way there.
            if self.point() {
                return pending().await;
            }
            // Others go on meanwhile.
            let mut first = true;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::take(&mut first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
            })
            .await;
            if self.dead() {
                return pending().await;
            }
            let answer = World::perform(self, deed);
            // Killed before the answer came.
            if self.point() { pending().await } else { answer }
        }
        .boxed()
    }

    fn find<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Found> {
        async move { if self.point() { pending().await } else { World::find(self, deed) } }.boxed()
    }

    fn rehearse<'a>(&'a self, _: Deed<'a>) -> BoxFuture<'a, Result<Rehearsal, Problem>> {
        async { Ok(Rehearsal::Diff(Vec::new())) }.boxed()
    }

    fn may<'a>(&'a self, _: &'a ClusterKey, _: &'a [Right]) -> BoxFuture<'a, Result<Vec<Right>, Problem>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn holds<'a>(&'a self, _: &'a ClusterKey, premise: &'a Premise) -> BoxFuture<'a, Result<(), Problem>> {
        let moved = self.with(|w| premise.moved(&w.objects[&w.cluster]));
        async move { if moved.is_empty() { Ok(()) } else { Err(Problem::refused(moved.join("; "))) } }.boxed()
    }
}

/// A journal in the world's own memory, with a point at which the process may be killed before and after each line.
pub struct Memory(pub World);

impl Memory {
    fn killed(&self) -> Result<(), Problem> {
        if self.0.point() { Err(Problem::new("killed")) } else { Ok(()) }
    }
}

impl Ledger for Memory {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.killed()?;
        let line = serde_json::to_string(entry).unwrap();
        self.0.with(|w| w.lines.push(line));
        self.killed()
    }

    fn done(&mut self, _: &Done) -> Result<(), Problem> {
        self.killed()
    }
}
