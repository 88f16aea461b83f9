//! Address ranges.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 address range: `127.64.0.0/20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: Ipv4Addr,
    bits: u32,
}

impl Cidr {
    /// Returns the first address of the range.
    #[must_use]
    pub fn base(self) -> Ipv4Addr {
        self.base
    }

    /// Returns the number of bits in which the addresses of the range differ, 0 to 31.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.bits
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("invalid address range {text:?}; write it like 127.64.0.0/20");
        let (base, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let base: Ipv4Addr = base.parse().map_err(|_| invalid())?;
        let bits = prefix.parse().ok().and_then(|prefix| 32u32.checked_sub(prefix)).filter(|bits| *bits < 32);
        let bits = bits.ok_or_else(invalid)?;
        Ok(Self { base: Ipv4Addr::from(u32::from(base) >> bits << bits), bits })
    }
}

impl Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, 32_u32.saturating_sub(self.bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_and_written() {
        let range: Cidr = "127.64.3.9/20".parse().unwrap();
        assert_eq!((range.to_string().as_str(), range.bits()), ("127.64.0.0/20", 12));
        assert_eq!("1.2.3.4/32".parse::<Cidr>().unwrap().bits(), 0);
        for bad in ["", "127.0.0.0", "127.0.0/8", "127.0.0.0/33", "127.0.0.0/0", "127.0.0.0/-1", "127.0.0.0/x"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
