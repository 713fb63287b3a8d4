//! The wire: HTTP requests in, Kubernetes' answers out.
//!
//! A request is authenticated, its path read, the verb allowed, and then one of the rooms here answers. All errors
//! leave as `Status` objects.

mod answer;

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::error::ApiError;
use super::runtime::PodRuntime;
use super::server::Token;
use super::store::Store;

use answer::Answer;

/// What every request needs.
#[expect(dead_code, reason = "the routes come with the next commits")]
pub(crate) struct Wire {
    pub(super) store: Store,
    pub(super) runtime: Arc<dyn PodRuntime>,
    token: Token,
    pub(super) access: Access,
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
        let _ = stop;
        answer::not_found_path()
    }

    fn knows(&self, request: &Request<Incoming>) -> bool {
        let header = request.headers().get(http::header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = header.and_then(|h| h.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        token.is_some_and(|(_, token)| token.trim() == self.token.0)
    }
}
