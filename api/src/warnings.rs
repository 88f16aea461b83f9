//! Warnings: remarks about objects that are valid, in Kubernetes' words.

use std::net::IpAddr;

use crate::field::Path;

/// How many warnings an object may cause. More would not fit into the head of a response.
const MOST: usize = 100;

/// The warnings about an object.
#[derive(Debug, Default)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// Adds a warning about a field.
    pub fn at(&mut self, path: &Path, text: &str) {
        self.say(format!("{path}: {text}"));
    }

    /// Adds a warning.
    pub fn say(&mut self, text: String) {
        if self.0.len() < MOST {
            self.0.push(text);
        }
    }

    /// Warns about an IPv6 address that is not in its canonical form.
    pub fn of_address(&mut self, path: &Path, text: &str) {
        if let Some(canonical) = canonical(text).filter(|canonical| canonical != text) {
            let text = format!("IPv6 address {text:?} should be in RFC 5952 canonical format ({canonical:?})");
            self.at(path, &text);
        }
    }

    /// Warns about a range of IPv6 addresses that is not in its canonical form.
    pub fn of_range(&mut self, path: &Path, text: &str) {
        let Some((address, length)) = text.split_once('/') else { return };
        if let Some(canonical) = canonical(address).map(|address| format!("{address}/{length}"))
            && canonical != text
        {
            let text = format!("IPv6 CIDR value {text:?} should be in RFC 5952 canonical format ({canonical:?})");
            self.at(path, &text);
        }
    }

    /// Returns the texts.
    #[must_use]
    pub fn into_texts(self) -> Vec<String> {
        self.0
    }
}

fn canonical(address: &str) -> Option<String> {
    match address.parse() {
        Ok(IpAddr::V6(address)) => Some(address.to_string()),
        _ => None,
    }
}
