//! The flags that every process has.

use clap::Args;

use crate::words::Words;

/// Logs, the end, and threads of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ProcessFlags {
    /// Log filter: a level, or `module=level` pairs separated by commas [default: info,openraft=warn]
    #[arg(long, env = "SQUALL_LOG")]
    pub log: Option<String>,

    /// Shut down when standard input closes, as it does when the parent process dies
    #[arg(long)]
    pub end_with_stdin: bool,

    /// Number of threads that serve requests [default: 1]
    #[arg(long)]
    pub worker_threads: Option<usize>,
}

impl ProcessFlags {
    /// Returns the flags on a command line.
    #[must_use]
    pub fn to_args(&self) -> Words {
        let Self { log, end_with_stdin, worker_threads } = self;
        let threads = worker_threads.map(|count| count.to_string());
        Words::default()
            .option("log", log.as_ref())
            .switch("end-with-stdin", *end_with_stdin)
            .option("worker-threads", threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::read_back;

    #[test]
    fn the_command_line_reads_back() {
        let full = ProcessFlags { log: Some("debug".to_owned()), end_with_stdin: true, worker_threads: Some(4) };
        for flags in [full, ProcessFlags { log: Some("info".to_owned()), ..ProcessFlags::default() }] {
            assert_eq!(read_back::<ProcessFlags>(flags.to_args()), flags);
        }
    }
}
