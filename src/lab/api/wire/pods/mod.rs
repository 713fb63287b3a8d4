//! What is done with a pod rather than to its object: its log, commands in it, its ports, moving it away.

mod channels;
mod evict;
mod exec;
mod forward;
mod logs;
mod proxy;
mod streams;

use std::sync::Arc;

use http::HeaderMap;
use http::header::UPGRADE;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Wire;
use super::accept::Wanted;
use super::answer::{self, Answer};
use super::path::{Objects, Query};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::PODS;

impl Wire {
    /// A pod's subresource, when it is one of these.
    pub(super) async fn pod(
        &self,
        at: &Objects,
        query: &Query,
        request: Request<Incoming>,
        stop: CancellationToken,
    ) -> Result<Answer, ApiError> {
        match at.sub.as_deref() {
            Some("log") => self.log(at, query, stop).await,
            Some("exec") => self.exec(at, query, request, stop).await,
            Some("portforward") => self.forward(at, query, request, stop),
            Some("proxy") => self.proxy(at, request).await,
            Some("eviction") => self.evict(at, query, request).await,
            Some("binding") => self.bind(at, query, request).await,
            _ => {
                Wanted::of(request.headers())?;
                Ok(answer::not_found_path())
            }
        }
    }

    fn find_pod(&self, at: &Objects) -> Result<Arc<Value>, ApiError> {
        self.store.get(&PODS, at.namespace(), at.object()).ok_or_else(|| ApiError::not_found(&PODS, at.object()))
    }
}

/// The container that is meant: the named one, or the only one.
fn container(pod: &Value, asked: Option<&str>) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<String> {
        let each = pod["spec"][list].as_array().into_iter().flatten();
        each.filter_map(|c| c["name"].as_str().map(str::to_owned)).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    match asked {
        Some(name) if main.iter().chain(&init).chain(&names("ephemeralContainers")).any(|c| c == name) => {
            Ok(name.to_owned())
        }
        Some(name) => Err(ApiError::bad_request(format!("container {name} is not valid for pod {pod_name}"))),
        None if main.len() == 1 => Ok(main[0].clone()),
        None => {
            let mut message =
                format!("a container name must be specified for pod {pod_name}, choose one of: [{}]", main.join(" "));
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            Err(ApiError::bad_request(message))
        }
    }
}

/// What the client wants the connection to become.
fn upgrade(headers: &HeaderMap) -> Option<String> {
    headers.get(UPGRADE).and_then(|v| v.to_str().ok()).map(str::to_ascii_lowercase)
}

/// Work that ends when the API stops.
async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn which_container() {
        let one = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "postgres"}],
            "initContainers": [{"name": "bootstrap"}]}});
        assert_eq!(container(&one, None).as_deref(), Ok("postgres"));
        assert_eq!(container(&one, Some("bootstrap")).as_deref(), Ok("bootstrap"));
        assert_eq!(container(&one, Some("x")).map_err(|e| e.message), Err("container x is not valid for pod p".into()));
        let mut two = one;
        two["spec"]["containers"] = json!([{"name": "a"}, {"name": "b"}]);
        let wanted = "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [bootstrap]";
        assert_eq!(container(&two, None).map_err(|e| e.message), Err(wanted.into()));
    }
}
