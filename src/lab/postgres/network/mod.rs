//! The lab's network: every TCP connection to a server goes through a relay, and relays obey the weather.
//!
//! [`Network`] holds the weather: which places and zones can't talk, or only slowly. A [`Relay`] is a listening port on
//! loopback for one place (a standby's way to its primary, the clients' way to an instance or to `-rw`); it leads to
//! targets that may change while it runs. Nothing here knows what the bytes mean.

mod pump;
mod relay;
mod weather;

pub use relay::Relay;
pub use weather::{Network, Place, Policies, Policy, Scope, Target};

#[cfg(test)]
mod tests;
