//! Reading an archive out of a store: page by page, again, and from what speaks the clouds' own protocols.

mod objects;

use howdah::adapters::objects::folder;
use howdah::adapters::objects::keys::{Hidden, Keys};
use howdah::adapters::objects::open::open;
use howdah::adapters::objects::place::Place;
use howdah::adapters::objects::reader::Reader;
use howdah::adapters::objects::reference::{Access, Named, Reference};
use howdah::domain::backup::StoreListing;
use howdah::domain::backup::archive::Reading;
use howdah::problem::Problem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use objects::memory::Memory;
use objects::{servers, tree};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

const FOLDER: &str = "backups/deep/shop";

fn place() -> Place {
    Place::read("s3://bucket/backups/deep", None, "shop").unwrap()
}

async fn memory() -> (Arc<Memory>, Reader) {
    let store = Arc::new(Memory::default());
    tree::put(store.as_ref(), FOLDER, &tree::archive()).await;
    // Another server beside it, whose name begins alike, is none of ours.
    let other = BTreeMap::from([(tree::segment(9, 9, ""), b"x".to_vec())]);
    tree::put(store.as_ref(), &format!("{FOLDER}-2"), &other).await;
    (store.clone(), Reader::new(store, place()))
}

async fn said_by_memory() -> String {
    let (_, mut reader) = memory().await;
    tree::said(&reader.everything(|_| {}).await.unwrap().archive)
}

async fn put(store: &dyn ObjectStore, key: &str, bytes: &[u8]) {
    tree::put(store, FOLDER, &BTreeMap::from([(key.to_owned(), bytes.to_vec())])).await;
}

async fn remove(store: &dyn ObjectStore, key: &str) {
    store.delete(&Path::parse(format!("{FOLDER}/{key}")).unwrap()).await.unwrap();
}

#[tokio::test]
async fn everything_is_listed_page_by_page() {
    let (store, reader) = memory().await;
    let mut reader = reader.in_pages_of(100);
    let mut heard = Vec::new();
    let listing = reader.everything(|l| heard.push((l.pages, l.archive.segments(), l.whole))).await.unwrap().clone();
    let said = tree::said(&listing.archive);
    assert!(
        said.contains("timeline 1: [(1, 999), (1003, 2300)] 6891 bytes Gzip, partial [\"0000000100000008000000FC\"]"),
        "{said}"
    );
    assert!(said.contains("timeline 2: [(2300, 2599)] 1200 bytes Gzip, partial []"), "{said}");
    assert!(said.contains("base 20261120T225646: 2 files 4300 bytes"), "{said}");
    assert!(listing.whole && listing.pages > 26, "{}", listing.pages);
    assert!(heard.windows(2).all(|w| w[0].0 <= w[1].0 && w[0].1 <= w[1].1), "{heard:?}");
    assert!(heard.len() as u64 >= listing.pages && heard.iter().all(|h| !h.2));
    let left = listing.archive.histories[&2].said().unwrap().left(1).unwrap();
    assert_eq!(left.to_string(), "8/FC004000");
    assert!(
        matches!(&listing.archive.bases["20261121T040000"].info.as_ref().unwrap().text, Reading::Bad(why) if why == "it is no text")
    );
    assert_eq!((listing.destination.as_str(), listing.server.as_str()), ("s3://bucket/backups/deep", "shop"));
    // A recorded session holds what was listed, and gives it back.
    let json = serde_json::to_string(&listing).unwrap();
    assert_eq!(serde_json::from_str::<StoreListing>(&json).unwrap(), listing);
    assert!(store.asked.lock().unwrap().iter().all(|(prefix, _)| prefix.starts_with("backups/deep/shop/")));
}

#[tokio::test]
async fn what_is_new_is_found_without_listing_everything() {
    for blind in [false, true] {
        let (store, mut reader) = memory().await;
        store.from_the_beginning.store(blind, SeqCst);
        reader.everything(|_| {}).await.unwrap();
        store.asked.lock().unwrap().clear();
        // The next segments in no order, a segment of the hole, the end of the timeline that was left, a backup that ends,
        // a new one, and another failover.
        for (timeline, number) in [(2, 2_601), (2, 2_600), (1, 1_001), (1, 2_301), (3, 2_601)] {
            put(store.as_ref(), &tree::segment(timeline, number, ".gz"), b"new").await;
        }
        put(store.as_ref(), "wals/00000003.history", b"1\t8/FC004000\tx\n2\tA/29000060\ty\n").await;
        put(store.as_ref(), "base/20261121T040000/backup.info", tree::info(2, 2_590, 2_591, "DONE").as_bytes()).await;
        put(store.as_ref(), "base/20261121T050000/backup.info", tree::info(2, 2_600, 2_601, "STARTED").as_bytes())
            .await;
        let listing = reader.news(|_| {}).await.unwrap().clone();
        let said = tree::said(&listing.archive);
        let mut anew = Reader::new(store.clone(), place());
        assert_eq!(said, tree::said(&anew.everything(|_| {}).await.unwrap().archive));
        assert!(said.contains("timeline 1: [(1, 999), (1001, 1001), (1003, 2301)]"), "{said}");
        assert!(said.contains("timeline 3: [(2601, 2601)]") && said.contains("history 3: Read"), "{said}");
        if !blind {
            assert!(listing.pages <= 4, "{} pages for what is new", listing.pages);
        }
        let base: u64 = listing.archive.days.values().map(|d| d.base).sum();
        assert_eq!(base, 2 * 4_300, "base backups count once");
    }
}

#[tokio::test]
async fn what_was_removed_is_seen_at_last() {
    let (store, mut reader) = memory().await;
    reader.everything(|_| {}).await.unwrap();
    remove(store.as_ref(), &tree::segment(1, 500, ".gz")).await;
    let listing = reader.everything(|_| {}).await.unwrap();
    assert!(tree::said(&listing.archive).contains("[(1, 499), (501, 999), (1003, 2300)]"));
    // Retention takes a base backup and the WAL before the next one: then everything is listed.
    for file in ["backup.info", "data.tar.gz", "16385.tar.gz"] {
        remove(store.as_ref(), &format!("base/20261120T225646/{file}")).await;
    }
    for number in 1..200 {
        remove(store.as_ref(), &tree::segment(1, number, ".gz")).await;
    }
    let listing = reader.news(|_| {}).await.unwrap();
    let said = tree::said(&listing.archive);
    assert!(said.contains("[(200, 499), (501, 999), (1003, 2300)]") && !said.contains("20261120T225646"), "{said}");
}

#[tokio::test]
async fn a_small_file_that_is_long_is_not_read() {
    let store = Arc::new(Memory::default());
    put(store.as_ref(), "base/20261120T225646/backup.info", &vec![b'x'; 2 << 20]).await;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut bomb, &vec![b'x'; 64 << 20]).unwrap();
    put(store.as_ref(), "wals/00000002.history.gz", &bomb.finish().unwrap()).await;
    put(store.as_ref(), "wals/00000003.history.zst", b"zzz").await;
    let mut reader = Reader::new(store, place());
    let said = tree::said(&reader.everything(|_| {}).await.unwrap().archive);
    assert_eq!(said.matches("longer than 1024 KiB").count(), 2, "{said}");
    assert!(said.contains("packed with zstd, which howdah can't unpack"), "{said}");
}

#[tokio::test]
async fn a_refusal_is_a_problem_and_what_was_known_stays() {
    let (store, mut reader) = memory().await;
    let before = tree::said(&reader.everything(|_| {}).await.unwrap().archive);
    store.refuses.store(true, SeqCst);
    let problem = reader.news(|_| {}).await.unwrap_err();
    assert_eq!(problem.what, "can't list backups/deep/shop in s3://bucket");
    assert!(problem.try_this.unwrap().contains("s3:ListBucket"));
    assert_eq!(tree::said(&reader.news(|_| {}).await.unwrap().archive), before);
    let mut nothing = Reader::new(Arc::new(Memory::default()), place());
    let listing = nothing.everything(|_| {}).await.unwrap();
    assert!(listing.whole && listing.archive.keys == 0);
}

fn named(key: &str) -> Named {
    Named { secret: "creds".into(), key: key.into() }
}

fn keys(known: &[(&str, &str)]) -> Keys {
    Keys::of(known.iter().map(|(name, text)| (named(name), Hidden::new(*text))))
}

async fn reader(reference: &Reference, keys: &Keys) -> Result<Reader, Problem> {
    let (store, place) = open(reference, keys).await?;
    Ok(Reader::new(store, place))
}

/// Reads the same archive out of a store that was filled through its own protocol, in several pages; then what is new.
async fn same_as_memory(store: &dyn ObjectStore, reference: &Reference, keys: &Keys) {
    tree::put(store, FOLDER, &tree::archive()).await;
    let mut in_store = reader(reference, keys).await.unwrap().in_pages_of(400);
    let listing = in_store.everything(|_| {}).await.unwrap();
    assert!(listing.pages >= 8, "{} pages", listing.pages);
    assert_eq!(tree::said(&listing.archive), said_by_memory().await);
    put(store, &tree::segment(2, tree::FIRST + tree::SECOND, ".gz"), b"next").await;
    let said = tree::said(&in_store.news(|_| {}).await.unwrap().archive);
    assert!(said.contains("timeline 2: [(2300, 2600)]"), "{said}");
}

#[tokio::test]
async fn azurite_gives_the_same_archive() {
    let Some(server) = servers::azurite("azurite_gives_the_same_archive").await else { return };
    servers::container(&server, "howdahlab").await;
    let destination = format!("{}/{}/howdahlab/backups/deep", server.url, servers::ACCOUNT);
    let access = Access::AzureKey { account: None, key: named("KEY") };
    let at = Reference { destination, endpoint: None, authority: None, server: "shop".into(), access };
    same_as_memory(&servers::azure(&server, "howdahlab"), &at, &keys(&[("KEY", servers::KEY)])).await;

    let text = format!("DefaultEndpointsProtocol=http;AccountName={};AccountKey={}", servers::ACCOUNT, servers::KEY);
    let by_string = Reference { access: Access::AzureConnection(named("TEXT")), ..at.clone() };
    let mut again = reader(&by_string, &keys(&[("TEXT", &text)])).await.unwrap();
    assert!(again.everything(|_| {}).await.unwrap().archive.segments() > 2_000);

    let token = servers::token(&server, "howdahlab").await;
    let by_token = Reference { access: Access::AzureToken { account: None, token: named("SAS") }, ..at.clone() };
    let mut again = reader(&by_token, &keys(&[("SAS", &token)])).await.unwrap();
    let sealed = again.everything(|_| {}).await;
    // A signature for one blob opens no listing; what is said of that holds no signature.
    let problem = sealed.map(drop).unwrap_err().to_string();
    let signature = token.split("sig=").nth(1).unwrap().split('&').next().unwrap();
    assert!(problem.contains("can't list") && !problem.contains(signature), "{problem}");

    let mut wrong = reader(&at, &keys(&[("KEY", "aHVudGVyMg==")])).await.unwrap();
    let problem = wrong.everything(|_| {}).await.map(drop).unwrap_err();
    assert!(problem.because.as_ref().unwrap().contains("AuthorizationFailure"), "{problem}");
    let gone = Reference { destination: at.destination.replace("howdahlab", "nowhere"), ..at };
    let mut gone = reader(&gone, &keys(&[("KEY", servers::KEY)])).await.unwrap();
    let problem = gone.everything(|_| {}).await.map(drop).unwrap_err();
    assert!(problem.because.as_ref().unwrap().contains("ContainerNotFound"), "{problem}");
}

#[tokio::test]
async fn moto_gives_the_same_archive() {
    let Some(server) = servers::moto("moto_gives_the_same_archive").await else { return };
    servers::bucket(&server, "howdahlab").await;
    let access =
        Access::Amazon { id: named("ID"), secret: named("SECRET"), session: None, region: Some(named("REGION")) };
    let destination = "s3://howdahlab/backups/deep".to_owned();
    let at =
        Reference { destination, endpoint: Some(server.url.clone()), authority: None, server: "shop".into(), access };
    let known = keys(&[("ID", "AKIAEXAMPLE"), ("SECRET", "secret"), ("REGION", "eu-west-1")]);
    same_as_memory(&servers::amazon(&server, "howdahlab"), &at, &known).await;
    let gone = Reference { destination: "s3://nowhere/x".into(), ..at };
    let mut gone = reader(&gone, &known).await.unwrap();
    let problem = gone.everything(|_| {}).await.map(drop).unwrap_err();
    assert!(problem.because.as_ref().unwrap().contains("NoSuchBucket"), "{problem}");
}

/// A copy on this machine, as `aws s3 sync` or `azcopy` leaves it, is the same archive.
#[tokio::test]
async fn a_folder_gives_the_same_archive() {
    let dir = tempfile::tempdir().unwrap();
    let write = |files: &BTreeMap<String, Vec<u8>>| {
        for (key, bytes) in files {
            let path = dir.path().join("shop").join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    };
    write(&tree::archive());
    let (store, place) = folder::open(dir.path(), "shop").unwrap();
    assert!(place.to_string().contains("shop") && place.destination.starts_with("file://"), "{place}");
    let mut reader = Reader::new(store.clone(), place);
    let listing = reader.everything(|_| {}).await.unwrap().clone();
    // A page for each folder: of WAL one holds 256 segments.
    assert!(listing.whole && listing.pages > 10 && listing.is_copy(), "{} pages", listing.pages);
    assert_eq!(tree::said(&listing.archive), said_by_memory().await);
    write(&BTreeMap::from([(tree::segment(2, tree::FIRST + tree::SECOND, ".gz"), b"next".to_vec())]));
    let news = reader.news(|_| {}).await.unwrap();
    let said = tree::said(&news.archive);
    assert!(said.contains("timeline 2: [(2300, 2600)]") && news.pages < listing.pages, "{said}");

    for (path, server, why) in [
        (dir.path().join("nowhere"), "shop", "no folder"),
        (dir.path().to_owned(), "other", "there is no other"),
        (dir.path().to_owned(), "../shop", "can't be a folder"),
        (dir.path().to_owned(), "", "can't be a folder"),
    ] {
        let problem = folder::open(&path, server).map(drop).unwrap_err();
        assert!(problem.because.as_ref().unwrap().contains(why), "{problem}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told() {
    // A port that nobody listens on: bound once, and let go.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let access = Access::AzureKey { account: None, key: named("KEY") };
    let destination = format!("http://127.0.0.1:{port}/acme/c");
    let at = Reference { destination, endpoint: None, authority: None, server: "shop".into(), access };
    let mut reader = reader(&at, &keys(&[("KEY", "aHVudGVyMg==")])).await.unwrap();
    let problem = reader.everything(|_| {}).await.map(drop).unwrap_err();
    assert!(problem.because.as_ref().unwrap().contains("Connection refused"), "{problem}");
    assert!(problem.try_this.as_ref().unwrap().contains("VPN"), "{problem}");
}
