//! Label and field selectors.

use serde_json::Value;

use super::error::ApiError;

/// Which objects are meant. The default means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelTerm {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    NotExists(String),
    Greater(String, i64),
    Less(String, i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// All objects.
    pub fn everything() -> Self {
        Self::default()
    }

    /// By labels, in kubectl's words: `a=b,c!=d,e in (f,g),!h`.
    ///
    /// # Errors
    /// 400 when the text can't be read.
    pub fn labels(text: &str) -> Result<Self, ApiError> {
        Ok(Selector { labels: parse_labels(text)?, fields: Vec::new() })
    }

    /// Exactly these labels.
    pub fn matching<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let labels = labels.into_iter().map(|(k, v)| LabelTerm::In(k.to_owned(), vec![v.to_owned()])).collect();
        Selector { labels, fields: Vec::new() }
    }

    /// By a `LabelSelector` object (`matchLabels`, `matchExpressions`). An empty one means all.
    pub fn object(selector: &Value) -> Self {
        let mut labels = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            labels.push(LabelTerm::In(key.clone(), vec![value.as_str().unwrap_or_default().to_owned()]));
        }
        for term in selector["matchExpressions"].as_array().into_iter().flatten() {
            let key = term["key"].as_str().unwrap_or_default().to_owned();
            let values = term["values"].as_array().into_iter().flatten();
            let values = values.filter_map(|v| v.as_str().map(str::to_owned)).collect();
            labels.push(match term["operator"].as_str() {
                Some("NotIn") => LabelTerm::NotIn(key, values),
                Some("Exists") => LabelTerm::Exists(key),
                Some("DoesNotExist") => LabelTerm::NotExists(key),
                _ => LabelTerm::In(key, values),
            });
        }
        Selector { labels, fields: Vec::new() }
    }

    /// Adds terms over fields: `metadata.name=x,spec.nodeName!=y`.
    ///
    /// # Errors
    /// 400 when the text can't be read.
    pub fn and_fields(mut self, text: &str) -> Result<Self, ApiError> {
        for term in text.split(',').filter(|t| !t.trim().is_empty()) {
            let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = term.split_once("==") {
                (path, value, true)
            } else if let Some((path, value)) = term.split_once('=') {
                (path, value, true)
            } else {
                return Err(ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{term}'")));
            };
            self.fields.push(FieldTerm { path: path.trim().to_owned(), value: value.trim().to_owned(), equal });
        }
        Ok(self)
    }

    /// The field paths asked for, so that the API can refuse those a kind does not index.
    pub fn field_paths(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| f.path.as_str())
    }

    /// Whether it names nothing, and so means all.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether this object is meant.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|term| label_matches(term, labels))
            && self.fields.iter().all(|f| (field(object, &f.path) == f.value) == f.equal)
    }
}

fn label_matches(term: &LabelTerm, labels: &Value) -> bool {
    let get = |key: &str| labels.get(key).and_then(Value::as_str);
    match term {
        LabelTerm::In(key, values) => get(key).is_some_and(|v| values.iter().any(|w| w == v)),
        LabelTerm::NotIn(key, values) => !get(key).is_some_and(|v| values.iter().any(|w| w == v)),
        LabelTerm::Exists(key) => get(key).is_some(),
        LabelTerm::NotExists(key) => get(key).is_none(),
        LabelTerm::Greater(key, n) => get(key).and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *n),
        LabelTerm::Less(key, n) => get(key).and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *n),
    }
}

/// A field's value as text, empty where it is absent.
fn field(object: &Value, path: &str) -> String {
    let mut at = object;
    for step in path.split('.') {
        at = &at[step];
    }
    match at {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Commas inside parentheses don't separate.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut terms) = (0usize, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(&text[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[from..]);
    terms.into_iter().map(str::trim).filter(|t| !t.is_empty()).collect()
}

fn parse_labels(text: &str) -> Result<Vec<LabelTerm>, ApiError> {
    split_terms(text).into_iter().map(|term| parse_term(term).ok_or_else(|| unreadable(term))).collect()
}

fn unreadable(term: &str) -> ApiError {
    ApiError::bad_request(format!("unable to parse requirement: found '{term}', expected: a label selector"))
}

fn parse_term(term: &str) -> Option<LabelTerm> {
    if let Some(key) = term.strip_prefix('!') {
        return key_of(key).map(LabelTerm::NotExists);
    }
    if let Some(list) = term.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        let key = key_of(words.next()?)?;
        return match (words.next()?, words.next()) {
            ("in", None) => Some(LabelTerm::In(key, values)),
            ("notin", None) => Some(LabelTerm::NotIn(key, values)),
            _ => None,
        };
    }
    let value = |v: &str| {
        let v = v.trim();
        (!v.contains(char::is_whitespace) && !v.contains(['=', '!', '('])).then(|| v.to_owned())
    };
    if let Some((key, v)) = term.split_once("!=") {
        return Some(LabelTerm::NotIn(key_of(key)?, vec![value(v)?]));
    }
    if let Some((key, v)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Some(LabelTerm::In(key_of(key)?, vec![value(v)?]));
    }
    if let Some((key, v)) = term.split_once('>') {
        return Some(LabelTerm::Greater(key_of(key)?, v.trim().parse().ok()?));
    }
    if let Some((key, v)) = term.split_once('<') {
        return Some(LabelTerm::Less(key_of(key)?, v.trim().parse().ok()?));
    }
    key_of(term).map(LabelTerm::Exists)
}

fn key_of(text: &str) -> Option<String> {
    let key = text.trim();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    (!key.is_empty() && key.chars().all(good)).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Value {
        json!({"metadata": {"name": "demo-1", "labels": {"role": "primary", "n": "3"}}, "spec": {"nodeName": "a"}})
    }

    #[test]
    fn label_terms() {
        for (text, meant) in [
            ("", true),
            ("role=primary", true),
            ("role==primary,n", true),
            ("role!=primary", false),
            ("other!=primary", true),
            ("role in (primary, replica)", true),
            ("role notin (primary,replica)", false),
            ("!role", false),
            ("!x,n>2", true),
            ("n<3", false),
        ] {
            let selector = Selector::labels(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(selector.matches(&pod()), meant, "{text}");
        }
        for text in ["a b", "=x", "a in b", "a within (b)", "a=b c", "(((", "n>x"] {
            assert_eq!(Selector::labels(text).map_err(|e| e.code), Err(400), "{text}");
        }
    }

    #[test]
    fn field_terms_and_selector_objects() {
        let by = |t: &str| Selector::everything().and_fields(t).expect("readable").matches(&pod());
        assert!(by("metadata.name=demo-1,spec.nodeName!=b"));
        assert!(!by("spec.nodeName==b"));
        assert!(by("status.phase="));
        assert!(Selector::everything().and_fields("nothing").is_err());
        let object = json!({"matchLabels": {"role": "primary"}, "matchExpressions": [
            {"key": "n", "operator": "In", "values": ["3"]}, {"key": "x", "operator": "DoesNotExist"}]});
        assert!(Selector::object(&object).matches(&pod()));
        assert!(Selector::object(&json!({})).matches(&pod()));
    }
}
