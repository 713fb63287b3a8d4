//! The adapters whole, against a small Kubernetes API of the tests' own.

mod mock;
mod practice;
mod stores;

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

use super::inbox::{Inbox, Incoming, inbox};
use super::{Adapters, Config, Handle, Namespaces};
use crate::domain::detail::{DetailNews, News, ObjectRef, Subject};
use crate::domain::event::{Transition, What};
use crate::domain::facts::{Fact, Facts};
use crate::domain::names::{ClusterKey, Context};
use crate::domain::sample::SilenceKind;
use crate::domain::source::{SourceId, SourceState};
use mock::{Mock, Rule};

const CLUSTERS: &str = "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters";
const PODS: &str = "/api/v1/namespaces/pg/pods";
/// Bounds a failure, times nothing.
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    mock: Mock,
    handle: Handle,
    inbox: Inbox,
    facts: Facts,
    news: Vec<News>,
}

impl World {
    fn look(mock: Mock, namespaces: Namespaces) -> World {
        let (outbox, inbox) = inbox();
        let config = Config { kubeconfig: vec![mock.kubeconfig()], namespaces, ..Config::default() };
        let handle = Adapters::start(config, outbox).unwrap();
        World { mock, handle, inbox, facts: Facts::default(), news: Vec::new() }
    }

    /// Takes in what comes until `is` holds.
    async fn until(&mut self, what: &str, is: impl Fn(&Facts) -> bool) {
        self.see(what, |world| is(&world.facts)).await;
    }

    async fn see(&mut self, what: &str, is: impl Fn(&World) -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !is(self) {
            match tokio::time::timeout_at(end, self.inbox.recv()).await {
                Ok(Some(Incoming::Fact(fact))) => drop(self.facts.absorb(fact)),
                Ok(Some(Incoming::News(news))) => self.news.push(news),
                other => panic!("never: {what} ({other:?})\n{:#?}", self.facts.sources),
            }
        }
    }

    fn transitions(&self) -> Vec<&Transition> {
        let of = |news: &'_ News| matches!(news, News::Happening(h) if matches!(h.what, What::Transition(_)));
        let all = self.news.iter().filter(|n| of(n));
        all.filter_map(|n| match n {
            News::Happening(h) => match &h.what {
                What::Transition(t) => Some(t),
                _ => None,
            },
            News::Detail(..) => None,
        })
        .collect()
    }
}

fn key() -> ClusterKey {
    ClusterKey::new("mock", "pg", "demo")
}

fn watch_of(kind: &str) -> SourceId {
    SourceId::Watch(Context::from("mock"), kind.into())
}

fn cluster(phase: &str, primary: &str) -> Value {
    json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": "demo", "namespace": "pg", "uid": "c-1"}, "spec": {"instances": 1},
        "status": {"phase": phase, "currentPrimary": primary, "targetPrimary": primary, "instanceNames": ["demo-1"],
            "readyInstances": 1, "instances": 1}})
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "pg", "uid": format!("uid-{name}"),
            "labels": {"cnpg.io/cluster": "demo", "cnpg.io/podRole": "instance", "cnpg.io/instanceName": name,
                "cnpg.io/instanceRole": "primary"},
            "managedFields": [{"manager": "x"}]},
        "spec": {"nodeName": "n1", "containers": [{"name": "postgres", "command": ["/controller/manager", "--status-port-tls"]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "postgres", "ready": true, "restartCount": 0, "state": {"running": {}}}]}})
}

async fn ready_mock() -> Mock {
    let mock = Mock::start().await;
    mock.put(CLUSTERS, cluster("Cluster in healthy state", "demo-1"));
    mock.put(PODS, pod("demo-1"));
    mock
}

fn phase(facts: &Facts) -> Option<String> {
    Some(facts.clusters.get(&key())?.phase.as_ref()?.text.clone())
}

#[tokio::test]
async fn every_change_is_told_through_cut_watches_and_lost_history() {
    let mut world = World::look(ready_mock().await, Namespaces::All);
    world.until("the first picture", |f| phase(f).as_deref() == Some("Cluster in healthy state")).await;
    let first = world.facts.clusters[&key()].clone();
    assert_eq!(first.instances.len(), 1, "nothing half is shown: the pod was listed before the first picture");
    assert!(world.transitions().is_empty(), "what was there did not appear: {:?}", world.transitions());

    // Two changes within one frame fold into one fact, but both transitions arrive.
    world.mock.put(CLUSTERS, cluster("Failing over", "demo-1"));
    world.mock.put(CLUSTERS, cluster("Cluster in healthy state", "demo-2"));
    world.see("the new primary", |w| w.facts.clusters[&key()].primary.as_ref().is_some_and(|p| *p == "demo-2")).await;
    let phases = world.transitions().iter().filter(|t| matches!(t, Transition::Phase { .. })).count();
    assert_eq!(phases, 2, "{:?}", world.transitions());

    // A watch cut in the middle of a line goes on where it was, without a new list.
    let lists = world.mock.asked(&["/clusters?", "limit"]);
    world.mock.cut();
    world.mock.put(CLUSTERS, cluster("Upgrading cluster", "demo-2"));
    world.until("what came after the cut", |f| phase(f).as_deref() == Some("Upgrading cluster")).await;
    assert_eq!(world.mock.asked(&["/clusters?", "limit"]), lists);

    // A server that forgot its history is listed again: what went meanwhile is gone.
    world.mock.delete(PODS, "demo-1", false);
    world.mock.forget();
    world.mock.cut();
    let lost = |f: &Facts| f.clusters[&key()].instances.iter().all(|i| i.pod.is_none());
    world.until("the pod that went unseen", lost).await;
    world.mock.delete(CLUSTERS, "demo", true);
    world.until("the cluster's end", |f| f.clusters.is_empty()).await;
    assert_eq!(world.transitions().last(), Some(&&Transition::Vanished));
}

#[tokio::test]
async fn who_has_seen_the_nodes_has_seen_clusters_and_operators() {
    let mut world = World::look(ready_mock().await, Namespaces::All);
    let here = Context::from("mock");
    world.until("the nodes", |facts| facts.nodes.contains_key(&here)).await;
    // A command plans on what it knows then.
    assert!(world.facts.clusters.contains_key(&key()), "{:?}", world.facts.clusters);
    assert!(world.facts.operators.contains_key(&here), "{:?}", world.facts.operators);
}

#[tokio::test]
async fn missing_kinds_are_absent_and_the_rest_is_shown() {
    let mock = ready_mock().await;
    mock.rule("/failoverquorums", Rule::Body(404, "404 page not found\n".into()));
    mock.rule("/nodes", Rule::Status(403, "nodes is forbidden: User \"dev\" cannot list resource \"nodes\""));
    let mut world = World::look(mock, Namespaces::All);
    world.until("a picture", |f| f.clusters.contains_key(&key())).await;
    let absent = |f: &Facts, kind: &str| match f.sources.get(&watch_of(kind)).map(|h| h.state.clone()) {
        Some(SourceState::Absent(why)) => Some(why),
        _ => None,
    };
    world.until("both reasons", |f| absent(f, "nodes").is_some() && absent(f, "failoverquorums").is_some()).await;
    assert_eq!(absent(&world.facts, "nodes").unwrap(), "no permission to list and watch nodes");
    assert_eq!(
        absent(&world.facts, "failoverquorums").unwrap(),
        "this Kubernetes has no failoverquorums in postgresql.cnpg.io/v1"
    );
}

#[tokio::test]
async fn rights_in_one_namespace_only_are_used_and_told() {
    let mock = ready_mock().await;
    for wide in ["/v1/clusters?", "/v1/pods?", "/v1/services?", "/v1/events?", "/v1/backups?"] {
        mock.rule(wide, Rule::Status(403, "forbidden at the cluster scope"));
    }
    let mut world = World::look(mock, Namespaces::All);
    world
        .until("the picture from one namespace", |f| {
            f.clusters.get(&key()).is_some_and(|c| c.instances.iter().any(|i| i.pod.is_some()))
        })
        .await;
    let told = |w: &World| {
        w.news.iter().any(|n| matches!(n, News::Happening(h) if matches!(&h.what, What::Notice { text, .. } if text.contains("only pg"))))
    };
    world.see("the notice", told).await;
    assert!(world.facts.clusters[&key()].backups.listed, "the namespaced list counts");
}

#[tokio::test]
async fn an_expired_token_is_read_anew() {
    let mock = ready_mock().await;
    let mut world = World::look(mock, Namespaces::All);
    world.until("the first picture", |f| f.clusters.contains_key(&key())).await;
    world.mock.only("better");
    world.mock.cut();
    world.until("the refusal", |f| {
        matches!(f.sources.get(&watch_of("clusters")).map(|h| &h.state), Some(SourceState::Failing { why, .. }) if why.contains("Unauthorized"))
    })
    .await;
    world.mock.token("better");
    world.mock.put(CLUSTERS, cluster("Upgrading cluster", "demo-1"));
    world.until("what came after", |f| phase(f).as_deref() == Some("Upgrading cluster")).await;
    world.until("life", |f| f.sources[&watch_of("clusters")].state == SourceState::Live).await;
}

#[tokio::test]
async fn a_pod_that_hangs_is_silent_in_time_and_the_next_one_is_heard() {
    let mock = ready_mock().await;
    mock.put(PODS, pod("demo-2"));
    mock.rule("https:demo-1:8000/proxy/pg/status", Rule::Hang);
    mock.rule(
        "https:demo-2:8000/proxy/pg/status",
        Rule::Body(200, r#"{"isPrimary":true,"currentLsn":"0/3000060"}"#.into()),
    );
    mock.rule("/proxy/metrics", Rule::Status(403, "pods \"x\" is forbidden: cannot get resource \"pods/proxy\""));
    let mut world = World::look(mock, Namespaces::All);
    let status = |f: &Facts, n: &str| f.sample(&key(), &n.into()).and_then(|s| s.status.clone());
    world.until("the one that answers", |f| status(f, "demo-2").is_some_and(|p| p.answer.is_ok())).await;
    world.until("the one that hangs", |f| status(f, "demo-1").is_some()).await;
    let hung = status(&world.facts, "demo-1").unwrap();
    assert_eq!(hung.answer.as_ref().unwrap_err().kind, SilenceKind::TimedOut);
    assert!(hung.took < SignedDuration::from_secs(4), "{}", hung.took);
    let absent =
        |f: &Facts| matches!(f.sources.get(&SourceId::Metrics(key())).map(|h| &h.state), Some(SourceState::Absent(_)));
    world.until("metrics are forbidden", absent).await;
    let asked = world.mock.asked(&["/proxy/metrics"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.mock.asked(&["/proxy/metrics"]), asked, "what is forbidden is left alone");
}

#[tokio::test]
async fn a_kind_that_never_answers_does_not_hide_the_rest() {
    let mock = ready_mock().await;
    mock.rule("/leases?", Rule::Hang);
    let mut world = World::look(mock, Namespaces::All);
    world.until("a picture without leases", |f| f.clusters.contains_key(&key())).await;
    assert_eq!(world.facts.clusters[&key()].lease, None);
}

#[tokio::test]
async fn a_flood_of_changes_is_absorbed_and_its_last_one_shown() {
    let mut world = World::look(ready_mock().await, Namespaces::All);
    world.until("the first picture", |f| f.clusters.contains_key(&key())).await;
    for n in 0..5_000 {
        let mut pod = pod("demo-1");
        pod["status"]["containerStatuses"][0]["restartCount"] = json!(n);
        world.mock.put(PODS, pod);
    }
    let restarts = |f: &Facts| f.clusters[&key()].instances[0].pod.as_ref().map(|p| p.restarts);
    let mut pictures = 0;
    let end = tokio::time::Instant::now() + PATIENCE;
    while restarts(&world.facts) != Some(4_999) {
        match tokio::time::timeout_at(end, world.inbox.recv()).await.unwrap() {
            Some(Incoming::Fact(fact)) => {
                pictures += usize::from(matches!(fact, Fact::Cluster(_)));
                world.facts.absorb(fact);
            }
            Some(Incoming::News(_)) => {}
            None => panic!("the inbox closed"),
        }
    }
    assert!(pictures < 500, "pictures are published at most ten times a second: {pictures}");
}

fn object(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        context: Context::from("mock"),
        api_version: "v1".into(),
        kind: kind.into(),
        namespace: "pg".into(),
        name: name.into(),
    }
}

#[tokio::test]
async fn an_object_is_told_again_when_it_changes_and_its_end_is_told() {
    let mut world = World::look(ready_mock().await, Namespaces::All);
    let yaml = Subject::Yaml(object("Pod", "demo-1"));
    world.handle.watch_detail(yaml.clone());
    let texts = |w: &World, part: &str| {
        let is = |n: &News| matches!(n, News::Detail(_, DetailNews::Text(text)) if text.contains(part));
        w.news.iter().filter(|n| is(n)).count()
    };
    world.see("the pod", |w| texts(w, "name: demo-1") == 1).await;
    assert_eq!(texts(&world, "managedFields"), 0);
    let mut changed = pod("demo-1");
    changed["metadata"]["labels"]["cnpg.io/instanceRole"] = json!("replica");
    world.mock.put(PODS, changed);
    world.see("the change", |w| texts(w, "cnpg.io/instanceRole: replica") == 1).await;
    world.mock.delete(PODS, "demo-1", true);
    let ended = |w: &World| w.news.iter().any(|n| matches!(n, News::Detail(_, DetailNews::Ended(Some(_)))));
    world.see("the end", ended).await;
    world.handle.unwatch(&yaml);
}

#[tokio::test]
async fn a_log_is_decoded_and_goes_on_where_it_was() {
    let mock = ready_mock().await;
    let line = |second: u32, msg: &str| {
        format!("2026-11-21T01:00:{second:02}.5Z {{\"level\":\"info\",\"logger\":\"postgres\",\"msg\":\"{msg}\"}}\n")
    };
    mock.rule("/pods/demo-1/log", Rule::Body(200, line(1, "first") + &line(2, "second")));
    let mut world = World::look(mock, Namespaces::All);
    let subject = Subject::Logs { pod: object("Pod", "demo-1"), container: "postgres".into(), previous: false };
    world.handle.watch_detail(subject);
    let texts = |w: &World| {
        let lines = w.news.iter().filter_map(|n| match n {
            News::Detail(_, DetailNews::Lines(lines)) => Some(lines.clone()),
            _ => None,
        });
        lines.flatten().filter(|l| l.logger.as_deref() == Some("postgres")).map(|l| l.text).collect::<Vec<_>>()
    };
    world.see("two lines", |w| texts(w).len() == 2).await;
    // The container restarts: what is read again from that moment is not told twice.
    world.mock.rule("/pods/demo-1/log", Rule::Body(200, line(2, "second") + &line(3, "third")));
    world.see("the third line", |w| texts(w).len() == 3).await;
    assert_eq!(texts(&world), ["first", "second", "third"]);
    assert!(world.mock.asked(&["/log?", "sinceTime=2026-11-21T01"]) > 0);
}

#[tokio::test]
async fn a_cut_way_says_nothing_about_the_instances() {
    let mock = ready_mock().await;
    mock.rule("/proxy/pg/status", Rule::Body(200, r#"{"isPrimary":true,"currentLsn":"0/3000060"}"#.into()));
    let mut world = World::look(mock, Namespaces::All);
    let answered = |f: &Facts| f.sample(&key(), &"demo-1".into()).and_then(|s| s.status.clone());
    world.until("an answer", |f| answered(f).is_some_and(|p| p.answer.is_ok())).await;
    world.handle.focus(vec![key()]);
    // The API server hangs: our way is cut, whatever the instance does.
    world.mock.rule("/version", Rule::Hang);
    world.mock.rule("/proxy/", Rule::Hang);
    world
        .until("the source fails", |f| {
            matches!(f.sources.get(&SourceId::Status(key())).map(|h| &h.state), Some(SourceState::Failing { .. }))
        })
        .await;
    assert!(answered(&world.facts).unwrap().answer.is_ok(), "what it said last stays, with its age");
}
