//! Certificates as CNPG makes them: an authority per cluster, the servers' certificate, the streaming replica's.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::problem::Problem;

/// What a server needs for TLS, as PEM texts. Never shown by Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The authority: clients check the server with it, the server checks client certificates with it.
    pub ca_cert: String,
    /// The servers' certificate (names of `-rw`, `-ro`, `-r`, localhost, 127.0.0.1).
    pub server_cert: String,
    /// Its key.
    pub server_key: String,
    /// The certificate of the role `streaming_replica`.
    pub replication_cert: String,
    /// Its key.
    pub replication_key: String,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates(…)")
    }
}

impl Certificates {
    /// A fresh set for one cluster, valid for 90 days as CNPG's are.
    ///
    /// # Errors
    /// When the keys can't be made.
    pub fn generate(cluster: &str, namespace: &str) -> Result<Certificates, Problem> {
        generate(cluster, namespace)
            .map_err(|e| Problem::new(format!("no certificates for {namespace}/{cluster}")).because(e))
    }
}

fn generate(cluster: &str, namespace: &str) -> Result<Certificates, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = params(Vec::new(), cluster)?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let ca_cert = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let mut server = params(server_names(cluster, namespace), &format!("{cluster}-rw"))?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let server_cert = server.signed_by(&server_key, &issuer)?.pem();

    // PostgreSQL takes the common name for the role's.
    let mut replication = params(Vec::new(), "streaming_replica")?;
    replication.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let replication_key = KeyPair::generate()?;
    let replication_cert = replication.signed_by(&replication_key, &issuer)?.pem();

    Ok(Certificates {
        ca_cert,
        server_cert,
        server_key: server_key.serialize_pem(),
        replication_cert,
        replication_key: replication_key.serialize_pem(),
    })
}

fn server_names(cluster: &str, namespace: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    for service in ["rw", "ro", "r"] {
        let name = format!("{cluster}-{service}");
        names.push(format!("{name}.{namespace}"));
        names.push(format!("{name}.{namespace}.svc"));
        names.push(format!("{name}.{namespace}.svc.cluster.local"));
        names.push(name);
    }
    names
}

fn params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let day = |days: i64| {
        let date = now.date().saturating_add(jiff::Span::new().days(days));
        rcgen::date_time_ymd(i32::from(date.year()), date.month() as u8, date.day() as u8)
    };
    (params.not_before, params.not_after) = (day(-1), day(90));
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_texts_and_none_of_them_in_debug() {
        let made = Certificates::generate("pg-primary", "cnpg-database").unwrap();
        for (text, kind) in [
            (&made.ca_cert, "CERTIFICATE"),
            (&made.server_cert, "CERTIFICATE"),
            (&made.server_key, "PRIVATE KEY"),
            (&made.replication_cert, "CERTIFICATE"),
            (&made.replication_key, "PRIVATE KEY"),
        ] {
            assert!(text.starts_with(&format!("-----BEGIN {kind}-----")), "{kind}");
        }
        assert_eq!(format!("{made:?}"), "Certificates(…)");
        assert!(server_names("shop", "prod").contains(&"shop-rw.prod.svc".to_owned()));
    }
}
