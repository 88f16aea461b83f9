//! Issues tokens of service accounts, and finds the account of a token. A token ends with its account, and with the object
//! that it is bound to.

use jiff::{SignedDuration, Timestamp};
use squall_api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestStatus};
use squall_api::field::{Errors, Path};
use squall_api::metav1::v1::Time;
use squall_api::{Error, Kind, Object};
use squall_daemon::identity::Caller;

use super::{Freshness, Registry, decode_stored};
use crate::keys;
use crate::request::ResourceRef;
use crate::store::State;
use crate::tokens::{Account, Bound, Claims, ISSUER, Reference, Tokens};

/// The time for which a token is valid, in seconds: the default, the least and the most (Kubernetes: 2^32).
const HOUR: i64 = 3_600;
const LEAST: i64 = 600;
const MOST: i64 = 1 << 32;

/// How long a token lives on after the deletion of its account, or of what it is bound to, while finalizers hold that.
const AFTER_DELETION: SignedDuration = SignedDuration::from_secs(60);

/// The reason why it is not known whose token it is.
#[derive(Debug)]
pub enum Unproven {
    /// The token is not valid.
    Refused(&'static str),
    /// This member cannot tell.
    Failed(Error),
}

impl Registry {
    fn tokens(&self) -> Result<&Tokens, Error> {
        let without =
            || Error::unavailable("this apiserver has no key for tokens: start it with --service-account-key");
        self.tokens.as_deref().ok_or_else(without)
    }

    /// Issues a token of a service account.
    ///
    /// A node gets only tokens that are bound to its pods (Kubernetes: the admission plugin NodeRestriction).
    pub async fn issue_token(
        &self,
        resource: &ResourceRef,
        mut request: TokenRequest,
        node: Option<&str>,
    ) -> Result<TokenRequest, Error> {
        let (namespace, name) = (resource.namespace.as_str(), resource.name.as_str());
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
        if let Some(node) = node
            && !matches!(&bound, Some(Bound::Pod(pod)) if is_on(&state, namespace, &pod.name, node))
        {
            let detail = format!("node {node:?} can only request tokens that are bound to a pod on it");
            return Err(Error::forbidden(Kind::ServiceAccount, name, &detail));
        }
        let claims = Claims::new(&account, bound, spec.audiences.clone(), self.now(), seconds);
        let token = self.tokens()?.sign(&claims).map_err(|error| Error::internal(format!("{error:#}")))?;
        let expires = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX);
        request.status = TokenRequestStatus { token, expiration_timestamp: Time::from_timestamp(expires) };
        (request.metadata.namespace, request.metadata.name) = (namespace.to_owned(), name.to_owned());
        Ok(request)
    }

    /// Returns the account whose token it is, as a caller.
    pub async fn caller_of_token(&self, token: &str, audiences: &[&str]) -> Result<(Caller, Claims), Unproven> {
        let (tokens, now) = (self.tokens().map_err(Unproven::Failed)?, self.now());
        let claims = tokens.check(token, audiences, now).map_err(Unproven::Refused)?;
        let own = self.member().view().state();
        if !is_alive(&own, &claims, now) {
            // This member may not know yet what another one has stored.
            let recent = self.state(Freshness::MostRecent).await.map_err(Unproven::Failed)?;
            if !is_alive(&recent, &claims, now) {
                return Err(Unproven::Refused("the service account of the token, or what it is bound to, is gone"));
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

fn is_on(state: &State, namespace: &str, pod: &str, node: &str) -> bool {
    matches!(read(state, Kind::Pod, namespace, pod), Some(Object::Pod(pod)) if pod.spec.node_name == node)
}

/// Whether the account of a token is there, and what it is bound to.
fn is_alive(state: &State, claims: &Claims, now: Timestamp) -> bool {
    let account = claims.account();
    let lives = |object: &Object| {
        let deleted = object.meta().deletion_timestamp.as_ref().map(Time::timestamp);
        deleted.is_none_or(|deleted| now.duration_since(deleted) < AFTER_DELETION)
    };
    let is_there = |kind, namespace: &str, reference: &Reference| {
        let found = read(state, kind, namespace, &reference.name);
        found.is_some_and(|object| object.meta().uid == reference.uid && lives(&object))
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
