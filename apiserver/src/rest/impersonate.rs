//! Impersonation (`kubectl --as`): only for callers who may do everything anyway.

use http::{HeaderMap, HeaderValue};
use squall_api::Error;
use squall_daemon::identity::Caller;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
/// Common prefix of all headers of an impersonation.
const PREFIX: &str = "impersonate-";

/// Returns the caller that a request acts as. A uid and extra attributes need a user, as in Kubernetes; nothing here uses
/// them.
pub fn acting(caller: Caller, headers: &HeaderMap) -> Result<Caller, Error> {
    let text = |value: &HeaderValue| {
        let text = value.to_str().map(str::to_owned);
        text.map_err(|_| Error::bad_request("an impersonation header has a character outside of ASCII"))
    };
    let groups: Vec<String> = headers.get_all(GROUP).iter().map(text).collect::<Result<_, _>>()?;
    let user = headers.get(USER).map(text).transpose()?.filter(|user| !user.is_empty());
    let Some(user) = user else {
        let asked = headers.keys().any(|name| name.as_str().starts_with(PREFIX) && name.as_str() != USER);
        return if asked {
            Err(Error::bad_request("requested an impersonation without impersonating a user"))
        } else {
            Ok(caller)
        };
    };
    if !caller.is_master() {
        let detail = format!(
            "User {:?} cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            caller.user()
        );
        return Err(Error::refused("", "users", &user, &detail));
    }
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    Ok(Caller::impersonated(&user, &groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_masters_stand_in_for_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(acting(Caller::server(), &headers).unwrap(), Caller::server());
        headers.append(GROUP, "squall:viewers".parse().unwrap());
        assert!(acting(Caller::server(), &headers).is_err());
        headers.append(USER, "eve".parse().unwrap());
        let eve = acting(Caller::server(), &headers).unwrap();
        assert!(eve.user() == "eve" && eve.is_in("squall:viewers") && eve.is_known() && !eve.is_master());
        let mut nobody = HeaderMap::new();
        nobody.insert(USER, "system:anonymous".parse().unwrap());
        assert!(!acting(Caller::server(), &nobody).unwrap().is_known());
        for alone in [GROUP, "impersonate-uid", "impersonate-extra-scopes"] {
            let mut headers = HeaderMap::new();
            headers.insert(alone, "x".parse().unwrap());
            assert!(acting(Caller::server(), &headers).is_err(), "{alone}");
            headers.insert(USER, "".parse().unwrap());
            assert!(acting(Caller::server(), &headers).is_err(), "{alone}");
        }
        let mut strange = HeaderMap::new();
        strange.insert(USER, HeaderValue::from_bytes(&[0xe9]).unwrap());
        assert!(acting(Caller::server(), &strange).is_err());
        assert_eq!(
            acting(Caller::new("mallory", &[]), &headers).unwrap_err().to_string(),
            "users \"eve\" is forbidden: User \"mallory\" cannot impersonate resource \"users\" in API group \"\" at the \
             cluster scope"
        );
    }
}
