//! An object store that lost something, or is not there at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::archive::ArchiveFailing;
use super::slot::switch_wal;
use super::{Fault, Ground, Kept, Wish};
use crate::lab::api::resources::CLUSTERS;
use crate::lab::instance::server_name;
use crate::lab::postgres::{Base, Store};
use crate::problem::Problem;

/// Where in the store's folder things are kept that were taken out of it: by its name, nobody finds it.
const TAKEN: &str = ".taken";
/// How long WAL may take to be archived.
const ARCHIVED: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(200);
/// How far apart the bytes are that are changed, and how many at each place.
const EVERY: usize = 1 << 20;
const CHANGED: usize = 512;

/// The store of the cluster that a fault is done to.
pub(super) fn store_of(ground: &Ground, wish: &Wish) -> Store {
    let cluster = ground.store.get(&CLUSTERS, &wish.namespace, &wish.cluster).unwrap_or_default();
    let server = Some(server_name(&cluster)).filter(|name| !name.is_empty()).unwrap_or_else(|| wish.cluster.clone());
    Store { root: ground.machine.store_dir(), server }
}

fn trouble(what: &str, why: &io::Error) -> Problem {
    Problem::new(format!("{what} in the object store")).because(why)
}

/// The newest finished base backup.
fn newest(store: &Store) -> Result<Base, Problem> {
    let bases = store.bases().map_err(|e| trouble("the base backups can't be read", &e))?;
    let newest = bases.into_iter().filter(Base::is_done).max_by_key(|base| base.end_time);
    newest.ok_or_else(|| Problem::new("there is no base backup yet"))
}

/// The segments of a timeline (eight digits) that are archived, in order.
fn segments(store: &Store, timeline: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in fs::read_dir(store.folder().join("wals"))? {
        let folder = folder?;
        if !folder.file_name().to_string_lossy().starts_with(timeline) {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            names.extend(file?.file_name().into_string().ok().filter(|name| name.len() == 24));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Something that was put aside.
struct Aside {
    here: PathBuf,
    aside: PathBuf,
}

impl Aside {
    fn take(store: &Store, file: PathBuf) -> io::Result<Aside> {
        let folder = store.root.join(TAKEN);
        fs::create_dir_all(&folder)?;
        let below = file.strip_prefix(&store.root).unwrap_or(&file);
        let name = below.to_string_lossy().replace('/', "-");
        let aside = folder.join(name);
        fs::rename(&file, &aside)?;
        Ok(Aside { here: file, aside })
    }

    /// Puts it back. What belongs to a backup that is gone by now goes too.
    fn put_back(&self) -> io::Result<()> {
        let back = fs::rename(&self.aside, &self.here);
        match back {
            Err(e) if e.kind() == io::ErrorKind::NotFound => match fs::remove_file(&self.aside) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
            other => other,
        }
    }
}

/// A segment of the archive is not there any more: one after the newest base backup, or the one that this ends in.
pub(super) struct WalMissing {
    ground: Ground,
    wish: Wish,
    end: bool,
    taken: Option<Aside>,
}

impl WalMissing {
    pub(super) fn between(ground: Ground, wish: Wish) -> Self {
        WalMissing { ground, wish, end: false, taken: None }
    }

    pub(super) fn at_the_end(ground: Ground, wish: Wish) -> Self {
        WalMissing { ground, wish, end: true, taken: None }
    }

    /// Has WAL written until the segment is archived that is to go, and in the other case one after it, too.
    async fn segment(&self, store: &Store, base: &Base) -> Result<String, Problem> {
        let timeline = base.end_wal.get(..8).unwrap_or_default();
        let started = Instant::now();
        loop {
            let all = segments(store, timeline).map_err(|e| trouble("the archive can't be read", &e))?;
            let after: Vec<&String> = all.iter().filter(|name| **name > base.end_wal).collect();
            match (self.end, after.as_slice()) {
                (true, _) if all.contains(&base.end_wal) => return Ok(base.end_wal.clone()),
                (false, [.., gone, _last]) => return Ok((*gone).clone()),
                _ if started.elapsed() > ARCHIVED => {
                    let why = format!("no WAL after {} is archived on that timeline", base.end_wal);
                    return Err(Problem::new("there is no segment to take").because(why));
                }
                _ => {}
            }
            let primary = self.ground.primary(&self.wish.namespace, &self.wish.cluster);
            switch_wal(self.ground.instance(&self.wish.namespace, &primary)?.server()).await?;
            sleep(LOOK).await;
        }
    }
}

impl Fault for WalMissing {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let store = store_of(&self.ground, &self.wish);
            let base = newest(&store)?;
            let segment = self.segment(&store, &base).await?;
            let aside = Aside::take(&store, store.wal_path(&segment));
            self.taken = Some(aside.map_err(|e| trouble(&format!("{segment} can't be taken"), &e))?);
            Ok(match self.end {
                true => format!("{segment}, in which base backup {} ends, is gone from the object store", base.id),
                false => format!("{segment} is gone from the object store"),
            })
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async { put_back(&mut self.taken) })
    }
}

fn put_back(taken: &mut Option<Aside>) -> Result<(), Problem> {
    if let Some(aside) = taken {
        aside.put_back().map_err(|e| trouble("what was taken can't be put back", &e))?;
    }
    *taken = None;
    Ok(())
}

/// The data of the newest base backup are not what they were.
pub(super) struct BaseCorrupted {
    ground: Ground,
    wish: Wish,
    taken: Option<Aside>,
}

impl BaseCorrupted {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        BaseCorrupted { ground, wish, taken: None }
    }

    fn damage(&mut self, store: &Store, data: PathBuf) -> io::Result<()> {
        let aside = Aside::take(store, data.clone())?;
        let whole = aside.aside.clone();
        self.taken = Some(aside);
        let bytes = fs::read(whole)?;
        fs::write(&data, damaged(bytes, self.wish.word("damage")))?;
        self.ground.machine.account.own(&data, 0o600)
    }
}

/// Cut off in the middle, as an upload that broke; or whole, and wrong here and there.
fn damaged(mut bytes: Vec<u8>, how: &str) -> Vec<u8> {
    if how == "cut-short" {
        bytes.truncate(bytes.len() / 2);
    } else {
        for place in bytes.chunks_mut(EVERY) {
            place.iter_mut().rev().take(CHANGED).for_each(|byte| *byte = !*byte);
        }
    }
    bytes
}

impl Fault for BaseCorrupted {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let store = store_of(&self.ground, &self.wish);
            let base = newest(&store)?;
            let data = store.data_of(&base.id);
            let data = data.ok_or_else(|| Problem::new(format!("base backup {} has no data", base.id)))?;
            let done = self.damage(&store, data.clone());
            done.map_err(|e| trouble(&format!("{} can't be damaged", data.display()), &e))?;
            let file = data.file_name().map(Path::new).unwrap_or(&data).display().to_string();
            Ok(format!("{file} of base backup {} is {}", base.id, self.wish.word("damage").replace('-', " ")))
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async { put_back(&mut self.taken) })
    }
}

/// The store answers nobody: neither those who look into it, nor archive_command, nor backups.
pub(super) struct BucketUnreachable {
    ground: Ground,
    archive: ArchiveFailing,
}

impl BucketUnreachable {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        BucketUnreachable { archive: ArchiveFailing::new(ground.clone(), wish), ground }
    }
}

impl Fault for BucketUnreachable {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            self.ground.blobs.stop().await;
            let failing = self.archive.start().await?;
            Ok(format!("the object store refuses connections; {failing}"))
        })
    }

    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        self.archive.keep()
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            let back = self.ground.blobs.resume().await;
            back.map_err(|e| Problem::new("the object store can't answer again").because(e))?;
            self.archive.undo().await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_seen() {
        let whole = vec![0; 3 << 20];
        assert_eq!(damaged(whole.clone(), "cut-short").len(), whole.len() / 2);
        let changed = damaged(whole.clone(), "bytes-changed");
        assert_eq!(changed.len(), whole.len());
        assert_eq!(changed.iter().filter(|byte| **byte != 0).count(), 3 * CHANGED);
    }

    #[test]
    fn what_was_taken_comes_back_unless_its_place_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store { root: dir.path().to_owned(), server: "shop".into() };
        let name = "000000010000000000000003";
        let file = store.wal_path(name);
        let folder = file.parent().unwrap().to_owned();
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, "x").unwrap();
        assert_eq!(segments(&store, "00000001").unwrap(), [name]);
        let aside = Aside::take(&store, file.clone()).unwrap();
        assert!(segments(&store, "00000001").unwrap().is_empty());
        aside.put_back().unwrap();
        aside.put_back().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
        let aside = Aside::take(&store, file).unwrap();
        fs::remove_dir_all(folder).unwrap();
        aside.put_back().unwrap();
        assert_eq!(fs::read_dir(dir.path().join(TAKEN)).unwrap().count(), 0);
    }
}
