//! The kinds that users have defined, as the cluster knows them. They are asked for once, and only if a command names a
//! kind that is not built in.

use std::sync::Arc;

use squall_api::apiextensions::v1::CustomResourceDefinition;
use squall_api::kinds::{Definition, Version};
use squall_api::{Kind, Object};

/// The kinds that users have defined.
#[derive(Debug, Default)]
pub struct Kinds(Vec<Definition>);

impl Kinds {
    /// Reads definitions. One that this program cannot read is as good as none.
    pub fn of(definitions: &[CustomResourceDefinition]) -> Self {
        Self(definitions.iter().filter_map(|definition| Definition::of(definition, 0).ok()).collect())
    }

    /// Returns the definitions.
    pub fn definitions(&self) -> &[Definition] {
        &self.0
    }

    /// Returns the kind that a user means by `crontab`, `ct`, `crontabs.stable.example.com` or
    /// `crontabs.v1.stable.example.com`.
    pub fn of_word(&self, word: &str) -> Option<Kind> {
        Kind::of_word(word).or_else(|| {
            let word = word.to_ascii_lowercase();
            let (name, rest) = word.split_once('.').map_or((word.as_str(), ""), |(name, rest)| (name, rest));
            let named = |definition: &&Definition| {
                let names = definition.names();
                name == names.plural
                    || name == names.singular
                    || name == names.kind.to_lowercase()
                    || (rest.is_empty() && names.short_names.iter().any(|short| short == name))
            };
            self.0.iter().filter(named).find_map(|definition| {
                let in_group = |version: &&Arc<Version>| {
                    let versioned = format!("{}.{}", version.kind().info().version, definition.group());
                    rest.is_empty() || rest == definition.group() || rest == versioned
                };
                best(definition.served().filter(in_group))
            })
        })
    }

    /// Returns the kind of a manifest.
    pub fn of_manifest(&self, api_version: &str, kind: &str) -> Option<Kind> {
        Kind::of_manifest(api_version, kind).or_else(|| {
            let found = |version: &&Arc<Version>| {
                let info = version.kind().info();
                info.kind == kind && info.api_version() == api_version
            };
            self.0.iter().flat_map(Definition::served).find(found).map(|version| Kind::Custom(version.kind()))
        })
    }

    /// Returns the kinds of a category, such as `all`.
    pub fn in_category(&self, category: &str) -> Vec<Kind> {
        let is_in = |definition: &&Definition| definition.names().categories.iter().any(|name| name == category);
        self.0.iter().filter(is_in).filter_map(|definition| best(definition.served())).collect()
    }

    /// Returns the abbreviations of a kind, with commas between them.
    pub fn short_names(&self, kind: Kind) -> String {
        let is_its = |definition: &&Definition| definition.served().any(|version| Kind::Custom(version.kind()) == kind);
        match self.0.iter().find(is_its) {
            Some(definition) => definition.names().short_names.join(","),
            None => kind.info().short_names.join(","),
        }
    }

    /// Gives an object of such a kind the columns of its version.
    pub fn adopt(&self, object: &mut Object) {
        let kind = object.kind();
        if kind.is_custom() {
            let is_its = |version: &&Arc<Version>| Kind::Custom(version.kind()) == kind;
            object.follow(self.0.iter().flat_map(Definition::served).find(is_its));
        }
    }
}

/// Returns the kind in the best of these versions.
fn best<'a>(versions: impl Iterator<Item = &'a Arc<Version>>) -> Option<Kind> {
    versions.max_by_key(|version| version.rank()).map(|version| Kind::Custom(version.kind()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds() -> Kinds {
        let version = |name: &str| {
            json!({"name": name, "served": true, "storage": name == "v1beta1",
                "schema": {"openAPIV3Schema": {"type": "object"}}})
        };
        let definition = json!({"spec": {"group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"],
                "categories": ["all"]},
            "versions": [version("v1beta1"), version("v1")]}});
        Kinds::of(&[serde_json::from_value(definition).unwrap()])
    }

    #[test]
    fn users_name_kinds_of_their_own_as_they_name_others() {
        let kinds = kinds();
        let version = |word: &str| kinds.of_word(word).map(|kind| kind.info().version);
        for word in
            ["ct", "crontab", "CronTab", "crontabs", "crontabs.stable.example.com", "crontab.v1.stable.example.com"]
        {
            assert_eq!(version(word), Some("v1"), "{word}");
        }
        assert_eq!(version("crontabs.v1beta1.stable.example.com"), Some("v1beta1"));
        assert_eq!(kinds.of_word("deploy"), Some(Kind::Deployment));
        for word in ["cron", "ct.stable.example.com", "crontabs.example.com", "crontabs.v2.stable.example.com"] {
            assert_eq!(version(word), None, "{word}");
        }
        assert_eq!(kinds.of_manifest("stable.example.com/v1beta1", "CronTab").unwrap().info().version, "v1beta1");
        assert_eq!(kinds.in_category("all").len(), 1);
    }
}
