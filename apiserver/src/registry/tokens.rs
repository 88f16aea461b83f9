//! Issues tokens of service accounts, and finds the account of a token. A token ends with its account, and with the object
//! that it is bound to.

use squall_api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestStatus};
use squall_api::field::{Errors, Path};
use squall_api::metav1::v1::Time;
use squall_api::{Error, Kind, Object};
use squall_daemon::identity::Caller;

use super::{Freshness, Registry, decode_stored};
use crate::keys;
use crate::store::State;
use crate::tokens::{Account, Bound, Claims, ISSUER, Reference, Tokens};

/// The time for which a token is valid, in seconds: the default, the least and the most (Kubernetes: 2^32).
const HOUR: i64 = 3_600;
const LEAST: i64 = 600;
const MOST: i64 = 1 << 32;

impl Registry {
    fn tokens(&self) -> Result<&Tokens, Error> {
        let without =
            || Error::unavailable("this apiserver has no key for tokens: start it with --service-account-key");
        self.tokens.as_deref().ok_or_else(without)
    }

    /// Issues a token of a service account.
    pub async fn issue_token(
        &self,
        namespace: &str,
        name: &str,
        mut request: TokenRequest,
    ) -> Result<TokenRequest, Error> {
        let spec = &mut request.spec;
        let seconds = *spec.expiration_seconds.get_or_insert(HOUR);
        validate(seconds)?;
        if spec.audiences.is_empty() {
            spec.audiences.push(ISSUER.to_owned());
        }
        let state = self.state(Freshness::MostRecent).await?;
        let account =
            account_of(&state, namespace, name).ok_or_else(|| Error::not_found(Kind::ServiceAccount, name))?;
        let bound = match &mut spec.bound_object_ref {
            Some(reference) => Some(bound(&state, &account, reference)?),
            None => None,
        };
        let claims = Claims::new(&account, bound, spec.audiences.clone(), self.now(), seconds);
        let token = self.tokens()?.sign(&claims).map_err(|error| Error::internal(format!("{error:#}")))?;
        let expires = jiff::Timestamp::from_second(claims.exp).unwrap_or(jiff::Timestamp::MAX);
        request.status = TokenRequestStatus { token, expiration_timestamp: Time::from_timestamp(expires) };
        (request.metadata.namespace, request.metadata.name) = (namespace.to_owned(), name.to_owned());
        Ok(request)
    }

    /// Returns the account whose token it is, as a caller; an error says why it is none.
    pub async fn caller_of_token(&self, token: &str, audiences: &[&str]) -> Result<(Caller, Claims), String> {
        let tokens = self.tokens().map_err(|error| error.to_string())?;
        let claims = tokens.check(token, audiences, self.now())?;
        let own = self.member().view().state();
        if !is_alive(&own, &claims) {
            // This member may not know yet what another one has stored.
            let recent = self.state(Freshness::MostRecent).await.map_err(|error| error.to_string())?;
            if !is_alive(&recent, &claims) {
                return Err("the service account of the token, or what it is bound to, is gone".to_owned());
            }
        }
        let Account { namespace, uid, .. } = claims.account();
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        let caller = Caller::new(&claims.sub, &["system:serviceaccounts", &of_namespace]).with_uid(&uid);
        Ok((caller, claims))
    }
}

fn validate(seconds: i64) -> Result<(), Error> {
    let path = Path::new("spec").child("expirationSeconds");
    let mut errors = Errors::default();
    if seconds < LEAST {
        errors.invalid(&path, &seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > MOST {
        errors.invalid(&path, &seconds, "may not specify a duration larger than 2^32 seconds");
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid_request("authentication.k8s.io", "TokenRequest", &errors))
    }
}

fn read(state: &State, kind: Kind, namespace: &str, name: &str) -> Option<Object> {
    decode_stored(kind, state.get(&keys::object(kind, namespace, name))?).ok()
}

fn account_of(state: &State, namespace: &str, name: &str) -> Option<Account> {
    let object = read(state, Kind::ServiceAccount, namespace, name)?;
    let uid = object.meta().uid.clone();
    Some(Account { namespace: namespace.to_owned(), name: name.to_owned(), uid })
}

/// Finds the object that a token shall be bound to, and completes the reference.
fn bound(state: &State, account: &Account, reference: &mut BoundObjectReference) -> Result<Bound, Error> {
    let kind = match (reference.api_version.as_str(), reference.kind.as_str()) {
        ("v1" | "", "Pod") => Kind::Pod,
        ("v1" | "", "Secret") => Kind::Secret,
        ("v1" | "", "Node") => Kind::Node,
        (version, kind) => {
            return Err(Error::bad_request(format!("cannot bind token for serviceaccount to {kind:?} in {version:?}")));
        }
    };
    let namespace = if kind == Kind::Node { "" } else { account.namespace.as_str() };
    let object =
        read(state, kind, namespace, &reference.name).ok_or_else(|| Error::not_found(kind, &reference.name))?;
    if let Object::Pod(pod) = &object
        && pod.spec.service_account_name != account.name
    {
        return Err(Error::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
            account.name
        )));
    }
    let uid = object.meta().uid.clone();
    if !reference.u_id.is_empty() && reference.u_id != uid {
        return Err(Error::conflict(
            kind,
            &reference.name,
            &format!(
                "the UID in the bound object reference ({}) does not match the UID in record ({uid})",
                reference.u_id
            ),
        ));
    }
    reference.u_id.clone_from(&uid);
    let found = Reference { name: reference.name.clone(), uid };
    Ok(match kind {
        Kind::Pod => Bound::Pod(found),
        Kind::Secret => Bound::Secret(found),
        _ => Bound::Node(found),
    })
}

/// Whether the account of a token is there, and what it is bound to.
fn is_alive(state: &State, claims: &Claims) -> bool {
    let account = claims.account();
    let is_there = |kind, namespace: &str, reference: &Reference| {
        read(state, kind, namespace, &reference.name).is_some_and(|object| object.meta().uid == reference.uid)
    };
    let own = Reference { name: account.name.clone(), uid: account.uid.clone() };
    is_there(Kind::ServiceAccount, &account.namespace, &own)
        && match claims.bound() {
            None => true,
            Some(Bound::Pod(pod)) => is_there(Kind::Pod, &account.namespace, &pod),
            Some(Bound::Secret(secret)) => is_there(Kind::Secret, &account.namespace, &secret),
            Some(Bound::Node(node)) => is_there(Kind::Node, "", &node),
        }
}
