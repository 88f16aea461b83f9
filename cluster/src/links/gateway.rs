//! Accepts connections to nodes and their pods. Each connection begins with its destination.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use squall_daemon::{destination, say_connected};
use tokio::net::TcpStream;

use super::pass::Lane;
use super::proxy::{Lanes, Proxy, take_in};
use super::way::{End, Way};

/// A connection has to send its destination within this time.
const PATIENCE: Duration = Duration::from_secs(5);

impl Proxy {
    /// Accepts the connections that one end opens to nodes, as long as the async runtime lives. `whose` returns the end
    /// that an address belongs to.
    pub fn gateway(
        self: &Arc<Self>,
        from: End,
        entrance: SocketAddr,
        whose: impl Fn(IpAddr) -> Option<End> + Copy + Send + 'static,
    ) -> anyhow::Result<()> {
        if self.has_gateway(from) {
            return Ok(());
        }
        let proxy = self.clone();
        take_in(entrance, move |stream| {
            let proxy = proxy.clone();
            async move { proxy.connect_through(stream, from, whose).await }
        })?;
        self.note_gateway(from);
        Ok(())
    }

    async fn connect_through(
        &self,
        mut near: TcpStream,
        from: End,
        whose: impl Fn(IpAddr) -> Option<End>,
    ) -> io::Result<()> {
        let target = tokio::time::timeout(PATIENCE, destination(&mut near)).await??;
        let to = whose(target.ip()).ok_or_else(|| io::Error::other(format!("no node has the address {target}")))?;
        // There is no link between a node and its own pods.
        let lanes =
            if from == to { (Arc::new(Lane::new()), Arc::new(Lane::new())) } else { self.lanes(Way { from, to }) };
        carry(near, target, &lanes).await
    }
}

async fn carry(mut near: TcpStream, target: SocketAddr, lanes: &Lanes) -> io::Result<()> {
    let (forth, back) = lanes;
    let mut nothing = [0];
    let carried = async {
        let far = tokio::select! {
            far = connect(target, lanes) => far?,
            // A client sends nothing before it is connected: if this returns, the client has given up.
            gone = near.peek(&mut nothing) => return gone.map(drop),
        };
        say_connected(&mut near).await?;
        far.set_nodelay(true)?;
        near.set_nodelay(true)?;
        let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
        tokio::try_join!(forth.pass(near_read, far_write), back.pass(far_read, near_write)).map(drop)
    };
    tokio::select! {
        ended = carried => ended,
        () = forth.broken_off() => Ok(()),
        () = back.broken_off() => Ok(()),
    }
}

async fn connect(target: SocketAddr, (forth, back): &Lanes) -> io::Result<TcpStream> {
    forth.open(&forth.waiting, 1).await;
    let far = squall_daemon::carried::connect(target).await?;
    // Connecting needs an answer, too.
    back.open(&back.waiting, 1).await;
    Ok(far)
}

#[cfg(test)]
mod tests {
    use squall_daemon::Gateway;
    use squall_faults::{Fault, LinkFault, Passage, Target, What};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Starts a proxy through which node 0 reaches an echo server that counts as node 1's.
    async fn nodes() -> (Arc<Proxy>, Gateway, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    // Answers after the end of the input: half-closed connections have to work.
                    let mut all = Vec::new();
                    read.read_to_end(&mut all).await.unwrap();
                    write.write_all(&all).await.unwrap();
                });
            }
        });
        let proxy = Arc::new(Proxy::default());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let whose = |address: IpAddr| address.is_loopback().then(|| "kubelet-1".parse().unwrap());
        proxy.gateway("kubelet-0".parse().unwrap(), free, whose).unwrap();
        (proxy, Gateway::new(Some(free)), target)
    }

    async fn ask(gateway: Gateway, target: SocketAddr) -> io::Result<String> {
        let mut stream = gateway.dial(target).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn fault(from: &str, to: &str, passage: Passage) -> Fault {
        let (from, to, passage) = (from.to_owned(), to.to_owned(), passage.into());
        let link = LinkFault { from, to, passage, one_way: true, ..LinkFault::default() };
        Fault { name: "fault".to_owned(), what: Some(What::Link(link)) }
    }

    #[tokio::test]
    async fn what_goes_between_nodes_can_be_held_and_broken_off() {
        let (proxy, gateway, target) = nodes().await;
        assert_eq!(ask(gateway, target).await.unwrap(), "hello");
        proxy.inject(fault("kubelet-0", "kubelet-1", Passage::Reset)).unwrap();
        assert!(ask(gateway, target).await.is_err());
        let receipt = proxy.heal("fault").unwrap();
        assert_eq!((receipt.count, receipt.text.as_str()), (1, "1 connections broken off"));
        // Only answers are held back, so no connection is established.
        proxy.inject(fault("kubelet-1", "kubelet-0", Passage::Held)).unwrap();
        let asking = tokio::spawn(ask(gateway, target));
        let waited = tokio::time::timeout(Duration::from_secs(30), async {
            while proxy.list()[0].receipt.as_ref().unwrap().count == 0 {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok(), "{:?}", proxy.list());
        assert!(!asking.is_finished());
        assert_eq!(proxy.heal("fault").unwrap().text, "1 connections kept waiting");
        assert_eq!(asking.await.unwrap().unwrap(), "hello");
        let nobody = "192.0.2.1:80".parse().unwrap();
        assert!(ask(gateway, nobody).await.is_err(), "the gateway leads only to nodes");
    }
}
