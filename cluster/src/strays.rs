//! Processes of a cluster that its folder does not tell of: their launcher was killed before it could write them down.
//! Their command lines tell whose they are.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cluster::{Cluster, Started};
use crate::files::write_json;
use crate::member::MemberName;
use crate::process::{ProcessId, ProcessState};

impl Cluster {
    /// Writes down a stray for each member without a process, and ends what is beyond that.
    pub(super) fn adopt_strays(&self) -> anyhow::Result<()> {
        let members = self.members();
        for (pid, arguments) in command_lines() {
            let is_of = |member: &&MemberName| {
                let (flag, value) = self.mark(**member);
                has_mark(&arguments, flag, &value)
            };
            let Some(member) = members.iter().find(is_of) else { continue };
            let Ok(process) = ProcessId::of(pid) else { continue };
            match self.started(*member) {
                Some(known) if known == process => {}
                Some(known) if known.state() != ProcessState::Stopped => {
                    process.signal(rustix::process::Signal::KILL)?;
                }
                _ => write_json(&self.record(*member), &Started { process })?,
            }
        }
        Ok(())
    }
}

/// Every process of this machine that we may look at, with its arguments.
fn command_lines() -> impl Iterator<Item = (u32, Vec<Vec<u8>>)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()))
    })
}

/// Whether a process of ours was started with this flag: others, a `tail` of a log, say, only mention the value.
fn has_mark(arguments: &[Vec<u8>], flag: &str, value: &Path) -> bool {
    let program = arguments.first().map(|program| Path::new(OsStr::from_bytes(program)));
    let name = program.and_then(Path::file_name).and_then(OsStr::to_str);
    let mark = [flag.as_bytes(), value.as_os_str().as_bytes()];
    name.is_some_and(|name| ["apiserver", "controller-manager", "kubelet-sim"].contains(&name))
        && arguments.windows(2).any(|pair| pair == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_programs_with_the_very_flag_count() {
        let line = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let is = |words: &[&str]| has_mark(&line(words), "--socket", Path::new("/c/run/node-0.sock"));
        assert!(is(&["/bin/kubelet-sim", "runtime", "--socket", "/c/run/node-0.sock"]));
        assert!(!is(&["/bin/kubelet-sim", "agent", "--runtime", "/c/run/node-0.sock"]), "its kubelet");
        assert!(!is(&["/bin/kubelet-sim", "runtime", "--socket", "/c/run/node-01.sock"]));
        assert!(!is(&["/bin/tail", "--socket", "/c/run/node-0.sock"]));
        assert!(!is(&[]));
    }

    #[test]
    fn this_process_is_among_all() {
        assert!(command_lines().any(|(pid, _)| pid == std::process::id()));
    }
}
