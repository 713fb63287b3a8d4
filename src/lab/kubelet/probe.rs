//! Probes: what is asked, how often, and after how many answers a container counts as started, ready or alive.
//!
//! The order is Kubernetes': the startup probe alone until it holds once, then readiness and liveness side by side.
//! Until a probe first holds, the lab asks every second instead of every ten, since most of every real "until healthy" is only the
//! wait for the next probe. Afterwards the pod's own period counts, so that a failing instance is noticed as late as
//! in a real cluster.

use serde_json::Value;
use std::time::Duration;

/// Which question a probe answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Has the container come up?
    Startup,
    /// Should it get traffic?
    Readiness,
    /// Should it be restarted?
    Liveness,
}

impl Kind {
    /// The word used in events.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Startup => "Startup",
            Kind::Readiness => "Readiness",
            Kind::Liveness => "Liveness",
        }
    }

    fn field(self) -> &'static str {
        match self {
            Kind::Startup => "startupProbe",
            Kind::Readiness => "readinessProbe",
            Kind::Liveness => "livenessProbe",
        }
    }
}

/// How a container is asked: `httpGet` only, which is all that CNPG uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The question.
    pub kind: Kind,
    /// The path to get.
    pub path: String,
    /// The container's port.
    pub port: u16,
    /// How long one answer may take.
    pub timeout: Duration,
    /// Time between two questions once the probe has held.
    pub period: Duration,
    /// Failures in a row until the answer counts as no.
    pub failures: u32,
}

/// Time between two questions until a probe first holds.
pub const EAGER: Duration = Duration::from_secs(1);
/// Time before the first question: long enough that the operator, which looks each second, has seen the instance and
/// labelled it before it is ready, as in a real cluster.
pub const STARTUP_AFTER: Duration = Duration::from_millis(1300);
/// The same for the probes that follow the startup probe.
pub const OTHERS_AFTER: Duration = Duration::from_millis(100);

impl Probe {
    /// The probe of that kind in a container's spec.
    pub fn of(container: &Value, kind: Kind) -> Option<Self> {
        let spec = container.get(kind.field())?;
        let get = spec.get("httpGet")?;
        let number = |key: &str, default: u64| spec[key].as_u64().unwrap_or(default);
        Some(Probe {
            kind,
            path: get["path"].as_str().unwrap_or("/").to_owned(),
            port: get["port"].as_u64().and_then(|p| u16::try_from(p).ok())?,
            timeout: Duration::from_secs(number("timeoutSeconds", 1)),
            period: Duration::from_secs(number("periodSeconds", 10)),
            failures: u32::try_from(number("failureThreshold", 3)).unwrap_or(3),
        })
    }
}

/// What one probe has seen so far.
#[derive(Clone, Debug)]
pub struct Watchman {
    probe: Probe,
    asked: bool,
    held: bool,
    failed: u32,
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing new.
    Same,
    /// The probe holds from now on.
    Holds,
    /// It failed as often as it may.
    Fails,
}

impl Watchman {
    /// A probe that has not been asked yet.
    pub fn new(probe: Probe) -> Self {
        Watchman { probe, asked: false, held: false, failed: 0 }
    }

    /// The probe itself.
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Time until the next question.
    pub fn wait(&self) -> Duration {
        if !self.asked {
            return if self.probe.kind == Kind::Startup { STARTUP_AFTER } else { OTHERS_AFTER };
        }
        if self.held { self.probe.period } else { EAGER.min(self.probe.period) }
    }

    /// Failures in a row until the answer counts as no. Asking more often than the pod says must not shorten the time
    /// a container is given.
    fn limit(&self) -> u32 {
        let eager = if self.held { 1 } else { self.probe.period.as_secs() / EAGER.as_secs().max(1) };
        self.probe.failures.saturating_mul(u32::try_from(eager.max(1)).unwrap_or(u32::MAX))
    }

    /// Takes an answer in. Failures are counted in a row.
    pub fn answer(&mut self, ok: bool) -> Verdict {
        self.asked = true;
        if ok {
            self.failed = 0;
            if self.held {
                return Verdict::Same;
            }
            self.held = true;
            return Verdict::Holds;
        }
        self.failed += 1;
        if self.failed == self.limit() {
            self.held = false;
            return Verdict::Fails;
        }
        Verdict::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn readiness() -> Probe {
        let container = json!({"readinessProbe": {"httpGet": {"path": "/readyz", "port": 8000, "scheme": "HTTPS"},
                               "timeoutSeconds": 5, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}});
        Probe::of(&container, Kind::Readiness).unwrap()
    }

    #[test]
    fn asks_each_second_until_it_holds_and_then_as_the_pod_says() {
        let mut watchman = Watchman::new(readiness());
        assert_eq!(watchman.wait(), OTHERS_AFTER);
        assert_eq!(watchman.answer(false), Verdict::Same);
        assert_eq!(watchman.wait(), Duration::from_secs(1));
        assert_eq!(watchman.answer(true), Verdict::Holds);
        assert_eq!(watchman.wait(), Duration::from_secs(10));
        assert_eq!(watchman.answer(true), Verdict::Same);
    }

    #[test]
    fn three_failures_in_a_row_end_readiness_and_one_success_brings_it_back() {
        let mut watchman = Watchman::new(readiness());
        watchman.answer(true);
        assert_eq!(watchman.answer(false), Verdict::Same);
        assert_eq!(watchman.answer(true), Verdict::Same);
        assert_eq!([(); 3].map(|()| watchman.answer(false)), [Verdict::Same, Verdict::Same, Verdict::Fails]);
        assert_eq!(watchman.answer(true), Verdict::Holds);
    }

    #[test]
    fn a_container_is_given_the_time_that_its_pod_says_to_start() {
        let container = json!({"startupProbe": {"httpGet": {"path": "/startupz", "port": 8000}, "periodSeconds": 10, "failureThreshold": 3}});
        let mut watchman = Watchman::new(Probe::of(&container, Kind::Startup).unwrap());
        let failed = (1..).find(|_| watchman.answer(false) == Verdict::Fails);
        assert_eq!(failed, Some(30));
    }

    #[test]
    fn a_container_without_that_probe_has_none() {
        assert_eq!(Probe::of(&json!({"livenessProbe": {"exec": {}}}), Kind::Liveness), None);
        assert_eq!(Probe::of(&json!({}), Kind::Startup), None);
    }
}
