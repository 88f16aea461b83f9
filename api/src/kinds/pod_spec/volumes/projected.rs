//! Volumes whose files come from several sources.

use std::collections::HashSet;

use squall_proto::core::v1::{
    DownwardApiProjection, KeyToPath, ProjectedVolumeSource, ServiceAccountTokenProjection, VolumeProjection,
};

use super::{files, paths, required};
use crate::field::{Errors, Path};

/// The shortest and the longest life of a token, in seconds.
const MIN_TOKEN: i64 = 600;
const MAX_TOKEN: i64 = 1 << 32;

pub(super) fn validate(source: &ProjectedVolumeSource, path: &Path, errors: &mut Errors) {
    files::mode(source.default_mode, "defaultMode", path, errors);
    let mut files = Files { volume: path, seen: HashSet::new(), errors };
    for (index, source) in source.sources.iter().enumerate() {
        files.validate(source, &path.child("sources").index(index));
    }
}

/// The files of a volume, whose paths must differ.
struct Files<'a> {
    volume: &'a Path,
    seen: HashSet<&'a str>,
    errors: &'a mut Errors,
}

impl<'a> Files<'a> {
    fn validate(&mut self, source: &'a VolumeProjection, path: &Path) {
        if let Some(secret) = &source.secret {
            self.keys(&secret.local_object_reference.name, &secret.items, &path.child("secret"));
        }
        if let Some(map) = &source.config_map {
            self.keys(&map.local_object_reference.name, &map.items, &path.child("configMap"));
        }
        if let Some(fields) = &source.downward_api {
            self.fields(fields, &path.child("downwardAPI"));
        }
        if let Some(token) = &source.service_account_token {
            self.token(token, &path.child("serviceAccountToken"));
        }
        let given = [
            source.secret.is_some(),
            source.config_map.is_some(),
            source.downward_api.is_some(),
            source.service_account_token.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            self.errors.forbidden(path, "may not specify more than 1 volume type per source");
        }
    }

    /// Takes a path; `value` is printed if another source has it already.
    fn take(&mut self, file: &'a str, value: &str) {
        if !file.is_empty() && !self.seen.insert(file) {
            self.errors.invalid(self.volume, &value, "conflicting duplicate paths");
        }
    }

    fn keys(&mut self, name: &str, items: &'a [KeyToPath], path: &Path) {
        required(name, "name", path, self.errors);
        files::keys(items, path, self.errors);
        for item in items {
            self.take(&item.path, name);
        }
    }

    fn fields(&mut self, fields: &'a DownwardApiProjection, path: &Path) {
        for file in &fields.items {
            files::downward_file(file, path, self.errors);
            self.take(&file.path, &file.path);
        }
    }

    fn token(&mut self, token: &'a ServiceAccountTokenProjection, path: &Path) {
        let seconds = token.expiration_seconds.unwrap_or_default();
        let expiration = path.child("expirationSeconds");
        if seconds < MIN_TOKEN {
            self.errors.invalid(&expiration, &seconds, "may not specify a duration less than 10 minutes");
        }
        if seconds > MAX_TOKEN {
            self.errors.invalid(&expiration, &seconds, "may not specify a duration larger than 2^32 seconds");
        }
        if token.path.is_empty() {
            self.errors.required(&self.volume.child("path"), "");
        } else {
            paths::not_reserved(&token.path, &self.volume.child("path"), self.errors);
        }
    }
}
