//! Secret: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::Secret;

use super::data::{validate_fixed, validate_keys, validate_size};
use super::{Kind, KindInfo, Resource, Scope};
use crate::field::{Errors, Path};
use crate::table::{Column, narrow};
use crate::warnings::Warnings;
use crate::{age, names};

const PEM: &[u8] = b"-----BEGIN ";

impl Resource for Secret {
    const KIND: Kind = Kind::Secret;
    const INFO: KindInfo = KindInfo {
        kind: "Secret",
        group: "",
        version: "v1",
        plural: "secrets",
        singular: "secret",
        short_names: &[],
        scope: Scope::Namespaced,
        message: "core.v1.Secret",
        name_rule: names::dns1123_subdomain,
        create_on_update: false,
        in_all: false,
    };
    const COLUMNS: &'static [Column] = &[narrow("Name"), narrow("Type"), narrow("Data"), narrow("Age")];

    fn set_defaults(&mut self) {
        if self.r#type.is_empty() {
            "Opaque".clone_into(&mut self.r#type);
        }
    }

    fn validate(&self, errors: &mut Errors) {
        validate_keys(self.data.keys(), "data", errors);
        validate_size(self.data.values().map(Vec::len).sum(), errors);
        validate_type(self, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        if self.r#type != old.r#type {
            errors.invalid(&Path::new("type"), &self.r#type, "field is immutable");
        }
        validate_fixed(old.immutable, self.immutable, &[("data", self.data != old.data)], errors);
    }

    fn prepare_create(&mut self) {
        store_string_data(self);
    }

    fn prepare_update(&mut self, _old: &Self) {
        store_string_data(self);
    }

    fn selectable(&self, field: &str) -> Option<String> {
        (field == "type").then(|| self.r#type.clone())
    }

    /// Of Kubernetes' check that key and certificate belong together, the beginning: both are in PEM.
    fn warn(&self, _old: Option<&Self>, warnings: &mut Warnings) {
        let is_pem =
            |name: &str| self.data.get(name).is_some_and(|bytes| bytes.windows(PEM.len()).any(|part| part == PEM));
        let missing = [("tls.crt", "certificate"), ("tls.key", "key")].into_iter().find(|(name, _)| !is_pem(name));
        if let Some((_, part)) = missing.filter(|_| self.r#type == "kubernetes.io/tls") {
            warnings.say(format!("tls: failed to find any PEM data in {part} input"));
        }
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.r#type.clone(),
            self.data.len().to_string(),
            age::since(&self.metadata.creation_timestamp, now),
        ]
    }
}

/// The types of secrets with required keys.
const DEMANDED_KEYS: [(&str, &[&str]); 4] = [
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
];

/// Kubernetes: a Docker configuration is a JSON object.
fn validate_docker(secret: &Secret, keys: &[&str], errors: &mut Errors) {
    for (key, value) in keys.iter().filter_map(|key| Some((key, secret.data.get(*key)?))) {
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(value).is_err() {
            let first = String::from_utf8_lossy(value).trim_start().chars().next();
            let detail = match first {
                None | Some('{') => "unexpected end of JSON input".to_owned(),
                Some(first) => format!("invalid character {first:?} looking for beginning of value"),
            };
            errors.invalid(&Path::new("data").key(key), &"<secret contents redacted>", &detail);
        }
    }
}

/// Validates the keys that the type of the secret requires. Runs after `stringData` has become `data`.
fn validate_type(secret: &Secret, errors: &mut Errors) {
    let data = Path::new("data");
    let has = |key: &str| secret.data.contains_key(key);
    for (_, keys) in DEMANDED_KEYS.iter().filter(|(kind, _)| *kind == secret.r#type) {
        for key in keys.iter().filter(|key| !has(key)) {
            errors.required(&data.key(key), "");
        }
        if keys.iter().any(|key| key.starts_with(".docker")) {
            validate_docker(secret, keys, errors);
        }
    }
    match secret.r#type.as_str() {
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.required(&data.key("username"), "");
            errors.required(&data.key("password"), "");
        }
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if secret.metadata.annotations.get(ACCOUNT).is_none_or(String::is_empty) {
                errors.required(&Path::new("metadata").child("annotations").key(ACCOUNT), "");
            }
        }
        _ => {}
    }
}

/// Moves `stringData`, which is write-only, to `data`.
fn store_string_data(secret: &mut Secret) {
    for (key, value) in std::mem::take(&mut secret.string_data) {
        secret.data.insert(key, value.into_bytes());
    }
}
