//! Addresses and ranges in objects, with Kubernetes' own messages.

use std::net::IpAddr;

use crate::field::{Errors, Path};

/// Validates an IP address.
pub fn validate(text: &str, path: &Path, errors: &mut Errors) -> Option<IpAddr> {
    match text.parse::<IpAddr>() {
        Err(_) if has_leading_zeros(text) => errors.invalid(path, &text, "must not have leading 0s"),
        Err(_) => errors.invalid(path, &text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            errors.invalid(path, &text, "must not be an IPv4-mapped IPv6 address");
        }
        Ok(address) => return Some(address),
    }
    None
}

/// Whether it would be an IPv4 address without leading zeros.
fn has_leading_zeros(text: &str) -> bool {
    let parts: Vec<Option<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.len() == 4 && parts.iter().all(|part| part.is_some_and(|part| part < 256))
}

/// Validates an address that others connect to. Addresses of the machine are allowed, unlike in Kubernetes: pods have
/// them here.
pub fn validate_endpoint(text: &str, path: &Path, errors: &mut Errors) {
    let Ok(address) = text.parse::<IpAddr>() else {
        errors.invalid(path, &text, "must be a valid IP address");
        return;
    };
    let (is_local, is_local_group) = match address {
        IpAddr::V4(address) => (address.is_link_local(), address.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(address) => (address.is_unicast_link_local(), address.segments()[0] & 0xff0f == 0xff02),
    };
    if address.is_unspecified() {
        errors.invalid(path, &text, &format!("may not be unspecified ({text})"));
    }
    if is_local {
        errors.invalid(path, &text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if is_local_group {
        errors.invalid(path, &text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// Validates a range of addresses: `10.0.0.0/8`. Returns whether it is one of IPv6.
pub fn validate_range(text: &str, path: &Path, errors: &mut Errors) -> Option<bool> {
    let parsed = text.split_once('/').and_then(|(address, length)| {
        let address = address.parse::<IpAddr>().ok()?;
        let length = length.parse::<u32>().ok().filter(|length| *length <= if address.is_ipv4() { 32 } else { 128 })?;
        Some((address, length))
    });
    let Some((address, length)) = parsed else {
        errors.invalid(path, &text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
        return None;
    };
    let beyond = match address {
        IpAddr::V4(address) => address.to_bits() & u32::MAX.checked_shr(length).unwrap_or(0) != 0,
        IpAddr::V6(address) => address.to_bits() & u128::MAX.checked_shr(length).unwrap_or(0) != 0,
    };
    if beyond {
        errors.invalid(path, &text, "must not have bits set beyond the prefix length");
    }
    Some(address.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_no_bits_beyond_its_length() {
        let problems = |text: &str| {
            let mut errors = Errors::default();
            validate_range(text, &Path::new("a"), &mut errors);
            errors.iter().count()
        };
        for good in ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "fe80::/10", "::1/128"] {
            assert_eq!(problems(good), 0, "{good}");
        }
        for bad in ["10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "::1/64", "/8", "1.2.3.4/"] {
            assert_eq!(problems(bad), 1, "{bad}");
        }
    }
}
