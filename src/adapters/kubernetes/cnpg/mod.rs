//! CloudNativePG's objects → the field's terms.
//!
//! [`picture`] joins a cluster's objects; [`spec`] and [`store`] read single ones; [`transitions`] and [`happenings`]
//! tell what changed. Old forms and new (CNPG 1.22 to 1.30) are read alike: every field is optional, and an unknown word
//! stays the word it is. Nothing is judged here.

pub mod happenings;
mod picture;
mod piece;
pub(super) mod spec;
pub(super) mod store;
pub mod transitions;

pub(in crate::adapters) use happenings::KubeEvent;
pub use happenings::event_happening;
pub use picture::picture;
pub(in crate::adapters) use piece::piece;
pub use transitions::transitions;
