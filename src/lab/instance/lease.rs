//! The primary's lease: one `coordination.k8s.io` Lease per cluster, held by the instance that may lead.
//!
//! CNPG 1.30: 15 seconds, renewed every 2, given back as holder "" for one second. What a holder that went silent had
//! is over when its duration has passed since its last renewal.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::decide::Lease;
use crate::lab::api::resources::LEASES;
use crate::lab::api::{ApiError, Part, Store};
use crate::lab::object::{micros, number, text};

/// Who holds it, for `me` at `now`.
pub fn look(lease: Option<&Value>, me: &str, now: Timestamp) -> Lease {
    let Some(lease) = lease else { return Lease::Free };
    let holder = text(lease, "/spec/holderIdentity");
    if holder == me {
        return Lease::Mine;
    }
    let renewed = text(lease, "/spec/renewTime").parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH);
    let seconds = number(lease, "/spec/leaseDurationSeconds").unwrap_or(0);
    let silent = now.as_second().saturating_sub(renewed.as_second());
    if holder.is_empty() || silent > seconds { Lease::Free } else { Lease::Held }
}

/// Takes it when it is free, or renews it when it is mine. Says whether it is mine afterwards.
pub fn hold(store: &Store, ns: &str, cluster: &str, me: &str, duration: u64) -> bool {
    let done = store.change(&LEASES, ns, cluster, Part::Main, |lease| {
        let now = Timestamp::now();
        let held = look(Some(lease), me, now);
        if held == Lease::Held {
            return Err(ApiError::new(409, "Conflict", "the lease is held by another instance"));
        }
        if !lease["spec"].is_object() {
            lease["spec"] = json!({});
        }
        if held == Lease::Free {
            let transitions = number(lease, "/spec/leaseTransitions").unwrap_or(0);
            lease["spec"]["leaseTransitions"] = json!(transitions + 1);
            lease["spec"]["acquireTime"] = json!(micros(now));
        }
        lease["spec"]["holderIdentity"] = json!(me);
        lease["spec"]["leaseDurationSeconds"] = json!(duration);
        lease["spec"]["renewTime"] = json!(micros(now));
        Ok(())
    });
    done.is_ok()
}

/// Gives it back, if it is mine.
pub fn release(store: &Store, ns: &str, cluster: &str, me: &str) -> bool {
    let done = store.change(&LEASES, ns, cluster, Part::Main, |lease| {
        if text(lease, "/spec/holderIdentity") != me {
            return Err(ApiError::new(409, "Conflict", "the lease is not this instance's"));
        }
        let now = json!(micros(Timestamp::now()));
        lease["spec"]["holderIdentity"] = json!("");
        lease["spec"]["leaseDurationSeconds"] = json!(1);
        lease["spec"]["acquireTime"] = now.clone();
        lease["spec"]["renewTime"] = now;
        Ok(())
    });
    done.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        let store = Store::new();
        store.create(&LEASES, "pg", json!({"metadata": {"name": "demo"}, "spec": {}})).unwrap();
        store
    }

    fn holder(store: &Store) -> (String, i64) {
        let lease = store.get(&LEASES, "pg", "demo").unwrap();
        (text(&lease, "/spec/holderIdentity").to_owned(), number(&lease, "/spec/leaseTransitions").unwrap_or(0))
    }

    #[test]
    fn it_has_one_holder_until_it_is_given_back() {
        let store = store();
        assert!(hold(&store, "pg", "demo", "demo-1", 15));
        assert!(!hold(&store, "pg", "demo", "demo-2", 15));
        assert!(hold(&store, "pg", "demo", "demo-1", 15));
        assert_eq!(holder(&store), ("demo-1".to_owned(), 1));
        assert!(!release(&store, "pg", "demo", "demo-2"));
        assert!(release(&store, "pg", "demo", "demo-1"));
        assert_eq!(holder(&store), (String::new(), 1));
        assert!(hold(&store, "pg", "demo", "demo-2", 15));
        assert_eq!(holder(&store), ("demo-2".to_owned(), 2));
    }

    #[test]
    fn a_silent_holder_loses_it_after_its_duration() {
        let lease = json!({"spec": {"holderIdentity": "demo-1", "leaseDurationSeconds": 15, "renewTime": "2026-11-20T22:50:00.000000Z"}});
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(look(Some(&lease), "demo-2", at("2026-11-20T22:50:15Z")), Lease::Held);
        assert_eq!(look(Some(&lease), "demo-2", at("2026-11-20T22:50:16Z")), Lease::Free);
        assert_eq!(look(Some(&lease), "demo-1", at("2026-11-20T22:59:00Z")), Lease::Mine);
        assert_eq!(look(None, "demo-1", at("2026-11-20T22:59:00Z")), Lease::Free);
    }
}
