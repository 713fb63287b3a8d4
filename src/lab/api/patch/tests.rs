//! The four patches, on the shapes real clients send.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fields::{Fields, difference};
use super::managed::Who;
use super::*;
use crate::lab::api::resources::{CLUSTERS, CONFIGMAPS, DEPLOYMENTS, SERVICES};

const fn who(manager: &str) -> Who<'_> {
    Who { manager, applies: true, subresource: "" }
}

fn applied(live: &Value, config: &Value, manager: &str, force: bool) -> Result<Value, ApiError> {
    apply::apply(&CLUSTERS, live, config, who(manager), force, "2026-11-20T23:00:00Z")
}

fn config(spec: Value) -> Value {
    json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "demo"}, "spec": spec})
}

#[test]
fn strategic_merge_knows_names() {
    let mut object = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}], "args": ["x"]}, {"name": "b"}]}}}});
    let patch = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
        "containers": [{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}], "args": ["y"]},
            {"name": "b", "$patch": "delete"}, {"name": "c"}]}}}});
    strategic::merge(&DEPLOYMENTS, &mut object, &patch).expect("patched");
    let wanted = json!([{"name": "c"}, {"name": "a", "image": "2", "args": ["y"],
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]);
    assert_eq!(object["spec"]["template"]["spec"]["containers"], wanted);
}

#[test]
fn strategic_directives() {
    let mut object =
        json!({"metadata": {"finalizers": ["a", "b"], "labels": {"x": "1", "y": "2"}}, "spec": {"a": 1, "b": 2}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"], "labels": {"x": null}},
        "spec": {"$retainKeys": ["b"], "c": 3}});
    strategic::merge(&DEPLOYMENTS, &mut object, &patch).expect("patched");
    assert_eq!(object, json!({"metadata": {"finalizers": ["b", "c"], "labels": {"y": "2"}}, "spec": {"b": 2, "c": 3}}));
    let replace = json!({"spec": {"$patch": "replace", "z": 1}});
    strategic::merge(&DEPLOYMENTS, &mut object, &replace).expect("replaced");
    assert_eq!(object["spec"], json!({"z": 1}));
    for bad in [json!({"spec": {"$patch": "burn"}}), json!({"spec": {"containers": [{"image": "x"}]}}), json!([1])] {
        assert_eq!(strategic::merge(&DEPLOYMENTS, &mut object, &bad).map_err(|e| e.code), Err(400), "{bad}");
    }
}

#[test]
fn a_json_patch_is_applied_whole_or_not() {
    let mut object = json!({"spec": {"instances": 3}});
    json(&mut object, &json!([{"op": "replace", "path": "/spec/instances", "value": 2}])).expect("patched");
    let refused = json(
        &mut object,
        &json!([{"op": "remove", "path": "/spec/instances"}, {"op": "test", "path": "/x", "value": 1}]),
    );
    assert_eq!((refused.map_err(|e| e.code), &object["spec"]["instances"]), (Err(422), &json!(2)));
    assert_eq!(json(&mut object, &json!({"op": "x"})).map_err(|e| e.code), Err(400));
}

#[test]
fn applying_owns_and_conflicts_as_recorded() {
    let made =
        applied(&json!({}), &config(json!({"instances": 3, "storage": {"size": "1Gi"}})), "one", false).expect("new");
    assert_eq!(
        made["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {"f:instances": {}, "f:storage": {"f:size": {}}}})
    );
    // The same value is shared, another is refused.
    let shared = applied(&made, &config(json!({"instances": 3})), "two", false).expect("shared");
    assert_eq!(shared["metadata"]["managedFields"].as_array().map(Vec::len), Some(2));
    let refused = applied(&made, &config(json!({"instances": 2})), "two", false).expect_err("conflict");
    assert_eq!(refused.code, 409);
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.instances");
    assert_eq!(
        refused.details,
        Some(json!({"causes": [{"reason": "FieldManagerConflict",
        "message": "conflict with \"one\"", "field": ".spec.instances"}]}))
    );
    let forced = applied(&made, &config(json!({"instances": 2})), "two", true).expect("forced");
    assert_eq!(forced["spec"], json!({"instances": 2, "storage": {"size": "1Gi"}}));
    let one = managed::owners(&forced).into_iter().find(|o| o.manager == "one").expect("still there");
    assert_eq!(one.fields.paths(), [".spec.storage.size"]);
}

#[test]
fn a_field_that_is_no_longer_wanted_goes_unless_another_owns_it() {
    let first = applied(
        &json!({}),
        &config(json!({"instances": 3, "postgresql": {"parameters": {"a": "1", "b": "2"}}})),
        "one",
        false,
    );
    let first = first.expect("new");
    let both =
        applied(&first, &config(json!({"postgresql": {"parameters": {"b": "2"}}})), "two", false).expect("shared");
    let less = applied(&both, &config(json!({"instances": 3})), "one", false).expect("less");
    assert_eq!(less["spec"], json!({"instances": 3, "postgresql": {"parameters": {"b": "2"}}}));
    let none = applied(&less, &config(json!({})), "two", false).expect("none");
    assert_eq!(none["spec"]["postgresql"], Value::Null);
}

#[test]
fn updates_take_ownership_from_appliers() {
    let live = applied(&json!({}), &config(json!({"instances": 3, "logLevel": "info"})), "one", false).expect("new");
    let mut after = live.clone();
    after["spec"]["instances"] = json!(2);
    let edit = Who { manager: "kubectl-edit", applies: false, subresource: "" };
    managed::update(&CLUSTERS, &live, &mut after, edit, "2026-11-20T23:00:01Z");
    let shown: Vec<(String, Vec<String>)> =
        managed::owners(&after).into_iter().map(|o| (o.shown(), o.fields.paths())).collect();
    assert_eq!(
        shown,
        [
            ("\"one\"".into(), vec![".spec.logLevel".into()]),
            ("\"kubectl-edit\" using postgresql.cnpg.io/v1".into(), vec![".spec.instances".into()])
        ]
    );
    let refused =
        applied(&after, &config(json!({"instances": 3, "logLevel": "info"})), "one", false).expect_err("conflict");
    assert!(refused.message.ends_with("conflict with \"kubectl-edit\" using postgresql.cnpg.io/v1: .spec.instances"));
}

#[test]
fn what_was_there_first_is_not_taken_unnoticed() {
    let mut live = config(json!({"instances": 3}));
    live["metadata"]["uid"] = json!("u");
    let refused = applied(&live, &config(json!({"instances": 1})), "one", false).expect_err("conflict");
    assert!(
        refused.message.contains("\"before-first-apply\" using postgresql.cnpg.io/v1: .spec.instances"),
        "{refused}"
    );
}

#[test]
fn lists_with_names_are_owned_by_element() {
    let ports = |list: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": list}});
    let run = |live: &Value, config: &Value, manager| apply::apply(&SERVICES, live, config, who(manager), false, "t");
    let one = run(&json!({}), &ports(json!([{"port": 80, "name": "web"}])), "one").expect("new");
    let two = run(&one, &ports(json!([{"port": 443, "protocol": "TCP"}])), "two").expect("added");
    assert_eq!(two["spec"]["ports"].as_array().map(Vec::len), Some(2));
    let gone = run(&two, &ports(json!([])), "one").expect("gone");
    assert_eq!(gone["spec"]["ports"], json!([{"port": 443, "protocol": "TCP"}]));
    let text = run(&one, &ports(json!([{"port": 80, "name": "other"}])), "two").expect_err("conflict").message;
    assert!(text.ends_with(r#"conflict with "one": .spec.ports[port=80,protocol="TCP"].name"#), "{text}");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]|env|name|\\$patch|f:x", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics_and_sets_survive_json(a in json_value(), b in json_value()) {
        let _ = strategic::merge(&DEPLOYMENTS, &mut a.clone(), &b);
        let _ = json(&mut a.clone(), &b);
        let fields = Fields::of(&DEPLOYMENTS, &a);
        let back = Fields::from_json(&fields.to_json());
        prop_assert_eq!(Fields { member: false, ..back }, fields);
        let change = difference(&DEPLOYMENTS, &a, &b);
        prop_assert!(a != b || (change.set.is_empty() && change.gone.is_empty()));
    }

    #[test]
    fn applying_twice_changes_nothing(a in json_value()) {
        let config = json!({"metadata": {"name": "x"}, "data": a});
        let run = |live: &Value| apply::apply(&CONFIGMAPS, live, &config, who("m"), false, "t");
        let once = run(&json!({})).expect("new");
        prop_assert_eq!(run(&once).expect("again"), once);
    }
}
