//! The instance manager's web server on port 8000, as answers: `/pg/status`, the three probes.
//!
//! There is no socket behind it: the kubelet calls these for the pod proxy, the operator and its own probes, after
//! asking the network whether the way is open.

use std::sync::Arc;
use std::time::Duration;

use super::status::{Identity, Silence, answer, connection_error, excused};
use super::{Instance, Intent};
use crate::lab::kubelet::pod::hex_of;
use crate::lab::postgres::status::read;
use crate::problem::Problem;

/// How long `/pg/status` waits for PostgreSQL, and how long a probe does.
const STATUS_WITHIN: Duration = Duration::from_secs(5);
const PROBE_WITHIN: Duration = Duration::from_secs(4);

/// An answer: HTTP code, content type, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    /// `Content-Type`.
    pub content: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn plain(code: u16, body: impl Into<String>) -> Self {
        Answer { code, content: "text/plain; charset=utf-8", body: body.into() }
    }

    /// As Go's `http.Error` writes it.
    fn error(code: u16, text: &str) -> Self {
        Answer::plain(code, format!("{text}\n"))
    }
}

impl Instance {
    /// GET `path` of port 8000.
    pub async fn get(self: &Arc<Self>, path: &str) -> Answer {
        match path {
            "/pg/status" => self.pg_status().await,
            "/healthz" => self.alive(),
            "/readyz" => self.ready().await,
            "/startupz" if self.identity().excused => Answer::plain(200, "Skipped"),
            "/startupz" => self.ready().await,
            _ => Answer::error(404, "404 page not found"),
        }
    }

    /// GET `path` of port 9187.
    pub async fn get_metrics(self: &Arc<Self>, path: &str) -> Answer {
        match path {
            "/metrics" => {
                let content = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
                Answer { code: 200, content, body: self.metrics().await }
            }
            _ => Answer::error(404, "404 page not found"),
        }
    }

    async fn pg_status(&self) -> Answer {
        let identity = self.identity();
        let cluster = &self.setup.cluster;
        let reading = match self.server.pid() {
            Some(_) => read(&self.server, cluster, STATUS_WITHIN).await,
            None => Err(Problem::new("PostgreSQL is down")),
        };
        match reading {
            Ok(reading) => json(&answer(&identity, &reading)),
            Err(problem) => {
                let error = connection_error(self.silence(&problem));
                if identity.excused { json(&excused(&identity, &error)) } else { Answer::error(500, &error) }
            }
        }
    }

    /// CNPG's isolation check: a primary that can reach neither the API nor every other instance is to be restarted, so
    /// that it can't lead beside another. (`pkg/management/postgres/webserver/probes/liveness.go`.)
    fn alive(&self) -> Answer {
        let leads = self.server.pid().is_some() && !self.server.data().join("standby.signal").exists();
        if !leads || self.setup.reaches_api() {
            return Answer::plain(200, "OK");
        }
        let view = self.view();
        let zones = self.setup.roads.zones(&self.setup.namespace);
        let zone = |name: &String| zones.iter().find(|(pod, _)| pod == name).and_then(|(_, zone)| zone.as_deref());
        match view.instances.iter().find(|name| !self.setup.reaches(name, zone(name))) {
            None => Answer::plain(200, "OK"),
            Some(other) => {
                let why = format!("liveness check failed: instance connectivity error for instance [{other}]");
                Answer::error(500, &why)
            }
        }
    }

    /// Whether PostgreSQL takes connections.
    async fn ready(&self) -> Answer {
        if self.server.pid().is_none() {
            return Answer::error(500, &connection_error(Silence::NoSocket));
        }
        match self.server.sql().rows("postgres", "select 1", PROBE_WITHIN).await {
            Ok(_) => Answer::plain(200, "OK"),
            Err(problem) => Answer::error(500, &connection_error(self.silence(&problem))),
        }
    }

    fn silence(&self, problem: &Problem) -> Silence {
        let text = problem.line();
        let stopping = matches!(self.shared().intent, Intent::Stop | Intent::Fenced);
        match self.server.pid() {
            None => Silence::NoSocket,
            Some(_) if text.contains("shutting down") || stopping => Silence::ShuttingDown,
            Some(_) if text.contains("starting up") || text.contains("not yet accepting") => Silence::StartingUp,
            Some(_) if text.contains("No such file") || text.contains("refused") => Silence::NoSocket,
            Some(_) => Silence::TooSlow,
        }
    }

    fn identity(&self) -> Identity {
        let shared = self.shared();
        Identity {
            pod: self.setup.instance.clone(),
            configuration_hash: shared.configuration.clone(),
            session: self.session.clone(),
            rewinding: shared.rewinding,
            excused: matches!(shared.intent, Intent::Fenced | Intent::Restart),
            executable_hash: hex_of(super::status::VERSION),
        }
    }
}

fn json(body: &serde_json::Value) -> Answer {
    Answer { code: 200, content: "application/json", body: body.to_string() }
}
