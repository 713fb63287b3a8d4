//! The operator asks its instances for `/pg/status`: all at once, each with its own time-out.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::report::{Report, Reports};
use super::run::{Key, Operator, SETTLED};
use super::words::phase;
use super::world::{ClusterObject, World};
use crate::lab::api::resources::LEASES;
use crate::lab::instance::decide::Lease;
use crate::lab::instance::lease;
use crate::lab::object::{is_pod_active, name, text};

/// How long asking takes at least: in the recordings 150 to 420 ms. What follows at once from the last writes (endpoints, a
/// kubelet's first word of a new pod) is there before the operator's next one.
const ASKING: Duration = Duration::from_millis(150);
/// How long a look in the middle of a failover takes at most. Instances that are losing their primary answer late; without
/// it the operator would decide over and over while WAL receivers are still ending and the old primary is shutting down.
/// In the recordings that is over within half a second; a busy machine takes longer, and a primary that hangs gets this long.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Who looks at a lease without wanting it.
const NOBODY: &str = "";

/// The waits before an instance that doesn't answer is asked again: as in life.
const RETRIES: [u64; 4] = [10, 50, 250, 1250];

impl Operator {
    /// Asks everybody, and takes its time as it does in life.
    pub(super) async fn ask_all(&self, key: &Key, world: &World, cluster: &Value) -> Reports {
        let led_by_nobody = !world.pods.iter().any(|pod| is_pod_active(pod) && name(pod) == cluster.current_primary());
        if cluster.phase() == phase::FAILING_OVER && led_by_nobody {
            self.ask_until_let_go(key, &world.pods, cluster.current_primary()).await
        } else {
            tokio::join!(self.ask(&world.pods), tokio::time::sleep(ASKING), self.store.settled(SETTLED)).0
        }
    }

    /// Asks all active instances at once, each with its own time-out.
    async fn ask(&self, pods: &[Arc<Value>]) -> Reports {
        let active = pods.iter().filter(|pod| is_pod_active(pod));
        let questions = active.map(|pod| async {
            let answer = tokio::time::timeout(self.options.status_timeout, self.ask_one(pod)).await;
            let late = || Err(format!("no answer within {} ms", self.options.status_timeout.as_millis()));
            Report::new(Arc::clone(pod), answer.unwrap_or_else(|_| late()))
        });
        Reports::new(join_all(questions).await)
    }

    /// Asks until the old primary has let go: nobody receives from it, and its lease is given back or over.
    async fn ask_until_let_go(&self, key: &Key, pods: &[Arc<Value>], primary: &str) -> Reports {
        let begin = Instant::now();
        loop {
            tokio::time::sleep(ASKING).await;
            let reports = self.ask(pods).await;
            let lease = self.store.get(&LEASES, &key.0, &key.1);
            let let_go = lease::look(lease.as_deref(), NOBODY, Timestamp::now()) == Lease::Free
                || lease.is_some_and(|lease| text(&lease, "/spec/holderIdentity") != primary);
            if (reports.wal_receivers_are_down(primary) && let_go) || begin.elapsed() > SECOND_LOOK {
                return reports;
            }
        }
    }

    async fn ask_one(&self, pod: &Arc<Value>) -> Result<Value, String> {
        for wait in RETRIES {
            let answer = self.reader.read(Arc::clone(pod)).await;
            if answer.is_ok() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        self.reader.read(Arc::clone(pod)).await
    }
}
