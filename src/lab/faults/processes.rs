//! Faults of processes: one that is killed, some that hang.

use futures::future::BoxFuture;

use super::{Fault, Ground, Kept, Wish};
use crate::problem::Problem;

/// SIGKILL to everything in the primary's container, once.
pub(super) struct KillPrimary {
    ground: Ground,
    wish: Wish,
}

impl KillPrimary {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        KillPrimary { ground, wish }
    }
}

impl Fault for KillPrimary {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let name = self.wish.instance();
            let pod = self.ground.kubelet.named(&self.wish.namespace, name);
            let killed = pod.is_some_and(|pod| pod.kill());
            killed.then(|| format!("{name} was killed; its node starts it again")).ok_or_else(|| {
                Problem::new(format!("{name} could not be killed")).because("its container does not run")
            })
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async { Ok(()) })
    }
}

/// SIGSTOP to all processes of a standby's PostgreSQL.
pub(super) struct FreezeStandby {
    ground: Ground,
    wish: Wish,
    /// The postmaster that was frozen.
    frozen: Option<u32>,
}

impl FreezeStandby {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        FreezeStandby { ground, wish, frozen: None }
    }
}

impl Fault for FreezeStandby {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let name = self.wish.instance();
            let instance = self.ground.instance(&self.wish.namespace, name)?;
            self.frozen = instance.server().pid();
            instance.server().freeze()?;
            let pid = self.frozen.unwrap_or_default();
            Ok(format!("process {pid} of {name} and all its children are stopped (SIGSTOP)"))
        })
    }

    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            let instance = self.ground.instance(&self.wish.namespace, self.wish.instance()).ok();
            let now = instance.and_then(|instance| instance.server().pid());
            match now == self.frozen {
                true => Kept::Same,
                false => Kept::Says(format!("{} was started again: nothing is frozen", self.wish.instance())),
            }
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            let instance = self.ground.instance(&self.wish.namespace, self.wish.instance());
            if let Ok(instance) = instance
                && instance.server().pid() == self.frozen
            {
                // It may just have ended: then nothing is frozen.
                let _ = instance.server().thaw();
            }
            Ok(())
        })
    }
}
