//! The flags of a kubelet.

use std::path::PathBuf;

use clap::Args;

use crate::cidr::Cidr;
use crate::fault::FaultFlags;
use crate::timing::TimingProfile;
use crate::tls::TlsFlags;
use crate::words::Words;

/// The flag with the name of a kubelet's node.
pub const NODE: &str = "node";

/// The flags of `kubelet-sim agent`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct KubeletFlags {
    /// The name of the node
    #[arg(long = NODE)]
    pub node: String,

    /// Address range of the node and its pods; the first address is the node's
    #[arg(long, value_name = "CIDR")]
    pub pod_cidr: Cidr,

    /// The Unix socket of the node's runtime
    #[arg(long, value_name = "FILE")]
    pub runtime: PathBuf,

    /// Address of an apiserver; repeat the flag for each one
    #[arg(long, value_name = "URL", required = true)]
    pub apiserver: Vec<String>,

    /// Set of timing constants
    #[arg(long, value_enum, default_value_t)]
    pub timing: TimingProfile,

    /// Reach apiservers through link proxies that listen on this port of their addresses
    #[arg(long, value_name = "PORT")]
    pub link_port: Option<u16>,

    /// The flags that make the process breakable.
    #[command(flatten)]
    pub faults: FaultFlags,

    /// The certificate files.
    #[command(flatten)]
    pub tls: TlsFlags,
}

impl KubeletFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { node, pod_cidr, runtime, apiserver, timing, link_port, faults, tls } = self;
        Words::default()
            .flag(NODE, node)
            .flag("pod-cidr", pod_cidr.to_string())
            .flag("runtime", runtime)
            .repeated("apiserver", apiserver)
            .flag("timing", timing.as_str())
            .option("link-port", link_port.map(|port| port.to_string()))
            .and(faults.to_args())
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
        let least = KubeletFlags {
            node: "node-2".to_owned(),
            pod_cidr: "127.64.66.0/24".parse().unwrap(),
            runtime: "run/node-2.sock".into(),
            apiserver: vec!["https://127.0.0.1:6443".to_owned()],
            timing: TimingProfile::K8s,
            link_port: None,
            faults: FaultFlags::default(),
            tls: tls::example(),
        };
        let full = KubeletFlags { link_port: Some(10_502), faults: fault::example(), ..least.clone() };
        for flags in [least, full] {
            assert_eq!(read_back::<KubeletFlags>(flags.to_args()), flags);
        }
    }
}
