//! What Kubernetes' own controllers do, at the objects of the lab's API.

pub mod pod_defaults;
