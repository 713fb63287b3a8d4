//! A copy of an archive in a folder of this machine, as `aws s3 sync`, `azcopy` or a mounted share leaves it.
//!
//! Only a person names such a folder: a cluster's spec can't lead to files of whoever looks at it. A page is what lies in one
//! folder of it, so that an archive of any size is read in bounded memory.

use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::list::{PaginatedListOptions, PaginatedListResult};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{Extensions, GetOptions, GetResult, ListResult, ObjectMeta, ObjectStore, Result};
use std::path::Path;
use std::sync::Arc;

use super::open::Store;
use super::place::{Holder, Place};
use crate::problem::Problem;
use crate::text::clean;

/// Opens a folder that holds a server's folder, as `destinationPath` does.
///
/// # Errors
/// There is no such folder, or nothing of that server in it.
pub fn open(folder: &Path, server: &str) -> std::result::Result<(Arc<dyn Store>, Place), Problem> {
    let shown = clean(&folder.display().to_string());
    let failed = |why: String| Problem::usage(format!("can't read an archive in {shown}")).because(why);
    if server.is_empty() || server.split(['/', '\\']).any(|part| matches!(part, "" | "." | "..")) {
        return Err(failed("the server's name can't be a folder".into()));
    }
    if !folder.is_dir() {
        return Err(failed("it is no folder".into()));
    }
    if !folder.join(server).is_dir() {
        let hint =
            "name the folder that stands for destinationPath: the server's folder lies in it, with base/ and wals/";
        return Err(failed(format!("there is no {} in it", clean(server))).try_this(hint));
    }
    let files = LocalFileSystem::new_with_prefix(folder).map_err(|e| failed(e.to_string()))?;
    let place = Place {
        destination: format!("file://{shown}"),
        server: clean(server),
        holder: Holder::Folder { path: shown },
        folder: server.to_owned(),
    };
    Ok((Arc::new(Folder(files)), place))
}

/// Files, page by page.
struct Folder(LocalFileSystem);

#[async_trait]
impl Store for Folder {
    /// The first page has the files right below the prefix; then each folder in it is one, in the order of their names.
    async fn page(&self, prefix: &str, options: PaginatedListOptions) -> Result<PaginatedListResult> {
        let top = Key::parse(prefix.trim_end_matches('/'))?;
        let after = options.offset.unwrap_or_default();
        let ListResult { objects, mut common_prefixes, .. } = self.0.list_with_delimiter(Some(&top)).await?;
        // Nothing behind the offset lies in a folder that sorts before it, unless it is the offset's own.
        common_prefixes.retain(|folder| folder.as_ref() >= after.as_str() || after.starts_with(folder.as_ref()));
        common_prefixes.sort();
        let (found, next) = match options.page_token {
            None => (objects, common_prefixes.first()),
            Some(token) => {
                let below = self.0.list(Some(&Key::parse(&token)?)).try_collect().await?;
                (below, common_prefixes.iter().find(|folder| folder.as_ref() > token.as_str()))
            }
        };
        let page_token = next.map(Key::to_string);
        let mut objects: Vec<ObjectMeta> = found;
        objects.retain(|object| object.location.as_ref() > after.as_str());
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        let result = ListResult { common_prefixes: Vec::new(), objects, extensions: Extensions::new() };
        Ok(PaginatedListResult { result, page_token })
    }

    async fn read(&self, at: &Key) -> Result<GetResult> {
        self.0.get_opts(at, GetOptions::default()).await
    }
}
