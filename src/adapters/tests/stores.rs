//! The stores of clusters on screen: found by the spec, opened with the secret it names, listed, and told why not.

use super::mock::{Mock, Rule};
use super::*;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const SECRETS: &str = "/api/v1/namespaces/pg/secrets";

/// A cluster whose archive is behind the same server as its Kubernetes.
async fn archived() -> Mock {
    let mock = ready_mock().await;
    let mut object = cluster("Cluster in healthy state", "demo-1");
    object["spec"]["backup"]["barmanObjectStore"] = json!({
        "destinationPath": format!("{}/acme/c/deep", mock.url()),
        "azureCredentials": {"storageKey": {"name": "backup-creds", "key": "KEY"}}});
    mock.put(CLUSTERS, object);
    let key = BASE64_STANDARD.encode("aHVudGVyMg==");
    mock.put(SECRETS, json!({"metadata": {"name": "backup-creds", "namespace": "pg"}, "data": {"KEY": key}}));
    mock.rule("/acme/c?", Rule::Body(200, page(&["000000010000000000000001", "000000010000000000000002"])));
    mock
}

/// A page of a listing with these segments.
fn page(segments: &[&str]) -> String {
    let blob = |name: &&str| {
        format!(
            "<Blob><Name>deep/demo/wals/{}/{name}</Name><Properties><Last-Modified>Fri, 20 Nov 2026 22:55:58 GMT</Last-Modified>\
             <Content-Length>16777216</Content-Length><Content-Type>application/octet-stream</Content-Type>\
             <BlobType>BlockBlob</BlobType><Etag>0x1</Etag></Properties></Blob>",
            &name[..16]
        )
    };
    let blobs: String = segments.iter().map(blob).collect();
    format!("<?xml version=\"1.0\"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>")
}

fn look(mock: Mock, stores: Option<Duration>) -> World {
    let (outbox, inbox) = inbox();
    let config = Config { kubeconfig: vec![mock.kubeconfig()], stores, ..Config::default() };
    let handle = Adapters::start(config, outbox).unwrap();
    World { mock, handle, inbox, facts: Facts::default(), news: Vec::new() }
}

fn segments(facts: &Facts) -> Option<u64> {
    facts.stores.get(&key()).filter(|l| l.whole).map(|l| l.archive.segments())
}

#[tokio::test]
async fn a_cluster_on_screen_has_its_store_listed_again_and_again() {
    let mut world = look(archived().await, Some(Duration::from_millis(50)));
    world.until("the cluster", |f| phase(f).is_some()).await;
    assert_eq!(world.mock.asked(&["/secrets/"]), 0, "nobody looks at it yet");
    world.handle.focus(vec![key()]);
    world.until("the listing", |f| segments(f) == Some(2)).await;
    let listing = world.facts.stores[&key()].clone();
    assert!(listing.destination.ends_with("/acme/c/deep") && listing.server == "demo");
    let live = |f: &Facts| f.sources.get(&SourceId::Store(key())).is_some_and(|h| h.state == SourceState::Live);
    world.until("its health", live).await;
    let more = ["000000010000000000000002", "000000010000000000000003"];
    world.mock.rule("/acme/c?", Rule::Body(200, page(&more)));
    world.until("what is new", |f| segments(f) == Some(3)).await;
    assert_eq!(
        world.mock.asked(&["/secrets/backup-creds"]),
        1,
        "the key is read when the store is opened, and not again"
    );
}

#[tokio::test]
async fn a_backup_that_ends_has_the_store_listed_soon() {
    let mut world = look(archived().await, Some(Duration::from_secs(3_600)));
    world.handle.focus(vec![key()]);
    world.until("the listing", |f| segments(f) == Some(2)).await;
    let more = ["000000010000000000000002", "000000010000000000000003"];
    world.mock.rule("/acme/c?", Rule::Body(200, page(&more)));
    let backup = json!({"metadata": {"name": "one", "namespace": "pg", "uid": "b-1"},
        "spec": {"cluster": {"name": "demo"}}, "status": {"phase": "completed"}});
    world.mock.put("/apis/postgresql.cnpg.io/v1/namespaces/pg/backups", backup);
    world.until("what is new", |f| segments(f) == Some(3)).await;
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_is_told_with_the_right() {
    let mock = archived().await;
    mock.rule("/secrets/", Rule::Status(403, "secrets \"backup-creds\" is forbidden"));
    let mut world = look(mock, Some(Duration::from_secs(60)));
    world.handle.focus(vec![key()]);
    let failing = |f: &Facts| match f.sources.get(&SourceId::Store(key())).map(|h| h.state.clone()) {
        Some(SourceState::Failing { why, try_this, .. }) => Some((why, try_this.unwrap_or_default())),
        _ => None,
    };
    world.until("why not", |f| failing(f).is_some()).await;
    let (why, hint) = failing(&world.facts).unwrap();
    assert!(why.contains("secret backup-creds") && why.contains("forbidden"), "{why}");
    assert!(hint.contains("`get` on secrets/backup-creds in pg"), "{hint}");
    assert!(world.facts.stores.is_empty());
}

#[tokio::test]
async fn whoever_leaves_stores_alone_asks_for_no_secret() {
    let mut world = look(archived().await, None);
    world.handle.focus(vec![key()]);
    world
        .until("an answer of the instance", |f| {
            f.sample(&key(), &"demo-1".into()).is_some_and(|s| s.metrics.is_some() || s.status.is_some())
        })
        .await;
    assert_eq!(world.mock.asked(&["/secrets/backup-creds"]) + world.mock.asked(&["/acme/"]), 0);
    // Asked for, it is listed at once.
    let listing = world.handle.archive(&key(), |_| {}).await.unwrap();
    assert_eq!((listing.archive.segments(), listing.whole), (2, true));
}
