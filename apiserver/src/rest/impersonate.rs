//! Impersonation (`kubectl --as`): only for callers who may do everything anyway.

use http::{HeaderMap, HeaderValue};
use squall_api::Error;
use squall_daemon::identity::Caller;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";

/// Returns the caller that a request acts as.
pub fn acting(caller: Caller, headers: &HeaderMap) -> Result<Caller, Error> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let groups: Vec<String> = headers.get_all(GROUP).iter().map(text).collect();
    let Some(user) = headers.get(USER).map(text) else {
        return if groups.is_empty() {
            Ok(caller)
        } else {
            Err(Error::bad_request("requested a group to be impersonated without a user"))
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
    Ok(Caller::new(&user, &groups))
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
        assert!(eve.user() == "eve" && eve.is_in("squall:viewers") && !eve.is_master());
        assert_eq!(
            acting(Caller::new("mallory", &[]), &headers).unwrap_err().to_string(),
            "users \"eve\" is forbidden: User \"mallory\" cannot impersonate resource \"users\" in API group \"\" at the \
             cluster scope"
        );
    }
}
