//! The same requests with `dryRun=All`: the API does everything but store it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ask::{Fault, ask, request};
use super::create::{exists, ours};
use super::{Acts, words};
use crate::problem::Problem;
use crate::procedure::Rehearsal;
use crate::procedure::order::{Create, Delete, Patch, Target};
use crate::procedure::{Change, Order};

const DRY: &str = "dryRun=All";

impl Acts {
    pub(super) async fn rehearse_patch(&self, patch: &Patch) -> Result<Rehearsal, Problem> {
        let before = self.read(&patch.target).await.map_err(|f| f.problem("can't read", &patch.target))?;
        let body = patch.filled(&before, Timestamp::now());
        let shown = Order::Patch(patch.clone()).request();
        match ask(&self.clients, request(&shown, &body, DRY), self.patience.write).await {
            Ok(after) => Ok(diff(&before, &after)),
            Err(fault) => refused(fault, "can't patch", &patch.target),
        }
    }

    pub(super) async fn rehearse_create(&self, create: &Create) -> Result<Rehearsal, Problem> {
        let shown = Order::Create(create.clone()).request();
        match ask(&self.clients, request(&shown, &create.body, DRY), self.patience.write).await {
            Ok(object) => Ok(diff(&json!({}), &object)),
            Err(fault) if exists(&fault) => match self.read(&create.target).await {
                Ok(object) if ours(create, &object) => Ok(Rehearsal::Diff(Vec::new())),
                _ => Err(super::create::others(create)),
            },
            Err(fault) => refused(fault, "can't make", &create.target),
        }
    }

    pub(super) async fn rehearse_delete(&self, order: &Order, delete: &Delete) -> Result<Rehearsal, Problem> {
        match self.send_off(order, DRY).await {
            Ok(_) => Ok(Rehearsal::Diff(vec![format!("- {} (uid {})", words::name(&delete.target), delete.uid)])),
            Err(fault) if fault.is(404) => Ok(Rehearsal::Diff(Vec::new())),
            Err(fault) => {
                let what = if matches!(order, Order::Evict(_)) { "can't evict" } else { "can't delete" };
                refused(fault, what, &delete.target)
            }
        }
    }
}

fn diff(before: &Value, after: &Value) -> Rehearsal {
    Rehearsal::Diff(Change::between(before, after).iter().flat_map(Change::lines).collect())
}

/// A dry run whose answer did not come changed nothing.
fn refused(fault: Fault, what: &str, target: &Target) -> Result<Rehearsal, Problem> {
    match fault {
        Fault::Status(status) if status.message.contains("does not support dry run") => {
            Ok(Rehearsal::None(crate::text::clean(&status.message)))
        }
        Fault::Unknown(trouble) => Err(Fault::NotSent(trouble).problem(what, target)),
        fault => Err(fault.problem(what, target)),
    }
}
