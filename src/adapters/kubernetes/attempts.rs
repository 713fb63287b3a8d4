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
        all.push(Failed { created: part.pod.created, attempt });
        all.sort_by_key(|f| f.created);
        for (n, failed) in all.iter_mut().enumerate() {
            failed.attempt.number = failed.attempt.number.max(u32::try_from(n + 1).unwrap_or(u32::MAX));
        }
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
