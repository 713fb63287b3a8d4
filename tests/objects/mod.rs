//! An archive as Barman keeps it, and the stores it is put into: one in memory, Azurite, and moto's S3.

pub mod memory;
pub mod servers;
pub mod tree;
