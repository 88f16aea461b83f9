//! The flags of a controller-manager.

use clap::Args;

use crate::fault::FaultFlags;
use crate::timing::TimingProfile;
use crate::tls::TlsFlags;
use crate::words::Words;

/// The flags of a controller-manager.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ControllerManagerFlags {
    /// Name of this process, also its identity in leader election: controller-manager-0
    #[arg(long = crate::NAME)]
    pub name: String,

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

impl ControllerManagerFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { name, apiserver, timing, link_port, faults, tls } = self;
        Words::default()
            .flag(crate::NAME, name)
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
        let least = ControllerManagerFlags {
            name: "controller-manager-1".to_owned(),
            apiserver: vec!["https://127.0.0.1:6443".to_owned()],
            timing: TimingProfile::Fast,
            link_port: None,
            faults: FaultFlags::default(),
            tls: tls::example(),
        };
        let full = ControllerManagerFlags {
            apiserver: vec!["https://127.0.0.1:6443".to_owned(), "https://127.0.0.2:6443".to_owned()],
            timing: TimingProfile::K8s,
            link_port: Some(10_401),
            faults: fault::example(),
            ..least.clone()
        };
        for flags in [least, full] {
            assert_eq!(read_back::<ControllerManagerFlags>(flags.to_args()), flags);
        }
    }
}
