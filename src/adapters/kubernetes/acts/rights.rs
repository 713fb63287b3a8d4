//! What this user may do, by the API's own word.

use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, Request, header};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

use super::super::client::Clients;
use super::super::read::flag;
use super::ask::{Fault, ask};
use crate::problem::Problem;
use crate::procedure::Right;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(60);
/// Questions at once.
const AT_ONCE: usize = 8;
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Answers of the last minute.
#[derive(Default)]
pub struct Known(Mutex<HashMap<Right, (Instant, bool)>>);

impl Known {
    /// Those of the rights that are missing, in their order.
    ///
    /// # Errors
    /// The API does not say.
    pub async fn missing(
        &self,
        clients: &Clients,
        rights: &[Right],
        patience: Duration,
    ) -> Result<Vec<Right>, Problem> {
        let asked = stream::iter(rights.to_vec()).map(|right| async move {
            let allowed = match self.fresh(&right) {
                Some(allowed) => allowed,
                None => review(clients, &right, patience).await.inspect(|allowed| self.keep(&right, *allowed))?,
            };
            Ok::<_, Problem>((right, allowed))
        });
        let answers: Vec<_> = asked.buffered(AT_ONCE).try_collect().await?;
        Ok(answers.into_iter().filter(|(_, allowed)| !allowed).map(|(right, _)| right).collect())
    }

    fn fresh(&self, right: &Right) -> Option<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(right).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, allowed)| *allowed)
    }

    fn keep(&self, right: &Right, allowed: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < FRESH);
        known.insert(right.clone(), (Instant::now(), allowed));
    }
}

async fn review(clients: &Clients, right: &Right, patience: Duration) -> Result<bool, Problem> {
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {
        "resourceAttributes": {"verb": right.verb, "group": right.group, "resource": right.resource,
            "subresource": right.subresource.as_deref().unwrap_or_default(), "namespace": right.namespace, "name": right.name}}});
    let mut request = Request::new(body.to_string().into_bytes());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(REVIEWS);
    request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    let answer: Value = ask(clients, request, patience).await.map_err(|fault| {
        let why = match fault {
            Fault::Status(status) => status.message.clone(),
            Fault::NotSent(trouble) | Fault::Unknown(trouble) => trouble.why,
        };
        Problem::new(format!("can't ask for the right to {} {}", right.verb, right.resource)).because(why)
    })?;
    Ok(flag(&answer, &["status", "allowed"]))
}
