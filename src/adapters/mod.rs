//! How things are learned and done: everything that talks to the outside.
//!
//! A source tells (facts and news), an executor does. This folder knows the wires (Kubernetes, PostgreSQL); it must not
//! know how a value is shown (no ui, panes, app) nor anything of the lab: they meet on the wire only.

pub mod kubernetes;
pub mod playback;
