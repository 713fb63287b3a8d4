//! Moving pods: eviction within the limits of disruption budgets, and binding to a node.

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::lab::api::error::ApiError;
use crate::lab::api::resources::{PDBS, PODS};
use crate::lab::api::selector::Selector;
use crate::lab::api::store::{Part, now};
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::{self, Answer};
use crate::lab::api::wire::body;
use crate::lab::api::wire::delete::{options, success};
use crate::lab::api::wire::path::{Objects, Query};
use crate::lab::api::wire::writer::Writer;

impl Wire {
    /// Deletes a pod if every budget that covers it allows that.
    pub(super) async fn evict(
        &self,
        at: &Objects,
        query: &Query,
        request: Request<Incoming>,
    ) -> Result<Answer, ApiError> {
        let (parts, incoming) = request.into_parts();
        let sent = body::object(&parts.headers, &body::read(incoming).await?)?;
        let writer = Writer::of(&self.store, at, query, &parts.headers)?;
        let pod = self.find_pod(at)?;
        let name = sent["metadata"]["name"].as_str().unwrap_or(at.object());
        if name != at.object() {
            return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
        }
        let options = options(&sent["deleteOptions"])?;
        if !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"))
            && pod["metadata"]["deletionTimestamp"].is_null()
        {
            self.spend(&writer, at.namespace(), &pod)?;
        }
        writer.store.delete(&PODS, at.namespace(), at.object(), &options)?;
        Ok(answer::json(201, &success(201)))
    }

    /// Takes one disruption from the budget, when there is one.
    fn spend(&self, writer: &Writer, ns: &str, pod: &Arc<Value>) -> Result<(), ApiError> {
        let covers = |budget: &&Arc<Value>| {
            let selector = &budget["spec"]["selector"];
            selector.is_object() && Selector::object(selector).matches(pod)
        };
        let all = self.store.list(&PDBS, Some(ns), &Selector::everything()).items;
        let covering: Vec<_> = all.iter().filter(covers).collect();
        let budget = match covering.as_slice() {
            [] => return Ok(()),
            [one] => one,
            _ => {
                return Err(ApiError::internal(
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
                ));
            }
        };
        if !ready(pod) && healthy_enough(budget) {
            return Ok(());
        }
        let (name, pod_name) = (text(budget, "name"), text(pod, "name"));
        writer.store.change(&PDBS, ns, name, Part::Status, |budget| {
            check(budget)?;
            let allowed = budget["status"]["disruptionsAllowed"].as_i64().unwrap_or_default();
            budget["status"]["disruptionsAllowed"] = json!(allowed - 1);
            budget["status"]["disruptedPods"][pod_name] = json!(now());
            Ok(())
        })?;
        Ok(())
    }

    /// Puts a pod on a node, as the scheduler does.
    pub(super) async fn bind(
        &self,
        at: &Objects,
        query: &Query,
        request: Request<Incoming>,
    ) -> Result<Answer, ApiError> {
        let (parts, incoming) = request.into_parts();
        let sent = body::object(&parts.headers, &body::read(incoming).await?)?;
        let writer = Writer::of(&self.store, at, query, &parts.headers)?;
        let node = sent["target"]["name"].as_str().filter(|n| !n.is_empty());
        let node = node.ok_or_else(|| ApiError::bad_request("target.name: Required value"))?;
        writer.store.change(&PODS, at.namespace(), at.object(), Part::Main, |pod| {
            if let Some(taken) = pod["spec"]["nodeName"].as_str() {
                let why = format!("pod {} is already assigned to node \"{taken}\"", at.object());
                return Err(ApiError::conflict(&PODS, at.object(), why));
            }
            pod["spec"]["nodeName"] = json!(node);
            Ok(())
        })?;
        Ok(answer::json(201, &success(201)))
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

fn ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// A pod that is not ready does not count: it may go while enough others are.
fn healthy_enough(budget: &Value) -> bool {
    let status = &budget["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or_default();
    budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        || (number("desiredHealthy") > 0 && number("currentHealthy") >= number("desiredHealthy"))
}

/// 429 when no disruption is left, in a real server's words.
fn check(budget: &Value) -> Result<(), ApiError> {
    let (name, status) = (text(budget, "name"), &budget["status"]);
    let generation = budget["metadata"]["generation"].as_i64().unwrap_or_default();
    let why = if status["observedGeneration"].as_i64().unwrap_or_default() < generation {
        format!("The disruption budget {name} is still being processed by the server.")
    } else if status["disruptionsAllowed"].as_i64().unwrap_or_default() > 0 {
        return Ok(());
    } else {
        let number = |field: &str| status[field].as_i64().unwrap_or_default();
        format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        )
    };
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    Err(ApiError::new(429, "TooManyRequests", message)
        .with(json!({ "causes": [{ "reason": "DisruptionBudget", "message": why }] })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_as_recorded() {
        let budget = json!({"metadata": {"name": "demo-primary", "generation": 1}, "status": {
            "observedGeneration": 1, "desiredHealthy": 1, "currentHealthy": 1, "disruptionsAllowed": 0}});
        let refused = check(&budget).expect_err("refused").status();
        let wanted = json!({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
            "message":"Cannot evict pod as it would violate the pod's disruption budget.","reason":"TooManyRequests",
            "details":{"causes":[{"reason":"DisruptionBudget",
                "message":"The disruption budget demo-primary needs 1 healthy pods and has 1 currently"}]},"code":429});
        assert_eq!(refused, wanted);
        let mut other = budget;
        other["status"]["disruptionsAllowed"] = json!(1);
        assert!(check(&other).is_ok());
        other["metadata"]["generation"] = json!(2);
        assert!(check(&other).is_err());
    }
}
