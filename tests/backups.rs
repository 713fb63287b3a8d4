//! `howdah backups` on a lab: real WAL and a real base backup behind the Blob protocol, and what is missing is named.

mod support;

use serde_json::Value;
use support::site::{CLUSTER, Site};

/// Exit code and answer of `howdah backups …` as JSON; null where there is none.
fn backups(site: &Site, command: &str) -> (Option<i32>, Value) {
    let out = site.run(&["backups", command, CLUSTER, "-o", "json"]);
    (out.status.code(), serde_json::from_slice(&out.stdout).unwrap_or_default())
}

/// Starts a fault and gives what it says it did.
fn fault(site: &Site, kind: &str) -> String {
    site.ok(&["lab", "fault", "start", kind]);
    site.until(kind, || {
        let faults = site.get(&["faults"]);
        let items = faults["items"].as_array().cloned().unwrap_or_default();
        let done = items.iter().find(|f| f["spec"]["kind"] == kind && f["status"]["state"] == "Active");
        done.and_then(|f| f["status"]["message"].as_str().map(str::to_owned))
    })
}

fn calm(site: &Site) {
    site.ok(&["lab", "fault", "stop", "--all"]);
    site.until("a whole archive", || (backups(site, "check").0 == Some(0)).then_some(()));
}

/// The reasons that `howdah status` gives against bringing the cluster back: level, code, text, witness.
fn against(site: &Site) -> Vec<[String; 4]> {
    let out = site.run(&["status", CLUSTER, "-o", "json", "--timeout", "20s"]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    let reasons = report["clusters"][0]["recoverability"]["reasons"].as_array().cloned().unwrap_or_default();
    let text = |r: &Value, field: &str| r[field].as_str().unwrap_or_default().to_owned();
    reasons.iter().map(|r| ["level", "code", "text", "witness"].map(|field| text(r, field))).collect()
}

/// Waits until the verdict gives this reason, and shows what it gave instead.
fn until_told(site: &Site, level: &str, code: &str, words: &str) {
    let said =
        |r: &[String; 4]| r[0] == level && r[1] == code && r[2].contains(words) && r[3].starts_with("object store");
    site.until(&format!("{level} {code}: {words}"), || against(site).iter().any(said).then_some(()));
}

/// The segment that a message names first.
fn segment(message: &str) -> &str {
    let name = |w: &&str| w.len() == 24 && w.bytes().all(|b| b.is_ascii_hexdigit());
    message.split(|c: char| !c.is_ascii_alphanumeric()).find(name).unwrap_or_else(|| panic!("no segment in: {message}"))
}

#[test]
fn what_is_missing_is_named() {
    let Some(site) = Site::start(&["--load", "20"]) else { return };
    site.until("a backup in a whole archive", || (backups(&site, "check").0 == Some(0)).then_some(()));
    let (_, whole) = backups(&site, "check");
    assert_eq!((&whole["level"], &whole["windows"][0]["open"]), (&Value::from("ok"), &Value::from(true)), "{whole:#}");

    let gone = fault(&site, "wal-missing");
    let (code, report) = backups(&site, "check");
    assert_eq!(code, Some(1), "{report:#}");
    let gaps = report["gaps"].as_array().unwrap();
    assert_eq!((gaps.len(), gaps[0]["first"].as_str()), (1, Some(segment(&gone))), "{report:#}");
    assert!(report["windows"].as_array().unwrap().iter().all(|w| w["last_wal"].as_str() < Some(segment(&gone))));
    until_told(&site, "bad", "archive-gap", segment(&gone));
    calm(&site);
    site.until("the verdict has calmed down", || against(&site).iter().all(|r| r[1] != "archive-gap").then_some(()));

    let gone = fault(&site, "end-wal-missing");
    let (code, report) = backups(&site, "check");
    assert_eq!((code, &report["gaps"][0]["first"]), (Some(1), &Value::from(segment(&gone))), "{report:#}");
    let (code, listed) = backups(&site, "list");
    let newest = &listed["backups"][0];
    assert_eq!((code, &newest["restorable"]), (Some(0), &Value::from(false)), "{listed:#}");
    assert_eq!(newest["flags"][0]["kind"], "not-restorable", "{listed:#}");
    assert!(newest["flags"][0]["reason"].as_str().unwrap().contains("says completed"), "{listed:#}");
    site.until("a backup that can't be restored is told", || {
        let codes = ["nothing-restorable", "backup-not-restorable"];
        against(&site).iter().any(|r| codes.contains(&r[1].as_str()) && r[2].contains(segment(&gone))).then_some(())
    });
    calm(&site);

    fault(&site, "bucket-unreachable");
    let out = site.run(&["backups", "check", CLUSTER]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("can't list") && said.contains("because:"), "{said}");
    let (code, listed) = backups(&site, "list");
    assert_eq!((code, &listed["store"]), (Some(4), &Value::Null), "{listed:#}");
    assert_eq!(listed["backups"][0]["restorable"], Value::Null, "without the store nobody can tell");
    site.until("the store's silence is a note", || {
        let note = |r: &[String; 4]| r[0] == "ok" && r[1] == "cant-be-asked" && r[2].contains("can't be listed");
        against(&site).iter().any(note).then_some(())
    });
    copied(&site);
}

/// Where the store is out of reach, a copy of it on this machine tells the same.
fn copied(site: &Site) {
    let store = site.lab.dir.join("store");
    let from = |command: &str, folder: &str| {
        let out = site.run(&["backups", command, CLUSTER, "--folder", folder, "-o", "json"]);
        (out.status.code(), serde_json::from_slice::<Value>(&out.stdout).unwrap_or_default())
    };
    let (code, report) = from("check", store.to_str().unwrap());
    assert_eq!((code, &report["gaps"]), (Some(0), &Value::Array(Vec::new())), "{report:#}");
    assert!(report["store"]["destination"].as_str().unwrap().starts_with("file:///"), "{report:#}");
    assert_eq!(report["windows"].as_array().unwrap().len(), 1, "{report:#}");
    let (code, listed) = from("list", store.to_str().unwrap());
    let newest = &listed["backups"][0];
    assert_eq!((code, &newest["restorable"]), (Some(0), &Value::from(true)), "it is the Backup's: {listed:#}");
    assert_eq!(from("check", "/nowhere").0, Some(2));
}
