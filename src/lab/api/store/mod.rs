//! The objects and their history: what etcd and the API server's storage are to a cluster.
//!
//! One counter gives resource versions to all kinds, every write is one step of one kind's history, and watchers read
//! that history at their own pace. It knows kinds only by the table of [`super::resources`].

mod delete;
mod events;
mod garbage;
mod meta;
mod pace;
mod watch;
mod write;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::ApiError;
use super::resources::Resource;
use super::selector::Selector;

pub use delete::{DeleteOptions, Preconditions, Propagation};
pub use events::EventType;
pub use meta::{Ref, now};
pub use pace::Follower;
pub use watch::{Change, Past, Watch, WatchEvent};
pub use write::Part;

/// How many steps of one kind's history are remembered. Older resource versions are answered with 410.
const HISTORY: usize = 4096;
/// And for how long: what an API server's compaction leaves. Without it a long drill's memory would be its history.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Namespace (empty for kinds without one) and name.
pub type Key = (String, String);

/// The state of the world as objects. Cloning gives another handle to the same state.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    hand: Hand,
}

/// How one handle writes.
#[derive(Clone, Default)]
struct Hand {
    /// Who writes. A handle without a name leaves ownership alone where nobody has claimed any.
    manager: Option<Arc<str>>,
    subresource: &'static str,
    /// The edit sets `managedFields` itself.
    owns: bool,
    /// Nothing is kept.
    dry: bool,
}

/// Looks at objects that come over the wire, as a cluster's admission webhooks do: may complete or refuse them. Given
/// are the store, the kind, the stored object (none when it is new) and the object to be.
pub type Admission =
    Arc<dyn Fn(&Store, &'static Resource, Option<&Value>, &mut Value) -> Result<(), ApiError> + Send + Sync>;

struct Inner {
    world: Mutex<World>,
    admission: RwLock<Vec<Admission>>,
    followers: pace::Followers,
}

#[derive(Default)]
struct World {
    version: u64,
    tables: HashMap<(&'static str, &'static str), Table>,
}

/// All objects of one kind.
struct Table {
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Past>,
    /// The newest resource version that history no longer holds.
    forgotten: u64,
    news: tokio::sync::watch::Sender<u64>,
}

impl Default for Table {
    fn default() -> Self {
        Table {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            forgotten: 0,
            news: tokio::sync::watch::Sender::new(0),
        }
    }
}

/// Objects as they were at one resource version.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// In the order of namespace and name.
    pub items: Vec<Arc<Value>>,
    pub resource_version: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// An empty world.
    pub fn new() -> Self {
        // Resource versions of a real cluster are never small; 0 has a meaning of its own.
        let world = World { version: 1000, ..World::default() };
        Store {
            inner: Arc::new(Inner {
                world: Mutex::new(world),
                admission: RwLock::default(),
                followers: pace::Followers::default(),
            }),
            hand: Hand::default(),
        }
    }

    /// The same world, written under a field manager's name: what is written is owned.
    #[must_use]
    pub fn as_manager(&self, name: &str) -> Self {
        self.with(|hand| hand.manager = Some(Arc::from(name)))
    }

    /// The same world, written through a subresource.
    pub(crate) fn through(&self, subresource: &'static str) -> Self {
        self.with(|hand| hand.subresource = subresource)
    }

    /// The same world for edits that set `managedFields` themselves.
    pub(crate) fn owning(&self) -> Self {
        self.with(|hand| hand.owns = true)
    }

    /// The same world, seen only: writes are checked and answered, and nothing is kept.
    #[must_use]
    pub fn dry_run(&self, dry: bool) -> Self {
        self.with(|hand| hand.dry = dry)
    }

    fn with(&self, change: impl FnOnce(&mut Hand)) -> Self {
        let mut other = self.clone();
        change(&mut other.hand);
        other
    }

    /// Adds a look at what comes over the wire.
    pub fn admit(&self, admission: Admission) {
        self.inner.admission.write().unwrap_or_else(PoisonError::into_inner).push(admission);
    }

    /// Lets everybody look who was added.
    ///
    /// # Errors
    /// What the first that refuses says.
    pub(crate) fn admission(
        &self,
        resource: &'static Resource,
        before: Option<&Value>,
        after: &mut Value,
    ) -> Result<(), ApiError> {
        let all = self.inner.admission.read().unwrap_or_else(PoisonError::into_inner).clone();
        all.iter().try_for_each(|admission| admission(self, resource, before, after))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere leaves the world whole: every write is a single assignment.
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object. `ns` is ignored for kinds without a namespace.
    pub fn get(&self, resource: &'static Resource, ns: &str, name: &str) -> Option<Arc<Value>> {
        self.world().table_ref(resource)?.objects.get(&key(resource, ns, name)).cloned()
    }

    /// The objects of one namespace, or of all.
    pub fn list(&self, resource: &'static Resource, ns: Option<&str>, selector: &Selector) -> Listing {
        let world = self.world();
        let here = |key: &Key| ns.is_none_or(|ns| !resource.namespaced || key.0 == ns);
        let items = world.table_ref(resource).into_iter().flat_map(|t| t.objects.iter());
        let items = items.filter(|(k, o)| here(k) && selector.matches(o)).map(|(_, o)| Arc::clone(o)).collect();
        Listing { items, resource_version: world.version }
    }

    /// The newest resource version given out.
    pub fn resource_version(&self) -> u64 {
        self.world().version
    }
}

/// The key under which an object is kept.
pub(crate) fn key(resource: &Resource, ns: &str, name: &str) -> Key {
    (if resource.namespaced { ns.to_owned() } else { String::new() }, name.to_owned())
}

impl World {
    fn table_ref(&self, resource: &Resource) -> Option<&Table> {
        self.tables.get(&(resource.group, resource.plural))
    }

    fn table(&mut self, resource: &'static Resource) -> &mut Table {
        self.tables.entry((resource.group, resource.plural)).or_default()
    }

    /// Puts an object in place, gives it the next resource version and tells the watchers.
    fn put(&mut self, resource: &'static Resource, key: Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        let version = self.version;
        meta::set_version(&mut object, version);
        let object = Arc::new(object);
        let table = self.table(resource);
        let before = table.objects.insert(key, Arc::clone(&object));
        table.remember(Past { version, at: Instant::now(), before, object: Some(Arc::clone(&object)) });
        object
    }

    /// Takes an object away. The last state the watchers see carries the resource version of the deletion.
    fn take(&mut self, resource: &'static Resource, key: &Key) -> Option<Arc<Value>> {
        let before = self.table(resource).objects.remove(key)?;
        self.version += 1;
        let version = self.version;
        let mut last = Value::clone(&before);
        meta::set_version(&mut last, version);
        let last = Arc::new(last);
        self.table(resource).remember(Past {
            version,
            at: Instant::now(),
            before: Some(Arc::clone(&last)),
            object: None,
        });
        Some(last)
    }
}

impl Table {
    fn remember(&mut self, past: Past) {
        let version = past.version;
        self.history.push_back(past);
        let old = |past: &Past| past.at.elapsed() > REMEMBERED;
        while self.history.len() > HISTORY || self.history.front().is_some_and(old) {
            if let Some(old) = self.history.pop_front() {
                self.forgotten = old.version;
            }
        }
        self.news.send_replace(version);
    }
}

#[cfg(test)]
mod tests;
