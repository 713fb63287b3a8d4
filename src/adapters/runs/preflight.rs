//! What is asked of the API right before a run begins: rights, premise, and a dry run of what can be tried.

use crate::adapters::executor::{Deed, Executor};
use crate::problem::Problem;
use crate::procedure::trial::Answers;
use crate::procedure::{Order, Plan, Right, RunId, StepId, Tried};

/// Asks for rights, then whether the world is still the plan's, then tries each change that doesn't build on another one.
///
/// # Errors
/// A right is missing or the world moved (exit 3), the API would refuse a change, or it is out of reach (exit 4).
pub async fn preflight(executor: &dyn Executor, run: &RunId, plan: &Plan) -> Result<Vec<Tried>, Problem> {
    let missing = executor.may(&plan.cluster, &plan.rights()).await?;
    if !missing.is_empty() {
        let missing: Vec<_> = missing.iter().map(Right::to_string).collect();
        return Err(Problem::refused(format!("you can't {}", plan.title))
            .because(format!("these rights are missing: {}", missing.join(", ")))
            .try_this("have them given to you by a Role or ClusterRole"));
    }
    let changes = |order: &Option<Order>| order.as_ref().is_some_and(Order::changes_cluster);
    if plan.changes_cluster() {
        executor.holds(&plan.cluster, &plan.premise).await?;
    }
    let mut tried = Vec::new();
    for step in plan.steps.iter().filter(|s| changes(&s.order) && !builds_on_a_change(plan, &s.id)) {
        let Some(order) = &step.order else { continue };
        let shown = executor
            .rehearse(Deed { run, plan, order, premise: Some(&plan.premise), answers: &Answers::new() })
            .await?;
        tried.push(Tried { step: step.id.clone(), shown });
    }
    Ok(tried)
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
