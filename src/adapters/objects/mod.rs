//! Object stores, read only: Azure Blob, S3 and its kin, Google's, in the layout that Barman keeps.
//!
//! [`place`] and [`reference`] say where a cluster's archive is and with which credentials, [`keys`] reads those (and only
//! those) from the secrets that are named, [`open`] makes the client, [`reader`] lists page by page and reads the small
//! files, [`source`] tells of it as a fact. Nothing here writes to a store, and nothing judges what is in it: that is
//! [`crate::domain::backup`]. A copy in a [`folder`] of this machine is read where a person names it; a cluster's spec never
//! leads to one, as it must not choose what is read here.

pub mod azure;
pub mod find;
pub mod folder;
pub mod keys;
pub mod open;
pub mod place;
pub mod reader;
pub mod reference;
pub mod source;
mod trouble;
