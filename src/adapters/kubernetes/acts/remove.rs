//! The end of an object of one identity: what was made anew under its name is left alone.

use backon::BackoffBuilder;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::super::client::Clients;
use super::super::read::raw;
use super::super::trouble::Trouble;
use super::ask::{Fault, ask, request};
use super::{Acts, pauses, words};
use crate::adapters::executor::Refusal;
use crate::procedure;
use crate::procedure::order::Delete;
use crate::procedure::{Answer, Order};

impl Acts {
    /// Deletes an object.
    pub(super) async fn delete(&self, order: &Order, delete: &Delete) -> Result<Answer, Refusal> {
        match self.send_off(order, "").await {
            Ok(answer) => Ok(done(delete, &answer)),
            Err(fault) => self.or_gone(delete, fault, "can't delete").await,
        }
    }

    /// Evicts a pod, and asks again while a disruption budget says no, as long as there is time.
    pub(super) async fn evict(&self, order: &Order, delete: &Delete, time: Duration) -> Result<Answer, Refusal> {
        let end = Instant::now() + time;
        let mut pauses = pauses(Duration::from_millis(250), Duration::from_secs(5)).without_max_times().build();
        loop {
            let fault = match self.send_off(order, "").await {
                Ok(answer) => return Ok(done(delete, &answer)),
                Err(fault) => fault,
            };
            let pause = pauses.next().unwrap_or(Duration::from_secs(5));
            if !fault.is(429) || Instant::now() + pause >= end {
                return self.or_gone(delete, fault, "can't evict").await;
            }
            sleep(pause).await;
        }
    }

    pub(super) async fn send_off(&self, order: &Order, query: &str) -> Result<Value, Fault> {
        let shown = order.request();
        let body = shown.body.clone().unwrap_or_default();
        ask(&self.clients, request(&shown, &body, query), self.patience.write).await
    }

    /// A refusal because it is not there any more is no refusal.
    async fn or_gone(&self, delete: &Delete, fault: Fault, what: &str) -> Result<Answer, Refusal> {
        if fault.is(404) {
            return Ok(Answer::Already(format!("{} is gone", words::name(&delete.target))));
        }
        if fault.is(409) {
            match self.read(&delete.target).await {
                Ok(object) if is(delete, &object) => {}
                Ok(_) => return Ok(Answer::Already(replaced(delete))),
                Err(f) if f.is(404) => return Ok(Answer::Already(format!("{} is gone", words::name(&delete.target)))),
                Err(_) => {}
            }
        }
        Err(fault.refusal(what, &delete.target))
    }
}

/// Ends whatever stands at this path under this identity; what is gone, or another by now, is no trouble. For what has
/// no order of its own: leftovers of something that one of ours ends.
///
/// # Errors
/// The API server can't be reached, or says no.
pub async fn erase(clients: &Clients, path: &str, uid: &str, patience: Duration) -> Result<(), Trouble> {
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
        "preconditions": {"uid": uid}});
    let shown = procedure::Request { method: "DELETE".into(), path: path.into(), content_type: None, body: None };
    match ask(clients, request(&shown, &options, ""), patience).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.is(404) || fault.is(409) => Ok(()),
        Err(Fault::Status(status)) => Err(Trouble::from(&kube::Error::Api(status))),
        Err(Fault::NotSent(trouble) | Fault::Unknown(trouble)) => Err(trouble),
    }
}

/// It is the object that is meant.
pub fn is(delete: &Delete, object: &Value) -> bool {
    delete.uid.is_empty() || raw(object, &["metadata", "uid"]) == Some(&delete.uid)
}

pub fn replaced(delete: &Delete) -> String {
    format!("{} is gone, and another one stands under its name", words::name(&delete.target))
}

/// The answer to a deletion is the object, or a status.
fn done(delete: &Delete, answer: &Value) -> Answer {
    let version = raw(answer, &["metadata", "resourceVersion"]).unwrap_or_default().to_owned();
    Answer::Taken { version, uid: delete.uid.clone() }
}
