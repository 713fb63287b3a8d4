//! One request and its answer, sorted by what is known of it: refused, never sent, or not known.

use http::{Request, header};
use kube::core::Status;
use serde_json::Value;
use std::error::Error as StdError;
use std::time::Duration;
use tokio::time::{sleep, timeout};

use super::super::client::Clients;
use super::super::trouble::{Trouble, TroubleKind};
use super::words;
use crate::adapters::executor::Refusal;
use crate::problem::Problem;
use crate::procedure;
use crate::procedure::order::Target;

/// Why a request was not answered well.
#[derive(Debug)]
pub enum Fault {
    /// The API said no: nothing was changed.
    Status(Box<Status>),
    /// It never left: no client, no connection.
    NotSent(Trouble),
    /// The answer did not come, or says nothing: it may have been done.
    Unknown(Trouble),
}

/// How long new credentials are waited for when the old ones are refused.
const ANEW: Duration = Duration::from_secs(5);

/// Sends a request.
pub async fn ask(clients: &Clients, request: Request<Vec<u8>>, patience: Duration) -> Result<Value, Fault> {
    let Ok(connected) = timeout(patience, clients.get()).await else {
        return Err(Fault::NotSent(Trouble::new(TroubleKind::Unreachable, "there is no connection to the API server")));
    };
    let fault = match timeout(patience, connected.client.request::<Value>(request.clone())).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => Fault::from(error),
        Err(_) => return Err(Fault::Unknown(Trouble::timed_out(patience.as_secs_f64()))),
    };
    if !matches!(&fault, Fault::Status(status) if status.code == 401) {
        return Err(fault);
    }
    // Nobody was let in, so nothing was done: once more with new credentials.
    clients.refused(connected.generation);
    let renewed = timeout(ANEW, async {
        while clients.get().await.generation == connected.generation {
            sleep(Duration::from_millis(50)).await;
        }
        clients.get().await.client
    });
    let Ok(client) = renewed.await else { return Err(fault) };
    match timeout(patience, client.request::<Value>(request)).await {
        Ok(answer) => answer.map_err(Fault::from),
        Err(_) => Err(Fault::Unknown(Trouble::timed_out(patience.as_secs_f64()))),
    }
}

/// A question.
pub fn get(path: &str) -> Request<Vec<u8>> {
    super::super::client::get(path)
}

/// An order's own request, with this body and more of a query.
pub fn request(order: &procedure::Request, body: &Value, more: &str) -> Request<Vec<u8>> {
    let mut path = order.path.clone();
    if !more.is_empty() {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(more);
    }
    let mut request = Request::new(body.to_string().into_bytes());
    // Methods and paths are made of the order's own words: what is no URI could not be an object's name either.
    *request.method_mut() = order.method.parse().unwrap_or_default();
    *request.uri_mut() = path.parse().unwrap_or_default();
    let kind = order.content_type.as_deref().unwrap_or("application/json");
    if let Ok(kind) = kind.parse() {
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    request
}

impl From<kube::Error> for Fault {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if said_no(&status) => Fault::Status(status),
            kube::Error::Auth(_) => Fault::NotSent(Trouble::from(&error)),
            other if no_connection(&other) => Fault::NotSent(Trouble::from(&other)),
            other => Fault::Unknown(Trouble::from(&other)),
        }
    }
}

/// An answer after which nothing was changed. Of the 5xx only what the API says before it stores anything: gateways in
/// between give up on answers, too, and a store may have written what it did not confirm.
fn said_no(status: &Status) -> bool {
    match status.code {
        408 => false,
        400..500 => true,
        500 => ["webhook", "PodDisruptionBudget"].iter().any(|w| status.message.contains(w)),
        _ => false,
    }
}

/// There was no connection on which it could have gone.
fn no_connection(error: &kube::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(e) = next {
        if let Some(client) = e.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        if e.downcast_ref::<kube::client::AuthError>().is_some() {
            return true;
        }
        next = e.source();
    }
    false
}

impl Fault {
    /// The API's answer has this code.
    pub fn is(&self, code: u16) -> bool {
        matches!(self, Fault::Status(status) if status.code == code)
    }

    /// What it comes to for a change.
    pub fn refusal(&self, what: &str, target: &Target) -> Refusal {
        let problem = self.problem(what, target);
        match self {
            Fault::Status(_) | Fault::NotSent(_) => Refusal::Nothing(problem),
            Fault::Unknown(_) => Refusal::Unknown(problem),
        }
    }

    /// In words, given what was tried, such as `can't patch`.
    pub fn problem(&self, what: &str, target: &Target) -> Problem {
        let subject = format!("{what} {}", words::name(target));
        match self {
            Fault::Status(status) => words::refused(&subject, status),
            Fault::NotSent(trouble) => trouble.problem(&subject),
            Fault::Unknown(trouble) => Problem::new(format!("{subject}: it is not known whether it was done"))
                .because(&trouble.why)
                .try_this("look at the object before trying again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status { code, message: message.into(), ..Status::default() }
    }

    #[test]
    fn only_a_clear_no_is_a_no() {
        assert!(said_no(&status(403, "")) && said_no(&status(409, "")) && said_no(&status(429, "")));
        assert!(said_no(&status(500, "Internal error occurred: failed calling webhook \"x\"")));
        for code in [408, 500, 502, 503, 504] {
            assert!(!said_no(&status(code, "etcdserver: request timed out")), "{code}");
        }
    }
}
