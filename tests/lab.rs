//! The whole lab, with real PostgreSQL, looked at with kubectl and psql only.
//!
//! Each story is a lab of its own. Where the machine has no PostgreSQL or no kubectl, it says so and is skipped.

mod support;

#[path = "lab/kubectl.rs"]
mod kubectl;
#[path = "lab/recorded.rs"]
mod recorded;
#[path = "lab/recorder.rs"]
mod recorder;
#[path = "lab/scene.rs"]
mod scene;

use recorded::{Differences, common, read, told_once};
use recorder::Timed;
use scene::Scene;

const CREATE: &str = include_str!("fixtures/lab/create.tsv");
const FAILOVER: &str = include_str!("fixtures/lab/failover.tsv");
const FAILOVER_B: &str = include_str!("fixtures/lab/failover-b.tsv");
const SWITCHOVER: &str = include_str!("fixtures/lab/switchover.tsv");
const FENCING: &str = include_str!("fixtures/lab/fencing.tsv");
const HIBERNATION: &str = include_str!("fixtures/lab/hibernation.tsv");

fn told(lab: &[Timed]) -> String {
    lab.iter().map(|(at, c)| format!("{at}\t{}\t{}\t{}\n", c.kind, c.object, c.what)).collect()
}

#[test]
fn failover_and_switchover() {
    let Some(scene) = Scene::open(&["--load", "20"]) else { return };
    scene.three_ready_in_three_zones();
    let (old, system, pid) = (scene.primary(), scene.system_id("pg-primary-2"), scene.postmasters());
    scene.until("the load writes", || (scene.acknowledged() > 20).then_some(()));

    let recorder = scene.record();
    let start = recorder.now();
    let before = scene.acknowledged();
    scene.kubectl.ok(&["-n", scene::NS, "delete", "pod", &old, "--grace-period=1", "--wait=false"]);
    let new = scene.until("another instance leads", || Some(scene.primary()).filter(|p| *p != old && !p.is_empty()));
    scene.until_healthy();
    let third = scene.instances().into_iter().find(|i| *i != old && *i != new).unwrap();
    let story = recorder.changes(start, &[(&old, "old"), (&new, "new"), (&third, "third"), ("pg-primary", "cluster")]);

    assert_eq!(scene.timeline(), 2, "one promotion, one timeline");
    assert_eq!(scene.system_id(&new), system, "the promoted server is the same cluster");
    assert_eq!(scene.postmasters().get(&new), pid.get(&new), "the promoted server kept its process");
    assert_eq!(scene.service_leads_to(), new);
    scene.until("the load writes on", || (scene.acknowledged() > before + 20).then_some(()));
    scene.nothing_acknowledged_is_lost();
    scene.until("both standbys stream", || (scene.streaming() == 2).then_some(()));
    let wanted = common(&read(FAILOVER), &read(FAILOVER_B));
    assert_eq!(wanted.len(), 633, "pairs that the recordings have in common");
    let mut differences = Differences::default();
    differences.order("failover", &story, &wanted);
    differences.values("failover", &story, FAILOVER, &[]);
    eprintln!("failover\n{}", told(&story));

    let recorder = scene.record();
    let start = recorder.now();
    scene.promote(&old);
    scene.until("the first one leads again", || (scene.primary() == old).then_some(()));
    scene.until_healthy();
    let story = recorder.changes(start, &[(&new, "old"), (&old, "new"), (&third, "third"), ("pg-primary", "cluster")]);
    assert_eq!(scene.timeline(), 3);
    assert_eq!(scene.service_leads_to(), old);
    scene.nothing_acknowledged_is_lost();
    differences.values("switchover", &story, SWITCHOVER, &[]);
    eprintln!("switchover\n{}", told(&story));
    differences.order("switchover", &story, &told_once(&read(SWITCHOVER)));

    scene.the_api_alone_can_stop();
    scene.close();
    differences.none();
}

#[test]
fn fencing_hibernation_scaling_and_crashes() {
    let Some(scene) = Scene::open(&[]) else { return };
    let story = scene.creation();
    eprintln!("creation\n{}", told(&story));
    let mut differences = Differences::default();
    // The watches begin a moment after the cluster: its first Job's pod may be running already, and what it went through
    // before is not told.
    differences.values("creation", &story, CREATE, &["Pod one-initdb"]);
    let mut wanted = told_once(&read(CREATE));
    wanted.retain(|(first, second)| [first, second].iter().all(|step| !step.0.object.starts_with("one-initdb")));
    differences.order("creation", &story, &wanted);

    // Fencing: PostgreSQL is down, and of the Cluster nothing but the annotation tells.
    let recorder = scene.record();
    let start = recorder.now();
    let standby = "pg-primary-2";
    scene.fence(Some(standby));
    scene.until("the fenced instance is silent", || {
        scene.status(standby)["mightBeUnavailable"].as_bool().filter(|b| *b)
    });
    assert!(!scene.answers(standby), "PostgreSQL of a fenced instance is down");
    scene.fence(None);
    scene.until("it answers again", || scene.answers(standby).then_some(()));
    scene.until("it streams again", || (scene.streaming() == 2).then_some(()));
    let story = recorder.changes(start, &[("pg-primary", "cluster"), ("pg-primary-2", "demo-2")]);
    let story: Vec<Timed> = story
        .into_iter()
        .map(|(at, mut c)| {
            c.what = c.what.replace("pg-primary-2", "demo-2");
            (at, c)
        })
        .collect();
    differences.values("fencing", &story, FENCING, &[]);
    let others: Vec<&Timed> = story.iter().filter(|(_, c)| c.field() != "fenced").collect();
    assert!(others.is_empty(), "fencing changes nothing else: {others:?}");

    scene.a_deleted_standby_comes_back("pg-primary-3");
    scene.a_killed_postmaster_restarts_its_container();
    scene.scales_down_and_up();

    let recorder = scene.record();
    let start = recorder.now();
    scene.hibernate(true);
    scene.until("it is hibernated", || scene.hibernated().then_some(()));
    assert_eq!(scene.pods(), 0);
    scene.hibernate(false);
    scene.until_healthy();
    let primary = scene.primary();
    let mut rest = scene.instances().into_iter().filter(|i| *i != primary);
    let (two, three) = (rest.next().unwrap(), rest.next().unwrap());
    let names =
        [(primary.as_str(), "one"), (two.as_str(), "two"), (three.as_str(), "three"), ("pg-primary", "cluster")];
    let story = recorder.changes(start, &names);
    // Recorded after a switchover, from which the third one had a restart.
    differences.values("hibernation", &story, HIBERNATION, &["Pod three restarts", "Cluster cluster ready"]);
    differences.count("hibernation", &story, HIBERNATION, ["Cluster", "cluster", "ready"]);
    differences.order("hibernation", &story, &told_once(&read(HIBERNATION)));
    eprintln!("hibernation\n{}", told(&story));
    scene.close();
    differences.none();
}

#[test]
fn each_line_of_kubectl_answers_as_on_a_real_cluster() {
    let Some(scene) = Scene::open(&[]) else { return };
    scene.reads_as_on_a_real_cluster();
    scene.changes_as_on_a_real_cluster();
    scene.follows_as_on_a_real_cluster();
    scene.obeys_the_plugins_writes();
    scene.drains_the_primarys_node();
    scene.settings_that_need_a_restart_arrive_everywhere();
    scene.a_deleted_cluster_leaves_nothing();
    scene.close();
}
