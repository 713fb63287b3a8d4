//! What became of an order that was begun and whose answer is not known.

use super::super::read::at;
use super::ask::Fault;
use super::create::{ours, there};
use super::patch::made;
use super::remove::{is, replaced};
use super::{Acts, words};
use crate::procedure::Found;
use crate::procedure::order::{Create, Delete, Patch, Target};

impl Acts {
    pub(super) async fn find_patch(&self, patch: &Patch) -> Found {
        if patch.mark.is_empty() {
            return Found::CantTell("nothing in the object shows whether this change was made".into());
        }
        match self.read(&patch.target).await {
            Ok(object) => made(patch, &object).map_or(Found::NotDone, Found::Done),
            Err(fault) => out_of_reach(&fault, &patch.target),
        }
    }

    pub(super) async fn find_created(&self, create: &Create) -> Found {
        match self.read(&create.target).await {
            Ok(object) if ours(create, &object) => Found::Done(there(create)),
            Ok(_) => Found::CantTell(format!("{} is there with other content", words::name(&create.target))),
            Err(fault) if fault.is(404) => Found::NotDone,
            Err(fault) => out_of_reach(&fault, &create.target),
        }
    }

    pub(super) async fn find_deleted(&self, delete: &Delete) -> Found {
        let name = words::name(&delete.target);
        match self.read(&delete.target).await {
            Ok(object) if !is(delete, &object) => Found::Done(replaced(delete)),
            Ok(object) if at(&object, &["metadata", "deletionTimestamp"]).is_some() => {
                Found::Done(format!("{name} is being deleted"))
            }
            Ok(_) => Found::NotDone,
            Err(fault) if fault.is(404) => Found::Done(format!("{name} is gone")),
            Err(fault) => out_of_reach(&fault, &delete.target),
        }
    }
}

fn out_of_reach(fault: &Fault, target: &Target) -> Found {
    Found::CantTell(fault.problem("can't read", target).line())
}
