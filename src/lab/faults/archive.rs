//! An object store that archive_command can't reach.

use std::path::PathBuf;

use futures::future::BoxFuture;

use super::slot::switch_wal;
use super::store::store_of;
use super::{Fault, Ground, Kept, Wish};
use crate::problem::Problem;

/// How often WAL is switched while it stands (in looks of a second), and how many times at most: files wait even where
/// nobody writes, and they don't fill the disk.
const EVERY: u32 = 20;
const SWITCHES: u32 = 8;

/// The store's mark is there, and archive_command fails as long as it is.
pub(super) struct ArchiveFailing {
    ground: Ground,
    wish: Wish,
    looks: u32,
}

impl ArchiveFailing {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        ArchiveFailing { ground, wish, looks: 0 }
    }

    fn mark(&self) -> PathBuf {
        store_of(&self.ground, &self.wish).unreachable()
    }

    async fn switch(&self) -> Result<(), Problem> {
        let (ns, cluster) = (&self.wish.namespace, &self.wish.cluster);
        let primary = self.ground.instance(ns, &self.ground.primary(ns, cluster))?;
        switch_wal(primary.server()).await
    }
}

impl Fault for ArchiveFailing {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let tries = self.wish.number("retrySeconds");
            let written = self.ground.machine.account.write(&self.mark(), &format!("{tries}\n"), 0o644);
            written.map_err(|e| Problem::new("the store could not be made unreachable").because(e))?;
            self.switch().await?;
            Ok(format!("archive_command of {} tries for {tries} s and fails", self.wish.cluster))
        })
    }

    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            self.looks += 1;
            if self.looks.is_multiple_of(EVERY) && self.looks / EVERY <= SWITCHES {
                // A primary that can't be asked now writes nothing that could wait.
                let _ = self.switch().await;
            }
            Kept::Same
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            match std::fs::remove_file(self.mark()) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Problem::new("the store could not be made reachable again").because(e));
                }
                _ => {}
            }
            // PostgreSQL asks a failing archiver again after a minute; a file that is ready wakes it.
            let _ = self.switch().await;
            Ok(())
        })
    }
}
