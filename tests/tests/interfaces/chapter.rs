//! Tests the chapter, command by command: runs the tour in `docs/` and compares its output; likewise the transcripts in
//! `tests/ctl`.
//!
//! `UPDATE_TRANSCRIPTS=1` rewrites both.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::path::{Path, PathBuf};

use squall_tests::page::Page;
use squall_tests::transcript::{Shell, Transcript};
use squall_tests::{Ctl, Lab, Scratch};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_TRANSCRIPTS").is_some()
}

/// Returns a folder with the chapter's manifests at their path in the project.
fn folder_with_manifests() -> Scratch {
    let (scratch, _) = Scratch::new().unwrap();
    let folder = scratch.path().join("examples/chapter");
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(root().join("examples/chapter")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    scratch
}

fn shell(lab: &Lab, folder: &Path) -> Shell {
    Ctl::in_folder(folder).unwrap().shell(&lab.cluster.kubeconfig())
}

fn same(name: &str, expected: &str, printed: &str, whole: &str) {
    let first = expected.lines().zip(printed.lines()).find(|(expected, printed)| expected != printed);
    assert!(expected == printed, "{name} differs, first in {first:#?}\nnow it would be:\n{whole}");
}

#[tokio::test]
async fn the_tour_is_as_it_says() {
    let (lab, scratch) = (Lab::start().await.unwrap(), folder_with_manifests());
    let curl = shell(&lab, scratch.path()).run("command -v curl").await.unwrap();
    assert_eq!(curl.code, 0, "the tour needs curl, which is not installed here");
    let file = root().join("docs/tour.md");
    let page = Page::parse(&std::fs::read_to_string(&file).unwrap());
    assert!(page.commands().len() > 50, "the tour has commands");
    let now = page.play(&shell(&lab, scratch.path())).await.unwrap();
    if is_update() {
        std::fs::write(&file, now.text()).unwrap();
        return;
    }
    same("the tour", &page.compared().unwrap(), &now.compared().unwrap(), &now.text());
}

/// The same tour in another language has the same commands in the same order, with the same output.
#[test]
fn the_tour_in_korean_is_the_same_tour() {
    let read = |name: &str| Page::parse(&std::fs::read_to_string(root().join("docs").join(name)).unwrap());
    let (english, korean) = (read("tour.md"), read("tour.ko.md"));
    assert_eq!(english.commands(), korean.commands());
    assert_eq!(english.outputs(), korean.outputs());
}

async fn follows_its_transcript(name: &str) {
    let (lab, scratch) = (Lab::start().await.unwrap(), folder_with_manifests());
    let file = root().join("tests/ctl").join(name);
    let expected = std::fs::read_to_string(&file).unwrap();
    let printed = Transcript::parse(&expected).play(&shell(&lab, scratch.path())).await.unwrap();
    if is_update() {
        std::fs::write(&file, &printed).unwrap();
        return;
    }
    same(name, &expected, &printed, &printed);
}

#[tokio::test]
async fn verbs_say_what_kubectls_say() {
    follows_its_transcript("verbs.txt").await;
}

#[tokio::test]
async fn what_is_wrong_is_told_as_by_kubectl() {
    follows_its_transcript("errors.txt").await;
}

#[tokio::test]
async fn rollouts_are_told_as_by_kubectl() {
    follows_its_transcript("rollouts.txt").await;
}

#[tokio::test]
async fn a_client_side_update_is_told_as_by_kubectl_1_17() {
    follows_its_transcript("rolling-update.txt").await;
}
