//! The flags of commands that read objects.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
pub struct SelectArgs {
    /// TYPE, TYPE NAME..., or TYPE/NAME...
    pub what: Vec<String>,
    /// Only objects with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Only objects with these fields
    #[arg(long)]
    pub field_selector: Option<String>,
    /// Search all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Output format: json, yaml, wide, name, jsonpath=TEMPLATE or custom-columns=HEADING:PATH,...
    #[arg(short, long)]
    pub output: Option<String>,
    /// Show changes as they happen
    #[arg(short, long)]
    pub watch: bool,
    /// Show only changes, not the existing objects
    #[arg(long)]
    pub watch_only: bool,
    /// With -w: show whether an object was added, modified or deleted
    #[arg(long)]
    pub output_watch_events: bool,
    /// Omit the column headings
    #[arg(long)]
    pub no_headers: bool,
    /// Show the labels in a column
    #[arg(long)]
    pub show_labels: bool,
    /// Show these labels as columns
    #[arg(short = 'L', long, value_delimiter = ',', value_name = "LABEL")]
    pub label_columns: Vec<String>,
    /// Show the managed fields in JSON and YAML
    #[arg(long)]
    pub show_managed_fields: bool,
    /// Sort by this field, like .metadata.creationTimestamp
    #[arg(long, value_name = "PATH")]
    pub sort_by: Option<String>,
    /// Ignore objects that do not exist
    #[arg(long)]
    pub ignore_not_found: bool,
}

#[derive(Debug, Args)]
pub struct DescribeArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Show the events of each object
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub show_events: bool,
}

#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Only events of this object (TYPE/NAME)
    #[arg(long = "for", value_name = "TYPE/NAME")]
    pub object: Option<String>,
    /// Only events of these types: Normal, Warning
    #[arg(long, value_delimiter = ',')]
    pub types: Vec<String>,
    /// Search all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Keep watching, and show new events
    #[arg(short, long)]
    pub watch: bool,
    /// Omit the column headings
    #[arg(long)]
    pub no_headers: bool,
    /// Output format: json or yaml
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct PodLogsArgs {
    /// POD, or TYPE/NAME of an object that has pods
    pub what: Option<String>,
    /// Container [default: the first]
    #[arg(index = 2, value_name = "CONTAINER")]
    pub second: Option<String>,
    /// Container [default: the first]
    #[arg(short, long)]
    pub container: Option<String>,
    /// Show the logs of all pods with these labels
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Show the logs of all containers
    #[arg(long)]
    pub all_containers: bool,
    /// Keep printing as long as the container runs
    #[arg(short, long)]
    pub follow: bool,
    /// Show the log of the container's previous attempt
    #[arg(short, long)]
    pub previous: bool,
    /// Start each line with its time
    #[arg(long)]
    pub timestamps: bool,
    /// Start each line with its pod and container
    #[arg(long)]
    pub prefix: bool,
    /// Show only this many lines from the end
    #[arg(long, allow_negative_numbers = true)]
    pub tail: Option<i64>,
    /// Show only lines that are not older than this, like 5m
    #[arg(long, value_parser = squall_api::duration::parse)]
    pub since: Option<Duration>,
    /// Show only lines that are not older than this time (RFC 3339)
    #[arg(long)]
    pub since_time: Option<String>,
    /// Show at most this many bytes
    #[arg(long)]
    pub limit_bytes: Option<i64>,
}

#[derive(Debug, Args)]
pub struct WaitArgs {
    #[command(flatten)]
    pub select: SelectArgs,
    /// Objects defined in these files
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// All objects of the type
    #[arg(long)]
    pub all: bool,
    /// condition=NAME[=VALUE], jsonpath=PATH[=VALUE], create or delete
    #[arg(long = "for", value_name = "WHAT")]
    pub condition: String,
    /// Give up after this time; 0: check once; negative: a week
    #[arg(long, default_value = "30s", allow_hyphen_values = true)]
    pub timeout: String,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Files or folders of manifests, - for standard input
    #[arg(short, long, required = true, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// TYPE NAME, or TYPE/NAME...
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Output format: json
    #[arg(short, long)]
    pub output: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// TYPE or TYPE.FIELD.FIELD
    pub what: String,
    /// Show nested fields too
    #[arg(long)]
    pub recursive: bool,
}

#[derive(Debug, Args)]
pub struct ApiResourcesArgs {
    /// Show only types of this API group
    #[arg(long)]
    pub api_group: Option<String>,
    /// Show only namespaced types, or (=false) only cluster-scoped ones
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub namespaced: Option<bool>,
    /// Output format: wide or name
    #[arg(short, long)]
    pub output: Option<String>,
    /// Omit the column headings
    #[arg(long)]
    pub no_headers: bool,
}

#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Show only the version of ctl
    #[arg(long)]
    pub client: bool,
    /// Output format: json or yaml
    #[arg(short, long)]
    pub output: Option<String>,
}
