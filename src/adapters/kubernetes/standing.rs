//! The faults that stand in a lab, watched. A Kubernetes that is no lab is asked once whether it is one, and never again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::Request as Http;
use kube::core::WatchEvent;
use kube::core::params::WatchParams;
use kube::core::request::Request;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::super::inbox::Outbox;
use super::super::supervisor::{Ended, Pulse, Source, Wakers, supervise};
use super::client::{Clients, get};
use super::faults::standing;
use super::read;
use super::trouble::{Trouble, TroubleKind};
use crate::domain::facts::Fact;
use crate::domain::fault::{GROUP, PLURAL, Standing, VERSION};
use crate::domain::names::Context;
use crate::domain::source::SourceId;

/// How long one spell of watching lasts, in seconds.
const SPELL: u32 = 20;
/// How much longer than its spell a watch may be silent, and how long a list may take.
const GRACE: Duration = Duration::from_secs(5);
/// How soon an API that did not answer is asked again whether it is a lab's.
const AGAIN: Duration = Duration::from_secs(3);

/// Looks whether a context is a lab, and tells of its faults if it is. Ends when it is none.
pub async fn tell_if_lab(context: Context, clients: Clients, outbox: Outbox, wakers: Wakers) {
    loop {
        let client = clients.get().await.client;
        let asked = timeout(GRACE, client.request_text(get(&format!("/apis/{GROUP}/{VERSION}")))).await;
        match asked {
            Ok(Ok(_)) => break,
            // It answers, and serves no such thing to us.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 403 | 404) => return,
            _ => sleep(AGAIN).await,
        }
    }
    supervise(Faults { context, clients, outbox: outbox.clone() }, outbox, wakers).await;
}

/// The faults of one lab.
struct Faults {
    context: Context,
    clients: Clients,
    outbox: Outbox,
}

impl Source for Faults {
    fn id(&self) -> SourceId {
        SourceId::Watch(self.context.clone(), PLURAL.to_owned())
    }

    fn late_after(&self) -> Duration {
        Duration::from_secs(SPELL.into()) + GRACE
    }

    async fn tell(&mut self, pulse: &Pulse) -> Ended {
        let trouble = loop {
            match self.spell(pulse).await {
                Ok(()) => {}
                Err(trouble) => break trouble,
            }
        };
        match trouble.kind {
            TroubleKind::Forbidden | TroubleKind::Missing => {
                Ended::Absent(format!("no permission to watch {PLURAL}.{GROUP}"))
            }
            _ => Ended::Failed(trouble.problem("faults can't be watched")),
        }
    }
}

/// The faults by namespace and name.
type All = BTreeMap<(String, String), Standing>;

impl Faults {
    /// One list and a watch from there. There are a handful of faults at most: listing them again costs nothing.
    async fn spell(&self, pulse: &Pulse) -> Result<(), Trouble> {
        let client = self.clients.get().await.client;
        let path = format!("/apis/{GROUP}/{VERSION}/{PLURAL}");
        let listed = timeout(GRACE, client.request::<Value>(get(&path))).await;
        let list = listed.map_err(|_| Trouble::timed_out(GRACE.as_secs_f64()))?.map_err(|e| Trouble::from(&e))?;
        pulse.proven();
        let mut all: All = read::list(&list, &["items"]).iter().map(keyed).collect();
        self.publish(&all);
        let version = read::raw(&list, &["metadata", "resourceVersion"]).unwrap_or_default();
        let mut events =
            client.request_events::<Value>(watch(&path, version)?).await.map_err(|e| Trouble::from(&e))?.boxed();
        loop {
            let silence = Duration::from_secs(SPELL.into()) + GRACE;
            let next = timeout(silence, events.next()).await.map_err(|_| Trouble::timed_out(silence.as_secs_f64()))?;
            let Some(event) = next else { return Ok(()) };
            pulse.proven();
            match event.map_err(|e| Trouble::from(&e))? {
                WatchEvent::Added(fault) | WatchEvent::Modified(fault) => all.extend([keyed(&fault)]),
                WatchEvent::Deleted(fault) => drop(all.remove(&keyed(&fault).0)),
                WatchEvent::Bookmark(_) => continue,
                // Its version is too old: the next list has a newer one.
                WatchEvent::Error(_) => return Ok(()),
            }
            self.publish(&all);
        }
    }

    fn publish(&self, all: &All) {
        let all: Vec<Standing> = all.values().cloned().collect();
        self.outbox.publish(Fact::Faults(self.context.clone(), Arc::new(all)));
    }
}

fn watch(path: &str, version: &str) -> Result<Http<Vec<u8>>, Trouble> {
    let params = WatchParams { timeout: Some(SPELL), bookmarks: true, ..WatchParams::default() };
    Request::new(path).watch(&params, version).map_err(|e| Trouble::new(TroubleKind::Other, e.to_string()))
}

fn keyed(fault: &Value) -> ((String, String), Standing) {
    let fault = standing(fault);
    ((fault.namespace.clone(), fault.name.clone()), fault)
}
