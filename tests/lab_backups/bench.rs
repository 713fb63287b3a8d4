//! A lab whose backups are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::story::Story;
use crate::support::site::{CLUSTER, NS, Site};
use crate::support::until;
use crate::support::world::PATIENCE;

/// A running lab.
pub struct Bench {
    site: Site,
}

impl std::ops::Deref for Bench {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Bench {
    /// Starts one, in which nobody but the tests has WAL archived; `None` where the machine lacks something.
    pub fn open() -> Option<Bench> {
        let bench = Bench { site: Site::start(&[])? };
        let parameters = r#"{"spec": {"postgresql": {"parameters": {"archive_timeout": "1h"}}}}"#;
        bench.patch("cluster", CLUSTER, parameters);
        bench.until("every server has read it", || {
            let show = |pod: &String| bench.psql(pod, "show archive_timeout").as_deref() == Some("1h");
            let instances = bench.instances();
            (instances.len() == 3 && instances.iter().all(show)).then_some(())
        });
        Some(bench)
    }

    /// Ends it; nothing may be left.
    pub fn close(self) {
        self.site.close();
    }

    /// Waits, and shows the backups when it was in vain.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        until(what, PATIENCE, look, || {
            let kinds = "backups,scheduledbackups,objectstores.barmancloud.cnpg.io,clusters";
            let shown = self.kubectl.run(&["-n", NS, "get", kinds, "-o", "yaml"]);
            String::from_utf8_lossy(&shown.stdout).into_owned()
        })
    }

    /// Watches, and the resource version that they begin at.
    pub fn story(&self) -> (Story, u64) {
        let story = Story::begin(&self.kubectl);
        self.until("the watches told what is there", || story.is_ready().then_some(()));
        let now = story.now();
        (story, now)
    }

    fn make(&self, kind: &str, name: &str, spec: &str) -> std::process::Output {
        let mut spec: Value = serde_json::from_str(spec).unwrap();
        spec["cluster"] = json!({"name": CLUSTER});
        let object = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": kind, "spec": spec,
                            "metadata": {"name": name, "namespace": NS}});
        let file = self.home.path().join(format!("{name}.json"));
        fs::write(&file, object.to_string()).unwrap();
        self.kubectl.run(&["create", "-f", &file.to_string_lossy()])
    }

    fn made(&self, kind: &str, name: &str, spec: &str) {
        let out = self.make(kind, name, spec);
        assert!(out.status.success(), "{kind} {name}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Makes a Backup.
    pub fn ask(&self, name: &str, spec: &str) {
        self.made("Backup", name, spec);
    }

    /// Makes a ScheduledBackup.
    pub fn schedule(&self, name: &str, spec: &str) {
        self.made("ScheduledBackup", name, spec);
    }

    /// Why such an object is refused.
    pub fn refused(&self, kind: &str, spec: &str) -> String {
        let out = self.make(kind, "refused", spec);
        assert!(!out.status.success(), "{kind} {spec} was taken");
        String::from_utf8_lossy(&out.stderr).into_owned()
    }

    /// Waits until a Backup is so far, and gives it.
    pub fn until_phase(&self, name: &str, phase: &str) -> Value {
        self.until(&format!("{name} is {phase}"), || {
            let backup = self.get(&["backup", name]);
            (backup["status"]["phase"] == phase).then_some(backup)
        })
    }

    /// The names of the Backups of a ScheduledBackup.
    pub fn backups_of(&self, scheduled: &str) -> Vec<String> {
        let all = self.get(&["backups", "-l", &format!("cnpg.io/scheduled-backup={scheduled}")]);
        let names = all["items"].as_array().into_iter().flatten().filter_map(|b| b["metadata"]["name"].as_str());
        names.map(str::to_owned).collect()
    }

    /// The ids that Backup objects tell.
    pub fn backup_ids(&self) -> Vec<String> {
        let all = self.get(&["backups"]);
        let ids = all["items"].as_array().into_iter().flatten().filter_map(|b| b["status"]["backupId"].as_str());
        ids.map(str::to_owned).collect()
    }

    pub fn delete(&self, kind: &str, name: &str) {
        self.kubectl.ok(&["-n", NS, "delete", kind, name]);
    }

    pub fn patch(&self, kind: &str, name: &str, patch: &str) {
        self.kubectl.ok(&["-n", NS, "patch", kind, name, "--type=merge", "-p", patch]);
    }

    /// Has a fault made, and what is told of it once it stands. It is named as its kind.
    pub fn fault(&self, kind: &str, spec: &str) -> String {
        let mut spec: Value = serde_json::from_str(spec).unwrap();
        spec["kind"] = json!(kind);
        let object = json!({"apiVersion": "lab.howdah.dev/v1", "kind": "Fault", "spec": spec,
                            "metadata": {"name": kind, "namespace": NS}});
        let file = self.home.path().join(format!("{kind}.json"));
        fs::write(&file, object.to_string()).unwrap();
        self.kubectl.ok(&["create", "-f", &file.to_string_lossy()]);
        self.until(&format!("{kind} stands"), || {
            let status = self.get(&["fault", kind])["status"].clone();
            assert_ne!(status["state"], "Failed", "{status}");
            (status["state"] == "Active").then(|| status["message"].as_str().unwrap().to_owned())
        })
    }

    /// The Backup that ended last.
    pub fn newest_backup(&self) -> Value {
        let all = self.get(&["backups"]);
        let done = all["items"].as_array().into_iter().flatten().filter(|b| b["status"]["phase"] == "completed");
        done.max_by_key(|b| b["status"]["backupId"].as_str().unwrap().to_owned()).unwrap().clone()
    }

    /// The data of a base backup.
    pub fn data(&self, id: &str) -> Vec<u8> {
        fs::read(self.folder().join("base").join(id).join("data.tar")).unwrap()
    }

    /// The last segment of the first timeline.
    pub fn newest_wal(&self) -> String {
        let folder = self.folder().join("wals/0000000100000000");
        names_in(&folder).into_iter().rfind(|name| name.len() == 24).unwrap()
    }

    pub fn has_event(&self, about: &str, reason: &str) -> bool {
        let events = self.get(&["events"]);
        let mut all = events["items"].as_array().into_iter().flatten();
        all.any(|e| e["involvedObject"]["kind"] == about && e["reason"] == reason)
    }

    /// Something is written in the segment that is current now, and the standbys have it.
    pub fn write(&self) {
        let rows = "create table if not exists kept as select generate_series(1, 1000) n";
        for sql in [rows, "checkpoint"] {
            self.until(sql, || self.psql(&self.primary(), sql));
        }
        let lsn = self.until("it is somewhere", || self.psql(&self.primary(), "select pg_current_wal_lsn()"));
        let there = format!("select count(*) from pg_stat_replication where replay_lsn >= '{lsn}'");
        self.until("the standbys have it", || (self.psql(&self.primary(), &there)? == "2").then_some(()));
    }

    /// Ends the segment that is being written.
    pub fn switch_wal(&self) {
        let sql = "select pg_logical_emit_message(false, 'test', 'x'); select pg_switch_wal()";
        self.until("a segment is ended", || self.psql(&self.primary(), sql));
    }

    /// The server's folder in the store.
    fn folder(&self) -> PathBuf {
        self.lab.dir.join("store").join(CLUSTER)
    }

    fn mark(&self) -> PathBuf {
        self.lab.dir.join("store").join(format!("{CLUSTER}.unreachable"))
    }

    /// The store does not answer, for so many seconds of patience.
    pub fn cut_store(&self, seconds: u32) {
        fs::write(self.mark(), format!("{seconds}\n")).unwrap();
    }

    pub fn mend_store(&self) {
        fs::remove_file(self.mark()).unwrap();
    }

    pub fn has_base(&self, backup: &Value) -> bool {
        let folder = self.folder().join("base").join(backup["status"]["backupId"].as_str().unwrap());
        ["backup.info", "data.tar"].iter().all(|file| folder.join(file).is_file())
    }

    pub fn has_wal(&self, name: &str) -> bool {
        self.folder().join("wals").join(&name[..16]).join(name).is_file()
    }

    /// The ids of the base backups in the store, the oldest first.
    pub fn bases(&self) -> Vec<String> {
        names_in(&self.folder().join("base"))
    }

    /// The first segment of the first timeline.
    pub fn oldest_wal(&self) -> String {
        let folder = self.folder().join("wals/0000000100000000");
        names_in(&folder).into_iter().find(|name| name.len() == 24).unwrap()
    }

    /// Has a base backup end on that day.
    pub fn make_old(&self, id: &str, day: &str) {
        let file = self.folder().join("base").join(id).join("backup.info");
        let text = fs::read_to_string(&file).unwrap();
        let old = |line: &str| match line.split_once('=') {
            Some((key @ ("begin_time" | "end_time"), _)) => format!("{key}={day} 03:00:00.000000+00:00\n"),
            _ => format!("{line}\n"),
        };
        fs::write(&file, text.lines().map(old).collect::<String>()).unwrap();
    }

    /// Has the plugin archive and back up instead of the operator, into an ObjectStore at the same place.
    pub fn move_to_plugin(&self, store: &str) {
        let configuration = self.cluster()["spec"]["backup"]["barmanObjectStore"].clone();
        let object = json!({"apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore",
                            "metadata": {"name": store, "namespace": NS},
                            "spec": {"configuration": configuration,
                                     "instanceSidecarConfiguration": {"retentionPolicyIntervalSeconds": 2}}});
        let file = self.home.path().join("objectstore.json");
        fs::write(&file, object.to_string()).unwrap();
        self.kubectl.ok(&["create", "-f", &file.to_string_lossy()]);
        let plugin = json!({"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true,
                            "parameters": {"barmanObjectName": store}});
        let patch = json!({"spec": {"backup": {"barmanObjectStore": null, "retentionPolicy": null},
                                    "plugins": [plugin]}});
        self.patch("cluster", CLUSTER, &patch.to_string());
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
