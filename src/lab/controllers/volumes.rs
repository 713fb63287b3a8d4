//! Claims get volumes: provisioned by their class, at once or in the zone of their first consumer.

use std::time::Duration;

use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use super::scheduler::SELECTED_NODE;
use crate::lab::api::resources::{NODES, PVCS, PVS, STORAGECLASSES};
use crate::lab::api::store::Part;
use crate::lab::api::{DeleteOptions, EventType, Resource, Selector, Store};
use crate::lab::object::{annotation, is_deleting, label, name, namespace, text, uid};

const COMPONENT: &str = "persistentvolume-controller";
const ZONE: &str = "topology.kubernetes.io/zone";
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

pub struct Binder;

impl Controller for Binder {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&PVCS, &STORAGECLASSES];
        &WATCHED
    }

    fn concerns(&self, store: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &PVCS {
            return vec![key_of(object)];
        }
        let pvcs = store.list(&PVCS, None, &Selector::everything()).items;
        pvcs.iter().filter(|pvc| text(pvc, "/spec/volumeName").is_empty()).map(|pvc| key_of(pvc)).collect()
    }

    fn sync(&self, store: &Store, (ns, claim): &Key) -> Option<Duration> {
        let Some(pvc) = store.get(&PVCS, ns, claim) else {
            reclaim(store, ns, claim);
            return None;
        };
        if !text(&pvc, "/spec/volumeName").is_empty() {
            grow(store, &pvc);
            return None;
        }
        if is_deleting(&pvc) {
            return None;
        }
        let class_name = text(&pvc, "/spec/storageClassName");
        if class_name.is_empty() {
            assign_class(store, &pvc);
            return None;
        }
        let Some(class) = store.get(&STORAGECLASSES, "", class_name) else {
            let why = format!("storageclass.storage.k8s.io \"{class_name}\" not found");
            drop(store.event(&pvc, EventType::Warning, "ProvisioningFailed", &why, COMPONENT));
            return Some(Duration::from_secs(15));
        };
        let node = annotation(&pvc, SELECTED_NODE);
        if text(&class, "/volumeBindingMode") == "WaitForFirstConsumer" && node.is_none() {
            let why = "waiting for first consumer to be created before binding";
            drop(store.event(&pvc, EventType::Normal, "WaitForFirstConsumer", why, COMPONENT));
            return None;
        }
        let zone = node.and_then(|node| store.get(&NODES, "", node)).and_then(|n| label(&n, ZONE).map(str::to_owned));
        provision(store, &pvc, &class, zone.as_deref());
        None
    }
}

/// A claim that names no class gets the default one, as soon as there is one.
fn assign_class(store: &Store, pvc: &Value) {
    let classes = store.list(&STORAGECLASSES, None, &Selector::everything()).items;
    let Some(class) = classes.iter().find(|class| annotation(class, DEFAULT_CLASS) == Some("true")) else { return };
    let assign = |pvc: &mut Value| {
        pvc["spec"]["storageClassName"] = name(class).into();
        Ok(())
    };
    drop(store.change(&PVCS, namespace(pvc), name(pvc), Part::Main, assign));
}

fn provision(store: &Store, pvc: &Value, class: &Value, zone: Option<&str>) {
    let volume = format!("pvc-{}", uid(pvc));
    let provisioner = text(class, "/provisioner");
    let size = text(pvc, "/spec/resources/requests/storage");
    let policy = match text(class, "/reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    let mut object = json!({
        "metadata": {"name": volume, "annotations": {"pv.kubernetes.io/provisioned-by": provisioner}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": pvc["spec"]["accessModes"].clone(),
            "claimRef": {
                "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": namespace(pvc), "name": name(pvc),
                "uid": uid(pvc), "resourceVersion": text(pvc, "/metadata/resourceVersion"),
            },
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": name(class),
            "volumeMode": "Filesystem",
            "csi": {"driver": provisioner, "volumeHandle": volume, "fsType": "ext4"},
        },
        "status": {"phase": "Bound"},
    });
    if let Some(zone) = zone {
        let expression = json!({"key": ZONE, "operator": "In", "values": [zone]});
        let terms = json!([{"matchExpressions": [expression]}]);
        object["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms}});
    }
    // Made already by an earlier look that was cut off: binding goes on.
    drop(store.create(&PVS, "", object));
    let bind = |pvc: &mut Value| {
        pvc["spec"]["volumeName"] = volume.clone().into();
        pvc["spec"]["storageClassName"] = name(class).into();
        let annotations = &mut pvc["metadata"]["annotations"];
        annotations["pv.kubernetes.io/bind-completed"] = "yes".into();
        annotations["pv.kubernetes.io/bound-by-controller"] = "yes".into();
        annotations["volume.kubernetes.io/storage-provisioner"] = provisioner.into();
        Ok(())
    };
    drop(store.change(&PVCS, namespace(pvc), name(pvc), Part::Main, bind));
    let tell = |pvc: &mut Value| {
        let modes = pvc["spec"]["accessModes"].clone();
        pvc["status"] = json!({"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}});
        Ok(())
    };
    drop(store.change(&PVCS, namespace(pvc), name(pvc), Part::Status, tell));
    let message = format!("Successfully provisioned volume {volume}");
    drop(store.event(pvc, EventType::Normal, "ProvisioningSucceeded", &message, provisioner));
}

/// A bound claim that asks for more gets more.
fn grow(store: &Store, pvc: &Value) {
    let wanted = text(pvc, "/spec/resources/requests/storage");
    if text(pvc, "/status/phase") != "Bound" || wanted.is_empty() || text(pvc, "/status/capacity/storage") == wanted {
        return;
    }
    let volume = |volume: &mut Value| {
        volume["spec"]["capacity"]["storage"] = wanted.into();
        Ok(())
    };
    drop(store.change(&PVS, "", text(pvc, "/spec/volumeName"), Part::Main, volume));
    let tell = |pvc: &mut Value| {
        pvc["status"]["capacity"]["storage"] = wanted.into();
        Ok(())
    };
    drop(store.change(&PVCS, namespace(pvc), name(pvc), Part::Status, tell));
    let message = "MountVolume.NodeExpandVolume succeeded for volume";
    drop(store.event(pvc, EventType::Normal, "FileSystemResizeSuccessful", message, "kubelet"));
}

/// The volumes of a claim that is gone.
fn reclaim(store: &Store, ns: &str, claim: &str) {
    let volumes = store.list(&PVS, None, &Selector::everything()).items;
    let of_claim =
        |volume: &Value| text(volume, "/spec/claimRef/namespace") == ns && text(volume, "/spec/claimRef/name") == claim;
    for volume in volumes.iter().filter(|volume| of_claim(volume)) {
        if text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" {
            drop(store.delete(&PVS, "", name(volume), &DeleteOptions::default()));
        } else {
            let release = |volume: &mut Value| {
                volume["status"] = json!({"phase": "Released"});
                Ok(())
            };
            drop(store.change(&PVS, "", name(volume), Part::Status, release));
        }
    }
}
