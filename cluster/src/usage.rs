//! The cpu and memory usage of a process.

use std::fs;
use std::time::Duration;

use serde::Serialize;

/// The usage of a process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Cpu time since it started, to a hundredth of a second.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// The most resident memory that it ever had, in bytes.
    pub peak_bytes: u64,
}

impl Usage {
    /// Reads the usage of a process; `None` if it has ended.
    #[must_use]
    pub fn of_process(pid: i32) -> Option<Self> {
        of(pid)
    }

    /// Returns the resident memory, in MiB.
    #[must_use]
    pub fn resident_mib(&self) -> f64 {
        mib(self.resident_bytes)
    }

    /// Returns the most resident memory that it ever had, in MiB.
    #[must_use]
    pub fn peak_mib(&self) -> f64 {
        mib(self.peak_bytes)
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Linux: `sysconf(_SC_CLK_TCK)` is 100 on every architecture that we run on.
const TICK: Duration = Duration::from_millis(10);

fn of(pid: i32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may contain anything; user and system time are the 12th and 13th field after it.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    let peak_bytes = peak.parse::<u64>().ok()?.saturating_mul(1 << 10);
    Some(Usage { cpu: TICK * ticks, resident_bytes: pages * page, peak_bytes })
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_process_uses_memory_and_time() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = of(pid).unwrap();
        assert!(before.resident_bytes > 1 << 20, "{before:?}");
        assert!(before.peak_bytes >= before.resident_bytes - (1 << 20), "{before:?}");
        while of(pid).unwrap().cpu == before.cpu {
            std::hint::black_box((0..100_000u64).sum::<u64>());
        }
        assert_eq!(of(-1), None);
    }
}
