//! Who may do what. The lab's token may do everything, unless a rule says otherwise.

use std::sync::{Arc, PoisonError, RwLock};

/// What a request wants to do, in the words of a SelfSubjectAccessReview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub verb: String,
    pub group: String,
    /// Plural. Empty for a path that is no resource.
    pub resource: String,
    pub subresource: String,
    /// Empty for all namespaces and for kinds without one.
    pub namespace: String,
    pub name: String,
}

/// Something forbidden. Every field must fit; `*` fits all, and an empty subresource fits only the main resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forbidden {
    pub verb: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
}

impl Forbidden {
    fn fits(&self, wanted: &Attributes) -> bool {
        let fits = |rule: &str, is: &str| rule == "*" || rule == is;
        fits(&self.verb, &wanted.verb)
            && fits(&self.resource, &wanted.resource)
            && fits(&self.subresource, &wanted.subresource)
            && fits(&self.namespace, &wanted.namespace)
    }
}

/// The rules in force. Cloning gives another handle to the same rules.
#[derive(Clone, Debug, Default)]
pub struct Access {
    forbidden: Arc<RwLock<Vec<Forbidden>>>,
}

impl Access {
    /// Replaces all rules. None means: everything is allowed.
    pub fn forbid(&self, rules: Vec<Forbidden>) {
        *self.forbidden.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Whether there is any rule.
    pub fn is_restricted(&self) -> bool {
        !self.forbidden.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether it may be done.
    pub fn allows(&self, wanted: &Attributes) -> bool {
        !self.forbidden.read().unwrap_or_else(PoisonError::into_inner).iter().any(|rule| rule.fits(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_what_is_forbidden() {
        let access = Access::default();
        let wanted = |verb: &str, sub: &str| Attributes {
            verb: verb.into(),
            resource: "pods".into(),
            subresource: sub.into(),
            namespace: "db".into(),
            ..Attributes::default()
        };
        assert!(access.allows(&wanted("delete", "")));
        let rule =
            Forbidden { verb: "delete".into(), resource: "pods".into(), namespace: "*".into(), ..Default::default() };
        access.forbid(vec![rule]);
        assert!(!access.allows(&wanted("delete", "")));
        assert!(access.allows(&wanted("get", "")) && access.allows(&wanted("delete", "exec")));
    }
}
