//! The kube crate against the lab's API, as howdah itself uses it: watches, exec, port-forward, apply, errors.

mod api_world;

use std::time::Duration;

use api_world::World;
use futures::{StreamExt as _, TryStreamExt as _};
use howdah::lab::api::access::Forbidden;
use howdah::lab::api::resources::{CLUSTERS, CONFIGMAPS, PODS};
use howdah::lab::api::{DeleteOptions, Part};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{
    Api, ApiResource, AttachParams, DynamicObject, EvictParams, ListParams, LogParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const NS: &str = "cnpg-database";

async fn pods(world: &World) -> Api<Pod> {
    Api::namespaced(world.client().await, NS)
}

async fn clusters(world: &World) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("postgresql.cnpg.io", "v1", "Cluster"));
    Api::namespaced_with(world.client().await, NS, &kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_of_both_kinds_see_everything() {
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let world = World::small().await;
        let mut stream = std::pin::pin!(watcher(pods(&world).await, config.labels("cnpg.io/podRole=instance")));
        let mut next = async || {
            tokio::time::timeout(Duration::from_secs(20), stream.try_next())
                .await
                .expect("in time")
                .expect("no error")
                .expect("no end")
        };
        assert!(matches!(next().await, Event::Init));
        for i in 1..=3 {
            let Event::InitApply(pod) = next().await else { panic!("an initial pod") };
            assert_eq!(pod.metadata.name, Some(format!("demo-{i}")));
        }
        assert!(matches!(next().await, Event::InitDone));
        let done = world.store.change(&PODS, NS, "demo-2", Part::Status, |pod| {
            pod["status"]["phase"] = json!("Failed");
            Ok(())
        });
        done.expect("changed");
        let Event::Apply(pod) = next().await else { panic!("a change") };
        assert_eq!(pod.status.and_then(|s| s.phase).as_deref(), Some("Failed"));
        world.store.delete(&PODS, NS, "demo-2", &DeleteOptions::default()).expect("deleted");
        assert!(matches!(next().await, Event::Delete(_)));
        // The API goes away and comes back; what happened meanwhile is told.
        world.server.stop().await;
        world.store.remove(&PODS, NS, "demo-3");
        world.server.start().await.expect("again");
        let mut gone = false;
        for _ in 0..20 {
            match tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("in time") {
                Some(Ok(Event::Apply(pod))) => gone = pod.metadata.deletion_timestamp.is_some(),
                Some(Ok(Event::Delete(_))) => gone = true,
                Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                None => panic!("the watch ended"),
            }
            if gone {
                break;
            }
        }
        assert!(gone, "the missed deletion arrives");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_logs_and_tunnels() {
    let world = World::small().await;
    let pods = pods(&world).await;
    let params = AttachParams::default().stdin(true).stdout(true).stderr(false);
    let mut process = pods.exec("demo-1", ["cat"], &params).await.expect("exec");
    let (mut stdin, mut stdout) = (process.stdin().expect("stdin"), process.stdout().expect("stdout"));
    stdin.write_all(b"hello").await.expect("written");
    stdin.shutdown().await.expect("closed");
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.expect("read");
    let status = process.take_status().expect("status").await.expect("an end");
    assert_eq!((text.as_str(), status.status.as_deref()), ("hello", Some("Success")));
    let mut failed = pods.exec("demo-1", ["fail", "7"], &AttachParams::default()).await.expect("exec");
    let status = failed.take_status().expect("status").await.expect("an end");
    assert_eq!(status.details.and_then(|d| d.causes).and_then(|c| c[0].message.clone()).as_deref(), Some("7"));
    assert!(pods.exec("nope", ["cat"], &AttachParams::default()).await.is_err());

    let log = pods.logs("demo-1", &LogParams { tail_lines: Some(1), ..LogParams::default() }).await.expect("log");
    assert_eq!(log, "three\n");

    let mut forward = pods.portforward("demo-1", &[5432, 8000]).await.expect("forward");
    for port in [5432, 8000] {
        let mut stream = forward.take_stream(port).expect("stream");
        stream.write_all(&[b'x'; 100_000]).await.expect("written");
        let mut back = vec![0; 100_000];
        stream.read_exact(&mut back).await.expect("echoed");
        assert!(back.iter().all(|b| *b == b'x'));
    }
    let mut closed = pods.portforward("demo-1", &[5999]).await.expect("forward");
    let why = closed.take_error(5999).expect("error").await.unwrap_or_default();
    assert!(why.contains("connection refused"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_conflicts_and_locks() {
    let world = World::small().await;
    let clusters = clusters(&world).await;
    let config = |instances: u32| json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "demo"}, "spec": {"instances": instances}});
    let apply = async |manager: &str, instances: u32, force: bool| {
        let params = PatchParams { force, ..PatchParams::apply(manager) };
        clusters.patch("demo", &params, &Patch::Apply(config(instances))).await
    };
    apply("one", 3, false).await.expect("the same value is shared");
    let Err(kube::Error::Api(refused)) = apply("one", 5, false).await else { panic!("a conflict") };
    assert_eq!(refused.code, 409);
    assert!(refused.message.contains("\"cloudnative-pg\" using postgresql.cnpg.io/v1"), "{}", refused.message);
    let done = apply("one", 5, true).await.expect("forced");
    let owners: Vec<_> =
        done.metadata.managed_fields.unwrap_or_default().into_iter().filter_map(|m| m.manager).collect();
    assert_eq!(owners, ["one", "cloudnative-pg"]);
    let dry = PatchParams { dry_run: true, force: true, ..PatchParams::apply("one") };
    clusters.patch("demo", &dry, &Patch::Apply(config(7))).await.expect("dry");
    assert_eq!(world.store.get(&CLUSTERS, NS, "demo").expect("demo")["spec"]["instances"], 5);

    let mut old = clusters.get("demo").await.expect("demo");
    clusters
        .patch("demo", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}})))
        .await
        .expect("patched");
    old.data["spec"]["instances"] = json!(1);
    let stale = clusters.replace("demo", &PostParams::default(), &old).await;
    assert!(matches!(stale, Err(kube::Error::Api(e)) if e.code == 409 && e.reason == "Conflict"));
    let missing = clusters.get_opt("nope").await.expect("no error");
    assert!(missing.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_pages_metadata_and_collections() {
    let world = World::small().await;
    let maps: Api<ConfigMap> = Api::namespaced(world.client().await, NS);
    for i in 0..7 {
        let map = ConfigMap {
            metadata: kube::api::ObjectMeta { name: Some(format!("m-{i}")), ..Default::default() },
            ..Default::default()
        };
        maps.create(&PostParams::default(), &map).await.expect("made");
    }
    let first = maps.list(&ListParams::default().limit(3)).await.expect("page");
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (3, Some(4)));
    let token = first.metadata.continue_.expect("more");
    let second = maps.list(&ListParams::default().limit(10).continue_token(&token)).await.expect("page");
    assert_eq!(
        second.items.iter().filter_map(|m| m.metadata.name.clone()).collect::<Vec<_>>(),
        ["m-3", "m-4", "m-5", "m-6"]
    );
    let partial = maps.list_metadata(&ListParams::default()).await.expect("metadata");
    assert_eq!(partial.items.len(), 7);
    let one = maps.list(&ListParams::default().fields("metadata.name=m-2")).await.expect("one");
    assert_eq!(one.items.len(), 1);
    assert!(maps.list(&ListParams::default().fields("data.x=1")).await.is_err());
    maps.delete_collection(&Default::default(), &ListParams::default()).await.expect("gone");
    assert!(world.store.list(&CONFIGMAPS, Some(NS), &Default::default()).items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_budgets_are_told() {
    let world = World::small().await;
    let pods = pods(&world).await;
    let evicted = pods.evict("demo-2", &EvictParams::default()).await.expect("no budget covers a replica");
    assert!(evicted.is_success());
    let ask = async |verb: &str| {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(world.client().await);
        let review = json!({"metadata": {}, "spec": {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": NS}}});
        let review = serde_json::from_value(review).expect("a review");
        reviews.create(&PostParams::default(), &review).await.expect("answered").status.map(|s| s.allowed)
    };
    assert_eq!(ask("delete").await, Some(true));
    let rule =
        Forbidden { verb: "delete".into(), resource: "pods".into(), subresource: String::new(), namespace: "*".into() };
    world.access.forbid(vec![rule]);
    assert_eq!((ask("delete").await, ask("get").await), (Some(false), Some(true)));
    let refused = pods.delete("demo-1", &Default::default()).await;
    assert!(
        matches!(refused, Err(kube::Error::Api(e)) if e.code == 403 && e.message.contains("cannot delete resource \"pods\""))
    );
}
