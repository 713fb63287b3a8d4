//! Plans of every act on the health scenes, and the writes beside what CNPG's own plugin was recorded to send.

mod backup;
mod refused;
mod schedule;
mod writes;

use super::{Act, Chosen, View, Wish, admit, plan, protect};
use crate::domain::cluster::{Fenced, Hibernation, Job, Volume, VolumePurpose};
use crate::domain::health::Limits;
use crate::domain::health::scene::{Scene, name, now};
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::order::Order;
use crate::procedure::plan::{Gate, Plan, Weight};
use serde_json::json;

fn wish(act: Act, because: Option<&str>) -> Wish {
    Wish { cluster: Scene::healthy().cluster.key, act, because: because.map(str::to_owned) }
}

fn made(act: Act, change: impl FnOnce(&mut Scene)) -> Result<Plan, Problem> {
    let mut scene = Scene::healthy();
    change(&mut scene);
    let facts = scene.facts();
    plan(&wish(act, None), View { facts: &facts, history: None, limits: &Limits::default(), now: now() })
}

/// A plan that may begin as it is.
fn good(act: Act, change: impl FnOnce(&mut Scene)) -> Plan {
    let plan = made(act, change).unwrap();
    admit(&plan).unwrap_or_else(|p| panic!("{p}\n{:#?}", plan.findings));
    plan
}

fn switch(to: Option<u32>) -> Act {
    Act::Switchover { to: to.map(name) }
}

fn restart(n: u32) -> Act {
    Act::Restart { instance: Some(name(n)) }
}

fn fence(all: &[u32]) -> Act {
    Act::Fence { instances: Chosen::These(all.iter().map(|n| name(*n)).collect()) }
}

fn unfence(all: &[u32]) -> Act {
    Act::Unfence { instances: Chosen::These(all.iter().map(|n| name(*n)).collect()) }
}

/// The request of a step: method, path and body.
fn request(plan: &Plan, step: usize) -> (String, String, serde_json::Value) {
    let request = plan.steps[step].order.as_ref().unwrap().request();
    let path = request.path.trim_end_matches("?fieldManager=howdah").to_owned();
    (request.method, path, request.body.unwrap_or_default())
}

#[test]
fn a_switchover_to_the_best() {
    let plan = good(switch(None), |s| s.leads().standbys[0].replay = "0/4FFFF00".parse().ok());
    assert_eq!(plan.title, "switch over from pg-1 to pg-3", "pg-2 is behind");
    assert_eq!((plan.kind, plan.weight()), (Kind::Switchover, Weight::Good));
    let order: Vec<_> = plan.candidates.iter().map(|c| (c.instance.as_str(), c.lag, c.timeline)).collect();
    assert_eq!(order, [("pg-3", Some(0), Some(2)), ("pg-2", Some(0x200), Some(2))]);
    assert_eq!(plan.premise.values["/status/currentPrimary"], "pg-1");
    assert_eq!(plan.premise.values["/status/targetPrimary"], "pg-1");
    assert_eq!(plan.steps[0].gate, Gate::Approve);
    let Some(Check::All(proofs)) = &plan.steps[0].check else { panic!("{:?}", plan.steps[0].check) };
    assert_eq!(proofs[1], Check::AnotherLeads { than: name(1), after: Some(2) });
    assert_eq!(plan.steps[1].check, Some(Check::FullyRedundant { instances: 3 }));
    let quorum = plan.findings.iter().find(|f| f.about == "quorum").unwrap();
    assert!(quorum.text.starts_with("R 2 + W 1 > N 2"), "{}", quorum.text);
    assert_eq!(plan.mistake(), None);
}

#[test]
fn a_standby_restarts_by_its_pod_and_the_primary_where_it_is() {
    let plan = good(restart(2), |_| {});
    let (method, path, body) = request(&plan, 0);
    assert_eq!((method.as_str(), path.as_str()), ("DELETE", "/api/v1/namespaces/db/pods/pg-2"));
    assert_eq!(body["preconditions"]["uid"], "uid-2");
    assert_eq!(plan.steps[0].check, Some(Check::PodReplaced { instance: name(2), uid: "uid-2".into() }));

    let plan = good(restart(1), |s| s.leads().started = Some(crate::domain::health::scene::ago(500)));
    let (method, path, body) = request(&plan, 0);
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("PATCH", "/apis/postgresql.cnpg.io/v1/namespaces/db/clusters/pg/status")
    );
    assert_eq!(body["status"]["phase"], "Primary instance is being restarted in-place");
    assert!(!plan.steps[0].order.as_ref().unwrap().harmless_again(), "a second one would restart it twice");
    let since = crate::domain::health::scene::ago(500);
    let Some(Check::All(proofs)) = &plan.steps[0].check else { panic!() };
    assert_eq!(proofs[0], Check::RestartedSince { instance: name(1), since }, "by the server's own clock");
}

#[test]
fn the_whole_cluster_restarts_by_annotation() {
    let plan = good(Act::Restart { instance: None }, |_| {});
    let (_, path, body) = request(&plan, 0);
    assert_eq!(path, "/apis/postgresql.cnpg.io/v1/namespaces/db/clusters/pg");
    let expected = json!({"kubectl.kubernetes.io/restartedAt": "2026-11-21T12:00:00Z"});
    assert_eq!(body["metadata"]["annotations"], expected);
    let Some(Check::All(proofs)) = &plan.steps[0].check else { panic!() };
    assert_eq!(proofs.len(), 4);
    assert_eq!(plan.steps[0].within.as_mins(), 30);
    let supervised = made(Act::Restart { instance: None }, |s| s.cluster.primary_update.supervised = true).unwrap();
    assert_eq!(supervised.weight(), Weight::Justify);
}

#[test]
fn a_reload_is_a_request_that_everybody_heeds() {
    let plan = good(Act::Reload, |_| {});
    let (_, _, body) = request(&plan, 0);
    let value = "2026-11-21T12:00:00.000000Z";
    assert_eq!(body["metadata"]["annotations"]["cnpg.io/reloadedAt"], value);
    let asked = Check::Requested { annotation: "cnpg.io/reloadedAt".into(), value: value.into() };
    assert_eq!(plan.steps[0].check, Some(Check::All(vec![asked, Check::Settled])));
}

#[test]
fn fencing_is_merged_and_taken_back() {
    let plan = good(fence(&[2]), |_| {});
    assert_eq!(request(&plan, 0).2, json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": "[\"pg-2\"]"}}}));
    assert_eq!(
        (&plan.steps[0].gate, &plan.steps[0].check),
        (&Gate::Approve, &Some(Check::Fenced { instances: vec!["pg-2".into()] }))
    );
    let Some(Order::Patch(undo)) = &plan.steps[0].undo else { panic!() };
    assert_eq!(undo.body, json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": null}}}));
    // Somebody else fenced pg-3 before it is sent: both stay.
    let Some(Order::Patch(patch)) = &plan.steps[0].order else { panic!() };
    let there = json!({"metadata": {"resourceVersion": "9", "annotations": {"cnpg.io/fencedInstances": "[\"pg-3\"]"}}});
    let sent = patch.filled(&there, now());
    assert_eq!(sent["metadata"]["annotations"]["cnpg.io/fencedInstances"], "[\"pg-2\",\"pg-3\"]");
    assert_eq!(sent["metadata"]["resourceVersion"], "9");
    // And the undo takes back what this one did, not what was there before.
    let both = json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": "[\"pg-2\",\"pg-3\"]"}}});
    assert_eq!(undo.filled(&both, now())["metadata"]["annotations"]["cnpg.io/fencedInstances"], "[\"pg-3\"]");
}

#[test]
fn the_primary_is_fenced_by_typing_the_name() {
    let plan = made(fence(&[1]), |_| {}).unwrap();
    assert_eq!(plan.weight(), Weight::Justify);
    assert_eq!(plan.steps[0].gate, Gate::TypeName("pg".into()));
    let all = made(Act::Fence { instances: Chosen::All }, |_| {}).unwrap();
    assert_eq!(all.steps[0].gate, Gate::TypeName("pg".into()));
    assert_eq!(request(&all, 0).2["metadata"]["annotations"]["cnpg.io/fencedInstances"], "[\"*\"]");
}

#[test]
fn unfencing_the_last_takes_the_annotation_away() {
    let two = |s: &mut Scene| s.cluster.fenced = Fenced::Some([name(2)].into());
    let plan = good(unfence(&[2]), two);
    assert_eq!(request(&plan, 0).2, json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": null}}}));
    let expected = vec![Check::Fenced { instances: vec![] }, Check::Serves { instance: name(2) }];
    assert_eq!(plan.steps[0].check, Some(Check::All(expected)));
    let both = |s: &mut Scene| s.cluster.fenced = Fenced::Some([name(2), name(3)].into());
    let plan = good(unfence(&[2]), both);
    assert_eq!(request(&plan, 0).2["metadata"]["annotations"]["cnpg.io/fencedInstances"], "[\"pg-3\"]");
    assert_eq!(made(unfence(&[2]), |_| {}).unwrap_err().exit.code(), 1, "nobody is fenced");
    let all = |s: &mut Scene| s.cluster.fenced = Fenced::All;
    let alone = made(unfence(&[2]), all).unwrap_err();
    assert!(alone.try_this.unwrap().contains("--all"));
}

#[test]
fn asleep_and_awake() {
    let plan = good(Act::Hibernate, |_| {});
    assert_eq!(plan.steps[0].gate, Gate::TypeName("pg".into()));
    assert_eq!(request(&plan, 0).2["metadata"]["annotations"]["cnpg.io/hibernation"], "on");
    assert_eq!(
        plan.steps[0].undo.as_ref().unwrap().request().body.unwrap()["metadata"]["annotations"]["cnpg.io/hibernation"],
        "off"
    );
    let asleep = |s: &mut Scene| {
        s.cluster.hibernation = Some(Hibernation::Hibernated);
        s.cluster.instances.iter_mut().for_each(|i| i.pod = None);
        s.cluster.volumes = (1..=3).map(|n| volume(n, &format!("pg-{n}")).into()).collect();
    };
    let plan = good(Act::Wake, asleep);
    assert_eq!(request(&plan, 0).2["metadata"]["annotations"]["cnpg.io/hibernation"], "off");
    assert_eq!(plan.steps[0].check, Some(Check::Hibernated(false)));
    assert_eq!(plan.premise.values["/metadata/annotations/cnpg.io~1hibernation"], "on");
    assert_eq!(made(Act::Wake, |_| {}).unwrap_err().exit.code(), 1);
    assert_eq!(made(Act::Hibernate, asleep).unwrap_err().exit.code(), 1);
}

fn volume(n: u32, name: &str) -> Volume {
    Volume {
        name: name.into(),
        uid: format!("pvc-{name}"),
        instance: Some(super::tests::name(n)),
        purpose: if name.ends_with("wal") { VolumePurpose::Wal } else { VolumePurpose::Data },
        requested: Some(20 << 30),
        capacity: None,
        phase: "Bound".into(),
        class: None,
        dangling: false,
        zone: None,
    }
}

fn with_volumes(version: &'static str) -> impl Fn(&mut Scene) {
    move |s| {
        s.cluster.operator_version = Some(version.into());
        s.cluster.volumes = vec![volume(2, "pg-2").into(), volume(3, "pg-3").into(), volume(3, "pg-3-wal").into()];
        let job = |name: &str| Job {
            name: name.into(),
            uid: format!("job-{name}"),
            role: "join".into(),
            done: true,
            ..Job::default()
        };
        s.cluster.jobs = vec![job("pg-3-join"), job("pg-2-join")];
    }
}

#[test]
fn a_rebuild_by_annotation_or_piece_by_piece() {
    let rebuild = || Act::Rebuild { instance: name(3) };
    let plan = good(rebuild(), with_volumes("1.30.0"));
    let (method, path, body) = request(&plan, 0);
    assert_eq!((method.as_str(), path.as_str()), ("PATCH", "/api/v1/namespaces/db/pods/pg-3"));
    assert_eq!(body, json!({"metadata": {"uid": "uid-3", "annotations": {"alpha.cnpg.io/unrecoverable": "true"}}}));
    assert_eq!(plan.steps[0].gate, Gate::TypeName("pg".into()));
    assert_eq!(plan.steps[0].within.as_secs(), 600 + 20 * 1024 / 20, "the data at 20 MiB a second");

    let plan = good(rebuild(), with_volumes("1.27.1"));
    let all: Vec<_> = (0..plan.steps.len() - 1).map(|n| request(&plan, n)).collect();
    let paths: Vec<_> = all
        .iter()
        .map(|(m, p, b)| {
            format!("{m} {} {}", p.rsplit('/').next().unwrap(), b["preconditions"]["uid"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        paths,
        ["DELETE pg-3 pvc-pg-3", "DELETE pg-3-wal pvc-pg-3-wal", "DELETE pg-3-join job-pg-3-join", "DELETE pg-3 uid-3"]
    );
    assert_eq!(all[2].2["propagationPolicy"], "Background");
    assert_eq!(plan.mistake(), None);
    assert!(plan.steps[1..].iter().all(|s| s.gate == Gate::None && s.needs.len() == 1));
}

#[test]
fn scaling_up_and_down() {
    let plan = good(Act::Scale { instances: 4 }, |_| {});
    assert_eq!(request(&plan, 0).2, json!({"spec": {"instances": 4}}));
    assert_eq!(plan.steps[0].gate, Gate::Approve);
    assert_eq!(plan.steps[0].undo.as_ref().unwrap().request().body.unwrap(), json!({"spec": {"instances": 3}}));
    assert_eq!(plan.premise.values["/spec/instances"], 3);
    let plan = good(Act::Scale { instances: 2 }, |_| {});
    assert_eq!(plan.steps[0].gate, Gate::TypeName("pg".into()));
    let goes = plan.findings.iter().find(|f| f.about == "goes").unwrap();
    assert!(goes.text.starts_with("pg-3, with its data"), "{}", goes.text);
    // The highest number leads: the next one goes.
    let plan = made(Act::Scale { instances: 2 }, |s| {
        s.cluster.primary = Some(name(3));
        s.leads().in_recovery = true;
        s.says(3).in_recovery = false;
    })
    .unwrap();
    assert!(plan.findings.iter().any(|f| f.about == "goes" && f.text.starts_with("pg-2")));
    assert_eq!(made(Act::Scale { instances: 3 }, |_| {}).unwrap_err().exit.code(), 1);
    assert_eq!(made(Act::Scale { instances: 0 }, |_| {}).unwrap_err().exit.code(), 3);
}

#[test]
fn a_window_is_opened_and_closed() {
    let window = |open, reuse_volumes| Act::Maintenance { open, reuse_volumes };
    let plan = good(window(true, None), |_| {});
    assert_eq!(request(&plan, 0).2, json!({"spec": {"nodeMaintenanceWindow": {"inProgress": true, "reusePVC": true}}}));
    assert_eq!(plan.steps[0].check, Some(Check::Maintenance(true)));
    assert_eq!(
        plan.steps[0].undo.as_ref().unwrap().request().body.unwrap()["spec"]["nodeMaintenanceWindow"]["inProgress"],
        false
    );
    assert_eq!(made(window(false, None), |_| {}).unwrap_err().exit.code(), 1);
    assert_eq!(made(window(true, Some(false)), |_| {}).unwrap().weight(), Weight::Justify);
    good(window(false, None), |s| s.cluster.maintenance = true);
}

#[test]
fn a_protected_cluster_asks_for_its_name() {
    let mut plan = good(switch(None), |_| {});
    protect(&mut plan);
    assert_eq!(plan.steps[0].gate, Gate::TypeName("pg".into()));
    assert_eq!(plan.steps[1].gate, Gate::None, "what only waits asks nothing");
}
