//! Owner references: what goes, stays or waits when an owner goes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{DeleteOptions, Key, Part, Propagation, Store, meta};
use crate::lab::api::resources::{self, NAMESPACES, Resource};

impl Store {
    /// After an object is gone: its dependents go, or lose one of several owners; a namespace takes all with it.
    pub(super) fn collect(&self, resource: &'static Resource, gone: &Arc<Value>) {
        if resource == &NAMESPACES {
            self.empty_namespace(meta::text(gone, "name"));
        }
        let uid = meta::text(gone, "uid");
        for (kind, key, object) in self.dependents(uid) {
            let others = owners(&object).any(|o| o["uid"] != uid && self.alive(o, &key.0));
            if others {
                self.disown(kind, &key, uid);
            } else {
                // Losing a race against another deletion is no loss.
                let _ = self.delete(kind, &key.0, &key.1, &DeleteOptions::default());
            }
        }
        self.release_waiting_owners(gone);
    }

    /// While an owner waits on a finalizer of the collector's own: foreground deletes the dependents, orphan frees them.
    pub(super) fn collect_before(&self, resource: &'static Resource, owner: &Arc<Value>) {
        let (ns, name, uid) = (meta::text(owner, "namespace"), meta::text(owner, "name"), meta::text(owner, "uid"));
        if has_finalizer(owner, "orphan") {
            for (kind, key, _) in self.dependents(uid) {
                self.disown(kind, &key, uid);
            }
            self.drop_finalizer(resource, ns, name, "orphan");
        } else if has_finalizer(owner, "foregroundDeletion") {
            let options = DeleteOptions { propagation: Propagation::Foreground, ..DeleteOptions::default() };
            for (kind, key, _) in self.dependents(uid) {
                let _ = self.delete(kind, &key.0, &key.1, &options);
            }
            if !self.blocked(uid) {
                self.drop_finalizer(resource, ns, name, "foregroundDeletion");
            }
        }
    }

    /// A dependent is gone: an owner in foreground deletion may have waited for it alone.
    fn release_waiting_owners(&self, gone: &Value) {
        let ns = meta::text(gone, "namespace");
        for reference in owners(gone) {
            let Some((kind, owner)) = self.owner(reference, ns) else { continue };
            if meta::terminating(&owner) && has_finalizer(&owner, "foregroundDeletion") {
                let uid = meta::text(&owner, "uid");
                if !self.blocked(uid) {
                    self.drop_finalizer(kind, ns, meta::text(&owner, "name"), "foregroundDeletion");
                }
            }
        }
    }

    /// Whether dependents that block the owner's deletion are left.
    fn blocked(&self, uid: &str) -> bool {
        let blocks = |o: &Value| owners(o).any(|r| r["uid"] == uid && r["blockOwnerDeletion"] == true);
        self.dependents(uid).iter().any(|(_, _, o)| blocks(o))
    }

    fn owner(&self, reference: &Value, ns: &str) -> Option<(&'static Resource, Arc<Value>)> {
        let kind = resources::of_object(reference["apiVersion"].as_str()?, reference["kind"].as_str()?)?;
        let owner = self.get(kind, ns, reference["name"].as_str()?)?;
        (owner["metadata"]["uid"] == reference["uid"]).then_some((kind, owner))
    }

    fn alive(&self, reference: &Value, ns: &str) -> bool {
        self.owner(reference, ns).is_some()
    }

    fn dependents(&self, uid: &str) -> Vec<(&'static Resource, Key, Arc<Value>)> {
        let world = self.world();
        let mut found = Vec::new();
        for kind in resources::ALL {
            for (key, object) in world.table_ref(kind).into_iter().flat_map(|t| &t.objects) {
                if owners(object).any(|o| o["uid"] == uid) {
                    found.push((*kind, key.clone(), Arc::clone(object)));
                }
            }
        }
        found
    }

    fn disown(&self, kind: &'static Resource, key: &Key, uid: &str) {
        let _ = self.change(kind, &key.0, &key.1, Part::Main, |object| {
            if let Some(list) = object["metadata"]["ownerReferences"].as_array_mut() {
                list.retain(|o| o["uid"] != uid);
            }
            drop_empty(object, "ownerReferences");
            Ok(())
        });
    }

    fn drop_finalizer(&self, kind: &'static Resource, ns: &str, name: &str, finalizer: &str) {
        let _ = self.change(kind, ns, name, Part::Main, |object| {
            if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
                list.retain(|f| f != finalizer);
            }
            drop_empty(object, "finalizers");
            Ok(())
        });
    }

    fn empty_namespace(&self, ns: &str) {
        for kind in resources::ALL.iter().filter(|k| k.namespaced) {
            for object in self.list(kind, Some(ns), &super::Selector::everything()).items {
                let _ = self.delete(kind, ns, meta::text(&object, "name"), &DeleteOptions::default());
            }
        }
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|l| l.contains(&json!(finalizer)))
}

fn drop_empty(object: &mut Value, field: &str) {
    if object["metadata"][field].as_array().is_some_and(Vec::is_empty)
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove(field);
    }
}
