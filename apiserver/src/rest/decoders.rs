//! The decoders of requests as functions of bytes: tests feed them hostile input. The routes call the same code.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use squall_api::Error;
use squall_api::field_selector::FieldSelector;
use squall_api::labels::Selector;
use squall_daemon::identity::Caller;

use super::accept::Format;
use super::path::{self, Target};
use super::query::Query;
use super::{impersonate, proxy};
use crate::registry::Continuation;
use crate::request::BuiltIn;

/// Reads the path and the parameters of a URL. Returns whether the path names something.
pub fn url(bytes: &[u8]) -> Result<bool, Error> {
    let uri = Uri::try_from(bytes).map_err(|error| Error::bad_request(error.to_string()))?;
    let named = match path::parse(uri.path(), &BuiltIn) {
        None => false,
        Some(Target::Objects(resource)) => !resource.name.is_empty() || !proxy::is_meant(&resource),
        Some(Target::Review(_)) => true,
    };
    let query = Query::parse(&uri)?;
    let list = query.watch()?.list;
    drop(Selector::parse(&list.labels));
    drop(FieldSelector::parse(&list.fields));
    if let Ok(page) = Continuation::parse(&list.continue_token) {
        assert_eq!(Continuation::parse(&page.token()).ok().as_ref(), Some(&page));
    }
    query.write(&HeaderMap::new())?;
    query.deleting()?;
    Ok(named)
}

/// Reads headers: one in each line, its name before a colon.
pub fn headers(bytes: &[u8]) -> Result<(), Error> {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    impersonate::acting(Caller::server(), &headers)?;
    Query::default().write(&headers)?;
    Format::negotiate(&headers).map(drop)
}
