//! A new object, whose name is derived from the run: made again it is there already.

use serde_json::Value;

use super::super::read::at;
use super::ask::{Fault, ask, request};
use super::patch::taken;
use super::{Acts, words};
use crate::adapters::executor::Refusal;
use crate::problem::Problem;
use crate::procedure::order::Create;
use crate::procedure::{Answer, Order};

impl Acts {
    /// Makes an object.
    pub(super) async fn create(&self, create: &Create) -> Result<Answer, Refusal> {
        let shown = Order::Create(create.clone()).request();
        match ask(&self.clients, request(&shown, &create.body, ""), self.patience.write).await {
            Ok(object) => Ok(taken(&object)),
            Err(fault) if exists(&fault) => match self.read(&create.target).await {
                Ok(object) if ours(create, &object) => Ok(Answer::Already(there(create))),
                Ok(_) => Err(Refusal::Nothing(others(create))),
                Err(fault) => Err(Refusal::Nothing(fault.problem("can't read", &create.target))),
            },
            Err(fault) => Err(fault.refusal("can't make", &create.target)),
        }
    }
}

/// The name is taken.
pub fn exists(fault: &Fault) -> bool {
    matches!(fault, Fault::Status(status) if status.code == 409 && status.reason != "Conflict")
}

/// What stands under the name is what would be made, and stays.
pub fn ours(create: &Create, object: &Value) -> bool {
    let mut asked = create.body.clone();
    if let Some(fields) = asked.as_object_mut() {
        // The status is the operator's.
        fields.remove("status");
    }
    within(&asked, object) && at(object, &["metadata", "deletionTimestamp"]).is_none()
}

/// Everything of `asked` is in `object`: the API adds defaults, labels and its own metadata.
fn within(asked: &Value, object: &Value) -> bool {
    match (asked, object) {
        (Value::Object(asked), Value::Object(object)) => asked.iter().all(|(name, value)| match object.get(name) {
            Some(there) => within(value, there),
            None => value.is_null(),
        }),
        (Value::Array(asked), Value::Array(object)) => {
            asked.len() == object.len() && asked.iter().zip(object).all(|(a, o)| within(a, o))
        }
        (asked, object) => asked == object,
    }
}

pub fn there(create: &Create) -> String {
    format!("{} is there with this content", words::name(&create.target))
}

pub fn others(create: &Create) -> Problem {
    Problem::refused(format!("can't make {}", words::name(&create.target)))
        .because("another one of that name is there, with other content or being deleted")
        .try_this("look at it, and begin anew: a new run takes another name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_api_adds_does_not_make_it_anothers() {
        let asked = json!({"metadata": {"name": "a"}, "spec": {"cluster": {"name": "pg"}, "list": [{"a": 1}]}});
        let mut object = json!({"metadata": {"name": "a", "uid": "u"}, "spec": {"method": "plugin", "cluster": {"name": "pg"}, "list": [{"a": 1, "b": 2}]}});
        assert!(within(&asked, &object));
        object["spec"]["cluster"]["name"] = json!("other");
        assert!(!within(&asked, &object));
    }
}
