//! gRPC statuses as errors of the API.

use prost::Message;
use squall_api::Error;
use squall_api::error::Reason;
use squall_proto::meta::v1;
use tonic::{Code, Status};

/// Returns the error that an apiserver sent. A status without details comes from the transport; its code says the most
/// likely reason.
#[must_use]
pub fn api_error(status: &Status) -> Error {
    if let Ok(sent) = v1::Status::decode(status.details())
        && !sent.reason.is_empty()
    {
        return Error { status: Box::new(sent) };
    }
    let message = status.message();
    match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => Error::timeout(message),
        Code::Unavailable | Code::Unknown => Error::unavailable(message),
        Code::ResourceExhausted => Error::too_many_requests(message),
        Code::InvalidArgument => Error::bad_request(message),
        Code::Unimplemented => Error::new(Reason::MethodNotAllowed, message.to_owned(), None),
        Code::Unauthenticated => Error::unauthorized(),
        Code::PermissionDenied => Error::new(Reason::Forbidden, message.to_owned(), None),
        _ => Error::internal(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_come_before_the_code() {
        for reason in Reason::ALL {
            let sent = Error::new(reason, format!("about {reason:?}"), None);
            let status = Status::with_details(Code::Unknown, "", sent.status.encode_to_vec().into());
            assert_eq!(api_error(&status), sent);
        }
    }

    #[test]
    fn a_status_of_the_transport_has_the_reason_of_its_code() {
        let reason = |code| api_error(&Status::new(code, "gone")).reason();
        assert_eq!(reason(Code::Unavailable), Some(Reason::ServiceUnavailable));
        assert_eq!(reason(Code::Cancelled), Some(Reason::Timeout));
        assert_eq!(reason(Code::DataLoss), Some(Reason::InternalError));
    }
}
