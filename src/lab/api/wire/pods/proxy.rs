//! The pod proxy: HTTP to a pod's port by way of the API. The node proxy, as far as it is needed.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;

use crate::lab::api::error::ApiError;
use crate::lab::api::resources::{NODES, PODS};
use crate::lab::api::runtime::ProxyScheme;
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::{self, Answer};
use crate::lab::api::wire::body;
use crate::lab::api::wire::path::Objects;

/// What belongs to one hop only.
const HOP: &[HeaderName] = &[CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH];

impl Wire {
    pub(super) async fn proxy(&self, at: &Objects, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let (scheme, name, port) = target(at.object())?;
        let pod = self.store.get(&PODS, at.namespace(), name).ok_or_else(|| ApiError::not_found(&PODS, name))?;
        let port = number(&pod, port)?;
        let (mut parts, incoming) = request.into_parts();
        let path = if at.rest.is_empty() { "/" } else { &at.rest };
        let uri = match parts.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        parts.uri = uri.parse().map_err(|e| ApiError::bad_request(format!("the path can't be passed on: {e}")))?;
        // The token is the API's, not the pod's.
        for own in HOP.iter().chain(&[AUTHORIZATION, HOST]) {
            parts.headers.remove(own);
        }
        let request = http::Request::from_parts(parts, body::read(incoming).await?);
        let reached = self.runtime.proxy(Arc::clone(&pod), scheme, port, request).await;
        let reached = reached.map_err(|e| ApiError::unavailable(format!("error trying to reach service: {e}")))?;
        Ok(passed_on(reached))
    }
}

impl Wire {
    /// The node proxy: what the kubelet tells of its pods' volumes, and nothing else.
    pub(in crate::lab::api::wire) async fn node(&self, at: &Objects) -> Result<Answer, ApiError> {
        let node = self.store.get(&NODES, "", at.object()).ok_or_else(|| ApiError::not_found(&NODES, at.object()))?;
        if at.rest != "/stats/summary" {
            return Ok(answer::whole(404, "text/plain; charset=utf-8", "404 page not found\n"));
        }
        Ok(answer::json(200, &self.runtime.summary(node).await?))
    }
}

fn passed_on(response: http::Response<Bytes>) -> Answer {
    let (parts, body) = response.into_parts();
    let mut answer = answer::whole(parts.status.as_u16(), "text/plain; charset=utf-8", body);
    if !parts.headers.contains_key(CONTENT_TYPE) {
        answer.headers_mut().remove(CONTENT_TYPE);
    }
    for (name, value) in &parts.headers {
        if !HOP.contains(name) {
            answer.headers_mut().insert(name.clone(), value.clone());
        }
    }
    answer
}

/// `name`, `name:port`, `scheme:name:port`.
fn target(text: &str) -> Result<(ProxyScheme, &str, &str), ApiError> {
    let parts: Vec<&str> = text.split(':').collect();
    let found = match parts.as_slice() {
        [name] => (ProxyScheme::Http, *name, ""),
        [name, port] => (ProxyScheme::Http, *name, *port),
        ["" | "http", name, port] => (ProxyScheme::Http, *name, *port),
        ["https", name, port] => (ProxyScheme::Https, *name, *port),
        _ => return Err(ApiError::bad_request(format!("invalid pod request \"{text}\""))),
    };
    if found.1.is_empty() {
        return Err(ApiError::bad_request(format!("invalid pod request \"{text}\"")));
    }
    Ok(found)
}

/// A port by number, by name, or the pod's first.
fn number(pod: &Value, port: &str) -> Result<u16, ApiError> {
    if let Ok(port) = port.parse() {
        return Ok(port);
    }
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|c| c["ports"].as_array().into_iter().flatten());
    let found = ports.find(|p| port.is_empty() || p["name"] == port);
    let found = found.and_then(|p| p["containerPort"].as_u64()).and_then(|p| u16::try_from(p).ok());
    match (found, port) {
        (Some(found), _) => Ok(found),
        (None, "") => Ok(80),
        (None, _) => Err(ApiError::unavailable(format!("no port named \"{port}\" on the pod"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn targets() {
        assert_eq!(target("https:demo-1:8000"), Ok((ProxyScheme::Https, "demo-1", "8000")));
        assert_eq!(target("demo-1:9187"), Ok((ProxyScheme::Http, "demo-1", "9187")));
        assert_eq!(target("demo-1"), Ok((ProxyScheme::Http, "demo-1", "")));
        for bad in ["ftp:a:1", "a:b:c:d", ":1", "https::1"] {
            assert_eq!(target(bad).map_err(|e| e.code), Err(400), "{bad}");
        }
        let pod = json!({"spec": {"containers": [{"ports": [{"name": "postgresql", "containerPort": 5432},
            {"name": "metrics", "containerPort": 9187}]}]}});
        assert_eq!(number(&pod, "metrics"), Ok(9187));
        assert_eq!(number(&pod, ""), Ok(5432));
        assert_eq!(number(&pod, "8000"), Ok(8000));
        assert_eq!(number(&pod, "x").map_err(|e| e.code), Err(503));
    }
}
