//! What the API's refusals mean: what, because, try this.

use kube::core::Status;
use kube::core::response::StatusDetails;

use crate::problem::{Exit, Problem};
use crate::procedure::order::Target;
use crate::text::{clean, shorten};

/// The longest reason that is told: the API quotes whole objects in some.
const LONGEST: usize = 400;

/// `cluster orders in pg`.
pub fn name(target: &Target) -> String {
    let object = &target.object;
    let sub = target.subresource.as_ref().map(|s| format!(" ({s})")).unwrap_or_default();
    match object.namespace.as_str() {
        "" => format!("{object}{sub}"),
        ns => format!("{object}{sub} in {ns}"),
    }
}

/// A refusal by the API.
pub fn refused(what: &str, status: &Status) -> Problem {
    let message = shorten(clean(&status.message).trim(), LONGEST);
    let problem = Problem::refused(what);
    if message.contains("admission webhook") || message.contains("failed calling webhook") {
        return problem.because(webhook(&message)).try_this("change what it objects to, or ask who runs that webhook");
    }
    match status.code {
        401 => problem.because(message).try_this("log in again (az login, aws sso login), or get new credentials"),
        403 if message.contains("exceeded quota") => {
            problem.because(message).try_this("free some of the namespace's quota, or have it raised")
        }
        403 => problem.because(forbidden(&message)).try_this(match right(&message) {
            Some((verb, resource)) => {
                format!("ask for the right to {verb} {resource}: kubectl auth can-i {verb} {resource}")
            }
            None => "ask for the right".into(),
        }),
        404 => problem.because(message).try_this("it is gone, or was never there: look again").exit(Exit::Unknown),
        409 => problem.because(message).try_this("look again: somebody else changes it too"),
        422 | 400 => problem.because(fields(status).unwrap_or(message)).try_this("change that field"),
        429 => problem.because(budget(status).unwrap_or(message)).try_this("wait until it allows it, and try again"),
        _ if message.is_empty() => problem.because(format!("the server answered with HTTP {}", status.code)),
        _ => problem.because(message),
    }
}

/// `admission webhook "vcluster.cnpg.io" denied the request: …`: who, and what they said.
fn webhook(message: &str) -> String {
    let who = message.split('"').nth(1).unwrap_or("a webhook");
    match message.split_once("denied the request: ").or_else(|| message.split_once("denied the request")) {
        Some((_, why)) if !why.trim().is_empty() => format!("the admission webhook {who} denied it: {}", why.trim()),
        Some(_) => format!("the admission webhook {who} denied it"),
        None => message.to_owned(),
    }
}

/// The verb and the resource of `… cannot patch resource "clusters/status" in API group "postgresql.cnpg.io" …`.
fn right(message: &str) -> Option<(&str, String)> {
    let (_, rest) = message.split_once(" cannot ")?;
    let verb = rest.split_whitespace().next()?;
    let resource = rest.split_once("resource \"")?.1.split('"').next()?;
    let group = rest.split_once("API group \"").and_then(|(_, r)| r.split('"').next()).unwrap_or_default();
    let resource = match (group, resource.split_once('/')) {
        ("", _) => resource.to_owned(),
        (group, None) => format!("{resource}.{group}"),
        (group, Some((plural, sub))) => format!("{plural}.{group}/{sub}"),
    };
    Some((verb, resource))
}

fn forbidden(message: &str) -> String {
    match right(message) {
        Some((verb, resource)) => format!("you have no right to {verb} {resource}"),
        None => message.to_owned(),
    }
}

fn details(status: &Status) -> Option<&StatusDetails> {
    status.details.as_ref()
}

/// `spec.instances: Invalid value: -1: should be greater than or equal to 1`, for each field that is wrong.
fn fields(status: &Status) -> Option<String> {
    let causes = details(status)?.causes.iter().filter(|c| !c.field.is_empty());
    let text = causes.map(|c| format!("{}: {}", c.field, c.message)).collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then(|| shorten(&clean(&text), LONGEST))
}

/// What a disruption budget says to an eviction: `The disruption budget orders needs 1 healthy pods and has 1 currently`.
pub fn budget(status: &Status) -> Option<String> {
    let cause = details(status)?.causes.iter().find(|c| c.reason == "DisruptionBudget")?;
    Some(shorten(&clean(&cause.message), LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(status: serde_json::Value) -> Problem {
        refused("can't patch cluster orders in pg", &serde_json::from_value(status).unwrap())
    }

    #[test]
    fn a_missing_right_is_named() {
        let p = told(
            json!({"code": 403, "message": "clusters.postgresql.cnpg.io \"orders\" is forbidden: User \"dev\" cannot patch resource \
            \"clusters/status\" in API group \"postgresql.cnpg.io\" in the namespace \"pg\""}),
        );
        assert_eq!(p.because.as_deref(), Some("you have no right to patch clusters.postgresql.cnpg.io/status"));
        assert_eq!(p.exit.code(), 3);
        let core = told(
            json!({"code": 403, "message": "pods \"a\" is forbidden: User \"dev\" cannot delete resource \"pods\" in API group \"\" in"}),
        );
        assert_eq!(core.because.as_deref(), Some("you have no right to delete pods"));
    }

    #[test]
    fn webhooks_fields_and_budgets_speak_for_themselves() {
        let p = told(json!({"code": 422, "message": "Cluster \"orders\" is invalid",
            "details": {"causes": [{"field": "spec.instances", "message": "Invalid value: 0", "reason": "FieldValueInvalid"}]}}));
        assert_eq!(p.because.as_deref(), Some("spec.instances: Invalid value: 0"));
        let p = told(
            json!({"code": 403, "message": "admission webhook \"vcluster.cnpg.io\" denied the request: no such thing"}),
        );
        assert_eq!(p.because.as_deref(), Some("the admission webhook vcluster.cnpg.io denied it: no such thing"));
        let p = told(
            json!({"code": 429, "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget orders-primary needs 1 healthy pods and has 1 currently"}]}}),
        );
        assert!(p.because.unwrap().contains("orders-primary"));
    }
}
