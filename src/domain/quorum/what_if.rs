//! If a zone were lost now: who would lead, and what could be lost.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

use super::{Basis, Leader, Promise, Quorum, Risk, ServiceAfter, UsualTime, WhatIf};
use crate::domain::cluster::{Cluster, Instance};
use crate::domain::facts::Facts;
use crate::domain::health::Limits;
use crate::domain::health::evidence::{Answer, Evidence, Voice};
use crate::domain::lsn::Lsn;
use crate::domain::names::{InstanceName, ZoneName};
use crate::domain::source::Witness;

/// What would happen if every node of `zone` were lost at `now`. What can't be told stays unknown.
pub fn if_zone_lost(facts: &Facts, cluster: &Cluster, zone: &ZoneName, now: Timestamp) -> WhatIf {
    let limits = Limits::default();
    let evidence = Evidence::new(facts, cluster, None, &limits, now);
    let mut asked = Asked { e: &evidence, zone, basis: Vec::new() };
    let (leader, promise, risk) = asked.answer();
    let moves = matches!(leader, Leader::Candidate(_));
    WhatIf {
        zone: zone.clone(),
        lost: asked.lost().map(|i| i.name.clone()).collect(),
        leader,
        promise,
        risk,
        services: services(cluster, &asked.lost().map(|i| &i.name).collect()),
        // Kubernetes gives a node 40 s of silence before its pods count as gone; then comes the promotion.
        usual: moves.then(|| UsualTime {
            from: SignedDuration::from_secs(40),
            to: SignedDuration::from_secs(60),
            of: "node loss".into(),
        }),
        basis: asked.basis,
    }
}

struct Asked<'a> {
    e: &'a Evidence<'a>,
    zone: &'a ZoneName,
    basis: Vec<Basis>,
}

/// One that could be promoted: how far it has received, and who says so.
struct Candidate<'a> {
    name: &'a InstanceName,
    safe: Option<Lsn>,
    witness: Witness,
    at: Timestamp,
}

impl<'a> Asked<'a> {
    fn lost(&self) -> impl Iterator<Item = &'a Instance> {
        let (cluster, zone) = (self.e.cluster, self.zone);
        cluster.instances.iter().filter(move |i| i.zone.as_ref() == Some(zone))
    }

    fn says(&mut self, statement: String, witness: Witness, seen: Timestamp) {
        self.basis.push(Basis { statement, witness, seen });
    }

    fn unknown(why: impl Into<String>) -> (Leader, Promise, Risk) {
        let why = why.into();
        (Leader::Unknown(why.clone()), Promise::Unknown(why.clone()), Risk::Unknown(why))
    }

    fn answer(&mut self) -> (Leader, Promise, Risk) {
        let e = self.e;
        if e.hibernating() {
            return Self::unknown("it is hibernated: nothing runs");
        }
        if e.age(e.proven) > e.limits.watch_stale {
            return Self::unknown("the watches are silent: where its pods are now is not known");
        }
        let Some(primary) = e.primary() else { return Self::unknown("no primary answers") };
        let (witness, seen) = primary.source();
        self.says(format!("{} is primary", primary.name), witness, seen);
        let Some(home) = e.cluster.instance(primary.name).and_then(|i| i.zone.as_ref()) else {
            return Self::unknown(format!("the zone of {} is not known", primary.name));
        };
        self.says(format!("{} is in {home}", primary.name), Witness::Pod(primary.name.clone()), e.proven);
        if home != self.zone {
            return self.stays(&primary);
        }
        if let Some(lost) = e.serving().find(|i| i.zone.is_none()) {
            return Self::unknown(format!("the zone of {} is not known", lost.name));
        }
        self.falls(&primary)
    }

    /// The primary goes on. In the required form commits may then wait.
    fn stays(&mut self, primary: &Answer) -> (Leader, Promise, Risk) {
        let lost: BTreeSet<&InstanceName> = self.lost().map(|i| &i.name).collect();
        if let Ok(Some(rule)) = self.rule(primary) {
            let left = rule.names.iter().filter(|n| !lost.contains(n)).count();
            if left < rule.w as usize && !rule.preferred {
                let text = format!("commits would wait: {left} of {} standbys left to confirm", rule.w);
                self.says(text, rule.witness, rule.at);
            }
        }
        (Leader::Stays(primary.name.clone()), Promise::NotNeeded, Risk::None)
    }

    /// The primary goes.
    fn falls(&mut self, primary: &Answer) -> (Leader, Promise, Risk) {
        let candidates = self.candidates(primary);
        let left = self.e.cluster.instances.iter().any(|i| i.pod.is_some() && i.zone.as_ref() != Some(self.zone));
        let Some(best) = candidates.iter().max_by(|a, b| (a.safe, b.name).cmp(&(b.safe, a.name))) else {
            if left {
                return Self::unknown("no standby outside that zone answers");
            }
            return (Leader::Nobody, Promise::Unknown("no instance would be left".into()), Risk::All);
        };
        for c in &candidates {
            let far = c.safe.map_or("an unknown position".into(), |l| l.to_string());
            self.says(format!("{} answers and has received {far}", c.name), c.witness.clone(), c.at);
        }
        let (promise, names) = self.promise(primary, &candidates);
        let holds = matches!(promise, Promise::Quorum(q) if q.holds());
        let leader = if self.e.cluster.sync.failover_quorum && names && !holds {
            let text = format!("the operator asks for a quorum first: it would not promote {}", best.name);
            self.says(text, Witness::ClusterObject, self.e.proven);
            Leader::Nobody
        } else {
            Leader::Candidate(best.name.clone())
        };
        let risk = if holds { Risk::None } else { self.risk(primary, best) };
        (leader, promise, risk)
    }

    /// Standbys outside the zone that answer. The operator promotes the one that has received most; of equals, the first
    /// by name.
    fn candidates(&self, primary: &Answer) -> Vec<Candidate<'a>> {
        let e = self.e;
        e.serving()
            .filter(|i| i.zone.as_ref() != Some(self.zone) && i.name != *primary.name)
            .filter_map(|i| {
                let Voice::Serves(a) = e.voice(&i.name) else { return None };
                let (witness, at) = a.source();
                Some(Candidate { name: &i.name, safe: a.received(), witness, at })
            })
            .collect()
    }

    /// R, W and N; and whether a rule is in force at all.
    fn promise(&mut self, primary: &Answer, candidates: &[Candidate]) -> (Promise, bool) {
        let rule = match self.rule(primary) {
            Err(why) => return (Promise::Unknown(why), false),
            Ok(None) => return (Promise::None, false),
            Ok(Some(rule)) => rule,
        };
        let r = candidates.iter().filter(|c| rule.names.contains(c.name)).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let w = if rule.preferred { 0 } else { rule.w };
        let quorum = Quorum { r: count(r), w, n: count(rule.n) };
        let text = format!("{} of {} named standbys confirm each commit", rule.w, rule.n);
        self.says(text, rule.witness, rule.at);
        if rule.preferred {
            let text = "durability is preferred, not required: commits go on without a standby, so W counts as 0";
            self.says(text.into(), Witness::ClusterObject, self.e.proven);
        }
        (Promise::Quorum(quorum), true)
    }

    /// The rule in force: the running server's, else the operator's record of it. `Ok(None)`: commits wait for nobody.
    fn rule(&self, primary: &Answer) -> Result<Option<Rule>, String> {
        let e = self.e;
        let preferred = e.cluster.sync.preferred;
        if let Some((sql, at)) = primary.sql {
            if matches!(sql.synchronous_commit.as_deref(), Some("off" | "local")) {
                return Ok(None);
            }
            match &sql.sync_rule {
                Some(Ok(None)) => return Ok(None),
                Some(Ok(Some(rule))) => {
                    let witness = Witness::Sql(primary.name.clone(), "synchronous_standby_names".into());
                    // Everybody, or names outside the cluster, could have confirmed too: they count in N. The primary
                    // itself may be named and can't confirm.
                    let star = rule.names.iter().any(|n| n == "*");
                    let standbys = e.cluster.instances.iter().map(|i| &i.name).filter(|n| *n != primary.name);
                    let names: BTreeSet<InstanceName> = standbys.filter(|n| rule.names(n.as_str())).cloned().collect();
                    let others = sql.standbys.iter().filter(|r| star && names.iter().all(|n| *n != *r.name)).count();
                    let foreign = rule.names.iter().filter(|n| *n != "*" && **n != *primary.name.as_str());
                    let foreign =
                        foreign.filter(|n| names.iter().all(|known| !known.as_str().eq_ignore_ascii_case(n))).count();
                    let n = names.len() + others + foreign;
                    return Ok(Some(Rule { w: rule.number, n, names, preferred, witness, at }));
                }
                Some(Err(why)) => return Err(why.clone()),
                None => {}
            }
        }
        if let Some(q) = e.cluster.quorum.as_ref().filter(|q| q.primary.as_ref() == Some(primary.name)) {
            let names: BTreeSet<InstanceName> = q.standbys.iter().filter(|n| *n != primary.name).cloned().collect();
            let witness = Witness::Object(format!("FailoverQuorum/{}", e.cluster.key.name));
            return Ok(Some(Rule { w: q.number, n: names.len(), names, preferred, witness, at: e.proven }));
        }
        if e.cluster.sync.number == 0 {
            return Ok(None);
        }
        Err("synchronous_standby_names can't be read without SQL".into())
    }

    fn risk(&mut self, primary: &Answer, best: &Candidate) -> Risk {
        let (Some(current), Some(safe)) = (primary.current(), best.safe) else {
            return Risk::Unknown("the positions are not known".into());
        };
        let (witness, at) = primary.source();
        self.says(format!("{} writes at {current}", primary.name), witness, at);
        Risk::UpTo { bytes: current.since(safe), primary: current, candidate: safe }
    }
}

/// A rule of synchronous commit, as far as the quorum is concerned.
struct Rule {
    w: u32,
    n: usize,
    names: BTreeSet<InstanceName>,
    preferred: bool,
    witness: Witness,
    at: Timestamp,
}

fn services(cluster: &Cluster, lost: &BTreeSet<&InstanceName>) -> Vec<ServiceAfter> {
    cluster
        .services
        .iter()
        .filter_map(|s| {
            let (loses, keeps) = s.leads_to.as_ref()?.iter().cloned().partition(|n| lost.contains(n));
            Some(ServiceAfter { name: s.name.clone(), loses, keeps })
        })
        .collect()
}
