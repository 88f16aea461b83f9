//! The certificates of a cluster: a CA, and one certificate for each member and user.

use std::path::Path;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use time::{Duration, OffsetDateTime};

use crate::files::write_private;

/// The name that every apiserver's certificate has, whatever its address.
pub const APISERVER: &str = "apiserver.squall";
/// The names of the CA's files.
const CERTIFICATE: &str = "ca.crt";
const KEY: &str = "ca.key";
/// The key that signs the tokens of service accounts.
const TOKENS: &str = "sa.key";
/// How long certificates are valid, longer than any cluster lives.
const YEARS: i64 = 10;

/// The CA of a cluster.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// The subject of a certificate.
pub struct Subject<'a> {
    /// The user's name (CN).
    pub user: &'a str,
    /// The user's group (O).
    pub group: &'a str,
    /// The addresses of a server; empty for a client.
    pub addresses: &'a [String],
    /// The name of a server, whatever its address.
    pub server_name: Option<&'static str>,
}

impl Authority {
    /// Creates a CA and writes it to a folder.
    pub fn create(folder: &Path) -> anyhow::Result<Self> {
        let (params, key) = (ca_params()?, KeyPair::generate()?);
        let certificate = params.self_signed(&key)?.pem();
        write_private(&folder.join(CERTIFICATE), certificate.as_bytes())?;
        write_private(&folder.join(KEY), key.serialize_pem().as_bytes())?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Reads the CA from a folder.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let key =
            KeyPair::from_pem(&read(KEY)?).with_context(|| format!("{} is damaged", folder.join(KEY).display()))?;
        Ok(Self { issuer: Issuer::new(ca_params()?, key), certificate: read(CERTIFICATE)? })
    }

    /// Returns the CA's certificate (PEM).
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate. Returns it and its key (PEM).
    pub fn issue(&self, subject: &Subject<'_>) -> anyhow::Result<(String, String)> {
        let mut params = params(subject.user, subject.group)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !subject.addresses.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
            if let Some(name) = subject.server_name {
                params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
            }
            for address in subject.addresses {
                params
                    .subject_alt_names
                    .push(SanType::IpAddress(address.parse().with_context(|| format!("parsing address {address}"))?));
            }
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// Issues a certificate, and writes it and its key to a folder.
    pub fn issue_to(&self, folder: &Path, name: &str, subject: &Subject<'_>) -> anyhow::Result<()> {
        let (certificate, key) = self.issue(subject)?;
        write_private(&folder.join(format!("{name}.crt")), certificate.as_bytes())?;
        write_private(&folder.join(format!("{name}.key")), key.as_bytes())
    }
}

/// Creates the key of service accounts' tokens in a folder, unless it is there. It stays the same for as long as the cluster
/// lives: another one would end all tokens.
pub fn keep_token_key(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(TOKENS);
    if path.exists() { Ok(()) } else { write_private(&path, KeyPair::generate()?.serialize_pem().as_bytes()) }
}

/// Returns the same parameters each time: the name and the key identify an issuer.
fn ca_params() -> anyhow::Result<CertificateParams> {
    let mut params = params("squall-ca", "squall")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
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
