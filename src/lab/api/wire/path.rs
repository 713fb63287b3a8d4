//! Reading request paths and queries.

use crate::lab::api::error::ApiError;
use crate::lab::api::resources::{self, Resource};

/// Where a path leads.
#[derive(Debug, PartialEq)]
pub(crate) enum Path {
    /// `/livez`, `/readyz`, `/healthz`.
    Health,
    Version,
    /// `/`: the list of paths.
    Root,
    /// `/api`.
    Core,
    /// `/apis`.
    Groups,
    /// `/apis/<group>`.
    Group(String),
    /// `/api/v1`, `/apis/<group>/<version>`.
    Kinds {
        group: String,
        version: String,
    },
    /// `/openapi/v3` (empty) or one of its documents (`api/v1`, `apis/apps/v1`).
    OpenApi(String),
    OpenApi2,
    /// A kind that is asked but not kept: `selfsubjectaccessreviews` and its like.
    Review {
        plural: String,
    },
    Objects(Objects),
}

/// A collection, an object, or something of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objects {
    pub resource: &'static Resource,
    /// Absent for all namespaces and for kinds without one.
    pub ns: Option<String>,
    pub name: Option<String>,
    pub sub: Option<String>,
    /// What follows a `proxy` subresource, with its leading slash.
    pub rest: String,
}

impl Objects {
    /// The namespace, empty where there is none.
    pub fn namespace(&self) -> &str {
        self.ns.as_deref().unwrap_or_default()
    }

    /// The name, empty for a collection.
    pub fn object(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

const REVIEWS: &[(&str, &str)] = &[
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

impl Path {
    /// `None` for a path that leads nowhere.
    pub fn parse(path: &str) -> Option<Path> {
        let parts: Vec<String> = path.split('/').skip(1).map(|p| decode(p, false)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let parts = match parts.as_slice() {
            [most @ .., ""] if !most.is_empty() && !most.contains(&"proxy") => most,
            all => all,
        };
        Some(match parts {
            [""] | [] => Path::Root,
            ["livez" | "readyz" | "healthz", ..] => Path::Health,
            ["version"] => Path::Version,
            ["api"] => Path::Core,
            ["apis"] => Path::Groups,
            ["openapi", "v2"] => Path::OpenApi2,
            ["openapi", "v3", rest @ ..] => Path::OpenApi(rest.join("/")),
            ["api", version] => Path::Kinds { group: String::new(), version: (*version).to_owned() },
            ["apis", group] => Path::Group((*group).to_owned()),
            ["apis", group, version] => Path::Kinds { group: (*group).to_owned(), version: (*version).to_owned() },
            ["apis", group, "v1", plural] if REVIEWS.contains(&(group, plural)) => {
                Path::Review { plural: (*plural).to_owned() }
            }
            ["api", version, rest @ ..] => Path::Objects(objects("", version, rest)?),
            ["apis", group, version, rest @ ..] => Path::Objects(objects(group, version, rest)?),
            _ => return None,
        })
    }
}

fn objects(group: &str, version: &str, parts: &[&str]) -> Option<Objects> {
    let own = |s: &str| Some(s.to_owned());
    let (ns, plural, rest) = match parts {
        // A namespace's own subresources look like a kind inside it.
        ["namespaces", name, sub @ ("status" | "finalize")] if group.is_empty() => {
            return found(group, version, "namespaces", None, &[name, sub]);
        }
        ["namespaces", ns, plural, rest @ ..] => (own(ns), plural, rest),
        [plural, rest @ ..] => (None, plural, rest),
        [] => return None,
    };
    found(group, version, plural, ns, rest)
}

fn found(group: &str, version: &str, plural: &str, ns: Option<String>, rest: &[&str]) -> Option<Objects> {
    let resource = resources::at(group, version, plural)?;
    if ns.is_some() && !resource.namespaced {
        return None;
    }
    let own = |s: &str| Some(s.to_owned());
    let (name, sub, rest) = match rest {
        [] => (None, None, String::new()),
        [name] => (own(name), None, String::new()),
        [name, sub] => (own(name), own(sub), String::new()),
        [name, "proxy", rest @ ..] => (own(name), own("proxy"), format!("/{}", rest.join("/"))),
        _ => return None,
    };
    // An object inside a namespace can't be named without it.
    if name.is_some() && resource.namespaced && ns.is_none() {
        return None;
    }
    Some(Objects { resource, ns, name, sub, rest })
}

/// Percent decoding; in a query `+` is a space too. What is not UTF-8 is replaced.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 2;
            }
            (b'+', _, _) if plus => out.push(b' '),
            (byte, _, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parameters behind the question mark, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|p| !p.is_empty());
        Query(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key, true), decode(value, true))
                })
                .collect(),
        )
    }

    /// The first value of a parameter; none when it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether a parameter says yes.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1" | "True" | "TRUE" | "t"))
    }

    /// A number.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let bad = || ApiError::bad_request(format!("invalid value for parameter {key}: \"{text}\""));
        text.parse().map(Some).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::resources::{CLUSTERS, NAMESPACES, PODS};
    use proptest::prelude::*;

    fn at(path: &str) -> Objects {
        match Path::parse(path) {
            Some(Path::Objects(objects)) => objects,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn paths_lead_to_objects() {
        let all = at("/api/v1/pods");
        assert_eq!((all.resource, all.ns, all.name), (&PODS, None, None));
        let one = at("/apis/postgresql.cnpg.io/v1/namespaces/db/clusters/demo/status");
        assert_eq!(
            (one.resource, one.namespace(), one.object(), one.sub.as_deref()),
            (&CLUSTERS, "db", "demo", Some("status"))
        );
        let ns = at("/api/v1/namespaces/db/finalize");
        assert_eq!((ns.resource, ns.object(), ns.sub.as_deref()), (&NAMESPACES, "db", Some("finalize")));
        let proxy = at("/api/v1/namespaces/db/pods/https:demo-1:8000/proxy/pg/status");
        assert_eq!((proxy.object(), proxy.rest.as_str()), ("https:demo-1:8000", "/pg/status"));
        assert_eq!(at("/api/v1/namespaces/db/pods/https%3Ademo-1%3A8000/proxy/").rest, "/");
    }

    #[test]
    fn the_rest_is_discovery_or_nothing() {
        assert_eq!(Path::parse("/"), Some(Path::Root));
        assert_eq!(Path::parse("/api"), Some(Path::Core));
        assert_eq!(Path::parse("/apis/apps"), Some(Path::Group("apps".into())));
        assert_eq!(Path::parse("/openapi/v3/apis/apps/v1"), Some(Path::OpenApi("apis/apps/v1".into())));
        for nowhere in ["/apix", "/api/v1/nopes", "/api/v2/pods", "/api/v1/pods/x", "/api/v1/namespaces/a/nodes"] {
            assert_eq!(Path::parse(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn queries() {
        let query = Query::parse(Some("command=a+b&command=%2Fc%zz&follow=true&tailLines=5&limit=x"));
        assert_eq!(query.all("command").collect::<Vec<_>>(), ["a b", "/c%zz"]);
        assert!(query.flag("follow") && !query.flag("watch"));
        assert_eq!(query.number::<usize>("tailLines"), Ok(Some(5)));
        assert_eq!(query.number::<usize>("limit").map_err(|e| e.code), Err(400));
    }

    proptest! {
        #[test]
        fn no_path_or_query_panics(text in ".{0,80}") {
            let _ = Path::parse(&format!("/{text}"));
            let _ = Path::parse(&format!("/api/v1/namespaces/{text}"));
            let _ = Query::parse(Some(&text));
        }
    }
}
