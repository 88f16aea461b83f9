//! Tokens of service accounts: signed by the cluster's key, and checked by any member. The clock is an argument.

mod claims;

use anyhow::Context;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

pub use claims::{Account, Bound, Claims, Reference};

/// The issuer of all tokens, and their audience unless a request names others (Kubernetes: its default).
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// How far the clocks of members may differ.
const LEEWAY: i64 = 10;
/// Longer texts are no tokens.
const LONGEST: usize = 16 << 10;

/// Signs and checks tokens.
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
}

impl Tokens {
    /// Reads the key: PKCS #8 in DER, of the curve P-256.
    pub fn of_key(pkcs8: &[u8]) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new());
        let pair = pair.map_err(anyhow::Error::msg).context("reading the key of service accounts' tokens")?;
        Ok(Self {
            signing: EncodingKey::from_ec_der(pkcs8),
            checking: DecodingKey::from_ec_der(pair.public_key().as_ref()),
        })
    }

    /// Signs a token.
    pub fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::ES256), claims, &self.signing)?)
    }

    /// Returns what a token claims, if it is signed by the cluster's key, valid now, and for one of these audiences.
    pub fn check(&self, token: &str, audiences: &[&str], now: Timestamp) -> Result<Claims, &'static str> {
        if token.len() > LONGEST {
            return Err("the token is too long");
        }
        let mut rules = Validation::new(Algorithm::ES256);
        // Times are compared with the cluster's clock, below.
        (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.checking, &rules);
        let claims = decoded.map_err(|_| "the token is not one of this cluster's")?.claims;
        let now = now.as_second();
        if claims.exp <= now.saturating_sub(LEEWAY) {
            return Err("the token has expired");
        }
        if claims.nbf > now.saturating_add(LEEWAY) {
            return Err("the token is not valid yet");
        }
        let is_for = |audience: &&str| claims.aud.iter().any(|of_token| of_token == audience);
        if !audiences.iter().any(is_for) {
            return Err("the token is for others");
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Tokens::of_key(key.as_ref()).unwrap()
    }

    fn claims() -> Claims {
        let account = Account { namespace: "a".to_owned(), name: "robot".to_owned(), uid: "u".to_owned() };
        Claims::new(&account, None, vec![ISSUER.to_owned()], at(1_000), 600)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_says_whose_it_is_until_it_expires() {
        let tokens = tokens();
        let token = tokens.sign(&claims()).unwrap();
        let read = tokens.check(&token, &[ISSUER], at(1_500)).unwrap();
        assert_eq!((read.sub.as_str(), read.account().uid.as_str()), ("system:serviceaccount:a:robot", "u"));
        assert_eq!(tokens.check(&token, &[ISSUER], at(1_611)), Err("the token has expired"));
        assert_eq!(tokens.check(&token, &[ISSUER], at(900)), Err("the token is not valid yet"));
        assert_eq!(tokens.check(&token, &["vault"], at(1_500)), Err("the token is for others"));
    }

    #[test]
    fn a_token_of_another_key_or_of_no_key_is_refused() {
        let (ours, theirs) = (tokens(), tokens());
        let token = theirs.sign(&claims()).unwrap();
        assert!(ours.check(&token, &[ISSUER], at(1_500)).is_err());
        let good = ours.sign(&claims()).unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let unsigned = format!("{}.{}.", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", parts[1]);
        let other_claims = format!("{}.{}.{}", parts[0], token.split('.').nth(1).unwrap(), parts[2]);
        for bad in [unsigned.as_str(), &other_claims, "", "a.b.c", "..", &"x".repeat(LONGEST + 1)] {
            assert!(ours.check(bad, &[ISSUER], at(1_500)).is_err(), "{bad:.40}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(Tokens::of_key(b"nonsense").is_err());
    }
}
