//! The road to the object store: PostgreSQL's archiver goes it like everybody else.
//!
//! The store is a folder here, which a cut network would not keep anyone from. Without this, a primary in a zone that is cut
//! off archives its last WAL while another already leads; a standby that restores that file goes a way the new primary
//! never went, and can't follow it any more.

use std::sync::Arc;

use super::Instance;

impl Instance {
    /// Tells the server whether it can reach the object store now.
    pub(super) fn mind_store(&self) {
        if let Err(problem) = self.server.set_store_reach(self.setup.reaches_store()) {
            self.setup.log.error("Error while following the network", &problem.line());
        }
    }

    /// The same with every change of the network, for ever.
    pub(super) async fn keep_minding_store(self: Arc<Self>) {
        let mut weather = self.setup.roads.network().changes();
        loop {
            self.mind_store();
            if weather.changed().await.is_err() {
                return;
            }
        }
    }
}
