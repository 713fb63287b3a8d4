//! The node's side: pods become processes.
//!
//! A pod that is bound to a node is run here: its Job's work or its instance manager, container states and conditions, probes, restarts, graceful
//! ends, events; and what the API server asks a node for: logs, commands, ports. This folder must not know what an operator decides.

pub mod pod;
pub mod probe;
