//! The road to the object store: PostgreSQL's archiver goes it like everybody else.
//!
//! The store is a folder here, which a cut network would not keep anyone from. Without this, a primary in a zone that is cut
//! off archives its last WAL while another already leads; a standby that restores that file goes a way the new primary
//! never went, and can't follow it any more.

use std::convert::Infallible;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Instance, Setup};
use crate::lab::postgres::{Server, Store};

impl Setup {
    /// A server's part of the object store at this destination.
    pub fn place(&self, destination: &str, server: &str) -> Store {
        Store { root: self.machine.store_dir().join(prefix(destination)), server: server.to_owned() }
    }

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

/// What a destination has behind account and container: a folder in the store.
fn prefix(destination: &str) -> PathBuf {
    let path = destination.parse::<http::Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default();
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    Path::new(path.trim_matches('/')).components().filter(plain).skip(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_container_is_a_folder() {
        assert_eq!(prefix("http://127.0.0.1:10000/lab/backups"), PathBuf::new());
        assert_eq!(prefix("http://127.0.0.1:10000/lab/backups/"), PathBuf::new());
        assert_eq!(prefix("http://127.0.0.1:10000/lab/backups/team/shop"), PathBuf::from("team/shop"));
        assert_eq!(prefix("http://127.0.0.1:10000/lab/backups/../../etc"), PathBuf::from("etc"));
        assert_eq!(prefix("no address"), PathBuf::new());
    }
}
