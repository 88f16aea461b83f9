//! The flags of a node's runtime.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::fault::FaultFlags;
use crate::words::Words;

/// The flag with a runtime's own socket.
pub const SOCKET: &str = "socket";

/// The flags of `kubelet-sim runtime`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RuntimeFlags {
    /// The Unix socket the kubelet connects to
    #[arg(long = SOCKET, value_name = "FILE")]
    pub socket: PathBuf,

    /// Image catalogue to use in addition to the built-in images
    #[arg(long, value_name = "FILE")]
    pub images: Option<PathBuf>,

    /// Pull no image that the catalogue does not have
    #[arg(long)]
    pub strict_images: bool,

    /// Reach nodes and their pods through this gateway
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<SocketAddr>,

    /// Try another pod of a service when one refuses a connection. kube-proxy does not
    #[arg(long)]
    pub retry_backends: bool,

    /// The flags that make the process breakable.
    #[command(flatten)]
    pub faults: FaultFlags,
}

impl RuntimeFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { socket, images, strict_images, gateway, retry_backends, faults } = self;
        Words::default()
            .flag(SOCKET, socket)
            .option("images", images.as_ref())
            .switch("strict-images", *strict_images)
            .option("gateway", gateway.map(|address| address.to_string()))
            .switch("retry-backends", *retry_backends)
            .and(faults.to_args())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault;
    use crate::words::read_back;

    #[test]
    fn the_command_line_reads_back() {
        let least = RuntimeFlags {
            socket: "run/node-0.sock".into(),
            images: None,
            strict_images: false,
            gateway: None,
            retry_backends: false,
            faults: FaultFlags::default(),
        };
        let full = RuntimeFlags {
            images: Some("my images.yaml".into()),
            strict_images: true,
            gateway: Some("127.64.47.1:10500".parse().unwrap()),
            retry_backends: true,
            faults: fault::example(),
            ..least.clone()
        };
        for flags in [least, full] {
            assert_eq!(read_back::<RuntimeFlags>(flags.to_args()), flags);
        }
    }
}
