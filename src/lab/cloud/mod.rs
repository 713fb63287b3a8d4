//! What a lab has of a public cloud: the account its backups are in.
//!
//! It serves files that others put there, and must not know what they mean, nor who runs in pods.

pub mod blob;
