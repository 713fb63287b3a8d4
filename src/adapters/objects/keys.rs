//! Keys out of secrets: those that are named, and no others. What they say is never shown, logged or written.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;

use super::reference::{Named, Reference};
use crate::adapters::kubernetes::client::get;
use crate::adapters::kubernetes::trouble::{Trouble, TroubleKind};
use crate::problem::Problem;

/// How long reading a secret may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What a key of a secret says.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Hidden(text.into())
    }

    /// The text, for whoever signs requests with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What was read for one reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<Named, Hidden>);

impl Keys {
    /// Keys that are known already.
    pub fn of(known: impl IntoIterator<Item = (Named, Hidden)>) -> Self {
        Keys(known.into_iter().collect())
    }

    /// What a key says.
    ///
    /// # Errors
    /// It was not read.
    pub fn get(&self, named: &Named) -> Result<&Hidden, Problem> {
        self.0.get(named).ok_or_else(|| lacks(named))
    }
}

/// Reads every key that `reference` needs.
///
/// # Errors
/// A secret can't be read (with the right that is missing), or lacks the key.
pub async fn read(client: &kube::Client, namespace: &str, reference: &Reference) -> Result<Keys, Problem> {
    let mut secrets = BTreeMap::<&str, Value>::new();
    let mut keys = BTreeMap::new();
    for named in reference.needs() {
        if !secrets.contains_key(named.secret.as_str()) {
            secrets.insert(&named.secret, secret(client, namespace, &named.secret).await?);
        }
        let data = secrets.get(named.secret.as_str());
        keys.insert(named.clone(), data.and_then(|d| decoded(d, &named.key)).ok_or_else(|| lacks(named))?);
    }
    Ok(Keys(keys))
}

async fn secret(client: &kube::Client, namespace: &str, name: &str) -> Result<Value, Problem> {
    let what = format!("can't read the secret {name} that opens the archive");
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    let trouble = match timeout(ANSWER, client.request::<Value>(get(&path))).await {
        Ok(Ok(mut secret)) => return Ok(secret.get_mut("data").map(Value::take).unwrap_or_default()),
        Ok(Err(e)) => Trouble::from(e),
        Err(_) => Trouble::timed_out(ANSWER.as_secs_f64()),
    };
    let problem = trouble.problem(&what);
    Err(match trouble.kind {
        TroubleKind::Forbidden => problem.try_this(format!(
            "ask for the right `get` on secrets/{name} in {namespace}; see kubectl auth can-i get secrets/{name} -n {namespace}"
        )),
        TroubleKind::Missing => {
            problem.try_this(format!("kubectl get secret {name} -n {namespace}; the cluster's spec names it"))
        }
        _ => problem,
    })
}

/// The text of a key; one that is no text opens nothing.
fn decoded(data: &Value, key: &str) -> Option<Hidden> {
    let bytes = BASE64_STANDARD.decode(data.get(key)?.as_str()?).ok()?;
    // A line end that an editor or `echo` left is part of no credential.
    String::from_utf8(bytes).ok().map(|text| Hidden(text.trim_end_matches(['\n', '\r']).to_owned()))
}

fn lacks(named: &Named) -> Problem {
    Problem::new("can't open the archive")
        .because(format!("secret {} has no key {} that is text", named.secret, named.key))
        .try_this(format!("kubectl describe secret {} lists its keys; the cluster's spec names the key", named.secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_hidden_is_not_shown() {
        let named = Named { secret: "creds".into(), key: "K".into() };
        let keys = Keys::of([(named.clone(), decoded(&json!({"K": "aHVudGVyMgo="}), "K").unwrap())]);
        assert_eq!(keys.get(&named).unwrap().reveal(), "hunter2");
        assert!(!format!("{keys:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_that_is_missing_or_no_text_is_named() {
        assert!(decoded(&json!({"K": "/w=="}), "K").is_none() && decoded(&json!({}), "K").is_none());
        let problem = Keys::default().get(&Named { secret: "creds".into(), key: "K".into() }).unwrap_err();
        assert!(problem.to_string().contains("secret creds has no key K"), "{problem}");
    }
}
