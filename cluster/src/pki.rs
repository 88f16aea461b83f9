//! The certificates of a cluster: a CA, and one certificate for each member and user.

use std::path::Path;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::files::write_private;

/// The name that every apiserver's certificate has, whatever its address.
const SERVER_NAME: &str = "apiserver.squall";
/// A cluster is thrown away long before this.
const YEARS: i64 = 10;

/// The CA, as long as certificates are made.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Who a certificate is for.
pub struct Subject<'a> {
    /// The user's name (CN).
    pub user: &'a str,
    /// The user's group (O).
    pub group: &'a str,
    /// The addresses of a server; none for a client.
    pub addresses: &'a [String],
}

impl Authority {
    /// A new CA.
    pub fn new() -> anyhow::Result<Self> {
        let mut params = params("squall-ca", "squall")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// The CA's certificate (PEM).
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate and its key (PEM).
    pub fn issue(&self, subject: &Subject<'_>) -> anyhow::Result<(String, String)> {
        let mut params = params(subject.user, subject.group)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !subject.addresses.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
            params.subject_alt_names.push(SanType::DnsName(SERVER_NAME.try_into()?));
            for address in subject.addresses {
                params
                    .subject_alt_names
                    .push(SanType::IpAddress(address.parse().with_context(|| format!("the address {address}"))?));
            }
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// Makes a certificate and writes it and its key to a folder.
    pub fn issue_to(&self, folder: &Path, name: &str, subject: &Subject<'_>) -> anyhow::Result<()> {
        let (certificate, key) = self.issue(subject)?;
        write_private(&folder.join(format!("{name}.crt")), certificate.as_bytes())?;
        write_private(&folder.join(format!("{name}.key")), key.as_bytes())
    }
}

fn params(user: &str, group: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, user);
    params.distinguished_name.push(DnType::OrganizationName, group);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(365 * YEARS);
    Ok(params)
}
