//! The flags of `ctl chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::lab::{StatusOutput, Timing};

#[derive(Debug, Subcommand)]
pub enum ChaosCommand {
    /// List the scenarios
    List(ChaosListArgs),
    /// Say what a scenario does and shows
    #[command(after_help = "Example:\n  ctl chaos explain client-interrupted")]
    Explain {
        /// The scenario's name, or a file
        scenario: String,
    },
    /// Play scenarios, each on a cluster of its own, and judge them
    #[command(
        after_help = "Exit code 0: passed; 1: something that must hold did not; 3: all held, but clients noticed; 4: it cannot be said.\n\nExamples:\n  ctl chaos run client-interrupted --report out.html\n  ctl chaos run my-scenario.yaml -o json\n  ctl chaos run --all --junit results.xml"
    )]
    Run(ChaosRunArgs),
    /// Play scenarios drawn at random; the seed decides what happens
    #[command(
        after_help = "When one fails, the faults that it takes are found out by leaving out others, and the command is printed that repeats it.\n\nExamples:\n  ctl chaos random --seed 7 --duration 30s\n  ctl chaos random --runs 20 --duration 20s"
    )]
    Random(ChaosRandomArgs),
}

#[derive(Debug, Args)]
pub struct ChaosRandomArgs {
    /// Decides what happens; else any
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many scenarios: this seed and those that follow
    #[arg(long, default_value_t = 1)]
    pub runs: u64,
    /// How long things are done and broken in each
    #[arg(long, default_value = "30s", value_parser = squall_api::duration::parse)]
    pub duration: Duration,
    /// Only these faults, by their numbers from 0
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    pub faults: Option<Vec<usize>>,
    /// Do not look for the faults that a failure takes
    #[arg(long)]
    pub no_shrink: bool,
    /// Write a report: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Leave a protection out, and see whether that is noticed
    #[arg(long, value_name = "MUTANT")]
    pub mutant: Option<String>,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct ChaosListArgs {
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}

#[derive(Debug, Args)]
pub struct ChaosRunArgs {
    /// Names of scenarios, or files
    #[arg(required_unless_present = "all")]
    pub scenarios: Vec<String>,
    /// All that come with Squall
    #[arg(long, conflicts_with = "scenarios")]
    pub all: bool,
    /// Only this arm
    #[arg(long, value_name = "NAME")]
    pub arm: Option<String>,
    /// Write a report: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Leave a protection out, and see whether that is noticed: a name, or `own` for the one that the scenario names
    #[arg(long, value_name = "MUTANT")]
    pub mutant: Option<String>,
    /// Kubernetes' constants, or all of them divided by ten
    #[arg(long, value_enum, default_value_t = Timing::Fast)]
    pub timing: Timing,
    /// Keep the cluster's folder, with its logs
    #[arg(long)]
    pub keep: bool,
    /// json for scripts
    #[arg(short, long, value_enum)]
    pub output: Option<StatusOutput>,
}
