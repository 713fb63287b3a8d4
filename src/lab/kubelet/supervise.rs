//! One run of a container: its process, its probes, and its end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Kubelet;
use super::handle::Handle;
use super::probe::{Kind, Probe, Verdict, Watchman};
use super::program::Program;
use super::worker::SETTLED;
use crate::lab::instance::log::Log;
use crate::lab::instance::{Instance, Neighbours, Setup};
use crate::lab::object::{claims, label, name};
use crate::problem::Problem;

/// How often a container that needs the API looks whether it is there.
const LOOK: Duration = Duration::from_millis(500);

/// A container's main process.
pub struct Process {
    /// Its exit code, once it has ended.
    pub code: JoinHandle<i32>,
    /// SIGTERM.
    pub term: CancellationToken,
    /// SIGKILL.
    pub kill: CancellationToken,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever loses sight of a container must not leave it running.
        self.kill.cancel();
    }
}

/// What a probe has found.
#[derive(Debug)]
pub struct News {
    /// Which probe.
    pub kind: Kind,
    /// What follows.
    pub verdict: Verdict,
    /// Why it failed, for the Event.
    pub failure: Option<String>,
}

impl Kubelet {
    /// Starts the main process of a pod's container. `run` is a unique id of this run.
    pub(super) fn launch(self: &Arc<Self>, handle: &Arc<Handle>, pod: &Value, container: &Value, run: &str) -> Process {
        let (term, kill) = (CancellationToken::new(), CancellationToken::new());
        handle.set_kill(kill.clone());
        let book = handle.open_log(name_of(container));
        let log = Log::new(book.clone(), &handle.name);
        let program = Program::of(container);
        let (kubelet, handle, pod, session) = (Arc::clone(self), Arc::clone(handle), pod.clone(), run.to_owned());
        let (asked, killed) = (term.clone(), kill.clone());
        let code = tokio::spawn(async move {
            let code = match program {
                Program::Idle => tokio::select! { () = asked.cancelled() => 0, () = killed.cancelled() => 137 },
                _ => kubelet.work(program, &handle, &pod, session, log.clone(), (asked, killed)).await.unwrap_or_else(
                    |problem| {
                        log.error("Error while starting the instance", &problem.line());
                        1
                    },
                ),
            };
            handle.set_instance(None);
            book.close();
            code
        });
        Process { code, term, kill }
    }

    async fn work(
        self: Arc<Self>,
        program: Program,
        handle: &Arc<Handle>,
        pod: &Value,
        session: String,
        log: Log,
        (term, kill): (CancellationToken, CancellationToken),
    ) -> Result<i32, Problem> {
        // Nothing can be begun without knowing the cluster.
        while !self.reaches_api(&handle.place) {
            tokio::select! {
                () = term.cancelled() => return Ok(143),
                () = kill.cancelled() => return Ok(137),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        let setup = self.setup(handle, pod, log).await?;
        if program != Program::Instance {
            let job = async {
                match program {
                    Program::InitDb => setup.init().await,
                    Program::Restore => setup.restore().await,
                    _ => setup.join().await,
                }
            };
            return Ok(tokio::select! {
                () = term.cancelled() => 143,
                () = kill.cancelled() => 137,
                code = job => code,
            });
        }
        let instance = Instance::new(setup, session)?;
        handle.set_instance(Some(Arc::clone(&instance)));
        Ok(instance.run(term, kill).await)
    }

    async fn setup(self: &Arc<Self>, handle: &Arc<Handle>, pod: &Value, log: Log) -> Result<Setup, Problem> {
        let missing = |what: &str| Problem::new(format!("pod {} has no {what}", name(pod)));
        let cluster = label(pod, "cnpg.io/cluster").ok_or_else(|| missing("label cnpg.io/cluster"))?;
        let instance = label(pod, "cnpg.io/instanceName").ok_or_else(|| missing("label cnpg.io/instanceName"))?;
        let claim = claims(&pod["spec"]).next().ok_or_else(|| missing("volume"))?;
        let place = crate::lab::postgres::Place { name: instance.to_owned(), zone: handle.place.zone.clone() };
        let service = format!("{cluster}-rw");
        let upstream = self.roads.to_service(&handle.namespace, &service, place.clone(), true).await?;
        Ok(Setup {
            store: self.store.as_manager("instance-manager"),
            machine: Arc::clone(&self.machine),
            roads: self.roads.clone(),
            namespace: handle.namespace.clone(),
            cluster: cluster.to_owned(),
            instance: instance.to_owned(),
            volume: super::volume(&handle.namespace, claim),
            place,
            upstream,
            neighbours: Arc::downgrade(&(Arc::clone(self) as Arc<dyn Neighbours>)),
            log,
        })
    }

    /// Asks the probes of a container until the receiver is gone.
    pub(super) async fn probe(self: Arc<Self>, handle: Arc<Handle>, container: Value, news: mpsc::Sender<News>) {
        let watchman = |kind| Probe::of(&container, kind).map(Watchman::new);
        if let Some(startup) = watchman(Kind::Startup) {
            if !self.ask(&handle, startup, &news, true).await {
                return;
            }
        } else if !tell(&news, Kind::Startup, Verdict::Holds, None).await {
            return;
        }
        let readiness = async {
            match watchman(Kind::Readiness) {
                Some(readiness) => drop(self.ask(&handle, readiness, &news, false).await),
                None => drop(tell(&news, Kind::Readiness, Verdict::Holds, None).await),
            }
        };
        let liveness = async {
            if let Some(liveness) = watchman(Kind::Liveness) {
                self.ask(&handle, liveness, &news, false).await;
            }
        };
        tokio::join!(readiness, liveness);
    }

    /// Asks one probe again and again; `once` ends it when it holds. Whether somebody still listens.
    async fn ask(&self, handle: &Handle, mut watchman: Watchman, news: &mpsc::Sender<News>, once: bool) -> bool {
        loop {
            tokio::time::sleep(watchman.wait()).await;
            if once {
                // The operator has seen and labelled an instance before that counts as started.
                self.store.quiet(SETTLED).await;
            }
            let probe = watchman.probe().clone();
            let failure = self.asked(handle, &probe).await.err();
            let verdict = watchman.answer(failure.is_none());
            let worth = failure.is_some() || verdict != Verdict::Same;
            if worth && !tell(news, probe.kind, verdict, failure).await {
                return false;
            }
            if once && verdict == Verdict::Holds {
                return true;
            }
            if news.is_closed() {
                return false;
            }
        }
    }

    /// One question. The error is the text of the Event.
    async fn asked(&self, handle: &Handle, probe: &Probe) -> Result<(), String> {
        let url = format!("https://{}:{}{}", handle.ip, probe.port, probe.path);
        // The kubelet is on the pod's own node: no cut of the network comes between them.
        let answer = self.reach(&handle.place, handle, probe.port, &probe.path);
        match tokio::time::timeout(probe.timeout, answer).await {
            Ok(Ok(answer)) if (200..400).contains(&answer.code) => Ok(()),
            Ok(Ok(answer)) => Err(format!("HTTP probe failed with statuscode: {}", answer.code)),
            Ok(Err(why)) => Err(format!("Get \"{url}\": {why}")),
            Err(_) => Err(format!(
                "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            )),
        }
    }
}

async fn tell(news: &mpsc::Sender<News>, kind: Kind, verdict: Verdict, failure: Option<String>) -> bool {
    news.send(News { kind, verdict, failure }).await.is_ok()
}

fn name_of(container: &Value) -> &str {
    container["name"].as_str().unwrap_or_default()
}

/// Seconds a pod's processes have after SIGTERM: never less than two, as with a real kubelet.
pub fn grace(pod: &Value) -> Duration {
    let asked = pod["metadata"]["deletionGracePeriodSeconds"].as_u64();
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    Duration::from_secs(asked.unwrap_or(own).max(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn grace_is_what_the_deletion_says_but_never_under_two_seconds() {
        let pod = |asked: Value| json!({"metadata": {"deletionGracePeriodSeconds": asked}, "spec": {"terminationGracePeriodSeconds": 1800}});
        assert_eq!(grace(&pod(json!(1))), Duration::from_secs(2));
        assert_eq!(grace(&pod(json!(30))), Duration::from_secs(30));
        assert_eq!(grace(&pod(Value::Null)), Duration::from_secs(1800));
    }
}
