//! Attempts of jobs that failed, and the last words of each. They are kept for as long as the job is: its pods may go
//! earlier, and a recovery that fails says so nowhere else.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::decode::Part;
use super::kinds::Kind;
use super::pods::PodPart;
use super::shelves::Id;
use crate::domain::cluster::{Attempt, Job};

/// Attempts kept of a job: the newest ones. A job gives up after some six.
const KEPT: usize = 8;
/// Jobs of which attempts are kept.
const JOBS: usize = 512;

/// What the failed pod of a job said before it ended, or why that is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct LastWords {
    /// The pod's namespace.
    pub namespace: Arc<str>,
    /// The job's name.
    pub job: String,
    /// The pod's identity.
    pub uid: String,
    /// Its words.
    pub words: Result<String, String>,
}

#[derive(Debug)]
struct Failed {
    created: Option<Timestamp>,
    attempt: Attempt,
}

/// Failed attempts, by the job's namespace and name.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    jobs: BTreeMap<(Arc<str>, Arc<str>), Vec<Failed>>,
}

impl Attempts {
    /// An object as it is now: a pod of a job that failed is remembered.
    pub fn seen(&mut self, kind: Kind, id: &Id, part: &Part) {
        if let (Kind::Pod, Some(pod)) = (kind, part.pod()) {
            self.failed(&id.0, pod);
        }
    }

    fn failed(&mut self, namespace: &Arc<str>, part: &PodPart) -> Option<()> {
        let (job, ended) = (part.job.clone()?, part.ended.as_ref()?);
        let key = (namespace.clone(), job);
        let known = self.jobs.get_mut(&key);
        let is_known = known.as_ref().is_some_and(|all| all.iter().any(|f| f.attempt.uid == part.pod.uid));
        // One that goes is the last word about a job that may be gone already.
        if is_known || part.pod.deleting.is_some() || (known.is_none() && self.jobs.len() >= JOBS) {
            return None;
        }
        let attempt = Attempt {
            number: 0,
            pod: part.pod.name.clone(),
            uid: part.pod.uid.clone(),
            container: ended.container.to_string(),
            ended: ended.at,
            how: part.pod.trouble.clone().unwrap_or_else(|| "it ended in error".into()),
            words: None,
        };
        let all = self.jobs.entry(key).or_default();
        // The oldest one kept may not be the first there was.
        let first = all.first().map_or(1, |f| f.attempt.number);
        all.push(Failed { created: part.pod.created, attempt });
        all.sort_by_key(|f| f.created);
        all.iter_mut().zip(first..).for_each(|(f, number)| f.attempt.number = number);
        if all.len() > KEPT {
            all.remove(0);
        }
        Some(())
    }

    /// An object is gone: with a job go its attempts.
    pub fn gone(&mut self, kind: Kind, id: &Id) {
        if kind == Kind::Job {
            self.jobs.remove(id);
        }
    }

    /// Takes last words in. `false`: nobody knows whose they are.
    pub fn told(&mut self, last: &LastWords) -> bool {
        let key = (last.namespace.clone(), last.job.as_str().into());
        let all = self.jobs.get_mut(&key).into_iter().flatten();
        let Some(failed) = all.map(|f| &mut f.attempt).find(|a| a.uid == last.uid) else { return false };
        failed.words = Some(last.words.clone());
        true
    }

    /// The attempt of a job that failed last. One from before the job was made is another's of that name.
    pub fn last(&self, namespace: &str, job: &Job) -> Option<Attempt> {
        let all = self.jobs.get(&(namespace.into(), job.name.as_str().into()))?;
        let own = |f: &&Failed| f.created >= job.created;
        let last = all.iter().rev().find(own)?;
        let others = all.iter().take_while(|f| !own(f)).count();
        let number = last.attempt.number.saturating_sub(u32::try_from(others).unwrap_or(0)).max(job.failed);
        Some(Attempt { number, ..last.attempt.clone() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::cnpg::picture;
    use super::super::objects::{ObjectEvent, World};
    use super::super::tests::world;
    use super::*;
    use crate::domain::names::ClusterKey;

    fn object(name: &str, second: u32, more: Value) -> Value {
        let mut object = json!({"metadata": {"name": name, "namespace": "db", "uid": format!("uid-{name}"),
            "creationTimestamp": format!("2026-11-21T10:00:{second:02}Z"), "labels": {"cnpg.io/cluster": "c"}}});
        json_patch::merge(&mut object, &more);
        object
    }

    fn job(second: u32, failed: u32) -> Value {
        let role = json!({"labels": {"cnpg.io/jobRole": "full-recovery"}});
        object("c-1-full-recovery", second, json!({"metadata": role, "status": {"failed": failed}}))
    }

    fn pod(n: u32, code: i64) -> Value {
        let ended = json!([{"name": "full-recovery", "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]);
        let of = json!({"labels": {"job-name": "c-1-full-recovery"}});
        object(&format!("p{n}"), n, json!({"metadata": of, "status": {"containerStatuses": ended}}))
    }

    fn of(world: &World) -> Job {
        picture(world, &ClusterKey::new("aks", "db", "c")).unwrap().jobs.remove(0)
    }

    fn made() -> World {
        let cluster = [json!({"metadata": {"name": "c", "namespace": "db"}})];
        world(&[(Kind::Cluster, &cluster), (Kind::Job, &[job(0, 0)]), (Kind::Pod, &[])])
    }

    #[test]
    fn attempts_are_counted_and_outlive_their_pods() {
        let mut w = made();
        assert_eq!((of(&w).failed, of(&w).trouble), (0, None));
        for n in 1..=12 {
            w.apply(ObjectEvent::Applied(Kind::Pod, &pod(n, 1)));
            w.apply(ObjectEvent::Deleted(Kind::Pod, &pod(n, 1)));
        }
        let told = LastWords {
            namespace: "db".into(),
            job: "c-1-full-recovery".into(),
            uid: "uid-p12".into(),
            words: Ok("no backup".into()),
        };
        assert!(!w.told(&told).is_empty());
        assert!(w.told(&LastWords { uid: "uid-p1".into(), ..told }).is_empty(), "it is long forgotten");
        let now = of(&w);
        assert_eq!((now.failed, now.trouble.as_deref()), (12, Some("attempt 12: no backup")));
        assert_eq!(
            now.attempt.map(|a| (a.number, a.pod, a.container)),
            Some((12, "p12".into(), "full-recovery".into()))
        );
    }

    #[test]
    fn a_good_end_and_another_job_of_that_name_have_none() {
        let mut w = made();
        w.apply(ObjectEvent::Applied(Kind::Pod, &pod(1, 0)));
        assert_eq!(of(&w).attempt, None, "it ended well");
        w.apply(ObjectEvent::Applied(Kind::Pod, &pod(2, 1)));
        w.apply(ObjectEvent::Applied(Kind::Job, &job(0, 3)));
        assert_eq!(of(&w).attempt.map(|a| a.number), Some(3), "the job counted those that are gone");
        w.apply(ObjectEvent::Applied(Kind::Job, &job(30, 0)));
        assert_eq!(of(&w).attempt, None, "made anew under its name");
        w.apply(ObjectEvent::Deleted(Kind::Job, &job(30, 0)));
        w.apply(ObjectEvent::Applied(Kind::Job, &job(0, 0)));
        assert_eq!(of(&w).attempt, None, "it went with its attempts");
    }
}
