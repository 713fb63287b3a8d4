//! An object as YAML, clean.

use serde_json::Value;

use crate::text::clean_lines;

/// The object without field managers and without what a secret holds.
pub fn text(mut object: Value) -> String {
    tidy(&mut object);
    match serde_saphyr::to_string(&object) {
        Ok(text) => clean_lines(&text),
        // A value that YAML can't say is still JSON.
        Err(_) => clean_lines(&serde_json::to_string_pretty(&object).unwrap_or_default()),
    }
}

/// Takes out what nobody reads and hides what nobody may.
pub fn tidy(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if object.get("kind").and_then(Value::as_str) == Some("Secret") {
        for field in ["data", "stringData"] {
            for value in object.get_mut(field).and_then(Value::as_object_mut).into_iter().flat_map(|m| m.values_mut()) {
                let bytes = value.as_str().map_or(0, |s| s.trim_end_matches('=').len() * 3 / 4);
                *value = Value::String(format!("(hidden, {bytes} bytes)"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_managers_and_no_secrets() {
        let text = text(json!({"kind": "Secret", "metadata": {"name": "demo-app", "managedFields": [{"manager": "x"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"aHVudGVyMg==\"}}"}},
            "data": {"password": "aHVudGVyMg=="}}));
        assert!(text.contains("name: demo-app") && text.contains("(hidden, 7 bytes)"), "{text}");
        assert!(!text.contains("aHVudGVyMg") && !text.contains("manager"), "{text}");
    }

    #[test]
    fn escapes_stay_on_paper() {
        let text = text(json!({"kind": "ConfigMap", "data": {"a": "x\u{1b}[2J"}}));
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
