//! What a person looks at closely: one object's YAML or description, one container's log.
//!
//! Told as news until let go. Everything is cleaned, field managers are left out and the values of secrets hidden. This
//! folder renders plain text; it must not know who shows it or how wide the screen is.

mod describe;
mod logs;
mod page;
mod yaml;

pub(super) use logs::lines;

use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

use super::client::{Clients, get};
use super::trouble::Trouble;
use crate::adapters::inbox::Outbox;
use crate::domain::detail::{DetailNews, News, ObjectRef, Subject};
use crate::domain::names::Context;
use crate::problem::Problem;

/// How often an object that is looked at is read again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The context a subject is in.
pub fn context(subject: &Subject) -> &Context {
    match subject {
        Subject::Yaml(object) | Subject::Describe(object) => &object.context,
        Subject::Logs { pod, .. } => &pod.context,
    }
}

/// Who tells, and of what.
struct Teller {
    subject: Subject,
    outbox: Outbox,
}

impl Teller {
    async fn tell(&self, news: DetailNews) {
        self.outbox.post(News::Detail(self.subject.clone(), news)).await;
    }
}

/// Tells of a subject until it ends or is dropped.
pub async fn tell(clients: Option<Clients>, subject: Subject, outbox: Outbox) {
    let teller = Teller { subject: subject.clone(), outbox };
    let Some(clients) = clients else {
        let problem = Problem::new(format!("context {} is not looked at", context(&subject)));
        return teller.tell(DetailNews::Ended(Some(problem))).await;
    };
    let ended = match &subject {
        Subject::Logs { pod, container, previous } => logs::follow(&clients, pod, container, *previous, &teller).await,
        Subject::Yaml(object) => Some(object_news(&clients, object, false, &teller).await),
        Subject::Describe(object) => Some(object_news(&clients, object, true, &teller).await),
    };
    teller.tell(DetailNews::Ended(ended)).await;
}

/// Tells an object's text whenever it is another one. Returns when the object can't be read any more.
async fn object_news(clients: &Clients, object: &ObjectRef, describe: bool, teller: &Teller) -> Problem {
    let mut path = None;
    let mut last = String::new();
    loop {
        let client = clients.get().await.client;
        match object_text(&client, object, describe, &mut path).await {
            Ok(text) if text != last => {
                teller.tell(DetailNews::Text(text.clone())).await;
                last = text;
            }
            Ok(_) => {}
            // What was shown stays; a server that is away for a while comes back.
            Err(t) if !last.is_empty() && t.is_way() => {}
            Err(t) => return t.problem(&format!("can't read {object}")),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn object_text(
    client: &kube::Client,
    object: &ObjectRef,
    describe: bool,
    path: &mut Option<String>,
) -> Result<String, Trouble> {
    let path = match path {
        Some(path) => path,
        None => path.insert(path_of(client, object).await?),
    };
    let value: Value = read(client, path).await?;
    if describe {
        let events = describe::events(client, object, &value).await;
        return Ok(describe::text(&value, &events));
    }
    Ok(yaml::text(value))
}

async fn read<T: serde::de::DeserializeOwned>(client: &kube::Client, path: &str) -> Result<T, Trouble> {
    match timeout(ANSWER, client.request::<T>(get(path))).await {
        Ok(answer) => answer.map_err(Trouble::from),
        Err(_) => Err(Trouble::timed_out(ANSWER.as_secs_f64())),
    }
}

/// Where the API keeps an object. Any kind: what is not known here is asked of the server.
async fn path_of(client: &kube::Client, object: &ObjectRef) -> Result<String, Trouble> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let known = super::kinds::Kind::ALL.into_iter().find(|k| k.api().0 == group && k.api().3 == object.kind);
    let (plural, namespaced) = match known {
        Some(kind) => (kind.plural().to_owned(), kind.namespaced()),
        None => {
            let gvk = GroupVersionKind::gvk(group, version, &object.kind);
            let (resource, capabilities) = pinned_kind(client, &gvk).await?;
            (resource.plural, capabilities.scope == Scope::Namespaced)
        }
    };
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    Ok(if namespaced {
        format!("{root}/namespaces/{}/{plural}/{}", object.namespace, object.name)
    } else {
        format!("{root}/{plural}/{}", object.name)
    })
}
