//! The certificates of a lab: an authority of its own and a leaf signed by it. (Clients refuse a leaf that is its own
//! authority.)

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::problem::Problem;

/// An authority, and a server's certificate with its key. Debug output never shows the key.
#[derive(Clone)]
pub struct Certificates {
    /// What clients trust.
    pub ca_pem: String,
    pub cert_pem: String,
    pub key_pem: String,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Makes new ones, valid for these names and addresses.
    ///
    /// # Errors
    /// When the keys can't be made.
    pub fn generate(names: &[&str]) -> Result<Self, Problem> {
        make(names).map_err(|e| Problem::new("the lab's certificates could not be made").because(e))
    }

    /// The server's half of TLS.
    ///
    /// # Errors
    /// When the PEM texts are not a certificate and its key.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, Problem> {
        let refuse = |e: String| Problem::new("the lab's certificates can't be used").because(e);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.cert_pem.as_bytes()).collect();
        let chain = chain.map_err(|e| refuse(e.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(|e| refuse(e.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| refuse(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| refuse(e.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn make(names: &[&str]) -> Result<Certificates, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    ca.distinguished_name = named("howdah lab authority");
    let ca_cert = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, &ca_key);

    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name = named("howdah lab");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in names {
        leaf.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName((*name).try_into()?),
        });
    }
    let cert = leaf.signed_by(&key, &issuer)?;
    Ok(Certificates { ca_pem: ca_cert.pem(), cert_pem: cert.pem(), key_pem: key.serialize_pem() })
}

fn named(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_and_usable_and_silent() {
        let made = Certificates::generate(&["127.0.0.1", "localhost"]).expect("made");
        assert!(made.server_config().is_ok());
        assert!(!format!("{made:?}").contains("PRIVATE"));
        let broken = Certificates { key_pem: String::new(), ..made };
        assert!(broken.server_config().is_err());
    }
}
