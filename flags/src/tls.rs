//! The flags for the certificate files of a process.

use std::path::PathBuf;

use clap::Args;

use crate::words::Words;

/// The certificate files of a process.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TlsFlags {
    /// CA certificate of the cluster (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,

    /// Certificate of this process (PEM)
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

impl TlsFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { ca, cert, key } = self;
        Words::default().flag("ca", ca).flag("cert", cert).flag("key", key)
    }
}

#[cfg(test)]
pub fn example() -> TlsFlags {
    TlsFlags { ca: "pki/ca.crt".into(), cert: "pki/a b.crt".into(), key: "pki/a.key".into() }
}
