//! Errors as gRPC statuses: a code for any client, and Kubernetes' `Status` in the details for ours.

use std::future::Future;

use prost::Message;
use squall_api::Error;
use squall_api::error::Reason;
use tonic::{Code, Response, Status};

use crate::fairness::AnswerBytes;

/// Answers with the outcome of some work, and its length.
pub(super) async fn answered<T: Message>(work: impl Future<Output = Result<T, Error>>) -> Result<Response<T>, Status> {
    let mut response = work.await.map(Response::new).map_err(status)?;
    let bytes = AnswerBytes(response.get_ref().encoded_len());
    response.extensions_mut().insert(bytes);
    Ok(response)
}

/// Length of a stream that is idle most of the time.
const IDLE: AnswerBytes = AnswerBytes(1 << 10);

/// Answers with the stream that some work opens.
pub(super) async fn opened<T>(work: impl Future<Output = Result<T, Error>>) -> Result<Response<T>, Status> {
    let mut response = work.await.map(Response::new).map_err(status)?;
    response.extensions_mut().insert(IDLE);
    Ok(response)
}

/// Converts an error for the wire.
pub fn status(error: Error) -> Status {
    let code = error.reason().map_or(Code::Unknown, code);
    Status::with_details(code, error.status.message.clone(), error.status.encode_to_vec().into())
}

const fn code(reason: Reason) -> Code {
    match reason {
        Reason::NotFound => Code::NotFound,
        Reason::AlreadyExists => Code::AlreadyExists,
        Reason::Conflict => Code::Aborted,
        Reason::Invalid | Reason::BadRequest | Reason::UnsupportedMediaType | Reason::NotAcceptable => {
            Code::InvalidArgument
        }
        Reason::Unauthorized => Code::Unauthenticated,
        Reason::Forbidden => Code::PermissionDenied,
        Reason::MethodNotAllowed => Code::Unimplemented,
        Reason::Expired => Code::OutOfRange,
        Reason::Timeout => Code::DeadlineExceeded,
        Reason::ServiceUnavailable => Code::Unavailable,
        Reason::TooManyRequests | Reason::RequestEntityTooLarge => Code::ResourceExhausted,
        Reason::InternalError => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_details_carry_the_whole_error() {
        for reason in Reason::ALL {
            let error = Error::new(reason, format!("about {reason:?}"), None);
            let status = status(error.clone());
            assert_eq!(status.message(), error.to_string());
            assert_ne!(status.code(), Code::Unknown);
            assert_eq!(squall_proto::meta::v1::Status::decode(status.details()).unwrap(), *error.status);
        }
    }
}
