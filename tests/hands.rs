//! howdah's hands on a living lab: dry runs change nothing, changes are made once, a heartbeat measures a failover and
//! counts truthfully, also after howdah itself was killed and where acknowledged rows are really lost.
//!
//! What is true is asked with kubectl and psql, never of howdah. One lab, one story.

mod support;

use howdah::adapters::executor::{Deed, Executor};
use howdah::adapters::hands::Hands;
use howdah::adapters::inbox::{Inbox, Incoming, inbox};
use howdah::adapters::runs::Store;
use howdah::adapters::{Adapters, Config, Handle};
use howdah::domain::detail::ObjectRef;
use howdah::domain::facts::{Fact, Facts};
use howdah::domain::heartbeat::{Beat, Pulse, Tally};
use howdah::domain::names::ClusterKey;
use howdah::procedure::heartbeat::Heartbeat;
use howdah::procedure::order::{Form, Patch, Target};
use howdah::procedure::trial::Answers;
use howdah::procedure::{Answer, Found, Kind, Order, Plan, Premise, Rehearsal, RunId};
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::processes::{children, postmaster, signal};
use support::world::{Kubectl, Lab, PATIENCE};
use tokio::time::Instant;

const NAMESPACE: &str = "cnpg-database";
const CLUSTER: &str = "pg-primary";

struct World {
    lab: Lab,
    kubectl: Kubectl,
    handle: Handle,
    inbox: Inbox,
    facts: Facts,
    store: Store,
    key: ClusterKey,
    _state: tempfile::TempDir,
}

impl World {
    async fn start() -> Option<World> {
        let lab = Lab::start(&[])?;
        let kubectl = Kubectl::find(&lab.kubeconfig())?;
        let (outbox, inbox) = inbox();
        let config = Config { kubeconfig: vec![lab.kubeconfig()], ..Config::default() };
        let handle = Adapters::start(config, outbox).unwrap();
        let context = handle.contexts().next().unwrap().clone();
        let key = ClusterKey::new(context, NAMESPACE, CLUSTER);
        let state = tempfile::tempdir().unwrap();
        let store = Store::new(state.path().to_owned());
        let mut world = World { lab, kubectl, handle, inbox, facts: Facts::default(), store, key, _state: state };
        world.until("three ready instances", World::whole).await;
        Some(world)
    }

    /// Takes in what comes until something shows.
    async fn until<T>(&mut self, what: &str, mut look: impl FnMut(&World) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            match tokio::time::timeout_at(end, self.inbox.recv()).await {
                Ok(Some(Incoming::Fact(fact))) => self.absorb(fact),
                Ok(Some(Incoming::News(_))) => {}
                other => panic!("never: {what} ({other:?})\n{:#?}", self.facts.clusters.get(&self.key)),
            }
        }
    }

    fn absorb(&mut self, fact: Fact) {
        let trouble = |w: &World| w.pulse().and_then(|p| p.trouble.clone());
        let before = trouble(self);
        self.facts.absorb(fact);
        if trouble(self) != before {
            eprintln!("{} {:?}", Timestamp::now(), trouble(self));
        }
    }

    fn whole(&self) -> Option<()> {
        let cluster = self.facts.clusters.get(&self.key)?;
        let ready = cluster.instances.iter().filter(|i| i.pod.as_ref().is_some_and(|p| p.ready)).count();
        let settled = cluster.phase.as_ref().is_some_and(|p| p.text == "Cluster in healthy state");
        (ready == 3 && settled && cluster.ready == Some(3)).then_some(())
    }

    fn pulse(&self) -> Option<Arc<Pulse>> {
        self.facts.heartbeats.get(&self.key).cloned()
    }

    /// A run's folder, as its journal would make it.
    fn run(&self, name: &str) -> RunId {
        let run = RunId::from(name);
        std::fs::create_dir_all(self.store.folder(&run)).unwrap();
        run
    }

    fn hands(&self) -> Hands {
        self.handle.hands(self.store.clone())
    }

    fn primary(&self) -> String {
        let args = ["get", "cluster", CLUSTER, "-n", NAMESPACE, "-o", "jsonpath={.status.currentPrimary}"];
        self.kubectl.ok(&args)
    }

    fn psql(&self, pod: &str, sql: &str) -> String {
        let args = ["exec", "-n", NAMESPACE, pod, "-c", "postgres", "--", "psql", "-XtA", "-d", "app", "-c", sql];
        self.kubectl.ok(&args).trim().to_owned()
    }

    fn cluster(&self) -> Value {
        let text =
            self.kubectl.ok(&["get", "cluster", CLUSTER, "-n", NAMESPACE, "-o", "json", "--show-managed-fields"]);
        serde_json::from_str(&text).unwrap()
    }

    fn heart(&self, table: &str, commit: Option<&str>) -> Heartbeat {
        Heartbeat {
            cluster: self.key.clone(),
            database: "app".into(),
            table: table.into(),
            writers: 4,
            every: SignedDuration::from_millis(10),
            readers: 2,
            patience: SignedDuration::from_secs(2),
            commit: commit.map(Into::into),
            keep: false,
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            kind: Kind::FailoverDrill,
            cluster: self.key.clone(),
            title: "a test".into(),
            made: Timestamp::UNIX_EPOCH,
            parameters: BTreeMap::new(),
            findings: Vec::new(),
            candidates: Vec::new(),
            objectives: None,
            premise: Premise::default(),
            steps: Vec::new(),
        }
    }

    async fn perform(&self, hands: &Hands, run: &RunId, order: Order) -> Answer {
        let plan = self.plan();
        let answer =
            hands.perform(Deed { run, plan: &plan, order: &order, premise: None, answers: &Answers::new() }).await;
        answer.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    async fn counted(&self, hands: &Hands, run: &RunId, heart: &Heartbeat) -> Tally {
        match self.perform(hands, run, Order::Count(heart.clone())).await {
            Answer::Counted(tally) => *tally,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for so many acknowledged writes of the heartbeat that beats now: the fact of an earlier one stays.
    async fn beats(&mut self, since: Timestamp, more_than: u64) -> Arc<Pulse> {
        let enough = |p: &Arc<Pulse>| p.since >= since && p.acknowledged > more_than;
        self.until("acknowledged writes", |w| w.pulse().filter(enough)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_on_a_living_cluster() {
    let Some(mut world) = World::start().await else { return };
    a_dry_run_changes_nothing(&world).await;
    a_heartbeat_measures_a_failover(&mut world).await;
    acknowledged_rows_that_are_lost_are_counted(&mut world).await;
}

/// The API tries an annotation, and has it only once it is really asked; asked again, it is there already.
async fn a_dry_run_changes_nothing(world: &World) {
    let hands = world.hands();
    let run = world.run("annotate");
    let object = ObjectRef {
        context: world.key.context.clone(),
        api_version: "postgresql.cnpg.io/v1".into(),
        kind: "Cluster".into(),
        namespace: NAMESPACE.into(),
        name: CLUSTER.into(),
    };
    let order = Order::Patch(Patch {
        target: Target { object, plural: "clusters".into(), subresource: None },
        form: Form::Merge,
        body: json!({"metadata": {"annotations": {"howdah.test/seen": "yes"}}}),
        refresh: Vec::new(),
        lock: true,
        mark: vec![("/metadata/annotations/howdah.test~1seen".into(), "yes".into())],
    });
    let (before, plan) = (world.cluster(), world.plan());
    let uid = before["metadata"]["uid"].as_str().unwrap().to_owned();
    let leads = BTreeMap::from([("/status/currentPrimary".to_owned(), before["status"]["currentPrimary"].clone())]);
    let premise = Premise { uid: uid.clone(), values: leads };
    let answers = Answers::new();
    let deed = Deed { run: &run, plan: &plan, order: &order, premise: Some(&premise), answers: &answers };

    assert_eq!(hands.may(&world.key, &order.rights()).await.unwrap(), []);
    let shown = hands.rehearse(deed).await.unwrap();
    assert_eq!(shown, Rehearsal::Diff(vec!["+ metadata.annotations[howdah.test/seen]: yes".into()]));
    let annotations = |cluster: &Value| cluster["metadata"]["annotations"].clone();
    assert_eq!(annotations(&world.cluster()), annotations(&before), "a dry run changes nothing");
    assert_eq!(hands.find(deed).await, Found::NotDone);

    let moved =
        Premise { values: BTreeMap::from([("/status/currentPrimary".to_owned(), json!("nobody"))]), ..premise.clone() };
    assert!(hands.holds(&world.key, &moved).await.unwrap_err().because.unwrap().contains("was nobody, is pg-primary-"));
    assert!(hands.perform(Deed { premise: Some(&moved), ..deed }).await.is_err());
    assert_eq!(annotations(&world.cluster()), annotations(&before), "nothing is sent when the world moved");

    let Answer::Taken { uid: taken, .. } = hands.perform(deed).await.unwrap() else { panic!("it was not there") };
    assert_eq!(taken, uid);
    let after = world.cluster();
    assert_eq!(after["metadata"]["annotations"]["howdah.test/seen"], "yes");
    let managers = after["metadata"]["managedFields"].as_array().unwrap();
    assert!(managers.iter().any(|m| m["manager"] == "howdah"), "{managers:#?}");
    assert!(matches!(hands.perform(deed).await.unwrap(), Answer::Already(_)));
    assert!(matches!(hands.find(deed).await, Found::Done(_)));
}

/// The primary's pod is deleted under the heartbeat: thousands of acknowledged writes, none lost, the outage measured and
/// its times between those of the deletion and of the first row that the new primary has.
async fn a_heartbeat_measures_a_failover(world: &mut World) {
    let (hands, run) = (world.hands(), world.run("failover"));
    let heart = world.heart("howdah_drill_failover", None);
    let began = Timestamp::now();
    assert_eq!(world.perform(&hands, &run, Order::Heartbeat(heart.clone())).await, Answer::Begun);
    world.beats(began, 1000).await;
    let old = world.primary();
    let deleted = Timestamp::now();
    world.kubectl.ok(&["delete", "pod", "-n", NAMESPACE, &old, "--grace-period=1", "--wait=false"]);
    let over = |w: &World| {
        w.pulse()
            .filter(|p| p.outages.iter().any(|o| o.to.is_some() && o.from >= deleted - SignedDuration::from_secs(1)))
    };
    let after = world.until("the outage is over", over).await;
    world.beats(began, after.acknowledged + 1000).await;
    world.until("three ready instances again", World::whole).await;
    let new = world.primary();
    assert_ne!(new, old);

    let tally = world.counted(&hands, &run, &heart).await;
    eprintln!("failover: {tally:#?}");
    assert!(tally.acknowledged > 2000, "{tally:#?}");
    assert_eq!((tally.lost, tally.duplicated), (0, 0), "{tally:#?}");
    let rows: u64 = world.psql(&new, "select count(*) from howdah_drill_failover").parse().unwrap();
    assert_eq!(rows, tally.acknowledged + tally.unknown_there, "psql counts the same");
    assert!(tally.reads.0 > 100, "{tally:#?}");
    assert_eq!(tally.via, "app through a port-forward");
    let outage = tally.outages.iter().max_by_key(|o| o.to.unwrap().duration_since(o.from)).unwrap();
    assert_eq!(outage.to.unwrap().duration_since(outage.from), tally.longest);
    // The rows' own times, by the servers' clock, which is this machine's. A row that was acknowledged after the outage was
    // written no longer before its end than one attempt may take; and a gap between rows is an outage, unless it is short.
    let patience = heart.patience.as_secs_f64();
    let (from, to) = (outage.from.as_millisecond() as f64 / 1e3, outage.to.unwrap().as_millisecond() as f64 / 1e3);
    let within = format!(
        "select count(*) from howdah_drill_failover where at > to_timestamp({}) and at < to_timestamp({})",
        from + 0.01,
        to - patience
    );
    let strange: u64 = world.psql(&new, &within).parse().unwrap();
    assert!(strange <= tally.unknown_there, "{strange} rows were written while nothing was acknowledged");
    let widest = "select extract(epoch from max(gap)) from (select at - lag(at) over (order by at) gap from howdah_drill_failover) g";
    let gap: f64 = world.psql(&new, widest).parse().unwrap();
    assert!(gap > 0.5 && tally.longest.as_secs_f64() > gap - patience, "{gap} s between two rows: {tally:#?}");
    assert!(after.slices.iter().any(|b| *b >= Beat::Unknown) && after.slices.contains(&Beat::Acknowledged));

    assert_eq!(world.perform(&hands, &run, Order::Sweep(heart.clone())).await, Answer::Done);
    assert_eq!(world.psql(&new, "select to_regclass('howdah_drill_failover')"), "");
    let plan = world.plan();
    let sweep = Order::Sweep(heart);
    assert!(matches!(
        hands.find(Deed { run: &run, plan: &plan, order: &sweep, premise: None, answers: &Answers::new() }).await,
        Found::Done(_)
    ));
}

/// Rows that are acknowledged by a primary whose standbys are cut off, and which then dies, are lost; the heartbeat was
/// killed meanwhile and another process counts.
async fn acknowledged_rows_that_are_lost_are_counted(world: &mut World) {
    let run = world.run("lost");
    let heart = world.heart("howdah_drill_lost", Some("local"));
    let began = Timestamp::now();
    let hands = world.hands();
    assert_eq!(world.perform(&hands, &run, Order::Heartbeat(heart.clone())).await, Answer::Begun);
    let first = world.beats(began, 300).await;
    // Killed, and begun again in the same run.
    drop(hands);
    let hands = world.hands();
    assert_eq!(world.perform(&hands, &run, Order::Heartbeat(heart.clone())).await, Answer::Begun);
    let before = world.beats(began, first.acknowledged + 300).await;

    // The standbys get nothing more: their receivers die, and nobody is there to start others.
    let old = world.primary();
    let standbys: Vec<_> = (1..=3).map(|n| format!("{CLUSTER}-{n}")).filter(|n| *n != old).collect();
    for standby in &standbys {
        let server = postmaster(&world.lab.dir, standby);
        signal(&[server], Signal::SIGSTOP);
        signal(&children(server, "walreceiver"), Signal::SIGKILL);
    }
    world.beats(began, before.acknowledged + 300).await;
    drop(hands);
    let written: u64 = world.psql(&old, "select count(*) from howdah_drill_lost").parse().unwrap();

    // The primary stands still before anybody can ask it for what it has, and is then killed with its pod.
    let server = postmaster(&world.lab.dir, &old);
    let mut family = children(server, "");
    family.push(server);
    signal(&family, Signal::SIGSTOP);
    world.kubectl.ok(&["delete", "pod", "-n", NAMESPACE, &old, "--grace-period=1", "--wait=false"]);
    for standby in &standbys {
        signal(&[postmaster(&world.lab.dir, standby)], Signal::SIGCONT);
    }
    let led = old.clone();
    world
        .until("another primary", |w| {
            let primary = w.facts.clusters.get(&w.key)?.primary.clone()?;
            (primary != led.as_str()).then_some(())
        })
        .await;
    world.until("three ready instances again", World::whole).await;
    let new = world.primary();
    let left: u64 = world.psql(&new, "select count(*) from howdah_drill_lost").parse().unwrap();

    let hands = world.hands();
    let tally = world.counted(&hands, &run, &heart).await;
    eprintln!("lost: {tally:#?}; {written} were written, {left} are left");
    assert!(left >= first.acknowledged, "what was written well before the cut is there: {left} of {written}");
    // What was written between the count and the cut had left in time; of the rest at least so many are named below.
    assert!(written - left >= 100, "{written} were written, {left} are left");
    assert_eq!(tally.acknowledged - tally.lost, left - tally.unknown_there, "what is left of what was acknowledged");
    // At most one row of each writer was on the way when howdah was killed, each time.
    let adrift = u64::from(heart.writers) * 2;
    assert!((tally.lost..=tally.lost + adrift).contains(&(written - left)), "{tally:#?}");
    assert_eq!(tally.duplicated, 0);
    assert!(tally.unmeasured.len() >= 2 && tally.lost_names.len() == 100, "{tally:#?}");
    let lost = tally.lost_names[0].split_once('/').unwrap();
    let there = format!("select count(*) from howdah_drill_lost where writer = {} and n = {}", lost.0, lost.1);
    assert_eq!(world.psql(&new, &there), "0");
    assert_eq!(world.perform(&hands, &run, Order::Sweep(heart)).await, Answer::Done);
}
