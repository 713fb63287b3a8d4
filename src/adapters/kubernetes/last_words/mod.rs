//! The last words of failed pods of jobs: each pod's log is read once, its end only, for clusters on screen.
//!
//! A recovery that fails is told by no object but its pod's exit code; why stands in its log. The log is read beside the
//! watches and handed to the gathering like what a watch says, so it becomes part of the picture.

mod telling;

pub use telling::Telling;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::attempts::LastWords;
use super::client::Clients;
use super::details::lines;
use super::gather::Pictures;
use super::probes::Focus;
use super::trouble::{Trouble, TroubleKind};
use super::watch::Said;
use crate::domain::cluster::{Attempt, Cluster, Job};

/// Lines of a log's end that are read, and the most bytes of them.
const TAIL: i64 = 200;
const BYTES: i64 = 1 << 20;
/// How long a log may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Logs read at once.
const AT_ONCE: usize = 4;
/// How often a log is asked for where the way to it fails, and the pause before the first new try.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// The reading of last words in one context.
pub struct Listener {
    /// The context's client.
    pub clients: Clients,
    /// Its clusters.
    pub pictures: watch::Receiver<Pictures>,
    /// What is on screen.
    pub focus: watch::Receiver<Focus>,
    /// To the gathering.
    pub said: mpsc::Sender<Said>,
}

impl Listener {
    /// Reads until dropped.
    pub async fn run(mut self) {
        let mut asked: HashSet<String> = HashSet::new();
        let mut readers = JoinSet::new();
        let room = std::sync::Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let pictures = self.pictures.borrow_and_update().clone();
            let focus = self.focus.borrow_and_update().clone();
            for cluster in focus.iter().filter_map(|key| pictures.get(key)) {
                for (job, attempt) in unheard(cluster) {
                    if !asked.insert(attempt.uid.clone()) {
                        continue;
                    }
                    let (clients, said, room) = (self.clients.clone(), self.said.clone(), room.clone());
                    let (cluster, job, attempt) = (cluster.clone(), job.name.clone(), attempt.clone());
                    readers.spawn(async move {
                        let _place = room.acquire().await;
                        let namespace = cluster.key.namespace.clone();
                        let words = words(&clients, &namespace, &attempt).await;
                        let last = LastWords { namespace, job, uid: attempt.uid, words };
                        // Nobody listens any more: the context is being let go.
                        let _ = said.send(Said::LastWords(last)).await;
                    });
                }
            }
            let changed = tokio::select! {
                changed = self.pictures.changed() => changed,
                changed = self.focus.changed() => changed,
                Some(_) = readers.join_next() => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

/// Jobs whose last failed attempt was not listened to.
fn unheard(cluster: &Cluster) -> impl Iterator<Item = (&Job, &Attempt)> {
    let open = cluster.jobs.iter().filter(|j| !j.done);
    open.filter_map(|j| Some((j, j.attempt.as_ref()?))).filter(|(_, a)| a.words.is_none())
}

async fn words(clients: &Clients, namespace: &str, attempt: &Attempt) -> Result<String, String> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match once(clients, namespace, attempt).await {
            Err(trouble) if trouble.is_way() => tokio::time::sleep(pause).await,
            told => return said(told),
        }
        pause *= 2;
    }
    said(once(clients, namespace, attempt).await)
}

fn said(told: Result<Option<String>, Trouble>) -> Result<String, String> {
    match told {
        Ok(Some(cause)) => Ok(cause),
        Ok(None) => Err("its log does not say why".into()),
        Err(t) if t.kind == TroubleKind::Missing => Err("its log is gone with its pod".into()),
        Err(t) if t.kind == TroubleKind::Forbidden => Err(format!("no right to read its log: {}", t.why)),
        Err(t) => Err(format!("its log can't be read: {}", t.why)),
    }
}

/// The cause that the end of the log tells.
async fn once(clients: &Clients, namespace: &str, attempt: &Attempt) -> Result<Option<String>, Trouble> {
    let read = async {
        let pods: Api<Pod> = Api::namespaced(clients.get().await.client, namespace);
        let params = LogParams {
            container: Some(attempt.container.clone()),
            tail_lines: Some(TAIL),
            limit_bytes: Some(BYTES),
            ..LogParams::default()
        };
        let stream = pods.log_stream(&attempt.pod, &params).await?;
        let mut lines = std::pin::pin!(lines(Box::pin(stream)));
        let mut telling = Telling::default();
        while let Some(line) = lines.next().await {
            telling.line(&line.map_err(|e| Trouble::new(TroubleKind::Unreachable, e.to_string()))?);
        }
        Ok(telling.cause())
    };
    timeout(ANSWER, read).await.unwrap_or_else(|_| Err(Trouble::timed_out(ANSWER.as_secs_f64())))
}
