//! How recent the data of a read must be: the meanings of `resourceVersion`. Pure functions.

use squall_api::Error;
use squall_api::field::{Errors, Path};
use squall_api::meta::parse_resource_version;

use crate::store::Revision;

/// The state that serves a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The most recent state of the cluster.
    MostRecent,
    /// The current state of this member.
    Any,
    /// This revision, or a later one.
    NotOlderThan(Revision),
    /// Exactly this revision.
    Exact(Revision),
}

/// The resource version parameters of a list or a watch.
#[derive(Debug, Clone, Copy, Default)]
pub struct VersionOptions<'a> {
    /// `resourceVersion`.
    pub version: &'a str,
    /// `resourceVersionMatch`.
    pub matching: &'a str,
    /// `continue`.
    pub continue_token: &'a str,
    /// `sendInitialEvents`.
    pub send_initial_events: Option<bool>,
}

const EXACT: &str = "Exact";
const NOT_OLDER: &str = "NotOlderThan";

impl Freshness {
    /// For one object: empty means the most recent, "0" means any.
    pub fn of_get(version: &str) -> Result<Self, Error> {
        match version {
            "" => Ok(Self::MostRecent),
            "0" => Ok(Self::Any),
            text => parse_resource_version(text).map(Self::NotOlderThan),
        }
    }

    /// For the first page of a list; a limit of 0 means none.
    pub fn of_list(options: &VersionOptions<'_>, limit: usize) -> Result<Self, Error> {
        refuse(list_errors(options))?;
        match (options.version, options.matching) {
            ("" | "0", _) => Self::of_get(options.version),
            (text, EXACT) => parse_resource_version(text).map(Self::Exact),
            // Kubernetes: the first page of a limited list is of exactly this revision, as the next pages will be.
            (text, "") if limit > 0 => parse_resource_version(text).map(Self::Exact),
            (text, _) => Self::of_get(text),
        }
    }
}

/// Where a watch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchStart {
    /// With the changes after a revision.
    After(Revision),
    /// With the changes after the state of this freshness.
    Now(Freshness),
    /// With all objects of a state of this freshness, then later changes.
    Initial(Freshness),
}

impl WatchStart {
    /// Reads the start from the options of a watch.
    pub fn of(options: &VersionOptions<'_>) -> Result<Self, Error> {
        refuse(watch_errors(options))?;
        let freshness = Freshness::of_get(options.version)?;
        Ok(match (options.send_initial_events, freshness) {
            (Some(true), freshness) => Self::Initial(freshness),
            (_, Freshness::NotOlderThan(revision)) => Self::After(revision),
            (Some(false), freshness) => Self::Now(freshness),
            (None, freshness) => Self::Initial(freshness),
        })
    }
}

fn refuse(errors: Errors) -> Result<(), Error> {
    if errors.is_empty() { Ok(()) } else { Err(Error::invalid_request("meta.k8s.io", "ListOptions", &errors)) }
}

fn list_errors(options: &VersionOptions<'_>) -> Errors {
    let mut errors = Errors::default();
    let path = Path::new("resourceVersionMatch");
    if !options.matching.is_empty() {
        if options.version.is_empty() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if !options.continue_token.is_empty() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
        }
        if ![EXACT, NOT_OLDER].contains(&options.matching) {
            errors.not_supported(&path, &options.matching, &[EXACT, NOT_OLDER, ""]);
        }
        if options.matching == EXACT && options.version == "0" {
            errors.forbidden(&path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
    }
    if options.send_initial_events.is_some() {
        errors.forbidden(&Path::new("sendInitialEvents"), "sendInitialEvents is forbidden for list");
    }
    errors
}

fn watch_errors(options: &VersionOptions<'_>) -> Errors {
    let mut errors = Errors::default();
    let path = Path::new("resourceVersionMatch");
    if options.send_initial_events.is_some() && options.matching != NOT_OLDER {
        errors.forbidden(&path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if !options.matching.is_empty() {
        if options.send_initial_events.is_none() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if options.matching != NOT_OLDER {
            errors.not_supported(&path, &options.matching, &[NOT_OLDER]);
        }
        if !options.continue_token.is_empty() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meaning_of_a_resource_version_in_a_list() {
        let list = |version, matching, limit| {
            Freshness::of_list(&VersionOptions { version, matching, ..VersionOptions::default() }, limit)
        };
        for (version, matching, limit, expected) in [
            ("", "", 0, Freshness::MostRecent),
            ("0", "", 5, Freshness::Any),
            ("0", "NotOlderThan", 0, Freshness::Any),
            ("7", "", 0, Freshness::NotOlderThan(7)),
            ("7", "", 5, Freshness::Exact(7)),
            ("7", "NotOlderThan", 5, Freshness::NotOlderThan(7)),
            ("7", "Exact", 0, Freshness::Exact(7)),
        ] {
            assert_eq!(list(version, matching, limit).unwrap(), expected, "{version:?} {matching:?} {limit}");
        }
        for (version, matching) in [("", "Exact"), ("0", "Exact"), ("7", "Sometimes"), ("x", "")] {
            assert!(list(version, matching, 0).is_err(), "{version:?} {matching:?}");
        }
        assert_eq!(
            list("", "Exact", 0).unwrap_err().to_string(),
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless \
             resourceVersion is provided"
        );
    }

    #[test]
    fn every_meaning_of_a_resource_version_in_a_watch() {
        let watch = |version, matching, send_initial_events| {
            WatchStart::of(&VersionOptions { version, matching, send_initial_events, ..VersionOptions::default() })
        };
        for (version, matching, initial, expected) in [
            ("", "", None, WatchStart::Initial(Freshness::MostRecent)),
            ("0", "", None, WatchStart::Initial(Freshness::Any)),
            ("7", "", None, WatchStart::After(7)),
            ("7", "NotOlderThan", Some(true), WatchStart::Initial(Freshness::NotOlderThan(7))),
            ("", "NotOlderThan", Some(true), WatchStart::Initial(Freshness::MostRecent)),
            ("", "NotOlderThan", Some(false), WatchStart::Now(Freshness::MostRecent)),
            ("7", "NotOlderThan", Some(false), WatchStart::After(7)),
        ] {
            assert_eq!(watch(version, matching, initial).unwrap(), expected, "{version:?} {matching:?} {initial:?}");
        }
        for (matching, initial) in [("", Some(true)), ("Exact", Some(true)), ("NotOlderThan", None)] {
            assert!(watch("7", matching, initial).is_err(), "{matching:?} {initial:?}");
        }
    }
}
