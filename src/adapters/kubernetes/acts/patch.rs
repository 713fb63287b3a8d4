//! A change of an object, locked by the version it was read at.

use jiff::Timestamp;
use serde_json::Value;

use super::super::read::raw;
use super::ask::{Fault, ask, request};
use super::{Acts, Ground, few, words};
use crate::adapters::executor::Refusal;
use crate::problem::Problem;
use crate::procedure::order::{Form, Patch};
use crate::procedure::{Answer, Order};

impl Acts {
    /// Patches an object. Where the object is read first, what it shows decides: the change is made already, or the premise
    /// does not hold any more, or it is sent, and read again when somebody was faster.
    pub(super) async fn patch(&self, patch: &Patch, ground: Option<Ground<'_>>) -> Result<Answer, Refusal> {
        let shown = Order::Patch(patch.clone()).request();
        let mut pauses = few();
        loop {
            let body = if patch.needs_object() {
                match self.body(patch, ground).await? {
                    Ready::Send(body) => body,
                    Ready::Already(what) => return Ok(Answer::Already(what)),
                }
            } else {
                patch.body.clone()
            };
            let sent = ask(&self.clients, request(&shown, &body, ""), self.patience.write).await;
            let fault = match sent {
                Ok(object) => return Ok(taken(&object)),
                Err(fault) => fault,
            };
            if !outrun(patch, &fault) {
                return Err(fault.refusal("can't patch", &patch.target));
            }
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(Refusal::Nothing(busy(patch))),
            }
        }
    }

    /// The body for the object as it is now.
    async fn body(&self, patch: &Patch, ground: Option<Ground<'_>>) -> Result<Ready, Refusal> {
        let not_read = |fault: Fault| Refusal::Nothing(fault.problem("can't read", &patch.target));
        let object = self.read(&patch.target).await.map_err(not_read)?;
        if let Some(what) = made(patch, &object) {
            return Ok(Ready::Already(what));
        }
        if let Some(ground) = ground.filter(|g| super::same(&g.cluster.object, &patch.target.object)) {
            ground.asked_of(&object).map_err(Refusal::Nothing)?;
        }
        Ok(Ready::Send(patch.filled(&object, Timestamp::now())))
    }
}

enum Ready {
    Send(Value),
    Already(String),
}

/// The marks of this very change are on the object: what was seen. `None` too where it has none.
pub fn made(patch: &Patch, object: &Value) -> Option<String> {
    let shows = |(pointer, value): &(String, Value)| object.pointer(pointer).unwrap_or(&Value::Null) == value;
    if patch.mark.is_empty() || !patch.mark.iter().all(shows) {
        return None;
    }
    let seen = patch.mark.iter().map(|(pointer, value)| match value {
        Value::Null => format!("{pointer} is absent"),
        Value::String(text) => format!("{pointer} is {text}"),
        other => format!("{pointer} is {other}"),
    });
    Some(seen.collect::<Vec<_>>().join(", "))
}

/// Somebody changed the object between its reading and this change.
fn outrun(patch: &Patch, fault: &Fault) -> bool {
    match fault {
        Fault::Status(status) if patch.lock => match patch.form {
            // A test that fails.
            Form::Json => matches!(status.code, 409 | 422) && status.message.contains("testing"),
            _ => status.code == 409,
        },
        // Without a lock the API server itself tries again for a while; it may be told once more.
        Fault::Status(status) => status.code == 409 && status.reason == "Conflict",
        _ => false,
    }
}

fn busy(patch: &Patch) -> Problem {
    Problem::refused(format!("can't patch {}", words::name(&patch.target)))
        .because("it was changed by others each time between reading and writing, and nothing was sent that could undo their work")
        .try_this("see who changes it (managedFields, events), and try again")
}

/// An object that the API took.
pub fn taken(object: &Value) -> Answer {
    let field = |name: &str| raw(object, &["metadata", name]).unwrap_or_default().to_owned();
    Answer::Taken { version: field("resourceVersion"), uid: field("uid") }
}
