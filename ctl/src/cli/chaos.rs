//! The flags of `ctl chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use squall_cluster::TimingProfile;

use super::lab::StatusOutput;

#[derive(Debug, Subcommand)]
pub enum ChaosCommand {
    /// List the scenarios
    List(ChaosListArgs),
    /// Describe a scenario: its purpose, faults and expectations
    #[command(after_help = "Example:\n  ctl chaos explain client-interrupted")]
    Explain {
        /// Name of a scenario, or a file
        scenario: String,
    },
    /// Run scenarios, each on its own cluster, and give a verdict
    #[command(
        after_help = "Exit code 0: pass; 1: fail, a check did not hold; 3: degraded, all checks held but client \
                      requests failed; 4: inconclusive.\n\nExamples:\n  \
                      ctl chaos run client-interrupted --report out.html\n  \
                      ctl chaos run my-scenario.yaml -o json\n  ctl chaos run --all --junit results.xml"
    )]
    Run(ChaosRunArgs),
    /// Run random scenarios; the seed determines what happens
    #[command(after_help = "After a failure, the scenario runs again with fewer faults, to find those that cause it. \
                      Then the command that reproduces the failure is printed.\n\nExamples:\n  \
                      ctl chaos random --seed 7 --duration 30s\n  ctl chaos random --runs 20 --duration 20s")]
    Random(ChaosRandomArgs),
}

#[derive(Debug, Args)]
pub struct ChaosRandomArgs {
    /// Seed of the first scenario [default: random]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Number of scenarios, with consecutive seeds
    #[arg(long, default_value_t = 1)]
    pub runs: u64,
    /// How long each scenario makes changes and injects faults
    #[arg(long, default_value = "30s", value_parser = squall_api::duration::parse)]
    pub duration: Duration,
    /// Inject only these faults, numbered from 0
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub faults: Option<Vec<usize>>,
    /// Do not search for the faults that cause a failure
    #[arg(long)]
    pub no_shrink: bool,
    /// Write a report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Disable a protection, to check that the verdict notices
    #[arg(long, value_name = "MUTANT")]
    pub mutant: Option<String>,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct ChaosListArgs {
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct ChaosRunArgs {
    /// Names of scenarios, or files
    #[arg(required_unless_present = "all")]
    pub scenarios: Vec<String>,
    /// Run all built-in scenarios
    #[arg(long, conflicts_with = "scenarios")]
    pub all: bool,
    /// Run only this arm
    #[arg(long, value_name = "NAME")]
    pub arm: Option<String>,
    /// Write a report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Disable a protection, to check that the verdict notices: a name, or `own` for the one that the scenario names
    #[arg(long, value_name = "MUTANT")]
    pub mutant: Option<String>,
    /// Timing: Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value_t = TimingProfile::Fast)]
    pub timing: TimingProfile,
    /// Keep the cluster's folder with its logs
    #[arg(long)]
    pub keep: bool,
    /// Output format
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}
