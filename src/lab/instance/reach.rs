//! The road to the object store: PostgreSQL's archiver goes it like everybody else.
//!
//! The store is a folder here, which a cut network would not keep anyone from. Without this, a primary in a zone that is cut
//! off archives its last WAL while another already leads; a standby that restores that file goes a way the new primary
//! never went, and can't follow it any more.

use std::convert::Infallible;
use std::sync::Arc;

use super::{Instance, Setup};
use crate::lab::postgres::Server;

impl Setup {
    /// Tells the server whether it can reach the object store now.
    pub(super) fn mind_store(&self, server: &Server) {
        if let Err(problem) = server.set_store_reach(self.reaches_store()) {
            self.log.error("Error while following the network", &problem.line());
        }
    }

    /// The same with every change of the network, for ever.
    pub(super) async fn follow_store(&self, server: &Server) -> Infallible {
        let mut weather = self.roads.network().changes();
        loop {
            self.mind_store(server);
            if weather.changed().await.is_err() {
                // Nobody will change it any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Instance {
    /// Has its server know whether it can reach the object store, for ever.
    pub(super) async fn keep_minding_store(self: Arc<Self>) {
        match self.setup.follow_store(&self.server).await {}
    }
}
