//! The lab's own kind, described by its table.

use serde_json::{Map, Value, json};

use super::Schemas;
use super::custom::describe_object;
use crate::domain::fault::{Form, KINDS, LONGEST, Parameter};
use crate::lab::api::resources::FAULTS;

const NAME: &str = "dev.howdah.lab.v1.Fault";

pub(super) fn add(schemas: &mut Schemas) {
    let about = "A fault that is done to the lab for as long as this object is there.";
    let mut schema = json!({ "type": "object", "description": about, "required": ["spec"],
        "properties": { "spec": spec(), "status": status() } });
    describe_object(&mut schema["properties"]);
    schemas.components.insert(NAME.into(), schema);
    schemas.add_kind(&FAULTS, NAME.into());
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

/// The schema of a fault's `spec`.
pub fn spec() -> Value {
    let kinds: Vec<String> = KINDS.iter().map(|k| format!("{}: {}", k.name, k.what)).collect();
    let mut fields = Map::new();
    fields.insert("kind".into(), text(&format!("What kind of fault it is. {}", kinds.join(" "))));
    fields.insert("cluster".into(), text("Which cluster it is done to; may be left out where there is only one."));
    fields.insert("instance".into(), text("Which instance it is done to. Each kind has one that it takes otherwise."));
    fields.insert("zone".into(), text("Which zone it is done to; otherwise that of the primary."));
    let seconds = format!(
        "Seconds after which it ends by itself, at most {LONGEST}. Without it, it lasts until it is deleted; api-outage \
         always ends by itself."
    );
    fields.insert("seconds".into(), json!({ "type": "integer", "description": seconds }));
    for parameter in KINDS.iter().flat_map(|kind| kind.parameters) {
        fields.entry(parameter.name).or_insert_with(|| field(parameter));
    }
    json!({ "type": "object", "description": "What is to be done to what.", "required": ["kind"],
        "properties": fields })
}

/// A field, with the kinds that take it. Bounds are told here and held to by the lab itself: they may differ by kind.
fn field(parameter: &Parameter) -> Value {
    let takes = |kind: &&crate::domain::fault::FaultKind| kind.parameters.iter().find(|p| p.name == parameter.name);
    let about: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| Some((kind.name, takes(&kind)?)))
        .map(|(kind, p)| match p.form {
            Form::Number { least, most, default } => {
                format!("{kind}: {} {least} to {most}, otherwise {default}.", p.what)
            }
            Form::Word(words) => format!("{kind}: {} One of {}; otherwise the first.", p.what, words.join(", ")),
            Form::Instance => format!("{kind}: {}", p.what),
        })
        .collect();
    let form = if matches!(parameter.form, Form::Number { .. }) { "integer" } else { "string" };
    json!({ "type": form, "description": about.join(" ") })
}

fn status() -> Value {
    json!({ "type": "object", "description": "How far it is.", "properties": {
        "state": text("Starting, Active, Undoing or Failed."),
        "target": text("What it is done to."),
        "message": text("What was done, or why it could not be."),
        "since": text("Since when it is in this state."),
    } })
}
