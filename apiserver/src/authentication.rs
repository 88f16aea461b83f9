//! Finds who calls: the owner of the connection's certificate, or of the token that a request brings.

use http::Request;
use http::header::AUTHORIZATION;
use squall_api::Error;
use squall_daemon::identity::Caller;

use crate::registry::{Registry, Unproven};
use crate::tokens::ISSUER;

const SCHEME: &str = "Bearer ";

/// Returns the caller of a request on the connection of another. A certificate counts more than a token; a token that is
/// not valid is refused, lest its owner be taken for nobody.
pub async fn caller_of<B>(registry: &Registry, connected: &Caller, request: &Request<B>) -> Result<Caller, Error> {
    if connected.is_known() {
        return Ok(connected.clone());
    }
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(connected.clone()) };
    let token = header.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_at_checked(SCHEME.len())?;
        scheme.eq_ignore_ascii_case(SCHEME).then_some(token.trim())
    });
    // Another scheme is not ours.
    let Some(token) = token else { return Ok(connected.clone()) };
    match registry.caller_of_token(token, &[ISSUER]).await {
        Ok((caller, _)) => {
            connected.has_shown_itself();
            Ok(caller)
        }
        Err(Unproven::Refused(reason)) => {
            tracing::debug!(reason, "a token was refused");
            Err(Error::unauthorized())
        }
        Err(Unproven::Failed(error)) => Err(error),
    }
}
