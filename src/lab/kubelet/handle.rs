//! A running pod, as others on the node need it: its log, its instance, its place in the network.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::logbook::LogBook;
use crate::lab::instance::Instance;
use crate::lab::object::{name, namespace, text, uid};
use crate::lab::postgres::Place;

/// The log of a container's present run, and of the one before.
#[derive(Clone, Debug, Default)]
struct Books {
    current: LogBook,
    previous: Option<LogBook>,
}

/// A pod that runs on a node of the lab.
pub struct Handle {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its address in the pod network (which is only told, never dialled).
    pub ip: String,
    /// Where it is.
    pub place: Place,
    /// Where its node is.
    pub node: Place,
    /// Something of it happened that its node could not tell, or not hear of.
    missed: AtomicBool,
    books: Mutex<HashMap<String, Books>>,
    instance: Mutex<Option<Arc<Instance>>>,
    kill: Mutex<Option<CancellationToken>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// A handle for a pod at that place and address.
    pub fn new(pod: &Value, place: Place, ip: String) -> Self {
        let node = Place { name: text(pod, "/spec/nodeName").to_owned(), zone: place.zone.clone() };
        Handle {
            namespace: namespace(pod).to_owned(),
            name: name(pod).to_owned(),
            uid: uid(pod).to_owned(),
            ip,
            place,
            node,
            missed: AtomicBool::new(false),
            books: Mutex::default(),
            instance: Mutex::default(),
            kill: Mutex::default(),
        }
    }

    /// Begins a new log for a container's next run.
    pub fn open_log(&self, container: &str) -> LogBook {
        let mut books = lock(&self.books);
        let fresh = LogBook::default();
        let before = books.remove(container);
        let entry = Books { current: fresh.clone(), previous: before.map(|b| b.current) };
        books.insert(container.to_owned(), entry);
        fresh
    }

    /// The log of a container, if it has run.
    pub fn log(&self, container: &str, previous: bool) -> Option<LogBook> {
        let books = lock(&self.books);
        let book = books.get(container)?;
        if previous { book.previous.clone() } else { Some(book.current.clone()) }
    }

    /// The instance manager that runs in it now.
    pub fn instance(&self) -> Option<Arc<Instance>> {
        lock(&self.instance).clone()
    }

    /// Puts an instance manager in, or takes it out.
    pub fn set_instance(&self, instance: Option<Arc<Instance>>) {
        *lock(&self.instance) = instance;
    }

    /// Notes that its node could not tell or hear something.
    pub fn miss(&self) {
        self.missed.store(true, Ordering::SeqCst);
    }

    /// Whether something was missed since this was asked last.
    pub fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::SeqCst)
    }

    /// Takes over how its container's processes are killed.
    pub fn set_kill(&self, kill: CancellationToken) {
        *lock(&self.kill) = Some(kill);
    }

    /// SIGKILL to all processes of its container. False when none has been started yet.
    pub fn kill(&self) -> bool {
        lock(&self.kill).as_ref().map(CancellationToken::cancel).is_some()
    }
}
