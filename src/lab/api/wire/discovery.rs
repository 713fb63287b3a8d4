//! What there is: versions, groups and kinds, aggregated and in the old form.

use serde_json::{Value, json};

use super::Wire;
use super::accept::Wanted;
use super::answer::{self, Answer};
use crate::lab::api::resources::{ALL, PODS, Resource};

/// What the API calls itself. Clients compare it with their own.
pub(crate) const VERSION: &str = "v1.33.1";

/// `/version`.
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "emulationMajor": "1", "emulationMinor": "33", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "32", "gitVersion": VERSION, "gitCommit": "howdah-lab", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "go1.24.2", "compiler": "gc", "platform": "linux/amd64",
    })
}

/// Groups in the order of the table, without the core.
fn groups() -> Vec<&'static str> {
    let mut groups = vec!["authentication.k8s.io", "authorization.k8s.io"];
    for resource in ALL {
        if !resource.group.is_empty() && !groups.contains(&resource.group) {
            groups.push(resource.group);
        }
    }
    groups
}

fn kinds(group: &str) -> impl Iterator<Item = &'static Resource> {
    ALL.iter().copied().filter(move |r| r.group == group)
}

/// Subresource, kind it answers with (group, version, kind), verbs.
struct Sub {
    name: &'static str,
    kind: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
}

const RW: &[&str] = &["get", "patch", "update"];

fn subresources(resource: &'static Resource) -> Vec<Sub> {
    let own = (resource.group, resource.version, resource.kind);
    let mut subs = Vec::new();
    if resource == &PODS {
        let sub = |name, kind, verbs| Sub { name, kind: ("", "v1", kind), verbs };
        subs.push(sub("binding", "Binding", &["create"]));
        subs.push(Sub { name: "eviction", kind: ("policy", "v1", "Eviction"), verbs: &["create"] });
        subs.push(sub("exec", "PodExecOptions", &["create", "get"]));
        subs.push(sub("log", "Pod", &["get"]));
        subs.push(sub("portforward", "PodPortForwardOptions", &["create", "get"]));
        subs.push(sub("proxy", "PodProxyOptions", &["create", "delete", "get", "patch", "update"]));
    }
    if resource.scale.is_some() {
        subs.push(Sub { name: "scale", kind: ("autoscaling", "v1", "Scale"), verbs: RW });
    }
    if resource.status {
        subs.push(Sub { name: "status", kind: own, verbs: RW });
    }
    subs
}

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Kinds that are asked, not kept: group, plural, kind.
const REVIEWS: &[(&str, &str, &str)] = &[
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
];

fn aggregated_group(group: &str) -> Value {
    let mut resources: Vec<Value> = kinds(group)
        .map(|r| {
            let mut entry = json!({
                "resource": r.plural, "singularResource": r.singular, "verbs": VERBS,
                "scope": if r.namespaced { "Namespaced" } else { "Cluster" },
                "responseKind": { "group": r.group, "version": r.version, "kind": r.kind },
            });
            if !r.short.is_empty() {
                entry["shortNames"] = json!(r.short);
            }
            if !r.categories.is_empty() {
                entry["categories"] = json!(r.categories);
            }
            let subs: Vec<Value> = subresources(r)
                .iter()
                .map(|s| {
                    let (group, version, kind) = s.kind;
                    json!({ "subresource": s.name, "verbs": s.verbs,
                        "responseKind": { "group": group, "version": version, "kind": kind } })
                })
                .collect();
            if !subs.is_empty() {
                entry["subresources"] = json!(subs);
            }
            entry
        })
        .collect();
    resources.extend(REVIEWS.iter().filter(|(g, _, _)| *g == group).map(|(group, plural, kind)| {
        json!({ "resource": plural, "singularResource": kind.to_lowercase(), "verbs": ["create"], "scope": "Cluster",
            "responseKind": { "group": group, "version": "v1", "kind": kind } })
    }));
    let metadata = if group.is_empty() { json!({}) } else { json!({ "name": group }) };
    json!({ "metadata": metadata, "versions": [{ "version": "v1", "freshness": "Current", "resources": resources }] })
}

fn legacy_group(group: &str) -> Value {
    let version = json!({ "groupVersion": format!("{group}/v1"), "version": "v1" });
    json!({ "name": group, "versions": [version], "preferredVersion": version })
}

/// `/api/v1`, `/apis/<group>/v1`.
fn resource_list(group: &str) -> Value {
    let mut resources = Vec::new();
    for r in kinds(group) {
        let mut entry = json!({ "name": r.plural, "singularName": r.singular, "namespaced": r.namespaced,
            "kind": r.kind, "verbs": VERBS });
        if !r.short.is_empty() {
            entry["shortNames"] = json!(r.short);
        }
        if !r.categories.is_empty() {
            entry["categories"] = json!(r.categories);
        }
        resources.push(entry);
        for sub in subresources(r) {
            let (sub_group, version, kind) = sub.kind;
            let mut entry = json!({ "name": format!("{}/{}", r.plural, sub.name), "singularName": "",
                "namespaced": r.namespaced, "kind": kind, "verbs": sub.verbs });
            if sub_group != r.group {
                entry["group"] = json!(sub_group);
                entry["version"] = json!(version);
            }
            resources.push(entry);
        }
    }
    resources.extend(REVIEWS.iter().filter(|(g, _, _)| *g == group).map(|(_, plural, kind)| {
        json!({ "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"] })
    }));
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources })
}

impl Wire {
    /// `/api`.
    pub(super) fn core(&self, wanted: Wanted) -> Answer {
        match wanted.aggregated {
            Some(version) => aggregated(version, &[aggregated_group("")]),
            None => answer::json(
                200,
                &json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }),
            ),
        }
    }

    /// `/apis`.
    pub(super) fn groups(&self, wanted: Wanted) -> Answer {
        match wanted.aggregated {
            Some(version) => aggregated(version, &groups().into_iter().map(aggregated_group).collect::<Vec<_>>()),
            None => {
                let groups: Vec<Value> = groups().into_iter().map(legacy_group).collect();
                answer::json(200, &json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
            }
        }
    }

    /// `/apis/<group>`.
    pub(super) fn group(&self, group: &str) -> Answer {
        if !groups().contains(&group) {
            return answer::not_found_path();
        }
        let mut found = legacy_group(group);
        found["kind"] = json!("APIGroup");
        found["apiVersion"] = json!("v1");
        answer::json(200, &found)
    }

    /// `/api/v1`, `/apis/<group>/<version>`.
    pub(super) fn kinds(&self, group: &str, version: &str) -> Answer {
        if version != "v1" || !(group.is_empty() || groups().contains(&group)) {
            return answer::not_found_path();
        }
        answer::json(200, &resource_list(group))
    }

    /// `/`.
    pub(super) fn root(&self) -> Answer {
        let mut paths = vec!["/api".to_owned(), "/api/v1".into(), "/apis".into()];
        for group in groups() {
            paths.push(format!("/apis/{group}"));
            paths.push(format!("/apis/{group}/v1"));
        }
        paths.extend(["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned));
        answer::json(200, &json!({ "paths": paths }))
    }
}

fn aggregated(version: &str, items: &[Value]) -> Answer {
    let list = json!({ "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items });
    let mut answer = answer::json(200, &list);
    let kind = if version == "v2" {
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    } else {
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
    };
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    answer.headers_mut().insert(http::header::VARY, http::HeaderValue::from_static("Accept"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_kinds() {
        for group in groups().into_iter().chain([""]) {
            let new = aggregated_group(group);
            let new = new["versions"][0]["resources"].as_array().map_or(0, Vec::len);
            let old = resource_list(group);
            let old = old["resources"].as_array().into_iter().flatten();
            let old = old.filter(|r| !r["name"].as_str().is_some_and(|n| n.contains('/'))).count();
            assert_eq!(new, old, "{group}");
            assert!(new > 0, "{group}");
        }
    }

    #[test]
    fn clusters_as_a_real_server_lists_them() {
        let list = resource_list("postgresql.cnpg.io");
        let names: Vec<&str> =
            list["resources"].as_array().into_iter().flatten().filter_map(|r| r["name"].as_str()).collect();
        for name in ["clusters", "clusters/status", "clusters/scale", "poolers/scale", "failoverquorums/status"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
    }
}
