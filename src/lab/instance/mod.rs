//! What runs inside an instance's pod: CNPG's instance manager.
//!
//! It watches its own Cluster object and its lease, runs the PostgreSQL server of this instance in the role that is wanted, and answers
//! `/pg/status`, the probes and `/metrics`. It must not know other pods, nodes, or how the operator decides: they meet
//! through the API's objects and the network only.

pub mod decide;
pub mod status;
pub mod view;
