//! The wire: HTTP requests in, Kubernetes' answers out.
//!
//! A request is authenticated, its path read, the verb allowed, and then one of the rooms here answers. All errors
//! leave as `Status` objects.

mod accept;
mod answer;
mod body;
mod delete;
mod discovery;
mod events;
mod path;
mod pods;
mod read;
mod render;
mod reviews;
mod scale;
mod spdy;
mod valid;
mod watch;
mod write;
mod writer;

pub(crate) use path::decode;

use std::sync::Arc;

use http::Method;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::access::{Access, Attributes};
use super::error::ApiError;
use super::resources::{NAMESPACES, NODES, PODS};
use super::runtime::PodRuntime;
use super::schema;
use super::server::Token;
use super::store::Store;

use accept::Wanted;
use answer::Answer;
use path::{Objects, Path, Query};
use write::Sent;

/// What every request needs.
pub(crate) struct Wire {
    store: Store,
    runtime: Arc<dyn PodRuntime>,
    token: Token,
    access: Access,
}

impl Wire {
    pub(crate) fn new(store: Store, runtime: Arc<dyn PodRuntime>, token: Token, access: Access) -> Self {
        Wire { store, runtime, token, access }
    }

    /// Answers one request. `stop` ends what would go on for ever.
    pub(crate) async fn answer(&self, request: Request<Incoming>, stop: CancellationToken) -> Answer {
        if !self.knows(&request) {
            return answer::error(&ApiError::new(401, "Unauthorized", "Unauthorized"));
        }
        match self.route(request, stop).await {
            Ok(answer) => answer,
            Err(e) => answer::error(&e),
        }
    }

    fn knows(&self, request: &Request<Incoming>) -> bool {
        let header = request.headers().get(http::header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = header.and_then(|h| h.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        token.is_some_and(|(_, token)| token.trim() == self.token.0)
    }

    async fn route(&self, request: Request<Incoming>, stop: CancellationToken) -> Result<Answer, ApiError> {
        let Some(path) = Path::parse(request.uri().path()) else { return Ok(answer::not_found_path()) };
        if let Path::Objects(at) = path {
            return self.objects(at, request, stop).await;
        }
        let wanted = Wanted::of(request.headers()).unwrap_or_default();
        if let Path::Review { plural } = &path
            && request.method() == Method::POST
        {
            let (parts, body) = request.into_parts();
            return self.review(plural, body::object(&parts.headers, &body::read(body).await?)?);
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(not_allowed());
        }
        Ok(match path {
            Path::Health => answer::whole(200, "text/plain; charset=utf-8", "ok"),
            Path::Version => answer::json(200, &discovery::version()),
            Path::Root => self.root(),
            Path::Core => self.core(wanted),
            Path::Groups => self.groups(wanted),
            Path::Group(group) => self.group(&group),
            Path::Kinds { group, version } => self.kinds(&group, &version),
            Path::OpenApi(document) => openapi(&document),
            Path::OpenApi2 => {
                answer::whole(200, schema::OLDER_CONTENT_TYPE, schema::older_document(discovery::VERSION))
            }
            Path::Review { .. } | Path::Objects(_) => return Err(not_allowed()),
        })
    }

    async fn objects(
        &self,
        at: Objects,
        request: Request<Incoming>,
        stop: CancellationToken,
    ) -> Result<Answer, ApiError> {
        let query = Query::parse(request.uri().query());
        let verb = verb(&at, request.method(), &query)?;
        self.allow(&at, verb)?;
        let known = match at.sub.as_deref() {
            None => true,
            Some("status") => at.resource.status,
            Some("scale") => at.resource.scale.is_some(),
            Some("finalize") => at.resource == &NAMESPACES,
            Some(_) if at.resource == &PODS => return self.pod(&at, &query, request, stop).await,
            Some("proxy") if at.resource == &NODES && verb == "get" => return self.node(&at).await,
            Some(_) => false,
        };
        if !known {
            return Ok(answer::not_found_path());
        }
        let wanted = Wanted::of(request.headers())?;
        let (parts, body) = request.into_parts();
        let scale = at.sub.as_deref() == Some("scale");
        match verb {
            "get" if !scale => return self.get(&at, &query, wanted),
            "list" => return self.list(&at, &query, wanted).await,
            "watch" => return self.watch(&at, &query, wanted, stop),
            _ => {}
        }
        let sent = Sent { at: &at, query: &query, headers: &parts.headers, body: body::read(body).await?, wanted };
        match verb {
            _ if scale => self.scale(&sent, verb),
            "create" if at.sub.is_none() => self.create(&sent),
            "update" => self.update(&sent),
            "patch" => self.patch(&sent),
            "delete" if at.sub.is_none() => self.delete(&sent),
            "deletecollection" => self.delete_all(&sent),
            _ => Err(not_allowed()),
        }
    }

    fn allow(&self, at: &Objects, verb: &str) -> Result<(), ApiError> {
        let wanted = Attributes {
            verb: verb.to_owned(),
            group: at.resource.group.to_owned(),
            resource: at.resource.plural.to_owned(),
            subresource: at.sub.clone().unwrap_or_default(),
            namespace: at.namespace().to_owned(),
            name: at.object().to_owned(),
        };
        if self.access.allows(&wanted) {
            return Ok(());
        }
        let sub = at.sub.as_ref().map(|s| format!("/{s}")).unwrap_or_default();
        let place = match &at.ns {
            Some(ns) => format!(" in the namespace \"{ns}\""),
            None => " at the cluster scope".to_owned(),
        };
        let why = format!(
            "User \"{USER}\" cannot {verb} resource \"{}{sub}\" in API group \"{}\"{place}",
            at.resource.plural, at.resource.group
        );
        Err(ApiError::forbidden(at.resource, at.object(), why))
    }
}

/// Who the token belongs to.
pub(crate) const USER: &str = "lab-admin";

/// The verb of a request, as rights and audits name it.
fn verb(at: &Objects, method: &Method, query: &Query) -> Result<&'static str, ApiError> {
    Ok(match (method, at.name.is_some()) {
        (&Method::GET | &Method::HEAD, _) if query.flag("watch") && at.sub.is_none() => "watch",
        (&Method::GET | &Method::HEAD, true) => "get",
        (&Method::GET | &Method::HEAD, false) => "list",
        (&Method::POST, false) => "create",
        (&Method::POST, true) if at.sub.is_some() => "create",
        (&Method::PUT, true) => "update",
        (&Method::PATCH, true) => "patch",
        (&Method::DELETE, true) => "delete",
        (&Method::DELETE, false) => "deletecollection",
        _ => return Err(not_allowed()),
    })
}

fn not_allowed() -> ApiError {
    ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        .with(json!({}))
}

/// `/openapi/v3`, or one of its documents.
fn openapi(document: &str) -> Answer {
    if document.is_empty() {
        return answer::json(200, &schema::index(concat!("howdah-", env!("CARGO_PKG_VERSION"))));
    }
    match schema::document(document, discovery::VERSION) {
        Some(found) => answer::json(200, &found),
        None => answer::not_found_path(),
    }
}
