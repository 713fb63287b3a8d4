//! An archive of a million segments: how much longer than its listing takes the reading of it, and what it holds.

use async_trait::async_trait;
use futures::TryStreamExt;
use howdah::adapters::objects::open::Store;
use howdah::adapters::objects::place::Place;
use howdah::adapters::objects::reader::Reader;
use howdah::domain::backup::catalog::Witnesses;
use howdah::domain::backup::{Catalog, StoreListing};
use howdah::domain::cluster::{Cluster, Operator};
use howdah::domain::names::ClusterKey;
use jiff::Timestamp;
use object_store::list::{PaginatedListOptions, PaginatedListResult};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Extensions, GetOptions, GetResult, ListResult, ObjectMeta, ObjectStore, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::measure::{line, memory};
use super::tree;

/// Segments: 16 TB of WAL.
const SEGMENTS: u64 = 1_000_000;
/// What Azure gives at most.
const PAGE: u64 = 5_000;
/// Every so many segments one is missing: an archive that was never quite whole.
const HOLES: u64 = 10_000;
const FOLDER: &str = "backups/shop";

/// A store that makes its segments up page by page, so that what is measured is not its own memory.
struct Million {
    small: InMemory,
}

#[async_trait]
impl Store for Million {
    async fn page(&self, prefix: &str, options: PaginatedListOptions) -> Result<PaginatedListResult> {
        let small: Vec<ObjectMeta> = self.small.list(None).try_collect().await?;
        // A time of the type that a store tells times in.
        let stored = small.iter().map(|o| o.last_modified).max().unwrap_or_default();
        if !prefix.ends_with("wals/") {
            return Ok(page(small, None));
        }
        let from: u64 = options.page_token.and_then(|t| t.parse().ok()).unwrap_or_default();
        let until = (from + PAGE).min(SEGMENTS);
        let there = (from..until).filter(|n| n % HOLES != HOLES / 2);
        let object = |n| ObjectMeta {
            location: Path::from(format!("{FOLDER}/{}", tree::segment(1, n + 1, ".gz"))),
            last_modified: stored,
            size: 9_000_000,
            e_tag: None,
            version: None,
        };
        Ok(page(there.map(object).collect(), (until < SEGMENTS).then(|| until.to_string())))
    }

    async fn read(&self, at: &Path) -> Result<GetResult> {
        self.small.get_opts(at, GetOptions::default()).await
    }
}

fn page(objects: Vec<ObjectMeta>, page_token: Option<String>) -> PaginatedListResult {
    let result = ListResult { common_prefixes: Vec::new(), objects, extensions: Extensions::new() };
    PaginatedListResult { result, page_token }
}

/// In a process of its own, as it tells of its memory.
pub async fn run() {
    println!("an archive of {SEGMENTS} segments, {} of them missing, in pages of {PAGE}", SEGMENTS / HOLES);
    let small = InMemory::new();
    let infos = [("20261101T000000", 2u64), ("20261120T000000", SEGMENTS - 5_000)];
    for (id, n) in infos {
        let info = tree::info(1, n, n + 1, "DONE").into_bytes();
        let files = [(format!("base/{id}/backup.info"), info), (format!("base/{id}/data.tar.gz"), vec![7; 4_000])];
        tree::put(&small, FOLDER, &BTreeMap::from(files)).await;
    }
    let store = Arc::new(Million { small });
    let started = Instant::now();
    let mut token = None;
    loop {
        let options = PaginatedListOptions { page_token: token.take(), ..PaginatedListOptions::default() };
        let Ok(page) = store.page("wals/", options).await else { return };
        token = page.page_token;
        if token.is_none() {
            break;
        }
    }
    let alone = started.elapsed();
    line("the listing alone", format!("{alone:.2?}"), "");
    let before = memory("VmRSS:").unwrap_or_default();
    let Ok(place) = Place::read("s3://bucket/backups", None, "shop") else { return };
    let mut reader = Reader::new(store, place);
    let started = Instant::now();
    let mut pages = 0;
    let listing = match reader.everything(|l| pages = l.pages).await {
        Ok(listing) => listing.clone(),
        Err(problem) => return println!("  it could not be read: {}", problem.line()),
    };
    let read = started.elapsed();
    let catalog = catalog(&listing);
    let all = started.elapsed();
    let found = catalog.continuity.as_ref().map_or(0, |c| c.gaps.len());
    line("listed and taken in, told page by page", format!("{read:.2?}, {pages} pages"), "");
    line(
        "… and its catalog: gaps and windows",
        format!("{:.2?} more than the listing, {found} gaps", all.saturating_sub(alone)),
        "1 s",
    );
    let most = memory("VmHWM:").unwrap_or_default();
    line("memory for it, at its highest", format!("{:.1} MB", (most - before).max(0.0)), "bounded");
}

fn catalog(listing: &StoreListing) -> Catalog {
    let cluster = Cluster::named(ClusterKey::new("aks", "pg", "shop"), Operator::Cnpg);
    Catalog::assemble(&Witnesses::of(&cluster, Some(listing)), Timestamp::now())
}
