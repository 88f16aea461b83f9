//! The parameters of a URL. Pure functions.

use axum::extract::Query as Pairs;
use http::{HeaderMap, Uri, header::USER_AGENT};
use squall_api::Error;
use squall_api::decode::FieldValidation;
use squall_api::field::{Errors, Path};

use crate::admission::DeleteOptions;
use crate::handlers::{Deleting, ListQuery, WatchQuery};
use crate::request::WriteOptions;

/// Kubernetes: maximum length of a field manager's name.
const MAX_MANAGER: usize = 128;

/// The parameters of a URL, in order.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the parameters of a URL.
    pub fn parse(uri: &Uri) -> Result<Self, Error> {
        let Pairs(pairs) = Pairs::try_from_uri(uri).map_err(|error| Error::bad_request(error.to_string()))?;
        Ok(Self(pairs))
    }

    /// Returns the value of a parameter; empty if it is missing.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether a parameter is present and neither "false" nor "0" (Kubernetes: a bare name counts as true).
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or(false)
    }

    fn optional_flag(&self, name: &str) -> Option<bool> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(!matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// Parses a number, if the parameter is present.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Error> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                Error::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax (parameter {name})"))
            }),
        }
    }

    /// Returns the parameters of a list.
    pub fn list(&self) -> Result<ListQuery, Error> {
        Ok(ListQuery {
            labels: self.text("labelSelector").to_owned(),
            fields: self.text("fieldSelector").to_owned(),
            version: self.text("resourceVersion").to_owned(),
            matching: self.text("resourceVersionMatch").to_owned(),
            limit: self.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
            continue_token: self.text("continue").to_owned(),
            send_initial_events: self.optional_flag("sendInitialEvents"),
        })
    }

    /// Returns the parameters of a watch.
    pub fn watch(&self) -> Result<WatchQuery, Error> {
        Ok(WatchQuery {
            list: self.list()?,
            bookmarks: self.flag("allowWatchBookmarks"),
            timeout_seconds: self
                .number("timeoutSeconds")?
                .and_then(|seconds| u64::try_from(seconds).ok())
                .unwrap_or(0),
        })
    }

    /// Returns the options of a write.
    pub fn write(&self, headers: &HeaderMap) -> Result<WriteOptions, Error> {
        let manager = match self.text("fieldManager") {
            "" => manager_of(headers),
            named => named.to_owned(),
        };
        if manager.len() > MAX_MANAGER {
            return Err(Error::bad_request(format!("fieldManager: may not be more than {MAX_MANAGER} bytes")));
        }
        Ok(WriteOptions {
            validation: FieldValidation::parse(self.text("fieldValidation"))?,
            dry_run: dry_run(self.0.iter().filter(|(key, _)| key == "dryRun").map(|(_, value)| value.as_str()))?,
            field_manager: manager,
            ..WriteOptions::default()
        })
    }

    /// Returns the options of a delete.
    pub fn deleting(&self) -> Result<Deleting, Error> {
        Ok(Deleting {
            options: DeleteOptions {
                grace_period: self.number("gracePeriodSeconds")?,
                propagation: self.text("propagationPolicy").to_owned(),
                uid: String::new(),
            },
            version: String::new(),
        })
    }
}

/// Parses the values of `dryRun`.
pub fn dry_run<'a>(values: impl Iterator<Item = &'a str>) -> Result<bool, Error> {
    let mut dry = false;
    for value in values.filter(|value| !value.is_empty()) {
        if value != "All" {
            let mut errors = Errors::default();
            errors.not_supported(&Path::new("dryRun"), &value, &["All"]);
            return Err(Error::invalid_request("meta.k8s.io", "WriteOptions", &errors));
        }
        dry = true;
    }
    Ok(dry)
}

/// Kubernetes: the default field manager is the first word of the user agent, or "unknown" without one.
fn manager_of(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let word = agent.split('/').next().unwrap_or_default();
    let name: String = word.chars().filter(|c| !c.is_control()).take(MAX_MANAGER).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(&format!("/x?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn parameters_are_read_as_kubernetes_reads_them() {
        let query =
            query("labelSelector=a%3Db%2Cc&limit=5&watch&allowWatchBookmarks=true&pretty=0&sendInitialEvents=false");
        let list = query.list().unwrap();
        assert_eq!((list.labels.as_str(), list.limit, list.send_initial_events), ("a=b,c", 5, Some(false)));
        assert!(query.flag("watch") && !query.flag("pretty") && !query.flag("nosuch"));
    }

    #[test]
    fn bad_parameters_are_refused() {
        assert!(query("limit=many").list().is_err());
        let headers = HeaderMap::new();
        assert!(query("dryRun=All").write(&headers).unwrap().dry_run);
        assert!(query("dryRun=Some").write(&headers).unwrap_err().to_string().contains("supported values: \"All\""));
        assert!(query("fieldValidation=Maybe").write(&headers).is_err());
    }

    #[test]
    fn a_field_manager_is_named_or_known_by_the_user_agent() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "kubectl/v1.32.0 (linux/amd64)".parse().unwrap());
        assert_eq!(query("").write(&headers).unwrap().field_manager, "kubectl");
        assert_eq!(query("fieldManager=me").write(&headers).unwrap().field_manager, "me");
    }
}
