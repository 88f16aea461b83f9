//! The claims of a token, in the form that Kubernetes gives them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ISSUER;
use crate::authorization::ACCOUNT;

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Its audiences.
    pub aud: Vec<String>,
    /// The second in which it expires.
    pub exp: i64,
    /// The second in which it was issued.
    pub iat: i64,
    /// The issuer.
    pub iss: String,
    /// Its own id.
    pub jti: String,
    /// The account, and the object that it is bound to.
    #[serde(rename = "kubernetes.io")]
    pub kubernetes: Private,
    /// The first second in which it is valid.
    pub nbf: i64,
    /// The user name of the account.
    pub sub: String,
}

/// Kubernetes' own claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// The namespace of the account.
    pub namespace: String,
    /// The account.
    pub serviceaccount: Reference,
    /// The pod with which the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    /// The secret with which the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    /// The node with which the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
}

/// An object, told from others of its name by its uid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// The object with which a token ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// A pod of the account.
    Pod(Reference),
    /// A secret in its namespace.
    Secret(Reference),
    /// A node.
    Node(Reference),
}

impl Claims {
    /// The claims of an account's token that is issued now, for some seconds.
    #[must_use]
    pub fn new(account: &Account, bound: Option<Bound>, audiences: Vec<String>, now: Timestamp, seconds: i64) -> Self {
        let now = now.as_second();
        let Account { namespace, name, uid } = account.clone();
        let sub = format!("{ACCOUNT}{namespace}:{name}");
        let serviceaccount = Reference { name, uid };
        let mut kubernetes = Private { namespace, serviceaccount, pod: None, secret: None, node: None };
        match bound {
            Some(Bound::Pod(pod)) => kubernetes.pod = Some(pod),
            Some(Bound::Secret(secret)) => kubernetes.secret = Some(secret),
            Some(Bound::Node(node)) => kubernetes.node = Some(node),
            None => {}
        }
        Self {
            aud: audiences,
            exp: now.saturating_add(seconds),
            iat: now,
            iss: ISSUER.to_owned(),
            jti: Uuid::new_v4().to_string(),
            kubernetes,
            nbf: now,
            sub,
        }
    }

    /// The account whose token it is.
    #[must_use]
    pub fn account(&self) -> Account {
        let Private { namespace, serviceaccount: Reference { name, uid }, .. } = self.kubernetes.clone();
        Account { namespace, name, uid }
    }

    /// The object with which the token ends.
    #[must_use]
    pub fn bound(&self) -> Option<Bound> {
        let of = &self.kubernetes;
        let pod = of.pod.clone().map(Bound::Pod);
        pod.or_else(|| of.secret.clone().map(Bound::Secret)).or_else(|| of.node.clone().map(Bound::Node))
    }
}
