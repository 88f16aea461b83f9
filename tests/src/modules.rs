//! The modules of a crate and the files that each uses, read from the source: for rules that no linter holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The path of a module: `["store", "view"]`; empty for the crate's root.
type Module = Vec<String>;

/// Which file uses which, inside one crate.
pub struct Graph {
    uses: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// Every source file below a folder, without build output.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a file before its tests, without comments.
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = before_tests.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn module_of(file: &Path, source: &Path) -> Module {
    let relative = file.strip_prefix(source).unwrap_or(file).with_extension("");
    let mut module: Module = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

/// The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expanded(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            paths.push(format!("{prefix}{path}"));
        }
        return;
    };
    let (head, body) = (&tree[..open], tree[open + 1..].trim_end().trim_end_matches('}'));
    let (mut depth, mut start) = (0, 0);
    for (index, letter) in body.char_indices().chain([(body.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expanded(&format!("{prefix}{head}"), &body[start..index], paths);
                start = index + 1;
            }
            _ => {}
        }
    }
}

/// Every path that a file takes from its own crate: after `use`, and in the middle of its code.
fn paths(code: &str, children: &BTreeSet<String>) -> Vec<String> {
    let mut paths = Vec::new();
    for statement in code.split("use ").skip(1) {
        let Some((tree, _)) = statement.split_once(';') else { continue };
        let first = tree.split("::").next().unwrap_or_default().trim();
        if ["crate", "super", "self"].contains(&first) {
            expanded("", tree, &mut paths);
        } else if children.contains(first) {
            expanded("self::", tree, &mut paths);
        }
    }
    for part in code.split("crate::").skip(1) {
        let end = part.find(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter)).unwrap_or(part.len());
        // `crate::{a, b}` is a use tree, which is read above.
        if end > 0 {
            paths.push(format!("crate::{}", &part[..end]));
        }
    }
    paths
}

impl Graph {
    /// Reads the crate whose sources are in a folder.
    #[must_use]
    pub fn read(source: &Path) -> Self {
        let files: BTreeMap<Module, PathBuf> =
            sources(source).into_iter().map(|file| (module_of(&file, source), file)).collect();
        let mut uses = BTreeMap::new();
        for (module, file) in &files {
            let is_child = |other: &&Module| other.len() == module.len() + 1 && other.starts_with(module);
            let children = files.keys().filter(is_child).filter_map(|child| child.last().cloned()).collect();
            let used = paths(&code(file), &children).into_iter().map(|path| target(&path, module, &files));
            uses.insert(file.clone(), used.filter(|used| used != file).collect());
        }
        Self { uses }
    }

    /// Whether one file leads to another, over any number of files.
    fn leads(&self, from: &Path, to: &Path) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            for used in self.uses.get(file).into_iter().flatten() {
                if used == to {
                    return true;
                }
                if seen.insert(used) {
                    next.push(used);
                }
            }
        }
        false
    }

    /// The uses that close a circle between files of different folders.
    #[must_use]
    pub fn circles(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (file, uses) in &self.uses {
            for used in uses.iter().filter(|used| used.parent() != file.parent() && self.leads(used, file)) {
                found.push(format!("{} uses {}, which leads back to it", file.display(), used.display()));
            }
        }
        found
    }
}

/// The file that a path leads to.
fn target(path: &str, module: &Module, files: &BTreeMap<Module, PathBuf>) -> PathBuf {
    let mut parts = path.split("::");
    let mut at: Module = Vec::new();
    let mut rest: Vec<&str> = Vec::new();
    match parts.next() {
        Some("crate") => rest.extend(parts),
        Some("self") => {
            at.clone_from(module);
            rest.extend(parts);
        }
        Some("super") => {
            at.clone_from(module);
            at.pop();
            let mut parts = parts.peekable();
            while parts.next_if(|part| *part == "super").is_some() {
                at.pop();
            }
            rest.extend(parts);
        }
        _ => {}
    }
    for part in rest {
        let next: Module = at.iter().cloned().chain([part.to_owned()]).collect();
        if !files.contains_key(&next) {
            break;
        }
        at = next;
    }
    files.get(&at).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str, text: &str) {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_circle_between_folders_is_found_and_one_within_a_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "lib.rs", "mod a;\nmod b;\n");
        write(folder.path(), "a/mod.rs", "mod one;\nmod two;\nuse one::One;\n");
        write(folder.path(), "a/one.rs", "use super::two::{Two, Other};\n");
        write(folder.path(), "a/two.rs", "use super::one::One;\n// use crate::b::B;\n");
        write(folder.path(), "b/mod.rs", "use crate::a::one::One;\n");
        assert_eq!(Graph::read(folder.path()).circles(), [""; 0]);
        write(folder.path(), "a/two.rs", "fn f() { crate::b::g() }\n");
        assert_eq!(Graph::read(folder.path()).circles().len(), 2);
    }
}
