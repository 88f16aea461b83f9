//! Tests rules that no linter enforces: the directions between crates and inside them, file lengths, module docs, and that
//! each list and each table of the docs is complete.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use squall_api::{Kind, manifest};
use squall_lab::scenario::{Scenario, built_in};
use squall_referee::invariants;
use squall_tests::Ctl;
use squall_tests::modules::{Graph, sources};

/// The longest file, and the length that nine of ten files stay below; both without their tests.
const MAX_LINES: usize = 450;
const P90_LINES: usize = 250;
const BAD_NAMES: [&str; 6] = ["util", "utils", "common", "helpers", "misc", "prelude"];
/// Libraries that one crate alone may name.
const OWNERS: [(&str, &str); 3] = [("openraft", "apiserver"), ("prost-build", "proto"), ("rcgen", "cluster")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Each crate and the crates that it uses, as the table of `ARCHITECTURE.md` has it.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = text("ARCHITECTURE.md");
    let rows = page.lines().skip_while(|line| *line != "| crate | what it is for | uses |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| (quoted(&cells[0])[0].clone(), quoted(cells.last().unwrap()).into_iter().collect())).collect()
}

/// The name of a crate's package: that of `tests/simulation` is `squall-simulation`.
fn package(folder: &str) -> &str {
    match folder {
        "tests/clients" => "client-tests",
        other => other.rsplit('/').next().unwrap_or(other),
    }
}

#[test]
fn crates_use_each_other_as_the_architecture_says() {
    let table = table();
    let workspace = text("Cargo.toml");
    let members: BTreeSet<String> = workspace
        .lines()
        .skip_while(|line| *line != "members = [")
        .skip(1)
        .take_while(|line| *line != "]")
        .map(|line| line.trim().trim_matches([',', '"']).to_owned())
        .collect();
    assert_eq!(table.keys().cloned().collect::<BTreeSet<_>>(), members, "the table has a row for each crate");
    for (name, uses) in &table {
        let manifest = text(&format!("{name}/Cargo.toml"));
        let is_used = |other: &&String| {
            let line = format!("squall-{}.workspace", package(other));
            manifest.lines().any(|found| found.starts_with(&line))
        };
        let used: BTreeSet<String> = members.iter().filter(is_used).cloned().collect();
        assert_eq!(&used, uses, "{name}: its manifest on the left, ARCHITECTURE.md on the right");
        for (library, owner) in OWNERS {
            let is_named = manifest.lines().any(|line| line.starts_with(library));
            assert!(!is_named || name == owner, "{name} names {library}");
        }
    }
}

/// The crates that numbers from outside reach.
const COUNTING: [&str; 9] =
    ["api", "apiserver", "client", "controller-manager", "daemon", "faults", "flags", "kubelet-sim", "proto"];

#[test]
fn no_arithmetic_on_numbers_from_outside_can_panic_or_wrap() {
    for name in COUNTING {
        let held = text(&format!("{name}/src/lib.rs")).contains("warn(clippy::arithmetic_side_effects)");
        assert!(held, "{name} leaves out the lint for arithmetic");
    }
}

#[test]
fn no_circle_leads_from_one_folder_to_another() {
    for name in table().keys() {
        let circles = Graph::read(&root().join(name).join("src")).circles();
        assert!(circles.is_empty(), "{name}:\n{}", circles.join("\n"));
    }
}

#[test]
fn files_are_short_say_what_they_are_for_and_have_good_names() {
    let mut lengths = Vec::new();
    for path in table().keys().flat_map(|name| sources(&root().join(name))) {
        let text = fs::read_to_string(&path).unwrap();
        let length = text.split("#[cfg(test)]\nmod tests").next().unwrap().lines().count();
        assert!(length <= MAX_LINES, "{} has {length} lines", path.display());
        assert!(text.starts_with("//!"), "{} does not begin with its documentation", path.display());
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!BAD_NAMES.contains(&stem.as_str()), "{} is a drawer", path.display());
        lengths.push(length);
    }
    lengths.sort_unstable();
    assert!(lengths.len() > 500, "only {} sources were found", lengths.len());
    let p90 = lengths[lengths.len() * 9 / 10];
    assert!(p90 < P90_LINES, "nine of ten files have up to {p90} lines");
}

#[test]
fn tests_wait_for_conditions() {
    for path in ["tests/tests", "tests/clients/tests"].iter().flat_map(|folder| sources(&root().join(folder))) {
        let sleeps = path.file_name().is_some_and(|name| name != "tidy.rs")
            && fs::read_to_string(&path).unwrap().contains("sleep(");
        assert!(!sleeps, "{} sleeps", path.display());
    }
}

/// The files of a folder that implement something.
fn files_with(folder: &str, text: &str) -> BTreeSet<String> {
    let found =
        sources(&root().join(folder)).into_iter().filter(|path| fs::read_to_string(path).unwrap().contains(text));
    found.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// The right sides of the lines `Name => module,` of a list.
fn listed(path: &str) -> BTreeSet<String> {
    let page = text(path);
    let lines = page.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(" => "));
    let is_name = |(name, _): &(&str, &str)| name.chars().all(char::is_alphanumeric);
    lines.filter(is_name).map(|(_, module)| module.trim_end_matches(',').to_owned()).collect()
}

#[test]
fn each_fault_and_each_invariant_is_in_its_list() {
    assert_eq!(files_with("lab/src/faults", "\nimpl FaultKind for "), listed("lab/src/faults/mod.rs"));
    assert_eq!(files_with("referee/src/invariants", "\npub const RULE: Rule"), listed("referee/src/invariants/mod.rs"));
    let page = text("docs/crash-lab.md");
    for invariant in invariants::ALL {
        assert!(
            page.contains(&format!("| {}", invariant.rule.name)),
            "docs/crash-lab.md lacks {}",
            invariant.rule.name
        );
    }
}

#[test]
fn each_controller_is_started_and_described() {
    let (list, docs) = (text("controller-manager/src/controllers/mod.rs"), text("docs/machinery.md"));
    let folders = fs::read_dir(root().join("controller-manager/src/controllers")).unwrap().flatten();
    for folder in folders.filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(list.contains(&format!("start({name}::")), "{name} is not started");
        assert!(docs.contains(&format!("{name}`")), "docs/machinery.md does not describe {name}");
    }
}

/// The compiler holds that each variant has an arm. This holds that each file of a verb is behind one, and that each
/// variant has a help text.
#[test]
fn each_verb_has_its_file_its_arm_and_its_help() {
    let (list, cli) = (text("ctl/src/commands/mod.rs"), text("ctl/src/cli/mod.rs"));
    let modules: BTreeSet<&str> =
        list.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let helpers = BTreeSet::from(["record"]);
    for module in modules.difference(&helpers) {
        assert!(list.contains(&format!("=> {module}::")), "no verb is behind ctl/src/commands/{module}");
    }
    let mut helps = false;
    for line in cli.lines().skip_while(|line| !line.starts_with("pub enum Command")) {
        let is_variant = line.starts_with("    ") && line[4..].starts_with(char::is_uppercase) && line.contains('(');
        if is_variant {
            let flattens = ["    Read(", "    Change("].iter().any(|variant| line.starts_with(variant));
            assert!(helps || flattens, "a verb without a help text: {line}");
        }
        helps = (helps && !is_variant) || line.starts_with("    ///");
    }
}

#[test]
fn each_kind_and_each_scenario_is_described() {
    let api = text("docs/api.md");
    for kind in Kind::ALL {
        assert!(api.contains(kind.info().kind), "docs/api.md does not describe {}", kind.info().kind);
    }
    let lab = text("docs/crash-lab.md");
    for name in built_in::names() {
        assert!(lab.contains(&format!("| `{name}` |")), "docs/crash-lab.md has no row for {name}");
        assert!(root().join(format!("examples/chaos/{name}.yaml")).is_file(), "{name} has no file");
    }
}

/// The code blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let fences: Vec<&str> = page.split("```").collect();
    let inside = fences.iter().skip(1).step_by(2);
    inside
        .filter_map(|block| block.split_once('\n'))
        .map(|(language, code)| (language.to_owned(), code.to_owned()))
        .collect()
}

#[tokio::test]
async fn the_code_of_the_guides_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Ctl::in_folder(folder.path()).unwrap();
    let all: Vec<String> = sources(&root()).into_iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut count = 0;
    for entry in fs::read_dir(root().join("docs/guides")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        for (language, code) in blocks(&fs::read_to_string(entry.path()).unwrap()) {
            count += 1;
            match language.as_str() {
                "yaml" => drop(Scenario::read(&code, &name, Path::new(".")).unwrap()),
                // An excerpt stands in a source as it stands here.
                "rust" => assert!(all.iter().any(|source| source.contains(&code)), "{name}: no source has\n{code}"),
                "" => {
                    for command in code.lines().filter_map(|line| line.strip_prefix("ctl ")) {
                        let verbs: Vec<&str> =
                            command.split(' ').take_while(|word| !word.starts_with('-')).take(2).collect();
                        let help = ctl.run(&format!("{} --help", verbs.join(" "))).await.unwrap();
                        assert_eq!(help.code, 0, "{name}: ctl {command}: {help:?}");
                    }
                }
                other => panic!("{name}: nothing runs a block of {other:?}"),
            }
        }
    }
    assert!(count >= 4, "only {count} blocks of code");
}

#[test]
fn examples_parse() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("examples/chapter")).unwrap() {
        let path = entry.unwrap().path();
        for json in manifest::documents(&fs::read_to_string(&path).unwrap()).unwrap() {
            let word = |field: &str| json[field].as_str().unwrap_or_default().to_owned();
            let kind = Kind::of_manifest(&word("apiVersion"), &word("kind")).unwrap();
            squall_api::decode::from_json(kind, json, squall_api::decode::FieldValidation::Strict).unwrap();
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} manifests");
}
