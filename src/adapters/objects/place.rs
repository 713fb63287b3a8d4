//! Where an archive is: what `destinationPath` and `endpointURL` say, as Barman reads them.

use std::fmt;
use url::Url;

use crate::problem::Problem;
use crate::text::clean;

/// A server's folder in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As the spec says it, without whatever might be a secret in it.
    pub destination: String,
    /// The server's name.
    pub server: String,
    /// Which store.
    pub holder: Holder,
    /// The server's folder in it, without slashes at its ends.
    pub folder: String,
}

/// A container or bucket of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Azure Blob Storage.
    Azure {
        /// Where requests for the account go, such as `https://acme.blob.core.windows.net`; for a store that keeps accounts
        /// side by side (Azurite) the account is its path.
        endpoint: String,
        /// The storage account.
        account: String,
        /// The container.
        container: String,
    },
    /// S3, or what speaks like it.
    S3 {
        /// The bucket.
        bucket: String,
        /// Whose; `None`: Amazon's.
        endpoint: Option<String>,
    },
    /// Google Cloud Storage.
    Google {
        /// The bucket.
        bucket: String,
    },
    /// A folder of this machine that a person named: [`super::folder`]. No destination of a spec leads to one.
    Folder {
        /// Its path, as it is shown.
        path: String,
    },
}

impl Place {
    /// Reads a destination. `endpoint` is `endpointURL`, `server` the server's name.
    ///
    /// # Errors
    /// It is none that Barman knows, or says too little. Exit code 4: the archive is out of reach.
    pub fn read(destination: &str, endpoint: Option<&str>, server: &str) -> Result<Place, Problem> {
        let bad = |why: &str| {
            Problem::new(format!("can't tell where the archive {} is", bare(destination))).because(why).try_this(
                "destinationPath is s3://BUCKET/PATH, https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH or gs://BUCKET/PATH",
            )
        };
        if server.is_empty() || server.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(bad("the server's name can't be a folder"));
        }
        let (scheme, rest) = destination.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err(bad("it names no bucket or host"));
        }
        let (holder, path) = match scheme.to_ascii_lowercase().as_str() {
            "s3" => {
                let endpoint = endpoint.map(|e| base(e).ok_or_else(|| bad("endpointURL is no URL"))).transpose()?;
                (Holder::S3 { bucket: host.to_owned(), endpoint }, path)
            }
            "gs" => (Holder::Google { bucket: host.to_owned() }, path),
            scheme @ ("http" | "https") => azure(scheme, host, path).map_err(bad)?,
            other => return Err(bad(&format!("howdah reads no {other}:// stores"))),
        };
        let parts = path.split('/').chain([server]).filter(|p| !p.is_empty());
        let folder = parts.collect::<Vec<_>>().join("/");
        if folder.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(bad("its path leads out of itself"));
        }
        Ok(Place { destination: bare(destination), server: clean(server), holder, folder })
    }

    /// Goes over the wire without TLS.
    pub fn is_plain(&self) -> bool {
        self.endpoint().is_some_and(|e| e.starts_with("http://"))
    }

    /// Is on this machine: no proxy leads there.
    pub fn is_loopback(&self) -> bool {
        self.endpoint().and_then(|e| Url::parse(e).ok()).is_some_and(|url| match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        })
    }

    /// Is one of Azure's own hosts, over TLS: whoever asks may show who they are there. A cluster's spec can name any host,
    /// and the token of an identity is good for everything that it may.
    pub fn is_microsofts(&self) -> bool {
        const DOMAINS: [&str; 4] =
            ["core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net", "core.cloudapi.de"];
        let Holder::Azure { endpoint, account, .. } = &self.holder else { return false };
        DOMAINS.iter().any(|domain| *endpoint == format!("https://{account}.blob.{domain}"))
    }

    /// Where requests go, where that is told.
    fn endpoint(&self) -> Option<&str> {
        match &self.holder {
            Holder::Azure { endpoint, .. } => Some(endpoint),
            Holder::S3 { endpoint, .. } => endpoint.as_deref(),
            Holder::Google { .. } | Holder::Folder { .. } => None,
        }
    }
}

/// `https://ACCOUNT.blob.…/CONTAINER/PATH`, or with the account in the path where the host is none of Azure's.
fn azure<'a>(scheme: &str, host: &str, path: &'a str) -> Result<(Holder, &'a str), &'static str> {
    // Credentials before the host are none of Azure's, and must not be shown.
    let host = host.rsplit('@').next().unwrap_or_default();
    let own = base(&format!("{scheme}://{host}")).ok_or("its host is no host")?;
    let name = host.split(':').next().unwrap_or_default();
    let (endpoint, account, rest) = match name.split_once('.') {
        Some((account, domain)) if domain.starts_with("blob.") => (own, account, path),
        _ => {
            let (account, rest) = path.split_once('/').ok_or("it names no account and container")?;
            (format!("{own}/{account}"), account, rest)
        }
    };
    let (container, path) = rest.split_once('/').unwrap_or((rest, ""));
    if account.is_empty() || container.is_empty() {
        return Err("it names no container");
    }
    Ok((Holder::Azure { endpoint, account: account.to_owned(), container: container.to_owned() }, path))
}

/// Scheme, host, port and path of a URL, without credentials, query and slash at the end.
fn base(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok().filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host())?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// A destination without whatever might be a secret in it.
pub fn bare(destination: &str) -> String {
    let shown = destination.split(['?', '#']).next().unwrap_or_default();
    match shown.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(h, p)| (h, Some(p)));
            let host = host.rsplit('@').next().unwrap_or_default();
            clean(&path.map_or_else(|| format!("{scheme}://{host}"), |p| format!("{scheme}://{host}/{p}")))
        }
        None => clean(shown),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", clean(&self.folder), self.holder)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Azure { endpoint, container, .. } => f.write_str(&clean(&format!("{endpoint}/{container}"))),
            Holder::S3 { bucket, endpoint: None } => f.write_str(&clean(&format!("s3://{bucket}"))),
            Holder::S3 { bucket, endpoint: Some(at) } => f.write_str(&clean(&format!("s3://{bucket} at {at}"))),
            Holder::Google { bucket } => f.write_str(&clean(&format!("gs://{bucket}"))),
            Holder::Folder { path } => f.write_str(&clean(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn azure(endpoint: &str, account: &str, container: &str) -> Holder {
        Holder::Azure { endpoint: endpoint.into(), account: account.into(), container: container.into() }
    }

    fn s3(bucket: &str, endpoint: Option<&str>) -> Holder {
        Holder::S3 { bucket: bucket.into(), endpoint: endpoint.map(Into::into) }
    }

    #[test]
    fn the_places_barman_knows() {
        let own = "https://hacnpgpsalab.blob.core.windows.net";
        let google = Holder::Google { bucket: "b".into() };
        for (destination, endpoint, holder, folder) in [
            (format!("{own}/backups"), None, azure(own, "hacnpgpsalab", "backups"), "pg"),
            (format!("{own}/backups/a/b/"), None, azure(own, "hacnpgpsalab", "backups"), "a/b/pg"),
            (
                "https://x.blob.core.chinacloudapi.cn/c".into(),
                None,
                azure("https://x.blob.core.chinacloudapi.cn", "x", "c"),
                "pg",
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1/c/deep".into(),
                None,
                azure("http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1", "c"),
                "deep/pg",
            ),
            ("http://azurite:10000/acme/c".into(), None, azure("http://azurite:10000/acme", "acme", "c"), "pg"),
            ("s3://bucket/".into(), None, s3("bucket", None), "pg"),
            (
                "s3://bucket//a".into(),
                Some("https://minio.example:9000/"),
                s3("bucket", Some("https://minio.example:9000")),
                "a/pg",
            ),
            ("gs://b/x".into(), None, google, "x/pg"),
        ] {
            let place = Place::read(&destination, endpoint, "pg").unwrap();
            assert_eq!((place.holder, place.folder.as_str()), (holder, folder), "{destination}");
            assert_eq!((place.destination, place.server.as_str()), (destination, "pg"));
        }
    }

    #[test]
    fn what_is_no_place_is_told_why() {
        for (destination, endpoint, why) in [
            ("bucket/path", None, "no scheme"),
            ("file:///etc", None, "no bucket or host"),
            ("file://localhost/etc", None, "no file:// stores"),
            ("s3:///path", None, "no bucket"),
            ("s3://b/../../c", None, "leads out"),
            ("s3://b", Some("minio:9000"), "endpointURL"),
            ("https://acme.blob.core.windows.net", None, "no container"),
            ("http://127.0.0.1:10000/acme", None, "no account and container"),
        ] {
            let problem = Place::read(destination, endpoint, "pg").unwrap_err();
            assert!(problem.because.as_ref().unwrap().contains(why), "{destination}: {problem}");
            assert_eq!(problem.exit, crate::problem::Exit::Unknown);
        }
        assert!(Place::read("s3://b", None, "../other").is_err() && Place::read("s3://b", None, "").is_err());
    }

    #[test]
    fn secrets_in_a_destination_are_not_shown() {
        let destination = "https://me:hunter2@acme.blob.core.windows.net/c/p?sig=hunter2#hunter2";
        let place = Place::read(destination, None, "pg").unwrap();
        assert_eq!(place.holder, azure("https://acme.blob.core.windows.net", "acme", "c"));
        assert_eq!(bare(destination), "https://acme.blob.core.windows.net/c/p");
        let at = Place::read("s3://b", Some("https://me:hunter2@minio:9000?k=hunter2"), "pg").unwrap();
        assert_eq!(at.holder.to_string(), "s3://b at https://minio:9000");
        assert!(!Place::read("ftp://me:hunter2@x/y", None, "pg").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn this_machine_is_known() {
        let at = |d: &str| Place::read(d, None, "pg").unwrap();
        assert!(at("http://127.0.0.1:1/a/c").is_loopback() && at("http://[::1]:1/a/c").is_loopback());
        assert!(at("http://localhost:1/a/c").is_plain());
        assert!(!at("https://acme.blob.core.windows.net/c").is_loopback());
        assert!(!at("s3://b").is_loopback() && !at("s3://b").is_plain());
    }

    #[test]
    fn an_identity_is_shown_to_azure_alone() {
        let own = |d: &str| Place::read(d, None, "pg").unwrap().is_microsofts();
        assert!(own("https://acme.blob.core.windows.net/c") && own("https://acme.blob.core.usgovcloudapi.net/c"));
        for other in [
            "http://acme.blob.core.windows.net/c",
            "https://acme.blob.core.windows.net:444/c",
            "https://acme.blob.core.windows.net.evil.example/c",
            "https://evil.example/acme.blob.core.windows.net/c",
            "https://acme.blob.evil.example/c",
            "https://me:x@evil.example/acme/c",
            "s3://b",
        ] {
            assert!(!own(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(d in any::<String>(), e in proptest::option::of(any::<String>()), s in any::<String>()) {
            let _ = (Place::read(&d, e.as_deref(), &s), bare(&d));
            let _ = Place::read(&format!("https://{d}"), e.as_deref(), &s);
        }
    }
}
