//! What is asked of the API right before a run begins: rights, premise, and a dry run of what can be tried.

use std::collections::BTreeSet;

use crate::adapters::executor::{Deed, Executor, Rehearsal};
use crate::problem::Problem;
use crate::procedure::{Order, Plan, Right, RunId, StepId};

/// A step that the API has tried without doing it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Which.
    pub step: StepId,
    /// What it would do.
    pub shown: Rehearsal,
}

/// Asks for rights, then whether the world is still the plan's, then tries each change that doesn't build on another one.
///
/// # Errors
/// A right is missing or the world moved (exit 3), the API would refuse a change, or it is out of reach (exit 4).
pub async fn preflight(executor: &dyn Executor, run: &RunId, plan: &Plan) -> Result<Vec<Tried>, Problem> {
    let missing = executor.may(&plan.cluster, &rights(plan)).await?;
    if !missing.is_empty() {
        let missing: Vec<_> = missing.iter().map(Right::to_string).collect();
        return Err(Problem::refused(format!("you can't {}", plan.title))
            .because(format!("these rights are missing: {}", missing.join(", ")))
            .try_this("have them given to you by a Role or ClusterRole"));
    }
    let changes = |order: &Option<Order>| order.as_ref().is_some_and(Order::changes_cluster);
    if plan.steps.iter().any(|s| changes(&s.order)) {
        executor.holds(&plan.cluster, &plan.premise).await?;
    }
    let mut tried = Vec::new();
    for step in plan.steps.iter().filter(|s| changes(&s.order) && !builds_on_a_change(plan, &s.id)) {
        let Some(order) = &step.order else { continue };
        let shown = executor.rehearse(Deed { run, plan, order, premise: Some(&plan.premise) }).await?;
        tried.push(Tried { step: step.id.clone(), shown });
    }
    Ok(tried)
}

/// Every right that the plan's orders need, also those that take back.
fn rights(plan: &Plan) -> Vec<Right> {
    let orders = plan.steps.iter().flat_map(|s| s.order.iter().chain(&s.undo));
    orders.flat_map(Order::rights).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A step before this one changes something, so that the API can't try this one now.
fn builds_on_a_change(plan: &Plan, id: &StepId) -> bool {
    let Some(step) = plan.step(id) else { return false };
    step.cleanup
        || step.needs.iter().any(|need| {
            let changes = plan.step(need).and_then(|s| s.order.as_ref()).is_some_and(Order::changes_cluster);
            changes || builds_on_a_change(plan, need)
        })
}
