//! The faults of a lab, as a client of its API: listed, made, deleted.
//!
//! A Kubernetes that is no lab doesn't know the kind and says so.

use std::path::PathBuf;

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use super::client::{connect, get};
use super::kubeconfig::{self, Target};
use super::read;
use super::trouble::Trouble;
use crate::domain::fault::{GROUP, KIND, PLURAL, Standing, VERSION};
use crate::domain::names::Context;
use crate::problem::{Exit, Problem};
use crate::procedure::order;
use crate::text::clean;

/// A client for the faults of one lab.
pub struct Faults {
    client: Client,
    namespace: String,
}

impl Faults {
    /// A client for the lab that this kubeconfig and context lead to, and that context; the context's own namespace counts unless another is
    /// given.
    ///
    /// # Errors
    /// What is wrong with the kubeconfig.
    pub async fn connect(
        files: &[PathBuf],
        contexts: &[String],
        namespace: Option<&str>,
    ) -> Result<(Faults, Context), Problem> {
        let targets = kubeconfig::targets(files, contexts)?;
        let target: &Target = targets.first().ok_or_else(|| Problem::usage("no context is chosen"))?;
        let client = connect(target).await?.client;
        let namespace = namespace.unwrap_or(client.default_namespace()).to_owned();
        Ok((Faults { client, namespace }, target.context.clone()))
    }

    /// The faults of this namespace, through a client that is there.
    pub fn of(client: Client, namespace: &str) -> Faults {
        Faults { client, namespace: namespace.to_owned() }
    }

    /// The namespace they are in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn path(&self, name: &str) -> String {
        let all = format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{PLURAL}", self.namespace);
        if name.is_empty() { all } else { format!("{all}/{name}") }
    }

    /// All that stand.
    ///
    /// # Errors
    /// No answer, or no lab.
    pub async fn list(&self) -> Result<Vec<Standing>, Problem> {
        const WHAT: &str = "the faults can't be listed";
        let list: Value = self.client.request(get(&self.path(""))).await.map_err(|e| trouble(WHAT, &e))?;
        Ok(read::list(&list, &["items"]).iter().map(standing).collect())
    }

    /// The object of one of them; `None` when there is none of that name (any more).
    ///
    /// # Errors
    /// No answer.
    pub async fn object(&self, name: &str) -> Result<Option<Value>, Problem> {
        match self.client.request::<Value>(get(&self.path(name))).await {
            Ok(fault) => Ok(Some(fault)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(e) => Err(trouble(&format!("fault {name} can't be looked at"), &e)),
        }
    }

    /// What is sent to start one. Without a name it gets one of its kind.
    pub fn to_start(&self, name: Option<&str>, spec: &Value) -> order::Request {
        let metadata = match name {
            Some(name) => json!({"name": name}),
            None => json!({"generateName": format!("{}-", spec["kind"].as_str().unwrap_or("fault"))}),
        };
        let object =
            json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND, "metadata": metadata, "spec": spec});
        order::Request {
            method: Method::POST.to_string(),
            path: format!("{}?fieldValidation=Strict", self.path("")),
            content_type: Some("application/json".into()),
            body: Some(object),
        }
    }

    /// What is sent to stop one.
    pub fn to_stop(&self, name: &str) -> order::Request {
        order::Request { method: Method::DELETE.to_string(), path: self.path(name), content_type: None, body: None }
    }

    /// Makes one, by what [`Faults::to_start`] gave, and gives its object as the lab completed it.
    ///
    /// # Errors
    /// What the lab refuses, with the field; no answer.
    pub async fn create(&self, wanted: &order::Request) -> Result<Value, Problem> {
        const WHAT: &str = "the fault was not started";
        let body = wanted.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = Request::builder().method(Method::POST).uri(&wanted.path);
        let request = request.header("Content-Type", "application/json").body(body.into_bytes());
        let request = request.map_err(|e| Problem::new(WHAT).because(e))?;
        self.client.request(request).await.map_err(|e| trouble(WHAT, &e))
    }

    /// Asks for the end of one. False when there is none of that name.
    ///
    /// # Errors
    /// No answer.
    pub async fn delete(&self, name: &str) -> Result<bool, Problem> {
        let what = format!("fault {name} can't be stopped");
        let request = Request::builder().method(Method::DELETE).uri(self.path(name));
        let request = request.body(Vec::new()).map_err(|e| Problem::new(&what).because(e))?;
        match self.client.request::<Value>(request).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(e) => Err(trouble(&what, &e)),
        }
    }
}

/// A fault as its object tells.
pub fn standing(fault: &Value) -> Standing {
    let text = |path: &[&str]| clean(read::raw(fault, path).unwrap_or_default());
    Standing {
        name: text(&["metadata", "name"]),
        namespace: text(&["metadata", "namespace"]),
        cluster: text(&["spec", "cluster"]),
        kind: text(&["spec", "kind"]),
        target: text(&["status", "target"]),
        state: text(&["status", "state"]),
        message: text(&["status", "message"]),
        since: read::time(fault, &["status", "since"]),
    }
}

fn trouble(what: &str, error: &kube::Error) -> Problem {
    if let kube::Error::Api(status) = error {
        return match status.code {
            404 => Problem::refused(what)
                .because("this Kubernetes knows no faults: it is not a lab")
                .try_this("howdah lab serve --dir D, and --dir D here too"),
            422 => Problem::usage(what).because(&status.message).try_this("howdah lab fault list"),
            409 => Problem { exit: Exit::Refused, ..Problem::new(what).because(&status.message) },
            _ => Trouble::from(error).problem(what),
        };
    }
    Trouble::from(error).problem(what)
}
