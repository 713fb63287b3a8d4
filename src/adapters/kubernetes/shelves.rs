//! Where the watched objects of a context stand, and the ways to find them: by name, by the cluster they belong to, and
//! by the object they are about. No way makes a name or looks at what it is not asked for: a picture is put together after
//! every event.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decode::Part;
use super::kinds::Kind;

/// Namespace and name.
pub(super) type Id = (Arc<str>, Arc<str>);

type ByName<T> = BTreeMap<Arc<str>, T>;

/// Kinds and names, in order: a handful each, so a sorted list is smaller than a tree and found as fast.
type Names = Vec<(Kind, Arc<str>)>;

/// All objects, by kind, namespace and name.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    kinds: BTreeMap<Kind, ByName<ByName<Part>>>,
    /// The objects of each cluster, by namespace and the cluster's name.
    members: ByName<ByName<Names>>,
    /// The objects about another one (endpoints about a service, a complaint about a pod), by namespace and its name.
    about: ByName<ByName<Names>>,
}

impl Shelves {
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Part> {
        self.kinds.get(&kind)?.get(namespace)?.get(name)
    }

    /// All objects of a kind, in the order of namespaces and names.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Part)> {
        let namespaces = self.kinds.get(&kind).into_iter().flatten();
        namespaces.flat_map(|(namespace, parts)| parts.iter().map(move |(name, part)| (namespace, name, part)))
    }

    /// The objects of a kind that belong to a cluster, by name.
    pub fn of(&self, namespace: &str, cluster: &str, kind: Kind) -> impl Iterator<Item = (&str, &Part)> {
        let names = self.members_of(namespace, cluster);
        let names = &names[names.partition_point(|(k, _)| *k < kind)..];
        let parts = self.kinds.get(&kind).and_then(|k| k.get(namespace));
        names.iter().take_while(move |(k, _)| *k == kind).filter_map(move |(_, n)| Some((&**n, parts?.get(n)?)))
    }

    /// The kinds and names of the objects that belong to a cluster.
    pub fn members_of(&self, namespace: &str, cluster: &str) -> &[(Kind, Arc<str>)] {
        self.members.get(namespace).and_then(|m| m.get(cluster)).map_or(&[], Vec::as_slice)
    }

    /// The objects about the one of that name, whatever its kind: each [`Part::about`] says which.
    pub fn about(&self, namespace: &str, name: &str) -> impl Iterator<Item = (Kind, &Arc<str>, &Part)> {
        let names = self.about.get(namespace).and_then(|a| a.get(name)).map_or(&[][..], Vec::as_slice);
        names.iter().filter_map(move |(kind, name)| Some((*kind, name, self.get(*kind, namespace, name)?)))
    }

    /// After a list was put in one by one, what grew by halves is made as dense as it can be.
    pub fn compact(&mut self, kind: Kind) {
        for shelf in self.kinds.get_mut(&kind).into_iter().flat_map(BTreeMap::values_mut) {
            *shelf = std::mem::take(shelf).into_iter().collect();
        }
    }

    /// Puts an object in its place; the one that stood there goes.
    pub fn put(&mut self, kind: Kind, (namespace, name): Id, mut part: Part) {
        if let Some(cluster) = part.cluster()
            && let Some((known, _)) = self.members.get(&namespace).and_then(|m| m.get_key_value(&cluster))
        {
            part.share_cluster(known);
        }
        let own = |part: &Part| (part.cluster(), part.about().map(|(_, name)| name));
        let (cluster, about) = own(&part);
        let shelf = self.kinds.entry(kind).or_default().entry(namespace.clone()).or_default();
        let before = shelf.insert(name.clone(), part).map(|old| own(&old));
        if before.as_ref().is_some_and(|before| *before == (cluster.clone(), about.clone())) {
            return;
        }
        if let Some((cluster, about)) = before {
            self.unlist(kind, &namespace, &name, cluster, about);
        }
        if let Some(cluster) = cluster {
            list(&mut self.members, &namespace, cluster, (kind, name.clone()));
        }
        if let Some(about) = about {
            list(&mut self.about, &namespace, about, (kind, name));
        }
    }

    pub fn remove(&mut self, kind: Kind, (namespace, name): &Id) -> Option<Part> {
        let part = self.kinds.get_mut(&kind)?.get_mut(namespace)?.remove(name)?;
        self.unlist(kind, namespace, name, part.cluster(), part.about().map(|(_, name)| name));
        Some(part)
    }

    fn unlist(&mut self, kind: Kind, ns: &str, name: &Arc<str>, cluster: Option<Arc<str>>, about: Option<Arc<str>>) {
        for (index, of) in [(&mut self.members, cluster), (&mut self.about, about)] {
            let Some(of) = of else { continue };
            let Some(lists) = index.get_mut(ns) else { continue };
            let Some(names) = lists.get_mut(&of) else { continue };
            if let Ok(place) = place(names, kind, name) {
                names.remove(place);
            }
            if names.is_empty() {
                lists.remove(&of);
            }
        }
    }
}

fn place(names: &Names, kind: Kind, name: &str) -> Result<usize, usize> {
    names.binary_search_by(|(k, n)| (*k, &**n).cmp(&(kind, name)))
}

fn list(index: &mut ByName<ByName<Names>>, namespace: &Arc<str>, of: Arc<str>, entry: (Kind, Arc<str>)) {
    let names = index.entry(namespace.clone()).or_default().entry(of).or_default();
    if let Err(place) = place(names, entry.0, &entry.1) {
        // Most lists never grow again: they are kept to size.
        names.reserve_exact(1);
        names.insert(place, entry);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    use super::super::cnpg::picture;
    use super::super::objects::{Kind, ObjectEvent};
    use super::super::tests::world;
    use crate::domain::names::ClusterKey;

    /// Kinds that belong to a cluster by their own word, or by that of the object they are about.
    const KINDS: [Kind; 4] = [Kind::Pod, Kind::Service, Kind::EndpointSlice, Kind::Event];

    fn object(kind: usize, n: usize, of: usize) -> Value {
        let meta = |name: &str, labels: Value| json!({"name": name, "namespace": "db", "labels": labels});
        match KINDS[kind] {
            Kind::Pod => json!({"metadata": meta(&format!("c{of}-{n}"), json!({"cnpg.io/cluster": format!("c{of}"),
                "cnpg.io/podRole": "instance"})), "status": {"phase": "Running"}}),
            Kind::Service => json!({"metadata": meta(&format!("s{n}"), json!({})),
                "spec": {"selector": {"cnpg.io/cluster": format!("c{of}")}}}),
            Kind::EndpointSlice => json!({"metadata": meta(&format!("x{n}"),
                json!({"kubernetes.io/service-name": format!("s{of}")})),
                "endpoints": [{"targetRef": {"name": format!("c{of}-{n}")}}]}),
            _ => json!({"metadata": meta(&format!("e{n}"), json!({})), "type": "Warning", "reason": format!("R{n}"),
                "involvedObject": {"kind": "Pod", "name": format!("c{of}-{of}")},
                "lastTimestamp": format!("2026-11-20T22:50:0{}Z", n % 2)}),
        }
    }

    proptest! {
        #[test]
        fn what_comes_one_by_one_is_found_as_if_it_had_been_listed(
            steps in prop::collection::vec((0usize..4, 0usize..4, 0usize..3, prop::bool::weighted(0.2)), 1..80),
        ) {
            let clusters: Vec<_> = (0..3).map(|n| json!({"metadata": {"name": format!("c{n}"), "namespace": "db"}})).collect();
            let mut lists: BTreeMap<usize, BTreeMap<String, Value>> = (0..KINDS.len()).map(|k| (k, BTreeMap::new())).collect();
            let mut grown = world(&[(Kind::Cluster, &clusters), (KINDS[0], &[]), (KINDS[1], &[]), (KINDS[2], &[]), (KINDS[3], &[])]);
            for (kind, n, of, gone) in steps {
                let object = object(kind, n, of);
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let list = lists.entry(kind).or_default();
                if gone {
                    grown.apply(ObjectEvent::Deleted(KINDS[kind], &object));
                    list.remove(&name);
                } else {
                    grown.apply(ObjectEvent::Applied(KINDS[kind], &object));
                    list.insert(name, object);
                }
            }
            let lists: Vec<Vec<Value>> = lists.into_values().map(|l| l.into_values().collect()).collect();
            let all: Vec<(Kind, &[Value])> = KINDS.into_iter().zip(lists.iter().map(Vec::as_slice)).collect();
            let listed = world(&[&[(Kind::Cluster, clusters.as_slice())], all.as_slice()].concat());
            for n in 0..3 {
                let key = ClusterKey::new("aks", "db", &format!("c{n}"));
                prop_assert_eq!(picture(&grown, &key), picture(&listed, &key));
            }
        }
    }
}
