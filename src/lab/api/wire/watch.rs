//! Watching over HTTP: one JSON line per event, until the time is up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Wire;
use super::accept::{Form, Wanted};
use super::answer::{self, Answer};
use super::events;
use super::path::{Objects, Query};
use super::read::{selector, stored, too_large, version};
use super::render::{self, Carry};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::Resource;
use crate::lab::api::selector::Selector;
use crate::lab::api::store::{Change, Past, Store};

/// How often a quiet watch says that it is still alive.
const BOOKMARK: Duration = Duration::from_secs(10);

struct Watching {
    store: Store,
    resource: &'static Resource,
    ns: Option<String>,
    selector: Selector,
    wanted: Wanted,
    carry: Carry,
    bookmarks: bool,
    at: u64,
    news: tokio::sync::watch::Receiver<u64>,
    /// Lines that are ready to go.
    ready: Vec<u8>,
    columns_sent: bool,
    until: Instant,
    next_bookmark: Instant,
    stop: CancellationToken,
    over: bool,
}

impl Wire {
    /// A watch, from a resource version or from now.
    pub(super) fn watch(
        &self,
        at: &Objects,
        query: &Query,
        wanted: Wanted,
        stop: CancellationToken,
    ) -> Result<Answer, ApiError> {
        let seconds = match query.number::<u64>("timeoutSeconds")? {
            Some(0) | None => 1800,
            Some(n) => n.min(86_400),
        };
        let mut watching = Watching {
            store: self.store.clone(),
            resource: at.resource,
            ns: at.ns.clone(),
            selector: selector(at, query)?,
            wanted,
            carry: Carry::of(query.get("includeObject"))?,
            bookmarks: query.flag("allowWatchBookmarks"),
            at: 0,
            news: self.store.news(stored(at.resource)),
            ready: Vec::new(),
            columns_sent: false,
            until: Instant::now() + Duration::from_secs(seconds),
            next_bookmark: Instant::now() + BOOKMARK,
            stop,
            over: false,
        };
        watching.begin(query)?;
        let body = StreamBody::new(watching.stream());
        let kind = if wanted.yaml { "application/yaml;stream=watch" } else { "application/json" };
        let mut answer = answer::whole(200, kind, Bytes::new());
        *answer.body_mut() = body.boxed_unsync();
        Ok(answer)
    }
}

impl Watching {
    /// Where it starts: at what is there (no version, or 0, or asked for), or after a version.
    fn begin(&mut self, query: &Query) -> Result<(), ApiError> {
        let initial = query.get("sendInitialEvents");
        if initial.is_some() && query.get("resourceVersionMatch") != Some("NotOlderThan") {
            return Err(ApiError::bad_request(
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless resourceVersionMatch is \
                 set to NotOlderThan",
            ));
        }
        let asked = query.get("resourceVersion").map(version).transpose()?;
        let current = self.store.resource_version();
        if let Some(asked) = asked.filter(|v| *v > current) {
            return Err(too_large(asked, current));
        }
        let from_state = query.flag("sendInitialEvents") || (initial.is_none() && asked.is_none_or(|v| v == 0));
        if !from_state {
            self.at = asked.filter(|v| *v > 0).unwrap_or(current);
            return Ok(());
        }
        let listing = self.store.list(stored(self.resource), self.ns.as_deref(), &self.selector);
        for object in &listing.items {
            self.say("ADDED", object);
        }
        self.at = listing.resource_version;
        if query.flag("sendInitialEvents") && self.bookmarks {
            self.bookmark(true);
        }
        Ok(())
    }

    fn stream(self) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
        stream::unfold(self, |mut watching| async move {
            let lines = watching.next().await?;
            Some((Ok(Frame::data(Bytes::from(lines))), watching))
        })
    }

    /// The next lines; none when the time is up or the API stops.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if !self.ready.is_empty() {
                return Some(std::mem::take(&mut self.ready));
            }
            if self.over {
                return None;
            }
            self.read();
            if !self.ready.is_empty() || self.over {
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => self.bookmark(false),
                changed = self.news.changed() => if changed.is_err() { return None },
            }
        }
    }

    fn read(&mut self) {
        self.news.mark_unchanged();
        match self.store.past(stored(self.resource), self.at) {
            Ok((steps, newest)) => {
                for step in &steps {
                    self.tell(step);
                }
                self.at = newest;
            }
            Err(e) => {
                let gone = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": e.message, "reason": e.reason, "code": e.code });
                self.line("ERROR", &gone);
                self.over = true;
            }
        }
    }

    /// A step, as this watch sees it: an object that no longer matches is deleted for it.
    fn tell(&mut self, step: &Past) {
        let mine = |o: &Arc<Value>| {
            let here = self.ns.as_deref().is_none_or(|ns| o["metadata"]["namespace"] == ns);
            here && self.selector.matches(o)
        };
        let was = step.before.as_ref().is_some_and(mine);
        let is = step.object.as_ref().is_some_and(mine);
        let kind = match (was, is) {
            (false, true) => Change::Added,
            (true, true) => Change::Modified,
            (true, false) => Change::Deleted,
            (false, false) => return,
        };
        let Some(object) = step.object.as_ref().or(step.before.as_ref()) else { return };
        self.say(
            match kind {
                Change::Added => "ADDED",
                Change::Modified => "MODIFIED",
                Change::Deleted => "DELETED",
            },
            object,
        );
    }

    fn say(&mut self, kind: &str, object: &Arc<Value>) {
        let object = events::shown(self.resource, object);
        match self.wanted.form {
            Form::Whole => self.line(kind, &object),
            Form::Metadata => self.line(kind, &render::metadata(&object)),
            Form::Table => {
                let meta = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
                let first = !std::mem::replace(&mut self.columns_sent, true);
                let table = render::table(self.resource, std::slice::from_ref(&object), self.carry, first, meta);
                self.line(kind, &table);
            }
        }
    }

    fn bookmark(&mut self, initial: bool) {
        self.next_bookmark = Instant::now() + BOOKMARK;
        let mut object = json!({ "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
            "metadata": { "resourceVersion": self.at.to_string() } });
        if initial {
            object["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        match self.wanted.form {
            Form::Whole => self.line("BOOKMARK", &object),
            Form::Metadata => self.line("BOOKMARK", &render::metadata(&object)),
            Form::Table => {
                let meta = json!({ "resourceVersion": self.at.to_string() });
                let first = !std::mem::replace(&mut self.columns_sent, true);
                let mut table = render::table(self.resource, &[], self.carry, first, meta);
                let carried = render::metadata(&object);
                table["rows"] = json!([{ "cells": [], "object": carried }]);
                self.line("BOOKMARK", &table);
            }
        }
    }

    fn line(&mut self, kind: &str, object: &Value) {
        self.ready.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").as_bytes());
    }
}
