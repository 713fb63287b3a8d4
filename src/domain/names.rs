//! Names, as types that can't be confused with each other. Cheap to clone, ordered as a person reads them.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl<S: AsRef<str>> From<S> for $Name {
            fn from(s: S) -> Self {
                $Name(crate::text::clean(s.as_ref()).into())
            }
        }
        impl PartialEq<str> for $Name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }
        impl PartialEq<&str> for $Name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

name!(
    /// A kubeconfig context: which Kubernetes is meant.
    Context
);
name!(
    /// A PostgreSQL instance. For CNPG its pod's name; for PGO its StatefulSet's name.
    InstanceName
);
name!(
    /// A Kubernetes node.
    NodeName
);
name!(
    /// An availability zone: the node's label `topology.kubernetes.io/zone`.
    ZoneName
);

/// One PostgreSQL cluster anywhere: context, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClusterKey {
    /// The kubeconfig context it was seen through.
    pub context: Context,
    /// Its Kubernetes namespace.
    pub namespace: Arc<str>,
    /// Its name there.
    pub name: Arc<str>,
}

impl ClusterKey {
    /// A key from its three parts.
    pub fn new(context: impl Into<Context>, namespace: &str, name: &str) -> Self {
        ClusterKey { context: context.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
