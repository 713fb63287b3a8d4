//! A store in memory that gives pages as the clouds do, remembers what it was asked, and misbehaves on demand.

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::*;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The store.
#[derive(Debug, Default)]
pub struct Memory {
    inner: InMemory,
    /// Prefix and offset of every page that was asked for.
    pub asked: Mutex<Vec<(String, Option<String>)>>,
    /// It does not know where to begin: as Azurite.
    pub from_the_beginning: AtomicBool,
    /// The next page is refused.
    pub refuses: AtomicBool,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

#[async_trait]
impl PaginatedListStore for Memory {
    async fn list_paginated(&self, prefix: Option<&str>, opts: PaginatedListOptions) -> Result<PaginatedListResult> {
        self.asked.lock().unwrap().push((prefix.unwrap_or_default().into(), opts.offset.clone()));
        if self.refuses.swap(false, SeqCst) {
            return Err(Error::PermissionDenied { path: String::new(), source: "not today".into() });
        }
        let from = if self.from_the_beginning.load(SeqCst) { None } else { opts.offset };
        let after = opts.page_token.or(from).unwrap_or_default();
        let mut all: Vec<ObjectMeta> = self.inner.list(None).try_collect().await?;
        all.sort_by(|a, b| a.location.cmp(&b.location));
        all.retain(|o| {
            o.location.as_ref().starts_with(prefix.unwrap_or_default()) && o.location.as_ref() > after.as_str()
        });
        let page = opts.max_keys.unwrap_or(1_000);
        let more = all.len() > page;
        all.truncate(page);
        let page_token = all.last().filter(|_| more).map(|o| o.location.to_string());
        let result = ListResult { common_prefixes: Vec::new(), objects: all, extensions: Extensions::new() };
        Ok(PaginatedListResult { result, page_token })
    }
}

#[async_trait]
impl ObjectStore for Memory {
    async fn put_opts(&self, at: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, payload, opts).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, all: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(all)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
