//! Bounds on the head of a request. A connection refuses a head that is longer than it reads, without a `Status`.

use http::{HeaderMap, Request};
use squall_api::Error;

/// Maximum length of a URL with its query, in bytes. HTTP/2 allows no more anyway.
const MAX_URL: usize = 16 << 10;
/// Maximum length of all headers, in bytes.
const MAX_HEADERS_BYTES: usize = 32 << 10;
/// Maximum number of headers.
const MAX_HEADERS: usize = 128;

/// Most bytes that an HTTP/1.1 connection keeps: of a head, and of an answer that is not read.
pub const HEAD_BYTES: usize = 64 << 10;
/// Most headers that a connection reads.
pub const HEAD_LINES: usize = 1_024;

/// Returns why the head of a request is too long, if it is.
pub fn too_long<B>(request: &Request<B>) -> Option<Error> {
    let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if url > MAX_URL {
        return Some(Error::url_too_long(MAX_URL));
    }
    let headers = request.headers();
    let is_too_long = headers.len() > MAX_HEADERS || length(headers) > MAX_HEADERS_BYTES;
    is_too_long.then(|| Error::headers_too_large(MAX_HEADERS_BYTES, MAX_HEADERS))
}

fn length(headers: &HeaderMap) -> usize {
    let lengths = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
    lengths.fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_head_is_refused_with_its_code() {
        let code = |path: &str, headers: &[(String, String)]| {
            let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, value));
            too_long(&request.body(()).unwrap()).map_or(0, |error| error.status.code)
        };
        let many = |count: usize, length: usize| -> Vec<(String, String)> {
            (0..count).map(|number| (format!("x-{number}"), "v".repeat(length))).collect()
        };
        assert_eq!(code("/api/v1/pods?labelSelector=a", &many(20, 100)), 0);
        assert_eq!(code(&format!("/api/v1/pods?labelSelector={}", "a".repeat(MAX_URL)), &[]), 414);
        assert_eq!(code("/", &many(MAX_HEADERS + 1, 1)), 431);
        assert_eq!(code("/", &many(2, MAX_HEADERS_BYTES / 2)), 431);
    }
}
