//! Each check against the health scenes: when it holds, by which words, and when it must not.

mod backup;
mod schedule;

use jiff::{SignedDuration, Timestamp};

use super::{Check, Proof};
use crate::domain::cluster::{Fenced, Hibernation, Job, Lease, Target};
use crate::domain::health::scene::{Scene, ago, name, now};
use crate::domain::names::ClusterKey;
use crate::domain::sample::{InstanceStatus, SilenceKind};

fn since() -> Timestamp {
    ago(10)
}

fn asked(check: &Check, change: impl FnOnce(&mut Scene)) -> Proof {
    let mut scene = Scene::healthy();
    change(&mut scene);
    check.judge(&scene.facts(), &scene.cluster.key, since())
}

fn yes(check: &Check, change: impl FnOnce(&mut Scene)) -> Vec<String> {
    match asked(check, change) {
        Proof::Yes(evidence) => evidence,
        other => panic!("{check:?}: {other:?}"),
    }
}

fn not_yet(check: &Check, change: impl FnOnce(&mut Scene)) -> String {
    match asked(check, change) {
        Proof::NotYet(missing) => missing,
        other => panic!("{check:?}: {other:?}"),
    }
}

fn leads(n: u32) -> Check {
    Check::Leads { instance: name(n) }
}

#[test]
fn who_leads_is_told_by_three() {
    assert_eq!(
        yes(&leads(1), |_| {}),
        [
            "cluster status: pg-1 is primary and target",
            "SQL on pg-1: not in recovery, timeline 2",
            "Lease/pg: held by pg-1",
            "endpoints of pg-rw lead to pg-1",
        ]
    );
    assert_eq!(not_yet(&leads(2), |_| {}), "cluster status: the primary is pg-1");
}

#[test]
fn the_phase_proves_nothing_and_each_witness_can_say_no() {
    let silent = not_yet(&leads(1), |s| s.silent(1, SilenceKind::TimedOut));
    assert_eq!(silent, "SQL on pg-1: as the test wants it");
    let recovering = not_yet(&leads(1), |s| s.leads().in_recovery = true);
    assert_eq!(recovering, "SQL on pg-1: in recovery, timeline 2");
    assert_eq!(
        not_yet(&leads(1), |s| s.cluster.target = Some(Target::Pending)),
        "cluster status: the target is pending"
    );
    let flaps = not_yet(&leads(1), |s| s.cluster.target = Some(Target::Instance(name(3))));
    assert_eq!(flaps, "cluster status: the target is pg-3");
    let nowhere = not_yet(&leads(1), |s| s.cluster.services[0].leads_to = Some(vec![]));
    assert_eq!(nowhere, "endpoints of pg-rw lead nowhere");
    let elsewhere = not_yet(&leads(1), |s| s.cluster.services[0].leads_to = Some(vec![name(2)]));
    assert_eq!(elsewhere, "endpoints of pg-rw lead to pg-2");
    let two = not_yet(&leads(1), |s| s.says(3).in_recovery = false);
    assert_eq!(two, "two say they are primary: SQL on pg-3: not in recovery, timeline 2");
}

#[test]
fn a_lease_counts_when_it_is_alive() {
    let lease = |renewed| Lease {
        holder: Some(name(2)),
        duration_s: 15,
        acquired: None,
        renewed: Some(renewed),
        transitions: None,
    };
    assert_eq!(not_yet(&leads(1), |s| s.cluster.lease = Some(lease(ago(1)))), "Lease/pg: held by pg-2");
    // One that an older operator left behind speaks against nobody.
    yes(&leads(1), |s| s.cluster.lease = Some(lease(ago(9000))));
}

#[test]
fn only_what_was_heard_since_counts() {
    let scene = Scene::healthy();
    let judge = |since| leads(1).judge(&scene.facts(), &scene.cluster.key, since);
    assert!(matches!(judge(ago(3)), Proof::Yes(_)));
    // The watch was proven 2 s ago, SQL was asked 1 s ago.
    assert_eq!(judge(ago(2)), Proof::NotYet("the watch of clusters has not been heard since the step began".into()));
    let old = asked(&leads(1), |s| s.sampled = SignedDuration::from_secs(11));
    assert_eq!(old, Proof::NotYet("pg-1 has not answered since the step began".into()));
}

#[test]
fn another_leads_on_a_later_timeline() {
    let check = |after| Check::AnotherLeads { than: name(2), after };
    yes(&check(Some(1)), |_| {});
    yes(&check(None), |_| {});
    assert_eq!(not_yet(&check(Some(2)), |_| {}), "pg-1 leads and still tells timeline 2");
    let late = yes(&check(Some(2)), |s| s.cluster.timeline = Some(3));
    assert_eq!(late.last().unwrap(), "cluster status: timeline 3");
    let same = Check::AnotherLeads { than: name(1), after: None };
    assert_eq!(not_yet(&same, |_| {}), "cluster status: pg-1 is still named primary");
}

#[test]
fn a_cluster_that_is_gone_proves_nothing_ever() {
    let scene = Scene::healthy();
    let mut facts = scene.facts();
    facts.absorb(crate::domain::facts::Fact::ClusterGone(scene.cluster.key.clone()));
    let judge = |since| leads(1).judge(&facts, &scene.cluster.key, since);
    assert_eq!(judge(since()), Proof::Never("there is no cluster db/pg any more".into()));
    assert_eq!(judge(now()), Proof::NotYet("nothing has been heard of db/pg".into()));
}

const FULLY: Check = Check::FullyRedundant { instances: 3 };

#[test]
fn fully_redundant_by_pods_streams_and_promise() {
    assert_eq!(
        yes(&FULLY, |_| {}),
        [
            "pods pg-1, pg-2, pg-3 are ready",
            "SQL on pg-1: not in recovery, timeline 2",
            "pg_stat_replication on pg-1: pg-2 is streaming; pg_stat_wal_receiver on pg-2: streaming, timeline 2",
            "pg_stat_replication on pg-1: pg-3 is streaming; pg_stat_wal_receiver on pg-3: streaming, timeline 2",
            "pg_stat_replication on pg-1: 2 of 1 needed confirm commits: pg-2, pg-3",
        ]
    );
    let vanished = not_yet(&FULLY, |s| s.leads().standbys.truncate(1));
    assert_eq!(vanished, "pg_stat_replication on pg-1: pg-3 is not there");
    let other = not_yet(&FULLY, |s| {
        s.says(2).receiver.as_mut().unwrap().timeline = Some(1);
    });
    assert_eq!(other, "pg-2 follows timeline 1, pg-1 writes 2");
    let unconfirmed = not_yet(&FULLY, |s| s.leads().standbys.iter_mut().for_each(|r| r.sync = None));
    assert_eq!(unconfirmed, "pg_stat_replication on pg-1: 0 of 1 needed confirm commits");
    assert_eq!(not_yet(&Check::FullyRedundant { instances: 2 }, |_| {}), "3 of 2 instances have a pod");
    assert_eq!(not_yet(&FULLY, |s| s.cluster.ready = Some(2)), "cluster status: 2 of 3 instances are ready");
    let leaving = not_yet(&FULLY, |s| {
        std::sync::Arc::make_mut(s.cluster.instances[2].pod.as_mut().unwrap()).deleting = Some(now());
    });
    assert_eq!(leaving, "pod pg-3 is being deleted");
}

/// What `/pg/status` says where nothing is asked by SQL.
fn by_status(s: &mut Scene) {
    s.sql.clear();
    for n in 1..=3 {
        let primary = n == 1;
        let status = InstanceStatus {
            is_primary: Some(primary),
            // A healthy standby keeps its old one until its next restartpoint.
            timeline: Some(if primary { 2 } else { 1 }),
            receiver_active: Some(!primary),
            standbys: primary.then(|| Scene::healthy().leads().standbys.clone()),
            ..InstanceStatus::default()
        };
        s.status.insert(name(n), Ok(status));
    }
}

#[test]
fn a_standbys_old_time_line_id_is_no_witness() {
    let evidence = yes(&FULLY, by_status);
    assert_eq!(evidence[1], "/pg/status of pg-1: primary, timeline 2");
    assert_eq!(evidence[2], "/pg/status of pg-1: pg-2 is streaming; /pg/status of pg-2: its WAL receiver runs");
    let stopped = not_yet(&FULLY, |s| {
        by_status(s);
        s.status.get_mut(&name(3)).unwrap().as_mut().unwrap().receiver_active = Some(false);
    });
    assert_eq!(stopped, "/pg/status of pg-3: its WAL receiver does not run");
}

#[test]
fn pods_are_known_by_their_identity() {
    let uid = |n: u32| format!("uid-{n}");
    let gone = |uid: String| Check::PodGone { instance: name(3), uid };
    let replaced = |uid: String| Check::PodReplaced { instance: name(3), uid };
    assert_eq!(not_yet(&gone(uid(3)), |_| {}), "pod pg-3 is still there");
    assert_eq!(yes(&gone("old".into()), |_| {}), ["pod pg-3 is another one than before"]);
    assert_eq!(yes(&gone(uid(3)), |s| s.cluster.instances[2].pod = None), ["pod pg-3 is gone"]);
    assert_eq!(not_yet(&replaced("old".into()), |s| s.cluster.instances[2].pod = None), "pg-3 has no pod");
    let evidence = yes(&replaced("old".into()), |_| {});
    assert_eq!(evidence[1], "pod pg-3 is ready on node3");
    assert_eq!(evidence.len(), 4, "{evidence:?}");
    // Ready, and not streaming: the kubelet's word is not enough.
    let idle = not_yet(&replaced("old".into()), |s| s.leads().standbys.truncate(1));
    assert_eq!(idle, "pg_stat_replication on pg-1: pg-3 is not there");
}

#[test]
fn a_restart_is_told_by_the_server() {
    let check = Check::RestartedSince { instance: name(1), since: ago(500) };
    assert!(not_yet(&check, |s| s.leads().started = Some(ago(500))).starts_with("SQL on pg-1: PostgreSQL started"));
    let evidence = yes(&check, |s| s.leads().started = Some(ago(5)));
    assert_eq!(evidence[0], "SQL on pg-1: PostgreSQL started 2026-11-21T11:59:55Z");
    // Without SQL, a container that started later tells, and an older one does not deny.
    assert_eq!(not_yet(&check, by_status), "pod pg-1: its container started 2026-11-20T12:06:40Z");
    yes(&check, |s| {
        by_status(s);
        std::sync::Arc::make_mut(s.cluster.instances[0].pod.as_mut().unwrap()).started = Some(ago(20));
    });
}

#[test]
fn settled_is_told_by_every_instance() {
    assert_eq!(yes(&Check::Settled, by_status).len(), 3);
    assert_eq!(not_yet(&Check::Settled, |_| {}), "SQL on pg-1 does not say what it is");
    let waits = not_yet(&Check::Settled, |s| {
        by_status(s);
        s.status.get_mut(&name(2)).unwrap().as_mut().unwrap().pending_restart = true;
    });
    assert_eq!(waits, "/pg/status of pg-2: waits for a restart");
}

#[test]
fn requests_are_read_from_the_object() {
    let check = Check::Requested { annotation: "cnpg.io/reloadedAt".into(), value: "b".into() };
    assert_eq!(not_yet(&check, |_| {}), "cluster annotation: no cnpg.io/reloadedAt");
    let put = |value: &str| {
        let value = value.to_owned();
        move |s: &mut Scene| drop(s.cluster.requests.insert("cnpg.io/reloadedAt".into(), value))
    };
    assert_eq!(not_yet(&check, put("a")), "cluster annotation: cnpg.io/reloadedAt is a");
    yes(&check, put("b"));
}

#[test]
fn fenced_is_the_annotation_and_a_server_that_is_down() {
    let two = Check::Fenced { instances: vec!["pg-2".into()] };
    assert_eq!(not_yet(&two, |_| {}), "cluster annotation: nobody is fenced");
    let fence = |s: &mut Scene| s.cluster.fenced = Fenced::Some([name(2)].into());
    assert_eq!(not_yet(&two, fence), "SQL on pg-2: PostgreSQL answers");
    let evidence = yes(&two, |s| {
        fence(s);
        s.silent(2, SilenceKind::Unreachable);
    });
    assert_eq!(evidence, ["cluster annotation: pg-2 fenced", "SQL on pg-2: as the test wants it"]);
    // A time-out may be anything.
    not_yet(&two, |s| {
        fence(s);
        s.silent(2, SilenceKind::TimedOut);
    });
    let by_manager = yes(&two, |s| {
        fence(s);
        by_status(s);
        s.status.get_mut(&name(2)).unwrap().as_mut().unwrap().might_be_unavailable = Some(String::new());
    });
    assert_eq!(by_manager[1], "/pg/status of pg-2: PostgreSQL is down");
    let nobody = Check::Fenced { instances: vec![] };
    assert_eq!(yes(&nobody, |_| {}).len(), 4);
    assert_eq!(not_yet(&nobody, |s| s.silent(3, SilenceKind::Unreachable)), "SQL on pg-3: as the test wants it");
    let all = Check::Fenced { instances: vec!["*".into()] };
    assert_eq!(not_yet(&all, fence), "cluster annotation: pg-2 fenced");
}

#[test]
fn hibernated_without_a_pod_and_awake_with_all() {
    let (asleep, awake) = (Check::Hibernated(true), Check::Hibernated(false));
    assert_eq!(not_yet(&asleep, |_| {}), "3 pods are left, pg-1 among them");
    let no_pods = |s: &mut Scene| s.cluster.instances.iter_mut().for_each(|i| i.pod = None);
    assert_eq!(not_yet(&asleep, no_pods), "cluster condition: not yet hibernated");
    yes(&asleep, |s| {
        no_pods(s);
        s.cluster.hibernation = Some(Hibernation::Hibernated);
    });
    assert_eq!(yes(&awake, |_| {})[0], "3 of 3 pods are ready");
    assert_eq!(not_yet(&awake, no_pods), "0 of 3 instances have a pod");
    let still = not_yet(&awake, |s| s.cluster.hibernation = Some(Hibernation::Going));
    assert_eq!(still, "cluster condition: still hibernated");
}

#[test]
fn windows_nodes_and_zones() {
    let open = |s: &mut Scene| s.cluster.maintenance = true;
    yes(&Check::Maintenance(true), open);
    assert_eq!(not_yet(&Check::Maintenance(false), open), "cluster spec: the maintenance window is open");
    let cordoned = Check::Cordoned { node: "node2".into(), yes: true };
    assert_eq!(not_yet(&cordoned, |_| {}), "node node2: still takes pods");
    yes(&cordoned, |s| s.nodes[1].unschedulable = true);
    let left = Check::ZoneLeft { zone: "z2".into() };
    assert_eq!(not_yet(&left, |_| {}), "pod pg-2 is ready in z2");
    yes(&left, |s| {
        std::sync::Arc::make_mut(s.cluster.instances[1].pod.as_mut().unwrap()).ready = false;
    });
    assert_eq!(not_yet(&left, |s| s.cluster.instances[1].zone = None), "the zone of pg-2 is not known");
}

#[test]
fn a_heartbeat_beats() {
    use crate::domain::heartbeat::{Beat, Pulse};
    let scene = Scene::healthy();
    let judge = |pulse: Option<Pulse>, more| {
        let mut facts = scene.facts();
        if let Some(pulse) = pulse {
            facts.absorb(crate::domain::facts::Fact::Heartbeat(scene.cluster.key.clone(), pulse.into()));
        }
        Check::Beats(more).judge(&facts, &scene.cluster.key, since())
    };
    assert_eq!(judge(None, 1), Proof::NotYet("no heartbeat is heard".into()));
    let mut pulse = Pulse { since: ago(60), at: ago(8), acknowledged: 900, ..Pulse::default() };
    pulse.slices = vec![Beat::Acknowledged; 500];
    // Ten seconds ago the step began, eight seconds ago this was said: twenty slices count, whatever was before.
    assert!(matches!(judge(Some(pulse.clone()), 20), Proof::Yes(_)));
    assert!(matches!(judge(Some(pulse.clone()), 21), Proof::NotYet(_)));
    pulse.slices[499] = Beat::Refused;
    assert!(matches!(judge(Some(pulse.clone()), 20), Proof::NotYet(_)));
    pulse.since = ago(9);
    assert!(matches!(judge(Some(pulse), 900), Proof::Yes(_)), "all of them are of this step");
}

#[test]
fn all_of_these_tells_what_is_missing_first() {
    let both = Check::All(vec![leads(1), Check::Maintenance(true)]);
    assert_eq!(not_yet(&both, |_| {}), "cluster spec: the maintenance window is closed");
    assert_eq!(yes(&both, |s| s.cluster.maintenance = true).len(), 5);
}

fn job(failed: u32, done: bool, trouble: Option<&str>) -> Job {
    Job {
        name: "pg-1-full-recovery".into(),
        uid: "u".into(),
        instance: Some(name(1)),
        role: "full-recovery".into(),
        failed,
        done,
        trouble: trouble.map(str::to_owned),
        created: Some(ago(60)),
        ..Job::default()
    }
}

#[test]
fn a_recovery_is_told_by_its_job() {
    let with = |job: Job| move |s: &mut Scene| s.cluster.jobs = vec![job];
    let runs = not_yet(&Check::Recovered, with(job(0, false, None)));
    assert_eq!(runs, "Job/pg-1-full-recovery runs");
    let fails = not_yet(&Check::Recovered, with(job(2, false, Some("exit code 1"))));
    assert_eq!(fails, "Job/pg-1-full-recovery is tried again, 2 attempts failed: exit code 1");
    let over = Job { gave_up: true, ..job(7, false, Some("Job has reached the specified backoff limit")) };
    let gave_up = asked(&Check::Recovered, with(over));
    assert!(matches!(&gave_up, Proof::Never(why) if why.contains("was given up, 7 attempts failed")), "{gave_up:?}");
    let done = yes(&Check::Recovered, with(job(2, true, None)));
    assert_eq!(done[1], "Job/pg-1-full-recovery has ended well, after 2 attempts that failed");
    let cleared = yes(&Check::Recovered, |_| {});
    assert_eq!(cleared[1], "Pod/pg-1 is made of it, and no recovery job is left");
    let nothing = not_yet(&Check::Recovered, |s| s.cluster.instances.clear());
    assert!(nothing.starts_with("cluster status: "), "{nothing}");
}

#[test]
fn another_cluster_is_asked_of() {
    let scene = Scene::healthy();
    let facts = scene.facts();
    let (known, new) = (&scene.cluster.key, ClusterKey::new("aks", "pg", "new"));
    let other = ClusterKey::new("aks", "pg", "plan");
    assert!(
        matches!(Check::There.of(known).judge(&facts, &other, since()), Proof::Yes(_)),
        "whatever became of the plan's"
    );
    let coming = Check::There.of(&new).judge(&facts, known, since());
    assert!(matches!(&coming, Proof::NotYet(_)), "{coming:?}");
    let lead = Check::LeadsOn { after: Some(1) };
    assert!(yes(&lead, |_| {}).contains(&"SQL on pg-1: not in recovery, timeline 2".to_owned()));
    let same = not_yet(&Check::LeadsOn { after: Some(2) }, |_| {});
    assert_eq!(same, "pg-1 leads and still tells timeline 2");
    let both = Check::All(vec![Check::There.of(&new), lead]);
    assert_eq!(both.others(), [&new]);
}
