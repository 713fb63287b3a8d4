//! The cluster's own small PKI: a CA, a certificate for the servers, one for the replication user.
//!
//! As CloudNativePG makes them: ECDSA P-256, good for 90 days, begun five minutes early, the CA named by cluster and
//! namespace. PostgreSQL reads all of them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::Value;

use crate::lab::object::text;

/// How long a certificate is good for.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// How much earlier than now it begins, for clocks that run behind.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// A certificate and its private key, both PEM. Its key never shows in `Debug`.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Who signs: the CA of one cluster.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pair: Pair,
}

impl Authority {
    /// A new CA with a new key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn generate(cluster: &str, namespace: &str, now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let params = authority(cluster, namespace, now)?;
        let certificate = params.self_signed(&key)?.pem();
        let pair = Pair { certificate, key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), pair })
    }

    /// The CA of a secret that is there already (one of this operator's: its name follows from the cluster's).
    ///
    /// # Errors
    /// When the key can't be read.
    pub fn load(cluster: &str, namespace: &str, pair: Pair, now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::from_pem(&pair.key)?;
        Ok(Self { issuer: Issuer::new(authority(cluster, namespace, now)?, key), pair })
    }

    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// A certificate for the servers, good for these DNS names.
    ///
    /// # Errors
    /// When a name is no DNS name, or no key can be made.
    pub fn server(&self, names: &[String], now: Timestamp) -> Result<Pair, rcgen::Error> {
        let common = names.first().map_or("postgres", String::as_str);
        self.sign(names, common, ExtendedKeyUsagePurpose::ServerAuth, now)
    }

    /// A certificate by which a PostgreSQL user logs in.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn client(&self, user: &str, now: Timestamp) -> Result<Pair, rcgen::Error> {
        self.sign(&[], user, ExtendedKeyUsagePurpose::ClientAuth, now)
    }

    fn sign(
        &self,
        names: &[String],
        common_name: &str,
        usage: ExtendedKeyUsagePurpose,
        now: Timestamp,
    ) -> Result<Pair, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now);
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { certificate, key: key.serialize_pem() })
    }
}

fn authority(cluster: &str, namespace: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationalUnitName, namespace);
    params.distinguished_name.push(DnType::CommonName, cluster);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params, now);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams, now: Timestamp) {
    let since_1970 = u64::try_from(now.as_second()).unwrap_or_default();
    let begin = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since_1970) - EARLY;
    params.not_before = begin;
    params.not_after = begin + LIFETIME;
}

/// A PEM text out of a secret.
pub fn pem_of(secret: &Value, key: &str) -> Option<String> {
    let encoded = secret.get("data")?.get(key)?.as_str()?;
    String::from_utf8(BASE64.decode(encoded).ok()?).ok()
}

/// The certificate and key of a secret, under the given keys.
pub fn pair_of(secret: &Value, certificate: &str, key: &str) -> Option<Pair> {
    Some(Pair { certificate: pem_of(secret, certificate)?, key: pem_of(secret, key)? })
}

/// When the first certificate of a PEM text ends; `None` when it can't be read.
pub fn expiry(pem: &str) -> Option<Timestamp> {
    let body = pem.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END CERTIFICATE-----")?.0;
    let der = BASE64.decode(body.split_whitespace().collect::<String>()).ok()?;
    // Certificate → TBSCertificate → [version], serial, algorithm, issuer, validity → (begin, end): RFC 5280 §4.1.
    let (_, certificate, _) = element(&der)?;
    let (_, mut rest, _) = element(certificate)?;
    let (tag, _, after) = element(rest)?;
    if tag == 0xa0 {
        rest = after;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (tag, end, _) = element(element(validity)?.2)?;
    moment(tag, std::str::from_utf8(end).ok()?)
}

/// One DER element: its tag, its content, what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let bytes = usize::from(first & 0x7f);
        let (digits, rest) = rest.split_at_checked(bytes)?;
        let length = digits.iter().try_fold(0usize, |sum, d| sum.checked_mul(256)?.checked_add(usize::from(*d)))?;
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// `UTCTime` (two digits of the year, 1950 to 2049) or `GeneralizedTime`.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let full = match tag {
        0x17 if text < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", full).ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A secret's `data`: every value in base 64.
pub fn secret_data<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    values.into_iter().map(|(key, value)| (key.to_owned(), Value::from(BASE64.encode(value)))).collect()
}

/// One value of a secret, decoded.
pub fn secret_text(secret: &Value, key: &str) -> Option<String> {
    let encoded = text(secret, &format!("/data/{key}"));
    String::from_utf8(BASE64.decode(encoded).ok()?).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T22:49:56Z".parse().expect("a time")
    }

    #[test]
    fn a_certificate_ends_ninety_days_later() {
        let authority = Authority::generate("demo", "pg", now()).expect("a CA");
        let end = expiry(&authority.pair().certificate).expect("it can be read");
        assert_eq!(end.to_string(), "2027-02-18T22:44:56Z", "as recorded in 1-create");
        assert_eq!(expiry("no certificate"), None);
        let server = authority.server(&["demo-rw".into(), "demo-rw.pg.svc".into()], now()).expect("a certificate");
        assert_eq!(expiry(&server.certificate), Some(end));
    }

    /// The TLS library that PostgreSQL's clients here use accepts the chain and the name, from a reloaded CA as well.
    #[test]
    fn the_chain_holds() {
        let first = Authority::generate("demo", "pg", now()).expect("a CA");
        let pair = Pair { certificate: first.pair().certificate.clone(), key: first.pair().key.clone() };
        let again = Authority::load("demo", "pg", pair, now()).expect("the same CA");
        for authority in [&first, &again] {
            let server = authority.server(&["demo-rw".into()], now()).expect("a certificate");
            verify(&first.pair().certificate, &server.certificate, "demo-rw").expect("a good chain");
            verify(&first.pair().certificate, &server.certificate, "other").expect_err("another name");
        }
        let stranger = Authority::generate("demo", "pg", now()).expect("a CA");
        let server = first.server(&["demo-rw".into()], now()).expect("a certificate");
        verify(&stranger.pair().certificate, &server.certificate, "demo-rw").expect_err("another CA");
    }

    fn der(pem: &str) -> rustls::pki_types::CertificateDer<'static> {
        use rustls::pki_types::pem::PemObject as _;
        rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    fn verify(ca: &str, certificate: &str, name: &str) -> Result<(), rustls::Error> {
        use rustls::client::danger::ServerCertVerifier as _;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(ca))?;
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .expect("a verifier");
        let server = rustls::pki_types::ServerName::try_from(name.to_owned()).expect("a name");
        let at = Duration::from_secs(u64::try_from(now().as_second()).expect("after 1970"));
        let at = rustls::pki_types::UnixTime::since_unix_epoch(at);
        verifier.verify_server_cert(&der(certificate), &[], &server, &[], at).map(|_| ())
    }
}
