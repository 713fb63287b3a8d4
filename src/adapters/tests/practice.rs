//! Faults and the audit trail: a line before each, and what became of it.

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

use super::mock::{Mock, Rule};
use crate::adapters::kubernetes::faults::Faults;
use crate::adapters::practice::{Practice, Trail};
use crate::adapters::runs::Store;
use crate::domain::fault::FaultOrder;
use crate::procedure::By;

const FAULTS: &str = "/apis/lab.howdah.dev/v1/namespaces/pg/faults";

async fn practice(mock: &Mock, state: &Path) -> Practice {
    let (faults, context) = Faults::connect(&[mock.kubeconfig()], &[], None).await.unwrap();
    let by = By { user: "ann".into(), host: "desk".into(), ..By::default() };
    Practice::new(faults, context, Trail { audit: Store::new(state.into()).audit(), by })
}

fn ice(state: &str) -> Value {
    json!({"metadata": {"name": "freeze-standby-x2", "namespace": "pg"}, "status": {"state": state, "message": "it is cold"},
        "spec": {"kind": "freeze-standby", "cluster": "orders", "instance": "orders-2", "seconds": 9}})
}

/// What each line says: context, cluster, name, kind, instance, method and outcome.
fn told(state: &Path) -> Vec<String> {
    let lines = std::fs::read_to_string(state.join("audit.jsonl")).unwrap();
    let text = |v: &Value| v.as_str().unwrap_or("–").to_owned();
    let line = |line: &str| {
        let done: Value = serde_json::from_str(line).unwrap();
        assert_eq!(done["by"], "ann@desk");
        assert!(done["at"].as_str().unwrap().starts_with("20"), "{done}");
        let (spec, request) = (&done["spec"], &done["request"]);
        let parts =
            [&done["cluster"], &done["fault"], &spec["kind"], &spec["instance"], &request["method"], &done["outcome"]];
        parts.map(text).join(" ")
    };
    lines.lines().map(line).collect()
}

fn start() -> FaultOrder {
    FaultOrder::Start { kind: "freeze-standby".into(), instance: Some("orders-2".into()), zone: None }
}

#[tokio::test]
async fn a_fault_is_written_down_before_and_after() {
    let (mock, state) = (Mock::start().await, tempfile::tempdir().unwrap());
    let practice = practice(&mock, state.path()).await;
    mock.put(FAULTS, ice("Active"));
    mock.rule("faults?fieldValidation", Rule::Body(201, ice("").to_string()));
    practice.obey("orders", &start()).await.unwrap();

    let name = "freeze-standby-x2".to_owned();
    let goes = async {
        // It was looked at and asked to go; then it is gone.
        while mock.asked(&[&name]) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        mock.delete(FAULTS, &name, false);
    };
    let (stopped, ()) = tokio::join!(practice.stop(std::slice::from_ref(&name)), goes);
    stopped.unwrap();
    assert_eq!(practice.stop(&[name]).await.unwrap_err().what, "there is no fault freeze-standby-x2");
    let lines = told(state.path());
    let wanted = [
        "pg/orders  freeze-standby orders-2 POST asked for",
        "pg/orders freeze-standby-x2 freeze-standby orders-2 POST taken",
        "pg/orders freeze-standby-x2 freeze-standby orders-2 POST stands",
        "pg/orders freeze-standby-x2 freeze-standby orders-2 DELETE asked for",
        "pg/orders freeze-standby-x2 freeze-standby orders-2 DELETE taken",
        "pg/orders freeze-standby-x2 freeze-standby orders-2 DELETE undone",
        "pg freeze-standby-x2 – – DELETE asked for",
        "pg freeze-standby-x2 – – DELETE there is none",
    ];
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn a_fault_that_was_refused_or_failed_says_so() {
    let (mock, state) = (Mock::start().await, tempfile::tempdir().unwrap());
    let practice = practice(&mock, state.path()).await;
    mock.rule("faults?fieldValidation", Rule::Status(422, "spec.instance: orders-2 leads"));
    assert!(practice.obey("orders", &start()).await.is_err());
    mock.rule("faults?fieldValidation", Rule::Body(201, ice("Failed").to_string()));
    practice.obey("orders", &start()).await.unwrap();
    let lines = told(state.path());
    assert_eq!(
        lines[1],
        "pg/orders  freeze-standby orders-2 POST refused: the fault was not started: spec.instance: orders-2 leads"
    );
    assert!(lines[4].ends_with("POST failed: it is cold"), "{lines:#?}");
}

#[tokio::test]
async fn what_can_not_be_written_down_is_not_asked_for() {
    let (mock, state) = (Mock::start().await, tempfile::tempdir().unwrap());
    let practice = practice(&mock, state.path()).await;
    std::fs::create_dir(state.path().join("audit.jsonl")).unwrap();
    let problem = practice.obey("orders", &start()).await.unwrap_err();
    assert_eq!((problem.what.as_str(), mock.asked(&["faults"])), ("the audit trail can't be written", 0));
}
