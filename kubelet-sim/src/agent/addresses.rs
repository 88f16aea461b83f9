//! The addresses of a node's pods.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use squall_flags::Cidr;

/// The addresses of one node: the first is its own, the rest are for its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodRange {
    base: u32,
    size: u32,
}

impl PodRange {
    /// Returns the range with these addresses: 8 to 65,536 of them.
    pub fn of(cidr: Cidr) -> Result<Self, String> {
        match cidr.bits() {
            bits @ 3..=16 => Ok(Self { base: u32::from(cidr.base()), size: 1 << bits }),
            _ => Err(format!("the address range {cidr} is too large or too small; use a prefix of 16 to 29")),
        }
    }

    /// The node's own address.
    #[must_use]
    pub fn node(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.base.saturating_add(1))
    }

    /// Whether an address is the node's or one of its pods'.
    #[must_use]
    pub fn contains(&self, address: &str) -> bool {
        let address = address.parse::<Ipv4Addr>().map(u32::from);
        address.is_ok_and(|address| address.checked_sub(self.base).is_some_and(|offset| offset < self.size))
    }
}

/// Allocates the pod addresses of a node. A freed address is not reused until all others have been.
#[derive(Debug)]
pub struct AddressPool {
    range: PodRange,
    used: BTreeSet<Ipv4Addr>,
    last: u32,
}

impl AddressPool {
    /// Creates a pool in which all addresses are free.
    #[must_use]
    pub fn new(range: PodRange) -> Self {
        Self { range, used: BTreeSet::new(), last: 1 }
    }

    /// Marks an address as used, for a pod that already has it.
    pub fn take(&mut self, address: &str) {
        self.used.extend(address.parse::<Ipv4Addr>().ok());
    }

    /// Allocates a free address; `None` if there is none.
    pub fn any(&mut self) -> Option<String> {
        let pods = 2..self.range.size.saturating_sub(1);
        let count = pods.len();
        for _ in 0..count {
            let next = self.last.saturating_add(1);
            self.last = if pods.contains(&next) { next } else { pods.start };
            let address = Ipv4Addr::from(self.range.base.saturating_add(self.last));
            if self.used.insert(address) {
                return Some(address.to_string());
            }
        }
        None
    }

    /// Frees an address.
    pub fn free(&mut self, address: &str) {
        if let Ok(address) = address.parse::<Ipv4Addr>() {
            self.used.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_used_in_turn() {
        let range = PodRange::of("127.64.64.0/29".parse().unwrap()).unwrap();
        assert_eq!(range.node().to_string(), "127.64.64.1");
        let mut pool = AddressPool::new(range);
        pool.take("127.64.64.3");
        let taken: Vec<String> = std::iter::from_fn(|| pool.any()).collect();
        assert_eq!(taken, ["127.64.64.2", "127.64.64.4", "127.64.64.5", "127.64.64.6"]);
        pool.free("127.64.64.4");
        assert_eq!(pool.any().as_deref(), Some("127.64.64.4"));
        assert!(PodRange::of("127.64.64.0/8".parse().unwrap()).is_err());
    }
}
