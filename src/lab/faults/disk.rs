//! A volume that fills.

use std::fs;
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;

use super::{Fault, Ground, Kept, Wish};
use crate::domain::quantity;
use crate::lab::kubelet::volumes::wal_volume;
use crate::lab::postgres::volume::Volume;
use crate::problem::Problem;

/// Ballast on the volume of WAL. A file with a hole: it is as long as it says, and takes nothing of the machine's disk.
pub(super) struct WalVolume {
    ground: Ground,
    wish: Wish,
    ballast: Option<PathBuf>,
}

impl WalVolume {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        WalVolume { ground, wish, ballast: None }
    }

    fn put(&mut self, folder: &Path, bytes: u64) -> Result<(), Problem> {
        let file = folder.join("ballast");
        self.ballast = Some(file.clone());
        let written =
            self.ground.machine.account.make_folder(folder).and_then(|()| fs::File::create(&file)?.set_len(bytes));
        written.map_err(|e| Problem::new("the ballast could not be made").because(e))
    }
}

impl Fault for WalVolume {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let (ns, name) = (self.wish.namespace.clone(), self.wish.instance().to_owned());
            let instance = self.ground.instance(&ns, &name)?;
            let (used, size) = wal_volume(&self.ground.store, &self.ground.machine, &ns, &name)
                .ok_or_else(|| Problem::new(format!("WAL of {name} has no volume of its own")))?;
            let percent = self.wish.number("percent");
            let ballast = (size / 100 * percent).saturating_sub(used);
            let home = instance.server().data().parent().map(PathBuf::from).unwrap_or_default();
            self.put(&Volume::at(home).beside_wal(), ballast)?;
            let (ballast, size) = (quantity::storage(ballast), quantity::storage(size));
            Ok(format!(
                "{ballast} of ballast beside the WAL of {name} make {percent} % of its claim's stated size, {size}; the \
                 true file system is larger"
            ))
        })
    }

    /// A server that finds no room for its next WAL file panics.
    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            let instance = self.ground.instance(&self.wish.namespace, self.wish.instance());
            if let Ok(instance) = instance
                && !instance.has_wal_room()
            {
                // One that does not run has no need of room.
                let _ = instance.server().kill_all();
            }
            Kept::Same
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            match self.ballast.as_ref().map(fs::remove_file) {
                Some(Err(e)) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(Problem::new("the ballast can't be removed").because(e))
                }
                _ => Ok(()),
            }
        })
    }
}
