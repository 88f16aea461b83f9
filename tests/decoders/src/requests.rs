//! Requests of clients and of other members.

use bytes::Bytes;
use squall_api::authorization::v1::SelfSubjectAccessReview;
use squall_api::autoscaling::v1::Scale;
use squall_api::core::v1::Binding;
use squall_api::metav1::v1::DeleteOptions;
use squall_api::policy::v1::Eviction;
use squall_apiserver::handlers::Body;
use squall_apiserver::{raft, rest};

/// Reads the messages that are no stored objects, in the encoding that the first byte chooses.
pub fn messages(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let bytes = Bytes::copy_from_slice(rest);
    let body = match first % 3 {
        0 => Body::Json(bytes),
        1 => Body::Yaml(bytes),
        _ => Body::Protobuf(bytes),
    };
    drop(body.clone().message::<Scale>("autoscaling.v1.Scale"));
    drop(body.clone().message::<Binding>("core.v1.Binding"));
    drop(body.clone().message::<Eviction>("policy.v1.Eviction"));
    drop(body.clone().message::<DeleteOptions>("meta.v1.DeleteOptions"));
    drop(body.message::<SelfSubjectAccessReview>("authorization.v1.SelfSubjectAccessReview"));
}

/// Reads a URL: its path, its parameters, its page.
pub fn urls(bytes: &[u8]) {
    drop(rest::decoders::url(bytes));
}

/// Reads headers: accepted types, user agent, impersonation.
pub fn headers(bytes: &[u8]) {
    drop(rest::decoders::headers(bytes));
}

/// Reads messages of other members, and applies those that pass the checks.
pub fn raft(bytes: &[u8]) {
    drop(raft::decoders::append(bytes));
    drop(raft::decoders::proposal(bytes));
    drop(raft::decoders::message(bytes));
}
