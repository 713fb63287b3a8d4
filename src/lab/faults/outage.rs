//! An API that answers nobody.

use futures::future::BoxFuture;

use super::{Fault, Ground, Kept};
use crate::problem::Problem;

/// The API's server is stopped.
pub(super) struct ApiOutage {
    ground: Ground,
    stopped: bool,
}

impl ApiOutage {
    pub(super) fn new(ground: Ground) -> Self {
        ApiOutage { ground, stopped: false }
    }
}

impl Fault for ApiOutage {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async { Ok("the API stops".to_owned()) })
    }

    /// It is stopped at the first look, when the object already says `Active`: whoever asked for it is to hear that.
    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            if self.stopped {
                // Started again through the control socket.
                return if self.ground.api.is_running().await { Kept::Over } else { Kept::Same };
            }
            tokio::time::sleep(super::SAID).await;
            self.ground.api.stop().await;
            self.stopped = true;
            Kept::Same
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            let started = self.ground.api.start().await;
            started.map_err(|why| Problem::new("the API can't be started again").because(why))
        })
    }
}
