//! A pretended world of instances: pods get statuses as if a kubelet ran them, and instance managers that take the
//! lease, promote and step down, without any process. Its times are short; its order is that of the recordings.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use howdah::lab::api::resources::{CLUSTERS, LEASES, PODS};
use howdah::lab::api::store::Part;
use howdah::lab::api::{Change, Selector, Store};
use howdah::lab::object::{ConditionText, is_deleting, label, micros, name, seconds, set_condition, text, uid};
use howdah::lab::operator::InstanceStatusReader;
use howdah::lab::operator::world::ClusterObject;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

pub const NAMESPACE: &str = "pg";
const SYSTEM: &str = "7710389708369129491";
/// How long a started server waits for its startup probe: longer than the operator takes from one look to the next.
const PROBE: Duration = Duration::from_millis(1300);

#[derive(Clone, Debug, Default)]
struct Instance {
    running: bool,
    primary: bool,
    excused: bool,
}

#[derive(Default)]
struct World {
    instances: BTreeMap<String, Instance>,
    timeline: i64,
    primary_stopped: Option<Instant>,
    favourite: String,
}

/// The instances of all clusters in [`NAMESPACE`].
pub struct Pretend {
    store: Store,
    world: Mutex<World>,
}

async fn ms(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

impl Pretend {
    pub fn start(store: &Store) -> Arc<Self> {
        let world = World { timeline: 1, ..World::default() };
        let pretend = Arc::new(Self { store: store.clone(), world: Mutex::new(world) });
        tokio::spawn(Arc::clone(&pretend).follow_pods());
        pretend
    }

    /// Who has received the most WAL.
    pub fn favour(&self, instance: &str) {
        self.world.lock().expect("whole").favourite = instance.to_owned();
    }

    async fn follow_pods(self: Arc<Self>) {
        let mut watch = self.store.watch(&PODS, Some(NAMESPACE));
        let mut living: HashSet<String> = HashSet::new();
        loop {
            let event = watch.next().await;
            let placed = !text(&event.object, "/spec/nodeName").is_empty();
            if event.kind == Change::Deleted || !placed || !living.insert(uid(&event.object).to_owned()) {
                continue;
            }
            let pretend = Arc::clone(&self);
            tokio::spawn(async move {
                if label(&event.object, "cnpg.io/jobRole").is_some() {
                    pretend.run_job(name(&event.object)).await;
                } else {
                    pretend.run_instance(name(&event.object), uid(&event.object)).await;
                }
            });
        }
    }

    fn pod_status(&self, pod: &str, phase: &str, ready: bool) {
        let address = format!("10.244.0.{}", 1 + pod.bytes().map(usize::from).sum::<usize>() % 250);
        let edit = |pod: &mut Value| {
            pod["status"]["phase"] = phase.into();
            pod["status"]["podIP"] = address.clone().into();
            let said = ConditionText::new("Ready", ready, if ready { "" } else { "ContainersNotReady" }, "");
            set_condition(&mut pod["status"], &said, Timestamp::now());
            Ok(())
        };
        drop(self.store.change(&PODS, NAMESPACE, pod, Part::Status, edit));
    }

    /// Before its network is there: a pod without an address.
    fn pod_begins(&self, pod: &str) {
        let edit = |pod: &mut Value| {
            let said = ConditionText::new("Ready", false, "ContainersNotReady", "");
            set_condition(&mut pod["status"], &said, Timestamp::now());
            Ok(())
        };
        drop(self.store.change(&PODS, NAMESPACE, pod, Part::Status, edit));
    }

    async fn run_job(&self, pod: &str) {
        self.pod_status(pod, "Pending", false);
        ms(100).await;
        self.pod_status(pod, "Running", true);
        ms(100).await;
        self.pod_status(pod, "Running", false);
        ms(50).await;
        self.pod_status(pod, "Succeeded", false);
    }

    fn cluster_of(&self, instance: &str) -> Option<Arc<Value>> {
        let (cluster, _) = instance.rsplit_once('-')?;
        self.store.get(&CLUSTERS, NAMESPACE, cluster)
    }

    fn set(&self, instance: &str, edit: impl FnOnce(&mut Instance)) {
        let mut world = self.world.lock().expect("whole");
        edit(world.instances.entry(instance.to_owned()).or_default());
    }

    fn get(&self, instance: &str) -> Instance {
        self.world.lock().expect("whole").instances.get(instance).cloned().unwrap_or_default()
    }

    fn hold_lease(&self, instance: &str, hold: bool) {
        let Some((cluster, _)) = instance.rsplit_once('-') else { return };
        let edit = |lease: &mut Value| {
            lease["spec"]["holderIdentity"] = if hold { instance.into() } else { "".into() };
            lease["spec"]["leaseDurationSeconds"] = if hold { 15 } else { 1 }.into();
            lease["spec"]["renewTime"] = micros(Timestamp::now()).into();
            Ok(())
        };
        drop(self.store.change(&LEASES, NAMESPACE, cluster, Part::Main, edit));
    }

    fn holder(&self, instance: &str) -> String {
        let cluster = instance.rsplit_once('-').map_or("", |(cluster, _)| cluster);
        let lease = self.store.get(&LEASES, NAMESPACE, cluster);
        lease.map(|lease| text(&lease, "/spec/holderIdentity").to_owned()).unwrap_or_default()
    }

    fn write_status(&self, instance: &str, edit: impl Fn(&mut Value)) {
        let Some((cluster, _)) = instance.rsplit_once('-') else { return };
        let edit = |cluster: &mut Value| {
            edit(&mut cluster["status"]);
            Ok(())
        };
        drop(self.store.change(&CLUSTERS, NAMESPACE, cluster, Part::Status, edit));
    }

    fn archiving(&self, instance: &str, works: bool) {
        let reason = if works { "ContinuousArchivingSuccess" } else { "ContinuousArchivingFailing" };
        let said = ConditionText::new("ContinuousArchiving", works, reason, "");
        self.write_status(instance, |status| {
            set_condition(status, &said, Timestamp::now());
        });
    }

    /// A pod's life, from its start to its end.
    async fn run_instance(&self, me: &str, id: &str) {
        self.pod_begins(me);
        tokio::join!(ms(150), self.store.quiet(PROBE));
        self.pod_status(me, "Pending", false);
        ms(50).await;
        self.pod_status(me, "Running", false);
        ms(80).await;
        self.begin(me).await;
        let mut ready_at = Some(Instant::now() + PROBE);
        loop {
            ms(5).await;
            let pod = self.store.get(&PODS, NAMESPACE, me).filter(|pod| uid(pod) == id);
            let Some(pod) = pod else { return };
            if is_deleting(&pod) {
                return self.end(me).await;
            }
            if ready_at.is_some_and(|at| at <= Instant::now()) {
                self.pod_status(me, "Running", true);
                ready_at = None;
            }
            if self.obey(me).await {
                ready_at = Some(Instant::now() + PROBE);
            }
        }
    }

    async fn begin(&self, me: &str) {
        let Some(cluster) = self.cluster_of(me) else { return };
        let current = cluster.current_primary();
        let leads = cluster.target_primary() == me && (current.is_empty() || current == me);
        if leads {
            if cluster.current_primary().is_empty() {
                self.become_current(me);
                self.archiving(me, true);
            }
            self.hold_lease(me, true);
        }
        self.set(me, |i| *i = Instance { running: true, primary: leads, excused: false });
    }

    fn become_current(&self, me: &str) {
        self.write_status(me, |status| {
            status["currentPrimary"] = me.into();
            status["currentPrimaryTimestamp"] = micros(Timestamp::now()).into();
        });
    }

    fn stop_server(&self, me: &str) {
        let led = self.get(me).primary;
        self.set(me, |i| *i = Instance { running: false, primary: false, excused: i.excused });
        if led {
            self.world.lock().expect("whole").primary_stopped = Some(Instant::now());
            self.hold_lease(me, false);
        }
    }

    /// Graceful termination, as the kubelet does it.
    async fn end(&self, me: &str) {
        // A server shuts down for longer than the operator takes to miss it.
        ms(450).await;
        self.stop_server(me);
        ms(150).await;
        self.pod_status(me, "Succeeded", false);
        ms(300).await;
        self.set(me, |i| *i = Instance::default());
        drop(self.store.remove(&PODS, NAMESPACE, me));
    }

    /// Follows the cluster's wishes. True when the container was restarted.
    async fn obey(&self, me: &str) -> bool {
        let Some(cluster) = self.cluster_of(me) else { return false };
        let now = self.get(me);
        if cluster.is_fenced(me) {
            self.set(me, |i| i.excused = true);
            return false;
        }
        self.set(me, |i| i.excused = false);
        let (target, current) = (cluster.target_primary(), cluster.current_primary());
        if now.primary && target != me {
            ms(100).await;
            self.stop_server(me);
            ms(200).await;
            self.pod_status(me, "Running", false);
            while self.cluster_of(me).is_some_and(|cluster| cluster.current_primary() == me) {
                ms(5).await;
            }
            self.set(me, |i| i.running = true);
            return true;
        }
        if !now.primary && target == me && current != me && self.holder(me).is_empty() {
            self.promote(me).await;
        }
        if now.primary && cluster.phase() == "Primary instance is being restarted in-place" {
            ms(50).await;
            let said = ConditionText::new("Ready", true, "ClusterIsReady", "Cluster is Ready");
            self.write_status(me, |status| {
                status["phase"] = "Cluster in healthy state".into();
                status["phaseReason"] = "Primary instance restarted in-place".into();
                set_condition(status, &said, Timestamp::now());
            });
        }
        false
    }

    fn old_primary_is_gone(&self, me: &str) -> bool {
        let instances = self.cluster_of(me).map(|c| c.instance_names().len()).unwrap_or_default();
        let pods = self.store.list(&PODS, Some(NAMESPACE), &Selector::everything()).items;
        pods.iter().filter(|pod| label(pod, "cnpg.io/podRole").is_some()).count() < instances
    }

    async fn promote(&self, me: &str) {
        ms(50).await;
        self.hold_lease(me, true);
        ms(400).await;
        self.world.lock().expect("whole").timeline += 1;
        self.set(me, |i| i.primary = true);
        self.become_current(me);
        // After a clean switchover nothing is left to be archived that could be refused.
        if self.old_primary_is_gone(me) {
            self.archiving(me, false);
            ms(30).await;
            self.archiving(me, true);
        }
    }

    fn answer(&self, me: &str) -> Result<Value, String> {
        let world = self.world.lock().expect("whole");
        let instance = world.instances.get(me).cloned().unwrap_or_default();
        if instance.excused {
            return Ok(json!({"isPrimary": instance.primary, "mightBeUnavailable": true, "systemID": SYSTEM}));
        }
        if !instance.running {
            return Err("connect: connection refused".to_owned());
        }
        let leader = world.instances.values().any(|i| i.running && i.primary);
        let lately = world.primary_stopped.is_some_and(|at| at.elapsed() < Duration::from_millis(100));
        let ahead = if world.favourite == me { "0/9000060" } else { "0/9000000" };
        let mut body = json!({
            "isPrimary": instance.primary, "systemID": SYSTEM, "timeLineID": world.timeline,
            "loadedConfigurationHash": "same", "executableHash": "same",
        });
        if !instance.primary {
            body["isWalReceiverActive"] = (leader || lately).into();
            body["receivedLsn"] = ahead.into();
            body["replayLsn"] = ahead.into();
        }
        Ok(body)
    }
}

impl InstanceStatusReader for Pretend {
    fn read(&self, pod: Arc<Value>) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move { self.answer(name(&pod)) })
    }
}

/// Now as `kubectl` writes it into annotations.
pub fn now() -> String {
    seconds(Timestamp::now())
}
