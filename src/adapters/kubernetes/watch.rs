//! One kind watched in one context: list, then watch, again and again, without a gap.
//!
//! A watch is asked for short spells (10 s for what moves in a failover, 30 s for the rest), each beginning at the
//! version where the one before ended. So every spell's beginning, bookmark and end proves that nothing was missed,
//! without a further request, and a connection that died silently is noticed within a spell. That costs about one
//! small request a second and context. (kube's own watcher hides bookmarks and ends, so it can't prove itself.)

use futures::AsyncBufReadExt;
use futures::stream::{FuturesUnordered, StreamExt};
use kube::Client;
use kube::core::params::{ListParams, WatchParams};
use kube::core::request::Request;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::super::live::Namespaces;
use super::super::supervisor::{Ended, Pulse, Source};
use super::attempts::LastWords;
use super::client::Clients;
use super::cut::Cut;
use super::decode;
use super::kinds::Kind;
use super::list::Page;
use super::trouble::{Trouble, TroubleKind};
use crate::domain::names::Context;
use crate::domain::source::{NOT_INSTALLED, SourceId};

pub use super::decode::Object;

/// Where a watch looks: one namespace, or everywhere.
pub type Scope = Option<Arc<str>>;

/// What watches tell the world of their context, in order.
#[derive(Debug)]
pub enum Said {
    /// The server has answered for this kind: these are the places it is watched in, and why not elsewhere.
    Scoped(Kind, Vec<Scope>),
    /// A list begins.
    Begun(Kind, Scope),
    /// A page of it.
    Page(Kind, Scope, Vec<Object>),
    /// The list is whole.
    Whole(Kind, Scope),
    /// Added or modified.
    Applied(Kind, Object),
    /// Deleted: namespace and name.
    Deleted(Kind, (Arc<str>, Arc<str>)),
    /// It can't be had there.
    Absent(Kind, Scope),
    /// What a failed pod of a job said before it ended.
    LastWords(LastWords),
    /// All namespaces are forbidden: this kind is watched in these instead.
    Narrowed(Kind, Vec<Scope>),
}

/// One kind in one context.
pub struct Watch {
    /// The context.
    pub context: Context,
    /// The kind.
    pub kind: Kind,
    /// The context's client.
    pub clients: Clients,
    /// Which namespaces were asked for.
    pub namespaces: Namespaces,
    /// To the world.
    pub said: mpsc::Sender<Said>,
    /// Opens when the world knows the scope of every kind and can take lists.
    pub gate: watch::Receiver<bool>,
    /// Where each scope's watch goes on.
    pub resume: BTreeMap<Scope, String>,
    /// The list is read once and nothing is watched after.
    pub once: bool,
}

/// The longest a list's page or the beginning of a watch may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How much longer than its spell a watch may be silent.
const GRACE: Duration = Duration::from_secs(3);
/// Objects of one page.
const PAGE: u32 = 500;

/// How long one spell of watching a kind lasts, in seconds.
pub fn spell(kind: Kind) -> u32 {
    match kind {
        Kind::Cluster | Kind::Pod | Kind::EndpointSlice | Kind::Endpoints | Kind::Lease | Kind::Node => 10,
        _ => 30,
    }
}

/// Where the API keeps a kind.
pub fn path(kind: Kind, scope: Option<&str>) -> String {
    let (group, version, plural, _) = kind.api();
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    match scope {
        Some(namespace) if kind.namespaced() => format!("{root}/namespaces/{namespace}/{plural}"),
        _ => format!("{root}/{plural}"),
    }
}

/// What is asked to be left out by the server. Nodes renew a lease each every ten seconds, which nobody looks at.
fn fields(kind: Kind) -> Option<&'static str> {
    (kind == Kind::Lease).then_some("metadata.namespace!=kube-node-lease")
}

impl Source for Watch {
    fn id(&self) -> SourceId {
        SourceId::Watch(self.context.clone(), self.kind.plural().to_owned())
    }

    fn late_after(&self) -> Duration {
        Duration::from_secs(spell(self.kind).into()) + GRACE
    }

    async fn tell(&mut self, pulse: &Pulse) -> Ended {
        let connected = self.clients.get().await;
        let wide = self.scopes(&connected.namespace);
        let mut trouble = self.everywhere(&connected.client, wide.clone(), pulse).await;
        let may_narrow = self.kind.namespaced() && wide == [None];
        if may_narrow && trouble.kind == TroubleKind::Forbidden {
            let narrow = vec![Some(connected.namespace.clone())];
            self.say(Said::Narrowed(self.kind, narrow.clone())).await;
            trouble = self.everywhere(&connected.client, narrow, pulse).await;
        }
        match trouble.kind {
            TroubleKind::Unauthorized => {
                self.clients.refused(connected.generation);
                Ended::Failed(trouble.problem(&format!("{} can't be watched", self.kind.plural())))
            }
            TroubleKind::Forbidden | TroubleKind::Missing => {
                let scopes = if may_narrow && trouble.kind == TroubleKind::Forbidden {
                    vec![Some(connected.namespace.clone())]
                } else {
                    wide
                };
                self.say(Said::Scoped(self.kind, scopes.clone())).await;
                for scope in scopes {
                    self.say(Said::Absent(self.kind, scope)).await;
                }
                Ended::Absent(absence(self.kind, &trouble))
            }
            _ => Ended::Failed(trouble.problem(&format!("{} can't be watched", self.kind.plural()))),
        }
    }
}

/// Why a kind can't be had, with the verb and the resource that a right would name.
fn absence(kind: Kind, trouble: &Trouble) -> String {
    let (group, version, plural, _) = kind.api();
    match trouble.kind {
        TroubleKind::Forbidden if group.is_empty() => format!("no permission to list and watch {plural}"),
        TroubleKind::Forbidden => format!("no permission to list and watch {plural}.{group}"),
        _ => format!("{NOT_INSTALLED} {plural} in {group}/{version}"),
    }
}

impl Watch {
    fn scopes(&self, own: &Arc<str>) -> Vec<Scope> {
        match &self.namespaces {
            _ if !self.kind.namespaced() => vec![None],
            // The operator lives in a namespace of its own; only its deployments are kept of what this lists.
            Namespaces::All => vec![None],
            _ if self.kind == Kind::Deployment => vec![None],
            Namespaces::Own => vec![Some(own.clone())],
            Namespaces::Only(names) => names.iter().map(|n| Some(n.as_str().into())).collect(),
        }
    }

    async fn say(&self, said: Said) {
        // A world that is gone needs no telling: this source is about to be dropped too.
        let _ = self.said.send(said).await;
    }

    /// Follows all scopes at once until one fails in a way that all would, or all are absent.
    async fn everywhere(&mut self, client: &Client, scopes: Vec<Scope>, pulse: &Pulse) -> Trouble {
        let all = Arc::new(scopes.clone());
        let mut running: FuturesUnordered<_> = scopes
            .into_iter()
            .map(|scope| {
                let from = self.resume.remove(&scope);
                let follow = Follow {
                    client: client.clone(),
                    kind: self.kind,
                    scope,
                    all: all.clone(),
                    said: self.said.clone(),
                    gate: self.gate.clone(),
                    version: from,
                    once: self.once,
                };
                follow.run(pulse)
            })
            .collect();
        let mut last = Trouble::new(TroubleKind::Missing, "no namespace was given");
        let mut absent = Vec::new();
        while let Some((follow, trouble)) = running.next().await {
            let gone = matches!(trouble.kind, TroubleKind::Forbidden | TroubleKind::Missing);
            last = trouble;
            if !gone {
                if let Some(version) = follow.version {
                    self.resume.insert(follow.scope, version);
                }
                return last;
            }
            absent.push(follow.scope);
            if running.is_empty() {
                break;
            }
            // Others still run: those can be told, and this one is not waited for.
            for scope in absent.drain(..) {
                self.say(Said::Scoped(self.kind, all.to_vec())).await;
                self.say(Said::Absent(self.kind, scope)).await;
            }
        }
        last
    }
}

struct Follow {
    client: Client,
    kind: Kind,
    scope: Scope,
    all: Arc<Vec<Scope>>,
    said: mpsc::Sender<Said>,
    gate: watch::Receiver<bool>,
    version: Option<String>,
    once: bool,
}

/// A line of a watch.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    what: String,
    object: Cut,
}

impl Follow {
    async fn run(mut self, pulse: &Pulse) -> (Self, Trouble) {
        let trouble = loop {
            if self.version.is_none()
                && let Err(t) = self.list(pulse).await
            {
                break t;
            }
            if self.once {
                std::future::pending::<()>().await;
            }
            let began = Instant::now();
            match self.spell(pulse).await {
                Ok(()) => {}
                Err(t) if t.kind == TroubleKind::Expired => self.version = None,
                Err(t) => break t,
            }
            // A server that ends every watch at once, or forgets at once what it has listed, is not asked faster than
            // once a second.
            tokio::time::sleep_until(began + Duration::from_secs(1)).await;
        };
        if matches!(trouble.kind, TroubleKind::Forbidden | TroubleKind::Missing) {
            self.version = None;
        }
        (self, trouble)
    }

    async fn say(&self, said: Said) {
        // See `Watch::say`.
        let _ = self.said.send(said).await;
    }

    async fn list(&mut self, pulse: &Pulse) -> Result<(), Trouble> {
        let mut page = self.page(None).await?;
        pulse.proven();
        self.say(Said::Scoped(self.kind, self.all.to_vec())).await;
        while !*self.gate.borrow_and_update() {
            if self.gate.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        self.say(Said::Begun(self.kind, self.scope.clone())).await;
        loop {
            let next = page.next.take();
            self.say(Said::Page(self.kind, self.scope.clone(), page.objects)).await;
            let Some(next) = next else { break };
            page = self.page(Some(next)).await?;
            pulse.proven();
        }
        self.say(Said::Whole(self.kind, self.scope.clone())).await;
        self.version = Some(page.version);
        Ok(())
    }

    async fn page(&self, next: Option<String>) -> Result<Page, Trouble> {
        let params = ListParams {
            label_selector: self.kind.selector().map(str::to_owned),
            field_selector: fields(self.kind).map(str::to_owned),
            limit: Some(PAGE),
            continue_token: next,
            ..ListParams::default()
        };
        let request = Request::new(path(self.kind, self.scope.as_deref()))
            .list(&params)
            .map_err(|e| Trouble::new(TroubleKind::Other, e.to_string()))?;
        let text = answered(self.client.request_text(request)).await?;
        Page::read(self.kind, &text).map_err(|e| {
            Trouble::new(TroubleKind::Other, format!("a list of {} can't be read: {e}", self.kind.plural()))
        })
    }

    /// One spell of watching. `Ok`: it ended as it should and the next one may begin.
    async fn spell(&mut self, pulse: &Pulse) -> Result<(), Trouble> {
        let seconds = spell(self.kind);
        let params = WatchParams {
            label_selector: self.kind.selector().map(str::to_owned),
            field_selector: fields(self.kind).map(str::to_owned),
            timeout: Some(seconds),
            bookmarks: true,
            send_initial_events: false,
        };
        let version = self.version.clone().unwrap_or_default();
        let request = Request::new(path(self.kind, self.scope.as_deref()))
            .watch(&params, &version)
            .map_err(|e| Trouble::new(TroubleKind::Other, e.to_string()))?;
        let lines = answered(self.client.request_stream(request)).await?;
        // What was missed while nobody listened comes now: a lease is not to be called lapsed before that is read.
        if self.kind != Kind::Lease {
            pulse.proven();
        }
        let mut lines = std::pin::pin!(lines);
        let mut line = Vec::new();
        let patience = Duration::from_secs(seconds.into()) + GRACE;
        loop {
            line.clear();
            match timeout(patience, lines.read_until(b'\n', &mut line)).await {
                // Silent for longer than the spell: the connection is dead. The next spell begins where this one was.
                Err(_) => return Ok(()),
                Ok(Err(e)) => return Err(Trouble::new(TroubleKind::Unreachable, format!("the watch broke: {e}"))),
                Ok(Ok(0)) => {
                    pulse.proven();
                    return Ok(());
                }
                Ok(Ok(_)) if line.iter().all(u8::is_ascii_whitespace) => {}
                // A connection that is cut may end in the middle of a line.
                Ok(Ok(_)) if line.last() != Some(&b'\n') => return Ok(()),
                Ok(Ok(_)) => self.take(&line).await?,
            }
            pulse.proven();
        }
    }

    async fn take(&mut self, line: &[u8]) -> Result<(), Trouble> {
        let line: Line = serde_json::from_slice(line).map_err(|e| {
            Trouble::new(TroubleKind::Other, format!("a watch event of {} can't be read: {e}", self.kind.plural()))
        })?;
        let object = line.object.0;
        if line.what == "ERROR" {
            let code = object.get("code").and_then(Value::as_u64).and_then(|c| u16::try_from(c).ok()).unwrap_or(500);
            let message = object.get("message").and_then(Value::as_str).unwrap_or_default();
            return Err(Trouble::of_status(code, message));
        }
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned);
        // Decoded here: what its text holds is let go by whoever made it, and the gathering of all kinds only gathers.
        let said = match line.what.as_str() {
            "ADDED" | "MODIFIED" => Some(Said::Applied(self.kind, Object::read(self.kind, &object))),
            "DELETED" => decode::id(&object).map(|id| Said::Deleted(self.kind, id)),
            _ => None,
        };
        drop(object);
        if let Some(said) = said {
            self.say(said).await;
        }
        // Only after it has been said: a spell that is dropped here begins again before this event, not after it.
        if version.is_some() {
            self.version = version;
        }
        Ok(())
    }
}

/// An answer in time.
async fn answered<T>(asked: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(Trouble::from),
        Err(_) => Err(Trouble::timed_out(ANSWER.as_secs_f64())),
    }
}
