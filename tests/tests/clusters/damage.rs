//! The damage matrix: each file of a member, damaged in each way, on one member and on two. A member recovers or refuses
//! to start, nothing acknowledged is lost, and the commands that `ctl cluster up` prints lead to a healthy cluster.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use squall_api::core::v1::ConfigMap;
use squall_checkers::agreement;
use squall_client::{Api, wait_for};
use squall_cluster::{Cluster, Lifetime};
use squall_tests::{Ctl, Output, Scratch};

/// More entries than stay in the log behind a snapshot.
const WRITES: usize = 2_600;
/// Writes before the earlier state: fewer than are purged at the end.
const EARLY: usize = 200;
/// Clients that write at the same time.
const WRITERS: usize = 32;

const UP: &str = "cluster up --detach --apiservers 3 --controller-managers 1 --nodes 0";

/// A file of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Mark,
    LogMark,
    Log,
    Snapshot,
}

/// A way to damage a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Gone,
    Empty,
    Cut,
    Flipped,
    Older,
    Anothers,
}

const FILES: [File; 4] = [File::Mark, File::LogMark, File::Log, File::Snapshot];
const DAMAGES: [Damage; 6] =
    [Damage::Gone, Damage::Empty, Damage::Cut, Damage::Flipped, Damage::Older, Damage::Anothers];

impl File {
    /// Returns its path in a member's data folder; for the log, that of the newest segment.
    fn path(self, data: &Path) -> PathBuf {
        let newest = |folder: &str| {
            let mut files: Vec<PathBuf> =
                fs::read_dir(data.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files.pop().unwrap_or_else(|| panic!("{} has no {folder}", data.display()))
        };
        match self {
            Self::Mark => data.join("member.json"),
            Self::LogMark => data.join("log.mark"),
            Self::Log => newest("log"),
            Self::Snapshot => newest("snapshots"),
        }
    }

    /// Whether a member starts with this damage: it needs nothing of the file that it does not have elsewhere.
    fn recovers_from(self, damage: Damage) -> bool {
        match (self, damage) {
            // The same on both sides: it changes only when the log begins.
            (Self::Mark, Damage::Older) => true,
            // Without it, a log that was cut would go unnoticed. This one is whole.
            (Self::LogMark, damage) => damage != Damage::Anothers,
            // Members have the same state.
            (Self::Snapshot, Damage::Anothers) => true,
            _ => false,
        }
    }
}

/// A stopped cluster with all its acknowledged writes, and its folder at an earlier time.
struct Prepared {
    scratch: Scratch,
    ctl: Ctl,
}

impl Prepared {
    fn folder(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn data(&self, cluster: &str, member: usize) -> PathBuf {
        self.folder(cluster).join(format!("data/apiserver-{member}"))
    }

    async fn ctl(&self, words: &str) -> Output {
        let taken = |output: &Output| output.stderr.contains("are in use by another cluster");
        // While this cluster is stopped, one of another test may take its addresses.
        let done = wait_for("addresses that are free", || async {
            let output = self.ctl.run(words).await.unwrap();
            if taken(&output) { Err(output.stderr) } else { Ok(output) }
        });
        done.await.unwrap()
    }

    async fn succeeds(&self, words: &str) {
        let output = self.ctl(words).await;
        assert_eq!(output.code, 0, "ctl {words}: {output:?}");
    }

    /// Makes a snapshot of each member's state, in its own folder.
    async fn snapshots(&self) {
        let cluster = Cluster::open(&self.folder(".squall"), Lifetime::Detached).unwrap();
        for member in 0..3 {
            self.succeeds(&format!("snapshot save saved-{member} -s {}", cluster.apiserver_url(member))).await;
        }
    }

    /// Stops the cluster as a power cut does.
    fn cut_power(&self) {
        Cluster::open(&self.folder(".squall"), Lifetime::Detached).unwrap().power_cut().unwrap();
    }

    /// Damages a file of one member.
    fn damage(&self, file: File, damage: Damage, member: usize) {
        let path = file.path(&self.data(".squall", member));
        let bytes = fs::read(&path).unwrap();
        match damage {
            Damage::Gone => fs::remove_file(&path).unwrap(),
            Damage::Empty => fs::write(&path, "").unwrap(),
            Damage::Cut => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
            Damage::Flipped => {
                let mut bytes = bytes;
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
                fs::write(&path, bytes).unwrap();
            }
            Damage::Older => take(file, &self.data("earlier", member), &path),
            Damage::Anothers => take(file, &self.data("pristine", 2 - member), &path),
        }
    }

    /// Checks that all members agree on every acknowledged write.
    async fn is_whole(&self, case: &str) {
        let cluster = Cluster::open(&self.folder(".squall"), Lifetime::Detached).unwrap();
        let client = cluster.client().unwrap();
        let agreed = wait_for("all members to agree", || agreement::agreed(&client)).await;
        assert!(agreed.is_ok(), "{case}: {agreed:?}");
        let maps: Api<ConfigMap> = Api::new(client, "default");
        let found = maps.list("", "").await.unwrap().iter().filter(|map| map.metadata.name.starts_with("w-")).count();
        assert_eq!(found, WRITES, "{case}: acknowledged writes are gone");
    }
}

/// Replaces a file by the one that another folder has in its place, under that one's name.
fn take(file: File, from: &Path, path: &Path) {
    let other = file.path(from);
    fs::remove_file(path).unwrap();
    fs::copy(&other, path.with_file_name(other.file_name().unwrap())).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &target),
            kind if kind.is_file() => drop(fs::copy(entry.path(), target).unwrap()),
            // Sockets of processes that have ended.
            _ => {}
        }
    }
}

async fn prepare() -> Prepared {
    let (scratch, ctl) = Scratch::new().unwrap();
    let prepared = Prepared { scratch, ctl };
    prepared.succeeds(UP).await;
    let cluster = Cluster::open(&prepared.folder(".squall"), Lifetime::Detached).unwrap();
    let maps: Api<ConfigMap> = Api::new(cluster.client().unwrap(), "default");
    let write = async |from: usize, to: usize| {
        let writers = (0..WRITERS).map(|writer| {
            let maps = maps.clone();
            async move {
                for number in (from..to).filter(|number| number % WRITERS == writer) {
                    let mut map = ConfigMap::default();
                    map.metadata.name = format!("w-{number}");
                    maps.create(map).await.unwrap();
                }
            }
        });
        futures_util::future::join_all(writers).await;
    };
    write(0, EARLY).await;
    prepared.snapshots().await;
    prepared.cut_power();
    copy(&prepared.folder(".squall"), &prepared.folder("earlier"));
    prepared.succeeds("cluster up --detach").await;
    write(EARLY, WRITES - 10).await;
    prepared.snapshots().await;
    // The last ones are only in the log.
    write(WRITES - 10, WRITES).await;
    prepared.succeeds("snapshot save last").await;
    prepared.cut_power();
    copy(&prepared.folder(".squall"), &prepared.folder("pristine"));
    prepared
}

/// Plays one case: damages a file of these members and starts the cluster. Returns an error text if something is wrong.
async fn play(prepared: &Prepared, file: File, damage: Damage, members: &[usize]) {
    let case = format!("{file:?} {damage:?} on {members:?}");
    fs::remove_dir_all(prepared.folder(".squall")).unwrap();
    copy(&prepared.folder("pristine"), &prepared.folder(".squall"));
    members.iter().for_each(|member| prepared.damage(file, damage, *member));
    let up = prepared.ctl("cluster up --detach").await;
    if file.recovers_from(damage) {
        assert_eq!(up.code, 0, "{case}: {up:?}");
        prepared.is_whole(&case).await;
        prepared.cut_power();
        return;
    }
    assert_eq!(up.code, 1, "{case}: {up:?}");
    for member in members {
        assert!(up.stderr.contains(&format!("apiserver-{member} ended: ")), "{case}: {up:?}");
    }
    let commands: Vec<&str> = up.stderr.lines().filter_map(|line| line.strip_prefix("  ctl ")).collect();
    if members.len() == 1 {
        assert_eq!(commands.len(), 2, "{case}: {up:?}");
        for command in commands {
            prepared.succeeds(command).await;
        }
    } else {
        assert!(up.stderr.contains("1 of 3 apiservers are left") && commands.is_empty(), "{case}: {up:?}");
        assert!(up.stderr.contains("\"ctl snapshot restore FILE --dir DIR\""), "{case}: {up:?}");
        prepared.succeeds("snapshot restore last --dir restored --nodes 0").await;
        fs::remove_dir_all(prepared.folder(".squall")).unwrap();
        fs::rename(prepared.folder("restored"), prepared.folder(".squall")).unwrap();
        prepared.succeeds("cluster up --detach").await;
    }
    prepared.is_whole(&case).await;
    prepared.cut_power();
}

#[tokio::test]
async fn each_file_damaged_in_each_way_is_recovered_or_refused_and_the_printed_steps_repair_it() {
    let prepared = prepare().await;
    for file in FILES {
        for damage in DAMAGES {
            play(&prepared, file, damage, &[0]).await;
        }
    }
    for (file, damage) in [
        (File::Log, Damage::Gone),
        (File::Log, Damage::Empty),
        (File::Log, Damage::Cut),
        (File::Log, Damage::Older),
        (File::Log, Damage::Anothers),
        (File::Snapshot, Damage::Gone),
        (File::Snapshot, Damage::Older),
        (File::LogMark, Damage::Gone),
        (File::Mark, Damage::Flipped),
    ] {
        play(&prepared, file, damage, &[0, 2]).await;
    }
}

/// The whole log folder, and everything but it: a member that starts anyway would vote again in an old term.
#[tokio::test]
async fn a_member_without_its_log_never_votes_again() {
    let prepared = prepare().await;
    for folders in [&["log"][..], &["snapshots"], &["log", "snapshots"]] {
        let mut case = String::new();
        fs::remove_dir_all(prepared.folder(".squall")).unwrap();
        copy(&prepared.folder("pristine"), &prepared.folder(".squall"));
        for folder in folders {
            write!(case, "{folder} ").unwrap();
            for member in [0, 1] {
                let path = prepared.data(".squall", member).join(folder);
                fs::remove_dir_all(&path).unwrap();
            }
        }
        let up = prepared.ctl("cluster up --detach").await;
        assert!(up.code == 1 && up.stderr.contains("1 of 3 apiservers are left"), "{case}: {up:?}");
    }
}
