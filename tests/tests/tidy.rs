//! Rules that no linter checks: dependencies between crates, the length of files, the documentation of modules.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each crate, and the crates of this workspace that it may use.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("proto", &[]),
    ("api", &["proto"]),
    ("client", &["api", "proto"]),
    ("daemon", &[]),
    ("faults", &["proto"]),
    ("apiserver", &["api", "proto", "daemon", "faults"]),
    ("controller-manager", &["api", "client", "daemon", "faults"]),
    ("kubelet-sim", &["api", "client", "daemon", "faults", "proto"]),
    ("cluster", &["api", "client", "daemon", "faults"]),
    ("referee", &["api"]),
    ("checkers", &["api", "client", "referee"]),
    ("lab", &["api", "checkers", "client", "cluster", "faults", "referee"]),
    ("bench", &["api", "checkers", "client", "cluster"]),
    ("ctl", &["api", "bench", "checkers", "client", "cluster", "faults", "lab", "referee"]),
    ("tests/simulation", &["api", "apiserver", "checkers", "client", "daemon"]),
];
const MAX_LINES: usize = 600;
const BAD_NAMES: [&str; 5] = ["util", "utils", "common", "helpers", "misc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (name, _) in MAY_USE {
        sources(&root().join(name), &mut found);
    }
    sources(&root().join("tests"), &mut found);
    assert!(found.len() > 100, "only {} sources were found", found.len());
    found
}

#[test]
fn dependencies_point_one_way() {
    for (name, allowed) in MAY_USE {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        for (other, _) in MAY_USE {
            let used = manifest.lines().any(|line| line.starts_with(&format!("squall-{other}.")));
            assert!(!used || allowed.contains(&other), "{name} uses {other}");
        }
        for (library, owner) in [("openraft", "apiserver"), ("prost-build", "proto"), ("rcgen", "cluster")] {
            let used = manifest.lines().any(|line| line.starts_with(library));
            assert!(!used || name == owner, "{name} names {library}");
        }
    }
}

#[test]
fn files_are_short_say_what_they_are_for_and_have_good_names() {
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let without_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        assert!(without_tests.lines().count() <= MAX_LINES, "{} is longer than {MAX_LINES} lines", path.display());
        assert!(text.starts_with("//!"), "{} does not begin with documentation", path.display());
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!BAD_NAMES.contains(&stem.as_str()), "{} has a name without a meaning", path.display());
    }
}

#[test]
fn tests_wait_for_conditions() {
    let mut tests = Vec::new();
    for folder in ["tests/tests", "tests/clients/tests"] {
        sources(&root().join(folder), &mut tests);
    }
    for path in tests.iter().filter(|path| path.file_name().is_some_and(|name| name != "tidy.rs")) {
        assert!(!fs::read_to_string(path).unwrap().contains("sleep("), "{} sleeps", path.display());
    }
}

#[test]
fn examples_parse() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("examples/chapter")).unwrap() {
        let path = entry.unwrap().path();
        for json in squall_api::manifest::documents(&fs::read_to_string(&path).unwrap()).unwrap() {
            let word = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
            let kind = squall_api::Kind::of_manifest(&word("apiVersion"), &word("kind")).unwrap();
            squall_api::decode::from_json(kind, json, squall_api::decode::FieldValidation::Strict).unwrap();
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} manifests");
}
