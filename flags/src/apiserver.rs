//! The flags of an apiserver.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cidr::Cidr;
use crate::fault::FaultFlags;
use crate::founder::{self, Founder};
use crate::tls::TlsFlags;
use crate::words::Words;

/// The flags of `apiserver serve`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ApiserverFlags {
    /// Name of this member, such as apiserver-0
    #[arg(long = crate::NAME)]
    pub name: String,

    /// Raft ID of this member
    #[arg(long)]
    pub id: u64,

    /// Address to listen on for clients and other members
    #[arg(long, value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Data directory of this member
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Member of a new group to found if there is no data yet: 1=https://127.0.0.1:6443; repeat for each member
    #[arg(long, value_name = "ID=URL")]
    pub founder: Vec<Founder>,

    /// Wait to be added to a group, if there is no data yet
    #[arg(long, conflicts_with = "founder")]
    pub join: bool,

    /// Connect to other members through links, at this port of their addresses
    #[arg(long, value_name = "PORT")]
    pub link_port: Option<u16>,

    /// Reach nodes and their pods through this gateway
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<SocketAddr>,

    /// The flags that make the process breakable.
    #[command(flatten)]
    pub faults: FaultFlags,

    /// Address range of services
    #[arg(long, value_name = "CIDR", default_value = "127.64.0.0/20")]
    pub service_cidr: Cidr,

    /// Heartbeat interval of the Raft leader, in milliseconds [default: 100]
    #[arg(long)]
    pub heartbeat_ms: Option<u64>,

    /// Minimum election timeout in milliseconds; the maximum is twice as long [default: 250]
    #[arg(long)]
    pub election_ms: Option<u64>,

    /// Append a line of JSON to this file for each write: its revisions, keys and user
    #[arg(long, value_name = "FILE")]
    pub write_log: Option<PathBuf>,

    /// Private key that signs the tokens of service accounts, as PKCS #8 in PEM; the same for all members
    #[arg(long, value_name = "FILE")]
    pub service_account_key: Option<PathBuf>,

    /// The certificate files.
    #[command(flatten)]
    pub tls: TlsFlags,
}

impl ApiserverFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self {
            name,
            id,
            listen,
            data_dir,
            founder,
            join,
            link_port,
            gateway,
            faults,
            service_cidr,
            heartbeat_ms,
            election_ms,
            write_log,
            service_account_key,
            tls,
        } = self;
        Words::default()
            .flag(crate::NAME, name)
            .flag("id", id.to_string())
            .flag("listen", listen.to_string())
            .flag("data-dir", data_dir)
            .repeated("founder", founder::words(founder))
            .switch("join", *join)
            .option("link-port", link_port.map(|port| port.to_string()))
            .option("gateway", gateway.map(|address| address.to_string()))
            .and(faults.to_args())
            .flag("service-cidr", service_cidr.to_string())
            .option("heartbeat-ms", heartbeat_ms.map(|interval| interval.to_string()))
            .option("election-ms", election_ms.map(|timeout| timeout.to_string()))
            .option("write-log", write_log.as_ref())
            .option("service-account-key", service_account_key.as_ref())
            .and(tls.to_args())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::read_back;
    use crate::{fault, tls};

    #[test]
    fn the_command_line_reads_back() {
        let least = ApiserverFlags {
            name: "apiserver-0".to_owned(),
            id: 1,
            listen: "127.64.48.1:6443".parse().unwrap(),
            data_dir: "data/apiserver-0".into(),
            founder: Vec::new(),
            join: true,
            link_port: None,
            gateway: None,
            faults: FaultFlags::default(),
            service_cidr: "127.64.0.0/20".parse().unwrap(),
            heartbeat_ms: None,
            election_ms: None,
            write_log: None,
            service_account_key: None,
            tls: tls::example(),
        };
        let founders = ["1=https://127.0.0.1:6443", "2=https://127.0.0.2:6443"];
        let full = ApiserverFlags {
            founder: founders.map(|founder| founder.parse().unwrap()).to_vec(),
            join: false,
            link_port: Some(10_100),
            gateway: Some("127.64.47.1:10100".parse().unwrap()),
            faults: fault::example(),
            heartbeat_ms: Some(50),
            election_ms: Some(500),
            write_log: Some("logs/apiserver-0.writes".into()),
            service_account_key: Some("pki/sa.key".into()),
            ..least.clone()
        };
        for flags in [least, full] {
            assert_eq!(read_back::<ApiserverFlags>(flags.to_args()), flags);
        }
    }
}
