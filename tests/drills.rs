//! Drills on a living lab: as a person would say them, killed in the middle, and with a loss that was planted.
//!
//! What is true afterwards is asked with kubectl and psql, never of howdah alone.

mod support;

use serde_json::Value;
use std::process::{Child, Output, Stdio};
use support::site::{CLUSTER, NS, Site, told};

fn start() -> Option<Site> {
    let site = Site::start(&["--load", "20"])?;
    site.until_healthy();
    Some(site)
}

/// A value from the primary.
fn sql(site: &Site, sql: &str) -> String {
    site.psql_in("app", &site.primary(), sql).unwrap_or_else(|| panic!("{sql} was not answered"))
}

fn uid(site: &Site, pod: &str) -> String {
    site.get(&["pod", pod])["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}\n{}", told(out)))
}

#[test]
fn drills_on_a_living_lab() {
    let Some(site) = start() else { return };
    refused_unless_said(&site);
    a_failover_there_and_back(&site);
    killed_in_the_middle(&site);
    a_standby_is_lost(&site);
    a_switchover(&site);
    a_zone_is_lost(&site);
    rows_that_nobody_else_had_are_told_as_lost(&site);
    the_drills_are_listed(&site);
}

/// Nobody is at a terminal and nobody said yes: nothing happens.
fn refused_unless_said(site: &Site) {
    let target = || site.cluster()["status"]["targetPrimary"].clone();
    let pods = || site.kubectl.ok(&["get", "pods", "-n", NS, "-o", "jsonpath={.items[*].metadata.uid}"]);
    let there = (pods(), target());
    for flags in [&["drill", "failover", CLUSTER][..], &["--read-only", "drill", "failover", CLUSTER]] {
        let out = site.run(flags);
        assert_eq!(out.status.code(), Some(3), "{}", told(&out));
    }
    assert_eq!((pods(), target()), there);
    assert_eq!(target(), site.primary());
    let plan = site.run(&["drill", "failover", CLUSTER, "--plan"]);
    let text = told(&plan);
    assert_eq!(plan.status.code(), Some(0), "{text}");
    assert!(text.contains("DELETE /api/v1/namespaces/cnpg-database/pods/"), "{text}");
    assert!(text.contains("--grace-period=1"), "{text}");
    assert_eq!(site.left_behind(), "");
}

fn a_failover_there_and_back(site: &Site) {
    let (first, line) = (site.primary(), site.timeline());
    let out = site.run(&["drill", "failover", CLUSTER, "--yes", "--back", "--rto", "60s", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    assert_eq!(r["leader"][0], first.as_str());
    assert_ne!(r["leader"][1], r["leader"][0], "{r:#}");
    for span in r["spans"].as_array().unwrap() {
        assert!(span["ms"].as_i64().is_some_and(|ms| ms >= 0), "{span:#}\n{:#}", r["marks"]);
    }
    let (rto, tally) = (r["rto_ms"].as_i64().unwrap(), &r["tally"]);
    assert!(rto > 100, "a killed primary was hardly noticed: {rto} ms");
    assert!(tally["acknowledged"].as_u64().unwrap() > 200, "{tally:#}");
    assert_eq!((tally["lost"].as_u64(), tally["duplicated"].as_u64()), (Some(0), Some(0)), "{tally:#}");
    assert!(tally["via"].as_str().is_some_and(|via| !via.is_empty()), "{tally:#}");
    // The first one leads again, two timelines later, and nothing is left in the database.
    assert_eq!(site.primary(), first);
    assert_eq!(site.timeline(), line + 2);
    assert_eq!(site.left_behind(), "");
    site.until_healthy();
}

/// The blow has fallen, and howdah is gone. Taken up again the run ends in order, and nothing is done twice.
fn killed_in_the_middle(site: &Site) {
    let first = site.primary();
    let pod = uid(site, &first);
    let before: Vec<String> = site.journals().into_iter().map(|(run, _)| run).collect();
    let mut drill = site.howdah(&["drill", "failover", CLUSTER, "--yes"]);
    let mut drill = drill.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let new = || site.journals().into_iter().find(|(run, _)| !before.contains(run));
    let said = |kind: &str| {
        let entries = new().map(|(_, entries)| entries).unwrap_or_default();
        entries.iter().filter(|e| e["what"][kind]["step"] == "strike").count()
    };
    let struck = || (said("accepted") == 1).then_some(());
    site.until("the blow is in the journal", struck);
    kill(&mut drill);
    let run = site.run(&["runs", "list", "-o", "json"]);
    let runs: Value = serde_json::from_slice(&run.stdout).unwrap();
    let id = runs[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(runs[0]["state"], "interrupted", "{runs:#}");
    let out = site.run(&["runs", "resume", &id, "--yes", "-o", "json"]);
    let r = report(&out);
    // Nobody measured while howdah was gone, so whether the objective was met is not known: that is not a pass.
    assert_eq!((out.status.code(), &r["outcome"]), (Some(1), &Value::from("failed")), "{}", told(&out));
    assert!(!r["tally"]["unmeasured"].as_array().unwrap().is_empty(), "{r:#}");
    assert_eq!(r["tally"]["lost"], 0, "{r:#}");
    for step in ["strike", "first-write", "redundant", "settled"] {
        let state = r["steps"].as_array().unwrap().iter().find(|s| s["step"] == step).map(|s| s["state"].clone());
        assert_eq!(state, Some("done".into()), "{step}\n{}", told(&out));
    }
    // One pod was deleted, once: the one that stands there now is its successor, and the primary moved once.
    assert_eq!(said("began"), 1, "{:#?}", new());
    assert_ne!(uid(site, &first), pod);
    assert_ne!(site.primary(), first);
    assert_eq!(site.left_behind(), "");
    // A run that is over has nothing to be taken up.
    let again = site.run(&["runs", "resume", &id, "--yes", "-o", "json"]);
    assert_eq!(report(&again)["ended"], r["ended"]);
    site.until_healthy();
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Writes go on, and nobody else leads.
fn a_standby_is_lost(site: &Site) {
    let first = site.primary();
    let out = site.run(&["drill", "standby-loss", CLUSTER, "--yes", "--rto", "60s", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    assert_eq!((r["rpo"].as_u64(), site.primary()), (Some(0), first));
    assert_eq!(site.left_behind(), "");
    site.until_healthy();
}

fn a_switchover(site: &Site) {
    let (first, line) = (site.primary(), site.timeline());
    let out = site.run(&["drill", "switchover", CLUSTER, "--yes", "--rto", "60s", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    let new = site.primary();
    assert_eq!(r["leader"], serde_json::json!([first, new]));
    assert_eq!(site.timeline(), line + 1);
    let in_recovery = |pod: &str| site.psql(pod, "select pg_is_in_recovery()");
    assert_eq!((in_recovery(&new).as_deref(), in_recovery(&first).as_deref()), (Some("f"), Some("t")));
    assert!(r["tally"]["acknowledged"].as_u64().unwrap() > 100, "{r:#}");
    assert_eq!((&r["tally"]["lost"], &r["tally"]["duplicated"]), (&Value::from(0), &Value::from(0)), "{r:#}");
    assert_eq!(site.left_behind(), "");
    site.until_healthy();
}

/// The lab really takes the zone: Kubernetes hears no more of its node, and it is given back before the end.
fn a_zone_is_lost(site: &Site) {
    let first = site.primary();
    let node = site.get(&["pod", &first])["spec"]["nodeName"].as_str().unwrap().to_owned();
    let ready = || {
        let node = site.get(&["node", &node]);
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().find(|c| c["type"] == "Ready").map(|c| c["status"].clone())
    };
    let started = || site.psql(&first, "select pg_postmaster_start_time()").unwrap();
    let before = started();
    let mut drill = site.howdah(&["drill", "zone-loss", CLUSTER, "--yes", "--rto", "120s", "-o", "json"]);
    let drill = drill.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    site.until("the zone's node is silent", || (ready() == Some("Unknown".into())).then_some(()));
    let out = drill.wait_with_output().unwrap();
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    assert_eq!(r["leader"], serde_json::json!([first, site.primary()]));
    assert_ne!(site.primary(), first);
    assert_eq!((&r["tally"]["lost"], &r["tally"]["duplicated"]), (&Value::from(0), &Value::from(0)), "{r:#}");
    assert_eq!((ready(), site.get(&["faults"])["items"].clone()), (Some("True".into()), serde_json::json!([])));
    assert_eq!(site.psql(&first, "select pg_is_in_recovery()").as_deref(), Some("t"), "it has rejoined");
    assert_ne!(started(), before, "its PostgreSQL was dead");
    assert_eq!(site.left_behind(), "");
    site.until_healthy();
}

/// A loss that was planted: commits that wait for no standby, links to all standbys cut, no way into the archive, and the
/// primary killed. What the drill then tells is held against what psql finds.
fn rows_that_nobody_else_had_are_told_as_lost(site: &Site) {
    site.until_streaming();
    let (first, standbys) = (site.primary(), site.standbys());
    let line = ["drill", "failover", CLUSTER, "--yes", "--commit", "local", "--writers", "1", "--readers", "0"];
    let mut drill = site.howdah(&[&line[..], &["--every", "200ms", "--keep", "-o", "json"]].concat());
    let drill = drill.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let table = site.until("the heartbeat's table is on a standby", || {
        let sql = "select relname from pg_class where relkind = 'r' and relname like 'howdah_drill%'";
        site.psql_in("app", &standbys[0], sql).filter(|name| !name.is_empty())
    });
    let number = |pod: &str, sql: &str| site.psql_in("app", pod, sql).and_then(|n| n.parse::<u64>().ok());
    let count = format!("select count(*) from {table}");
    let rows = |pod: &str| number(pod, &count).unwrap_or_default();
    // It strikes after fifty writes, ten seconds from its first one.
    site.until("the first rows are on every standby", || standbys.iter().all(|s| rows(s) >= 5).then_some(()));
    for standby in &standbys {
        let to = format!("to={first}");
        let cut = ["lab", "fault", "start", "link-cut", "--instance", standby];
        site.ok(&[&cut[..], &["--set", &to, "--set", "how=refuse"]].concat());
    }
    site.ok(&["lab", "fault", "start", "archive-failing", "--set", "retrySeconds=0"]);
    let kept: Vec<u64> = standbys.iter().map(|standby| rows(standby)).collect();
    let most = *kept.iter().max().unwrap();
    let planted = site.until("twenty rows that only the primary has", || {
        let there = rows(&first);
        (there >= most + 20).then_some(there - most)
    });
    site.until("another leads", || (site.primary() != first).then_some(()));
    site.ok(&["lab", "fault", "stop", "--all"]);
    let out = drill.wait_with_output().unwrap();
    let r = report(&out);
    eprintln!("{planted} rows and more were planted, standbys kept {kept:?}: {:#}", r["tally"]);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(1), &Value::from("failed")), "{}", told(&out));

    let new = site.primary();
    assert_eq!(r["leader"], serde_json::json!([first, new]));
    let tally = |name: &str| r["tally"][name].as_u64().unwrap();
    let lost = tally("lost");
    // The last of the planted rows may not have been acknowledged before the blow; those between the look and it were.
    assert!(lost >= planted - 1 && r["rpo"] == lost, "{planted} were planted: {r:#}");
    let objective = r["objectives"].as_array().unwrap().iter().find(|o| o["name"] == "RPO").unwrap();
    assert_eq!(objective["met"], false);
    // Each number is written once and in order, so what is missing can be seen in the table itself.
    let left = rows(&new);
    assert_eq!(tally("acknowledged") - lost, left - tally("unknown_there"), "{r:#}");
    let missing = format!(
        "select string_agg('0/' || g, ',' order by g) from generate_series(1, (select max(n) from {table})) g \
         where not exists (select from {table} where n = g)"
    );
    let missing = sql(site, &missing);
    let missing: Vec<&str> = missing.split(',').collect();
    let names: Vec<&str> = r["tally"]["lost_names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len() as u64, lost);
    assert!(names.iter().all(|name| missing.contains(name)), "{names:?} {missing:?}");
    // What else is missing was never acknowledged.
    assert!(missing.len() as u64 <= lost + tally("unknown_gone") + tally("refused"), "{missing:?} {r:#}");
    assert_eq!(tally("duplicated"), 0);
    sql(site, &format!("drop table {table}"));
    site.until_healthy();
}

fn the_drills_are_listed(site: &Site) {
    let out = site.run(&["drill", "list", CLUSTER, "-o", "json"]);
    let listed: Value = serde_json::from_slice(&out.stdout).unwrap();
    let drills: Vec<&str> =
        listed[0]["drills"].as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(
        drills,
        [
            "failover-drill",
            "failover-drill",
            "standby-loss-drill",
            "switchover-drill",
            "zone-loss-drill",
            "failover-drill"
        ],
        "{listed:#}"
    );
    let run = listed[0]["drills"][0]["run"].as_str().unwrap().to_owned();
    let md = told(&site.run(&["runs", "show", &run, "-o", "md"]));
    for part in ["## Phases", "client-seen outage (RTO)", "## Writes", "## Steps", "delete the pod of", "PostgreSQL"] {
        assert!(md.to_lowercase().contains(&part.to_lowercase()), "{part}\n{md}");
    }
}
