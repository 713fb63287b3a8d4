//! The lab's Kubernetes API server: the objects, and the wire on which clients see them.
//!
//! Two doors lead to the same [`Store`]: in-process calls for the lab's own operator, controllers and kubelet, and TLS
//! with a bearer token for everybody else (kubectl, kubectl-cnpg, howdah itself). What a pod *does* (logs, exec, its
//! ports) is behind [`PodRuntime`]. This room knows objects and requests; it must not know what PostgreSQL is, how a
//! process is started, or what an operator decides.

pub mod access;
pub mod certificates;
mod defaults;
pub mod error;
pub mod kubeconfig;
mod patch;
pub mod resources;
pub mod runtime;
mod schema;
pub mod selector;
pub mod server;
pub mod store;
mod tables;
mod wire;

pub use access::Access;
pub use certificates::Certificates;
pub use error::ApiError;
pub use kubeconfig::write_kubeconfig;
pub use resources::Resource;
pub use runtime::PodRuntime;
pub use schema::fault_spec;
pub use selector::Selector;
pub use server::{Server, ServerHandle, ServerOptions, Token};
pub use store::{
    Admission, Change, DeleteOptions, EventType, Listing, Part, Preconditions, Propagation, Store, Watch, WatchEvent,
};
pub(crate) use wire::decode;
